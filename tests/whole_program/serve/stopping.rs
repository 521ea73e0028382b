//! Being told to stop.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use whole_program_tests::daemon::{Counts, Daemon, Serve, Stopped, invocation};
use whole_program_tests::http::post;

use super::metrics::wait_until;
use super::{Gate, forms, library, linked, says};

/// Clients of a daemon under load.
const CLIENTS: usize = 64;

/// What clients got.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Answers {
    /// With 200.
    good: u64,
    /// With a problem of a skill.
    failed: u64,
    /// That the daemon stops.
    stopping: u64,
}

impl Answers {
    fn count(&mut self, status: u16, body: &[u8]) {
        match status {
            200 => self.good += 1,
            503 if String::from_utf8_lossy(body).contains("\"shutting_down\"") => self.stopping += 1,
            500 => self.failed += 1,
            _ => panic!("{status}: {}", String::from_utf8_lossy(body)),
        }
    }

    fn add(self, other: Self) -> Self {
        Self {
            good: self.good + other.good,
            failed: self.failed + other.failed,
            stopping: self.stopping + other.stopping,
        }
    }
}

/// Why requests during a drain have become no invocations: they came too late, or their connection ended before they were there.
const REFUSED: [&str; 2] = ["the host was told to stop", "the message broke off"];

/// Lines of the log that say what came of an invocation.
fn outcomes(stopped: &Stopped) -> usize {
    let over = stopped.logs.iter().filter(|line| line["message"] == "the invocation is over");
    let is_refused = |error: &str| error == REFUSED[0] || error.starts_with(REFUSED[1]);
    over.filter(|line| !line["error"].as_str().is_some_and(is_refused)).count()
}

/// What is asked at a turn: most of it is done at once, some of it waits, and some fails.
fn asked(turn: usize) -> (&'static str, serde_json::Value) {
    match turn % 4 {
        0 => ("sleeps", json!(turn % 7)),
        1 => ("fails", json!(turn)),
        _ => ("echo", json!(turn)),
    }
}

/// Asks again and again on one connection, and on another when that has ended, until nobody listens.
fn ask_until_it_stops(daemon: &Daemon, client: usize, is_over: &AtomicBool) -> Answers {
    let mut answers = Answers::default();
    let mut turn = client;
    while let Some(mut connection) = daemon.try_connect() {
        loop {
            let (skill, payload) = asked(turn);
            turn += 1;
            if !connection.write(invocation(skill, &payload)) {
                break;
            }
            let Some(answer) = connection.next_answer() else { break };
            answers.count(answer.status, &answer.body);
            if answer.header("connection") == Some("close") {
                break;
            }
        }
        if is_over.load(Ordering::Relaxed) {
            break;
        }
    }
    answers
}

/// Asserts that every invocation that was accepted was answered, and that its outcome was logged.
fn nothing_was_lost(stopped: &Stopped, answers: Answers, form: &str) {
    assert_eq!(stopped.code, Some(0), "{form}: {:?}", stopped.logs.last());
    let counts = stopped.counts();
    let got = Counts {
        accepted: answers.good + answers.failed,
        finished: answers.good,
        failed: answers.failed,
        cancelled: 0,
    };
    assert_eq!(counts, got, "{form}: beside {} that were refused", answers.stopping);
    assert_eq!(outcomes(stopped) as u64, counts.accepted, "{form}: outcomes in the log");
    assert!(counts.accepted > CLIENTS as u64, "{form}: too little to prove anything: {counts:?}");
}

