//! The authenticated client of a platform.
//!
//! Each resource has a file of its own, and one request path serves them all.
//!
//! - [`connections`]: how to reach data sources
//! - [`content`]: managed content, files under keys
//! - [`experiments`]: experiments and their runs, on a platform or on this machine
//! - [`info`]: what a platform says about itself
//! - [`models`]: what experiments are about
//! - [`secrets`]: secret values under keys
//! - [`sessions`]: data that invocations share for a while
//! - [`skills`]: the definitions of skills, and their deployment; [`activations`]: what comes of invoking them
//! - [`types`]: what inputs and outputs of skills look like
//! - `list`: what can be asked of a list
//! - `from_message`, `builder`: how clients are made
//! - `send`: what resources call, and the URLs of their things; `definition`: what they save
//! - `call`, `body`: a request that has not been sent; `address`: where it goes; `trace`: the trace it belongs to
//! - `request`: how it is sent, `retry`: when it is sent once more
//! - `response`: its answer, `refusal`: what an answer means that is no success, `withheld`: what no error may repeat
//! - `pool`, `tls`: the connections that requests are made over; `observer`: who is told of requests
//! - `file`: a file that is read like an answer; `sink`: one that is written beside reading; `replace`: a file that is replaced as a whole
//!
//! # Calls that fail
//!
//! Every method that calls the platform fails alike (those of [`iam`](crate::iam#calls-that-fail) in a few things otherwise):
//!
//! - [`Code::TokenExpired`] or [`Code::TokenInvalid`] when the token is refused, or is known to be past its end;
//! - [`Code::PlatformUnavailable`] when there is no answer, for an answer that is not what it should be, and for the statuses
//!   407, 429 and 5xx;
//! - [`Code::Timeout`] when the invocation's deadline passes;
//! - [`Code::SkillFailed`] for every other refusal, also when the status is a success and the answer to a change says
//!   `"success": false`, and for names that no URL can carry. [`Error::http_status`] is the status, if that is no success, and
//!   [`Error::is_not_found`] tells when there is no such thing. Methods whose names end in `_opt` then give `None`.
//!
//! A call that fails is repeated, three times [unless set otherwise](Client::with_retries), when that is safe:
//!
//! | failure | which calls are repeated |
//! |---|---|
//! | no connection, 429 | all |
//! | the connection breaks, 502, 503, 504 | those that make no difference the second time: GET, HEAD, PUT and DELETE. What is gone when a DELETE comes again was deleted by it |
//! | 500 | downloads of content |
//!
//! and only if the body can be [sent again](Body). Before
//! that there is a pause of the length that the platform asks for in `Retry-After` (when it asks for more than a minute, the
//! call fails), else of a random length of at most 0.5 s, then 1 s, then 2 s. No call goes on after the deadline of the
//! invocation. A refused token is renewed once where that is possible.
//!
//! Every call carries a `traceparent` (W3C Trace Context). Calls in an invocation that a host runs are below the span of that
//! invocation, in the trace of whoever invoked. Otherwise the calls of a client that is made from a message belong to one
//! trace; its id is that of the activation where that is a UUID.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use std::time::{Duration, Instant};
use url::Url;

use crate::auth::login::{self, Defaults};
use crate::auth::{AccessToken, Environment, ProcessEnvironment, TokenSource};
use crate::error::{Code, Error};
use crate::iam::Iam;
use crate::message::Message;
use crate::trace_parent::TraceParent;

pub use activations::Activation;
use address::is_segment;
pub use body::Body;
pub use builder::ClientBuilder;
pub use connections::{Connection, ConnectionParam, ConnectionType, Connections};
pub use content::{Content, ContentEntry};
pub use download::Download;
pub use experiments::{ActiveRun, Experiment, Experiments, NewExperiment, Run, Runs};
pub use from_message::{IntoMessage, MessageOptions};
pub use info::Info;
pub use list::{ListOptions, Order};
pub use models::{Model, ModelTag, Models};
pub use observer::{PlatformRequest, observe_requests};
use request::Terms;
pub use secrets::{SecretValue, Secrets};
use send::found;
pub use sessions::{Session, SessionRecord, Sessions};
pub use skills::{ActionStatus, SkillRecord, Skills};
pub use tls::VerifySslCert;
use trace::Trace;
pub use types::{TypeDefinition, Types};

