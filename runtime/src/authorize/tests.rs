use super::clock::pass;
use super::*;
use crate::host::{Host, How, Limits};
use crate::outcome::Outcome;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use skill_sdk::iam::{Acl, Action, Scope};
use skill_sdk::testing::{self, Token};
use skill_sdk::{Message, Skill};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// A platform that inspects tokens as a test says, and notes who asked for it.
struct Platform {
    url: String,
    /// Method, path, token and application of each request.
    asked: Arc<Mutex<Vec<[String; 4]>>>,
    /// Without a permit there is no answer.
    permits: Arc<Semaphore>,
}

impl Platform {
    async fn start(answer: impl Fn(usize) -> Response + Clone + Send + Sync + 'static) -> Self {
        let asked: Arc<Mutex<Vec<_>>> = Arc::default();
        let permits = Arc::new(Semaphore::new(Semaphore::MAX_PERMITS));
        let (noted, permitted) = (Arc::clone(&asked), Arc::clone(&permits));
        let handle = move |request: Request| {
            let header = |name| request.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
            let parts = (request.method().to_string(), request.uri().to_string());
            let turn = {
                let mut noted = noted.lock().unwrap();
                noted.push([parts.0, parts.1, header("authorization"), header("x-cdp-app")]);
                noted.len() - 1
            };
            let (permitted, answer) = (Arc::clone(&permitted), answer.clone());
            async move {
                permitted.acquire().await.unwrap().forget();
                answer(turn)
            }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(handle)).await });
        Self { url, asked, permits }
    }

    /// One that says that every token is good for these in the project `test-project`.
    async fn granting(capabilities: impl IntoIterator<Item = Capability>) -> Self {
        let inspection = inspection(capabilities);
        Self::start(move |_| inspection.to_string().into_response()).await
    }

    fn message(&self, token: &Token) -> Message {
        testing::message(&1).with_api_endpoint(&self.url).with_token(token.text())
    }

    /// How often it was asked.
    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    /// Waits until it was asked so often.
    async fn until_asked(&self, times: usize) {
        while self.asked() < times {
            tokio::task::yield_now().await;
        }
    }
}

fn inspection(capabilities: impl IntoIterator<Item = Capability>) -> Value {
    let entry = |capability: Capability| {
        let mut entry = serde_json::to_value(capability).unwrap();
        entry["projectScope"] = json!({"projects": ["test-project"]});
        entry
    };
    let capabilities: Vec<Value> = capabilities.into_iter().map(entry).collect();
    json!({"subject": "u", "projects": [], "capabilities": capabilities})
}

fn read(acl: Acl) -> Capability {
    Capability::new(acl, [Action::Read], Scope::all())
}

/// Skills that count their runs: `assets` and `events` require to read these, `open` nothing.
struct Stage {
    host: Host,
    runs: Arc<AtomicUsize>,
}

impl Stage {
    fn set() -> Self {
        let runs = Arc::new(AtomicUsize::new(0));
        let skill = |name: &str| {
            let runs = Arc::clone(&runs);
            Skill::new(name, move |_: Value, _: skill_sdk::Context| {
                let run = runs.fetch_add(1, Ordering::SeqCst);
                std::future::ready(Ok::<_, skill_sdk::SkillError>(run))
            })
        };
        let skills = vec![
            skill("open"),
            skill("assets").requires([read(Acl::Assets)]),
            skill("events").without_client().requires([read(Acl::Events)]),
        ];
        let skills = Skills::linked(skills).unwrap();
        let authorizer = Authorizer::of(&skills).with_clock(clock::now);
        Self { host: Host::new(skills, Limits::default()).with_authorizer(authorizer), runs }
    }

    async fn run(&self, skill: &str, message: Message) -> Outcome {
        self.run_until(skill, message, CancellationToken::new()).await
    }

    async fn run_until(&self, skill: &str, message: Message, shutdown: CancellationToken) -> Outcome {
        let how = How { skill: Some(skill.to_owned()), timeout: Duration::from_mins(1), shutdown, trace_parent: None };
        self.host.answer(message, &how).await
    }

    /// Runs a skill that the caller may run.
    async fn allowed(&self, skill: &str, message: Message) {
        let before = self.runs();
        let outcome = self.run(skill, message).await;
        assert_eq!(outcome.response(), Some(before.to_string().as_str()), "{outcome:?}");
    }

    /// Asks for a skill, and gives the problem.
    async fn refused(&self, skill: &str, message: Message, code: Code) -> Value {
        let before = self.runs();
        let outcome = self.run(skill, message).await;
        assert_eq!((outcome.code(), self.runs()), (Some(code), before), "{outcome:?}");
        serde_json::to_value(outcome.problem()).unwrap()
    }

