//! `skill-runtime auth login`.

use super::{KEY, auth, config, folder_with, pat};
use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;
use whole_program_tests::{Ended, PlatformProcess, Run, built, skill_runtime};

/// `auth login` on the profiles in a folder.
fn login(folder: &Path, args: &[&str]) -> Run {
    auth(&["login"]).args(args).env("CORTEX_CONFIG_DIR", folder).current_dir(folder)
}

/// A login that did well: it says so, and prints nothing.
fn saved(ended: &Ended, name: &str) {
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""), "{}", ended.stderr);
    let told: Vec<String> = ended.logs().iter().map(|log| log["message"].as_str().unwrap().to_owned()).collect();
    for words in [format!("Configuring profile {name}:"), format!("Configuration for profile {name} saved.")] {
        assert!(told.contains(&words), "{told:?}");
    }
    assert!(!ended.stderr.contains(KEY), "{}", ended.stderr);
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

/// A profile of version 5, made of the config.
fn profile(project: &str) -> Value {
    let mut profile = pat();
    profile["project"] = project.into();
    profile["registries"] = json!({
        "Cortex Private Registry": {
            "url": "private-registry.dci.example.com", "name": "Cortex Private Registry", "isCortex": true
        }
    });
    profile["currentRegistry"] = "Cortex Private Registry".into();
    profile["templateConfig"] = json!({"repo": "CognitiveScale/cortex-code-templates", "branch": "main"});
    profile
}

#[test]
fn a_profile_is_made_of_a_file() {
    let folder = folder_with(&pat());
    let mut run = auth(&["login", "--project", "orders-dev", "--file"]).arg(folder.path().join("pat.json"));
    let cortex = run.home().join(".cortex");
    saved(&run.end(), "default");
    let expected = json!({"version": "5", "profiles": {"default": profile("orders-dev")}, "currentProfile": "default"});
    assert_eq!(config(&cortex), expected);
    assert_eq!((mode(&cortex), mode(&cortex.join("config"))), (0o700, 0o600));
    assert_eq!(fs::read_dir(&cortex).unwrap().count(), 1, "nothing else is left behind");
}

#[test]
fn profiles_stand_beside_each_other() {
    let folder = folder_with(&pat());
    saved(&login(folder.path(), &["--file", "pat.json", "--project", "p", "--profile", "a"]).end(), "a");
    let mut own = pat();
    own["project"] = "own".into();
    own["extra"] = json!({"kept": true});
    own["token"] = "hunter2".into();
    fs::write(folder.path().join("own.json"), own.to_string()).unwrap();
    saved(&login(folder.path(), &["--file", "own.json", "--profile", "b"]).end(), "b");
    // From here on the current profile is meant, and keeps what it had.
    let env = login(folder.path(), &[]).env("SKILL_PERSONAL_ACCESS_CONFIG", "pat.json");
    saved(&{ env }.end(), "b");
    let written = config(folder.path());
    let mut b = profile("own");
    b["extra"] = json!({"kept": true});
    assert_eq!(written, json!({"version": "5", "profiles": {"a": profile("p"), "b": b}, "currentProfile": "b"}));

    // The platform's registry moves with it.
    let mut moved = pat();
    moved["url"] = "http://api.new.example.com:8080/".into();
    fs::write(folder.path().join("moved.json"), moved.to_string()).unwrap();
    saved(&login(folder.path(), &["--file", "moved.json"]).env("SKILL_PROFILE", "a").end(), "a");
    let a = &config(folder.path())["profiles"]["a"];
    assert_eq!(a["registries"]["Cortex Private Registry"]["url"], "private-registry.new.example.com");
    assert_eq!((&a["project"], &a["url"]), (&json!("p"), &json!("http://api.new.example.com:8080/")));

    for name in ["--profile=", "--profile=a\nb", "--profile=\u{7}"] {
        let ended = login(folder.path(), &["--file", "pat.json", name]).end();
        assert_eq!(ended.code, Some(64), "{}", ended.stderr);
    }
    saved(&login(folder.path(), &["--file", "pat.json", "--profile", "Ünï côdé"]).end(), "Ünï côdé");
}

