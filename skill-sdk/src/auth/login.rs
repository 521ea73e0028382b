//! Asks a person for credentials (contract "fabric-auth", section 8, "Login prompts").
//!
//! The answers stay in memory: neither the environment nor the disk gets to see them. After
//! [`Client::login`](crate::Client::login) they count for every client that this process makes.

use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

use secrecy::{ExposeSecret, SecretString};
use serde::de::IgnoredAny;

use crate::auth::credentials::HEADING;
use crate::auth::environment::{CORTEX_PROJECT, CORTEX_URI, CORTEX_URL};
use crate::auth::file::read_text;
use crate::auth::personal_access::expand_home;
use crate::auth::{Environment, PersonalAccessConfig, ProcessEnvironment};
use crate::client::address::base_url;
use crate::error::{Code, Error};

/// Largest answer: bytes, and lines of a JSON text.
const MOST_BYTES: usize = 64 * 1024;
const MOST_LINES: usize = 200;

/// What is offered to the person who is asked.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Defaults {
    /// What an empty answer to the first question means. Without it, the URL of the config counts.
    pub api_endpoint: Option<String>,
    /// What an empty answer to the last question means, unless the config names a project.
    pub project: Option<String>,
    /// Whether the caller knows the project, so that the last question is not asked and `project` wins over the config's.
    pub project_is_settled: bool,
}

impl Defaults {
    /// What an environment offers: `CORTEX_URI`, else `CORTEX_URL`, and `CORTEX_PROJECT`.
    ///
    /// # Errors
    ///
    /// [`Code::InvalidMessage`] when one of the variables is not UTF-8.
    pub fn of(environment: &(impl Environment + ?Sized)) -> Result<Self, Error> {
        let api_endpoint = match environment.text(CORTEX_URI)? {
            Some(url) => Some(url),
            None => environment.text(CORTEX_URL)?,
        };
        Ok(Self { api_endpoint, project: environment.text(CORTEX_PROJECT)?, project_is_settled: false })
    }
}

/// What a person has answered.
#[derive(Debug)]
pub struct Login {
    /// The config, with the URL and the project that were chosen. Without a project, none was.
    pub config: Arc<PersonalAccessConfig>,
    /// The config as it was given, with the private key in it: a JSON object.
    pub json: SecretString,
}

impl Login {
    /// What a config says by itself, with nothing asked.
    ///
    /// # Errors
    ///
    /// As for [`PersonalAccessConfig::from_json`].
    pub fn from_json(json: SecretString) -> Result<Self, Error> {
        let config = PersonalAccessConfig::from_json(json.expose_secret())?;
        Ok(Self { config: Arc::new(config), json })
    }
}

static CURRENT: Mutex<Option<Arc<Login>>> = Mutex::new(None);

/// The login of this process.
pub(crate) fn current() -> Option<Arc<Login>> {
    CURRENT.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Makes this the login of this process.
pub(crate) fn remember(login: Arc<Login>) {
    *CURRENT.lock().unwrap_or_else(PoisonError::into_inner) = Some(login);
}

/// Asks for the URL of the platform, a personal access config (JSON, or the path of a file) and a project. The questions go to
/// stderr and the answers come from standard input. At a terminal the config is not shown while it is typed or pasted.
///
/// A program that a signal ends while the config is typed leaves a terminal behind that shows nothing; one that wants to be
/// interrupted there sets the modes of the terminal back itself, as `skill-runtime auth login` does.
///
/// This blocks until somebody has answered: in async code call it through [`tokio::task::spawn_blocking`].
///
/// # Errors
///
/// [`Code::TokenMissing`] when an answer is missing, cannot be read or is longer than 64 KiB or 200 lines;
/// [`Code::InvalidMessage`] when the URL is none of a platform; otherwise as for [`PersonalAccessConfig::from_json`]. An answer
/// that may hold a key is never part of the error.
pub fn prompt(defaults: &Defaults) -> Result<Login, Error> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        ask(&mut Terminal, &ProcessEnvironment, defaults)
    } else {
        ask(&mut Streams { input: stdin.lock(), output: io::stderr() }, &ProcessEnvironment, defaults)
    }
}

