//! Where a daemon listens, and what paths mean.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::path::Path;

use http::Method;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::Value;
use skill_sdk::{Code, Error};

use crate::cli::serve::AddressOptions;

/// What a daemon does when nothing else is said (contract "fabric-invocation", section 4).
const PORT: u16 = 5000;
const PATH: &str = "/invoke";

pub(super) const HEALTHZ: &str = "/healthz";
pub(super) const READYZ: &str = "/readyz";
pub(super) const METRICS: &str = "/metrics";

/// Invocations of a skill that the path names: `/skills/{name}/invoke`.
const SKILLS: &str = "/skills/";
const OF_SKILL: &str = "/invoke";

/// Where invocations come in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Address {
    pub(super) socket: SocketAddr,
    path: String,
    method: Method,
}

/// What a request asks for.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Route<'a> {
    /// An invocation, of this skill if the path names one.
    Invoke(Option<Cow<'a, str>>),
    Healthz,
    Readyz,
    Metrics,
}

/// Why a request asks for nothing that is here.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Unrouted {
    NotFound,
    /// With the methods that there are, as the header `Allow` has them.
    MethodNotAllowed(String),
}

impl Address {
    /// What the options say, then what the skill definition says, then the platform's usual values.
    ///
    /// # Errors
    ///
    /// [`Code::InvalidMessage`] when that makes no sense, or the definition cannot be read.
    pub(super) fn of(options: &AddressOptions) -> Result<Self, Error> {
        let defined = options.skill_yaml.as_deref().map(Defined::read).transpose()?.unwrap_or_default();
        let file = options.skill_yaml.as_ref().map_or_else(String::new, |file| format!(" (of {})", file.display()));
        let bad = |what: &str, value: &str| Error::new(Code::InvalidMessage, format!("{value:?} is no {what}{file}"));
        let no_path = |path: &str| Error::new(Code::InvalidMessage, format!("{path:?} is no path for invocations"));
        let port = match (options.port, defined.port) {
            (Some(port), _) => port,
            (None, Some(text)) => {
                text.parse().ok().filter(|port| *port != 0).ok_or_else(|| bad("daemon.port", &text))?
            }
            (None, None) => PORT,
        };
        let path = options.path.clone().or(defined.path).unwrap_or_else(|| PATH.to_owned());
        let path = format!("/{}", path.trim_matches('/'));
        let is_sound = path.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#'));
        if !is_sound || [HEALTHZ, READYZ, METRICS].contains(&path.as_str()) {
            return Err(no_path(&path));
        }
        let method = match (&options.method, defined.method) {
            (Some(method), _) => method.clone(),
            (None, Some(text)) => text.to_ascii_uppercase().parse().map_err(|_| bad("daemon.method", &text))?,
            (None, None) => Method::POST,
        };
        Ok(Self { socket: SocketAddr::new(options.host, port), path, method })
    }

    /// What a request asks for. The name of a skill in the path may hold slashes, encoded or not.
    pub(super) fn route<'a>(&self, method: &Method, path: &'a str) -> Result<Route<'a>, Unrouted> {
        let route = self.find(path).ok_or(Unrouted::NotFound)?;
        let fits = match route {
            Route::Invoke(_) => *method == self.method,
            Route::Healthz | Route::Readyz | Route::Metrics => matches!(*method, Method::GET | Method::HEAD),
        };
        match route {
            route if fits => Ok(route),
            Route::Invoke(_) => Err(Unrouted::MethodNotAllowed(self.method.to_string())),
            _ => Err(Unrouted::MethodNotAllowed("GET, HEAD".to_owned())),
        }
    }

    fn find<'a>(&self, path: &'a str) -> Option<Route<'a>> {
        if path == self.path || path.strip_suffix('/') == Some(&self.path) {
            return Some(Route::Invoke(None));
        }
        match path {
            HEALTHZ => Some(Route::Healthz),
            READYZ => Some(Route::Readyz),
            METRICS => Some(Route::Metrics),
            path => {
                let name = path.strip_prefix(SKILLS)?.strip_suffix(OF_SKILL)?;
                let name = percent_decode_str(name).decode_utf8().ok()?;
                (!name.is_empty()).then_some(Route::Invoke(Some(name)))
            }
        }
    }

    /// What there is to ask for, for people.
    pub(super) fn described(&self) -> String {
        format!("{} {} and {SKILLS}{{name}}{OF_SKILL}, GET {HEALTHZ}, {READYZ} and {METRICS}", self.method, self.path)
    }
}

/// The properties of a skill definition that say where its daemon is (contract "fabric-invocation", section 4), as text.
#[derive(Default)]
struct Defined {
    port: Option<String>,
    path: Option<String>,
    method: Option<String>,
}

