//! The names in paths, which clients send encoded (`acme%2Fchurn`) or split over raw segments (`acme/churn`; fabric-api
//! section 1).

use std::borrow::Borrow;

use axum::extract::FromRequestParts;
use axum::http::Uri;
use axum::http::request::Parts;
use percent_encoding::percent_decode_str;
use serde::Deserialize;

use crate::answer::Refusal;
use crate::name::{Project, Segments, check_name};

/// Segments of `/fabric/v4/projects/{project}/{resource}`, with the empty one in front.
const RESOURCE: usize = 6;

/// One thing of a project: a path that ends with `{*name}`.
pub(crate) struct Named {
    pub(crate) project: Project,
    pub(crate) name: String,
}

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        #[derive(Deserialize)]
        struct Names {
            project: String,
            name: String,
        }
        let Segments(Names { project, name }) = Segments::from_request_parts(parts, state).await?;
        check_name("resource", &name)?;
        Ok(Self { project: Project::new(&project)?, name })
    }
}

/// What comes after `/fabric/v4/projects/{project}/{resource}/`, in paths that say more than one name: an encoded slash is a
/// part of its name, and a raw one may be.
pub(crate) struct Below {
    pub(crate) project: Project,
    /// Decoded; at least one.
    pub(crate) segments: Vec<String>,
}

impl Below {
    pub(crate) fn words(&self) -> Vec<&str> {
        self.segments.iter().map(String::as_str).collect()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Below {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let project = Project::from_request_parts(parts, state).await?;
        Ok(Self { project, segments: decoded(&parts.uri)? })
    }
}

fn decoded(uri: &Uri) -> Result<Vec<String>, Refusal> {
    let segment = |raw: &str| match percent_decode_str(raw).decode_utf8() {
        Ok(segment) => Ok(segment.into_owned()),
        Err(_) => Err(Refusal::bad_request("a name in the path is not UTF-8")),
    };
    uri.path().split('/').skip(RESOURCE).map(segment).collect()
}

/// The name that these raw segments make.
pub(crate) fn name_of<S: Borrow<str>>(what: &str, segments: &[S]) -> Result<String, Refusal> {
    let name = segments.join("/");
    check_name(what, &name)?;
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_slashes_do_not_separate() {
        let uri = "/fabric/v4/projects/a%2Fb/models/acme%2Fchurn/%C3%BC%201//publish?x=/y".parse().unwrap();
        assert_eq!(decoded(&uri).unwrap(), ["acme/churn", "ü 1", "", "publish"]);
        assert!(decoded(&"/fabric/v4/projects/p/models/%ff".parse().unwrap()).is_err());
    }
}
