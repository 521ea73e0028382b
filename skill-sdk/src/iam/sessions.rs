//! Sessions of a project, in which its services act for somebody (contract "cdf-iam", section 3).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::absent;
use super::api::{Api, Items};
use super::chunks::{CHUNK, Chunked};
use super::limit::Limit;
use super::one_or_many::OneOrMany;
use crate::client::retry::Repeat;
use crate::client::withheld::Withheld;
use crate::error::Error;

pub use created::CreatedSession;
pub use credentials::{ClientCredentials, SessionType};

mod created;
mod credentials;

/// Most sessions of a page, and of a request to revoke some.
const PAGE: u64 = 100;
const REVOKED_AT_ONCE: usize = 100;

/// The sessions of a project. In a session a service of the platform acts for whoever created it, after they have gone.
///
/// ```no_run
/// # async fn example(client: skill_sdk::Client) -> Result<(), skill_sdk::Error> {
/// let sessions = client.iam().sessions();
/// let session = sessions.create(None).await?;
/// # fn hand_over(nonce: &skill_sdk::secrecy::SecretString) {}
/// hand_over(&session.nonce);
/// sessions.revoke(session.id).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Sessions {
    api: Api,
}

/// A session. Of one that was revoked by somebody who may not list sessions there is only the id.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Session {
    /// What the platform knows it by.
    pub id: i64,
    /// With which kind of credentials it was created, such as `TOKEN_EXCHANGE`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub session_type: Option<String>,
    /// `READY`, `ACTIVE`, `CANCELLED`, `EXPIRED`, `REVOKED` or `ACCESS_LOST`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// When it was created, in milliseconds since 1970 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creation_time: Option<i64>,
    /// When it ends, in milliseconds since 1970 UTC. It changes when its token is renewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiration_time: Option<i64>,
    /// The id of the client at the identity provider, if it was created with client credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Whatever else the platform says of it.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Which sessions are listed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SessionOptions {
    status: Option<String>,
    limit: Limit,
}

/// A session as requests name one.
#[derive(Serialize)]
struct SessionId {
    id: i64,
}

impl Sessions {
    pub(super) fn new(api: Api) -> Self {
        Self { api }
    }

    /// Creates a session with these credentials. Without any it is created with the client's own, if its tokens come from
    /// [client credentials](crate::auth::ClientCredentials), else in exchange for its token.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::iam#calls-that-fail). No error shows the secret: a refusal that may repeat it is left out.
    pub async fn create(&self, credentials: Option<&ClientCredentials>) -> Result<CreatedSession, Error> {
        self.create_with(SessionType::Default, credentials).await
    }

    /// Creates a session of this type. Exchanges of tokens make no use of credentials.
    ///
    /// # Errors
    ///
    /// As for [`create`](Self::create); [`Code::SkillFailed`](crate::Code) for [`SessionType::ClientCredentials`] when neither
    /// the call nor the client has any.
    pub async fn create_with(
        &self,
        session_type: SessionType,
        credentials: Option<&ClientCredentials>,
    ) -> Result<CreatedSession, Error> {
        let failure = "cannot create a session";
        let own = || self.api.client.tokens().client_credentials().map(ClientCredentials::from);
        let item = session_type.item(credentials.cloned().or_else(own), failure)?;
        let call = self.api.post(self.api.url(["sessions"]), failure)?.repeat(self.api.repeat_of_creates());
        let secret = |body: &Value| Withheld::of(&body["items"][0]["clientSecret"]);
        let call = call.json_with_secrets(&Items { items: [item] }, secret)?;
        let Items { items } = self.api.json(call).await?;
        let sessions: Vec<CreatedSession> = items;
        sessions.into_iter().next().ok_or_else(absent(failure))
    }

    /// The first 25 sessions.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::iam#calls-that-fail).
    pub async fn list(&self) -> Result<Vec<Session>, Error> {
        self.list_with(&SessionOptions::new()).await
    }

    /// Those sessions that are asked for.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::iam#calls-that-fail); [`Code::SkillFailed`](crate::Code) for a limit below one.
    pub async fn list_with(&self, options: &SessionOptions) -> Result<Vec<Session>, Error> {
        let mut url = self.api.url(["sessions"]);
        if let Some(status) = &options.status {
            url.query_pairs_mut().append_pair("status", &status.to_uppercase());
        }
        self.api.list(url, "cannot list sessions", PAGE, options.limit).await
    }

    /// One session, if it is there, or several, by their ids.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::iam#calls-that-fail). When one of several is not there that is [`Error::is_not_found`], and
    /// [`Error::missing`] has objects with `id`.
    pub async fn retrieve<I: OneOrMany<i64>>(&self, ids: I) -> Result<I::Found<Session>, Error> {
        let call = by_ids(&["sessions", "byids"], "cannot retrieve sessions", CHUNK);
        I::found(self.api.in_chunks(&call, &named(ids)).await)
    }

    /// Revokes one session or several, by their ids, and gives a list of them in either case. It may take an hour until
    /// nobody acts in them any more. To who may not list sessions only the ids are told.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::iam#calls-that-fail).
    pub async fn revoke(&self, ids: impl OneOrMany<i64>) -> Result<Vec<Session>, Error> {
        let call = by_ids(&["sessions", "revoke"], "cannot revoke sessions", REVOKED_AT_ONCE);
        self.api.in_chunks(&call, &named(ids)).await
    }
}

fn by_ids(path: &'static [&'static str], failure: &'static str, size: usize) -> Chunked<SessionId> {
    let known_by = |session: &SessionId| json!(session);
    Chunked { path, failure, size, repeat: Repeat::AfterSilence, known_by, deletes: None }
}

fn named(ids: impl OneOrMany<i64>) -> Vec<SessionId> {
    ids.into_items().into_iter().map(|id| SessionId { id }).collect()
}

impl SessionOptions {
    /// The first 25 of any status.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only those of this status, in any letter case.
    pub fn status(mut self, status: impl Into<String>) -> Self {
        self.status = Some(status.into());
        self
    }

    /// How many are listed at most.
    pub fn limit(mut self, limit: impl Into<Limit>) -> Self {
        self.limit = limit.into();
        self
    }
}
