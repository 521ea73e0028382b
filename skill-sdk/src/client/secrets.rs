//! Secrets of a project (contract "fabric-api", section 4).

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;
use url::Url;

use crate::client::address::{Service, segment};
use crate::client::call::Call;
use crate::client::withheld::Withheld;
use crate::client::{Client, found};
use crate::error::{Code, Error};
use crate::json_text::{self, JsonText};

/// What keeps secrets.
const ACCOUNTS: Service = Service {
    name: "cortex-accounts",
    port_variable: "CORTEX_ACCOUNTS_SERVICE_PORT_HTTP_CORTEX_ACCOUNTS",
    default_port: 5000,
};

/// The secrets of a project: JSON values under keys.
///
/// A value can be read in two places. [`get`](Self::get) asks the platform's account service, as skills do: that works
/// inside the cluster, and on an embedded platform. [`describe`](Self::describe) asks the API that everybody reaches;
/// whether it shows the value, the platform decides.
///
/// The account service has an address of its own. A platform whose host holds `cortex-internal` has it where the host
/// holds `cortex-accounts` instead, at the port that the variable `CORTEX_ACCOUNTS_SERVICE_PORT_HTTP_CORTEX_ACCOUNTS`
/// says, else 5000. At every other URL it is expected at that URL.
///
/// Values never show in `Debug`, nor in errors: if a platform that refuses one repeats any text in it, or any number of
/// four digits or more, its words are left out. Booleans and shorter numbers count as no secret.
///
/// ```no_run
/// # async fn example(client: skill_sdk::Client) -> Result<(), skill_sdk::Error> {
/// use skill_sdk::secrecy::{ExposeSecret, SecretString};
///
/// let password: SecretString = client.secrets().get("db/password").await?.text()?;
/// # fn connect(password: &str) {}
/// connect(password.expose_secret());
/// # Ok(())
/// # }
/// ```
///
/// A secret can be passed on as it is:
///
/// ```no_run
/// # async fn example(client: skill_sdk::Client) -> Result<(), skill_sdk::Error> {
/// use skill_sdk::client::Connection;
///
/// let password = client.secrets().get("db/password").await?;
/// client.secrets().post("db/former-password", &password).await?;
/// let connection = Connection::new("orders", "mongo").with_param("password", password);
/// client.connections().save(&connection).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Secrets {
    client: Client,
}

/// A secret: any JSON value. It shows only to who asks it to. Texts and [`Value`]s are made into one as they are, all else
/// by [`new`](Self::new).
///
/// ```
/// # use skill_sdk::client::SecretValue;
/// #[derive(serde::Deserialize)]
/// struct Login {
///     user: String,
///     password: String,
/// }
///
/// let secret = SecretValue::new(&serde_json::json!({"user": "ann", "password": "hunter2"}))?;
/// assert!(!format!("{secret:?}").contains("hunter2"));
/// let Login { user, password } = secret.expose_secret()?;
/// assert_eq!((user.as_str(), password.as_str()), ("ann", "hunter2"));
/// # Ok::<_, skill_sdk::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct SecretValue(SecretString);

impl Secrets {
    pub(super) fn new(client: Client) -> Self {
        Self { client }
    }

    /// The keys of all secrets.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail).
    pub async fn list(&self) -> Result<Vec<String>, Error> {
        let mut url = self.client.project_url(["secrets"]);
        url.query_pairs_mut().append_pair("list", "true");
        self.client.json(Call::get(url, "cannot list secrets")).await
    }

