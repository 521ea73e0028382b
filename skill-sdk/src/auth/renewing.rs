//! A token that is kept, and made anew before it ends: once, however many ask for it at the same time.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::SignedDuration;
use secrecy::ExposeSecret;
use tokio::sync::OnceCell;

use crate::auth::AccessToken;
use crate::error::Error;

/// How long before its end a token is made anew (contracts "fabric-auth", section 5, and "cdf-iam", section 7).
pub const RENEWAL_MARGIN: Duration = Duration::from_secs(30);

/// The token in use and, while it is made, the next one.
#[derive(Default)]
pub(crate) struct Renewing(Mutex<Arc<Generation>>);

/// One making of a token. All who ask meanwhile wait for it and share what comes of it; when the one who makes it is
/// cancelled, the next one makes it.
#[derive(Default)]
struct Generation {
    made: OnceCell<Result<AccessToken, Error>>,
    /// The token before, while it lives: better than none when no other can be made.
    before: Option<AccessToken>,
}

impl Generation {
    fn after(before: Option<AccessToken>) -> Arc<Self> {
        Arc::new(Self { made: OnceCell::new(), before: before.filter(|token| !ends_within(token, Duration::ZERO)) })
    }
}

fn ends_within(token: &AccessToken, margin: Duration) -> bool {
    let margin = SignedDuration::try_from(margin).unwrap_or(SignedDuration::MAX);
    token.time_left().is_some_and(|left| left <= margin)
}

impl Renewing {
    /// The token in use, or a new one when that is about to end.
    pub(crate) async fn token<F>(&self, make: impl FnOnce() -> F) -> Result<AccessToken, Error>
    where
        F: Future<Output = Result<AccessToken, Error>>,
    {
        let generation = self.generation(|generation| match generation.made.get() {
            // It is being made.
            None => None,
            Some(Ok(token)) if !ends_within(token, RENEWAL_MARGIN) => None,
            Some(Ok(token)) => Some(Generation::after(Some(token.clone()))),
            Some(Err(_)) => Some(Generation::after(generation.before.clone())),
        });
        match (generation.made.get_or_init(make).await, &generation.before) {
            (Ok(token), _) => Ok(token.clone()),
            (Err(error), Some(before)) if !ends_within(before, Duration::ZERO) => {
                tracing::warn!(error = error.chain(), "a token cannot be renewed; the one in use still lives");
                Ok(before.clone())
            }
            (Err(error), _) => Err(error.without_source()),
        }
    }

    /// A token other than the one that was refused.
    pub(crate) async fn other_than<F>(
        &self,
        refused: &AccessToken,
        make: impl FnOnce() -> F,
    ) -> Result<AccessToken, Error>
    where
        F: Future<Output = Result<AccessToken, Error>>,
    {
        let is_refused = |token: &AccessToken| token.secret().expose_secret() == refused.secret().expose_secret();
        let generation = self.generation(|generation| match generation.made.get() {
            Some(Ok(token)) if !is_refused(token) => None,
            Some(_) => Some(Generation::after(None)),
            // It is being made.
            None => None,
        });
        match generation.made.get_or_init(make).await {
            Ok(token) => Ok(token.clone()),
            Err(error) => Err(error.without_source()),
        }
    }

    /// The current generation, after it was replaced by another one if there is one.
    fn generation(&self, replace: impl FnOnce(&Generation) -> Option<Arc<Generation>>) -> Arc<Generation> {
        // A panic while this lock is held leaves a whole generation behind.
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(next) = replace(&current) {
            *current = next;
        }
        Arc::clone(&current)
    }
}