pub mod activations;
pub(crate) mod address;
mod body;
mod builder;
pub(crate) mod call;
pub mod connections;
pub mod content;
mod definition;
mod download;
pub mod experiments;
mod file;
mod from_message;
pub mod info;
mod list;
pub mod models;
pub(crate) mod nullable;
mod observer;
mod pool;
pub(crate) mod refusal;
mod replace;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod retry;
pub mod secrets;
mod send;
pub mod sessions;
mod sink;
pub mod skills;
pub mod tls;
mod trace;
pub mod types;
pub(crate) mod withheld;

/// The version of the platform's API that paths name unless told otherwise (contract "fabric-auth", section 1).
const DEFAULT_API_VERSION: u32 = 4;

/// A client that acts for somebody in a project of a platform. Cheap to clone.
///
/// The clients of a process share their connections: one pool for each way to connect.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    base: Arc<Url>,
    api_version: u32,
    project: String,
    verify: VerifySslCert,
    tokens: Arc<dyn TokenSource>,
    /// What says who asks.
    identity: &'static str,
    leeway: Duration,
    terms: Terms,
    /// What says the ports of services inside the cluster.
    environment: Arc<dyn Environment + Send + Sync>,
}

impl Client {
    /// Makes a client from parameters, the environment and a profile: see [`ClientBuilder`].
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    /// Makes a client from the environment alone, or from what was entered at a [`login`](Self::login). See [`ClientBuilder`]
    /// for the variables.
    ///
    /// # Errors
    ///
    /// As for [`ClientBuilder::build`].
    pub fn from_env() -> Result<Self, Error> {
        Self::builder().without_profile().build()
    }

    /// Makes a client from a profile alone.
    ///
    /// # Errors
    ///
    /// As for [`ClientBuilder::build`].
    pub fn from_profile(name: &str) -> Result<Self, Error> {
        Self::builder().without_environment().profile(name).build()
    }

    /// Asks whoever sits at the terminal for the URL of the platform, a personal access config (JSON or the path of a file; it
    /// is not shown) and a project, and makes a client. From then on this process's other clients take what was entered
    /// before the environment. It is kept in memory only, for as long as the process lives.
    ///
    /// # Errors
    ///
    /// As for [`login::prompt`] and [`ClientBuilder::build`].
    pub async fn login() -> Result<Self, Error> {
        let defaults = Defaults::of(&ProcessEnvironment)?;
        let login = tokio::task::spawn_blocking(move || login::prompt(&defaults)).await;
        let login = login.map_err(|error| Error::new(Code::Internal, "nobody could be asked").with_source(error))??;
        login::remember(Arc::new(login));
        Self::builder().build()
    }

    /// Where the platform is, without a trailing slash.
    pub fn api_endpoint(&self) -> &str {
        self.0.base.as_str().trim_end_matches('/')
    }

    /// The project that calls go to.
    pub fn project(&self) -> &str {
        &self.0.project
    }

    /// The token that the next call carries.
    ///
    /// # Errors
    ///
    /// What the [`TokenSource`] fails with; a fixed token never does.
    pub async fn token(&self) -> Result<AccessToken, Error> {
        self.0.tokens.token().await
    }

    /// The same client in another project.
    ///
    /// # Errors
    ///
    /// [`Code::InvalidMessage`] for what cannot be the name of a project.
    pub fn with_project(&self, project: impl Into<String>) -> Result<Self, Error> {
        let project = project.into();
        if !is_segment(&project) {
            return Err(Error::new(Code::InvalidMessage, format!("{project:?} cannot be the name of a project")));
        }
        Ok(self.changed(|client| client.project = project))
    }

