use std::sync::atomic::{AtomicUsize, Ordering};

use axum::http::StatusCode;
use axum::routing::get;
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::*;
use crate::auth::signers::{Signer, claims, jwks};
use crate::auth::{AccessToken, Verifier};

/// Whoever publishes keys.
struct Issuer {
    url: Url,
    answer: Arc<Mutex<Answer>>,
    asked: Arc<AtomicUsize>,
}

#[derive(Clone)]
enum Answer {
    Is(StatusCode, String),
    /// As soon as the semaphore has a permit, which is used up.
    Behind(Arc<Semaphore>, String),
    Never,
}

impl Issuer {
    async fn start(answer: Answer) -> Self {
        let (answer, asked) = (Arc::new(Mutex::new(answer)), Arc::new(AtomicUsize::new(0)));
        let (own, count) = (Arc::clone(&answer), Arc::clone(&asked));
        let handler = async move || {
            count.fetch_add(1, Ordering::SeqCst);
            let answer = own.lock().unwrap().clone();
            match answer {
                Answer::Is(status, text) => (status, text),
                Answer::Behind(gate, text) => {
                    gate.acquire().await.unwrap().forget();
                    (StatusCode::OK, text)
                }
                Answer::Never => std::future::pending().await,
            }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys?key=hunter2", listener.local_addr().unwrap()).parse().unwrap();
        let app = axum::Router::new().route("/keys", get(handler));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, answer, asked }
    }

    async fn of(signers: &[&Signer]) -> Self {
        Self::start(Answer::Is(StatusCode::OK, jwks(signers))).await
    }

