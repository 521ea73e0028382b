//! With what a session is created.

use std::fmt;
use std::str::FromStr;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::auth;
use crate::error::{Code, Error};

/// A program's credentials at the identity provider, for a session in its name.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClientCredentials {
    /// Who the program is.
    pub client_id: String,
    /// What proves it.
    pub client_secret: SecretString,
}

impl ClientCredentials {
    /// Credentials of the program with this id.
    pub fn new(client_id: impl Into<String>, client_secret: impl Into<SecretString>) -> Self {
        Self { client_id: client_id.into(), client_secret: client_secret.into() }
    }
}

impl From<&auth::ClientCredentials> for ClientCredentials {
    fn from(credentials: &auth::ClientCredentials) -> Self {
        Self::new(credentials.client_id(), credentials.client_secret().clone())
    }
}

/// How a session is created. As text it is written in capitals, such as `TOKEN_EXCHANGE`, and read in any letter case.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum SessionType {
    /// With client credentials if there are any, else in exchange for the token.
    #[default]
    Default,
    /// With client credentials: those that are given, else the client's own.
    ClientCredentials,
    /// In exchange for the client's token.
    TokenExchange,
    /// In exchange for the client's token, for one use.
    OneshotTokenExchange,
}

impl SessionType {
    const ALL: [Self; 4] = [Self::Default, Self::ClientCredentials, Self::TokenExchange, Self::OneshotTokenExchange];

    fn as_str(self) -> &'static str {
        match self {
            Self::Default => "DEFAULT",
            Self::ClientCredentials => "CLIENT_CREDENTIALS",
            Self::TokenExchange => "TOKEN_EXCHANGE",
            Self::OneshotTokenExchange => "ONESHOT_TOKEN_EXCHANGE",
        }
    }

    /// What is sent, when there are these credentials.
    pub(super) fn item(self, credentials: Option<ClientCredentials>, failure: &str) -> Result<Value, Error> {
        match (self, credentials) {
            (Self::Default | Self::ClientCredentials, Some(ClientCredentials { client_id, client_secret })) => {
                Ok(json!({"clientId": client_id, "clientSecret": client_secret.expose_secret()}))
            }
            (Self::Default, None) | (Self::TokenExchange, _) => Ok(json!({"tokenExchange": true})),
            (Self::OneshotTokenExchange, _) => Ok(json!({"oneshotTokenExchange": true})),
            (Self::ClientCredentials, None) => Err(Error::new(
                Code::SkillFailed,
                format!(
                    "{failure}: for the type CLIENT_CREDENTIALS either client credentials must be given, or the client's \
                     tokens must come from client credentials"
                ),
            )),
        }
    }
}

impl fmt::Display for SessionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for SessionType {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|one| one.as_str().eq_ignore_ascii_case(text));
        found.ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            Error::new(Code::SkillFailed, format!("{text:?} is no type of session; there are {known}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_read_in_any_letter_case() {
        for session_type in SessionType::ALL {
            let text = session_type.to_string();
            assert_eq!(text.parse::<SessionType>().unwrap(), session_type);
            assert_eq!(text.to_lowercase().parse::<SessionType>().unwrap(), session_type);
        }
        let error = "TOKEN".parse::<SessionType>().unwrap_err();
        assert!(
            error.detail().ends_with("there are DEFAULT, CLIENT_CREDENTIALS, TOKEN_EXCHANGE, ONESHOT_TOKEN_EXCHANGE")
        );
    }
}
