use super::*;
use proptest::prelude::*;
use serde_json::json;

fn round_trip(text: &str) -> Value {
    serde_json::from_str(&text.parse::<Message>().unwrap().to_json_with_token()).unwrap()
}

fn refusal(text: &str) -> String {
    let error = text.parse::<Message>().unwrap_err();
    assert_eq!(error.code(), Code::InvalidMessage, "{text}");
    error.detail().strip_prefix("the message is not valid: ").expect("the prefix").to_owned()
}

#[test]
fn the_message_of_the_contract_is_read_and_written() {
    let text = include_str!("../../tests/messages/complete.json");
    let message: Message = text.parse().unwrap();
    assert_eq!(message.activation_id(), Some("6f1d6a52-93a0-4a1e-8a8b-0c5f1f3c2d10"));
    assert_eq!(message.session_id(), message.activation_id());
    assert_eq!(message.api_endpoint(), Some("http://cortex-internal.cortex.svc.cluster.local"));
    assert_eq!(message.project_id(), Some("orders-dev"));
    assert_eq!(message.skill_name(), Some("acme/order-check"));
    assert_eq!(message.output_name(), Some("response"));
    assert_eq!(message.channel_id(), Some("2c1b7d70-5f0e-4a2e-9a51-8b5b7f0f5a77"));
    assert_eq!(message.agent_name(), Some(""));
    assert_eq!(message.timestamp().unwrap().as_millisecond(), 1_718_000_000_000);
    assert_eq!(message.payload::<Value>().unwrap(), json!({"order": 17, "lines": ["a", "b"]}));
    assert_eq!(message.properties::<Value>().unwrap()["limit"], 3);
    assert_eq!(round_trip(text), serde_json::from_str::<Value>(text).unwrap());
}

