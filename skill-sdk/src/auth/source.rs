//! Where the token of a request comes from. Whoever makes requests asks for a token before each attempt, and does not know
//! which kind of source it has.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};

use crate::auth::{AccessToken, ClientCredentials};
use crate::error::{Code, Error};

/// What a [`TokenSource`] gives, when it comes.
pub type TokenFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// Gives tokens.
///
/// - [`FixedToken`]: one token, for as long as it lives
/// - [`PersonalAccessTokens`](super::PersonalAccessTokens): made with a personal access config
/// - [`ClientCredentials`]: fetched from an OAuth server
/// - [`from_fn`]: whatever a function gives
pub trait TokenSource: Send + Sync {
    /// The token to use now.
    fn token(&self) -> TokenFuture<'_, AccessToken>;

    /// Another token, in place of one that the platform has refused; `None` from a source that has no other. After a
    /// refusal a request is repeated once if there is one.
    fn renew<'a>(&'a self, refused: &'a AccessToken) -> TokenFuture<'a, Option<AccessToken>> {
        let _ = refused;
        Box::pin(std::future::ready(Ok(None)))
    }

    /// The client credentials that the tokens come from; `None` of any other source. A session can be created with them
    /// (contract "cdf-iam", section 3).
    fn client_credentials(&self) -> Option<&ClientCredentials> {
        None
    }
}

impl<S: TokenSource + ?Sized> TokenSource for Arc<S> {
    fn token(&self) -> TokenFuture<'_, AccessToken> {
        (**self).token()
    }

    fn renew<'a>(&'a self, refused: &'a AccessToken) -> TokenFuture<'a, Option<AccessToken>> {
        (**self).renew(refused)
    }

    fn client_credentials(&self) -> Option<&ClientCredentials> {
        (**self).client_credentials()
    }
}

impl<S: TokenSource + ?Sized> TokenSource for Box<S> {
    fn token(&self) -> TokenFuture<'_, AccessToken> {
        (**self).token()
    }

    fn renew<'a>(&'a self, refused: &'a AccessToken) -> TokenFuture<'a, Option<AccessToken>> {
        (**self).renew(refused)
    }

    fn client_credentials(&self) -> Option<&ClientCredentials> {
        (**self).client_credentials()
    }
}

/// One token that cannot be renewed.
#[derive(Clone, Debug)]
pub struct FixedToken(AccessToken);

impl FixedToken {
    /// A source of this token.
    pub fn new(token: AccessToken) -> Self {
        Self(token)
    }
}

impl TokenSource for FixedToken {
    fn token(&self) -> TokenFuture<'_, AccessToken> {
        Box::pin(std::future::ready(Ok(self.0.clone())))
    }
}

/// A source that calls a function for every request, and once more after a refusal.
///
/// A failure of the function is [`Code::TokenMissing`], unless it is an [`Error`] with a code of its own: whoever can tell that
/// another try may help gives one with [`Code::PlatformUnavailable`].
///
/// ```
/// # use skill_sdk::auth::{TokenSource, from_fn};
/// # use skill_sdk::{Error, testing};
/// let source = from_fn(async || Ok::<_, Error>(testing::Token::new().text()));
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// assert!(source.token().await?.claims().is_some());
/// # Ok::<_, Error>(())
/// # }).unwrap();
/// ```
pub fn from_fn<F, Fut, E>(function: F) -> impl TokenSource + use<F, Fut, E>
where
    F: Fn() -> Fut + Send + Sync,
    Fut: Future<Output = Result<SecretString, E>> + Send,
    E: Into<Box<dyn std::error::Error + Send + Sync>> + 'static,
{
    FromFn(function)
}

struct FromFn<F>(F);

impl<F, Fut, E> TokenSource for FromFn<F>
where
    F: Fn() -> Fut + Send + Sync,
    Fut: Future<Output = Result<SecretString, E>> + Send,
    E: Into<Box<dyn std::error::Error + Send + Sync>> + 'static,
{
    fn token(&self) -> TokenFuture<'_, AccessToken> {
        Box::pin(async {
            let text = (self.0)().await.map_err(|error| {
                // A failure that has a row of the table keeps it.
                let error = Error::from(crate::SkillError::from(error));
                let code = if error.code() == Code::SkillFailed { Code::TokenMissing } else { error.code() };
                Error::new(code, "the function that gives tokens failed").with_source(error)
            })?;
            Ok(AccessToken::issued(text))
        })
    }

    fn renew<'a>(&'a self, refused: &'a AccessToken) -> TokenFuture<'a, Option<AccessToken>> {
        Box::pin(async {
            let token = self.token().await?;
            let same = token.secret().expose_secret() == refused.secret().expose_secret();
            Ok((!same).then_some(token))
        })
    }
}
