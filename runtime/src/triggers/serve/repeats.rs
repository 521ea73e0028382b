//! Activations that come more than once, whose first answer counts.
//!
//! A platform, or what stands between it and a host, may send a message again of which it does not know whether it arrived. What tells
//! one activation is its id together with who asks for what: nobody gets another's answer for knowing an id.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{Context, SHA256};
use secrecy::ExposeSecret;
use skill_sdk::{Code, Error, Message};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use crate::outcome::Outcome;

/// Most answers that are kept, and most bytes of them: the oldest give way.
const KEPT: usize = 10_000;
const KEPT_BYTES: usize = 32 << 20;

/// What tells an activation: a SHA-256, so that no token is kept.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// That of a message to a skill.
    pub(super) fn of(message: &Message, skill: &str) -> Self {
        let token = message.token().map(ExposeSecret::expose_secret);
        let parts = [message.activation_id(), Some(skill), message.api_endpoint(), message.project_id(), token];
        let mut context = Context::new(&SHA256);
        for part in parts {
            let part = part.unwrap_or_default();
            context.update(&part.len().to_le_bytes());
            context.update(part.as_bytes());
        }
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(context.finish().as_ref());
        Self(fingerprint)
    }
}

/// What comes of an activation; `None` as long as it runs.
type Coming = watch::Receiver<Option<Arc<Outcome>>>;

/// The activations of a while.
#[derive(Debug)]
pub(super) struct Repeats {
    window: Duration,
    kept: Arc<Mutex<Kept>>,
    /// The invocations. They go on when whoever asked has gone: somebody may ask again.
    running: TaskTracker,
}

/// Whether an activation came before.
enum Found {
    First { began: Instant, sender: watch::Sender<Option<Arc<Outcome>>>, coming: Coming },
    Again(Coming),
}

#[derive(Debug, Default)]
struct Kept {
    activations: HashMap<Fingerprint, Activation>,
    /// In the order in which they came. One that is not kept any more, or was kept anew, has another beginning, or none.
    order: VecDeque<(Instant, Fingerprint)>,
    bytes: usize,
}

#[derive(Debug)]
struct Activation {
    began: Instant,
    bytes: usize,
    coming: Coming,
}

impl Repeats {
    pub(super) fn new(window: Duration) -> Self {
        Self { window, kept: Arc::default(), running: TaskTracker::new() }
    }

    /// Runs an activation if it is the first of its kind, and gives the outcome of the first.
    pub(super) async fn first(
        &self,
        fingerprint: Fingerprint,
        run: impl Future<Output = Outcome> + Send + 'static,
    ) -> Arc<Outcome> {
        let mut coming = match self.find_or_begin(fingerprint) {
            Found::First { began, sender, coming } => {
                let kept = Arc::clone(&self.kept);
                self.running.spawn(async move {
                    let outcome = Arc::new(run.await);
                    lock(&kept).settle(fingerprint, began, &outcome);
                    // Whoever asked may have gone.
                    let _ = sender.send(Some(outcome));
                });
                coming
            }
            Found::Again(coming) => {
                // It takes nobody's place while it waits.
                drop(run);
                tracing::debug!("an activation that came before has its first answer");
                coming
            }
        };
        let settled = coming.wait_for(Option::is_some).await;
        let outcome = settled.ok().and_then(|outcome| outcome.as_ref().map(Arc::clone));
        outcome.unwrap_or_else(|| {
            let error = Error::new(Code::Internal, "the host panicked; its log says where");
            Arc::new(Outcome::new(String::new(), None, Err(error)))
        })
    }

    /// Waits until none is running.
    pub(super) async fn idle(&self) {
        self.running.close();
        self.running.wait().await;
    }

    fn find_or_begin(&self, fingerprint: Fingerprint) -> Found {
        let now = Instant::now();
        let mut kept = lock(&self.kept);
        kept.forget_older_than(now, self.window);
        if let Some(activation) = kept.activations.get(&fingerprint) {
            return Found::Again(activation.coming.clone());
        }
        let (sender, coming) = watch::channel(None);
        kept.activations.insert(fingerprint, Activation { began: now, bytes: 0, coming: coming.clone() });
        kept.order.push_back((now, fingerprint));
        kept.forget_excess();
        Found::First { began: now, sender, coming }
    }
}

impl Kept {
    /// Keeps an outcome, unless it may be another the next time.
    fn settle(&mut self, fingerprint: Fingerprint, began: Instant, outcome: &Outcome) {
        let Some(activation) = self.activations.get_mut(&fingerprint).filter(|kept| kept.began == began) else {
            return;
        };
        if outcome.code().is_some_and(Code::is_retryable) {
            self.activations.remove(&fingerprint);
            return;
        }
        activation.bytes = outcome.size();
        self.bytes += activation.bytes;
        self.forget_excess();
    }

    fn forget_older_than(&mut self, now: Instant, window: Duration) {
        while self.order.front().is_some_and(|(began, _)| now.duration_since(*began) >= window) {
            self.forget_oldest();
        }
    }

