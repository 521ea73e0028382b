//! One run of a handler: what it is given, and how far its failures may reach.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{self, Poll};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::client::{Client, MessageOptions};
use crate::context::Context;
use crate::error::{Code, Error};
use crate::message::Message;
use crate::response::Response;
use crate::skill::Boxed;
use crate::trace_parent::TraceParent;

/// What a skill is invoked with.
#[derive(Debug)]
pub struct Invocation {
    pub(crate) message: Message,
    pub(crate) client: Option<Result<Client, Error>>,
    pub(crate) client_options: MessageOptions,
    pub(crate) deadline: Option<Instant>,
    response_limit: usize,
    trace_parent: Option<TraceParent>,
}

impl Invocation {
    /// An invocation without deadline and limit.
    pub fn new(message: Message) -> Self {
        let client_options = MessageOptions::default();
        let (deadline, response_limit, trace_parent) = (None, usize::MAX, None);
        Self { message, client: None, client_options, deadline, response_limit, trace_parent }
    }

    /// Hands over the client that was made from the message, so that it is not made again.
    pub fn with_client(mut self, client: Client) -> Self {
        self.client = Some(Ok(client));
        self
    }

    /// Refuses the handler a client, and says why. A handler that asks for none does not notice.
    pub fn with_client_refused(mut self, why: Error) -> Self {
        self.client = Some(Err(why));
        self
    }

    /// Says how a client is made from the message where none is handed over.
    pub fn with_client_options(mut self, options: MessageOptions) -> Self {
        self.client_options = options;
        self
    }

    /// Tells the handler until when its answer counts. Whoever awaits the answer enforces it.
    pub fn with_deadline(mut self, deadline: Instant) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Refuses an answer of more bytes of JSON.
    pub fn with_response_limit(mut self, bytes: usize) -> Self {
        self.response_limit = bytes;
        self
    }

    /// Says which span of a trace the invocation is. Calls to the platform are below it.
    pub fn with_trace_parent(mut self, own: TraceParent) -> Self {
        self.trace_parent = Some(own);
        self
    }

    /// The message.
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// Why the handler is refused a client, if it is.
    pub fn client_refused(&self) -> Option<&Error> {
        self.client.as_ref()?.as_ref().err()
    }

    /// How a client is made from the message.
    pub fn client_options(&self) -> &MessageOptions {
        &self.client_options
    }

    /// The time that is left; `None` without a deadline.
    pub fn remaining(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// Most bytes of the answer.
    pub fn response_limit(&self) -> usize {
        self.response_limit
    }

    /// The span that the invocation is, where that is known.
    pub fn trace_parent(&self) -> Option<TraceParent> {
        self.trace_parent
    }

    pub(crate) fn run(
        self,
        start: impl FnOnce(Context, usize) -> Boxed<Result<Response, Error>> + Send + 'static,
    ) -> Running {
        let over = CancellationToken::new();
        let limit = self.response_limit;
        let context = Context::new(self, over.clone());
        Running { state: State::Ready(Box::new(move || start(context, limit))), over }
    }
}

/// The future of an invocation. It gives the answer, or the failure: a panic of the handler, when it is called as well
/// as when it is polled, is one. Dropping it drops the handler's future and cancels its context.
pub struct Running {
    state: State,
    over: CancellationToken,
}

type Start = Box<dyn FnOnce() -> Boxed<Result<Response, Error>> + Send>;

enum State {
    Ready(Start),
    Started(Boxed<Result<Response, Error>>),
    Done,
}

impl Future for Running {
    type Output = Result<Response, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut task::Context<'_>) -> Poll<Self::Output> {
        let state = std::mem::replace(&mut self.state, State::Done);
        let polled = catch_unwind(AssertUnwindSafe(|| {
            let mut future = match state {
                State::Ready(start) => start(),
                State::Started(future) => future,
                State::Done => return (Poll::Pending, State::Done),
            };
            match future.as_mut().poll(context) {
                Poll::Pending => (Poll::Pending, State::Started(future)),
                // The future is dropped here, while panics are still caught.
                Poll::Ready(answer) => (Poll::Ready(answer), State::Done),
            }
        }));
        match polled {
            Ok((answer, state)) => {
                self.state = state;
                answer
            }
            Err(panic) => Poll::Ready(Err(panicked(panic))),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.over.cancel();
        let state = std::mem::replace(&mut self.state, State::Done);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(state))) {
            let error = panicked(panic);
            tracing::error!(error = error.detail(), "a cancelled handler panicked while it was dropped");
        }
    }
}