    /// The same client with another limit for the time of a call: 30 s unless set, and at most ten years. A short call must be
    /// answered in it; of an upload or a download each step must, for which an upload has a second more for each 64 KiB that
    /// may still be under way, up to 4 MiB. Each attempt has it anew.
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        self.changed(|client| client.terms.set_timeout(timeout))
    }

    /// The same client with another number of repetitions of a call that fails: 3 unless set, and 9 for
    /// [`iam`](Self::iam). What is repeated, and when, the [module](crate::client#calls-that-fail) says.
    pub fn with_retries(&self, retries: u32) -> Self {
        self.changed(|client| client.terms.retries = Some(retries))
    }

    /// The same client with another limit for the body of a call, in bytes of JSON as it is sent: 500 KiB unless set. What is
    /// larger is refused before it is sent: store it in managed content, which has no limit, and send its key. For
    /// [`iam`](Self::iam) there is no limit.
    pub fn with_body_limit(&self, bytes: usize) -> Self {
        self.changed(|client| client.terms.body_limit = bytes)
    }

    /// The same client for an invocation that is over at this time and is this span: no call goes on after it, and all are
    /// below it.
    pub(crate) fn within(mut self, deadline: Option<Instant>, span: Option<TraceParent>) -> Self {
        let terms = &mut Arc::make_mut(&mut self.0).terms;
        terms.deadline = deadline;
        terms.trace = span.map(Trace::Below).or(terms.trace);
        self
    }

    /// The same client with its calls below a span.
    pub fn with_trace_parent(&self, parent: TraceParent) -> Self {
        self.changed(|client| client.terms.trace = Some(Trace::Below(parent)))
    }

    fn changed(&self, change: impl FnOnce(&mut Inner)) -> Self {
        let mut inner = Inner::clone(&self.0);
        change(&mut inner);
        Self(Arc::new(inner))
    }

    /// A sample message for a skill: the payload, the properties, and this client's platform, project and current token.
    ///
    /// # Errors
    ///
    /// [`Code::InvalidMessage`] when payload or properties cannot be written as JSON, and what the [`TokenSource`] fails with.
    pub async fn message(
        &self,
        payload: &(impl Serialize + ?Sized),
        properties: &(impl Serialize + ?Sized),
    ) -> Result<Message, Error> {
        let message = Message::new(payload)?.with_properties(properties)?;
        let token = self.token().await?.secret().clone();
        Ok(message.with_api_endpoint(self.api_endpoint()).with_token(token).with_project_id(self.project()))
    }

    /// What the platform says about itself, and the time by its clock. The call carries no token.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail).
    pub async fn info(&self) -> Result<Info, Error> {
        info::fetch(&self.0.base, &self.0.verify, self.0.terms).await
    }

    /// Connections of the project.
    pub fn connections(&self) -> Connections {
        Connections::new(self.clone())
    }

    /// Managed content of the project.
    pub fn content(&self) -> Content {
        Content::new(self.clone())
    }

    /// Experiments of the project, and their runs.
    pub fn experiments(&self) -> Experiments {
        Experiments::new(self.clone())
    }

    /// Identity and access management of the project, on Cognite Data Fusion.
    pub fn iam(&self) -> Iam {
        Iam::new(self.clone())
    }

    /// Models of the project.
    pub fn models(&self) -> Models {
        Models::new(self.clone())
    }

    /// Secrets of the project.
    pub fn secrets(&self) -> Secrets {
        Secrets::new(self.clone())
    }

    /// Sessions of the project.
    pub fn sessions(&self) -> Sessions {
        Sessions::new(self.clone())
    }

    /// Skills of the project.
    pub fn skills(&self) -> Skills {
        Skills::new(self.clone())
    }

    /// Types of the project.
    pub fn types(&self) -> Types {
        Types::new(self.clone())
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("api_endpoint", &self.api_endpoint())
            .field("project", &self.0.project)
            .field("identity", &self.0.identity)
            .finish_non_exhaustive()
    }
}