    fn forget_excess(&mut self) {
        while self.order.len() > KEPT || (self.bytes > KEPT_BYTES && !self.order.is_empty()) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some((began, fingerprint)) = self.order.pop_front() else { return };
        if self.activations.get(&fingerprint).is_some_and(|kept| kept.began == began)
            && let Some(activation) = self.activations.remove(&fingerprint)
        {
            self.bytes -= activation.bytes;
        }
    }
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use skill_sdk::Response;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const LONG: Duration = Duration::from_mins(5);

    fn message(text: &serde_json::Value) -> Message {
        text.to_string().parse().unwrap()
    }

    fn answered(text: &str) -> Outcome {
        let response = Response::from_utf8(text.as_bytes(), usize::MAX);
        Outcome::new("a".into(), None, response)
    }

    fn failed(code: Code) -> Outcome {
        Outcome::new("a".into(), None, Err(Error::new(code, "no")))
    }

    #[test]
    fn whoever_asks_for_something_else_is_another() {
        let base = json!({
            "activationId": "a", "apiEndpoint": "http://h", "projectId": "p", "token": "t", "payload": 1
        });
        let of = |message: &serde_json::Value, skill| Fingerprint::of(&self::message(message), skill);
        let first = of(&base, "s");
        let mut again = base.clone();
        again["payload"] = json!(2);
        assert_eq!(first, of(&again, "s"));
        assert_ne!(first, of(&base, "other"));
        for field in ["activationId", "apiEndpoint", "projectId", "token"] {
            let mut other = base.clone();
            other[field] = json!("other");
            assert_ne!(first, of(&other, "s"), "{field}");
        }
        // What one field ends with is not what the next begins with.
        let (mut one, mut other) = (base.clone(), base);
        (one["apiEndpoint"], one["projectId"]) = (json!("ab"), json!("c"));
        (other["apiEndpoint"], other["projectId"]) = (json!("a"), json!("bc"));
        assert_ne!(of(&one, "s"), of(&other, "s"));
    }

    #[tokio::test]
    async fn the_first_answer_counts() {
        let repeats = Repeats::new(LONG);
        let runs = Arc::new(AtomicUsize::new(0));
        let fingerprint = Fingerprint([1; 32]);
        let run = || {
            let runs = Arc::clone(&runs);
            async move {
                let number = runs.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                answered(&number.to_string())
            }
        };
        let (one, other) = tokio::join!(repeats.first(fingerprint, run()), repeats.first(fingerprint, run()));
        let later = repeats.first(fingerprint, run()).await;
        assert_eq!([one, other, later].map(|outcome| outcome.response() == Some("0")), [true; 3]);
        let another = repeats.first(Fingerprint([2; 32]), run()).await;
        assert_eq!((another.response(), runs.load(Ordering::SeqCst)), (Some("1"), 2));
        repeats.idle().await;
    }

    #[tokio::test]
    async fn what_may_be_retried_is_run_again() {
        let repeats = Repeats::new(LONG);
        let fingerprint = Fingerprint([1; 32]);
        let code = async |code| repeats.first(fingerprint, async move { failed(code) }).await.code();
        assert_eq!(code(Code::Timeout).await, Some(Code::Timeout));
        assert_eq!(code(Code::SkillFailed).await, Some(Code::SkillFailed));
        assert_eq!(code(Code::Timeout).await, Some(Code::SkillFailed));
    }

    #[tokio::test]
    async fn an_answer_is_forgotten_after_the_window() {
        let repeats = Repeats::new(Duration::ZERO);
        for number in ["1", "2"] {
            let outcome = repeats.first(Fingerprint([1; 32]), async move { answered(number) }).await;
            assert_eq!(outcome.response(), Some(number));
        }
        assert_eq!(lock(&repeats.kept).activations.len(), 1);
    }

    #[tokio::test]
    async fn what_is_kept_has_a_bound() {
        let repeats = Repeats::new(LONG);
        for number in 0..KEPT + 10 {
            let mut fingerprint = [0; 32];
            fingerprint[..8].copy_from_slice(&number.to_le_bytes());
            repeats.first(Fingerprint(fingerprint), async { answered("1") }).await;
        }
        let kept = lock(&repeats.kept).activations.len();
        assert_eq!((kept, lock(&repeats.kept).order.len()), (KEPT, KEPT));
        let large = format!("\"{}\"", "x".repeat(KEPT_BYTES));
        repeats.first(Fingerprint([9; 32]), async move { answered(&large) }).await;
        assert!(lock(&repeats.kept).activations.is_empty());
        assert_eq!(lock(&repeats.kept).bytes, 0);
        // What a failure says takes as much memory.
        let failure = failed(Code::SkillFailed);
        let size = failure.size();
        repeats.first(Fingerprint([8; 32]), async move { failure }).await;
        assert_eq!((lock(&repeats.kept).bytes, size), (size, "a".len() + "no".len()));
    }

    #[tokio::test]
    async fn an_invocation_that_panics_has_an_outcome() {
        let repeats = Repeats::new(LONG);
        let outcome = repeats.first(Fingerprint([1; 32]), async { panic!("our own") }).await;
        assert_eq!(outcome.code(), Some(Code::Internal));
    }
}
