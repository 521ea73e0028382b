//! The caller's trace, which goes on to the platform.

use serde_json::{Value, json};
use whole_program_tests::daemon::Daemon;
use whole_program_tests::http::request;

use super::platform::Platform;
use super::{forms, library};
use crate::message;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const ACTIVATION: &str = "6f1d6a52-93a0-4a1e-8a8b-0c5f1f3c2d10";
const ACTIVATION_TRACE: &str = "6f1d6a5293a04a1e8a8b0c5f1f3c2d10";

fn asking(platform: &Platform, payload: &Value) -> Value {
    let mut message = message(payload);
    message["apiEndpoint"] = platform.url.as_str().into();
    message["activationId"] = ACTIVATION.into();
    message
}

/// The trace, and the span, that the platform was told of when the skill asked it once.
fn told(daemon: &Daemon, platform: &Platform, headers: &[&str]) -> (String, String) {
    let message = asking(platform, &json!({"how": "plainly"}));
    let answer = daemon.send(request("POST", "/skills/asks-platform/invoke", headers, message.to_string()));
    assert_eq!(answer.payload(), true);
    let asked = platform.asked();
    assert_eq!(asked.len(), 1, "{asked:?}");
    let parts: Vec<&str> = asked[0].header("traceparent").unwrap().split('-').collect();
    assert_eq!((parts.len(), parts[0], parts[1].len(), parts[2].len()), (4, "00", 32, 16), "{parts:?}");
    (parts[1].to_owned(), parts[2].to_owned())
}

#[test]
fn it_is_passed_on() {
    let platform = Platform::start();
    for (form, serve) in forms() {
        let daemon = serve.start();
        let header = format!("traceparent: 00-{TRACE}-00f067aa0ba902b7-01");
        let (trace, span) = told(&daemon, &platform, &[&header]);
        assert_eq!(trace, TRACE, "{form}");
        // Each request is a span of its own.
        assert_ne!(span, "00f067aa0ba902b7", "{form}");
        // Of a version that is not known yet, what is known is read.
        let later = format!("Traceparent: cc-{TRACE}-00f067aa0ba902b7-01-more");
        assert_eq!(told(&daemon, &platform, &[&later]).0, TRACE, "{form}");
        // Without one, the activation says.
        assert_eq!(told(&daemon, &platform, &[]).0, ACTIVATION_TRACE, "{form}");
    }
}

#[test]
fn one_that_is_none_is_ignored() {
    let platform = Platform::start();
    let daemon = library().start();
    for value in [
        "",
        "x",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473é-00f067aa0ba902b7-01",
    ] {
        let header = format!("traceparent: {value}");
        assert_eq!(told(&daemon, &platform, &[&header]).0, ACTIVATION_TRACE, "{value}");
    }
    // Two of them are none.
    let header = format!("traceparent: 00-{TRACE}-00f067aa0ba902b7-01");
    assert_eq!(told(&daemon, &platform, &[&header, &header]).0, ACTIVATION_TRACE);
    daemon.assert_well();
}
