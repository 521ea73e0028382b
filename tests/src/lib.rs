//! What the whole-program tests share: the programs under test, and a way to run them.

#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test is told by a panic")]
#![expect(clippy::missing_panics_doc, reason = "everything here panics when a test has failed")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

pub mod daemon;
pub mod http;

/// The README's examples compile.
#[doc = include_str!("../../README.md")]
#[cfg(doctest)]
pub struct Readme;

/// Longest time that any program under test may take.
const PATIENCE: Duration = Duration::from_mins(5);

/// Variables that change what the programs do.
const VARIABLES: [&str; 7] =
    ["CORTEX_", "SKILL_", "KUBERNETES_", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_", "XDG_STATE_HOME"];

/// The programs and libraries under test. The libraries are copies: tests build the packages again, and one must not load a
/// file that another replaces.
pub struct Built {
    /// `skill-runtime`
    pub runtime: PathBuf,
    /// The library of the example `word-count`.
    pub word_count: PathBuf,
    /// The library of the example `content-counter`.
    pub content_counter: PathBuf,
    /// The library of the example `job-chain-generate`.
    pub job_chain_generate: PathBuf,
    /// The library of the example `job-chain-consume`.
    pub job_chain_consume: PathBuf,
    /// The library of the example `webhook`.
    pub webhook: PathBuf,
    /// The library of the example `guarded`.
    pub guarded: PathBuf,
    /// The library of the skills that misbehave.
    pub misbehaving: PathBuf,
    /// Holds the copies.
    _folder: TempDir,
}

/// The examples, each a package of that name and a folder of `examples`.
const EXAMPLES: [&str; 6] =
    ["word-count", "content-counter", "job-chain-generate", "job-chain-consume", "webhook", "guarded"];

/// Builds what is under test, once, in the profile of this test.
pub fn built() -> &'static Built {
    static BUILT: LazyLock<Built> = LazyLock::new(build);
    &BUILT
}

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate is in a folder of the repository")
}

fn build() -> Built {
    let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
    let output = std::process::Command::new(env!("CARGO"))
        .current_dir(root())
        .args(["build", "--quiet", "--message-format=json-render-diagnostics", "--profile", profile])
        .args(["-p", "skill-runtime", "-p", "misbehaving"])
        .args(EXAMPLES.iter().flat_map(|example| ["-p", example]))
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo can be run");
    assert!(output.status.success(), "the build failed");
    let artifacts: Vec<Value> =
        output.stdout.lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
    let find = |target: &str, extension: &str| {
        let files = artifacts.iter().filter(|artifact| artifact["target"]["name"] == target);
        let mut files = files.flat_map(|artifact| artifact["filenames"].as_array().cloned().unwrap_or_default());
        let file = files.find_map(|file| {
            let file = PathBuf::from(file.as_str()?);
            (file.extension().unwrap_or_default() == extension).then_some(file)
        });
        file.unwrap_or_else(|| panic!("{target} was built"))
    };
    let folder = tempfile::tempdir().unwrap();
    let library = |target: &str| {
        let file = find(target, std::env::consts::DLL_EXTENSION);
        let copy = folder.path().join(file.file_name().unwrap());
        std::fs::copy(&file, &copy).unwrap();
        copy
    };
    let built = Built {
        runtime: find("skill-runtime", ""),
        word_count: library("word_count"),
        content_counter: library("content_counter"),
        job_chain_generate: library("job_chain_generate"),
        job_chain_consume: library("job_chain_consume"),
        webhook: library("webhook"),
        guarded: library("guarded"),
        misbehaving: library("misbehaving"),
        _folder: folder,
    };
    // Alone, a package may be built with fewer features of its dependencies. Once that is done, no test replaces its library.
    for example in EXAMPLES {
        let run = program(&built.runtime).args(["describe", &format!("examples/{example}")]).current_dir(root()).end();
        assert_eq!(run.code, Some(0), "{}", run.stderr);
    }
    built
}

/// A run of a program with a home of its own, and none of the variables that would change what it does.
pub struct Run {
    command: Command,
    home: TempDir,
}

/// What a program has done.
pub struct Ended {
    /// Everything on stdout.
    pub stdout: String,
    /// Everything on stderr.
    pub stderr: String,
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
}

/// A run of `skill-runtime`.
pub fn skill_runtime() -> Run {
    program(&built().runtime)
}

/// A run of any program.
pub fn program(path: &Path) -> Run {
    let mut command = Command::new(path);
    let home = tempfile::tempdir().unwrap();
    clean(|name| {
        command.env_remove(name);
    });
    command.env("HOME", home.path()).timeout(PATIENCE);
    // Cargo and rustup live in the real home.
    for (name, folder) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
        if let (None, Some(real)) = (std::env::var_os(name), std::env::var_os("HOME")) {
            command.env(name, Path::new(&real).join(folder));
        }
    }
    Run { command, home }
}

fn clean(mut remove: impl FnMut(&str)) {
    for (name, _) in std::env::vars() {
        if VARIABLES.iter().any(|prefix| name.starts_with(prefix)) || name == "RUST_LOG" {
            remove(&name);
        }
    }
}

