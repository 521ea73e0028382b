use super::*;
use crate::testing;

#[test]
fn a_call_carries_the_whole_message() {
    let text = r#"{"activationId":"a","apiEndpoint":"http://h","token":"t","projectId":"p","sessionId":"s",
        "skillName":"n","outputName":"o","channelId":"c","agentName":"g","timestamp":"1718000000000",
        "payload":[1.50,{"b":1,"a":2}],"properties":{"k":1},"extra":{"x":1e400}}"#;
    let message: Message = text.parse().unwrap();
    let deadline = Instant::now() + Duration::from_secs(5);
    let own = crate::TraceParent::of_activation("a");
    let given = Invocation::new(message.clone()).with_deadline(deadline).with_response_limit(7).with_trace_parent(own);
    let texts = Texts::of(&given);
    let call = Call::new(&given, &texts);
    let shown = format!("{:?}", call.invocation());
    assert!(shown.contains("response_limit: 7") && shown.contains("deadline: Some"), "{shown}");
    let crossed = call.invocation();
    assert_eq!(crossed.trace_parent(), Some(own));
    let crossed = crossed.message();
    assert_eq!(crossed.to_json_with_token(), message.to_json_with_token());
    assert!(crossed.to_json_with_token().contains(r#""payload":[1.50,{"b":1,"a":2}]"#));
    let bare = Invocation::new(Message::new(&()).unwrap());
    assert_eq!(Call::new(&bare, &Texts::of(&bare)).invocation().message().to_json_with_token(), r#"{"payload":null}"#);
}

#[test]
fn a_call_carries_how_clients_are_made_and_whether_one_is_refused() {
    let options = |verify: VerifySslCert| MessageOptions { leeway: Duration::from_secs(7), verify_ssl_cert: verify };
    for verify in [VerifySslCert::Yes, VerifySslCert::No, "/a/bundle".into()] {
        let given = Invocation::new(testing::message(&1)).with_client_options(options(verify.clone()));
        let crossed = Call::new(&given, &Texts::of(&given)).invocation();
        assert_eq!(crossed.client_options(), &options(verify));
        assert!(crossed.client_refused().is_none());
    }
    let why = Error::new(Code::EndpointNotAllowed, "not there");
    let given = Invocation::new(testing::message(&1)).with_client_refused(why);
    let crossed = Call::new(&given, &Texts::of(&given)).invocation();
    let why = crossed.client_refused().unwrap();
    assert_eq!((why.code(), why.detail()), (Code::EndpointNotAllowed, "not there"));
}

#[test]
fn a_reply_carries_a_success_or_a_failure() {
    assert_eq!(Reply::of(Ok("1".into())).bytes().unwrap(), b"1");
    let error = Reply::of(Err(Error::new(Code::TokenExpired, "gone"))).bytes().unwrap_err();
    assert_eq!((error.code(), error.detail()), (Code::TokenExpired, "gone"));
    assert_eq!(Reply::new(true, b"?".to_vec()).bytes().unwrap_err().code(), Code::SkillFailed);
    assert_eq!(Reply::of(Ok(String::new())).bytes().unwrap(), b"");
}

#[test]
fn panics_stop_at_the_boundary() {
    let error = guarded(|| panic!("inside")).bytes().unwrap_err();
    assert_eq!((error.code(), error.detail()), (Code::SkillPanicked, "the skill panicked: inside"));
}

#[tokio::test]
async fn a_skill_that_is_not_there_is_an_error() {
    let invocation = Invocation::new(testing::message(&1));
    let reply = call(usize::MAX, &Call::new(&invocation, &Texts::of(&invocation))).await;
    assert_eq!(reply.bytes().unwrap_err().code(), Code::SkillNotFound);
    assert_eq!(schemas(usize::MAX).bytes().unwrap_err().code(), Code::SkillNotFound);
}

#[test]
fn levels_have_numbers() {
    assert_eq!(level_number(LevelFilter::OFF), 0);
    assert_eq!(level_number(LevelFilter::TRACE), 5);
    assert_eq!((level_of(0), level_of(6)), (None, None));
    for level in LEVELS {
        assert_eq!(level_of(level_number(level.into())), Some(level));
    }
}

#[test]
fn headers_tell_versions_apart() {
    assert!(Header::of::<Plugin>().fits::<Plugin>());
    assert!(!Header { abi_version: ABI_VERSION + 1, ..Header::of::<Plugin>() }.fits::<Plugin>());
    assert!(!Header::of::<Host>().fits::<Plugin>());
}

#[test]
fn what_crosses_may_cross_threads() {
    fn check<T: Send>() {}
    check::<Reply>();
    check::<Bytes<'_>>();
    check::<FfiFuture<Reply>>();
}

mod exported {
    use crate::iam::{Acl, Action, Capability, Scope};
    use crate::{Context, Skill};

    fn skills() -> Vec<Skill> {
        let echo = async |input: serde_json::Value, _: Context| -> crate::Result<serde_json::Value> { Ok(input) };
        let reads = Capability::new(Acl::Assets, [Action::Read], Scope::all());
        vec![Skill::new("guarded", echo).requires([reads]), Skill::new("open", echo)]
    }

    crate::export!(skills);
}

#[test]
fn what_is_required_crosses() {
    let manifests = manifests();
    let json: serde_json::Value = serde_json::from_slice(manifests.bytes().unwrap()).unwrap();
    let reads = serde_json::json!([{"assetsAcl": {"actions": ["READ"], "scope": {"all": {}}}}]);
    assert_eq!((&json[0]["requires"], json[1].get("requires")), (&reads, None));
    let crossed: Vec<Manifest> = serde_json::from_slice(manifests.bytes().unwrap()).unwrap();
    assert_eq!(crossed.iter().collect::<Vec<_>>(), skills().iter().map(Skill::manifest).collect::<Vec<_>>());
}
