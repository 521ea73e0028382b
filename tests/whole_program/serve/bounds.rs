//! How many invocations run, how many wait, and for how long.

use std::time::{Duration, Instant};

use serde_json::json;
use whole_program_tests::daemon::{Daemon, invocation};
use whole_program_tests::http::{Connection, request};

use super::metrics::wait_until;
use super::{Gate, forms, library, linked, says};

/// Starts an invocation that holds its place until the gate opens, the `number`th of the daemon.
fn hold(daemon: &Daemon, gate: &Gate, number: usize) -> Connection {
    let mut connection = daemon.connect();
    connection.write(invocation("waits", &gate.path()));
    daemon.wait_for_number(number, says("waiting"));
    connection
}

/// Waits until so many invocations wait for a place.
fn queued(daemon: &Daemon, number: f64) {
    wait_until(daemon, "skill_invocations_queued", number);
}

#[test]
fn those_over_the_limit_wait_and_those_over_the_queue_are_refused() {
    for (form, serve) in forms() {
        let gate = Gate::new();
        let daemon = serve.args(["--max-concurrency", "2", "--max-queued", "1", "--queue-timeout", "5m"]).start();
        let mut running = [hold(&daemon, &gate, 1), hold(&daemon, &gate, 2)];
        let mut waiting = daemon.connect();
        waiting.write(invocation("echo", &json!("waited")));
        queued(&daemon, 1.0);
        for _ in 0..3 {
            daemon.invoke("echo", &json!(1)).problem("overloaded");
        }
        gate.open();
        for connection in running.iter_mut().chain([&mut waiting]) {
            assert_eq!(connection.answer().payload(), "waited", "{form}");
        }
        daemon.assert_well();
        let counts = daemon.stop().counts();
        assert_eq!((counts.finished, counts.cancelled), (4, 0), "{form}: {counts:?}");
    }
}

#[test]
fn nobody_waits_for_a_place_for_ever() {
    let gate = Gate::new();
    let daemon = library().args(["--max-concurrency", "2", "--max-queued", "1", "--queue-timeout", "100ms"]).start();
    let mut running = [hold(&daemon, &gate, 1), hold(&daemon, &gate, 2)];
    for _ in 0..3 {
        daemon.invoke("echo", &json!(1)).problem("overloaded");
    }
    gate.open();
    for connection in &mut running {
        assert_eq!(connection.answer().payload(), "waited");
    }
    daemon.assert_well();
}

#[test]
fn without_a_queue_nobody_waits() {
    let gate = Gate::new();
    let daemon = linked().args(["--max-concurrency", "1", "--max-queued", "0", "--queue-timeout", "5m"]).start();
    let mut running = hold(&daemon, &gate, 1);
    daemon.invoke("echo", &json!(1)).problem("overloaded");
    gate.open();
    assert_eq!(running.answer().payload(), "waited");
    daemon.assert_well();
}

#[test]
fn whoever_comes_first_is_served_first() {
    let gate = Gate::new();
    let daemon = linked().args(["--max-concurrency", "1", "--queue-timeout", "5m"]).start();
    let mut running = hold(&daemon, &gate, 1);
    let mut waiting = Vec::new();
    for number in 1..=10 {
        let mut connection = daemon.connect();
        connection.write(invocation("counts", &json!({})));
        queued(&daemon, f64::from(number));
        waiting.push(connection);
    }
    gate.open();
    assert_eq!(running.answer().payload(), "waited");
    for (number, connection) in waiting.iter_mut().enumerate() {
        assert_eq!(connection.answer().payload(), number + 1);
    }
}

#[test]
fn whoever_goes_away_leaves_the_queue() {
    let gate = Gate::new();
    let daemon = library().args(["--max-concurrency", "1", "--max-queued", "1", "--queue-timeout", "5m"]).start();
    let mut running = hold(&daemon, &gate, 1);
    let mut gone = daemon.connect();
    gone.write(invocation("counts", &json!({})));
    queued(&daemon, 1.0);
    drop(gone);
    queued(&daemon, 0.0);
    let mut next = daemon.connect();
    next.write(invocation("counts", &json!({})));
    queued(&daemon, 1.0);
    gate.open();
    assert_eq!((running.answer().payload(), next.answer().payload()), (json!("waited"), json!(1)));
    let counts = daemon.stop().counts();
    assert_eq!((counts.finished, counts.cancelled), (2, 1));
}