#[test]
fn unknown_fields_survive_digit_by_digit() {
    let text = r#"{"payload":{"b":1.10,"a":1e400},"future":{"z":12345678901234567890123,"a":[]},"é":null}"#;
    let message: Message = text.parse().unwrap();
    assert_eq!(message.other("é"), Some(Value::Null));
    assert_eq!(message.other("nothing"), None);
    let written = message.to_json_with_token();
    assert!(written.contains(r#""payload":{"b":1.10,"a":1e400}"#), "{written}");
    assert!(written.contains(r#""future":{"z":12345678901234567890123,"a":[]}"#), "{written}");
    assert!(written.contains(r#""é":null"#), "{written}");
}

#[test]
fn absent_fields_read_as_nothing() {
    let message: Message = "{}".parse().unwrap();
    assert_eq!(message.payload_json(), "null");
    assert_eq!(message.properties_json(), "{}");
    assert_eq!(message.session_id(), None);
    assert!(message.token().is_none() && message.api_endpoint().is_none() && message.timestamp().is_none());
    let nulls: Message =
        r#"{"activationId":null,"properties":null,"timestamp":null,"agentName":null}"#.parse().unwrap();
    assert!(nulls.activation_id().is_none() && nulls.agent_name().is_none());
}

#[test]
fn a_session_is_that_of_the_activation_unless_the_caller_gave_one() {
    for (json, session) in [
        (r#"{"sessionId":"s","activationId":"a"}"#, Some("s")),
        (r#"{"sessionId":"s"}"#, Some("s")),
        (r#"{"sessionId":"","activationId":"a"}"#, Some("a")),
        (r#"{"sessionId":null,"activationId":"a"}"#, Some("a")),
        (r#"{"sessionId":"","activationId":""}"#, None),
    ] {
        assert_eq!(json.parse::<Message>().unwrap().session_id(), session, "{json}");
    }
}

#[test]
fn a_null_credential_is_an_empty_one() {
    let message: Message = r#"{"token":null,"apiEndpoint":null,"projectId":null}"#.parse().unwrap();
    assert_eq!(message.token().map(ExposeSecret::expose_secret), Some(""));
    assert_eq!((message.api_endpoint(), message.project_id()), (Some(""), Some("")));
}

#[test]
fn a_timestamp_is_a_number_or_a_text() {
    for (json, millisecond) in [
        ("1718000000000", Some(1_718_000_000_000)),
        (r#""1718000000000""#, Some(1_718_000_000_000)),
        (r#""2024-06-10T06:13:20Z""#, Some(1_718_000_000_000)),
        (r#""yesterday""#, None),
        ("1e400", None),
    ] {
        let text = format!(r#"{{"timestamp":{json},"payload":1}}"#);
        let message: Message = text.parse().unwrap();
        assert_eq!(message.timestamp().map(Timestamp::as_millisecond), millisecond, "{json}");
        let expected = millisecond.map_or(json.to_owned(), |number: i64| number.to_string());
        assert!(message.to_json_with_token().contains(&format!(r#""timestamp":{expected}"#)), "{json}");
    }
}

#[test]
fn what_is_no_message_is_refused() {
    for (text, why) in [
        ("", "it is empty"),
        (" \n", "it is empty"),
        ("not json", "it is not JSON"),
        ("[1]", "it is JSON, but not an object"),
        ("42", "it is JSON, but not an object"),
        ("\"eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ1In0.c2ln\"", "it is JSON, but not an object"),
        (r#"{"token": 5}"#, "`token` must be text"),
        (r#"{"apiEndpoint": ["x"]}"#, "`apiEndpoint` must be text"),
        (r#"{"properties": [1]}"#, "`properties` has the wrong type"),
        (r#"{"timestamp": {}}"#, "`timestamp` has the wrong type"),
        (r#"{"token": "a", "token": "b"}"#, "the field `token` stands twice"),
        (r#"{"payload": 1, "payload": 2}"#, "the field `payload` stands twice"),
        (r#"{"skillName": null, "skillName": "n"}"#, "the field `skillName` stands twice"),
        (r#"{"properties": null, "properties": {}}"#, "the field `properties` stands twice"),
        (r#"{"x": 1, "x": 2}"#, "the field `x` stands twice"),
        (r#"{"payload": 1} x"#, "trailing characters"),
        (r#"{"payload": 1"#, "EOF while parsing an object"),
    ] {
        assert_eq!(refusal(text).split(" at line ").next(), Some(why), "{text}");
    }
    assert_eq!(Message::from_slice(b"{\"a\": \"\xff\"}").unwrap_err().code(), Code::InvalidMessage);
}

#[test]
fn depth_costs_no_stack() {
    let deep = |n: usize| format!(r#"{{"payload":{}1{}}}"#, "[".repeat(n), "]".repeat(n));
    let message: Message = deep(1_000_000).parse().unwrap();
    let error = message.payload::<Value>().unwrap_err();
    assert_eq!(error.code(), Code::InvalidPayload);
    refusal(&format!(r#"{{"payload":{}"#, "[".repeat(1_000_000)));
    refusal(&format!(r#"{{"token":{}"#, "[".repeat(1_000_000)));
}

#[test]
fn a_bad_payload_or_property_is_pointed_at() {
    let message: Message = r#"{"payload":{"n":"x"},"properties":{"limit":"y"}}"#.parse().unwrap();
    let error = message.payload::<std::collections::BTreeMap<String, u8>>().unwrap_err();
    assert_eq!((error.code(), error.pointer()), (Code::InvalidPayload, Some("/n")));
    let error = message.properties::<std::collections::BTreeMap<String, u8>>().unwrap_err();
    assert_eq!((error.code(), error.pointer()), (Code::InvalidMessage, Some("/properties/limit")));
}

#[test]
fn builders_write_what_readers_read() {
    let message = Message::new(&json!({"a": 1}))
        .unwrap()
        .with_activation_id("a")
        .with_session_id("s")
        .with_skill_name("n")
        .with_output_name("o")
        .with_channel_id("c")
        .with_timestamp(Timestamp::from_millisecond(5).unwrap())
        .with_properties(&json!({"p": true}))
        .unwrap();
    let written = json!({
        "payload": {"a": 1}, "activationId": "a", "sessionId": "s", "skillName": "n", "outputName": "o", "channelId": "c",
        "timestamp": 5, "properties": {"p": true}
    });
    assert_eq!(round_trip(&message.to_json_with_token()), written);
    assert!(Message::new(&1).unwrap().with_properties(&[1]).is_err());
}

#[test]
fn debug_shows_neither_token_nor_content() {
    let message: Message = r#"{"token":"hunter2","payload":"hunter2","properties":{"k":"hunter2"}}"#.parse().unwrap();
    let shown = format!("{message:?}");
    assert!(!shown.contains("hunter2"), "{shown}");
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(".{0,4}", inner, 0..4).prop_map(Value::from_iter),
        ]
    })
}

proptest! {
    #[test]
    fn any_object_without_the_known_fields_survives(fields in prop::collection::btree_map("x.{0,6}", any_json(), 0..6), payload in any_json()) {
        let mut fields: serde_json::Map<String, Value> = fields.into_iter().collect();
        fields.insert("payload".into(), payload);
        let value = Value::Object(fields);
        prop_assert_eq!(round_trip(&value.to_string()), value);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = Message::from_slice(&bytes);
    }
}