/// As [`prompt`], of anybody. The environment says where `~` is.
///
/// # Errors
///
/// As for [`prompt`].
pub(crate) fn ask(
    console: &mut impl Console,
    environment: &(impl Environment + ?Sized),
    defaults: &Defaults,
) -> Result<Login, Error> {
    let unreadable = |error: io::Error| unavailable("an answer cannot be read").with_source(error);
    let line = console.ask(&question("Cortex URI", defaults.api_endpoint.as_deref())).map_err(unreadable)?;
    let url = answer(&line).or_else(|| defaults.api_endpoint.clone());
    // Before the secret is asked for: nobody likes to paste that twice.
    if let Some(url) = &url {
        base_url(url).map_err(|why| Error::new(Code::InvalidMessage, format!("the Cortex URI {why}")))?;
    }

    let given = console.ask_secret(&question("Personal Access Config", None), is_unfinished).map_err(unreadable)?;
    let json = config_json(given, environment)?;
    let mut config = PersonalAccessConfig::from_json(json.expose_secret())?;
    if let Some(url) = url {
        config.url = url;
    }

    if defaults.project_is_settled {
        config.project = defaults.project.clone().or(config.project);
    } else {
        let offered = config.project.take().or_else(|| defaults.project.clone());
        let line = console.ask(&question("Cortex Project name", offered.as_deref())).map_err(unreadable)?;
        config.project = answer(&line).or(offered);
    }
    Ok(Login { config: Arc::new(config), json })
}

/// Who is asked.
pub(crate) trait Console {
    /// The line that answers a question; empty at the end of the input.
    fn ask(&mut self, question: &str) -> io::Result<String>;

    /// An answer that is not shown, and that goes on for as long as what was given is unfinished.
    fn ask_secret(&mut self, question: &str, is_unfinished: fn(&str) -> bool) -> io::Result<SecretString>;
}

/// A program, or a file, that answers.
pub(crate) struct Streams<R, W> {
    pub(crate) input: R,
    pub(crate) output: W,
}

impl<R: BufRead, W: Write> Console for Streams<R, W> {
    fn ask(&mut self, question: &str) -> io::Result<String> {
        show(&mut self.output, question)?;
        let line = read_line(&mut self.input)?.unwrap_or_default();
        // What comes next on stderr is not part of the question, and nobody has pressed a key that ends the line.
        show(&mut self.output, "\n")?;
        Ok(line)
    }

    fn ask_secret(&mut self, question: &str, is_unfinished: fn(&str) -> bool) -> io::Result<SecretString> {
        show(&mut self.output, question)?;
        let answer = gather(|| read_line(&mut self.input), is_unfinished)?;
        show(&mut self.output, "\n")?;
        Ok(answer)
    }
}

/// Somebody at the terminal of this process.
struct Terminal;

impl Console for Terminal {
    fn ask(&mut self, question: &str) -> io::Result<String> {
        show(&mut io::stderr(), question)?;
        Ok(read_line(&mut io::stdin().lock())?.unwrap_or_default())
    }

    fn ask_secret(&mut self, question: &str, is_unfinished: fn(&str) -> bool) -> io::Result<SecretString> {
        // Before the question, because what is typed is shown when it is typed and not when it is read; and for all lines
        // of a text that is pasted, between two of which the reader would show it.
        #[cfg(unix)]
        let _hidden = hidden::Hidden::begin()?;
        show(&mut io::stderr(), question)?;
        let answer = gather(read_hidden_line, is_unfinished);
        show(&mut io::stderr(), "\n")?;
        answer
    }
}

#[cfg(unix)]
mod hidden {
    use std::io;

    use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

    /// While this lives, the terminal does not show what is typed, nor cut off lines that are longer than it can edit.
    pub(super) struct Hidden(Termios);

    impl Hidden {
        pub(super) fn begin() -> io::Result<Self> {
            let before = tcgetattr(io::stdin())?;
            let mut modes = before.clone();
            modes.local_modes.remove(LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON);
            tcsetattr(io::stdin(), OptionalActions::Now, &modes)?;
            Ok(Self(before))
        }
    }

    impl Drop for Hidden {
        fn drop(&mut self) {
            // A terminal that is gone shows nothing either.
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
        }
    }
}