impl Run {
    /// Adds arguments.
    pub fn args<A: AsRef<std::ffi::OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.command.args(args);
        self
    }

    /// Adds an argument.
    pub fn arg(self, arg: impl AsRef<std::ffi::OsStr>) -> Self {
        self.args([arg])
    }

    /// Sets a variable.
    pub fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Sets the working folder.
    pub fn current_dir(mut self, path: &Path) -> Self {
        self.command.current_dir(path);
        self
    }

    /// Writes to standard input.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.command.write_stdin(bytes);
        self
    }

    /// The home folder of the run.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Runs to the end.
    pub fn end(&mut self) -> Ended {
        let output = self.command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).expect("the program writes UTF-8");
        Ended { stdout: text(output.stdout), stderr: text(output.stderr), code: output.status.code() }
    }
}

impl Ended {
    /// The answer on stdout, of a program that did well.
    pub fn answer(&self) -> Value {
        assert_eq!(self.code, Some(0), "stderr: {}", self.stderr);
        let line = self.stdout.strip_suffix('\n').expect("a line");
        assert!(!line.contains('\n'), "more than one line: {line}");
        serde_json::from_str(line).unwrap()
    }

    /// The problem on stderr, of a program that failed: its last line, of the code that is expected, with that code's
    /// exit code and nothing on stdout.
    pub fn problem(&self, code: &str) -> Value {
        let row: skill_sdk::Code = code.parse().unwrap();
        let problem = self.problem_with_exit(code, i32::from(row.exit_code()));
        assert_eq!(problem["status"], row.http_status());
        problem
    }

    /// As [`problem`](Self::problem), with another exit code.
    pub fn problem_with_exit(&self, code: &str, exit_code: i32) -> Value {
        assert_eq!(self.stdout, "", "stderr: {}", self.stderr);
        let last = self.stderr.trim_end().lines().last().unwrap_or_default();
        let problem: Value = serde_json::from_str(last).unwrap_or_else(|_| panic!("no problem in: {}", self.stderr));
        assert_eq!(problem["code"], code, "stderr: {}", self.stderr);
        assert_eq!(self.code, Some(exit_code), "stderr: {}", self.stderr);
        problem
    }

    /// The log lines on stderr: those that are JSON and no problem.
    pub fn logs(&self) -> Vec<Value> {
        let lines = self.stderr.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line.get("level").is_some()).collect()
    }
}

/// A program that runs until it is told to stop.
pub struct Running {
    child: Child,
    _home: TempDir,
}

/// Starts `skill-runtime` with arguments, its standard streams piped.
pub fn start(args: &[&str]) -> Running {
    start_in(None, &[], args)
}

/// Starts it in a folder, with variables.
fn start_in(folder: Option<&Path>, variables: &[(&str, &str)], args: &[&str]) -> Running {
    let home = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new(&built().runtime);
    clean(|name| {
        command.env_remove(name);
    });
    if let Some(folder) = folder {
        command.current_dir(folder);
    }
    let child = command
        .env("HOME", home.path())
        .envs(variables.iter().copied())
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    Running { child, _home: home }
}

impl Running {
    /// Its standard input.
    pub fn stdin(&mut self) -> ChildStdin {
        self.child.stdin.take().unwrap()
    }

    /// Its standard output.
    pub fn stdout(&mut self) -> BufReader<ChildStdout> {
        BufReader::new(self.child.stdout.take().unwrap())
    }

    /// Reads stderr until a line holds the text, and gives the rest back when the program ends.
    pub fn wait_for(&mut self, text: &str) -> impl BufRead + use<> {
        let mut stderr = BufReader::new(self.child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains(text) {
            line.clear();
            assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "the program ended without {text:?}");
        }
        stderr
    }

    /// Sends a signal, such as `TERM`.
    pub fn signal(&self, name: &str) {
        signal(&self.child, name);
    }

    /// Waits for the end and gives the exit code.
    pub fn end(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

fn signal(child: &Child, name: &str) {
    let kill = format!("kill -{name} {}", child.id());
    assert!(std::process::Command::new("sh").args(["-c", &kill]).status().unwrap().success());
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended, or the test has failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `skill-runtime platform`, as a process of its own.
pub struct PlatformProcess {
    running: Option<Running>,
    /// What it wrote when it was ready.
    pub ready: Value,
}

impl PlatformProcess {
    /// Starts one on the data.
    pub fn start(data: &Path) -> Self {
        Self::start_with(&["--data", data.to_str().unwrap()])
    }

    /// Starts one with these arguments.
    pub fn start_with(args: &[&str]) -> Self {
        Self::ready(start(&[&["platform"], args].concat()))
    }

    /// Starts one with these arguments, in a folder and with variables.
    pub fn start_in(folder: &Path, variables: &[(&str, &str)], args: &[&str]) -> Self {
        Self::ready(start_in(Some(folder), variables, &[&["platform"], args].concat()))
    }

    fn ready(mut running: Running) -> Self {
        let mut line = String::new();
        running.stdout().read_line(&mut line).unwrap();
        let ready = serde_json::from_str(&line).unwrap_or_else(|_| panic!("not ready: {line}"));
        Self { running: Some(running), ready }
    }

    /// Its personal access config.
    pub fn pat(&self) -> &Path {
        Path::new(self.ready["pat"].as_str().unwrap())
    }

    /// Kills it, as a crash of the machine would.
    pub fn kill(mut self) {
        let running = self.running.take().unwrap();
        running.signal("KILL");
        running.end();
    }

    /// Tells it to stop, and gives its exit code.
    pub fn stop(mut self) -> Option<i32> {
        let running = self.running.take().unwrap();
        running.signal("TERM");
        running.end()
    }
}
