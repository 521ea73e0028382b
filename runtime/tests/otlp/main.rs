//! Spans of invocations, as a collector gets them. The test is a program of linked skills too, which it runs.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test is told by a panic")]
#![expect(clippy::print_stdout, reason = "this is its own harness")]
#![forbid(unsafe_code)]

use std::process::ExitCode;

use skill_sdk::prelude::*;

mod collector;
mod program;
mod protobuf;

use collector::Collector;
use program::{PROGRAM, Program, message};

/// Everything that is tested. There is no harness, so that this can be the program under test.
const TESTS: &[(&str, fn())] = &[
    ("an_invocation_is_a_span", an_invocation_is_a_span),
    ("a_failure_is_an_error_without_secrets", a_failure_is_an_error_without_secrets),
    ("a_trace_goes_through", a_trace_goes_through),
    ("a_dead_collector_is_nobodys_problem", a_dead_collector_is_nobodys_problem),
    ("a_collector_that_refuses_is_told_of", a_collector_that_refuses_is_told_of),
    ("the_environment_names_the_service", the_environment_names_the_service),
    ("an_endpoint_that_makes_no_sense_is_refused", an_endpoint_that_makes_no_sense_is_refused),
];

fn main() -> ExitCode {
    if std::env::var_os(PROGRAM).is_some() {
        return skill_runtime::main([
            Skill::new("echo", async |input: Value, _: Context| -> Result<Value> { Ok(input) }),
            Skill::new("leaks", program::leaks),
            Skill::new("asks", async |_: Value, context: Context| -> Result<bool> {
                Ok(context.client()?.content().exists("key").await?)
            }),
        ]);
    }
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    for (name, test) in TESTS.iter().filter(|(name, _)| wanted.as_ref().is_none_or(|wanted| name.contains(wanted))) {
        test();
        println!("test {name} ... ok");
    }
    ExitCode::SUCCESS
}

