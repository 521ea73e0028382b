//! What happens when a transfer fails: no half of a file is left, and what was there stays.

use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc;

use super::{names, printed, refused};
use crate::server::{command, serve, shell, token};
use whole_program_tests::skill_runtime;

#[test]
fn a_download_that_breaks_off_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let url = serve(|mut request| request.answer("200 OK\r\ncontent-length: 10000000", &vec![b'x'; 100_000]));
    for file in ["new", "old"] {
        fs::write(folder.path().join("old"), "before").unwrap();
        let ended = command("content", &url, &token()).args(["get", "k", file]).current_dir(folder.path()).end();
        let problem = ended.problem("platform_unavailable");
        assert!(problem["detail"].as_str().unwrap().contains("the answer broke off"), "{problem}");
        assert_eq!(names(folder.path()), ["old"]);
        assert_eq!(fs::read_to_string(folder.path().join("old")).unwrap(), "before");
    }
}

#[test]
fn what_is_not_there_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let url = serve(|mut request| request.answer("404 Not Found", br#"{"message": "no such thing"}"#));
    for args in [&["get", "k", "file"][..], &["get", "k"], &["rm", "k"]] {
        let ended = command("content", &url, &token()).args(args).current_dir(folder.path()).end();
        refused(&ended, 1, "no such thing");
    }
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn refusals_have_the_exit_codes_of_the_table_and_show_no_token() {
    let token = token();
    for (status, code) in [("401 Unauthorized", "token_invalid"), ("503 Down", "platform_unavailable")] {
        let echo = format!(r#"{{"message": "not with {token}"}}"#);
        let head = format!("{status}\r\nretry-after: 0\r\ncontent-length: {}", echo.len());
        let url = serve(move |mut request| {
            request.discard();
            request.answer(&head, echo.as_bytes());
        });
        for args in [&["get", "k"][..], &["put", "/etc/hostname", "k"], &["list"], &["rm", "k"]] {
            let ended = command("content", &url, &token).args(args).env("RUST_LOG", "trace").end();
            ended.problem(code);
            assert!(!ended.stderr.contains(&token) && !ended.stderr.contains("eyJ"), "{}", ended.stderr);
        }
    }
}

#[test]
fn files_that_cannot_be_read_or_written_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let url = serve(|mut request| {
        request.discard();
        request.answer("200 OK\r\ncontent-length: 2", b"{}");
    });
    let run = |args: &[&str]| command("content", &url, &token()).args(args).current_dir(folder.path()).end();
    refused(&run(&["put", "none"]), 66, "cannot read none");
    refused(&run(&["put", "-r", "none/"]), 66, "cannot read none/");
    refused(&run(&["get", "k", "none/file"]), 1, "cannot write none/file");
    refused(&run(&["get", "k", "/dev/full"]), 1, "cannot write /dev/full");
    refused(&run(&["get", "k/", "."]), 1, "does not end in a name");
    fs::create_dir_all(folder.path().join("into/k")).unwrap();
    refused(&run(&["get", "k", "into"]), 1, "cannot write into/k");
    // A folder as standard input.
    let output = shell("\"$PROGRAM\" content put - k < .", &url, folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(66), "{output:?}");
    assert_eq!(names(folder.path()), ["into"]);
}

#[test]
fn command_lines_that_make_no_sense_are_refused() {
    let jwt = token();
    for args in [
        &["put"][..],
        &["put", "-"],
        &["get"],
        &["rm"],
        &["list", "--limit", "0"],
        &["list", "--format", "xml"],
        &["get", "k", "--timeout", "0s"],
        &["fetch"],
        &["list", "a", &jwt],
    ] {
        let ended = skill_runtime().arg("content").args(args).end();
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(64), ""), "{args:?}: {}", ended.stderr);
        assert!(!ended.stderr.contains(&jwt), "{}", ended.stderr);
    }
}

#[test]
fn of_a_folder_that_fails_the_keys_are_told_that_were_stored() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a", "b"] {
        fs::write(folder.path().join(name), name).unwrap();
    }
    // The second is refused when the first has been answered.
    let (stored, first_is_stored) = mpsc::channel();
    let (stored, first_is_stored) = (Mutex::new(stored), Mutex::new(first_is_stored));
    let url = serve(move |mut request| {
        request.discard();
        if request.line.ends_with("/x/a") {
            request.answer("200 OK\r\ncontent-length: 2", b"{}");
            // Whoever has read the answer closes the connection.
            assert_eq!(request.input().read(&mut [0]).unwrap(), 0);
            stored.lock().unwrap().send(()).unwrap();
        } else {
            first_is_stored.lock().unwrap().recv().unwrap();
            request.answer("403 Forbidden", br#"{"message": "not yours"}"#);
        }
    });
    let ended = command("content", &url, &token()).args(["put", "-r", ".", "x"]).current_dir(folder.path()).end();
    assert!(ended.stderr.contains("cannot upload `x/b`: the platform answered 403: not yours"), "{}", ended.stderr);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), "x/a\n"), "{}", ended.stderr);
}

