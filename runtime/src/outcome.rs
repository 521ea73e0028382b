//! What came of an invocation: one place that turns it into an exit code, a problem document and a log line.

use std::process::ExitCode;
use std::time::Duration;

use secrecy::SecretString;
use serde::Serialize;
use serde_json::Value;
use skill_sdk::{Code, Error, Response};

use crate::metrics;
use crate::telemetry;

/// The answer of a skill, or why there is none.
#[derive(Debug)]
pub struct Outcome {
    activation_id: String,
    result: Result<Response, Failure>,
}

/// An error whose texts have been cleaned of tokens.
#[derive(Debug)]
struct Failure {
    code: Code,
    detail: String,
    missing: Vec<Value>,
    pointer: Option<String>,
}

/// The levels of the log lines that say what came of invocations.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum OutcomeLevels {
    /// All at debug: a job says by its exit what came of it.
    #[default]
    Debug,
    /// A success at info, a failure as a warning, a panic and a failure of our own as an error.
    ByOutcome,
}

/// A problem document (RFC 9457), `application/problem+json`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
    activation_id: &'a str,
    #[serde(skip_serializing_if = "<[Value]>::is_empty")]
    missing: &'a [Value],
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<&'a str>,
}

impl Problem<'_> {
    /// The status of HTTP.
    pub(crate) fn status(&self) -> u16 {
        self.status
    }

    /// The code of the error table.
    pub(crate) fn code(&self) -> &str {
        self.code
    }

    /// What went wrong.
    pub(crate) fn detail(&self) -> &str {
        self.detail
    }
}

impl Outcome {
    /// The outcome of an invocation. The token of its message is looked for in every text of a failure, beside
    /// everything that has the form of a token.
    pub fn new(activation_id: String, token: Option<&SecretString>, result: Result<Response, Error>) -> Self {
        let result = result.map_err(|error| {
            let clean = |text: &str| cleaned(text, token);
            let clean_value = |value: &Value| {
                let text = value.to_string();
                let clean = clean(&text);
                if clean == text { value.clone() } else { Value::String(clean) }
            };
            Failure {
                code: error.code(),
                detail: clean(&error.chain()),
                missing: error.missing().iter().map(clean_value).collect(),
                pointer: error.pointer().map(clean),
            }
        });
        Self { activation_id, result }
    }

    /// The invocation; empty when its message could not be read.
    pub fn activation_id(&self) -> &str {
        &self.activation_id
    }

    /// The payload as JSON text; `None` for a failure.
    pub fn response(&self) -> Option<&str> {
        self.result.as_ref().ok().map(Response::as_str)
    }

    /// The row of the error table; `None` for a success.
    pub fn code(&self) -> Option<Code> {
        self.result.as_ref().err().map(|failure| failure.code)
    }

    /// About how many bytes it takes.
    pub(crate) fn size(&self) -> usize {
        let result = match &self.result {
            Ok(response) => response.as_str().len(),
            // Of what is missing there are few, but for messages that somebody has made to have many.
            Err(failure) => {
                failure.detail.len() + failure.missing.iter().map(|one| one.to_string().len()).sum::<usize>()
            }
        };
        self.activation_id.len() + result
    }

    /// `ok`, or the code as text.
    pub(crate) fn as_str(&self) -> &'static str {
        self.code().map_or(metrics::OK, Code::as_str)
    }

    /// The exit code of a job.
    pub fn exit_code(&self) -> u8 {
        self.code().map_or(0, Code::exit_code)
    }

    /// What failed, without tokens; `None` for a success.
    #[cfg(feature = "otlp")]
    pub(crate) fn detail(&self) -> Option<&str> {
        self.result.as_ref().err().map(|failure| failure.detail.as_str())
    }

    /// The failure as a problem document; `None` for a success.
    pub fn problem(&self) -> Option<Problem<'_>> {
        let Failure { code, detail, missing, pointer } = self.result.as_ref().err()?;
        Some(Problem {
            kind: format!("urn:skill-runtime:problem:{code}"),
            title: code.title(),
            status: code.http_status(),
            detail,
            code: code.as_str(),
            activation_id: &self.activation_id,
            missing,
            pointer: pointer.as_deref(),
        })
    }

    /// Writes the log line that every invocation has.
    pub(crate) fn log(&self, took: Duration, levels: OutcomeLevels) {
        let (outcome, error) = match &self.result {
            Ok(_) => ("ok", None),
            Err(failure) => (failure.code.as_str(), Some(failure.detail.as_str())),
        };
        // Whole microseconds are enough.
        let duration = (took.as_secs_f64() * 1e6).round() / 1e3;
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(outcome, durationMs = duration, error, "the invocation is over")
            };
        }
        match (levels, self.code()) {
            (OutcomeLevels::Debug, _) => line!(debug),
            (OutcomeLevels::ByOutcome, None) => line!(info),
            (OutcomeLevels::ByOutcome, Some(Code::Internal | Code::SkillPanicked)) => line!(error),
            (OutcomeLevels::ByOutcome, Some(_)) => line!(warn),
        }
    }
}

