//! What others are told of how the daemon is.

use serde_json::json;
use whole_program_tests::daemon::invocation;

use super::{Gate, forms, library, linked, says};

#[test]
fn a_daemon_that_is_well_says_so() {
    for (form, serve) in forms() {
        let daemon = serve.start();
        for path in ["/healthz", "/readyz", "/healthz?verbose"] {
            let answer = daemon.get(path);
            assert_eq!((answer.status, answer.text().is_empty()), (200, false), "{form} {path}");
        }
    }
}

#[test]
fn workers_that_are_all_blocked_show() {
    let cpus = std::thread::available_parallelism().unwrap().get();
    for (form, serve) in forms() {
        let gate = Gate::new();
        let daemon = serve.args(["--stall", "200ms"]).start();
        let message = json!({"payload": gate.path(), "activationId": "a-blocked"}).to_string();
        let mut blocked: Vec<_> = (0..cpus).map(|_| daemon.connect()).collect();
        for (number, connection) in blocked.iter_mut().enumerate() {
            connection.write(whole_program_tests::http::post("/skills/blocks/invoke", &message));
            daemon.wait_for_number(number + 1, says("blocking"));
        }
        // Nobody is left who could answer this.
        let mut behind = daemon.connect();
        behind.write(invocation("echo", &json!("behind")));
        let unready = daemon.get_until("/readyz", |answer| answer.status == 503);
        let reason = unready.json()["reasons"][0].as_str().unwrap().to_owned();
        assert!(reason.contains("`blocks`") && reason.contains("a-blocked"), "{form}: {reason}");
        // Its own thread answers, and that the workers do not live.
        let dead = daemon.get_until("/healthz", |answer| answer.status == 503).json();
        let who: Vec<_> = dead["blocked"].as_array().unwrap().iter().map(|blocked| &blocked["skill"]).collect();
        assert_eq!((&dead["alive"], who.len(), who[0]), (&json!(false), cpus, &json!("blocks")), "{form}: {dead}");
        assert_eq!(daemon.get("/metrics").status, 200, "{form}");
        let line = daemon.wait_for(says("the skill blocks a worker"));
        assert_eq!((&line["level"], &line["skill"]), (&json!("WARN"), &json!("blocks")), "{form}: {line}");
        assert_eq!(line["activationId"], "a-blocked", "{form}: {line}");

        gate.open();
        for connection in &mut blocked {
            assert_eq!(connection.answer().payload(), "blocked", "{form}");
        }
        assert_eq!(behind.answer().payload(), "behind", "{form}");
        daemon.get_until("/readyz", |answer| answer.status == 200);
        daemon.get_until("/healthz", |answer| answer.status == 200);
        daemon.assert_well();
    }
}

#[test]
fn a_worker_that_waits_is_not_blocked() {
    let gate = Gate::new();
    let daemon = linked().args(["--stall", "50ms"]).start();
    let mut waiting = daemon.connect();
    waiting.write(invocation("waits", &gate.path()));
    daemon.wait_for(says("waiting"));
    for _ in 0..5 {
        assert_eq!(daemon.invoke("sleeps", &json!(20)).payload(), 20);
        assert_eq!(daemon.get("/readyz").status, 200);
    }
    gate.open();
    assert_eq!(waiting.answer().payload(), "waited");
    let warned = daemon.stop().logs.into_iter().find(says("the skill blocks a worker"));
    assert!(warned.is_none(), "{warned:?}");
}

#[test]
fn a_daemon_without_room_says_so() {
    let gate = Gate::new();
    let daemon = library().args(["--max-concurrency", "1", "--max-queued", "1", "--queue-timeout", "5m"]).start();
    let mut running = daemon.connect();
    running.write(invocation("waits", &gate.path()));
    daemon.wait_for(says("waiting"));
    // There is room in the queue.
    assert_eq!(daemon.get("/readyz").status, 200);
    let mut queued = daemon.connect();
    queued.write(invocation("echo", &json!(1)));
    let unready = daemon.get_until("/readyz", |answer| answer.status == 503);
    assert!(unready.text().contains("saturated"), "{}", unready.text());
    assert_eq!(daemon.get("/healthz").status, 200);
    gate.open();
    assert_eq!((running.answer().payload(), queued.answer().payload()), (json!("waited"), json!(1)));
    daemon.get_until("/readyz", |answer| answer.status == 200);
}

#[test]
fn a_daemon_that_drains_says_so() {
    for (form, serve) in forms() {
        let daemon = serve.args(["--drain-delay", "5m"]).start();
        assert_eq!(daemon.get("/readyz").status, 200);
        daemon.signal("TERM");
        let unready = daemon.get_until("/readyz", |answer| answer.status == 503);
        assert!(unready.text().contains("draining"), "{form}: {}", unready.text());
        // It goes on all the same.
        daemon.assert_well();
        daemon.signal("TERM");
        assert_eq!(daemon.end().code, Some(143), "{form}");
    }
}