#[test]
fn questions_are_answered_over_standard_input() {
    let folder = folder_with(&pat());
    let path = folder.path().join("pat.json");
    let path = path.to_str().unwrap();
    let answers = format!("https://api.other.example.com\n{:#}\norders\n", pat());
    let ended = login(folder.path(), &[]).env("CORTEX_URI", "https://default").stdin(answers).end();
    saved(&ended, "default");
    let questions = "Cortex URI: [https://default] \nPersonal Access Config: \nCortex Project name: \n";
    assert!(ended.stderr.contains(questions), "{}", ended.stderr);
    let written = &config(folder.path())["profiles"]["default"];
    assert_eq!((&written["url"], &written["project"]), (&json!("https://api.other.example.com"), &json!("orders")));
    assert_eq!(written["registries"]["Cortex Private Registry"]["url"], "private-registry.other.example.com");

    // Empty answers: the URL of the config, and the project that the profile had.
    let ended = login(folder.path(), &[]).stdin(format!("\n{path}\n\n")).end();
    saved(&ended, "default");
    assert!(ended.stderr.contains("Cortex Project name: [orders] \n"), "{}", ended.stderr);
    assert_eq!(config(folder.path())["profiles"]["default"], profile("orders"));
    let ended = login(folder.path(), &["--project", "given"]).stdin(format!("\n{path}\n")).end();
    saved(&ended, "default");
    assert!(!ended.stderr.contains("Cortex Project name"), "{}", ended.stderr);
    assert_eq!(config(folder.path())["profiles"]["default"], profile("given"));
}

#[test]
fn answers_that_cannot_be_used_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let broken = format!("\n{}\n\n", json!({"jwk": {"d": "hunter2"}}));
    for (answers, code) in [
        ("", "token_missing"),
        ("\n\n", "token_missing"),
        ("\nhunter2\n", "token_missing"),
        ("hunter2\n", "invalid_message"),
        (broken.as_str(), "token_invalid"),
        ("\n{\"jwk\": \"hunter2\n", "token_invalid"),
    ] {
        let ended = login(folder.path(), &[]).stdin(answers).end();
        ended.problem(code);
        assert!(!ended.stderr.contains("hunter2"), "{}", ended.stderr);
        assert!(!folder.path().join("config").exists());
    }
}

#[test]
fn a_file_that_cannot_be_used_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let missing = login(folder.path(), &["--file", "none.json"]).end().problem_with_exit("token_missing", 66);
    assert_eq!(missing["detail"], "Personal Access Token file does not exist at: none.json");
    login(folder.path(), &["--file", "."]).end().problem_with_exit("token_missing", 66);
    let mut no_user = pat();
    no_user.as_object_mut().unwrap().shift_remove("username");
    let mut no_url = pat();
    no_url["url"] = "nowhere".into();
    let mut bad_key = pat();
    bad_key["jwk"]["d"] = "hunter2".into();
    for (text, words) in [
        (no_user.to_string(), "the config lacks username"),
        (no_url.to_string(), "has an unusable url: it is not a URL"),
        (bad_key.to_string(), "unusable key: d must be 32 bytes of base64url"),
        ("hunter2".to_owned(), "not valid JSON"),
        (String::new(), "not valid JSON"),
    ] {
        fs::write(folder.path().join("pat.json"), text).unwrap();
        let ended = login(folder.path(), &["--file", "pat.json"]).end();
        let problem = ended.problem("token_invalid");
        assert!(problem["detail"].as_str().unwrap().contains(words), "{problem}");
        assert!(!ended.stderr.contains("hunter2") && !ended.stderr.contains(KEY), "{}", ended.stderr);
        assert!(!folder.path().join("config").exists());
    }
    // A file where the folder should be.
    fs::write(folder.path().join("pat.json"), pat().to_string()).unwrap();
    let run = login(folder.path(), &["--file", "pat.json"]).env("CORTEX_CONFIG_DIR", folder.path().join("pat.json"));
    { run }.end().problem_with_exit("token_missing", 78);
}

