//! The invocation message: the envelope that carries a payload and everything needed to act for somebody.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::de::{DeserializeOwned, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::error::{Code, Error};
use crate::json_text::JsonText;

/// An invocation message (contract "fabric-invocation", section 1).
///
/// | field | accessor | meaning |
/// |---|---|---|
/// | `payload` | [`payload`](Self::payload) | the caller's input, any JSON |
/// | `apiEndpoint` | [`api_endpoint`](Self::api_endpoint) | where platform calls go |
/// | `token` | [`token`](Self::token) | bearer token for those calls, a JWT |
/// | `projectId` | [`project_id`](Self::project_id) | project the skill belongs to |
/// | `activationId` | [`activation_id`](Self::activation_id) | id of this invocation |
/// | `sessionId` | [`session_id`](Self::session_id) | the activation id unless the caller gave one |
/// | `properties` | [`properties`](Self::properties) | merged from skill, agent and call |
/// | `skillName` | [`skill_name`](Self::skill_name) | the skill as the platform knows it |
/// | `outputName` | [`output_name`](Self::output_name) | output declared in the route |
/// | `channelId` | [`channel_id`](Self::channel_id) | the agent's wire, needed to send messages |
/// | `agentName` | [`agent_name`](Self::agent_name) | empty or absent for a plain invocation |
/// | `timestamp` | [`timestamp`](Self::timestamp) | when it was invoked |
///
/// Payload, properties and fields that this crate does not know are kept as the text they came in. A field that stands
/// twice is refused: two readers could disagree about which one counts.
///
/// There is no `Serialize`, and `Debug` shows neither token nor content: a message is written only by
/// [`to_json_with_token`](Self::to_json_with_token).
#[derive(Clone)]
pub struct Message {
    pub(crate) activation_id: Option<String>,
    pub(crate) api_endpoint: Option<String>,
    pub(crate) token: Option<SecretString>,
    pub(crate) project_id: Option<String>,
    pub(crate) session_id: Option<String>,
    pub(crate) skill_name: Option<String>,
    pub(crate) output_name: Option<String>,
    pub(crate) channel_id: Option<String>,
    pub(crate) agent_name: Option<String>,
    pub(crate) timestamp: Option<JsonText>,
    pub(crate) payload: JsonText,
    pub(crate) properties: Option<JsonText>,
    /// A JSON object of everything else.
    pub(crate) other: Option<JsonText>,
}

impl Message {
    /// A message with a payload and nothing else.
    ///
    /// # Errors
    ///
    /// [`Code::InvalidMessage`] when the payload cannot be written as JSON, for example a map whose keys are no texts.
    pub fn new(payload: &(impl Serialize + ?Sized)) -> Result<Self, Error> {
        Ok(Self { payload: json("payload", payload)?, ..Self::empty() })
    }

    pub(crate) fn empty() -> Self {
        Self {
            activation_id: None,
            api_endpoint: None,
            token: None,
            project_id: None,
            session_id: None,
            skill_name: None,
            output_name: None,
            channel_id: None,
            agent_name: None,
            timestamp: None,
            payload: JsonText::null(),
            properties: None,
            other: None,
        }
    }

