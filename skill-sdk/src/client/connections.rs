//! Connections to the data sources of a project (contract "fabric-api", section 5).

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use url::Url;

use crate::client::address::{Service, segment};
use crate::client::call::Call;
use crate::client::definition::definition;
use crate::client::withheld::Withheld;
use crate::client::{Client, ListOptions, SecretValue, found, nullable};
use crate::error::Error;

/// What keeps connections.
const CONNECTIONS: Service = Service {
    name: "cortex-connections",
    port_variable: "CORTEX_CONNECTIONS_SERVICE_PORT_HTTP_CORTEX_CONNECTIONS",
    default_port: 4450,
};

/// What the value of a parameter begins with that names a secret.
const REFERENCE: &str = "#SECURE.";

/// The connections of a project: each says how to reach a data source.
///
/// A connection can be read in two places. [`get`](Self::get) asks the platform's connection service, as skills do, and
/// has the secrets that parameters name filled in: that works inside the cluster, and on an embedded platform.
/// [`describe`](Self::describe) asks the API that everybody reaches, and has them as they were saved.
///
/// The connection service has an address of its own. A platform whose host holds `cortex-internal` has it where the
/// host holds `cortex-connections` instead, at the port that the variable
/// `CORTEX_CONNECTIONS_SERVICE_PORT_HTTP_CORTEX_CONNECTIONS` says, else 4450. At every other URL it is expected at that
/// URL.
///
/// ```no_run
/// # async fn example(client: skill_sdk::Client) -> Result<(), skill_sdk::Error> {
/// use skill_sdk::client::Connection;
///
/// let mut connection = Connection::new("orders", "mongo").with_param("uri", "#SECURE.orders-uri");
/// connection.title = Some("Orders".to_owned());
/// client.connections().save(&connection).await?;
///
/// let connection = client.connections().get("orders").await?;
/// let uri = connection.param("uri").map(|uri| uri.text()).transpose()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Connections {
    client: Client,
}

/// A connection. `Debug` shows neither the values of its parameters nor the fields that have no name here; writing it
/// as JSON gives all of it.
#[derive(Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Connection {
    /// Its name, which is unique in the project.
    pub name: String,
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The name of its [type](ConnectionType).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection_type: Option<String>,
    /// The media type of what it leads to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Whether it may be read from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_read: Option<bool>,
    /// Whether it may be written to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_write: Option<bool>,
    /// How to reach it. Lists leave it out.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "nullable::or_empty")]
    pub params: Vec<ConnectionParam>,
    /// When it was made, as the platform writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Value>,
    /// Everything else.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A parameter of a connection. `Debug` shows its name alone.
#[derive(Clone, Deserialize, Serialize)]
#[non_exhaustive]
pub struct ConnectionParam {
    /// Its name.
    pub name: String,
    /// Its value, normally text. `#SECURE.` followed by the key of a [secret](crate::client::Secrets) stands for that
    /// secret.
    #[serde(default = "nothing", deserialize_with = "read_value", serialize_with = "write_value")]
    pub value: SecretValue,
    /// Everything else.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A kind of connection.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ConnectionType {
    /// Its name, which is unique.
    pub name: String,
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Everything else.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Connections {
    pub(super) fn new(client: Client) -> Self {
        Self { client }
    }

    /// Saves a connection: a [`Connection`], or whatever else is one as JSON. What the platform answers is not given,
    /// because it may hold the values.
    ///
    /// A refusal that repeats the value of a parameter is shown without its words, unless the value only names a
    /// secret, or is a boolean or a number of fewer than four digits.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail); [`Code::SkillFailed`](crate::Code::SkillFailed) for a value that
    /// cannot be written as JSON.
    pub async fn save(&self, connection: &(impl Serialize + ?Sized)) -> Result<(), Error> {
        let failure = "cannot save a connection";
        // The reason stays out of it: a type may name the value that it cannot write.
        let connection = definition(connection, failure).map_err(|error| Error::new(error.code(), error.detail()))?;
        let call = Call::post(self.client.project_url(["connections"]), failure);
        self.client.done(call.json_with_secrets(&connection, values)?).await
    }

    /// The connections of the project, as many as the platform gives unasked, without their parameters.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail).
    pub async fn list(&self) -> Result<Vec<Connection>, Error> {
        self.list_with(&ListOptions::new()).await
    }

    /// The connections that are asked for, without their parameters. Filters are `name`, `title`, `description`,
    /// `createdBy`, `connectionType`, `allowWrite` and `contentType`; sorting is by these but `createdBy`, by
    /// `createdAt` and by `updatedAt`.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail).
    pub async fn list_with(&self, options: &ListOptions) -> Result<Vec<Connection>, Error> {
        #[derive(Deserialize)]
        struct List {
            connections: Vec<Connection>,
        }

        let mut url = self.client.project_url(["connections"]);
        options.add_to(&mut url);
        let list: List = self.client.json(Call::get(url, "cannot list connections")).await?;
        Ok(list.connections)
    }

    /// A connection with its secrets filled in, from inside the cluster or from an embedded platform. Elsewhere use
    /// [`describe`](Self::describe): the public address of a platform does not lead to its connection service, and its 404
    /// would look like "no such connection".
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail); [`Error::is_not_found`] when there is no such connection, and
    /// [`Code::InvalidMessage`](crate::Code::InvalidMessage) when the variable of the port does not hold one.
    pub async fn get(&self, name: &str) -> Result<Connection, Error> {
        let name = segment("a connection", name)?;
        let url = self.client.internal_url(&CONNECTIONS, ["connections", name])?;
        self.client.json(Call::get(url, format!("cannot get the connection `{name}`"))).await
    }