#[test]
fn no_accepted_request_is_lost() {
    for round in 0..20 {
        let (form, serve) = forms().into_iter().nth(round % 2).unwrap();
        let daemon = serve.start();
        let is_over = AtomicBool::new(false);
        let answers = std::thread::scope(|scope| {
            let clients = (0..CLIENTS).map(|client| {
                let (daemon, is_over) = (&daemon, &is_over);
                scope.spawn(move || ask_until_it_stops(daemon, client, is_over))
            });
            let clients: Vec<_> = clients.collect();
            // Every client has been answered some times.
            daemon.wait_for_number(CLIENTS * (2 + round % 5), says("the invocation is over"));
            daemon.signal(if round % 3 == 0 { "INT" } else { "TERM" });
            is_over.store(true, Ordering::Relaxed);
            clients.into_iter().fold(Answers::default(), |sum, client| sum.add(client.join().unwrap()))
        });
        nothing_was_lost(&daemon.end(), answers, form);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_accepted_stream_is_lost() {
    for (form, serve) in forms() {
        let daemon = tokio::task::spawn_blocking(|| serve.start()).await.unwrap();
        let url = daemon.url();
        let clients: Vec<_> = (0..8)
            .flat_map(|_| {
                let client = reqwest::Client::builder().http2_prior_knowledge().retry(reqwest::retry::never());
                let client = client.build().unwrap();
                (0..8)
                    .map(|stream| tokio::spawn(ask_by_streams(client.clone(), url.clone(), stream)))
                    .collect::<Vec<_>>()
            })
            .collect();
        let stopped = tokio::task::spawn_blocking(move || {
            daemon.wait_for_number(CLIENTS * 4, says("the invocation is over"));
            daemon.stop()
        });
        let stopped = stopped.await.unwrap();
        let mut answers = Answers::default();
        for client in clients {
            answers = answers.add(client.await.unwrap());
        }
        nothing_was_lost(&stopped, answers, form);
    }
}

async fn ask_by_streams(client: reqwest::Client, url: String, mut turn: usize) -> Answers {
    let mut answers = Answers::default();
    loop {
        let (skill, payload) = asked(turn);
        turn += 1;
        let request = client.post(format!("{url}/skills/{skill}/invoke")).body(json!({"payload": payload}).to_string());
        let Ok(answer) = request.send().await else { return answers };
        let status = answer.status().as_u16();
        let Ok(body) = answer.bytes().await else { return answers };
        answers.count(status, &body);
    }
}

#[test]
fn one_that_is_idle_stops() {
    for (form, serve) in forms() {
        for signal in ["TERM", "INT"] {
            let daemon = serve_again(form).start();
            daemon.assert_well();
            // A connection on which nothing comes keeps nobody.
            let mut idle = daemon.connect();
            assert_eq!(idle.send(invocation("echo", &json!(1))).payload(), 1);
            daemon.signal(signal);
            let stopped = daemon.end();
            assert_eq!(stopped.code, Some(0), "{form} {signal}");
            let counts = Counts { accepted: 2, finished: 2, failed: 0, cancelled: 0 };
            assert_eq!(stopped.counts(), counts, "{form} {signal}");
            idle.closed();
        }
        drop(serve);
    }
}

fn serve_again(form: &str) -> Serve {
    if form == "linked" { linked() } else { library() }
}

#[test]
fn what_runs_is_finished_and_what_comes_is_refused() {
    for (form, serve) in forms() {
        let gate = Gate::new();
        let daemon = serve.start();
        let mut running = daemon.connect();
        running.write(invocation("waits", &gate.path()));
        daemon.wait_for(says("waiting"));
        // These are known to the daemon: a connection that it has not seen yet, it need not take.
        let mut known = daemon.connect();
        assert_eq!(known.send(invocation("echo", &json!(1))).payload(), 1);
        daemon.signal("TERM");
        daemon.wait_for(says("told to stop"));
        // It may just not have begun to refuse.
        let mut late = 0;
        if known.write(invocation("echo", &json!(2)))
            && let Some(answer) = known.next_answer()
        {
            if answer.status == 200 {
                late = 1;
            } else {
                answer.problem("shutting_down");
            }
            assert_eq!(answer.header("connection"), Some("close"), "{form}");
        }
        known.closed();
        gate.open();
        let answer = running.answer();
        assert_eq!((answer.payload(), answer.header("connection")), (json!("waited"), Some("close")), "{form}");
        running.closed();
        let stopped = daemon.end();
        assert_eq!(stopped.code, Some(0), "{form}");
        let counts = Counts { accepted: 2 + late, finished: 2 + late, failed: 0, cancelled: 0 };
        assert_eq!(stopped.counts(), counts, "{form}");
    }
}

#[test]
fn nobody_is_listened_to_any_more() {
    let gate = Gate::new();
    let daemon = linked().start();
    let mut running = daemon.connect();
    running.write(invocation("waits", &gate.path()));
    daemon.wait_for(says("waiting"));
    daemon.signal("TERM");
    daemon.wait_for(says("told to stop"));
    let mut late = 0;
    while let Some(mut connection) = daemon.try_connect() {
        // One that is still taken is told so.
        connection.write(invocation("echo", &json!(1)));
        if let Some(answer) = connection.next_answer() {
            answer.problem("shutting_down");
        }
        late += 1;
        assert!(late < 10_000, "it still listens");
    }
    gate.open();
    assert_eq!(running.answer().payload(), "waited");
    assert_eq!(daemon.end().code, Some(0));
}

#[test]
fn what_waits_for_a_place_is_answered() {
    for (form, serve) in forms() {
        let gate = Gate::new();
        let daemon = serve.args(["--max-concurrency", "1", "--queue-timeout", "5m"]).start();
        let mut running = daemon.connect();
        running.write(invocation("waits", &gate.path()));
        daemon.wait_for(says("waiting"));
        let mut queued: Vec<_> = (0..5).map(|_| daemon.connect()).collect();
        for connection in &mut queued {
            connection.write(invocation("echo", &json!("queued")));
        }
        wait_until(&daemon, "skill_invocations_queued", 5.0);
        daemon.signal("TERM");
        daemon.wait_for(says("told to stop"));
        gate.open();
        assert_eq!(running.answer().payload(), "waited", "{form}");
        for connection in &mut queued {
            assert_eq!(connection.answer().payload(), "queued", "{form}");
        }
        let stopped = daemon.end();
        assert_eq!(stopped.counts(), Counts { accepted: 6, finished: 6, failed: 0, cancelled: 0 }, "{form}");
    }
}

#[test]
fn a_delay_goes_on_with_everything_but_readiness() {
    for (form, serve) in forms() {
        let daemon = serve.args(["--drain-delay", "500ms"]).start();
        let mut known = daemon.connect();
        assert_eq!(known.send(invocation("echo", &json!(1))).payload(), 1);
        daemon.signal("TERM");
        daemon.get_until("/readyz", |answer| answer.status == 503);
        // Both a connection that is there, which is given up, and one that comes.
        let answer = known.send(invocation("echo", &json!(2)));
        assert_eq!((answer.payload(), answer.header("connection")), (json!(2), Some("close")), "{form}");
        known.closed();
        assert_eq!(daemon.invoke("echo", &json!(3)).payload(), 3, "{form}");
        let stopped = daemon.end();
        assert_eq!(stopped.code, Some(0), "{form}");
        assert_eq!(stopped.counts().finished, 3, "{form}");
    }
}

#[test]
fn what_does_not_end_is_cancelled() {
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        for (form, serve) in forms() {
            let folder = tempfile::tempdir().unwrap();
            let mark = folder.path().join("mark");
            let daemon = serve.args(["--drain", "200ms", "--timeout", "5m"]).start();
            let mut hanging = daemon.connect();
            hanging.write(post("/skills/hangs/invoke", r#"{"payload": 1, "activationId": "a-1"}"#));
            daemon.wait_for(says("hanging"));
            let mut marking = daemon.connect();
            marking.write(invocation("leaves-a-mark", &json!(mark)));
            wait_until(&daemon, "skill_invocations_in_flight", 2.0);
            daemon.signal(signal);
            let problem = hanging.answer().problem("shutting_down");
            assert_eq!(problem["activationId"], "a-1", "{form}: {problem}");
            marking.answer().problem("shutting_down");
            hanging.closed();
            let stopped = daemon.end();
            assert_eq!(stopped.code, Some(code), "{form}");
            assert_eq!(stopped.counts(), Counts { accepted: 2, finished: 0, failed: 0, cancelled: 2 }, "{form}");
            assert_eq!(outcomes(&stopped), 2, "{form}");
            assert!(mark.exists(), "{form}: the handler was dropped");
        }
    }
}

#[test]
fn what_waits_for_a_place_is_cancelled_too() {
    let daemon = linked().args(["--max-concurrency", "1", "--queue-timeout", "5m", "--drain", "100ms"]).start();
    let mut hanging = daemon.connect();
    hanging.write(invocation("hangs", &json!(1)));
    daemon.wait_for(says("hanging"));
    let mut queued = daemon.connect();
    queued.write(invocation("hangs", &json!(1)));
    wait_until(&daemon, "skill_invocations_queued", 1.0);
    daemon.signal("TERM");
    hanging.answer().problem("shutting_down");
    queued.answer().problem("shutting_down");
    let stopped = daemon.end();
    assert_eq!(stopped.code, Some(143));
    assert_eq!(stopped.counts(), Counts { accepted: 2, finished: 0, failed: 0, cancelled: 2 });
}

#[test]
fn a_second_signal_ends_it_at_once() {
    for (form, serve) in forms() {
        let daemon = serve.args(["--drain", "5m", "--timeout", "5m"]).start();
        let mut hanging = daemon.connect();
        hanging.write(invocation("hangs", &json!(1)));
        daemon.wait_for(says("hanging"));
        daemon.signal("TERM");
        daemon.wait_for(says("told to stop"));
        daemon.signal("INT");
        assert_eq!(daemon.end().code, Some(130), "{form}");
        assert!(hanging.next_answer().is_none(), "{form}");
    }
}

#[test]
fn a_worker_that_never_comes_back_keeps_nobody() {
    let cpus = std::thread::available_parallelism().unwrap().get();
    for (form, serve) in forms() {
        let daemon = serve.args(["--drain", "200ms", "--timeout", "5m"]).start();
        let mut spinning: Vec<_> = (0..cpus).map(|_| daemon.connect()).collect();
        for (number, connection) in spinning.iter_mut().enumerate() {
            connection.write(invocation("spins", &json!(1)));
            daemon.wait_for_number(number + 1, says("spinning"));
        }
        daemon.signal("TERM");
        let stopped = daemon.end();
        assert_eq!(stopped.code, Some(143), "{form}");
        let counts = stopped.counts();
        assert_eq!((counts.accepted, counts.cancelled), (cpus as u64, cpus as u64), "{form}");
    }
}

#[test]
fn clients_that_never_end_keep_nobody() {
    let daemon = library().args(["--drain", "300ms"]).start();
    let _silent = daemon.connect();
    let mut half = daemon.connect();
    half.write("POST /invoke HTTP/1.1\r\nHost: te");
    let mut body = daemon.connect();
    body.write("POST /invoke HTTP/1.1\r\nHost: test\r\nContent-Length: 100\r\n\r\n{");
    let mut deaf = daemon.connect();
    deaf.write((0..64).flat_map(|_| invocation("floods", &json!(500_000))).collect::<Vec<u8>>());
    let mut both_halves = daemon.connect();
    both_halves.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    daemon.assert_well();
    let stopped = daemon.stop();
    assert!(matches!(stopped.code, Some(0 | 143)), "{:?}", stopped.code);
    stopped.counts();
}