#[test]
fn a_deadline_counts_from_the_arrival() {
    let gate = Gate::new();
    let daemon = linked().args(["--max-concurrency", "1", "--queue-timeout", "5m"]).start();
    let mut running = hold(&daemon, &gate, 1);
    let hurried = request("POST", "/skills/echo/invoke", &["X-Timeout: 100ms"], r#"{"payload": 1}"#);
    daemon.send(hurried).problem("timeout");
    gate.open();
    assert_eq!(running.answer().payload(), "waited");
}

#[test]
fn skills_that_mostly_wait_run_at_once() {
    for (form, serve) in forms() {
        let daemon = serve.start();
        daemon.invoke("sleeps", &json!(1)).payload();
        let began = Instant::now();
        let mut connections: Vec<_> = (0..10).map(|_| daemon.connect()).collect();
        for connection in &mut connections {
            connection.write(invocation("sleeps", &json!(1000)));
        }
        for connection in &mut connections {
            assert_eq!(connection.answer().payload(), 1000, "{form}");
        }
        let took = began.elapsed();
        assert!(took < Duration::from_secs(2), "{form}: {took:?}");
    }
}

#[test]
fn a_skill_that_blocks_holds_up_nobody_else() {
    if std::thread::available_parallelism().unwrap().get() == 1 {
        // Then there is nobody else.
        return;
    }
    for (form, serve) in forms() {
        let gate = Gate::new();
        let daemon = serve.start();
        let mut blocked = daemon.connect();
        blocked.write(invocation("blocks", &gate.path()));
        daemon.wait_for(says("blocking"));
        for turn in 0..50 {
            assert_eq!(daemon.invoke("echo", &json!(turn)).payload(), turn, "{form}");
        }
        gate.open();
        assert_eq!(blocked.answer().payload(), "blocked", "{form}");
    }
}

#[test]
fn an_answer_after_the_deadline_is_none() {
    for (form, serve) in forms() {
        let daemon = serve.start();
        let dawdle = request("POST", "/skills/dawdles/invoke", &["X-Timeout: 50ms"], r#"{"payload": 200}"#);
        let mut connections: Vec<_> = (0..4).map(|_| daemon.connect()).collect();
        for connection in &mut connections {
            connection.write(&dawdle);
        }
        for connection in &mut connections {
            let problem = connection.answer().problem("timeout");
            assert_eq!(problem["detail"], "the skill did not answer within 50ms", "{form}");
        }
        daemon.assert_well();
    }
}

#[test]
fn a_skill_that_panics_on_every_other_call_answers_each() {
    for (form, serve) in forms() {
        let daemon = serve.env("RUST_LOG", "error,skill_runtime::triggers=info").start();
        let (answers, panics) = std::thread::scope(|scope| {
            let clients = (0..8).map(|_| {
                scope.spawn(|| {
                    let mut connection = daemon.connect();
                    let answers = (0..50).map(|_| connection.send(invocation("panics-every-other-time", &json!(1))));
                    let (good, bad): (Vec<_>, Vec<_>) = answers.partition(|answer| answer.status == 200);
                    for answer in &bad {
                        let problem = answer.problem("skill_panicked");
                        assert_eq!(problem["detail"], "the skill panicked: another mess", "{form}");
                    }
                    (good.len(), bad.len())
                })
            });
            let clients: Vec<_> = clients.collect();
            clients.into_iter().fold((0, 0), |(good, bad), client| {
                let (more_good, more_bad) = client.join().unwrap();
                (good + more_good, bad + more_bad)
            })
        });
        assert_eq!((answers, panics), (200, 200), "{form}");
        let counts = daemon.stop().counts();
        assert_eq!((counts.finished, counts.failed, counts.cancelled), (200, 200, 0), "{form}");
    }
}
