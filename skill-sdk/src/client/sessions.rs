//! Sessions: data that invocations share for a while (contract "fabric-api", section 6).

use std::time::Duration;

use reqwest::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Number, Value};
use url::Url;

use crate::client::address::segment;
use crate::client::call::Call;
use crate::client::{Client, ListOptions, found, nullable};
use crate::error::{Code, Error};

/// What a session is described as that nobody has described.
const NO_DESCRIPTION: &str = "No description given";

/// The sessions of a project. Each holds a state, which is a JSON object, until its time to live is over; then it is
/// not found any more.
///
/// ```no_run
/// # use std::time::Duration;
/// # async fn example(client: skill_sdk::Client) -> Result<(), skill_sdk::Error> {
/// use serde_json::json;
/// # use skill_sdk::serde_json;
///
/// let sessions = client.sessions();
/// let id = sessions.start(Some(Duration::from_mins(5)), Some("An order")).await?;
/// sessions.put(&id, &json!({"order": 17})).await?;
/// assert_eq!(sessions.get_key(&id, "order").await?, 17);
/// assert_eq!(sessions.get_key_opt(&id, "total").await?, None);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Sessions {
    client: Client,
}

/// What a list says about a session.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SessionRecord {
    /// Its id.
    pub session_id: String,
    /// Its time to live in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Number>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Everything else.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Sessions {
    pub(super) fn new(client: Client) -> Self {
        Self { client }
    }

    /// One session, whether it is there or not: no call is made.
    pub fn session(&self, id: impl Into<String>) -> Session {
        Session { sessions: self.clone(), id: id.into() }
    }

    /// Starts a session and gives its id.
    ///
    /// Its time to live is sent as whole seconds, a fraction of one as a whole one; without one it is the
    /// platform's own, 15 minutes. Without a description it is `No description given`.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail); [`Code::SkillFailed`] for no time to live at all.
    #[doc(alias = "start_session")]
    pub async fn start(&self, ttl: Option<Duration>, description: Option<&str>) -> Result<String, Error> {
        #[derive(Serialize)]
        struct Start<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            ttl: Option<u64>,
            description: &'a str,
        }

        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Started {
            session_id: String,
        }

        if ttl.is_some_and(|ttl| ttl.is_zero()) {
            return Err(Error::new(Code::SkillFailed, "cannot start a session: its time to live must not be zero"));
        }
        let ttl = ttl.map(whole_seconds);
        let start = Start { ttl, description: description.unwrap_or(NO_DESCRIPTION) };
        let url = self.client.project_url(["sessions"]);
        let started: Started = self.client.json(Call::post(url, "cannot start a session").json(&start)?).await?;
        Ok(started.session_id)
    }

    /// The sessions of the project, as many as the platform gives unasked.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail).
    pub async fn list(&self) -> Result<Vec<SessionRecord>, Error> {
        self.list_with(&ListOptions::new()).await
    }

    /// The sessions that are asked for. What the contract knows of is a limit.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail).
    pub async fn list_with(&self, options: &ListOptions) -> Result<Vec<SessionRecord>, Error> {
        #[derive(Deserialize)]
        struct List {
            sessions: Vec<SessionRecord>,
        }

        let mut url = self.client.project_url(["sessions"]);
        options.add_to(&mut url);
        let list: List = self.client.json(Call::get(url, "cannot list sessions")).await?;
        Ok(list.sessions)
    }

    /// All that the platform knows about a session, its `state` included.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail); [`Error::is_not_found`] when there is no such session.
    pub async fn describe(&self, id: &str) -> Result<Value, Error> {
        self.client.json(Call::get(self.url(id)?, format!("cannot describe the session `{id}`"))).await
    }

    /// As [`describe`](Self::describe), but `None` when there is no such session.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail).
    pub async fn describe_opt(&self, id: &str) -> Result<Option<Value>, Error> {
        found(self.describe(id).await)
    }

    /// The state of a session.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail); [`Error::is_not_found`] when there is no such session.
    #[doc(alias = "get_session_data")]
    pub async fn get(&self, id: &str) -> Result<Map<String, Value>, Error> {
        self.state(self.url(id)?, id).await
    }

    /// As [`get`](Self::get), but `None` when there is no such session.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail).
    pub async fn get_opt(&self, id: &str) -> Result<Option<Map<String, Value>>, Error> {
        found(self.get(id).await)
    }

    /// One value of the state of a session. The platform is asked for nothing else.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail); [`Error::is_not_found`] when there is no such session, or its state
    /// has no such key.
    pub async fn get_key(&self, id: &str, key: &str) -> Result<Value, Error> {
        let mut url = self.url(id)?;
        url.query_pairs_mut().append_pair("key", key);
        self.state(url, id).await?.remove(key).ok_or_else(|| {
            let detail = format!("the session `{id}` has no key `{key}`");
            Error::new(Code::SkillFailed, detail).with_http_status(StatusCode::NOT_FOUND.as_u16())
        })
    }

    /// As [`get_key`](Self::get_key), but `None` when there is no such session, or its state has no such key.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail).
    pub async fn get_key_opt(&self, id: &str, key: &str) -> Result<Option<Value>, Error> {
        found(self.get_key(id, key).await)
    }

    /// Merges an object into the state of a session: its values take the place of those under the same keys, and all
    /// others stay. It is not repeated when it may have had its effect: meanwhile somebody else may have merged.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail); [`Error::is_not_found`] when there is no such session, and
    /// [`Code::SkillFailed`] for what is no JSON object.
    #[doc(alias = "put_session_data")]
    pub async fn put(&self, id: &str, state: &(impl Serialize + ?Sized)) -> Result<(), Error> {
        #[derive(Serialize)]
        struct Put {
            state: Box<RawValue>,
        }

        let failure = format!("cannot put data into the session `{id}`");
        let url = self.url(id)?;
        let state = to_raw_value(state).map_err(|error| {
            Error::new(Code::SkillFailed, format!("{failure}: it cannot be written as JSON")).with_source(error)
        })?;
        if !state.get().starts_with('{') {
            return Err(Error::new(Code::SkillFailed, format!("{failure}: it must be a JSON object")));
        }
        self.client.done(Call::post(url, failure).json(&Put { state })?).await
    }

    /// Deletes a session and its state.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail); [`Error::is_not_found`] when there is no such session.
    #[doc(alias = "delete_session")]
    pub async fn delete(&self, id: &str) -> Result<(), Error> {
        self.client.done(Call::delete(self.url(id)?, format!("cannot delete the session `{id}`"))).await
    }

    async fn state(&self, url: Url, id: &str) -> Result<Map<String, Value>, Error> {
        #[derive(Deserialize)]
        struct Data {
            #[serde(deserialize_with = "nullable::or_empty")]
            state: Map<String, Value>,
        }

        let data: Data = self.client.json(Call::get(url, format!("cannot get the session `{id}`"))).await?;
        Ok(data.state)
    }

    fn url(&self, id: &str) -> Result<Url, Error> {
        Ok(self.client.project_url(["sessions", segment("a session", id)?]))
    }
}

