//! The options that say what is asked of whoever invokes.

use std::time::Duration;

use clap::Args;
use clap::builder::FalseyValueParser;
use skill_sdk::Error;
use skill_sdk::auth::{KeySet, Verifier};
use skill_sdk::client::{MessageOptions, VerifySslCert};
use url::Url;

use super::any_duration;
use crate::authenticate::{AllowedEndpoint, Authentication};

/// What is asked of whoever invokes.
#[derive(Args)]
#[command(next_help_heading = "Authentication")]
pub(crate) struct AuthenticationOptions {
    /// How long after its end a token still counts as alive, and before its beginning already.
    #[arg(long, env = "SKILL_LEEWAY", value_name = "DURATION", default_value = "10s", value_parser = any_duration)]
    leeway: Duration,
    /// Refuse a token that ends before the invocation's deadline. Otherwise that is logged as a warning.
    #[arg(long, env = "SKILL_STRICT_EXPIRY", value_parser = FalseyValueParser::new())]
    strict_expiry: bool,
    /// Check the signatures of tokens with these keys: a file or URL of a JSON Web Key Set. Without it, the platform alone
    /// checks them.
    // A URL may hold a password.
    #[arg(long, env = "SKILL_JWKS", value_name = "FILE|URL", hide_env_values = true)]
    jwks: Option<String>,
    /// Whom tokens must be from (`iss`). Several, separated by commas or given one by one, are alternatives.
    #[arg(long, env = "SKILL_ISSUER", value_name = "TEXT", requires = "jwks", value_delimiter = ',', value_parser = trimmed)]
    issuer: Vec<String>,
    /// Whom tokens must be for (`aud`). Several, separated by commas or given one by one, are alternatives.
    #[arg(long, env = "SKILL_AUDIENCE", value_name = "TEXT", requires = "jwks", value_delimiter = ',', value_parser = trimmed)]
    audience: Vec<String>,
    /// Act only on this platform: the `apiEndpoint` of a message must have its scheme, host and port. Several, separated by
    /// commas or given one by one, are alternatives.
    #[arg(long, env = "SKILL_ALLOW_ENDPOINT", value_name = "URL", value_delimiter = ',')]
    allow_endpoint: Vec<AllowedEndpoint>,
    #[command(flatten)]
    tls: TlsOptions,
}

#[derive(Args)]
pub(crate) struct TlsOptions {
    /// Check the platform's certificate: `true`, `false`, or the path of a CA bundle or folder.
    #[arg(long, env = "SKILL_VERIFY_SSL_CERT", value_name = "true|false|PATH", default_value = "true")]
    pub(crate) verify_ssl_cert: VerifySslCert,
}

fn trimmed(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("it is empty".to_owned()),
        text => Ok(text.to_owned()),
    }
}

impl AuthenticationOptions {
    /// What clients are made with.
    pub(crate) fn client(&self) -> MessageOptions {
        MessageOptions { leeway: self.leeway, verify_ssl_cert: self.tls.verify_ssl_cert.clone() }
    }

    /// Whether anybody here checks signatures.
    pub(crate) fn checks_signatures(&self) -> bool {
        self.jwks.is_some()
    }

    /// What a host asks. Files that are named are read: whoever names one wants to know at once when it is of no use.
    ///
    /// # Errors
    ///
    /// As for [`KeySet::from_file`], [`KeySet::from_url`] and [`VerifySslCert::check`].
    pub(crate) fn authentication(self) -> Result<Authentication, Error> {
        let client = self.client();
        let verify = self.tls.verify_ssl_cert;
        verify.check()?;
        let verifier = self.jwks.map(|place| key_set(&place, verify)).transpose()?.map(|keys| {
            let verifier = Verifier::new(keys).leeway(self.leeway);
            let verifier = self.issuer.into_iter().fold(verifier, Verifier::issuer);
            self.audience.into_iter().fold(verifier, Verifier::audience)
        });
        Ok(Authentication { client, strict_expiry: self.strict_expiry, endpoints: self.allow_endpoint, verifier })
    }
}

/// The keys at a URL or in a file.
fn key_set(place: &str, verify: VerifySslCert) -> Result<KeySet, Error> {
    match Url::parse(place) {
        Ok(url) if url.scheme() == "file" => match url.to_file_path() {
            Ok(path) => KeySet::from_file(path),
            Err(()) => KeySet::from_url(url, verify),
        },
        // A name with a colon in it is no URL for that.
        Ok(url) if place.contains("://") => KeySet::from_url(url, verify),
        _ => KeySet::from_file(place),
    }
}
