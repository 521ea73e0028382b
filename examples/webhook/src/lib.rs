//! Posts its payload to a webhook: a skill that calls something other than the platform, and so needs no token.

#![forbid(unsafe_code)]

use std::time::Duration;

use bytes::BytesMut;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Client as Http, Response, StatusCode, redirect};
use serde_json::value::RawValue;
use skill_sdk::prelude::*;
use skill_sdk::{Code, Error};
use url::{Host, Url};

/// The property that says where to post to.
const PROPERTY: &str = "webhook-URL";

/// Longest time that the webhook may take, with all of its answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Most bytes of its answer.
const LONGEST_ANSWER: usize = 64 * 1024;

/// What the webhook answered.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub struct Answer {
    /// HTTP status
    pub status: u16,
    /// Its answer: the value that its JSON is, or its text where it is no JSON
    pub body: Value,
}

#[derive(Deserialize)]
struct Properties {
    #[serde(rename = "webhook-URL")]
    url: Option<String>,
}

/// Posts the payload, as it is, to the URL in the property `webhook-URL`. The URL may hold a secret, in its path for example:
/// errors and logs show its origin only.
///
/// # Errors
///
/// [`Code::InvalidMessage`] when the property is absent or no HTTP URL; [`Code::PlatformUnavailable`] when there is no answer in
/// 20 s, and for the statuses 429 and 5xx; otherwise [`Code::SkillFailed`] for every status but 2xx, and for an answer over
/// 64 KiB.
pub async fn post(payload: Box<RawValue>, ctx: Context) -> Result<Answer> {
    let Properties { url } = ctx.properties()?;
    let url = webhook_url(url.as_deref().unwrap_or_default())?;
    let origin = url.origin().ascii_serialization();
    let request = http(&url)?
        .post(url)
        .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .body(String::from(Box::<str>::from(payload)));
    let unanswered = |error: reqwest::Error| {
        Error::new(Code::PlatformUnavailable, format!("no answer from {origin}")).with_source(error.without_url())
    };
    let mut response = request.send().await.map_err(unanswered)?;
    let status = response.status();
    tracing::info!(origin, status = status.as_u16(), "the webhook answered");
    if !status.is_success() {
        let later = status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error();
        let code = if later { Code::PlatformUnavailable } else { Code::SkillFailed };
        return Err(SkillError::with_code(code, format!("{origin} answered {}", status.as_u16())));
    }
    let Some(body) = read(&mut response).await.map_err(unanswered)? else {
        return Err(SkillError::new(format!("the answer of {origin} is longer than {LONGEST_ANSWER} bytes")));
    };
    let body = serde_json::from_slice(&body).unwrap_or_else(|_| String::from_utf8_lossy(&body).into());
    Ok(Answer { status: status.as_u16(), body })
}

