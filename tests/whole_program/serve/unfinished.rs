//! Messages that do not come to an end, and answers that nobody takes.

use serde_json::json;
use whole_program_tests::daemon::{Counts, invocation};
use whole_program_tests::http::post;

use super::library;

#[test]
fn half_a_message_is_no_invocation_when_the_drain_ends() {
    let daemon = library().args(["--drain", "100ms", "--body-timeout", "5m"]).start();
    let mut connection = daemon.connect();
    connection.write("POST /skills/echo/invoke HTTP/1.1\r\nHost: test\r\nContent-Length: 100\r\n\r\n{\"payload\":");
    daemon.assert_well();
    let stopped = daemon.stop();
    connection.answer().problem("shutting_down");
    let one = Counts { accepted: 1, finished: 1, failed: 0, cancelled: 0 };
    assert_eq!((stopped.code, stopped.counts()), (Some(0), one), "that of the daemon's being well");
}

#[test]
fn who_takes_no_answer_does_not_hold_up_the_drain() {
    let daemon = library().args(["--drain", "10m", "--write-timeout", "300ms"]).start();
    let mut connection = daemon.connect();
    // More than fits on the way.
    let requests = (0..64).flat_map(|_| invocation("floods", &json!(500_000)));
    connection.write(requests.collect::<Vec<u8>>());
    daemon.assert_well();
    let stopped = daemon.stop();
    let Counts { accepted, finished, failed, cancelled } = stopped.counts();
    assert_eq!((stopped.code, accepted, failed), (Some(0), finished + cancelled, 0));
}

#[test]
fn who_sends_far_too_much_sees_the_refusal() {
    let daemon = library().args(["--max-message", "1KiB"]).start();
    for path in ["/skills/echo/invoke", "/nowhere"] {
        let mut connection = daemon.connect();
        assert!(connection.write(post(path, vec![b' '; 4 << 20])), "all of it is read");
        let answer = connection.answer();
        assert_eq!(answer.status, if path == "/nowhere" { 404 } else { 413 }, "{}", answer.text());
    }
}
