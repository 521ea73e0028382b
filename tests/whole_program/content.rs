//! `skill-runtime content`: from and to files, over the embedded platform.

mod failures;
mod memory;
mod progress;

use std::fs;
use std::io::Read;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc;

use super::server;
use serde_json::{Value, json};
use tempfile::TempDir;
use whole_program_tests::{Ended, PlatformProcess, Run, skill_runtime};

/// Bytes that are no text.
const BYTES: [u8; 6] = [0, 0xff, b'\n', b'\r', 0xc3, 0];

/// `skill-runtime content` on the data in a folder, in which files are named.
fn content(folder: &Path, args: &[&str]) -> Run {
    let data = folder.join(".data");
    skill_runtime().arg("content").args(args).env("SKILL_DATA", data).current_dir(folder)
}

/// What a command prints that did well.
fn printed(mut run: Run) -> String {
    let ended = run.end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    ended.stdout
}

fn keys(folder: &Path, prefix: &str) -> Vec<String> {
    let list: Value = serde_json::from_str(&printed(content(folder, &["list", prefix, "--format", "json"]))).unwrap();
    list.as_array().unwrap().iter().map(|entry| entry["Key"].as_str().unwrap().to_owned()).collect()
}

/// The problem of a command that failed, whose detail holds the words.
fn refused(ended: &Ended, exit_code: i32, words: &str) {
    let problem = ended.problem_with_exit("skill_failed", exit_code);
    assert!(problem["detail"].as_str().unwrap().contains(words), "{words}: {problem}");
}

/// The names in a folder, but for the data.
fn names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name != ".data").collect();
    names.sort_unstable();
    names
}

#[test]
fn files_come_back_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(path.join("bytes"), BYTES).unwrap();
    fs::write(path.join("empty"), "").unwrap();
    fs::write(path.join("100% ü.txt"), "text").unwrap();

    for (file, key, stored) in [
        ("bytes", None, "bytes"),
        ("bytes", Some("a/b c/%2e%2e/100%/日本/..."), "a/b c/%2e%2e/100%/日本/..."),
        ("bytes", Some("/a//b"), "a//b"),
        ("empty", Some("folder/"), "folder/empty"),
        ("100% ü.txt", None, "100% ü.txt"),
        ("100% ü.txt", Some("x/"), "x/100% ü.txt"),
    ] {
        let args: Vec<_> = ["put", file].into_iter().chain(key).collect();
        assert_eq!(printed(content(path, &args)), format!("{stored}\n"));
        assert_eq!(printed(content(path, &["get", stored, "out"])), "");
        assert_eq!(fs::read(path.join("out")).unwrap(), fs::read(path.join(file)).unwrap(), "{stored}");
    }
    let mut all = keys(path, "");
    all.sort_unstable();
    let stored = ["100% ü.txt", "a//b", "a/b c/%2e%2e/100%/日本/...", "bytes", "folder/empty", "x/100% ü.txt"];
    assert_eq!(all, stored);
    assert_eq!(names(path), ["100% ü.txt", "bytes", "empty", "out"]);

    // A new file has the rights that any has, and one that was there keeps its own.
    let mode = |name: &str| path.join(name).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("out"), mode("bytes"));
    fs::set_permissions(path.join("out"), fs::Permissions::from_mode(0o600)).unwrap();
    symlink("out", path.join("link")).unwrap();
    fs::write(path.join("out"), "before").unwrap();
    printed(content(path, &["get", "x/100% ü.txt", "link"]));
    assert_eq!((fs::read_to_string(path.join("out")).unwrap().as_str(), mode("out")), ("text", 0o600));
    assert!(path.join("link").is_symlink());

    fs::create_dir(path.join("into")).unwrap();
    printed(content(path, &["get", "x/100% ü.txt", "into"]));
    assert_eq!(fs::read_to_string(path.join("into/100% ü.txt")).unwrap(), "text");
    printed(content(path, &["get", "bytes", "/dev/null"]));
}

