//! Clients that take their time, or never come to an end.

use std::time::Duration;

use serde_json::json;
use whole_program_tests::daemon::{Daemon, invocation};
use whole_program_tests::http::Connection;

use super::{library, linked};

/// How long a client that trickles waits between two bytes: no wait of the daemon for a next byte ends for it.
const PAUSE: Duration = Duration::from_millis(10);

/// Writes bytes one by one, and the last again and again, until the other side has gone.
fn trickle(connection: &mut Connection, bytes: &[u8]) {
    let last = bytes.last().copied().into_iter();
    for byte in bytes.iter().copied().chain(std::iter::repeat_with(|| last.clone()).flatten()).take(3_000) {
        if !connection.write([byte]) {
            return;
        }
        std::thread::sleep(PAUSE);
    }
    panic!("the connection is still open");
}

fn in_time(connection: &mut Connection) {
    if let Some(answer) = connection.next_answer() {
        assert!(matches!(answer.status, 400 | 408), "{}", answer.text());
    }
    connection.closed();
}

#[test]
fn one_that_says_nothing() {
    let patience = ["--header-timeout", "100ms", "--idle-timeout", "100ms", "--write-timeout", "100ms"];
    let daemon = library().args(patience).start();
    let mut silent = daemon.connect();
    let mut half = daemon.connect();
    half.write("POST /invoke HTTP/1.1\r\nHost: te");
    let mut both_halves = daemon.connect();
    both_halves.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    in_time(&mut silent);
    in_time(&mut half);
    let mut frames = Vec::new();
    both_halves.read_to_end(&mut frames);
    daemon.assert_well();
}

#[test]
fn one_that_is_idle_between_requests() {
    let daemon = linked().args(["--idle-timeout", "100ms"]).start();
    let mut connection = daemon.connect();
    assert_eq!(connection.send(invocation("echo", &json!(1))).payload(), 1);
    in_time(&mut connection);
    daemon.assert_well();
}

#[test]
fn a_head_that_trickles() {
    let daemon = linked().args(["--header-timeout", "200ms"]).start();
    trickle(&mut daemon.connect(), b"POST /skills/echo/invoke HTTP/1.1\r\nX-Slow: xxxxx");
    // The first bytes are those of a path that is answered apart.
    trickle(&mut daemon.connect(), b"GET /healthz HTTP/1.1\r\nX-Slow: xxxxx");
    daemon.assert_well();
}

#[test]
fn a_body_that_trickles() {
    let daemon = library().args(["--body-timeout", "200ms"]).start();
    let head = "POST /skills/echo/invoke HTTP/1.1\r\nHost: test\r\n";
    let mut declared = daemon.connect();
    declared.write(format!("{head}Content-Length: 100000\r\n\r\n{{\"payload\": \""));
    trickle(&mut declared, b"x");
    let mut chunked = daemon.connect();
    chunked.write(format!("{head}Transfer-Encoding: chunked\r\n\r\n1\r\n{{"));
    for _ in 0..3_000 {
        if !chunked.write("\r\n1\r\n ") {
            daemon.assert_well();
            return;
        }
        std::thread::sleep(PAUSE);
    }
    panic!("the connection is still open");
}

/// Asks for more than fits on the way, and reads nothing of it.
fn asks_without_reading(daemon: &Daemon) -> Connection {
    let mut connection = daemon.connect();
    let requests = (0..64).flat_map(|_| invocation("floods", &json!(500_000)));
    connection.write(requests.collect::<Vec<u8>>());
    connection
}

#[test]
fn one_that_never_reads() {
    let daemon = library().args(["--write-timeout", "200ms", "--idle-timeout", "5m", "--max-concurrency", "4"]).start();
    let mut connections: Vec<_> = (0..8).map(|_| asks_without_reading(&daemon)).collect();
    // They hold no place: others are answered meanwhile.
    for turn in 0..20 {
        assert_eq!(daemon.invoke("echo", &json!(turn)).payload(), turn);
    }
    for connection in &mut connections {
        trickle(connection, b"\r\n");
    }
    daemon.assert_well();
}

#[test]
fn one_that_goes_away_in_the_middle() {
    let daemon = linked().start();
    let request = invocation("echo", &json!("x".repeat(1000)));
    for length in (0..request.len()).step_by(50) {
        let mut connection = daemon.connect();
        connection.write(&request[..length]);
    }
    for _ in 0..20 {
        drop(asks_without_reading(&daemon));
    }
    daemon.assert_well();
    let counts = daemon.stop().counts();
    assert_eq!(counts.failed, 0, "{counts:?}");
}