    fn runs(&self) -> usize {
        self.runs.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn whoever_has_what_is_required_comes_through() {
    let (stage, token) = (Stage::set(), Token::new());
    let platform =
        Platform::granting([Capability::new(Acl::Assets, [Action::Write, Action::Read], Scope::all())]).await;
    stage.allowed("assets", platform.message(&token)).await;
    let bearer = format!("Bearer {}", token.text().expose_secret());
    let asked = ["GET", "/api/v1/token/inspect", &bearer, "skill-runtime"].map(str::to_owned);
    assert_eq!(*platform.asked.lock().unwrap(), [asked]);
}

#[tokio::test]
async fn whoever_lacks_something_is_told_what() {
    let platform = Platform::granting([Capability::new(Acl::Events, [Action::Write], Scope::dataset([1, 2]))]).await;
    let requires = [
        Capability::new(Acl::Events, [Action::Write, Action::Read], Scope::dataset([3, 2])),
        read(Acl::Assets),
        Capability::new(Acl::Events, [Action::Write], Scope::dataset([1])),
    ];
    let never = async |_: Value, _: skill_sdk::Context| -> skill_sdk::Result<Value> { panic!("it must not run") };
    let skills = Skills::linked(vec![Skill::new("s", never).requires(requires)]).unwrap();
    let host = Host::new(skills, Limits::default());
    let how =
        How { skill: None, timeout: Duration::from_mins(1), shutdown: CancellationToken::new(), trace_parent: None };
    for _ in 0..2 {
        let outcome = host.answer(platform.message(&Token::new()), &how).await;
        assert_eq!(outcome.exit_code(), 77);
        let problem = serde_json::to_value(outcome.problem()).unwrap();
        assert_eq!((&problem["code"], &problem["status"]), (&json!("missing_capabilities"), &json!(403)));
        let event = |action, id| {
            let scope = json!({"datasetScope": {"ids": [id]}});
            json!({"eventsAcl": {"actions": [action], "scope": scope}})
        };
        assert_eq!(
            problem["missing"],
            json!([
                {"assetsAcl": {"actions": ["READ"], "scope": {"all": {}}}},
                event("READ", 2),
                event("READ", 3),
                event("WRITE", 3),
            ])
        );
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.starts_with(r#"the caller lacks {"assetsAcl":"#) && detail.ends_with(" and 1 more"), "{detail}");
    }
    assert_eq!(platform.asked(), 1);
}

#[tokio::test]
async fn what_requires_nothing_asks_nobody() {
    let stage = Stage::set();
    let platform = Platform::granting([]).await;
    stage.allowed("open", platform.message(&Token::new())).await;
    assert_eq!(platform.asked(), 0);
}

#[tokio::test]
async fn a_skill_without_client_needs_a_complete_message_all_the_same() {
    let stage = Stage::set();
    let problem = stage.refused("events", Message::new(&1).unwrap(), Code::TokenMissing).await;
    assert_eq!(problem["missing"], json!(["apiEndpoint", "token", "projectId"]));
}

#[tokio::test]
async fn a_token_is_inspected_once_a_minute_for_all_skills() {
    let (stage, token) = (Stage::set(), Token::new());
    let platform = Platform::granting([read(Acl::Assets)]).await;
    for _ in 0..3 {
        stage.allowed("assets", platform.message(&token)).await;
        stage.refused("events", platform.message(&token), Code::MissingCapabilities).await;
    }
    pass(Duration::from_secs(30));
    stage.allowed("assets", platform.message(&token)).await;
    assert_eq!(platform.asked(), 1);
    pass(Duration::from_secs(30));
    stage.allowed("assets", platform.message(&token)).await;
    stage.refused("events", platform.message(&token), Code::MissingCapabilities).await;
    assert_eq!(platform.asked(), 2);
}

#[tokio::test]
async fn what_is_given_or_taken_counts_after_a_minute() {
    let (stage, token) = (Stage::set(), Token::new());
    let platform = Platform::start(|turn| {
        let acl = if turn == 1 { Acl::Assets } else { Acl::Events };
        inspection([read(acl)]).to_string().into_response()
    })
    .await;
    stage.refused("assets", platform.message(&token), Code::MissingCapabilities).await;
    pass(LONGEST);
    stage.allowed("assets", platform.message(&token)).await;
    pass(LONGEST);
    stage.refused("assets", platform.message(&token), Code::MissingCapabilities).await;
    assert_eq!(platform.asked(), 3);
}

#[tokio::test]
async fn nothing_is_remembered_beyond_the_end_of_the_token() {
    let stage = Stage::set();
    let platform = Platform::granting([read(Acl::Assets)]).await;
    let short = Token::new().expires_in(Duration::from_secs(40));
    stage.allowed("assets", platform.message(&short)).await;
    pass(Duration::from_secs(20));
    stage.allowed("assets", platform.message(&short)).await;
    assert_eq!(platform.asked(), 1);
    pass(Duration::from_secs(20));
    stage.allowed("assets", platform.message(&short)).await;
    assert_eq!(platform.asked(), 2);

    // By the leeway, one that ended a moment ago is good for once.
    let ended = Token::new().expired_for(Duration::from_secs(1));
    for asked in [3, 4] {
        stage.allowed("assets", platform.message(&ended)).await;
        assert_eq!(platform.asked(), asked);
    }
}

#[tokio::test]
async fn another_token_project_or_platform_is_asked_for_anew() {
    let (stage, token) = (Stage::set(), Token::new());
    let platform = Platform::granting([read(Acl::Assets)]).await;
    stage.allowed("assets", platform.message(&token)).await;
    let other = token.clone().with("jti", "other");
    stage.allowed("assets", platform.message(&other)).await;
    assert_eq!(platform.asked(), 2);
    let elsewhere = platform.message(&token).with_project_id("elsewhere");
    stage.refused("assets", elsewhere, Code::MissingCapabilities).await;
    assert_eq!(platform.asked(), 3);
    let strict = Platform::granting([]).await;
    stage.refused("assets", strict.message(&token), Code::MissingCapabilities).await;
    assert_eq!((platform.asked(), strict.asked()), (3, 1));
    stage.allowed("assets", platform.message(&token)).await;
    stage.allowed("assets", platform.message(&other)).await;
    assert_eq!(platform.asked(), 3);
}

#[test]
fn the_parts_of_a_fingerprint_are_kept_apart() {
    let client = |url: &str, project: &str| {
        let message = testing::message(&1).with_api_endpoint(url).with_project_id(project);
        Client::from_message(&message).unwrap()
    };
    let token = AccessToken::decode(Token::new().text()).unwrap();
    let of = |url, project| fingerprint(&token, &client(url, project));
    assert_eq!(of("http://h/a", "b"), of("http://h/a/", "b"));
    assert_ne!(of("http://h/a", "bc"), of("http://h/ab", "c"));
}

#[tokio::test]
async fn those_who_come_at_once_ask_once() {
    let (stage, token) = (Arc::new(Stage::set()), Token::new());
    let platform = Platform::granting([read(Acl::Assets)]).await;
    platform.permits.forget_permits(Semaphore::MAX_PERMITS);
    let run = |skill: &'static str| {
        let (stage, message) = (Arc::clone(&stage), platform.message(&token));
        tokio::spawn(async move { stage.run(skill, message).await.code() })
    };
    let running: Vec<_> = (0..40).map(|number| run(["assets", "events"][number % 2])).collect();
    platform.until_asked(1).await;
    assert!(running.iter().all(|run| !run.is_finished()));
    platform.permits.add_permits(40);
    for (number, run) in running.into_iter().enumerate() {
        assert_eq!(run.await.unwrap(), [None, Some(Code::MissingCapabilities)][number % 2]);
    }
    assert_eq!(platform.asked(), 1);
}

#[tokio::test]
async fn one_that_is_cancelled_takes_nothing_from_the_others() {
    let (stage, token) = (Arc::new(Stage::set()), Token::new());
    let platform = Platform::granting([read(Acl::Assets)]).await;
    platform.permits.forget_permits(Semaphore::MAX_PERMITS);
    let shutdown = CancellationToken::new();
    let run = |shutdown: CancellationToken| {
        let (stage, message) = (Arc::clone(&stage), platform.message(&token));
        tokio::spawn(async move { stage.run_until("assets", message, shutdown).await.code() })
    };
    let first = run(shutdown.clone());
    platform.until_asked(1).await;
    let second = run(CancellationToken::new());
    tokio::task::yield_now().await;
    shutdown.cancel();
    assert_eq!(first.await.unwrap(), Some(Code::ShuttingDown));
    platform.permits.add_permits(1);
    assert_eq!(second.await.unwrap(), None);
    assert_eq!((platform.asked(), stage.runs()), (1, 1));
}

#[tokio::test]
async fn the_deadline_counts_while_the_platform_is_asked() {
    let stage = Stage::set();
    let platform = Platform::granting([read(Acl::Assets)]).await;
    platform.permits.forget_permits(Semaphore::MAX_PERMITS);
    let how = How {
        skill: Some("assets".to_owned()),
        timeout: Duration::from_millis(30),
        shutdown: CancellationToken::new(),
        trace_parent: None,
    };
    let outcome = stage.host.answer(platform.message(&Token::new()), &how).await;
    assert_eq!((outcome.code(), stage.runs()), (Some(Code::Timeout), 0));
}

#[tokio::test]
async fn a_platform_that_does_not_tell_is_no_failure_of_the_skill() {
    let refusal = |status: u16, message: &str| {
        let body = json!({"error": {"code": status, "message": message}}).to_string();
        (StatusCode::from_u16(status).unwrap(), [("retry-after", "0")], body).into_response()
    };
    // The code, and how often the platform is asked.
    for (status, message, code, asked) in [
        (401, "Unauthorized", Code::TokenInvalid, 1),
        (401, "The token has expired", Code::TokenExpired, 1),
        (400, "odd", Code::PlatformUnavailable, 1),
        (403, "not for you", Code::PlatformUnavailable, 1),
        (404, "no such thing", Code::PlatformUnavailable, 1),
        (429, "too many", Code::PlatformUnavailable, 4),
        (500, "broken", Code::PlatformUnavailable, 1),
        (503, "not now", Code::PlatformUnavailable, 4),
        (200, "no inspection", Code::PlatformUnavailable, 1),
    ] {
        let (stage, token) = (Stage::set(), Token::new());
        let platform = Platform::start(move |turn| match turn {
            turn if turn < asked => refusal(status, message),
            _ => inspection([read(Acl::Assets)]).to_string().into_response(),
        })
        .await;
        let problem = stage.refused("assets", platform.message(&token), code).await;
        let detail = problem["detail"].as_str().unwrap();
        let start = match code {
            Code::PlatformUnavailable => "it is not known what the caller may do: cannot inspect the token",
            _ => "cannot inspect the token: Authentication error: ",
        };
        assert!(detail.starts_with(start) && (status == 200 || detail.contains(message)), "{detail}");
        assert_eq!(platform.asked(), asked, "{status}");
        // The failure is not remembered.
        stage.allowed("assets", platform.message(&token)).await;
        assert_eq!(platform.asked(), asked + 1, "{status}");
    }
}

#[test]
fn what_cannot_be_understood_is_not_run() {
    let skill = |requires: Value| {
        let requires: Vec<Capability> = serde_json::from_value(requires).unwrap();
        let echo = async |input: Value, _: skill_sdk::Context| -> skill_sdk::Result<Value> { Ok(input) };
        let skills = vec![Skill::new("fine", echo), Skill::new("guarded", echo).requires(requires)];
        Skills::linked(skills).map(drop).map_err(|error| (error.code(), error.chain()))
    };
    let all = json!({"all": {}});
    let asset = json!({"assetsAcl": {"actions": ["READ"], "scope": all}});
    let nothing = json!({"assetsAcl": {"actions": ["READ"], "scope": {"datasetScope": {"ids": []}}}});
    let legacy = json!({"genericsAcl": {"actions": ["READ"], "scope": all}});
    assert_eq!(skill(json!([])), Ok(()));
    assert_eq!(skill(json!([asset])), Ok(()));

    let start = "the skill `guarded` of the program cannot be used: it requires ";
    for (requires, what, why) in [
        (json!([asset, {"moonAcl": {"actions": ["LAND"], "scope": all}}]), r#"{"moonAcl":"#, "known ACLs"),
        (
            json!([{"assetsAcl": {"actions": ["FLY"], "scope": all}}]),
            r#"{"assetsAcl":{"actions":["FLY"]"#,
            "'FLY' is not",
        ),
        (json!([{"assetsAcl": {"actions": ["READ"], "scope": {"moonScope": {}}}}]), r#"{"assetsAcl":"#, "'moonScope'"),
        (
            json!([{"assetsAcl": {"actions": ["READ"], "scope": {"idScope": {"ids": [1]}}}}]),
            r#"{"assetsAcl":"#,
            "idScope",
        ),
        // Beside others too: that there is nothing to check must not go unnoticed.
        (json!([asset, nothing]), r#"{"assetsAcl":"#, "which nobody could lack: No capabilities given"),
        (json!([asset, legacy]), r#"{"genericsAcl":"#, "which nobody could lack"),
    ] {
        let (code, detail) = skill(requires).unwrap_err();
        assert_eq!(code, Code::SkillNotFound);
        let said = detail.strip_prefix(start).unwrap_or_else(|| panic!("{detail}"));
        assert!(said.starts_with(what) && said.contains(why), "{detail}");
    }
}
