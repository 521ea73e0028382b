//! Where platforms are, and the URLs of what they offer.

use url::Url;

use crate::error::{Code, Error};

/// Checks that a URL can be the address of a platform.
pub(crate) fn base_url(text: &str) -> Result<Url, String> {
    let url = http_url(text)?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must not have a query or fragment".to_owned());
    }
    Ok(url)
}

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
    let mut url = base.clone();
    // Only URLs without a host have no segments, and `base_url` lets none through.
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(["fabric", &format!("v{version}")]).extend(segments);
    }
    url
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