    /// Reads a message.
    ///
    /// # Errors
    ///
    /// [`Code::InvalidMessage`] for bytes that are not UTF-8, not JSON or not an object, for a field of the wrong type
    /// and for one that stands twice.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, Error> {
        let invalid =
            |why: &dyn fmt::Display| Error::new(Code::InvalidMessage, format!("the message is not valid: {why}"));
        if bytes.trim_ascii().is_empty() {
            return Err(invalid(&"it is empty"));
        }
        let text = std::str::from_utf8(bytes).map_err(|error| invalid(&error))?;
        if !text.trim_start().starts_with('{') {
            // serde's own words would quote the text, which may be a token in the wrong place.
            return match serde_json::from_str::<serde::de::IgnoredAny>(text) {
                Ok(_) => Err(invalid(&"it is JSON, but not an object")),
                Err(_) => Err(invalid(&"it is not JSON")),
            };
        }
        serde_json::from_str(text).map_err(|error| invalid(&crate::redact(&error.to_string())))
    }

    /// The caller's input as a type.
    ///
    /// # Errors
    ///
    /// [`Code::InvalidPayload`] with the [pointer](Error::pointer) of the field that does not fit.
    pub fn payload<T: DeserializeOwned>(&self) -> Result<T, Error> {
        self.payload.parse().map_err(|misfit| {
            Error::new(Code::InvalidPayload, format!("the payload does not fit the skill's input: {misfit}"))
                .with_pointer(misfit.pointer)
        })
    }

    /// The caller's input as the JSON text it came in; `null` when there was none.
    pub fn payload_json(&self) -> &str {
        self.payload.as_str()
    }

    /// The properties as a type; an absent `properties` reads as an empty object.
    ///
    /// # Errors
    ///
    /// [`Code::InvalidMessage`] with the [pointer](Error::pointer) of the property that does not fit.
    pub fn properties<T: DeserializeOwned>(&self) -> Result<T, Error> {
        crate::json_text::parse(self.properties_json()).map_err(|misfit| {
            Error::new(Code::InvalidMessage, format!("the properties do not fit the skill: {misfit}"))
                .with_pointer(format!("/properties{}", misfit.pointer))
        })
    }

    /// The properties as the JSON text they came in; `{}` when there were none.
    pub fn properties_json(&self) -> &str {
        self.properties.as_ref().map_or("{}", JsonText::as_str)
    }

    /// A field that has no accessor, as JSON.
    pub fn other(&self, name: &str) -> Option<Value> {
        self.others().remove(name).and_then(|text| serde_json::from_str(text.as_str()).ok())
    }

    fn others(&self) -> BTreeMap<String, JsonText> {
        self.other.as_ref().and_then(|text| serde_json::from_str(text.as_str()).ok()).unwrap_or_default()
    }

    /// Where platform calls go: a URL without path.
    pub fn api_endpoint(&self) -> Option<&str> {
        self.api_endpoint.as_deref()
    }

    /// The bearer token for platform calls.
    pub fn token(&self) -> Option<&SecretString> {
        self.token.as_ref()
    }

    /// The project the skill belongs to.
    pub fn project_id(&self) -> Option<&str> {
        self.project_id.as_deref()
    }

    /// The id of this invocation.
    pub fn activation_id(&self) -> Option<&str> {
        self.activation_id.as_deref()
    }

    /// The session of this invocation: its own id unless the caller gave another. An empty id counts as none.
    pub fn session_id(&self) -> Option<&str> {
        [&self.session_id, &self.activation_id].into_iter().flatten().map(String::as_str).find(|id| !id.is_empty())
    }

    /// The skill that was invoked, as the platform knows it. It may hold `/`.
    pub fn skill_name(&self) -> Option<&str> {
        self.skill_name.as_deref()
    }

    /// The output that the route declares.
    pub fn output_name(&self) -> Option<&str> {
        self.output_name.as_deref()
    }

    /// The agent's wire.
    pub fn channel_id(&self) -> Option<&str> {
        self.channel_id.as_deref()
    }

    /// The agent; empty or absent for a plain invocation.
    pub fn agent_name(&self) -> Option<&str> {
        self.agent_name.as_deref()
    }

    /// When the skill was invoked. It is read from milliseconds since 1970 UTC, as a number or as text, and from
    /// RFC 3339; any other text reads as none, because no client relies on this field.
    pub fn timestamp(&self) -> Option<Timestamp> {
        let text = self.timestamp.as_ref()?.as_str();
        let unquoted = serde_json::from_str::<String>(text).unwrap_or_else(|_| text.to_owned());
        match unquoted.parse::<i64>() {
            Ok(milliseconds) => Timestamp::from_millisecond(milliseconds).ok(),
            Err(_) => unquoted.parse().ok(),
        }
    }

    /// Sets `apiEndpoint`.
    pub fn with_api_endpoint(mut self, url: impl Into<String>) -> Self {
        self.api_endpoint = Some(url.into());
        self
    }

    /// Sets `token`.
    pub fn with_token(mut self, token: SecretString) -> Self {
        self.token = Some(token);
        self
    }

    /// Sets `projectId`.
    pub fn with_project_id(mut self, project: impl Into<String>) -> Self {
        self.project_id = Some(project.into());
        self
    }

    /// Sets `activationId`.
    pub fn with_activation_id(mut self, id: impl Into<String>) -> Self {
        self.activation_id = Some(id.into());
        self
    }

    /// Sets `sessionId`.
    pub fn with_session_id(mut self, id: impl Into<String>) -> Self {
        self.session_id = Some(id.into());
        self
    }

    /// Sets `skillName`.
    pub fn with_skill_name(mut self, name: impl Into<String>) -> Self {
        self.skill_name = Some(name.into());
        self
    }

    /// Sets `outputName`.
    pub fn with_output_name(mut self, name: impl Into<String>) -> Self {
        self.output_name = Some(name.into());
        self
    }

    /// Sets `channelId`.
    pub fn with_channel_id(mut self, id: impl Into<String>) -> Self {
        self.channel_id = Some(id.into());
        self
    }

    /// Sets `timestamp`, as whole milliseconds.
    pub fn with_timestamp(mut self, at: Timestamp) -> Self {
        self.timestamp = Some(JsonText::from_checked(at.as_millisecond().to_string()));
        self
    }

    /// Sets `properties`.
    ///
    /// # Errors
    ///
    /// [`Code::InvalidMessage`] when they cannot be written as a JSON object.
    pub fn with_properties(mut self, properties: &(impl Serialize + ?Sized)) -> Result<Self, Error> {
        let text = json("properties", properties)?;
        if !text.as_str().starts_with('{') {
            return Err(Error::new(Code::InvalidMessage, "properties must be a JSON object"));
        }
        self.properties = Some(text);
        Ok(self)
    }

    /// The whole message as JSON, **with its token in the clear**: for the wire, never for a log.
    pub fn to_json_with_token(&self) -> String {
        let mut fields: BTreeMap<&str, JsonText> = BTreeMap::new();
        let texts = [
            ("activationId", self.activation_id()),
            ("apiEndpoint", self.api_endpoint()),
            ("token", self.token().map(ExposeSecret::expose_secret)),
            ("projectId", self.project_id()),
            ("sessionId", self.session_id.as_deref()),
            ("skillName", self.skill_name()),
            ("outputName", self.output_name()),
            ("channelId", self.channel_id()),
            ("agentName", self.agent_name()),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                fields.insert(name, JsonText::from_checked(Value::from(text).to_string()));
            }
        }
        let timestamp = match self.timestamp() {
            Some(at) => Some(JsonText::from_checked(at.as_millisecond().to_string())),
            None => self.timestamp.clone(),
        };
        fields.extend(timestamp.map(|text| ("timestamp", text)));
        fields.extend(self.properties.clone().map(|text| ("properties", text)));
        fields.insert("payload", self.payload.clone());
        let others = self.others();
        fields.extend(others.iter().map(|(name, text)| (name.as_str(), text.clone())));
        object(fields.iter().map(|(name, text)| (*name, text)))
    }
}

