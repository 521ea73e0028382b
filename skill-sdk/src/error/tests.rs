use super::*;

fn expired() -> Error {
    Error::new(Code::TokenExpired, "the token expired at noon").with_missing(["x"]).with_pointer("/p")
}

#[derive(Debug)]
struct Wrapped(BoxError);

impl fmt::Display for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("wrapped")
    }
}

impl StdError for Wrapped {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.0)
    }
}

#[derive(Debug)]
struct OwnSource;

impl fmt::Display for OwnSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("again")
    }
}

impl StdError for OwnSource {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(self)
    }
}

fn question_mark<E: Into<BoxError>>(error: E) -> SkillError {
    fn inner<E: Into<BoxError>>(error: E) -> Result<()> {
        Err(error)?
    }
    inner(error).unwrap_err()
}

#[test]
fn any_error_converts_and_is_skill_failed() {
    let error = question_mark("x".parse::<i32>().unwrap_err());
    assert_eq!(error.code(), Code::SkillFailed);
    assert_eq!(error.to_string(), "invalid digit found in string");
    assert_eq!(question_mark("plain text").to_string(), "plain text");
}

#[test]
fn an_expired_token_is_found_however_it_was_wrapped() {
    let wrappings: Vec<(&str, SkillError)> = vec![
        ("bare", question_mark(expired())),
        ("own enum", question_mark(Wrapped(expired().into()))),
        ("own enum twice", question_mark(Wrapped(Box::new(Wrapped(expired().into()))))),
        ("anyhow", question_mark(anyhow::Error::from(expired()))),
        ("anyhow context", question_mark(anyhow::Error::from(expired()).context("a").context("b"))),
        ("anyhow in own enum", question_mark(Wrapped(anyhow::Error::from(expired()).into()))),
        ("io", question_mark(std::io::Error::other(expired()))),
        ("io in anyhow", question_mark(anyhow::Error::from(std::io::Error::other(expired())))),
        ("context", question_mark(expired()).context("while counting")),
    ];
    for (name, error) in wrappings {
        assert!(error.is_token_expired(), "{name}: {error:?}");
        assert!(error.to_string().contains("expired at noon"), "{name}: {error}");
        assert!(!error.to_string().contains("token_expired"), "{name}: {error}");
        let error = Error::from(error);
        assert_eq!((error.missing().len(), error.pointer()), (1, Some("/p")), "{name}");
    }
}

#[test]
fn a_chain_names_every_cause_once() {
    let cause = std::io::Error::other("disk full");
    let error = Error::new(Code::Internal, "cannot save").with_source(cause);
    assert_eq!(error.to_string(), "cannot save");
    assert_eq!(error.chain(), "cannot save: disk full");
    let repeating = Wrapped(Box::new(Error::new(Code::Internal, "wrapped")));
    assert_eq!(SkillError::from(repeating).to_string(), "wrapped");
}

#[test]
fn a_chain_without_end_ends() {
    let error = SkillError::from(OwnSource);
    assert_eq!(error.code(), Code::SkillFailed);
    assert_eq!(error.to_string(), "again");
}

#[test]
fn a_huge_text_is_cut() {
    let error = Error::from(SkillError::new("ä".repeat(DETAIL_LIMIT)));
    assert!(error.detail().len() <= DETAIL_LIMIT + '…'.len_utf8());
}

#[test]
fn an_error_survives_the_boundary() {
    let error = expired().with_http_status(401).with_source(std::io::Error::other("why"));
    let text = serde_json::to_string(&Wire::from(&error)).unwrap();
    let back = Error::from(serde_json::from_str::<Wire<'_>>(&text).unwrap());
    assert_eq!(back.code(), Code::TokenExpired);
    assert_eq!(back.detail(), "the token expired at noon: why");
    assert_eq!(back.missing(), error.missing());
    assert_eq!((back.pointer(), back.http_status()), (Some("/p"), Some(401)));
    let unknown = serde_json::from_str::<Wire<'_>>(r#"{"code":"from_the_future","detail":"d"}"#).unwrap();
    assert_eq!(Error::from(unknown).code(), Code::SkillFailed);
}

#[test]
fn what_a_platform_said_survives_the_boundary() {
    let items = ItemOutcomes { successful: vec![1.into()], failed: vec![2.into()], ..ItemOutcomes::default() };
    let extra = Map::from_iter([("more".to_owned(), Value::from(1.5))]);
    let error = Error::new(Code::SkillFailed, "refused")
        .with_http_status(409)
        .with_duplicated(vec!["x".into()])
        .with_request_id("r1".to_owned())
        .with_details(Value::Null)
        .with_extra(extra.clone())
        .with_items(items.clone());
    let text = serde_json::to_string(&Wire::from(&error)).unwrap();
    let crossed = Error::from(serde_json::from_str::<Wire<'_>>(&text).unwrap());
    let wrapped = Error::from(question_mark(anyhow::Error::from(error).context("while creating")));
    for error in [crossed, wrapped] {
        assert!(error.is_duplicated() && !error.is_not_found() && !error.is_unauthorized());
        assert_eq!((error.duplicated(), error.request_id()), (&["x".into()][..], Some("r1")));
        assert_eq!((error.extra(), error.items()), (&extra, Some(&items)));
    }
    assert_eq!(items.to_string(), "1 successful, 1 failed");
}

#[test]
fn an_error_of_an_older_library_is_read() {
    let json =
        r#"{"code":"skill_failed","detail":"d","missing":[1],"http_status":404,"pointer":"/p","details":{"a":1}}"#;
    let error = Error::from(serde_json::from_str::<Wire<'_>>(json).unwrap());
    assert_eq!((error.missing(), error.pointer(), error.http_status()), (&[1.into()][..], Some("/p"), Some(404)));
    assert!(error.is_not_found() && error.details().is_some() && error.items().is_none());
}