    /// A secret, from inside the cluster or from an embedded platform. Elsewhere use [`describe`](Self::describe): the
    /// public address of a platform does not lead to its account service, and its 404 would look like "no such secret".
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail); [`Error::is_not_found`] when there is no such secret, and
    /// [`Code::InvalidMessage`] when the variable of the port does not hold one.
    pub async fn get(&self, key: &str) -> Result<SecretValue, Error> {
        let url = self.client.internal_url(&ACCOUNTS, ["secrets", segment("a secret", key)?])?;
        self.read(Call::get(url, format!("cannot get the secret `{key}`"))).await
    }

    /// As [`get`](Self::get), but `None` when there is no such secret. Outside of the cluster `None` says nothing of the
    /// secret: use [`describe_opt`](Self::describe_opt) there.
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get).
    pub async fn get_opt(&self, key: &str) -> Result<Option<SecretValue>, Error> {
        found(self.get(key).await)
    }

    /// A secret, from where everybody reaches the platform.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail); [`Error::is_not_found`] when there is no such secret.
    pub async fn describe(&self, key: &str) -> Result<SecretValue, Error> {
        self.read(Call::get(self.url(key)?, format!("cannot describe the secret `{key}`"))).await
    }

    /// As [`describe`](Self::describe), but `None` when there is no such secret.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail).
    pub async fn describe_opt(&self, key: &str) -> Result<Option<SecretValue>, Error> {
        found(self.describe(key).await)
    }

    /// Stores a value under a key, in place of what was there: text, also a [`SecretString`], a [`Value`], or another
    /// secret. For all else there is [`SecretValue::new`].
    ///
    /// A key consists of ASCII letters, digits and `_`, and between any two of these may stand one of `.`, `/` and `-`:
    /// `db/main-password`.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail); [`Code::SkillFailed`] for another key.
    pub async fn post(&self, key: &str, value: impl Into<SecretValue>) -> Result<(), Error> {
        if !is_key(key) {
            // The words of the platform's command line.
            let detail = format!("Failed to write secret : keyName did not conform to regex: {key:?}");
            return Err(Error::new(Code::SkillFailed, detail));
        }
        let call = Call::post(self.url(key)?, format!("cannot post the secret `{key}`"));
        let value = value.into();
        let body = BTreeMap::from([("value", value.raw()?)]);
        self.client.done(call.json_with_secrets(&body, Withheld::of)?).await
    }

    /// Deletes a secret.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail); [`Error::is_not_found`] when there is no such secret.
    pub async fn delete(&self, key: &str) -> Result<(), Error> {
        self.client.done(Call::delete(self.url(key)?, format!("cannot delete the secret `{key}`"))).await
    }

    async fn read(&self, call: Call) -> Result<SecretValue, Error> {
        let answer: JsonText = self.client.json(call).await?;
        Ok(SecretValue::of_answer(&answer))
    }

    fn url(&self, key: &str) -> Result<Url, Error> {
        Ok(self.client.project_url(["secrets", segment("a secret", key)?]))
    }
}

impl SecretValue {
    /// Holds a value.
    ///
    /// # Errors
    ///
    /// [`Code::SkillFailed`] for a value that cannot be written as JSON, for example a map whose keys are no texts.
    pub fn new(value: &(impl Serialize + ?Sized)) -> Result<Self, Error> {
        let text = serde_json::to_string(value).map_err(|_| no_json())?;
        Ok(Self(text.into()))
    }

    /// The value as a type, which may show it.
    ///
    /// # Errors
    ///
    /// [`Code::SkillFailed`] when it does not fit the type. The error says where, not what stands there.
    pub fn expose_secret<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_str(self.json()).map_err(|error| {
            let place = format!("line {}, column {}", error.line(), error.column());
            Error::new(Code::SkillFailed, format!("the secret does not fit the type that is asked for ({place})"))
        })
    }

    /// The text that it is. It stays a secret.
    ///
    /// # Errors
    ///
    /// [`Code::SkillFailed`] when it is no text.
    pub fn text(&self) -> Result<SecretString, Error> {
        let text: String = serde_json::from_str(self.json())
            .map_err(|_| Error::new(Code::SkillFailed, "the secret is JSON, but no text"))?;
        Ok(text.into())
    }

    pub(super) fn json(&self) -> &str {
        self.0.expose_secret()
    }

    /// The value with its numbers as they came.
    fn raw(&self) -> Result<&RawValue, Error> {
        serde_json::from_str(self.json()).map_err(|_| no_json())
    }

    /// The value that an answer holds: normally as its field `value`, beside which there may be `success`, else it is the
    /// answer.
    fn of_answer(answer: &JsonText) -> Self {
        let fields: BTreeMap<String, JsonText> = json_text::parse(answer.as_str()).unwrap_or_default();
        let alone = fields.keys().all(|name| matches!(name.as_str(), "value" | "success"));
        let value = fields.get("value").filter(|_| alone).unwrap_or(answer);
        Self(value.as_str().into())
    }
}

impl From<Value> for SecretValue {
    fn from(value: Value) -> Self {
        Self(value.to_string().into())
    }
}

impl From<&str> for SecretValue {
    fn from(text: &str) -> Self {
        Value::from(text).into()
    }
}

impl From<String> for SecretValue {
    fn from(text: String) -> Self {
        Value::from(text).into()
    }
}

impl From<SecretString> for SecretValue {
    fn from(text: SecretString) -> Self {
        text.expose_secret().into()
    }
}

impl From<&SecretValue> for SecretValue {
    fn from(secret: &SecretValue) -> Self {
        secret.clone()
    }
}

// The reason stays out of it: a type may name the value that it cannot write.
fn no_json() -> Error {
    Error::new(Code::SkillFailed, "the secret cannot be written as JSON")
}

/// Whether a secret can be written under a key: `^\w+([./-]?\w+)*$` (contract "fabric-api", section 4).
fn is_key(key: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    key.split(['.', '/', '-']).all(|word| !word.is_empty() && word.bytes().all(is_word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_words_with_single_separators() {
        for key in ["a", "_", "0", "db/main-password", "a.b/c-d_e", "A1"] {
            assert!(is_key(key), "{key}");
        }
        for key in ["", "/a", "a/", "a//b", "a./b", "-", "a b", "a\n", "ü", "a%", "日本", "..", "a:b"] {
            assert!(!is_key(key), "{key}");
        }
    }
}
