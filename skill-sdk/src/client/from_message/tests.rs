use super::*;
use crate::testing;

#[test]
fn a_message_makes_a_client() {
    let message = testing::message(&1).with_api_endpoint("http://127.0.0.1:8000/");
    let client = Client::from_message(&message).unwrap();
    assert_eq!(client.api_endpoint(), "http://127.0.0.1:8000");
    assert_eq!(
        client.project_url(["content", "a b/ü"]).path(),
        "/fabric/v4/projects/test-project/content/a%20b%2F%C3%BC"
    );
}

#[test]
fn every_absent_or_empty_key_is_named() {
    let token = testing::Token::new().text();
    let token = token.expose_secret();
    for (message, code, missing) in [
        (serde_json::json!({}), Code::TokenMissing, vec!["apiEndpoint", "token", "projectId"]),
        (serde_json::json!({"apiEndpoint": "http://h", "projectId": "p"}), Code::TokenMissing, vec!["token"]),
        (
            serde_json::json!({"apiEndpoint": "http://h", "projectId": "p", "token": ""}),
            Code::TokenMissing,
            vec!["token"],
        ),
        (
            serde_json::json!({"apiEndpoint": "http://h", "projectId": "p", "token": null}),
            Code::TokenMissing,
            vec!["token"],
        ),
        (
            serde_json::json!({"apiEndpoint": "", "projectId": "p", "token": token}),
            Code::InvalidMessage,
            vec!["apiEndpoint"],
        ),
        (
            serde_json::json!({"apiEndpoint": null, "token": token}),
            Code::InvalidMessage,
            vec!["apiEndpoint", "projectId"],
        ),
    ] {
        let error = Client::from_message(&message).unwrap_err();
        assert_eq!(
            (error.code(), error.missing()),
            (code, &missing.iter().map(|&m| m.into()).collect::<Vec<Value>>()[..]),
            "{message}"
        );
        assert!(
            error.detail().starts_with("Skill message must contain these keys: ('apiEndpoint', 'token', 'projectId')"),
            "{error}"
        );
    }
}

#[test]
fn an_endpoint_must_be_the_url_of_a_platform() {
    for url in [
        "api.example.com",
        "ftp://h",
        "file:///etc/passwd",
        "http://",
        "http://u:p@h",
        "http://h?a=b",
        "http://h#f",
        "data:x",
    ] {
        let error = Client::from_message(testing::message(&1).with_api_endpoint(url)).unwrap_err();
        assert_eq!(error.code(), Code::InvalidMessage, "{url}");
        assert!(error.detail().starts_with("`apiEndpoint` "), "{error}");
    }
    for project in [".", ".."] {
        let error = Client::from_message(testing::message(&1).with_project_id(project)).unwrap_err();
        assert_eq!(error.code(), Code::InvalidMessage);
    }
}

#[test]
fn a_bad_or_expired_token_is_refused() {
    let with = |token| Client::from_message(testing::message(&1).with_token(token)).unwrap_err();
    assert_eq!(with("asda".into()).code(), Code::TokenInvalid);
    assert_eq!(with(testing::Token::new().without("exp").text()).code(), Code::TokenInvalid);
    assert!(with(testing::Token::new().expired_for(std::time::Duration::from_mins(1)).text()).is_token_expired());
    let just_now = testing::Token::new().expired_for(std::time::Duration::from_secs(3)).text();
    assert!(Client::from_message(testing::message(&1).with_token(just_now)).is_ok());
}

#[test]
fn debug_does_not_show_the_token() {
    let shown = format!("{:?}", Client::from_message(testing::message(&1)).unwrap());
    assert!(shown.contains("test-project") && !shown.contains("eyJ"), "{shown}");
}

#[tokio::test]
async fn a_sample_message_is_one_that_makes_a_client() {
    let client = Client::from_message(testing::message(&1).with_api_endpoint("http://127.0.0.1:8000/below/")).unwrap();
    let message = client.message(&serde_json::json!({"a": 1.5}), &serde_json::json!({"p": true})).await.unwrap();
    assert_eq!((message.payload_json(), message.properties_json()), (r#"{"a":1.5}"#, r#"{"p":true}"#));
    // Also when it comes as JSON.
    for again in [Client::from_message(&message), Client::from_message(&*message.to_json_with_token())] {
        let again = again.unwrap();
        assert_eq!((again.api_endpoint(), again.project()), ("http://127.0.0.1:8000/below", "test-project"));
        let tokens = [client.token().await.unwrap(), again.token().await.unwrap()];
        let [token, same] = tokens.each_ref().map(|token| token.secret().expose_secret());
        assert_eq!(token, same);
    }
    let elsewhere = client.with_project("elsewhere").unwrap().message(&(), &serde_json::json!({})).await.unwrap();
    assert_eq!(elsewhere.project_id(), Some("elsewhere"));
    assert_eq!(client.message(&1, &[1]).await.unwrap_err().code(), Code::InvalidMessage);
}