fn read_hidden_line() -> io::Result<Option<String>> {
    let quietly = rpassword::ConfigBuilder::new().output_discard().build();
    match rpassword::read_password_with_config(quietly) {
        Ok(line) => Ok(Some(line)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

fn show(output: &mut impl Write, text: &str) -> io::Result<()> {
    output.write_all(text.as_bytes()).and_then(|()| output.flush())
}

fn too_long() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("it is longer than {MOST_BYTES} bytes or {MOST_LINES} lines"))
}

/// A line without its end; `None` at the end of the input.
fn read_line(input: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = String::new();
    let one_more = u64::try_from(MOST_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    if input.take(one_more).read_line(&mut line)? == 0 {
        return Ok(None);
    }
    if line.len() > MOST_BYTES {
        return Err(too_long());
    }
    line.truncate(line.trim_end_matches(['\r', '\n']).len());
    Ok(Some(line))
}

fn gather(
    mut next: impl FnMut() -> io::Result<Option<String>>,
    is_unfinished: fn(&str) -> bool,
) -> io::Result<SecretString> {
    let mut text = next()?.unwrap_or_default();
    let mut lines = 1;
    while is_unfinished(&text) {
        let Some(line) = next()? else { break };
        text.push('\n');
        text.push_str(&line);
        lines += 1;
        if text.len() > MOST_BYTES || lines > MOST_LINES {
            return Err(too_long());
        }
    }
    Ok(text.into())
}

/// Whether this is the beginning of a JSON object.
fn is_unfinished(text: &str) -> bool {
    text.trim_start().starts_with('{') && serde_json::from_str::<IgnoredAny>(text).is_err_and(|error| error.is_eof())
}

fn question(name: &str, default: Option<&str>) -> String {
    match default {
        Some(default) => format!("{name}: [{default}] "),
        None => format!("{name}: "),
    }
}

/// `None` for an empty answer.
fn answer(line: &str) -> Option<String> {
    Some(line.trim()).filter(|line| !line.is_empty()).map(str::to_owned)
}

/// The JSON that the answer is, or names.
fn config_json(given: SecretString, environment: &(impl Environment + ?Sized)) -> Result<SecretString, Error> {
    let text = given.expose_secret().trim();
    if text.is_empty() {
        return Err(unavailable("no personal access config was given"));
    }
    if text.starts_with('{') {
        return Ok(given);
    }
    let path = expand_home(text, environment);
    // Not the path: it may be a key or a token that went to the wrong question.
    let unreadable = |error| unavailable("the answer is neither JSON nor a file that can be read").with_source(error);
    let json = read_text(&path).map_err(unreadable)?;
    Ok(json.into())
}

fn unavailable(why: &str) -> Error {
    Error::new(Code::TokenMissing, format!("{HEADING}\n{why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use std::collections::BTreeMap;
    use std::path::Path;

    const KEY: &str = "ZXhhbXBsZSBrZXksIG5ldmVyIHVzZWQgYW55d2hlcmU";

    fn config() -> Value {
        json!({
            "jwk": {
                "crv": "Ed25519", "kty": "OKP", "x": "sr3YcgqEB-vUnNdiBqHZKcsy5V6CX4AczcoLSTEMOsQ", "d": KEY
            },
            "issuer": "i", "audience": "a", "username": "u", "url": "https://api.example.com"
        })
    }

    fn login(input: &str, home: &Path, defaults: &Defaults) -> (Result<Login, Error>, String) {
        let mut output = Vec::new();
        let home = home.to_str().unwrap();
        let result = ask(
            &mut Streams { input: input.as_bytes(), output: &mut output },
            &BTreeMap::from([("HOME", home)]),
            defaults,
        );
        (result, String::from_utf8(output).unwrap())
    }

    fn answers(input: &str, defaults: &Defaults) -> (String, Option<String>, String) {
        let (result, output) = login(input, Path::new("/"), defaults);
        let Login { config, .. } = result.unwrap();
        (config.url.clone(), config.project.clone(), output)
    }

    #[test]
    fn three_questions_are_asked() {
        let defaults = Defaults { api_endpoint: Some("https://d".into()), ..Defaults::default() };
        let (url, project, output) = answers(&format!(" https://u \n{}\r\norders\n", config()), &defaults);
        assert_eq!((url.as_str(), project.as_deref()), ("https://u", Some("orders")));
        assert_eq!(output, "Cortex URI: [https://d] \nPersonal Access Config: \nCortex Project name: \n");
    }

    #[test]
    fn empty_answers_take_what_is_offered() {
        let input = format!("\n{}\n\n", config());
        let (url, project, output) = answers(&input, &Defaults::default());
        assert_eq!((url.as_str(), project), ("https://api.example.com", None));
        assert!(output.starts_with("Cortex URI: \n"), "{output}");
        let environment = BTreeMap::from([("CORTEX_URI", ""), ("CORTEX_URL", "http://e"), ("CORTEX_PROJECT", "p")]);
        let mut defaults = Defaults::of(&environment).unwrap();
        let (url, project, output) = answers(&input, &defaults);
        assert_eq!((url.as_str(), project.as_deref()), ("http://e", Some("p")));
        assert!(output.ends_with("Cortex Project name: [p] \n"), "{output}");
        let mut of_its_own = config();
        of_its_own["project"] = "own".into();
        let input = format!("\n{of_its_own}\n");
        assert_eq!(answers(&input, &defaults).1.as_deref(), Some("own"));
        defaults.project_is_settled = true;
        let (_, project, output) = answers(&input, &defaults);
        assert_eq!(project.as_deref(), Some("p"));
        assert!(!output.contains("Project"), "{output}");
    }

    #[test]
    fn a_config_may_have_many_lines_or_be_a_file() {
        let (url, project, _) = answers(&format!("\n{:#}\np\n", config()), &Defaults::default());
        assert_eq!((url.as_str(), project.as_deref()), ("https://api.example.com", Some("p")));
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("pat.json"), format!("{:#}", config())).unwrap();
        for path in ["~/pat.json", home.path().join("pat.json").to_str().unwrap()] {
            let (result, _) = login(&format!("\n{path}\np\n"), home.path(), &Defaults::default());
            let login = result.unwrap();
            assert_eq!(login.config.project.as_deref(), Some("p"));
            assert_eq!(serde_json::from_str::<Value>(login.json.expose_secret()).unwrap(), config());
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_the_answer() {
        let endless = format!("\n{{\n{}", "\n".repeat(300));
        let long = format!("\n{{{}", " ".repeat(70_000));
        let unfinished = format!("\n{}", config().to_string().trim_end_matches('}'));
        let no_url = format!("\n{}", config().to_string().replace("https://api.example.com", "nowhere"));
        for (input, code, words) in [
            ("", Code::TokenMissing, "no personal access config was given"),
            ("\n \n", Code::TokenMissing, "no personal access config was given"),
            ("hunter2", Code::InvalidMessage, "the Cortex URI is not a URL"),
            ("ftp://hunter2", Code::InvalidMessage, "must be an http or https URL"),
            (no_url.as_str(), Code::TokenInvalid, "has an unusable url: it is not a URL"),
            ("\nhunter2\n", Code::TokenMissing, "neither JSON nor a file that can be read"),
            ("\n/\n", Code::TokenMissing, "neither JSON nor a file that can be read"),
            ("\n{\"jwk\": \"hunter2\"}\n", Code::TokenInvalid, "not valid JSON of its form"),
            (endless.as_str(), Code::TokenMissing, "cannot be read"),
            (long.as_str(), Code::TokenMissing, "cannot be read"),
            (unfinished.as_str(), Code::TokenInvalid, "not valid JSON of its form"),
        ] {
            let (result, output) = login(input, Path::new("/"), &Defaults::default());
            let error = result.unwrap_err();
            assert_eq!(error.code(), code, "{error}");
            assert!(error.chain().contains(words), "{}", error.chain());
            let shown = format!("{error:?}{output}");
            assert!(!shown.contains("hunter2") && !shown.contains(KEY), "{shown}");
        }
    }

    #[test]
    fn debug_does_not_show_the_key() {
        let (result, _) = login(&format!("\n{}\n\n", config()), Path::new("/"), &Defaults::default());
        assert!(!format!("{result:?}").contains(KEY));
    }
}