    /// As [`get`](Self::get), but `None` when there is no such connection. Outside of the cluster `None` says nothing of
    /// the connection: use [`describe_opt`](Self::describe_opt) there.
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get).
    pub async fn get_opt(&self, name: &str) -> Result<Option<Connection>, Error> {
        found(self.get(name).await)
    }

    /// A connection as it was saved, from where everybody reaches the platform.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail); [`Error::is_not_found`] when there is no such connection.
    pub async fn describe(&self, name: &str) -> Result<Connection, Error> {
        self.client.json(Call::get(self.url(name)?, format!("cannot describe the connection `{name}`"))).await
    }

    /// As [`describe`](Self::describe), but `None` when there is no such connection.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail).
    pub async fn describe_opt(&self, name: &str) -> Result<Option<Connection>, Error> {
        found(self.describe(name).await)
    }

    /// Deletes a connection.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail); [`Error::is_not_found`] when there is no such connection.
    pub async fn delete(&self, name: &str) -> Result<(), Error> {
        self.client.done(Call::delete(self.url(name)?, format!("cannot delete the connection `{name}`"))).await
    }

    /// The kinds of connections that there are, whatever the project; as many as the platform gives unasked.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail).
    pub async fn types(&self) -> Result<Vec<ConnectionType>, Error> {
        self.types_with(&ListOptions::new()).await
    }

    /// The kinds of connections that are asked for. What the contract knows of is a limit, and how many to skip.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::client#calls-that-fail).
    pub async fn types_with(&self, options: &ListOptions) -> Result<Vec<ConnectionType>, Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct List {
            connection_types: Vec<ConnectionType>,
        }

        let mut url = self.client.url(["connectiontypes"]);
        options.add_to(&mut url);
        let list: List = self.client.json(Call::get(url, "cannot list the types of connections")).await?;
        Ok(list.connection_types)
    }

    fn url(&self, name: &str) -> Result<Url, Error> {
        Ok(self.client.project_url(["connections", segment("a connection", name)?]))
    }
}

impl Connection {
    /// A connection of a type, without parameters.
    pub fn new(name: impl Into<String>, connection_type: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            title: None,
            description: None,
            connection_type: Some(connection_type.into()),
            content_type: None,
            allow_read: None,
            allow_write: None,
            params: Vec::new(),
            created_at: None,
            other: Map::new(),
        }
    }

    /// Adds a parameter, as [`ConnectionParam::new`] makes it.
    pub fn with_param(mut self, name: impl Into<String>, value: impl Into<SecretValue>) -> Self {
        self.params.push(ConnectionParam::new(name, value));
        self
    }

    /// The value of a parameter.
    pub fn param(&self, name: &str) -> Option<&SecretValue> {
        self.params.iter().find(|param| param.name == name).map(|param| &param.value)
    }
}

impl ConnectionParam {
    /// A parameter. Its value is text, also a [`SecretString`](secrecy::SecretString), a [`Value`], or a secret that was
    /// got. For all else there is [`SecretValue::new`].
    pub fn new(name: impl Into<String>, value: impl Into<SecretValue>) -> Self {
        Self { name: name.into(), value: value.into(), other: Map::new() }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("name", &self.name)
            .field("title", &self.title)
            .field("connection_type", &self.connection_type)
            .field("params", &self.params)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ConnectionParam {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionParam").field("name", &self.name).finish_non_exhaustive()
    }
}

fn nothing() -> SecretValue {
    Value::Null.into()
}

fn read_value<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretValue, D::Error> {
    Value::deserialize(deserializer).map(SecretValue::from)
}

fn write_value<S: Serializer>(value: &SecretValue, serializer: S) -> Result<S::Ok, S::Error> {
    // It was made from a value, and so it is JSON.
    let value: Value = serde_json::from_str(value.json()).map_err(|_| serde::ser::Error::custom("no JSON"))?;
    value.serialize(serializer)
}

/// What is secret in a connection: all that its parameters hold but their names, and references to secrets.
fn values(connection: &Value) -> Withheld {
    let params = match connection.get("params") {
        Some(Value::Array(params)) => params.as_slice(),
        Some(other) => std::slice::from_ref(other),
        None => &[],
    };
    let values = params.iter().flat_map(|param| match param {
        Value::Object(fields) => fields.iter().filter(|(field, _)| *field != "name").map(|(_, value)| value).collect(),
        other => vec![other],
    });
    let is_reference = |value: &Value| value.as_str().is_some_and(|text| text.starts_with(REFERENCE));
    Withheld::of_all(values.filter(|value| !is_reference(value)))
}
