use super::*;
use serde_json::{Value, json};
use skill_sdk::{Context, Result, Skill, testing};

async fn echo(input: Value, _: Context) -> Result<Value> {
    Ok(input)
}

async fn hang(_: Value, context: Context) -> Result<Value> {
    assert!(context.remaining().is_some());
    std::future::pending().await
}

fn host(skills: Vec<Skill>) -> Host {
    Host::new(Skills::linked(skills).unwrap(), Limits::default())
}

fn how() -> How {
    How { skill: None, timeout: Duration::from_mins(1), shutdown: CancellationToken::new(), trace_parent: None }
}

fn message(payload: &Value) -> Vec<u8> {
    testing::message(payload).to_json_with_token().into_bytes()
}

fn problem(outcome: &Outcome) -> Value {
    serde_json::to_value(outcome.problem().expect("a failure")).unwrap()
}

#[test]
fn an_ended_token_is_noticed() {
    let host = host(vec![Skill::new("echo", echo)]);
    let with = |token: testing::Token| testing::message(&1).with_token(token.text());
    let expired = |seconds| testing::Token::new().expired_for(Duration::from_secs(seconds));
    assert!(host.is_expired(&with(expired(60))));
    assert!(!host.is_expired(&with(expired(2))), "clocks differ");
    assert!(!host.is_expired(&with(testing::Token::new())));
    assert!(!host.is_expired(&Message::new(&1).unwrap()));
}

#[tokio::test]
async fn an_answer_comes_back() {
    let outcome = host(vec![Skill::new("echo", echo)]).handle(&message(&json!({"a": 1})), &how()).await;
    assert_eq!(outcome.response(), Some(r#"{"a":1}"#));
    assert_eq!((outcome.exit_code(), outcome.code()), (0, None));
}

#[tokio::test]
async fn a_message_without_an_id_is_given_one() {
    let host = host(vec![Skill::new("echo", echo).without_client()]);
    let outcome = host.handle(br#"{"payload": {"a": 1}}"#, &how()).await;
    assert_eq!(outcome.response(), Some(r#"{"a":1}"#));
    let failing = async |_: Value, context: Context| -> Result<Value> {
        Err(skill_sdk::SkillError::new(context.activation_id()))
    };
    let host = self::host(vec![Skill::new("id", failing).without_client()]);
    let outcome = host.handle(br#"{"payload": 1, "activationId": ""}"#, &how()).await;
    let problem = problem(&outcome);
    assert_eq!(problem["detail"], problem["activationId"]);
    assert!(problem["detail"].as_str().unwrap().parse::<Uuid>().is_ok());
}

#[tokio::test]
async fn who_asks_is_settled_before_what_there_is() {
    let host = host(vec![Skill::new("a", echo), Skill::new("b", echo).without_client()]);
    let refused = host.handle(br#"{"skillName": "c", "payload": 1}"#, &how()).await;
    assert_eq!(refused.code(), Some(Code::TokenMissing));
    let named = testing::message(&1).with_skill_name("c").to_json_with_token();
    let outcome = host.handle(named.as_bytes(), &how()).await;
    assert_eq!(outcome.code(), Some(Code::SkillNotFound));
    assert!(problem(&outcome)["detail"].as_str().unwrap().contains("there are: a, b"));
    let unasked = host.handle(br#"{"skillName": "b", "payload": 1}"#, &how()).await;
    assert_eq!(unasked.response(), Some("1"));
}

#[tokio::test]
async fn sizes_are_limited() {
    let limits = Limits { message: 2000, payload: 10, response: 5 };
    let echo = |limits| Host::new(Skills::linked(vec![Skill::new("echo", echo).without_client()]).unwrap(), limits);
    let handle = async |limits, text: String| echo(limits).handle(text.as_bytes(), &how()).await;
    let payload = |size: usize| format!(r#"{{"payload":"{}"}}"#, "x".repeat(size - 2));
    assert_eq!(handle(limits, payload(5)).await.exit_code(), 0);
    assert_eq!(handle(limits, payload(6)).await.code(), Some(Code::ResponseTooLarge));
    assert_eq!(handle(limits, payload(11)).await.code(), Some(Code::MessageTooLarge));
    let outcome = handle(limits, payload(2000)).await;
    assert_eq!(outcome.code(), Some(Code::MessageTooLarge));
    let detail = problem(&outcome)["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("2012 bytes") && detail.contains("limit of 2000") && detail.contains("managed content"));
}

#[tokio::test]
async fn a_deadline_ends_the_handler() {
    let how = How { timeout: Duration::from_millis(30), ..how() };
    let skill = Skill::new("hang", hang).timeout(Duration::from_mins(1));
    let outcome = host(vec![skill]).handle(&message(&json!(1)), &how).await;
    assert_eq!((outcome.code(), outcome.exit_code()), (Some(Code::Timeout), 75));
    assert!(problem(&outcome)["detail"].as_str().unwrap().contains("within 30ms"));
}

#[tokio::test]
async fn a_skill_may_set_a_shorter_deadline() {
    let skill = Skill::new("hang", hang).timeout(Duration::from_millis(20));
    let outcome = host(vec![skill]).handle(&message(&json!(1)), &how()).await;
    assert!(problem(&outcome)["detail"].as_str().unwrap().contains("within 20ms"));
}

#[tokio::test]
async fn a_shutdown_ends_the_handler() {
    let how = how();
    let shutdown = how.shutdown.clone();
    let skill = Skill::new("hang", move |input: Value, context: Context| {
        shutdown.cancel();
        hang(input, context)
    });
    let outcome = host(vec![skill]).handle(&message(&json!(1)), &how).await;
    assert_eq!((outcome.code(), outcome.exit_code()), (Some(Code::ShuttingDown), 75));
}

#[tokio::test]
async fn the_token_stays_out_of_every_failure() {
    let shout = async |_: Value, context: Context| -> Result<Value> {
        use secrecy::ExposeSecret;
        let token = context.message().token().unwrap().expose_secret();
        Err(skill_sdk::SkillError::new(format!("cannot use {token}")))
    };
    let outcome = host(vec![Skill::new("shout", shout)]).handle(&message(&json!(1)), &how()).await;
    assert_eq!(problem(&outcome)["detail"], "cannot use [token]");
}