#[test]
fn older_versions_are_brought_to_version_5() {
    let mut bare = pat();
    bare["project"] = "orders-dev".into();
    let mut chosen = bare.clone();
    chosen["registries"] = json!({});
    chosen["currentRegistry"] = "mine".into();
    let template = json!({"repo": "acme/templates", "branch": "main"});

    // Version 3 has neither registries nor templates.
    let folder = folder_with(&pat());
    let old =
        json!({"version": "3", "more": [1], "profiles": {"default": bare, "odd": 7}, "currentProfile": "default"});
    fs::write(folder.path().join("config"), old.to_string()).unwrap();
    saved(&login(folder.path(), &["--file", "pat.json", "--profile", "new", "--project", "p"]).end(), "new");
    let expected = json!({
        "version": "5", "more": [1],
        "profiles": {"default": profile("orders-dev"), "odd": 7, "new": profile("p")}, "currentProfile": "new"
    });
    assert_eq!(config(folder.path()), expected);

    // Version 4 has one template for all profiles.
    let old = json!({
        "version": "4", "profiles": {"default": chosen, "other": bare}, "currentProfile": "default",
        "templateConfig": template, "more": {"a": 1}
    });
    fs::write(folder.path().join("config"), old.to_string()).unwrap();
    saved(&login(folder.path(), &["--file", "pat.json", "--profile", "new", "--project", "p"]).end(), "new");
    let (mut kept, mut other) = (chosen.clone(), profile("orders-dev"));
    kept["templateConfig"] = template.clone();
    other["templateConfig"] = template.clone();
    let expected = json!({
        "version": "5", "profiles": {"default": kept, "other": other, "new": profile("p")}, "currentProfile": "new",
        "more": {"a": 1}
    });
    assert_eq!(config(folder.path()), expected);

    // Version 5 stays as it is, but for the profile that is written.
    kept["token"] = "hunter2".into();
    kept["account"] = "acme".into();
    kept["more"] = "kept".into();
    let current = json!({
        "version": "5", "templateConfig": "mine", "profiles": {"default": kept, "other": bare}, "currentProfile": "default"
    });
    fs::write(folder.path().join("config"), current.to_string()).unwrap();
    saved(&login(folder.path(), &["--file", "pat.json"]).end(), "default");
    let mut expected = current;
    let profile = expected["profiles"]["default"].as_object_mut().unwrap();
    profile.shift_remove("token");
    profile.shift_remove("account");
    assert_eq!(config(folder.path()), expected);
}

#[test]
fn version_2_is_put_aside() {
    let folder = folder_with(&pat());
    let path = folder.path().join("config");
    let old = r#"{"version": "2", "profiles": {"default": {"account": "acme", "token": "hunter2"}}}"#;
    fs::write(&path, old).unwrap();
    let ended = login(folder.path(), &["--file", "pat.json", "--project", "p"]).end();
    saved(&ended, "default");
    let aside = folder.path().join("config_v2");
    assert!(ended.stderr.contains(&format!("Old profile found and moved to {}", aside.display())), "{}", ended.stderr);
    assert_eq!(fs::read_to_string(&aside).unwrap(), old);
    assert_eq!(mode(&aside), 0o600);
    let expected = json!({"version": "5", "profiles": {"default": profile("p")}, "currentProfile": "default"});
    assert_eq!(config(folder.path()), expected);

    let again = old.replace("hunter2", "another");
    fs::write(&path, &again).unwrap();
    login(folder.path(), &["--file", "pat.json"]).end().problem_with_exit("token_missing", 78);
    assert_eq!((fs::read_to_string(&path).unwrap(), fs::read_to_string(&aside).unwrap()), (again, old.to_owned()));
}