/// A command that could not do its work.
pub(crate) struct Refusal {
    /// The invocation it was for, where it is known.
    pub(crate) activation_id: String,
    pub(crate) error: Error,
    /// Where it is not that of the error's code.
    pub(crate) exit_code: Option<u8>,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self { activation_id: String::new(), error, exit_code: None }
    }
}

impl Refusal {
    /// With another exit code than that of the error's code.
    pub(crate) fn with_exit_code(error: Error, exit_code: u8) -> Self {
        Self { exit_code: Some(exit_code), ..error.into() }
    }

    /// For an invocation.
    pub(crate) fn of(self, activation_id: &str) -> Self {
        Self { activation_id: activation_id.to_owned(), ..self }
    }

    /// Writes the problem to stderr and gives the exit code.
    pub(crate) fn report(self) -> ExitCode {
        let outcome = Outcome::new(self.activation_id, None, Err(self.error));
        telemetry::write_problem(&outcome);
        self.exit_code.unwrap_or(outcome.exit_code()).into()
    }
}

/// The text without the token, and without anything else that looks like one.
fn cleaned(text: &str, token: Option<&SecretString>) -> String {
    skill_sdk::redact_secrets(text, token.map(std::slice::from_ref).unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;
    use serde_json::json;

    #[test]
    fn a_failure_is_a_problem_document() {
        let error = Error::new(Code::TokenMissing, "no token").with_missing(["token"]).with_pointer("/a");
        let outcome = Outcome::new("a-1".into(), None, Err(error));
        assert_eq!(
            serde_json::to_value(outcome.problem()).unwrap(),
            json!({
                "type": "urn:skill-runtime:problem:token_missing", "title": "There is no token", "status": 401,
                "detail": "no token", "code": "token_missing", "activationId": "a-1", "missing": ["token"],
                "pointer": "/a"
            })
        );
        assert_eq!((outcome.exit_code(), outcome.response()), (77, None));
    }

    #[test]
    fn what_does_not_help_is_left_out() {
        let outcome = Outcome::new(String::new(), None, Err(Error::new(Code::Internal, "x")));
        let problem = serde_json::to_value(outcome.problem()).unwrap();
        assert!(problem.get("missing").is_none() && problem.get("pointer").is_none(), "{problem}");
    }

    #[test]
    fn no_token_stands_in_a_problem() {
        let opaque = SecretString::from("opaque-token-of-another-kind");
        let text = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ1In0.c2ln and opaque-token-of-another-kind";
        let error = Error::new(Code::SkillFailed, text).with_pointer("/opaque-token-of-another-kind");
        let outcome = Outcome::new(String::new(), Some(&opaque), Err(error));
        let problem = outcome.problem().unwrap();
        assert_eq!((problem.detail, problem.pointer), ("[token] and [token]", Some("/[token]")));
        let token = SecretString::from("eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ1In0.c2ln");
        let error = Error::new(Code::SkillFailed, format!("eyJh.b.{}", token.expose_secret()))
            .with_missing([token.expose_secret(), "projectId"]);
        let outcome = Outcome::new(String::new(), Some(&token), Err(error));
        let problem = serde_json::to_string(&outcome.problem()).unwrap();
        assert!(!problem.contains("c2ln") && !problem.contains("zdWIi") && problem.contains("projectId"), "{problem}");
        let short = SecretString::from("a");
        let outcome = Outcome::new(String::new(), Some(&short), Err(Error::new(Code::SkillFailed, "a b")));
        assert_eq!(outcome.problem().unwrap().detail, "a b");
    }
}