/// The failure that a panic is. The text is the panic's own, without tokens.
pub(crate) fn panicked(panic: Box<dyn Any + Send>) -> Error {
    let text = match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => match panic.downcast::<&'static str>() {
            Ok(text) => (*text).to_owned(),
            Err(other) => {
                // Dropping a foreign payload could panic again.
                std::mem::forget(other);
                "a panic without a text".to_owned()
            }
        },
    };
    Error::new(Code::SkillPanicked, format!("the skill panicked: {}", crate::redact(&text)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Skill;
    use crate::testing;
    use serde_json::{Value, json};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    fn called(_: Value, _: Context) -> std::future::Ready<crate::Result<Value>> {
        panic!("at call")
    }

    struct PanicOnDrop;

    impl Drop for PanicOnDrop {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }

    async fn code_of(skill: Skill) -> (Code, String) {
        let error = skill.call(Invocation::new(testing::message(&json!({})))).await.unwrap_err();
        (error.code(), error.detail().to_owned())
    }

    #[tokio::test]
    async fn panics_become_answers() {
        let polled = Skill::new("s", async |_: Value, _: Context| -> crate::Result<Value> { panic!("at {}", "poll") });
        assert_eq!(code_of(polled).await, (Code::SkillPanicked, "the skill panicked: at poll".to_owned()));

        assert_eq!(code_of(Skill::new("s", called)).await.1, "the skill panicked: at call");

        let foreign = Skill::new("s", async |_: Value, _: Context| -> crate::Result<Value> {
            std::panic::panic_any(PanicOnDrop)
        });
        assert_eq!(code_of(foreign).await.1, "the skill panicked: a panic without a text");

        let token = Skill::new("s", async |_: Value, _: Context| -> crate::Result<Value> {
            panic!("eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ1In0.c2ln")
        });
        assert_eq!(code_of(token).await.1, "the skill panicked: [token]");
    }

    #[tokio::test]
    async fn dropping_cancels_and_survives_a_panic_in_drop() {
        let cancelled = Arc::new(AtomicBool::new(false));
        let seen = cancelled.clone();
        let skill = Skill::new("s", move |_: Value, context: Context| {
            let seen = seen.clone();
            async move {
                let watcher = context.clone();
                tokio::spawn(async move {
                    watcher.cancelled().await;
                    seen.store(true, Ordering::SeqCst);
                });
                let _guard = PanicOnDrop;
                std::future::pending::<()>().await;
                Ok::<_, crate::SkillError>(())
            }
        });
        let mut running = skill.call(Invocation::new(testing::message(&1)));
        assert!(futures_poll_once(&mut running).await.is_none());
        drop(running);
        while !cancelled.load(Ordering::SeqCst) {
            tokio::task::yield_now().await;
        }
    }

    async fn futures_poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
        std::future::poll_fn(|context| match Pin::new(&mut *future).poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }

    #[tokio::test]
    async fn a_payload_that_does_not_fit_is_pointed_at() {
        let skill = Skill::new("s", async |input: Vec<u32>, _: Context| -> crate::Result<usize> { Ok(input.len()) });
        let error = skill.call(Invocation::new(testing::message(&json!([1, "x"])))).await.unwrap_err();
        assert_eq!((error.code(), error.pointer()), (Code::InvalidPayload, Some("/1")));
    }

    #[tokio::test]
    async fn an_answer_over_the_limit_is_refused() {
        let skill = Skill::new("s", async |_: Value, _: Context| -> crate::Result<String> { Ok("x".repeat(100)) });
        let call = |limit| skill.call(Invocation::new(testing::message(&1)).with_response_limit(limit));
        assert_eq!(call(102).await.unwrap().as_str().len(), 102);
        assert_eq!(call(101).await.unwrap_err().code(), Code::ResponseTooLarge);
    }

    #[tokio::test]
    async fn a_handler_may_return_any_error() {
        let skill = Skill::new("s", async |_: Value, _: Context| -> anyhow::Result<Value> { anyhow::bail!("no luck") });
        assert_eq!(code_of(skill).await, (Code::SkillFailed, "no luck".to_owned()));
    }
}