/// One session of a project, such as [that of an invocation](crate::Context::session).
#[derive(Clone, Debug)]
pub struct Session {
    sessions: Sessions,
    id: String,
}

impl Session {
    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its state: see [`Sessions::get`].
    ///
    /// # Errors
    ///
    /// As for [`Sessions::get`].
    pub async fn get(&self) -> Result<Map<String, Value>, Error> {
        self.sessions.get(&self.id).await
    }

    /// Its state, or `None` when there is no such session: see [`Sessions::get_opt`].
    ///
    /// # Errors
    ///
    /// As for [`Sessions::get_opt`].
    pub async fn get_opt(&self) -> Result<Option<Map<String, Value>>, Error> {
        self.sessions.get_opt(&self.id).await
    }

    /// One value of its state: see [`Sessions::get_key`].
    ///
    /// # Errors
    ///
    /// As for [`Sessions::get_key`].
    pub async fn get_key(&self, key: &str) -> Result<Value, Error> {
        self.sessions.get_key(&self.id, key).await
    }

    /// One value of its state, or `None` when there is none: see [`Sessions::get_key_opt`].
    ///
    /// # Errors
    ///
    /// As for [`Sessions::get_key_opt`].
    pub async fn get_key_opt(&self, key: &str) -> Result<Option<Value>, Error> {
        self.sessions.get_key_opt(&self.id, key).await
    }

    /// Merges an object into its state: see [`Sessions::put`].
    ///
    /// # Errors
    ///
    /// As for [`Sessions::put`].
    pub async fn put(&self, state: &(impl Serialize + ?Sized)) -> Result<(), Error> {
        self.sessions.put(&self.id, state).await
    }

    /// Deletes it: see [`Sessions::delete`].
    ///
    /// # Errors
    ///
    /// As for [`Sessions::delete`].
    pub async fn delete(&self) -> Result<(), Error> {
        self.sessions.delete(&self.id).await
    }
}

/// A time in whole seconds, none of it lost.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0))
}