fn json(field: &str, value: &(impl Serialize + ?Sized)) -> Result<JsonText, Error> {
    JsonText::of(value).map_err(|error| {
        Error::new(Code::InvalidMessage, format!("{field} cannot be written as JSON")).with_source(error)
    })
}

/// Writes a JSON object from texts that are JSON already.
fn object<'a>(fields: impl Iterator<Item = (&'a str, &'a JsonText)>) -> String {
    let mut text = String::from("{");
    for (name, value) in fields {
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(&Value::from(name).to_string());
        text.push(':');
        text.push_str(value.as_str());
    }
    text.push('}');
    text
}

impl FromStr for Message {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::from_slice(text.as_bytes())
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("activation_id", &self.activation_id)
            .field("api_endpoint", &self.api_endpoint)
            .field("token", &self.token)
            .field("project_id", &self.project_id)
            .field("session_id", &self.session_id)
            .field("skill_name", &self.skill_name)
            .field("payload", &self.payload)
            .field("properties", &self.properties)
            .finish_non_exhaustive()
    }
}

impl<'de> Deserialize<'de> for Message {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Envelope)
    }
}

struct Envelope;

/// The fields that have an accessor.
const KNOWN: [&str; 12] = [
    "payload",
    "apiEndpoint",
    "token",
    "projectId",
    "activationId",
    "sessionId",
    "properties",
    "skillName",
    "outputName",
    "channelId",
    "agentName",
    "timestamp",
];

