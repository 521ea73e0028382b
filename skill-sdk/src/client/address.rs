//! Where platforms are, and the URLs of what they offer.

use std::cell::RefCell;
use std::num::NonZeroU16;
use std::sync::Arc;

use url::Url;

use crate::auth::Environment;
use crate::error::{Code, Error};

/// What the host of a platform is called that is addressed from inside its cluster.
const INTERNAL: &str = "cortex-internal";

/// A service of the platform that inside the cluster has an address of its own.
pub(super) struct Service {
    /// What its host is called.
    pub(super) name: &'static str,
    /// The variable that says its port.
    pub(super) port_variable: &'static str,
    /// Its port when the variable is not set.
    pub(super) default_port: u16,
}

/// Checks that a URL can be the address of a platform.
pub(crate) fn base_url(text: &str) -> Result<Url, String> {
    let url = http_url(text)?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must not have a query or fragment".to_owned());
    }
    Ok(url)
}

/// As [`base_url`], where one URL may well be that of the call before, as in messages: reading it costs more than the rest of a
/// client.
pub(super) fn base_url_again(text: &str) -> Result<Arc<Url>, String> {
    thread_local! {
        static LAST: RefCell<Option<(Box<str>, Arc<Url>)>> = const { RefCell::new(None) };
    }
    // At the end of a thread the memory is gone.
    let known = LAST.try_with(|last| match &*last.borrow() {
        Some((known, url)) if **known == *text => Some(Arc::clone(url)),
        _ => None,
    });
    if let Ok(Some(url)) = known {
        return Ok(url);
    }
    let url = Arc::new(base_url(text)?);
    if text.len() <= LONGEST_KEPT {
        let _ = LAST.try_with(|last| last.replace(Some((text.into(), Arc::clone(&url)))));
    }
    Ok(url)
}

/// Longest URL that is kept, in bytes.
const LONGEST_KEPT: usize = 1 << 10;

/// Checks that a URL is one to make requests to.
pub(crate) fn http_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("is not a URL: {error}"))?;
    check_http(&url)?;
    Ok(url)
}

/// As [`http_url`], of what is a URL already.
pub(crate) fn check_http(url: &Url) -> Result<(), &'static str> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err("must be an http or https URL");
    }
    // The password would be sent, and shown in errors.
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user name or password");
    }
    Ok(())
}

/// A URL as it may be logged: no more than where it leads.
pub(crate) fn shown_url(text: &str) -> String {
    Url::parse(text).map_or_else(|_| "not a URL".to_owned(), |url| url.origin().ascii_serialization())
}

pub(super) fn fabric_url<'s>(base: &Url, version: u32, segments: impl IntoIterator<Item = &'s str>) -> Url {
    below(&below(base, ["fabric", &format!("v{version}")]), segments)
}

/// The URL of what is below the path of another.
pub(super) fn below<'s>(base: &Url, segments: impl IntoIterator<Item = &'s str>) -> Url {
    let mut url = base.clone();
    // Only URLs without a host have no segments, and `base_url` lets none through.
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    url
}

/// Where a service is (contract "fabric-api", sections 4 and 5): a platform with `cortex-internal` in the name of its
/// host has the service's name there instead, and the service's port. Any other, such as an embedded one, serves it
/// where it is itself.
///
/// # Errors
///
/// [`Code::InvalidMessage`] when the variable is no port, or the name makes no host.
pub(super) fn in_cluster(base: &Url, service: &Service, environment: &dyn Environment) -> Result<Url, Error> {
    let Some(host) = base.host_str().filter(|host| host.contains(INTERNAL)) else { return Ok(base.clone()) };
    let host = host.replace(INTERNAL, service.name);
    let port = service.port(environment)?;
    let mut url = base.clone();
    if url.set_host(Some(&host)).is_err() || url.set_port(Some(port)).is_err() {
        return Err(Error::new(Code::InvalidMessage, format!("{host:?} cannot be the host of a URL")));
    }
    Ok(url)
}

impl Service {
    fn port(&self, environment: &dyn Environment) -> Result<u16, Error> {
        let Some(text) = environment.text(self.port_variable)? else { return Ok(self.default_port) };
        text.parse::<NonZeroU16>()
            .map(NonZeroU16::get)
            .map_err(|_| Error::new(Code::InvalidMessage, format!("{} is {text:?}, no port", self.port_variable)))
    }
}

