//! What an expired token means: the same wherever it is noticed, however a skill is run and whatever it makes of the error.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::extract::Request;
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use skill_sdk::testing::Token;
use whole_program_tests::{Ended, Run, built, program, skill_runtime};

use super::{message, samples, token_text};

const AUTH_ERROR: HeaderName = HeaderName::from_static("x-auth-error");

/// How a platform answers whoever asks for content.
type Answer = fn(turn: usize) -> Response;

/// A platform that tells the time, and gives this answer to everything else.
struct Platform {
    url: String,
    asked: Arc<AtomicUsize>,
}

impl Platform {
    async fn start(answer: Answer) -> Self {
        let asked = Arc::new(AtomicUsize::new(0));
        let turns = Arc::clone(&asked);
        let handle = async move |request: Request| match request.uri().path() {
            "/fabric/v4/info" => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
                json!({"serverTs": now.as_millis()}).to_string().into_response()
            }
            _ => answer(turns.fetch_add(1, Ordering::SeqCst)),
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(handle)).await });
        Self { url, asked }
    }

    fn message(&self, payload: &Value, token: &Token) -> Value {
        let mut message = message(payload);
        message["apiEndpoint"] = self.url.as_str().into();
        message["token"] = token_text(token).into();
        message
    }
}

fn living() -> Token {
    Token::new()
}

fn dead() -> Token {
    Token::new().with("exp", 1_718_000_000)
}

/// A token that dies while the handler runs, and is dead to the client at once.
fn dying() -> Token {
    Token::new().expires_in(Duration::from_secs(2))
}

fn accepts(_: usize) -> Response {
    StatusCode::OK.into_response()
}

fn says_401(_: usize) -> Response {
    let challenge = r#"Bearer error="invalid_token", error_description="The token expired""#;
    (StatusCode::UNAUTHORIZED, [("www-authenticate", challenge)]).into_response()
}

fn says_302(_: usize) -> Response {
    (StatusCode::FOUND, [(AUTH_ERROR, "token expired")]).into_response()
}

fn says_302_once(turn: usize) -> Response {
    if turn == 0 { says_302(turn) } else { accepts(turn) }
}

/// The triggers and forms of a skill. A new one joins the matrix here.
fn forms() -> [(&'static str, Run); 2] {
    let linked = program(Path::new(env!("CARGO_BIN_EXE_linked-misbehaving"))).arg("invoke");
    let library = skill_runtime().arg("invoke").arg(&built().misbehaving);
    [("invoke linked", linked), ("invoke library", library)]
}

async fn end(run: Run, message: &Value) -> Ended {
    let args = ["--skill".to_owned(), "asks-platform".to_owned(), message.to_string()];
    tokio::task::spawn_blocking(move || { run }.args(args).end()).await.unwrap()
}

struct Case {
    name: &'static str,
    how: &'static str,
    token: fn() -> Token,
    answer: Answer,
    leeway: &'static str,
    /// The code, or the answer.
    expected: Result<bool, &'static str>,
    /// How often the platform is asked.
    asked: usize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_token_is_one_thing() {
    let case =
        |name, how, token, answer, expected, asked| Case { name, how, token, answer, leeway: "0s", expected, asked };
    let expired = Err("token_expired");
    let cases = [
        case("expired before", "plainly", dead as fn() -> Token, accepts as Answer, expired, 0),
        case("expires while the handler sleeps", "late", dying, accepts, expired, 0),
        Case { leeway: "10s", ..case("expires, and the platform says so", "late", dying, says_302, expired, 1) },
        case("the platform says 401", "plainly", living, says_401, expired, 1),
        case("the platform says 302 with X-Auth-Error", "plainly", living, says_302, expired, 1),
        case("wrapped in anyhow", "in-anyhow", living, says_302, expired, 1),
        case("wrapped in an enum", "in-an-enum", living, says_302, expired, 1),
        case("wrapped in everything", "deep", living, says_401, expired, 1),
        case("a renewable source", "with-config", living, says_302_once, Ok(true), 2),
        case("a renewable source that does not help", "with-config", living, says_302, expired, 2),
        case("swallowed", "swallowing", living, says_302, Ok(false), 1),
    ];
    for Case { name, how, token, answer, leeway, expected, asked } in cases {
        for (form, run) in forms() {
            let platform = Platform::start(answer).await;
            let config = samples::config_of_nobody(&platform.url);
            let message = platform.message(&json!({"how": how, "config": config}), &token());
            let run = run.args(["--leeway", leeway]).env("RUST_LOG", "warn,misbehaving=trace");
            let ended = end(run, &message).await;
            match expected {
                Ok(answer) => assert_eq!(ended.answer(), answer, "{name}, {form}"),
                Err(code) => drop(ended.problem(code)),
            }
            assert_eq!(platform.asked.load(Ordering::SeqCst), asked, "{name}, {form}: {}", ended.stderr);
            let ran = ended.logs().iter().any(|line| line["message"] == "asking");
            assert_eq!(ran, name != "expired before", "{name}, {form}: {}", ended.stderr);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_leeway_is_the_operator_s_in_every_form() {
    let platform = Platform::start(accepts).await;
    built();
    let message = platform.message(&json!({"how": "plainly"}), &Token::new().expired_for(Duration::from_secs(60)));
    for (form, run) in forms() {
        assert_eq!(end(run.args(["--leeway", "5m"]), &message).await.answer(), true, "{form}");
    }
    for (_, run) in forms() {
        end(run, &message).await.problem("token_expired");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_ends_too_early_is_a_warning_or_a_refusal() {
    let platform = Platform::start(accepts).await;
    // Building takes longer than the token lives.
    built();
    let message = platform.message(&json!({"how": "plainly"}), &Token::new().expires_in(Duration::from_secs(40)));
    for (form, run) in forms() {
        let ended = end(run.args(["--timeout", "100s"]), &message).await;
        assert_eq!(ended.answer(), true, "{form}");
        let logs = ended.logs();
        let warning = logs.iter().find(|line| line["message"] == "the token expires before the invocation's deadline");
        let warning = warning.unwrap_or_else(|| panic!("{form}: no warning in {logs:?}"));
        assert_eq!(warning["level"], "WARN");
        assert!(warning["by"].as_str().unwrap().starts_with("1m"), "{warning}");
    }
    for (_, run) in forms() {
        let problem = end(run.args(["--timeout", "100s", "--strict-expiry"]), &message).await.problem("token_expired");
        assert!(problem["detail"].as_str().unwrap().contains("before the invocation's deadline"), "{problem}");
    }
    for (form, run) in forms() {
        let ended = end(run.args(["--timeout", "20s", "--strict-expiry"]), &message).await;
        assert_eq!((ended.answer(), ended.logs().len()), (json!(true), 0), "{form}");
    }
}