impl<'de> Visitor<'de> for Envelope {
    type Value = Message;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object with `payload`, `apiEndpoint`, `token` and `projectId`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Message, A::Error> {
        let mut message = Message::empty();
        let mut payload = None;
        let mut token = None;
        let mut other: BTreeMap<String, JsonText> = BTreeMap::new();
        let mut seen = 0u32;
        while let Some(key) = map.next_key::<Key>()? {
            let key = match &key {
                Key::Known(place) => {
                    let key = KNOWN[*place];
                    if seen & (1 << place) != 0 {
                        return Err(A::Error::custom(format_args!("the field `{key}` stands twice")));
                    }
                    seen |= 1 << place;
                    key
                }
                Key::Other(key) => key,
            };
            match key {
                "payload" => json_field(&mut map, key, &mut payload, |_| true)?,
                "properties" => json_field(&mut map, key, &mut message.properties, is_object)?,
                "timestamp" => json_field(&mut map, key, &mut message.timestamp, is_number_or_text)?,
                // An empty text stands for null in these three: whoever wrote the key meant to fill it in, and a
                // message that is broken must not be taken for one that leaves them out.
                "apiEndpoint" => text_field(&mut map, key, &mut message.api_endpoint, Some(""))?,
                "projectId" => text_field(&mut map, key, &mut message.project_id, Some(""))?,
                "token" => text_field(&mut map, key, &mut token, Some(""))?,
                "activationId" => text_field(&mut map, key, &mut message.activation_id, None)?,
                "sessionId" => text_field(&mut map, key, &mut message.session_id, None)?,
                "skillName" => text_field(&mut map, key, &mut message.skill_name, None)?,
                "outputName" => text_field(&mut map, key, &mut message.output_name, None)?,
                "channelId" => text_field(&mut map, key, &mut message.channel_id, None)?,
                "agentName" => text_field(&mut map, key, &mut message.agent_name, None)?,
                _ => {
                    let text = map.next_value()?;
                    if other.insert(key.to_owned(), text).is_some() {
                        return Err(A::Error::custom(format_args!("the field `{key}` stands twice")));
                    }
                }
            }
        }
        message.payload = payload.unwrap_or_else(JsonText::null);
        message.token = token.map(SecretString::from);
        if !other.is_empty() {
            message.other = Some(JsonText::from_checked(object(other.iter().map(|(k, v)| (k.as_str(), v)))));
        }
        Ok(message)
    }
}

/// The name of a field.
enum Key {
    /// By its place among those that have an accessor.
    Known(usize),
    Other(String),
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;

        impl Visitor<'_> for Name {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a field")
            }

            fn visit_str<E>(self, name: &str) -> Result<Key, E> {
                let place = KNOWN.iter().position(|known| *known == name);
                Ok(place.map_or_else(|| Key::Other(name.to_owned()), Key::Known))
            }
        }

        deserializer.deserialize_str(Name)
    }
}

fn text_field<'de, A: MapAccess<'de>>(
    map: &mut A,
    key: &str,
    field: &mut Option<String>,
    null: Option<&str>,
) -> Result<(), A::Error> {
    // The value itself stays out of the error: it may be a token in the wrong place.
    let value: Value = map.next_value()?;
    *field = match value {
        Value::String(text) => Some(text),
        Value::Null => null.map(str::to_owned),
        _ => return Err(A::Error::custom(format_args!("`{key}` must be text"))),
    };
    Ok(())
}

fn json_field<'de, A: MapAccess<'de>>(
    map: &mut A,
    key: &str,
    field: &mut Option<JsonText>,
    fits: fn(&str) -> bool,
) -> Result<(), A::Error> {
    let text: JsonText = map.next_value()?;
    if text.as_str() == "null" && key != "payload" {
        return Ok(());
    }
    if !fits(text.as_str()) {
        return Err(A::Error::custom(format_args!("`{key}` has the wrong type")));
    }
    *field = Some(text);
    Ok(())
}

fn is_object(text: &str) -> bool {
    text.starts_with('{')
}

fn is_number_or_text(text: &str) -> bool {
    text.starts_with(|first: char| first == '"' || first == '-' || first.is_ascii_digit())
}

#[cfg(test)]
mod tests;