/// Checks that a name can be a segment of a path; `what` says of what it is the name, such as "a skill".
///
/// Empty ones vanish, dots mean a place above, in every spelling, and tabs and line ends are taken out before a URL is read
/// (WHATWG URL, "double-dot path segment", "ASCII tab or newline"): the request would be for something else.
///
/// # Errors
///
/// [`Code::SkillFailed`], which names it.
pub(crate) fn segment<'n>(what: &str, name: &'n str) -> Result<&'n str, Error> {
    if is_segment(name) {
        return Ok(name);
    }
    let why = "it is empty, `.` or `..`, or holds control characters";
    Err(Error::new(Code::SkillFailed, format!("{name:?} cannot be the name of {what}: {why}")))
}

/// Whether a name can be a segment of a path: see [`segment`].
pub(crate) fn is_segment(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(char::is_control)
}

/// Checks that a name can be several segments of a path, and gives it without leading slashes; `what` says of what it is the
/// name, such as "the key of content". Empty parts inside are kept as they are: `a//b` is a name of its own.
///
/// # Errors
///
/// [`Code::SkillFailed`], which names it.
pub(crate) fn path<'n>(what: &str, name: &'n str) -> Result<&'n str, Error> {
    let path = name.trim_start_matches('/');
    if !path.is_empty() && path.split('/').all(|part| part.is_empty() || is_segment(part)) {
        return Ok(path);
    }
    let why = "it is empty, has a part `.` or `..`, or holds control characters";
    Err(Error::new(Code::SkillFailed, format!("{name:?} cannot be {what}: {why}")))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const SERVICE: Service = Service { name: "cortex-accounts", port_variable: "ACCOUNTS_PORT", default_port: 5000 };

    fn of(url: &str, port: &str) -> Result<String, Error> {
        let environment = BTreeMap::from([("ACCOUNTS_PORT", port)]);
        in_cluster(&base_url(url).unwrap(), &SERVICE, &environment).map(Into::into)
    }

    #[test]
    fn a_service_has_its_own_host_and_port_inside_the_cluster_only() {
        for (url, port, expected) in [
            ("http://cortex-internal", "", "http://cortex-accounts:5000/"),
            ("http://cortex-internal:8000", "", "http://cortex-accounts:5000/"),
            ("http://cortex-internal:8000", "7001", "http://cortex-accounts:7001/"),
            (
                "https://cortex-internal.cortex.svc.cluster.local/",
                "7001",
                "https://cortex-accounts.cortex.svc.cluster.local:7001/",
            ),
            ("http://a-cortex-internal-b/base/", "", "http://a-cortex-accounts-b:5000/base/"),
            ("http://Cortex-Internal", "80", "http://cortex-accounts/"),
            ("http://127.0.0.1:8000", "7001", "http://127.0.0.1:8000/"),
            ("https://api.example.com", "7001", "https://api.example.com/"),
            ("https://api.example.com/cortex-internal", "7001", "https://api.example.com/cortex-internal"),
            ("http://[::1]:8000", "7001", "http://[::1]:8000/"),
        ] {
            assert_eq!(of(url, port).unwrap(), expected, "{url} {port}");
        }
        let unset = in_cluster(&base_url("http://cortex-internal").unwrap(), &SERVICE, &BTreeMap::<&str, &str>::new());
        assert_eq!(unset.unwrap().as_str(), "http://cortex-accounts:5000/");
    }

    #[test]
    fn each_text_has_its_own_url() {
        let long = format!("https://h/{}", "x".repeat(LONGEST_KEPT));
        for text in
            ["http://a", "http://a", "http://b/c", "http://b", "no URL", "http://b", "http://B", &long, "http://b"]
        {
            assert_eq!(base_url_again(text).map(|url| (*url).clone()), base_url(text), "{text}");
        }
    }

    #[test]
    fn a_variable_that_is_no_port_is_named_where_it_counts() {
        for port in ["0", "65536", "http", "-1", "tcp://10.0.0.1:80", " 80"] {
            let error = of("http://cortex-internal", port).unwrap_err();
            assert_eq!(error.code(), Code::InvalidMessage, "{port}");
            assert_eq!(error.detail(), format!("ACCOUNTS_PORT is {port:?}, no port"));
            assert!(of("http://127.0.0.1:8000", port).is_ok(), "{port}");
        }
    }
}