    fn answers(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    fn publishes(&self, signers: &[&Signer]) {
        self.answers(Answer::Is(StatusCode::OK, jwks(signers)));
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn keys(&self) -> KeySet {
        KeySet::from_url(self.url.clone(), VerifySslCert::Yes).unwrap()
    }
}

async fn check(verifier: &Verifier, token: &str) -> Result<(), Error> {
    verifier.verify(&AccessToken::decode(token.to_owned().into()).unwrap()).await
}

/// The start of the detail, without what every refusal begins with.
async fn refusal(verifier: &Verifier, token: &str) -> String {
    let error = check(verifier, token).await.unwrap_err();
    assert_eq!(error.code(), Code::TokenInvalid);
    error.detail().strip_prefix("Your Cortex Token is invalid: ").unwrap().to_owned()
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn keys_are_fetched_once_however_many_ask() {
    let signer = Signer::new("EdDSA", "one");
    let issuer = Issuer::of(&[&signer]).await;
    let verifier = Arc::new(Verifier::new(issuer.keys()));
    assert_eq!(issuer.asked(), 0);
    let mut tasks = JoinSet::new();
    for _ in 0..64 {
        let (verifier, token) = (Arc::clone(&verifier), signer.token());
        tasks.spawn(async move { check(&verifier, &token).await });
    }
    assert!(tasks.join_all().await.iter().all(Result::is_ok));
    assert_eq!(issuer.asked(), 1);

    // The same for a key that is new to us.
    let new = Signer::new("EdDSA", "two");
    issuer.publishes(&[&signer, &new]);
    verifier.keys().age(30 * SECOND);
    let mut tasks = JoinSet::new();
    for _ in 0..64 {
        let (verifier, token) = (Arc::clone(&verifier), new.token());
        tasks.spawn(async move { check(&verifier, &token).await });
    }
    assert!(tasks.join_all().await.iter().all(Result::is_ok));
    assert_eq!(issuer.asked(), 2);
}

#[tokio::test]
async fn an_unknown_key_is_looked_for_now_and_then() {
    let (one, two, stranger) = (Signer::new("EdDSA", "one"), Signer::new("EdDSA", "two"), Signer::new("EdDSA", "x"));
    let issuer = Issuer::of(&[&one]).await;
    let verifier = Verifier::new(issuer.keys());
    check(&verifier, &one.token()).await.unwrap();
    issuer.publishes(&[&one, &two]);
    assert_eq!(refusal(&verifier, &two.token()).await, "the key two is unknown");
    verifier.keys().age(29 * SECOND);
    assert_eq!(refusal(&verifier, &two.token()).await, "the key two is unknown");
    assert_eq!(issuer.asked(), 1);
    verifier.keys().age(SECOND);
    check(&verifier, &two.token()).await.unwrap();
    assert_eq!(issuer.asked(), 2);
    // A name that is never found is no reason to ask more often, nor is a reading that fails.
    for answer in [StatusCode::OK, StatusCode::BAD_GATEWAY] {
        issuer.answers(Answer::Is(answer, jwks(&[&one, &two])));
        verifier.keys().age(30 * SECOND);
        let before = issuer.asked();
        for _ in 0..3 {
            assert_eq!(refusal(&verifier, &stranger.token()).await, "the key x is unknown");
        }
        assert_eq!(issuer.asked(), before + 1);
        check(&verifier, &one.token()).await.unwrap();
    }
    // A name that is known is none either, whatever the signature.
    verifier.keys().age(30 * SECOND);
    let before = issuer.asked();
    assert_eq!(refusal(&verifier, &stranger.token_of(&one.header(), &claims())).await, "the signature is bad");
    assert_eq!(issuer.asked(), before);
}

#[tokio::test]
async fn a_key_without_a_name_may_have_been_replaced() {
    let (old, new) = (Signer::new("EdDSA", "one"), Signer::new("EdDSA", "two"));
    let token = |signer: &Signer| signer.token_of(&json!({"alg": "EdDSA"}), &claims());
    let issuer = Issuer::of(&[&old]).await;
    let verifier = Verifier::new(issuer.keys());
    check(&verifier, &token(&old)).await.unwrap();
    issuer.publishes(&[&new]);
    verifier.keys().age(30 * SECOND);
    check(&verifier, &token(&new)).await.unwrap();
    assert_eq!(refusal(&verifier, &token(&old)).await, "the signature is bad");
}

#[tokio::test]
async fn old_keys_are_read_again_and_stay_while_that_fails() {
    let signer = Signer::new("EdDSA", "one");
    let token = signer.token();
    let issuer = Issuer::of(&[&signer]).await;
    let verifier = Verifier::new(issuer.keys());
    check(&verifier, &token).await.unwrap();
    verifier.keys().age(3599 * SECOND);
    check(&verifier, &token).await.unwrap();
    assert_eq!(issuer.asked(), 1);
    verifier.keys().age(SECOND);
    check(&verifier, &token).await.unwrap();
    assert_eq!(issuer.asked(), 2);
    for answer in [
        Answer::Is(StatusCode::INTERNAL_SERVER_ERROR, String::new()),
        Answer::Is(StatusCode::FOUND, String::new()),
        Answer::Is(StatusCode::OK, "<html>Sign in</html>".into()),
        Answer::Is(StatusCode::OK, "x".repeat(LONGEST + 1)),
    ] {
        issuer.answers(answer);
        verifier.keys().age(3600 * SECOND);
        let before = issuer.asked();
        check(&verifier, &token).await.unwrap();
        check(&verifier, &signer.token_of(&signer.header(), &json!({"aud": "a", "sub": "u", "exp": 9e9})))
            .await
            .unwrap();
        assert_eq!(issuer.asked(), before + 1);
    }
}

#[tokio::test]
async fn a_key_that_was_withdrawn_takes_its_tokens_with_it() {
    let (old, new) = (Signer::new("EdDSA", "one"), Signer::new("EdDSA", "two"));
    let token = old.token();
    let issuer = Issuer::of(&[&old]).await;
    let verifier = Verifier::new(issuer.keys());
    check(&verifier, &token).await.unwrap();
    issuer.publishes(&[&new]);
    check(&verifier, &token).await.unwrap();
    verifier.keys().age(3600 * SECOND);
    assert_eq!(refusal(&verifier, &token).await, "the key one is unknown");
    check(&verifier, &new.token()).await.unwrap();
    issuer.publishes(&[]);
    verifier.keys().age(3600 * SECOND);
    assert_eq!(refusal(&verifier, &new.token()).await, "the key two is unknown");
}

#[tokio::test]
async fn without_any_keys_nobody_is_let_in() {
    let signer = Signer::new("EdDSA", "one");
    let issuer = Issuer::of(&[]).await;
    let verifier = Verifier::new(issuer.keys());
    let many = json!({"keys": vec![signer.jwk(); MOST_KEYS + 1]}).to_string();
    for (status, text, why) in [
        (StatusCode::OK, "<html>hunter2</html>".to_owned(), "it is not a JSON object"),
        (StatusCode::OK, "{".into(), "it is not the JSON of a JWK set (line 1, column 1)"),
        (StatusCode::OK, r#"{"hunter2": []}"#.into(), "it is not the JSON of a JWK set (line 1, column 15)"),
        (StatusCode::OK, "[[]]".into(), "it is not a JSON object"),
        (StatusCode::OK, format!("{{{}", " ".repeat(LONGEST)), "it is over 1048576 bytes"),
        (StatusCode::OK, many, "it has over 100 keys"),
        (StatusCode::NOT_FOUND, "hunter2".into(), "404"),
        (StatusCode::FOUND, jwks(&[&signer]), "302"),
        (StatusCode::SERVICE_UNAVAILABLE, jwks(&[&signer]), "503"),
    ] {
        issuer.answers(Answer::Is(status, text));
        let before = issuer.asked();
        for _ in 0..3 {
            let error = check(&verifier, &signer.token()).await.unwrap_err();
            assert_eq!(error.code(), Code::PlatformUnavailable);
            assert!(error.detail().starts_with(UNABLE) && error.detail().ends_with(why), "{error:?}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
        assert_eq!(issuer.asked(), before + 1);
        verifier.keys().age(SECOND);
    }
    issuer.publishes(&[&signer]);
    check(&verifier, &signer.token()).await.unwrap();
}

#[tokio::test]
async fn a_url_where_nobody_is_or_that_is_none_for_keys() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let keys = KeySet::from_url(format!("http://{closed}/keys").parse().unwrap(), VerifySslCert::Yes).unwrap();
    let error = check(&Verifier::new(keys), &Signer::new("EdDSA", "one").token()).await.unwrap_err();
    assert_eq!(error.code(), Code::PlatformUnavailable);
    assert!(error.detail().starts_with(&format!("{UNABLE}: no answer from http://{closed}: ")), "{error:?}");
    let error = KeySet::from_url("file:///etc/passwd".parse().unwrap(), VerifySslCert::Yes).unwrap_err();
    assert_eq!(error.code(), Code::TokenInvalid);
}

#[tokio::test]
async fn a_url_that_does_not_answer_is_given_up() {
    let signer = Signer::new("EdDSA", "one");
    let issuer = Issuer::start(Answer::Never).await;
    let verifier = Verifier::new(issuer.keys().with_patience(Duration::from_millis(10)));
    let error = check(&verifier, &signer.token()).await.unwrap_err();
    assert_eq!(error.code(), Code::PlatformUnavailable);
    assert_eq!(error.detail(), format!("{UNABLE}: it took over 0 s"));
}

#[tokio::test]
async fn whoever_goes_away_leaves_the_fetch_to_the_others() {
    let (signer, new) = (Signer::new("EdDSA", "one"), Signer::new("EdDSA", "two"));
    let gate = Arc::new(Semaphore::new(0));
    let issuer = Issuer::start(Answer::Behind(Arc::clone(&gate), jwks(&[&signer]))).await;
    let verifier = Verifier::new(issuer.keys());
    for (round, signer) in [(1, &signer), (2, &new)] {
        let token = signer.token();
        for _ in 0..3 {
            let asked = async {
                while issuer.asked() < round {
                    tokio::task::yield_now().await;
                }
            };
            tokio::select! {
                biased;
                outcome = check(&verifier, &token) => panic!("{outcome:?}"),
                () = asked => {}
            }
        }
        gate.add_permits(1);
        check(&verifier, &token).await.unwrap();
        assert_eq!(issuer.asked(), round);
        issuer.answers(Answer::Behind(Arc::clone(&gate), jwks(&[signer, &new])));
        verifier.keys().age(30 * SECOND);
    }
}

#[tokio::test]
async fn nobody_else_waits_while_old_keys_are_read_again() {
    let signer = Signer::new("EdDSA", "one");
    let issuer = Issuer::of(&[&signer]).await;
    let verifier = Verifier::new(issuer.keys());
    check(&verifier, &signer.token()).await.unwrap();
    issuer.answers(Answer::Never);
    verifier.keys().age(3600 * SECOND);
    let token = signer.token();
    tokio::select! {
        biased;
        outcome = check(&verifier, &token) => panic!("{outcome:?}"),
        outcome = check(&verifier, &token) => outcome.unwrap(),
    }
}

#[tokio::test]
async fn a_file_is_read_at_once_and_again() {
    let (one, two) = (Signer::new("EdDSA", "one"), Signer::new("ES256", "two"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jwks.json");
    std::fs::write(&path, jwks(&[&one])).unwrap();
    let verifier = Verifier::new(KeySet::from_file(&path).unwrap());
    check(&verifier, &one.token()).await.unwrap();
    std::fs::write(&path, jwks(&[&one, &two])).unwrap();
    check(&verifier, &two.token()).await.unwrap();
    std::fs::remove_file(&path).unwrap();
    verifier.keys().age(3600 * SECOND);
    check(&verifier, &two.token()).await.unwrap();
}

#[test]
fn a_file_or_text_that_is_no_set_is_refused_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jwks.json");
    let error = KeySet::from_file(&path).unwrap_err();
    assert_eq!(error.code(), Code::TokenInvalid);
    assert!(error.chain().starts_with(&format!("{UNABLE}: {}: No such file", path.display())), "{error:?}");
    let private = json!({"keys": [{"kty": "oct", "k": "hunter2"}, 5, null, {"kty": "hunter2"}]}).to_string();
    for (text, why) in [
        ("", "it is not a JSON object"),
        (r#"{"keys": {"a": "hunter2"}}"#, "it is not the JSON of a JWK set (line 1, column 9)"),
        (r#"{"keys": []}"#, "it has no key that can check a signature"),
        (&private, "it has no key that can check a signature"),
        (&" ".repeat(LONGEST + 1), "it is over 1048576 bytes"),
    ] {
        std::fs::write(&path, text).unwrap();
        let error = KeySet::from_file(&path).unwrap_err();
        assert_eq!(error.code(), Code::TokenInvalid);
        assert_eq!(error.chain(), format!("{UNABLE}: {}: {why}", path.display()));
        let error = KeySet::from_json(text).unwrap_err();
        assert_eq!(error.code(), Code::TokenInvalid);
        assert_eq!(error.detail(), format!("{UNABLE}: {why}"));
    }
    assert!(KeySet::from_file("/dev/zero").unwrap_err().chain().ends_with("it is over 1048576 bytes"));
}

#[test]
fn a_url_with_a_password_is_refused() {
    for url in ["http://user:hunter2@h/keys", "https://user@h/keys", "ftp://h/keys"] {
        let error = KeySet::from_url(url.parse().unwrap(), VerifySslCert::Yes).unwrap_err();
        assert!(error.code() == Code::TokenInvalid && !format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}

#[tokio::test]
async fn debug_shows_no_key_and_no_password() {
    let signer = Signer::new("EdDSA", "one");
    let issuer = Issuer::of(&[&signer]).await;
    let verifier = Verifier::new(issuer.keys());
    assert!(format!("{:?}", verifier.keys()).contains("keys: None"));
    check(&verifier, &signer.token()).await.unwrap();
    let shown = format!("{:?}", verifier.keys());
    assert!(shown.contains("http://127.0.0.1:") && shown.contains("keys: Some(1)"), "{shown}");
    assert!(!shown.contains("hunter2") && !shown.contains(signer.jwk()["x"].as_str().unwrap()), "{shown}");
}
