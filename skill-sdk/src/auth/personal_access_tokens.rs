//! A personal access config as a source of tokens.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::auth::renewing::Renewing;
use crate::auth::{AccessToken, PersonalAccessConfig, TokenFuture, TokenSource};
use crate::client::VerifySslCert;
use crate::client::request::Terms;
use crate::error::Error;

/// Tokens made with a personal access config: see [`PersonalAccessConfig::tokens`].
pub struct PersonalAccessTokens {
    config: Arc<PersonalAccessConfig>,
    ttl: Duration,
    verify: VerifySslCert,
    current: Renewing,
}

impl PersonalAccessTokens {
    pub(super) fn new(config: Arc<PersonalAccessConfig>, ttl: Duration, verify: &VerifySslCert) -> Self {
        Self { config, ttl, verify: verify.clone(), current: Renewing::default() }
    }

    fn mint(&self) -> impl Future<Output = Result<AccessToken, Error>> + Send + use<> {
        let (config, ttl, verify) = (Arc::clone(&self.config), self.ttl, self.verify.clone());
        async move { config.mint_on(Terms::default(), ttl, &verify).await }
    }
}

impl TokenSource for PersonalAccessTokens {
    fn token(&self) -> TokenFuture<'_, AccessToken> {
        Box::pin(self.current.token(|| self.mint()))
    }

    fn renew<'a>(&'a self, refused: &'a AccessToken) -> TokenFuture<'a, Option<AccessToken>> {
        Box::pin(self.current.other_than(refused, || self.mint()))
    }
}

impl fmt::Debug for PersonalAccessTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PersonalAccessTokens").field("config", &self.config).finish_non_exhaustive()
    }
}