#[test]
fn a_configuration_of_another_kind_is_left_alone() {
    let folder = folder_with(&pat());
    let path = folder.path().join("config");
    for (text, words) in [
        (r#"{"profiles": {"default": {"jwk": "hunter2"}}}"#, "has no version"),
        (r#"{"version": 5, "profiles": {"default": "hunter2"}}"#, "has no version"),
        (r#"{"version": "6", "profiles": {"default": "hunter2"}}"#, "version \"6\" of this file is not known"),
        (r#"{"version": "5", "profiles": ["hunter2"]}"#, "\"profiles\" is not an object"),
        (r#"{"version": "4", "profiles": null}"#, "\"profiles\" is not an object"),
        ("[\"hunter2\"]", "not a file of profiles"),
        ("hunter2", "not a file of profiles"),
        ("", "not a file of profiles"),
    ] {
        fs::write(&path, text).unwrap();
        let ended = login(folder.path(), &["--file", "pat.json"]).end();
        let problem = ended.problem_with_exit("token_missing", 78);
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(words) && detail.contains(path.to_str().unwrap()), "{problem}");
        assert!(!ended.stderr.contains("hunter2"), "{}", ended.stderr);
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}

#[test]
fn a_link_stays_and_a_loose_mode_does_not() {
    let (folder, elsewhere) = (folder_with(&pat()), tempfile::tempdir().unwrap());
    let (path, real) = (folder.path().join("config"), elsewhere.path().join("profiles"));
    fs::write(&real, r#"{"version": "5", "profiles": {}}"#).unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o644)).unwrap();
    symlink(&real, &path).unwrap();
    let expected = json!({"version": "5", "profiles": {"default": profile("p")}, "currentProfile": "default"});
    // At last there is a link and no file.
    for _ in 0..2 {
        saved(&login(folder.path(), &["--file", "pat.json", "--project", "p"]).end(), "default");
        assert!(fs::symlink_metadata(&path).unwrap().is_symlink());
        assert_eq!(config(folder.path()), expected);
        assert_eq!(mode(&real), 0o600);
        fs::remove_file(&real).unwrap();
    }
}

#[test]
fn a_profile_that_was_written_is_used() {
    let data = tempfile::tempdir().unwrap();
    let platform = PlatformProcess::start(data.path());
    let profiles = tempfile::tempdir().unwrap();
    let pat = platform.pat().to_str().unwrap();
    saved(&login(profiles.path(), &["--file", pat, "--profile", "here"]).end(), "here");
    let sample = r#"{"payload": {"op": "add", "by": 2}}"#;
    let invoke = skill_runtime().arg("invoke").arg(&built().content_counter).arg(sample);
    let ended = { invoke }.env("CORTEX_CONFIG_DIR", profiles.path()).end();
    assert_eq!(ended.answer(), json!({"value": 2}));
    let url = platform.ready["url"].as_str().unwrap();
    assert_eq!(ended.logs()[0]["message"], format!("a sample message: acting in project local at {url}"));
}

/// The program at a terminal of its own, and everything that the terminal has shown.
/// Longest wait for something to be shown.
const PATIENCE: Duration = Duration::from_mins(1);

struct Terminal {
    script: Child,
    keyboard: ChildStdin,
    /// What is shown, as it comes; ends with the program.
    screen: Receiver<Vec<u8>>,
    shown: String,
}

impl Terminal {
    fn login(folder: &Path) -> Self {
        Self::run(folder, &format!("'{}' auth login --profile dev", built().runtime.display()))
    }

    fn run(folder: &Path, command: &str) -> Self {
        let script = Command::new("script")
            .args(["-qec", command, "/dev/null"])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", folder)
            .env("CORTEX_CONFIG_DIR", folder)
            .env("RUST_LOG", "trace")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        assert!(script.is_ok(), "this test needs the program `script` of the package bsdutils: {script:?}");
        let mut script = script.unwrap();
        let (keyboard, mut output) = (script.stdin.take().unwrap(), script.stdout.take().unwrap());
        let (sender, screen) = mpsc::channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                if sender.send(bytes[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self { script, keyboard, screen, shown: String::new() }
    }

    /// Waits for a text to be shown, and types.
    fn answer(&mut self, question: &str, keys: &str) {
        while !self.shown.ends_with(question) {
            assert!(self.look(), "no {question:?} in {}", self.shown);
        }
        self.keyboard.write_all(keys.as_bytes()).unwrap();
        self.keyboard.flush().unwrap();
    }

    /// Waits for something to be shown; gives `false` at the end of the program.
    fn look(&mut self) -> bool {
        let bytes = self.screen.recv_timeout(PATIENCE);
        assert_ne!(bytes, Err(RecvTimeoutError::Timeout), "nothing more came after {}", self.shown);
        self.shown.push_str(&String::from_utf8_lossy(bytes.as_deref().unwrap_or_default()));
        bytes.is_ok()
    }

    /// Everything that was shown, and the exit code.
    fn end(mut self) -> (String, Option<i32>) {
        while self.look() {}
        (std::mem::take(&mut self.shown), self.script.wait().unwrap().code())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It has ended, or the test has failed.
        let _ = self.script.kill();
        let _ = self.script.wait();
    }
}

#[test]
fn at_a_terminal_the_config_is_not_shown() {
    let mut long = pat();
    // More than a terminal takes as one line.
    long["more"] = "more".repeat(3000).into();
    for (text, more) in
        [(pat().to_string(), None), (format!("{:#}", pat()), None), (long.to_string(), long.get("more"))]
    {
        let folder = tempfile::tempdir().unwrap();
        let mut terminal = Terminal::login(folder.path());
        terminal.answer("Cortex URI: ", "https://api.dci.example.com\n");
        terminal.answer("Personal Access Config: ", &format!("{text}\n"));
        terminal.answer("Cortex Project name: ", "orders-dev\n");
        let (shown, code) = terminal.end();
        assert_eq!(code, Some(0), "{shown}");
        assert!(shown.contains("https://api.dci.example.com") && shown.contains("orders-dev"), "{shown}");
        for part in [KEY, "jwk", "cognitivescale.com", "{"] {
            assert!(!shown.contains(part), "{part} in {shown}");
        }
        let mut expected = profile("orders-dev");
        if let Some(more) = more {
            expected["more"] = more.clone();
        }
        assert_eq!(config(folder.path())["profiles"]["dev"], expected);
    }
}

#[test]
fn at_a_terminal_all_answers_may_be_pasted_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::login(folder.path());
    terminal.answer("Cortex URI: ", "\n");
    terminal.answer("Personal Access Config: ", &format!("{:#}\norders-dev\n", pat()));
    let (shown, code) = terminal.end();
    assert_eq!(code, Some(0), "{shown}");
    assert!(!shown.contains(KEY), "{shown}");
    assert_eq!(config(folder.path())["profiles"]["dev"], profile("orders-dev"));
}

#[test]
fn at_a_terminal_the_input_may_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::login(folder.path());
    terminal.answer("Cortex URI: ", "\n");
    terminal.answer("Personal Access Config: ", "\u{4}");
    let (shown, code) = terminal.end();
    assert_eq!(code, Some(77), "{shown}");
    assert!(shown.contains("no personal access config was given"), "{shown}");
}

#[test]
fn a_terminal_shows_again_what_is_typed_when_the_program_is_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let command = format!("trap : INT; '{}' auth login; echo exit $?; stty -a", built().runtime.display());
    let mut terminal = Terminal::run(folder.path(), &command);
    terminal.answer("Cortex URI: ", "\n");
    terminal.answer("Personal Access Config: ", "\u{3}");
    let (shown, _) = terminal.end();
    assert!(shown.contains("exit 130"), "{shown}");
    let modes: Vec<&str> = shown.split_whitespace().collect();
    assert!(modes.contains(&"echo") && modes.contains(&"icanon"), "{shown}");
}
