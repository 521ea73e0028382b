//! What a handler is given beside its input.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::client::{Client, MessageOptions, Session};
use crate::error::{Code, Error};
use crate::invocation::Invocation;
use crate::message::Message;
use crate::trace_parent::TraceParent;

/// The surroundings of one invocation. Cheap to clone.
#[derive(Clone)]
pub struct Context(Arc<Inner>);

struct Inner {
    message: Message,
    client: OnceLock<Result<Client, Error>>,
    client_options: MessageOptions,
    deadline: Option<Instant>,
    trace_parent: Option<TraceParent>,
    over: CancellationToken,
}

impl Context {
    pub(crate) fn new(invocation: Invocation, over: CancellationToken) -> Self {
        let trace_parent = invocation.trace_parent();
        let Invocation { message, client, client_options, deadline, .. } = invocation;
        let client = client.map(|client| client.map(|client| client.within(deadline, trace_parent)));
        let client = client.map_or_else(OnceLock::new, OnceLock::from);
        Self(Arc::new(Inner { message, client, client_options, deadline, trace_parent, over }))
    }

    /// The whole message.
    pub fn message(&self) -> &Message {
        &self.0.message
    }

    /// The id of this invocation; empty when it runs outside a host and has none.
    pub fn activation_id(&self) -> &str {
        self.0.message.activation_id().unwrap_or_default()
    }

    /// The client that acts for the caller, in the caller's project.
    ///
    /// # Errors
    ///
    /// For a skill that is [`without_client`](crate::Skill::without_client) the message need not have what it takes, and the
    /// host may refuse whoever sent it: as for [`Client::from_message`], [`Code::EndpointNotAllowed`](crate::Code), and
    /// whatever else the host asks.
    pub fn client(&self) -> Result<&Client, Error> {
        let client = if let Some(client) = self.0.client.get() {
            client
        } else {
            let client = Client::from_message_with(&self.0.message, &self.0.client_options)?;
            self.0.client.get_or_init(|| Ok(client.within(self.0.deadline, self.0.trace_parent)))
        };
        client.as_ref().map_err(Error::without_source)
    }

    /// The session of this invocation: the caller's if one was given, else one under the activation's own id. Whether
    /// it is there, its methods tell.
    ///
    /// # Errors
    ///
    /// As for [`client`](Self::client), and [`Code::InvalidMessage`] when the message has neither a session nor an
    /// activation; [`Error::missing`] then names `sessionId`.
    pub fn session(&self) -> Result<Session, Error> {
        let sessions = self.client()?.sessions();
        let id = self.0.message.session_id().ok_or_else(|| {
            let detail = "the message has no session: `sessionId` and `activationId` are absent or empty";
            Error::new(Code::InvalidMessage, detail).with_missing(["sessionId"])
        })?;
        Ok(sessions.session(id))
    }

    /// The properties of the message as a type; absent ones read as an empty object.
    ///
    /// # Errors
    ///
    /// [`Code::InvalidMessage`](crate::Code::InvalidMessage) with the [pointer](Error::pointer) of the property that does
    /// not fit.
    pub fn properties<P: DeserializeOwned>(&self) -> Result<P, Error> {
        self.0.message.properties()
    }

    /// Sends a message to an output of the skill while it runs, as often as wanted, and gives what the platform answers. `None`
    /// means the output that the route declares (`outputName`). For a job, what was sent takes the place of what the handler
    /// answers (contract "fabric-invocation", section 6).
    ///
    /// ```no_run
    /// # use skill_sdk::prelude::*;
    /// # async fn example(ctx: Context) -> Result<()> {
    /// ctx.send(None, &json!({"done": 1, "of": 3})).await?;
    /// ctx.send("warnings", &json!({"text": "the second line is empty"})).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Code::InvalidMessage`] when the message lacks what it takes: [`Error::missing`] names each of `activationId`,
    /// `channelId` and, unless an output is given, `outputName` that is absent or empty. Otherwise as for
    /// [`client`](Self::client) and [`Skills::send_message`](crate::client::Skills::send_message).
    pub async fn send<'a>(
        &self,
        output: impl Into<Option<&'a str>>,
        payload: &(impl Serialize + ?Sized),
    ) -> Result<Value, Error> {
        let message = &self.0.message;
        let parts = [
            ("activationId", message.activation_id()),
            ("channelId", message.channel_id()),
            ("outputName", output.into().or(message.output_name())),
        ];
        let parts = parts.map(|(name, part)| (name, part.filter(|part| !part.is_empty())));
        let [(_, Some(activation)), (_, Some(channel)), (_, Some(output))] = parts else {
            let absent = parts.iter().filter_map(|(name, part)| part.is_none().then_some(*name));
            let absent: Vec<&str> = absent.collect();
            let detail = format!("nothing can be sent: the message lacks {}", absent.join(", "));
            return Err(Error::new(Code::InvalidMessage, detail).with_missing(absent));
        };
        self.client()?.skills().send_message(activation, channel, output, payload).await
    }

    /// When the invocation is cancelled; `None` when it may take any time.
    pub fn deadline(&self) -> Option<Instant> {
        self.0.deadline
    }

    /// The time that is left; `None` when the invocation may take any time.
    pub fn remaining(&self) -> Option<Duration> {
        self.0.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// The span of a trace that this invocation is, for calls to others than the platform: its text is the value of their header
    /// `traceparent`. `None` outside a host.
    pub fn trace_parent(&self) -> Option<TraceParent> {
        self.0.trace_parent
    }

    /// Ends when the invocation is over: cancelled, or answered. The handler's own future is dropped then anyway; this is
    /// for tasks it has spawned.
    pub async fn cancelled(&self) {
        self.0.over.cancelled().await;
    }

    /// Whether the invocation is over, for threads and loops that cannot await.
    pub fn is_cancelled(&self) -> bool {
        self.0.over.is_cancelled()
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("message", &self.0.message)
            .field("deadline", &self.0.deadline)
            .finish_non_exhaustive()
    }
}