#[test]
fn what_is_under_way_is_stored_when_something_else_fails() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..9 {
        fs::write(folder.path().join(number.to_string()), "x").unwrap();
    }
    // The first is refused while three others are under way, which are answered after that.
    let (refused, first_is_refused) = mpsc::channel();
    let (refused, first_is_refused) = (Mutex::new(refused), Mutex::new(first_is_refused));
    let url = serve(move |mut request| {
        request.discard();
        if request.line.ends_with("/x/0") {
            request.answer("413 Too Large\r\ncontent-length: 0", b"");
            assert_eq!(request.input().read(&mut [0]).unwrap(), 0);
            for _ in 0..3 {
                refused.lock().unwrap().send(()).unwrap();
            }
        } else {
            first_is_refused.lock().unwrap().recv().unwrap();
            request.answer("200 OK\r\ncontent-length: 2", b"{}");
        }
    });
    let ended = command("content", &url, &token()).args(["put", "-r", ".", "x"]).current_dir(folder.path()).end();
    let mut stored: Vec<_> = ended.stdout.lines().collect();
    stored.sort_unstable();
    assert_eq!((ended.code, stored), (Some(1), vec!["x/1", "x/2", "x/3"]), "{}", ended.stderr);
}

#[test]
fn of_several_keys_that_cannot_be_deleted_all_are_tried_unless_nobody_answers() {
    let (asked, requests) = mpsc::channel();
    let asked = Mutex::new(asked);
    let url = serve(move |mut request| {
        asked.lock().unwrap().send(request.line.clone()).unwrap();
        let is_absent = request.line.ends_with("/a");
        request.answer(if is_absent { "404 Not Found" } else { "401 Unauthorized" }, b"");
    });
    let ended = command("content", &url, &token()).args(["rm", "a", "b", "c"]).end();
    assert_eq!((ended.code, ended.stderr.lines().count()), (Some(1), 2), "{}", ended.stderr);
    let asked: Vec<String> = requests.try_iter().collect();
    assert!(asked.len() == 2 && asked[1].ends_with("/b"), "{asked:?}");
}

#[test]
fn a_folder_is_looked_through_before_anything_is_sent() {
    let (folder, url) = (tempfile::tempdir().unwrap(), serve(|_| panic!("nothing is to be sent")));
    fs::write(folder.path().join("a"), "x").unwrap();
    fs::write(folder.path().join("b\nc"), "x").unwrap();
    let ended = command("content", &url, &token()).args(["put", "-r", "."]).current_dir(folder.path()).end();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(64), ""), "{}", ended.stderr);
    for args in [&["put", "a", "../x"][..], &["put", "a", ""], &["put", "a", "k", "--content-type", "bad type"]] {
        let ended = command("content", &url, &token()).args(args).current_dir(folder.path()).end();
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(64), ""), "{args:?} {}", ended.stderr);
    }
}

#[test]
fn a_command_that_is_told_to_stop_leaves_nothing() {
    for (signal, exit_code) in [("TERM", 143), ("INT", 130)] {
        let folder = tempfile::tempdir().unwrap();
        let (begun, is_begun) = mpsc::channel();
        let begun = Mutex::new(begun);
        let url = serve(move |mut request| {
            request.answer("200 OK\r\ncontent-length: 10000000", b"beginning");
            begun.lock().unwrap().send(()).unwrap();
            // Until the program is gone.
            let _ = request.input().read(&mut [0]);
        });
        let mut command = shell("exec \"$PROGRAM\" content get k file", &url, folder.path());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        is_begun.recv().unwrap();
        // It may not yet have begun to write.
        while names(folder.path()).is_empty() {
            assert_eq!(child.try_wait().unwrap(), None);
            std::thread::yield_now();
        }
        let kill = format!("kill -{signal} {}", child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert!(stderr.contains(r#""code":"shutting_down""#), "{stderr}");
        assert_eq!(child.wait().unwrap().code(), Some(exit_code));
        assert_eq!(names(folder.path()), [""; 0]);
    }
}

#[test]
fn an_upload_waits_for_no_input_when_it_is_told_to_stop() {
    let (begun, is_begun) = mpsc::channel();
    let begun = Mutex::new(begun);
    let url = serve(move |mut request| {
        begun.lock().unwrap().send(()).unwrap();
        let _ = request.input().read(&mut [0]);
    });
    let folder = tempfile::tempdir().unwrap();
    let mut command = shell("exec \"$PROGRAM\" content put - k", &url, folder.path());
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    is_begun.recv().unwrap();
    assert!(Command::new("sh").args(["-c", &format!("kill {}", child.id())]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(143));
}

#[test]
fn what_has_no_length_is_sent_in_chunks() {
    // A reader has no length that could be told.
    let url = serve(|mut request| {
        let mut chunks = [0; 15];
        request.input().read_exact(&mut chunks).unwrap();
        assert_eq!(&chunks, b"5\r\nhello\r\n0\r\n\r\n");
        request.answer("200 OK\r\ncontent-length: 2", b"{}");
    });
    assert_eq!(printed(command("content", &url, &token()).args(["put", "-", "k"]).stdin("hello")), "k\n");
}
