//! What a platform says about itself (contract "fabric-api", section 2).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

use crate::client::VerifySslCert;
use crate::error::Error;

use super::DEFAULT_API_VERSION;
use super::address::fabric_url;
use super::call::Call;
use super::request::{self, Caller, Terms, unavailable};

/// What a platform says about itself.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Info {
    /// The time by its clock, in milliseconds since 1970 UTC.
    pub server_ts: i64,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Whatever else it says, such as `healths`, `endpoints` and `deployType`.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Info {
    /// The time by the platform's clock; `None` when it is beyond the year 9999.
    pub fn server_time(&self) -> Option<Timestamp> {
        Timestamp::from_millisecond(self.server_ts).ok()
    }
}

pub(super) async fn fetch(base: &Url, verify: &VerifySslCert, terms: Terms) -> Result<Info, Error> {
    let url = fabric_url(base, DEFAULT_API_VERSION, ["info"]);
    let what = format!("GET {url}");
    request::send(Caller { terms, ..Caller::open(verify) }, Call::get(url, what)).await?.json().await
}

/// Reads a platform's clock.
///
/// # Errors
///
/// As for [`request::send`]; [`PlatformUnavailable`](crate::Code) also for a time that is none.
pub(crate) async fn fetch_server_time(base: &Url, verify: &VerifySslCert, terms: Terms) -> Result<Timestamp, Error> {
    let info = fetch(base, verify, terms).await?;
    info.server_time().ok_or_else(|| unavailable("GET info", "the answer has no serverTs that is a time"))
}