#[test]
fn standard_streams_take_and_give_content() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let text = "line\n".repeat(100_000);
    assert_eq!(printed(content(path, &["put", "-", "a"]).stdin(text.clone())), "a\n");
    assert_eq!(printed(content(path, &["put", "/dev/stdin", "b/stdin"]).stdin("piped")), "b/stdin\n");
    assert_eq!(printed(content(path, &["put", "-", "nothing"]).stdin("")), "nothing\n");
    assert!(printed(content(path, &["get", "a"])) == text);
    assert!(printed(content(path, &["get", "a", "-"])) == text);
    assert_eq!(printed(content(path, &["get", "b/stdin", "/dev/stdout"])), "piped");
    assert_eq!(printed(content(path, &["get", "nothing"])), "");
    for key in [&[][..], &[""], &["/"], &["folder/"]] {
        let ended = content(path, &["put", "-"]).args(key).stdin("x").end();
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(64), ""), "{}", ended.stderr);
    }

    // A pipe that has a name.
    let pipe = path.join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let writer = std::thread::spawn(move || fs::write(pipe, "through a pipe").unwrap());
    // That is no name of what comes through it.
    for key in [&[][..], &["folder/"]] {
        refused(&content(path, &["put", "pipe"]).args(key).end(), 64, "give the whole key");
    }
    assert_eq!(printed(content(path, &["put", "pipe", "pipe"])), "pipe\n");
    writer.join().unwrap();
    assert_eq!(printed(content(path, &["get", "pipe"])), "through a pipe");
}

#[test]
fn what_has_come_is_written_without_waiting_for_more() {
    let folder = tempfile::tempdir().unwrap();
    let (go_on, going_on) = mpsc::channel();
    let going_on = Mutex::new(going_on);
    let url = server::serve(move |mut request| {
        request.answer("200 OK\r\ncontent-length: 12", b"");
        for word in [b"one\n", b"two\n", b"end\n"] {
            going_on.lock().unwrap().recv().unwrap();
            request.write(word);
        }
    });
    let mut command = server::shell("exec \"$PROGRAM\" content get k", &url, folder.path());
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    for word in [b"one\n", b"two\n", b"end\n"] {
        go_on.send(()).unwrap();
        let mut read = [0; 4];
        stdout.read_exact(&mut read).unwrap();
        assert_eq!(&read, word);
    }
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_reader_that_has_had_enough_ends_a_download_quietly() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    printed(content(path, &["put", "-", "a", "--project", "p"]).stdin(vec![b'x'; 1 << 20]));
    let shell =
        |command: &str| server::shell(command, "", path).env("SKILL_DATA", path.join(".data")).output().unwrap();
    let output = shell("{ \"$PROGRAM\" content get a; echo $? >&2; } | head -c 3");
    assert_eq!(output.stdout, b"xxx");
    let stderr = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<_> = stderr.lines().filter(|line| !line.contains("the embedded platform")).collect();
    assert_eq!(lines, ["141"]);
    // It is different when what is written is lost.
    assert_eq!(shell("\"$PROGRAM\" content get a > /dev/full").status.code(), Some(70));
}

fn tree() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("tree");
    for name in ["a", "b/c 1", "b/ü/100%", "b/empty/.hidden", ".git/config", "z", "y/1", "y/2", "y/3", "y/4"] {
        let path = tree.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, name).unwrap();
    }
    symlink("a", tree.join("link")).unwrap();
    symlink("..", tree.join("b/up")).unwrap();
    assert!(Command::new("mkfifo").arg(tree.join("pipe")).status().unwrap().success());
    folder
}