#[derive(Deserialize)]
struct Definition {
    #[serde(default)]
    properties: Vec<Property>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Property {
    name: String,
    default_value: Option<Value>,
}

impl Defined {
    fn read(path: &Path) -> Result<Self, Error> {
        let unusable = |error: &dyn std::fmt::Display| {
            Error::new(Code::InvalidMessage, format!("cannot read the skill definition {}: {error}", path.display()))
        };
        let text = std::fs::read_to_string(path).map_err(|error| unusable(&error))?;
        let definition: Definition = yaml_serde::from_str(&text).map_err(|error| unusable(&error))?;
        let mut defined = Self::default();
        for property in definition.properties {
            let place = match property.name.as_str() {
                "daemon.port" => &mut defined.port,
                "daemon.path" => &mut defined.path,
                "daemon.method" => &mut defined.method,
                _ => continue,
            };
            *place = match property.default_value {
                Some(Value::String(text)) if !text.is_empty() => Some(text),
                Some(Value::Number(number)) => Some(number.to_string()),
                None | Some(Value::Null | Value::String(_)) => continue,
                Some(_) => return Err(unusable(&format!("{} is neither text nor number", property.name))),
            };
        }
        Ok(defined)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, Ipv4Addr};

    fn options() -> AddressOptions {
        AddressOptions { host: IpAddr::V4(Ipv4Addr::LOCALHOST), port: None, path: None, method: None, skill_yaml: None }
    }

    fn invoke(name: &str) -> Route<'_> {
        Route::Invoke(Some(name.into()))
    }

    #[test]
    fn paths_lead_somewhere_or_nowhere() {
        let address = Address::of(&options()).unwrap();
        assert_eq!(address.socket.port(), 5000);
        let of = |method: Method, path| address.route(&method, path);
        assert_eq!(of(Method::POST, "/invoke"), Ok(Route::Invoke(None)));
        assert_eq!(of(Method::POST, "/invoke/"), Ok(Route::Invoke(None)));
        assert_eq!(of(Method::POST, "/skills/acme/a/invoke"), Ok(invoke("acme/a")));
        assert_eq!(of(Method::POST, "/skills/acme%2Fa%20b/invoke"), Ok(invoke("acme/a b")));
        assert_eq!(of(Method::GET, "/healthz"), Ok(Route::Healthz));
        assert_eq!(of(Method::HEAD, "/readyz"), Ok(Route::Readyz));
        for path in ["/", "", "*", "/invoke/x", "/skills//invoke", "/skills/invoke", "/skills/%ff/invoke", "/healthz/"]
        {
            assert_eq!(of(Method::POST, path), Err(Unrouted::NotFound), "{path}");
        }
        let allowed = |methods: &str| Err(Unrouted::MethodNotAllowed(methods.to_owned()));
        assert_eq!(of(Method::GET, "/invoke"), allowed("POST"));
        assert_eq!(of(Method::POST, "/metrics"), allowed("GET, HEAD"));
    }

    #[test]
    fn options_come_before_the_definition() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("skill.yaml");
        let property = |name: &str, value: &str| format!("  - name: daemon.{name}\n    defaultValue: {value}\n");
        let write = |values: &[(&str, &str)]| {
            let properties: String = values.iter().map(|(name, value)| property(name, value)).collect();
            std::fs::write(&file, format!("camel: 1.0.0\nproperties:\n  - name: other\n{properties}")).unwrap();
            Address::of(&AddressOptions { skill_yaml: Some(file.clone()), ..options() })
        };
        let address = write(&[("port", "\"8080\""), ("path", "run/it"), ("method", "put")]).unwrap();
        assert_eq!((address.socket.port(), &*address.path, &address.method), (8080, "/run/it", &Method::PUT));
        let typed =
            AddressOptions { port: Some(0), path: Some("/x".into()), skill_yaml: Some(file.clone()), ..options() };
        let address = Address::of(&typed).unwrap();
        assert_eq!((address.socket.port(), &*address.path, &address.method), (0, "/x", &Method::PUT));
        assert_eq!(write(&[("port", "8081"), ("path", "\"\"")]).unwrap().socket.port(), 8081);
        for (name, value) in [
            ("port", "0"),
            ("port", "65536"),
            ("port", "x"),
            ("port", "[1]"),
            ("path", "healthz"),
            ("path", "a b"),
            ("method", "a b"),
        ] {
            assert!(write(&[(name, value)]).is_err(), "{name} {value}");
        }
        assert!(Address::of(&AddressOptions { skill_yaml: Some("nowhere".into()), ..options() }).is_err());
    }
}
