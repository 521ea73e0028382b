//! A token that is kept, and made anew before it ends: once, however many ask for it at the same time.

use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::SignedDuration;
use secrecy::ExposeSecret;

use crate::auth::AccessToken;
use crate::auth::shared_work::SharedWork;
use crate::error::Error;

/// How long before its end a token is made anew (contracts "fabric-auth", section 5, and "cdf-iam", section 7).
pub const RENEWAL_MARGIN: Duration = Duration::from_secs(30);

/// Longest time that the making of a token may take, and longest wait for it of whoever has one that lives.
const PATIENCE: Duration = Duration::from_secs(30);
const PATIENCE_WITH_TOKEN: Duration = Duration::from_secs(5);

/// For how long a failure counts for all who ask.
const PAUSE: Duration = Duration::from_secs(1);

/// The token in use and, while it is made, the next one.
#[derive(Default)]
pub(crate) struct Renewing(Mutex<State>);

#[derive(Default)]
struct State {
    token: Option<AccessToken>,
    /// The last making, unless its token is in use.
    making: Option<SharedWork<AccessToken>>,
}

impl Renewing {
    /// The token in use, or a new one when that is about to end. While none can be made, one that still lives will do.
    pub(crate) async fn token<F>(&self, make: impl FnOnce() -> F) -> Result<AccessToken, Error>
    where
        F: Future<Output = Result<AccessToken, Error>> + Send + 'static,
    {
        let (making, living) = {
            let mut state = self.state();
            match &state.token {
                Some(token) if !ends_within(token, RENEWAL_MARGIN) => return Ok(token.clone()),
                _ => {}
            }
            let living = state.token.clone().filter(|token| !ends_within(token, Duration::ZERO));
            (state.making(make)?, living)
        };
        let Some(living) = living else { return making.end().await };
        match tokio::time::timeout(PATIENCE_WITH_TOKEN, making.end()).await {
            Ok(Err(error)) if ends_within(&living, Duration::ZERO) => Err(error),
            Ok(Ok(token)) => Ok(token),
            Ok(Err(_)) | Err(_) => Ok(living),
        }
    }

    /// A token other than the one that was refused; `None` when the same comes again.
    pub(crate) async fn other_than<F>(
        &self,
        refused: &AccessToken,
        make: impl FnOnce() -> F,
    ) -> Result<Option<AccessToken>, Error>
    where
        F: Future<Output = Result<AccessToken, Error>> + Send + 'static,
    {
        let is_refused = |token: &AccessToken| token.secret().expose_secret() == refused.secret().expose_secret();
        let making = {
            let mut state = self.state();
            match &state.token {
                // Somebody else has had it renewed already.
                Some(token) if !is_refused(token) => return Ok(Some(token.clone())),
                _ => state.token = None,
            }
            state.making(make)?
        };
        let token = making.end().await?;
        Ok((!is_refused(&token)).then_some(token))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic while this lock is held leaves a whole state behind.
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Ok(token)) = state.making.as_ref().and_then(SharedWork::outcome) {
            (state.token, state.making) = (Some(token), None);
        }
        state
    }
}

impl State {
    /// The making under way, or the one that has just failed, or a new one.
    fn making<F>(&mut self, make: impl FnOnce() -> F) -> Result<SharedWork<AccessToken>, Error>
    where
        F: Future<Output = Result<AccessToken, Error>> + Send + 'static,
    {
        match &self.making {
            Some(making) if making.is_under_way() || making.begun.elapsed() < PAUSE => Ok(making.clone()),
            _ => {
                let making = SharedWork::begin("a token cannot be made", PATIENCE, make())?;
                Ok(self.making.insert(making).clone())
            }
        }
    }
}

fn ends_within(token: &AccessToken, margin: Duration) -> bool {
    let margin = SignedDuration::try_from(margin).unwrap_or(SignedDuration::MAX);
    token.time_left().is_some_and(|left| left <= margin)
}

#[cfg(test)]
mod tests {
    use std::future::{Pending, pending, ready};
    use std::sync::Arc;
    use std::time::Instant;

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;
    use crate::error::Code;
    use crate::logging::{Record, RecordLayer};

    fn token(text: &str, seconds: u64) -> AccessToken {
        AccessToken::issued_until(text.into(), Instant::now() + Duration::from_secs(seconds))
    }

    fn text(token: &AccessToken) -> &str {
        token.secret().expose_secret()
    }

    fn hangs() -> Pending<Result<AccessToken, Error>> {
        pending()
    }

    #[tokio::test(start_paused = true)]
    async fn a_making_that_hangs_does_not_keep_a_living_token_back() {
        let renewing = Renewing::default();
        let first = renewing.token(|| ready(Ok(token("first", 29)))).await.unwrap();
        let began = tokio::time::Instant::now();
        let second = renewing.token(hangs).await.unwrap();
        assert_eq!((text(&first), text(&second)), ("first", "first"));
        assert_eq!(began.elapsed(), PATIENCE_WITH_TOKEN);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_ever() {
        let renewing = Renewing::default();
        let began = tokio::time::Instant::now();
        let error = renewing.token(hangs).await.unwrap_err();
        assert_eq!((error.code(), began.elapsed()), (Code::PlatformUnavailable, PATIENCE));
    }

    #[tokio::test]
    async fn a_failure_counts_for_a_while() {
        let renewing = Renewing::default();
        let fails = || ready(Err(Error::new(Code::PlatformUnavailable, "down")));
        assert_eq!(renewing.token(fails).await.unwrap_err().detail(), "down");
        // As the other one is too fresh to be tried again, this making is not begun.
        assert_eq!(renewing.token(|| ready(Ok(token("second", 60)))).await.unwrap_err().detail(), "down");
        if let Some(making) = &mut renewing.0.lock().unwrap().making {
            making.begun = making.begun.checked_sub(PAUSE).unwrap();
        }
        assert_eq!(text(&renewing.token(|| ready(Ok(token("second", 60)))).await.unwrap()), "second");
    }

    #[tokio::test]
    async fn a_failure_is_logged_once_however_many_wait() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&seen);
        let layer = RecordLayer::new(move |record: &Record<'_>| sink.lock().unwrap().push(record.message.to_owned()));
        let _logged = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
        let renewing = Renewing::default();
        let fails = || ready(Err(Error::new(Code::PlatformUnavailable, "down")));
        let (one, two, three) = tokio::join!(renewing.token(fails), renewing.token(fails), renewing.token(fails));
        assert!(one.is_err() && two.is_err() && three.is_err());
        assert_eq!(*seen.lock().unwrap(), ["a token cannot be made"]);
    }

    #[tokio::test]
    async fn what_was_refused_is_not_given_again() {
        let renewing = Renewing::default();
        let first = renewing.token(|| ready(Ok(token("first", 60)))).await.unwrap();
        let second = renewing.other_than(&first, || ready(Ok(token("second", 60)))).await.unwrap().unwrap();
        assert_eq!(text(&second), "second");
        // Somebody else who had the first one gets what there is.
        let late = renewing.other_than(&first, || ready(Ok(token("third", 60)))).await.unwrap().unwrap();
        assert_eq!(text(&late), "second");
        assert!(renewing.other_than(&second, || ready(Ok(token("second", 60)))).await.unwrap().is_none());
    }
}