#[test]
fn a_folder_is_stored_with_everything_below_it() {
    let folder = tree();
    let path = folder.path();
    let below = ["a", "b/c 1", "b/ü/100%", "link", "y/1", "y/2", "y/3", "y/4", "z"];
    for (key, prefix) in [(None, ""), (Some("k"), "k/"), (Some("/to/k/"), "to/k/")] {
        let args: Vec<_> = ["put", "-r", "tree"].into_iter().chain(key).collect();
        let expected = below.map(|name| format!("{prefix}{name}"));
        let stored = printed(content(path, &args));
        // In the order in which they were stored.
        let mut stored: Vec<_> = stored.lines().collect();
        stored.sort_unstable();
        assert_eq!(stored, expected);
    }
    assert_eq!(keys(path, "to/k/").len(), below.len());
    assert_eq!(printed(content(path, &["get", "to/k/b/ü/100%"])), "b/ü/100%");
    assert_eq!(printed(content(path, &["get", "link"])), "a");
    assert_eq!(keys(path, "").len(), 3 * below.len());

    // A file is one file.
    let run = content(path, &["put", "tree/a", "one"]).env("SKILL_RECURSIVE", "1");
    assert_eq!(printed(run), "one\n");
    assert_eq!(printed(content(&path.join("tree"), &["put", "-r", "b/empty"])), "");
    refused(&content(path, &["put", "tree"]).end(), 64, "--recursive");
}

#[test]
fn lists_are_tables_or_json() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(path.join("file"), "12345").unwrap();
    assert_eq!(printed(content(path, &["list"])), "SIZE  MODIFIED  TYPE  KEY\n");
    assert_eq!(printed(content(path, &["list", "--format", "json"])), "[]\n");
    for key in ["b/1", "a b/ü", "b/2", "b/3"] {
        printed(content(path, &["put", "file", key, "--content-type", "text/plain"]));
    }
    let table = printed(content(path, &["list"]));
    let rows: Vec<_> = table.lines().collect();
    assert_eq!(rows.len(), 5, "{table}");
    assert!(rows[1].starts_with("   5  20") && rows[1].ends_with("Z  text/plain  a b/ü"), "{table}");
    assert_eq!(keys(path, "b/"), ["b/1", "b/2", "b/3"]);
    let page = content(path, &["list", "b/", "--limit", "1", "--skip", "1"]).env("SKILL_LIST_FORMAT", "json");
    let page: Value = serde_json::from_str(&printed(page)).unwrap();
    let time = page[0]["LastModified"].as_str().unwrap();
    assert!(time.parse::<jiff::Timestamp>().is_ok(), "{time}");
    let expected = json!([{"Key": "b/2", "Size": 5, "LastModified": time, "ContentType": "text/plain"}]);
    assert_eq!(page, expected);
}

#[test]
fn what_is_deleted_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(path.join("file"), "12345").unwrap();
    for key in ["a", "b c/%", "d"] {
        printed(content(path, &["put", "file", key]));
    }
    assert_eq!(printed(content(path, &["rm", "b c/%"])), "");
    assert_eq!(keys(path, ""), ["a", "d"]);
    // The others are deleted nevertheless.
    let ended = content(path, &["rm", "a", "none", "..", "d"]).end();
    refused(&ended, 1, "\"..\" cannot be the key");
    assert!(ended.stderr.contains("none not found"), "{}", ended.stderr);
    assert_eq!(keys(path, ""), [""; 0]);
}

#[test]
fn a_platform_is_named_as_for_a_sample_message() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let platform = PlatformProcess::start(&path.join(".data"));
    fs::write(path.join("file"), "12345").unwrap();
    // The platform that runs on the data, and the same by its config.
    assert_eq!(printed(content(path, &["put", "file", "a"])), "a\n");
    let of_config = || skill_runtime().arg("content").env("SKILL_PERSONAL_ACCESS_CONFIG", platform.pat());
    assert_eq!(printed(of_config().args(["get", "a"])), "12345");
    assert_eq!(printed(of_config().args(["get", "a", "file"]).current_dir(path)), "");
    assert_eq!(printed(of_config().args(["put", "file", "b"]).current_dir(path)), "b\n");
    for (option, value) in [("--project", ".."), ("--api-endpoint", "127.0.0.1:1")] {
        assert_eq!(of_config().args(["list", option, value]).end().code, Some(78), "{option}");
    }
    let ended = of_config().args(["get", "a", "--project", "another"]).end();
    refused(&ended, 1, "cannot download `a`: the platform answered 404");
    assert!(!ended.stderr.contains("embedded"), "nothing is said of another platform: {}", ended.stderr);
}