fn an_invocation_is_a_span() {
    let collector = Collector::start(200);
    let url = collector.url().replace("http://", "http://me:pass%20word@");
    let ended = Program::new().arg("--otlp-endpoint").arg(&url).invoke(&message("echo", ""));
    assert_eq!((ended.status.code(), &*ended.stdout), (Some(0), "1\n"), "{}", ended.stderr);
    let requests = collector.take();
    let [request] = &requests[..] else { panic!("{} requests", requests.len()) };
    assert_eq!((&*request.path, request.header("content-type")), ("/v1/traces", Some("application/x-protobuf")));
    assert_eq!(request.header("authorization"), Some("Basic bWU6cGFzcyB3b3Jk"));
    let span = request.span();
    assert_eq!(span.name, "echo");
    assert_eq!((span.kind, span.status, span.status_text.as_str()), (2, 1, ""));
    // The activation's id is a UUID, so that the trace has it.
    assert_eq!(span.trace_id, "6f1d6a5293a04a1e8a8b0c5f1f3c2d10");
    assert!(span.id.len() == 16 && span.parent_id.is_empty(), "{span:?}");
    assert!(0 < span.start && span.start <= span.end, "{span:?}");
    assert_eq!(
        span.attributes,
        [
            ("skill.activation_id", "6f1d6a52-93a0-4a1e-8a8b-0c5f1f3c2d10"),
            ("skill.session_id", "s-1"),
            ("skill.project", "p-1"),
            ("skill.name", "echo"),
            ("skill.outcome", "ok"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
    );
    assert_eq!(request.service(), "skill-runtime");
}

fn a_failure_is_an_error_without_secrets() {
    let collector = Collector::start(200);
    let sent = message("leaks", "");
    let ended = Program::new().arg("--otlp-endpoint").arg(&collector.url()).invoke(&sent);
    assert_eq!(ended.status.code(), Some(1), "{}", ended.stderr);
    let [request] = &collector.take()[..] else { panic!("not one request") };
    let span = request.span();
    assert_eq!((span.status, &*span.status_text), (2, "the token is [token]"));
    let last: Vec<_> = span.attributes.iter().rev().take(2).map(|(key, value)| (&**key, &**value)).collect();
    assert_eq!(last, [("skill.outcome", "skill_failed"), ("error.type", "skill_failed")]);
    let token = program::token(&sent);
    let claims = &token.split('.').nth(1).unwrap()[..20];
    assert!(!request.body.windows(claims.len()).any(|bytes| bytes == claims.as_bytes()), "the token is exported");
    assert!(!ended.stderr.contains(claims), "{}", ended.stderr);
}

/// From whoever calls the daemon, by the daemon, to the platform.
fn a_trace_goes_through() {
    let (collector, platform) = (Collector::start(200), Collector::start(200));
    let (trace, caller) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    let daemon = Program::new().env("SKILL_OTLP_ENDPOINT", &collector.url()).serve();
    let invoke = |sampled: &str| {
        let trace_parent = format!("00-{trace}-{caller}-{sampled}");
        let status = daemon.post(&message("asks", &platform.url()), &trace_parent);
        let [asked] = &platform.take()[..] else { panic!("not one request to the platform, and {status}") };
        asked.header("traceparent").unwrap().to_owned()
    };
    let unsampled = invoke("00");
    assert!(unsampled.starts_with(&format!("00-{trace}-")) && unsampled.ends_with("-00"), "{unsampled}");
    let sampled = invoke("01");
    // Spans are exported when there are many, once in a while, and at the end.
    let ended = daemon.stop();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    let [request] = &collector.take()[..] else { panic!("not one request") };
    let span = request.span();
    assert_eq!((&*span.name, &*span.trace_id, &*span.parent_id), ("asks", trace, caller));
    assert_eq!(sampled, format!("00-{trace}-{}-01", span.id));
}

fn a_dead_collector_is_nobodys_problem() {
    // Nobody listens there any more.
    let url = Collector::start(200).url();
    let ended = Program::new().arg("--otlp-endpoint").arg(&url).invoke(&message("echo", ""));
    assert_eq!((ended.status.code(), &*ended.stdout), (Some(0), "1\n"), "{}", ended.stderr);
    assert_eq!(ended.stderr.matches("spans could not be exported").count(), 1, "{}", ended.stderr);

    // And this one never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://me:secret@{}", silent.local_addr().unwrap());
    let daemon = Program::new().arg("--otlp-endpoint").arg(&url).serve();
    for _ in 0..100 {
        assert_eq!(daemon.post(&message("echo", ""), ""), 200);
    }
    let ended = daemon.stop();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains(r#""message":"stopped""#) && !ended.stderr.contains("secret"), "{}", ended.stderr);
}

fn a_collector_that_refuses_is_told_of() {
    let collector = Collector::start(400);
    let ended = Program::new().arg("--otlp-endpoint").arg(&collector.url()).invoke(&message("echo", ""));
    assert_eq!((ended.status.code(), &*ended.stdout), (Some(0), "1\n"), "{}", ended.stderr);
    assert!(ended.stderr.contains("spans could not be exported"), "{}", ended.stderr);
    assert_eq!(collector.take().len(), 1);
}

fn the_environment_names_the_service() {
    let collector = Collector::start(200);
    let program = Program::new().env("OTEL_SERVICE_NAME", "orders").arg("--otlp-endpoint").arg(&collector.url());
    assert_eq!(program.invoke(&message("echo", "")).status.code(), Some(0));
    assert_eq!(collector.take()[0].service(), "orders");
}

fn an_endpoint_that_makes_no_sense_is_refused() {
    for url in ["me:secret@host", "ftp://me:secret@host", "http://me:secret@"] {
        let ended = Program::new().arg("--otlp-endpoint").arg(url).invoke(&message("echo", ""));
        assert_eq!((ended.status.code(), &*ended.stdout), (Some(78), ""));
        assert!(ended.stderr.contains("--otlp-endpoint") && !ended.stderr.contains("secret"), "{}", ended.stderr);
    }
}