fn webhook_url(text: &str) -> Result<Url> {
    let refused = |why: &str| {
        let error = Error::new(Code::InvalidMessage, format!("the property `{PROPERTY}` {why}"));
        SkillError::from(error.with_pointer(format!("/properties/{PROPERTY}")))
    };
    if text.is_empty() {
        return Err(refused("is missing: it says where to post to"));
    }
    let url = Url::parse(text).map_err(|_| refused("is not a URL"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(refused("must be an http or https URL"));
    }
    Ok(url)
}

fn http(url: &Url) -> Result<Http> {
    // Where a redirect leads, nobody has allowed.
    let builder = Http::builder().timeout(PATIENCE).redirect(redirect::Policy::none());
    // A proxy's own `127.0.0.1` is another machine.
    let builder = if is_loopback(url) { builder.no_proxy() } else { builder };
    // Plain HTTP needs no certificates, and works where the system has none.
    let builder = if url.scheme() == "http" { builder.tls_certs_only([]) } else { builder };
    builder.build().map_err(|error| SkillError::from(error).context("no HTTP client can be made"))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// The whole body; `None` when it is too long.
async fn read(response: &mut Response) -> reqwest::Result<Option<BytesMut>> {
    let mut body = BytesMut::new();
    while let Some(piece) = response.chunk().await? {
        if body.len() + piece.len() > LONGEST_ANSWER {
            return Ok(None);
        }
        body.extend_from_slice(&piece);
    }
    Ok(Some(body))
}

/// The skills of this crate.
pub fn skills() -> Vec<Skill> {
    vec![Skill::new("webhook", post).describe("Posts its payload to a webhook").without_client()]
}

skill_sdk::export!(skills);

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::http::HeaderMap;
    use axum::response::IntoResponse;
    use skill_sdk::testing;
    use std::sync::{Arc, Mutex};

    type Noted = Arc<Mutex<Vec<(String, String, String)>>>;

    /// A webhook that answers alike whatever is posted, and what was.
    async fn webhook<A: IntoResponse + Clone + Send + Sync + 'static>(answer: A) -> (String, Noted) {
        let noted = Noted::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let posted = noted.clone();
        let router = Router::new().route(
            "/hooks/{secret}",
            axum::routing::post(move |headers: HeaderMap, uri: axum::http::Uri, body: String| async move {
                let content_type = headers["content-type"].to_str().unwrap().to_owned();
                posted.lock().unwrap().push((uri.to_string(), content_type, body));
                answer
            }),
        );
        tokio::spawn(async move { axum::serve(listener, router).await });
        (origin, noted)
    }

    async fn call(payload: &Value, url: &str) -> Result<Value, Error> {
        // A message without any of what a client needs.
        let message = Message::new(payload).unwrap().with_properties(&json!({"webhook-URL": url})).unwrap();
        testing::call_with(&skills()[0], message).await
    }

    #[tokio::test]
    async fn the_payload_is_posted_as_it_is() {
        let (origin, noted) = webhook(r#"{"ok": true}"#).await;
        let text = r#"{"payload":{"b":1.10,"a":[null]},"properties":{"webhook-URL":"URL"}}"#;
        let message: Message = text.replace("URL\"}", &format!("{origin}/hooks/s3cret?a=b\"}}")).parse().unwrap();
        let answer = testing::call_with(&skills()[0], message).await.unwrap();
        assert_eq!(answer, json!({"status": 200, "body": {"ok": true}}));
        let posted = noted.lock().unwrap().remove(0);
        let expected = ("/hooks/s3cret?a=b", "application/json", r#"{"b":1.10,"a":[null]}"#);
        assert_eq!((posted.0.as_str(), posted.1.as_str(), posted.2.as_str()), expected);
    }

    #[tokio::test]
    async fn an_answer_may_be_text_or_nothing() {
        let (origin, _) = webhook((StatusCode::ACCEPTED, "thank you")).await;
        let answer = call(&json!(1), &format!("{origin}/hooks/s")).await.unwrap();
        assert_eq!(answer, json!({"status": 202, "body": "thank you"}));
        let (origin, _) = webhook(StatusCode::NO_CONTENT).await;
        let answer = call(&json!(1), &format!("{origin}/hooks/s")).await.unwrap();
        assert_eq!(answer, json!({"status": 204, "body": ""}));
    }

    #[tokio::test]
    async fn a_refusal_is_an_error_that_does_not_show_the_url() {
        for (status, code) in [
            (302, Code::SkillFailed),
            (404, Code::SkillFailed),
            (429, Code::PlatformUnavailable),
            (500, Code::PlatformUnavailable),
            (503, Code::PlatformUnavailable),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            let (origin, noted) = webhook((status, [("location", "/hooks/other")], "s3cret")).await;
            let error = call(&json!(1), &format!("{origin}/hooks/s3cret")).await.unwrap_err();
            assert_eq!((error.code(), error.chain()), (code, format!("{origin} answered {}", status.as_u16())));
            assert_eq!(noted.lock().unwrap().len(), 1);
        }
    }

    #[tokio::test]
    async fn a_webhook_that_is_not_there_is_unavailable() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let url = origin.replace("http://", "http://user:s3cret@") + "/hooks/s3cret?s3cret#s3cret";
        let error = call(&json!(1), &url).await.unwrap_err();
        assert_eq!(error.code(), Code::PlatformUnavailable);
        assert!(error.chain().starts_with(&format!("no answer from {origin}: ")), "{}", error.chain());
        assert!(!error.chain().contains("s3cret") && !format!("{error:?}").contains("s3cret"), "{error:?}");
    }

    #[tokio::test]
    async fn a_long_answer_is_not_read_to_its_end() {
        let (origin, _) = webhook("x".repeat(LONGEST_ANSWER)).await;
        let answer = call(&json!(1), &format!("{origin}/hooks/s")).await.unwrap();
        assert_eq!(answer["body"].as_str().map(str::len), Some(LONGEST_ANSWER));
        let (origin, _) = webhook("x".repeat(LONGEST_ANSWER + 1)).await;
        let error = call(&json!(1), &format!("{origin}/hooks/s")).await.unwrap_err();
        assert_eq!(error.detail(), format!("the answer of {origin} is longer than 65536 bytes"));
    }

    #[tokio::test]
    async fn a_url_that_is_none_is_named_by_its_property() {
        for (properties, why) in [
            (json!({}), "is missing: it says where to post to"),
            (json!({"webhook-URL": null}), "is missing: it says where to post to"),
            (json!({"webhook-URL": ""}), "is missing: it says where to post to"),
            (json!({"webhook-URL": "s3cret"}), "is not a URL"),
            (json!({"webhook-URL": "http://"}), "is not a URL"),
            (json!({"webhook-URL": "ftp://host/s3cret"}), "must be an http or https URL"),
            (json!({"webhook-URL": "file:///etc/s3cret"}), "must be an http or https URL"),
        ] {
            let message = testing::message(&json!(1)).with_properties(&properties).unwrap();
            let error = testing::call_with(&skills()[0], message).await.unwrap_err();
            assert_eq!((error.code(), error.pointer()), (Code::InvalidMessage, Some("/properties/webhook-URL")));
            assert_eq!(error.chain(), format!("the property `webhook-URL` {why}"));
        }
        let message = testing::message(&json!(1)).with_properties(&json!({"webhook-URL": ["s3cret"]})).unwrap();
        let error = testing::call_with(&skills()[0], message).await.unwrap_err();
        assert_eq!((error.code(), error.pointer()), (Code::InvalidMessage, Some("/properties/webhook-URL")));
        assert!(error.detail().contains("webhook-URL") && !error.chain().contains("s3cret"), "{error}");
    }
}
