//! Where credentials come from, and whether they are any good.
//!
//! - [`token`]: what a token says about itself
//! - [`source`]: where the token of a request comes from
//! - [`personal_access`]: makes tokens with a personal access config
//! - [`profile`]: the command line's configuration file
//! - [`client_credentials`]: fetches tokens from an OAuth server
//! - [`verify`]: checks the signatures of tokens, for operators who want that
//! - [`key_set`]: the public keys that signatures are checked with
//! - [`environment`]: the variables that are read
//! - [`login`]: asks a person
//! - `credentials`: which of all these counts

pub mod client_credentials;
pub(crate) mod credentials;
pub mod environment;
mod file;
mod jwk;
pub mod key_set;
pub mod login;
pub mod personal_access;
mod personal_access_tokens;
pub mod profile;
mod renewing;
mod shared_work;
#[cfg(test)]
mod signers;
pub mod source;
pub mod token;
pub mod verify;

pub use client_credentials::ClientCredentials;
pub use environment::{Environment, ProcessEnvironment};
pub use jwk::{Algorithm, UnknownAlgorithm};
pub use key_set::KeySet;
pub use login::Login;
pub use personal_access::PersonalAccessConfig;
pub use personal_access_tokens::PersonalAccessTokens;
pub use profile::ProfileSummary;
pub use renewing::RENEWAL_MARGIN;
pub use source::{FixedToken, TokenFuture, TokenSource, from_fn};
pub use token::{AccessToken, Claims};
pub use verify::Verifier;
