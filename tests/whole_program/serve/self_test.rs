//! `--self-test`: the daemon is ready when its skills have answered their sample messages.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;
use whole_program_tests::daemon::{Counts, Daemon, Serve};
use whole_program_tests::{built, root};

use super::{Gate, linked, says};

/// A folder with a library and a sample message beside it.
struct Place {
    folder: TempDir,
    library: PathBuf,
}

impl Place {
    fn of(library: &Path, message: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join(library.file_name().unwrap());
        fs::copy(library, &copy).unwrap();
        fs::write(folder.path().join("message.json"), message).unwrap();
        Self { folder, library: copy }
    }

    /// Of one of the skills that misbehave.
    fn misbehaving(skill: &str, payload: &Value) -> Self {
        Self::of(&built().misbehaving, &json!({"skillName": skill, "payload": payload}).to_string())
    }

    /// Of an example, with its own sample.
    fn example(library: &Path, name: &str) -> Self {
        Self::of(library, &fs::read_to_string(root().join("examples").join(name).join("message.json")).unwrap())
    }
}

fn serve(places: &[&Place]) -> Serve {
    let libraries: Vec<&Path> = places.iter().map(|place| place.library.as_path()).collect();
    Serve::libraries(&libraries).arg("--self-test")
}

/// Why the daemon will not be ready.
fn failure(daemon: &Daemon) -> String {
    let logged = daemon.wait_for(says("the self-test failed: the host will not be ready"));
    let answer = daemon.get_until("/readyz", |answer| answer.text().contains("the self-test failed"));
    assert_eq!(answer.status, 503);
    let reason = answer.json()["reasons"][0].as_str().unwrap().to_owned();
    assert!(reason.contains(logged["error"].as_str().unwrap()), "{reason} beside {logged}");
    reason
}

#[test]
fn a_daemon_whose_skills_answer_is_ready() {
    let word_count = Place::example(&built().word_count, "word-count");
    let echo = Place::misbehaving("echo", &json!(1));
    let daemon = serve(&[&word_count, &echo]).start();
    daemon.get_until("/readyz", |answer| answer.status == 200);
    daemon.assert_well();
    // The test is no invocation of anybody's.
    assert_eq!(daemon.stop().counts(), Counts { accepted: 1, finished: 1, failed: 0, cancelled: 0 });
}

#[test]
fn a_skill_that_needs_a_client_has_one() {
    let place = Place::example(&built().content_counter, "content-counter");
    let daemon = serve(&[&place]).start();
    daemon.get_until("/readyz", |answer| answer.status == 200);
}

#[test]
fn a_daemon_of_which_one_skill_fails_is_not_ready() {
    let word_count = Place::example(&built().word_count, "word-count");
    let fails = Place::misbehaving("fails", &json!(1));
    for places in [[&word_count, &fails], [&fails, &word_count]] {
        let daemon = serve(&places).start();
        let reason = failure(&daemon);
        assert!(reason.contains("`fails`") && reason.contains("cannot save the order"), "{reason}");
        // It lives, and takes nothing.
        assert_eq!(daemon.get("/healthz").status, 200);
        daemon.invoke("echo", &json!(1)).problem("overloaded");
        let stopped = daemon.stop();
        assert_eq!(stopped.code, Some(0));
        assert_eq!(stopped.counts().accepted, 0);
    }
}

#[test]
fn a_skill_that_does_not_come_to_an_end_has_failed() {
    let place = Place::misbehaving("hangs", &json!(1));
    let daemon = serve(&[&place]).args(["--timeout", "100ms"]).start();
    let reason = failure(&daemon);
    assert!(reason.contains("`hangs`") && reason.contains("timeout"), "{reason}");
    let place = Place::misbehaving("panics", &json!(1));
    let daemon = serve(&[&place]).start();
    let reason = failure(&daemon);
    assert!(reason.contains("`panics`") && reason.contains("what a mess"), "{reason}");
}

#[test]
fn a_daemon_is_not_ready_before() {
    let gate = Gate::new();
    let place = Place::misbehaving("waits", &gate.path());
    let daemon = serve(&[&place]).start();
    daemon.wait_for(says("waiting"));
    let unready = daemon.get("/readyz");
    assert_eq!((unready.status, &unready.json()["reasons"][0]), (503, &json!("the self-test is not over")));
    assert_eq!(daemon.get("/healthz").status, 200);
    daemon.invoke("echo", &json!(1)).problem("overloaded");
    gate.open();
    daemon.get_until("/readyz", |answer| answer.status == 200);
    daemon.assert_well();
}

#[test]
fn a_test_that_runs_keeps_nobody_who_stops() {
    let place = Place::misbehaving("hangs", &json!(1));
    let daemon = serve(&[&place]).start();
    daemon.wait_for(says("hanging"));
    let stopped = daemon.stop();
    assert_eq!((stopped.code, stopped.counts().accepted), (Some(0), 0));
}

#[test]
fn a_sample_that_is_not_there_or_no_message_is_named() {
    let absent = Place::misbehaving("echo", &json!(1));
    fs::remove_file(absent.folder.path().join("message.json")).unwrap();
    let reason = failure(&serve(&[&absent]).start());
    assert!(reason.contains("message.json"), "{reason}");
    let broken = Place::of(&built().misbehaving, "{");
    let reason = failure(&serve(&[&broken]).start());
    assert!(reason.contains("message.json") && reason.contains("invalid_message"), "{reason}");
}

#[test]
fn nothing_is_tested_unless_asked_for() {
    let daemon = linked().start();
    assert_eq!(daemon.get("/readyz").status, 200);
}
