//! More than there is room for: connections, and bytes.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use whole_program_tests::daemon::invocation;

use super::{library, linked, says};

#[test]
fn memory_is_bounded_whatever_is_sent_at_once() {
    const CLIENTS: usize = 600;
    // Of 600 messages of 500 KiB, 16 MiB are held at once.
    let daemon = library().args(["--max-buffered", "16MiB", "--max-concurrency", "8", "--body-timeout", "5m"]).start();
    let before = daemon.peak_memory();
    let request = invocation("echo", &json!("x".repeat((500 << 10) - 20)));
    let (answered, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut connection = daemon.connect();
                connection.write(&request);
                match connection.next_answer() {
                    Some(answer) if answer.status == 200 => {
                        answer.payload();
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                    Some(answer) => {
                        answer.problem("overloaded");
                        refused.fetch_add(1, Ordering::Relaxed);
                    }
                    // Whoever is told so in the middle of sending may not hear it.
                    None => {
                        refused.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let (answered, refused) = (answered.into_inner(), refused.into_inner());
    assert_eq!(answered + refused, CLIENTS);
    assert!(answered > 0, "none was answered");
    let grown = daemon.peak_memory() - before;
    // A message is held, its text is parsed, and its answer is made of it; and each connection has what it reads at once. All messages
    // would be 293 MiB.
    assert!(grown < 160 << 20, "{} MiB more, for {answered} answers", grown >> 20);
    daemon.assert_well();
}

#[test]
fn answers_that_nobody_takes_are_bounded() {
    let daemon = library().args(["--max-buffered", "1MiB", "--max-concurrency", "1"]).start();
    daemon.invoke("floods", &json!(500_000)).payload();
    let before = daemon.peak_memory();
    let requests: Vec<u8> = (0..16).flat_map(|_| invocation("floods", &json!(500_000))).collect();
    let mut connections: Vec<_> = (0..32).map(|_| daemon.connect()).collect();
    for connection in &mut connections {
        connection.write(&requests);
    }
    // As much is held as will be when this has had its turn.
    for _ in 0..10 {
        let answer = daemon.invoke("floods", &json!(100_000));
        assert!(matches!(answer.status, 200 | 503), "{}", answer.text());
    }
    let grown = daemon.peak_memory() - before;
    // The system holds some of each connection's, and that is none of the daemon's memory.
    assert!(grown < 8 << 20, "{} MiB more", grown >> 20);
    drop(connections);
    daemon.assert_well();
}

#[test]
fn connections_are_bounded() {
    let daemon = linked().args(["--max-connections", "64", "--header-timeout", "300ms"]).start();
    let silent: Vec<_> = (0..200).map(|_| daemon.connect()).collect();
    let answered = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| {
                for turn in 0..90 {
                    let mut connection = daemon.connect();
                    connection.write(invocation("echo", &json!(turn)));
                    // One that is over the limit is refused, or waits until those that say nothing have gone.
                    match connection.next_answer() {
                        Some(answer) if answer.status == 200 => {
                            assert_eq!(answer.payload(), turn);
                            answered.fetch_add(1, Ordering::Relaxed);
                        }
                        Some(answer) => drop(answer.problem("overloaded")),
                        None => {}
                    }
                }
            });
        }
    });
    assert!(answered.into_inner() > 0);
    drop(silent);
    daemon.get_until("/readyz", |answer| answer.status == 200);
    daemon.assert_well();
    let line = daemon.logs().into_iter().find(says("panicked"));
    assert!(line.is_none(), "{line:?}");
    let counts = daemon.stop().counts();
    assert_eq!(counts.accepted, counts.finished);
}
