//! What the daemon counts, as Prometheus reads it.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use whole_program_tests::daemon::Daemon;

use super::cases::key_set;
use super::platform::Platform;
use super::{Gate, forms, library, says};
use crate::{message, samples};
use whole_program_tests::daemon::invocation;

/// The samples of an exposition, each by its name and labels as they were written.
pub(super) struct Metrics(BTreeMap<String, f64>);

impl Metrics {
    pub(super) fn of(daemon: &Daemon) -> Self {
        let answer = daemon.get("/metrics");
        let kind = answer.header("content-type").unwrap();
        assert_eq!((answer.status, kind), (200, "application/openmetrics-text; version=1.0.0; charset=utf-8"));
        Self::parse(&answer.text())
    }

    /// Reads the text form of `OpenMetrics`, as far as a daemon writes it, and panics about everything else.
    fn parse(text: &str) -> Self {
        let (mut samples, mut types) = (BTreeMap::new(), BTreeMap::new());
        let text = text.strip_suffix("# EOF\n").unwrap_or_else(|| panic!("without an end: {text}"));
        for line in text.lines() {
            let mut words = line.split(' ');
            if let Some(comment) = line.strip_prefix("# ") {
                let [kind, name, rest] = comment.splitn(3, ' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
                match kind {
                    "TYPE" => assert_eq!(types.insert(name, rest), None, "{line}"),
                    "HELP" | "UNIT" => assert!(!rest.is_empty(), "{line}"),
                    _ => panic!("{line}"),
                }
                continue;
            }
            let value: f64 = words.next_back().unwrap().parse().unwrap_or_else(|_| panic!("no number: {line}"));
            let (series, _) = line.rsplit_once(' ').unwrap();
            let name = series.split('{').next().unwrap();
            let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            assert!(!name.is_empty() && name.bytes().all(is_name), "{line}");
            if let Some(labels) = series.strip_prefix(name).filter(|labels| !labels.is_empty()) {
                let inside = labels.strip_prefix('{').and_then(|rest| rest.strip_suffix("\"}"));
                for label in inside.unwrap_or_else(|| panic!("{line}")).split("\",") {
                    let (key, _) = label.split_once("=\"").unwrap_or_else(|| panic!("{line}"));
                    assert!(key.bytes().all(is_name), "{line}");
                }
            }
            let endings = ["_total", "_bucket", "_sum", "_count", ""];
            let family = endings.iter().filter_map(|ending| name.strip_suffix(ending)).find_map(|name| types.get(name));
            let fits = match *family.unwrap_or_else(|| panic!("of no type: {line}")) {
                "counter" => name.ends_with("_total") && value >= 0.0,
                "histogram" => ["_bucket", "_sum", "_count"].iter().any(|ending| name.ends_with(ending)),
                kind => kind == "gauge",
            };
            assert!(fits, "{line}");
            assert_eq!(samples.insert(series.to_owned(), value), None, "twice: {line}");
        }
        Self(samples)
    }

    /// The value of a series; `None` where there is none.
    pub(super) fn get(&self, series: &str) -> Option<f64> {
        self.0.get(series).copied()
    }

    /// All series of a name, without those that are nothing.
    fn of_name(&self, name: &str) -> BTreeMap<&str, f64> {
        let all = self.0.iter().filter(|(series, value)| series.starts_with(name) && **value > 0.0);
        all.map(|(series, value)| (series.strip_prefix(name).unwrap(), *value)).collect()
    }
}

/// Waits until a series has a value.
pub(super) fn wait_until(daemon: &Daemon, series: &str, value: f64) {
    daemon.get_until("/metrics", |answer| Metrics::parse(&answer.text()).get(series) == Some(value));
}

#[test]
fn what_was_invoked_is_counted() {
    for (form, serve) in forms() {
        let daemon = serve.start();
        for _ in 0..3 {
            daemon.invoke("echo", &json!(1)).payload();
        }
        daemon.invoke("fails", &json!(1)).problem("skill_failed");
        daemon.invoke("hurries", &json!(1)).problem("timeout");
        daemon.post("/skills/nope/invoke", message(&json!(1)).to_string()).problem("skill_not_found");
        daemon.post("/invoke", "x").problem("invalid_message");
        // They are no invocations.
        daemon.get("/nope");
        daemon.get("/invoke");
        let metrics = Metrics::of(&daemon);
        let expected = [
            (r#"{skill="",code="invalid_message"}"#, 1.0),
            (r#"{skill="",code="skill_not_found"}"#, 1.0),
            (r#"{skill="echo",code="ok"}"#, 3.0),
            (r#"{skill="fails",code="skill_failed"}"#, 1.0),
            (r#"{skill="hurries",code="timeout"}"#, 1.0),
        ];
        assert_eq!(metrics.of_name("skill_invocations_total"), BTreeMap::from(expected), "{form}");
        let count = |skill: &str| metrics.get(&format!("skill_invocation_duration_seconds_count{{skill=\"{skill}\"}}"));
        assert_eq!((count("echo"), count("fails"), count("hurries")), (Some(3.0), Some(1.0), Some(1.0)), "{form}");
        let took = metrics.get(r#"skill_invocation_duration_seconds_sum{skill="hurries"}"#).unwrap();
        assert!(took >= 0.05, "{form}: {took}");
        let bucket = |le: &str| {
            let series = format!("skill_invocation_duration_seconds_bucket{{le=\"{le}\",skill=\"hurries\"}}");
            metrics.get(&series).unwrap()
        };
        assert_eq!((bucket("0.025"), bucket("+Inf")), (0.0, 1.0), "{form}");
    }
}

#[test]
fn calls_of_platforms_are_counted_by_their_status() {
    let platform = Platform::start();
    for (form, serve) in forms() {
        let daemon = serve.start();
        let ask = |url: &str, project: &str| {
            let mut message = message(&json!({"how": "swallowing"}));
            message["apiEndpoint"] = url.into();
            message["projectId"] = project.into();
            daemon.post("/skills/asks-platform/invoke", message.to_string()).payload()
        };
        for project in ["says-200", "says-200", "says-404", "says-401", "says-400"] {
            ask(&platform.url, project);
        }
        let metrics = Metrics::of(&daemon);
        let expected = [
            (r#"{status="200"}"#, 2.0),
            (r#"{status="400"}"#, 1.0),
            (r#"{status="401"}"#, 1.0),
            (r#"{status="404"}"#, 1.0),
        ];
        assert_eq!(metrics.of_name("skill_platform_requests_total"), BTreeMap::from(expected), "{form}");
        // Nobody answers there.
        ask("http://127.0.0.1:1", "p");
        let none = Metrics::of(&daemon).get(r#"skill_platform_requests_total{status="none"}"#);
        assert!(none.is_some_and(|times| times >= 1.0), "{form}: {none:?}");
    }
}

#[test]
fn what_happens_now_can_be_read() {
    let gate = Gate::new();
    for (form, serve) in forms() {
        let gate = if form == "linked" { &gate } else { &Gate::new() };
        let daemon = serve.args(["--max-concurrency", "2", "--queue-timeout", "5m"]).start();
        let mut connections: Vec<_> = (0..3).map(|_| daemon.connect()).collect();
        for connection in &mut connections {
            connection.write(invocation("waits", &gate.path()));
        }
        wait_until(&daemon, "skill_invocations_queued", 1.0);
        let metrics = Metrics::of(&daemon);
        assert_eq!(metrics.get("skill_invocations_in_flight"), Some(2.0), "{form}");
        assert_eq!(metrics.get("skill_ready"), Some(1.0), "{form}");
        assert_eq!(metrics.get("skill_workers_blocked"), Some(0.0), "{form}");
        assert!(metrics.get("skill_connections").unwrap() >= 3.0, "{form}");
        let memory = metrics.get("process_resident_memory_bytes").unwrap();
        assert!(memory > 1e6 && memory < 1e9, "{form}: {memory}");
        for series in ["process_cpu_seconds_total", "process_open_fds", "process_start_time_seconds"] {
            assert!(metrics.get(series).is_some(), "{form} {series}");
        }
        gate.open();
        for connection in &mut connections {
            connection.answer().payload();
        }
        wait_until(&daemon, "skill_invocations_in_flight", 0.0);
        assert_eq!(Metrics::of(&daemon).get("skill_invocations_queued"), Some(0.0), "{form}");
    }
}

#[test]
fn a_worker_that_is_blocked_is_counted() {
    let gate = Gate::new();
    let daemon = library().args(["--stall", "50ms"]).start();
    let mut blocked = daemon.connect();
    blocked.write(invocation("blocks", &gate.path()));
    daemon.wait_for(says("blocking"));
    wait_until(&daemon, "skill_workers_blocked", 1.0);
    gate.open();
    assert_eq!(blocked.answer().payload(), "blocked");
    wait_until(&daemon, "skill_workers_blocked", 0.0);
}

#[test]
fn tokens_that_were_seen_before_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jwks.json");
    std::fs::write(&file, key_set().to_string()).unwrap();
    let config = samples::config_of_nobody("http://h").to_string();
    let config = skill_sdk::auth::PersonalAccessConfig::from_json(&config).unwrap();
    for (form, serve) in forms() {
        let daemon = serve.arg("--jwks").arg(&file).start();
        let read = || {
            let metrics = Metrics::of(&daemon);
            ["hit", "miss"].map(|result| metrics.get(&format!("skill_token_cache_total{{result=\"{result}\"}}")))
        };
        assert_eq!(read(), [Some(0.0), Some(0.0)], "{form}");
        let mut message: Value = message(&json!(1));
        let token = config.sign(jiff::Timestamp::now(), std::time::Duration::from_mins(2)).unwrap();
        message["token"] = secrecy::ExposeSecret::expose_secret(&token).into();
        for _ in 0..3 {
            daemon.post("/skills/caller/invoke", message.to_string()).payload();
        }
        assert_eq!(read(), [Some(2.0), Some(1.0)], "{form}");
    }
}

#[test]
fn a_name_that_somebody_made_up_is_no_series() {
    let daemon = library().start();
    let before = Metrics::of(&daemon).0.len();
    for name in 0..20 {
        daemon
            .post(&format!("/skills/made-up-{name}/invoke"), message(&json!(1)).to_string())
            .problem("skill_not_found");
    }
    let metrics = Metrics::of(&daemon);
    assert!(!metrics.0.keys().any(|series| series.contains("made-up")), "{:?}", metrics.0);
    assert!(metrics.0.len() <= before + 2, "{} series more", metrics.0.len() - before);
}
