//! A session that was created.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// A session that was created. Its nonce shows only to who asks for it: it has no `Serialize`, but
/// [`expose_secret`](Self::expose_secret).
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct CreatedSession {
    /// What the platform knows it by.
    pub id: i64,
    /// `READY`, until a service binds it.
    pub status: String,
    /// What the service that is to act in the session binds it with. It lives but a short time.
    #[serde(deserialize_with = "secret")]
    pub nonce: SecretString,
    /// With which kind of credentials it was created, such as `TOKEN_EXCHANGE`.
    #[serde(default, rename = "type")]
    pub session_type: Option<String>,
    /// The id of the client at the identity provider, if it was created with client credentials.
    #[serde(default)]
    pub client_id: Option<String>,
    /// Whatever else the platform says of it.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}

impl CreatedSession {
    /// The session as the platform says it, with the nonce.
    pub fn expose_secret(&self) -> Map<String, Value> {
        let fields = [
            ("id", Some(self.id.into())),
            ("status", Some(self.status.as_str().into())),
            ("nonce", Some(self.nonce.expose_secret().into())),
            ("type", self.session_type.as_deref().map(Value::from)),
            ("clientId", self.client_id.as_deref().map(Value::from)),
        ];
        let fields = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        fields.chain(self.other.clone()).collect()
    }
}

impl fmt::Debug for CreatedSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreatedSession")
            .field("id", &self.id)
            .field("status", &self.status)
            .field("session_type", &self.session_type)
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}
