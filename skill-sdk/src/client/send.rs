//! What resources call, and the URLs of their things.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use crate::auth::{FixedToken, TokenSource};
use crate::error::{Code, Error};

use super::address::{Service, below, fabric_url, in_cluster};
use super::call::Call;
use super::request::{self, Caller, Terms};
use super::response::Response;
use super::{Client, Inner};

/// Longest wait for what is to be found out about a failure.
const SHORT: Duration = Duration::from_secs(5);

impl Client {
    /// Sends a request whose answer is read piece by piece.
    pub(crate) async fn send(&self, call: Call) -> Result<Response, Error> {
        let Inner { verify, tokens, leeway, terms, .. } = &*self.0;
        request::send(Caller { verify, tokens: Some(&**tokens), leeway: *leeway, terms: *terms }, call).await
    }

    /// Sends a request once, with the token that the last call may have had, and does not wait long. It is to find out more
    /// about a failure.
    pub(crate) async fn send_once(&self, call: Call) -> Result<Response, Error> {
        let Inner { verify, tokens, leeway, terms, .. } = &*self.0;
        let token = FixedToken::new(tokens.token().await?);
        let terms = Terms { retries: Some(0), timeout: terms.timeout.min(SHORT), ..*terms };
        request::send(Caller { verify, tokens: Some(&token), leeway: *leeway, terms }, call).await
    }

    /// Where the tokens of calls come from.
    pub(crate) fn tokens(&self) -> &dyn TokenSource {
        &*self.0.tokens
    }

    /// Sends a request and reads the JSON that it is answered with.
    pub(super) async fn json<T: DeserializeOwned>(&self, call: Call) -> Result<T, Error> {
        self.send(call).await?.json().await
    }

    /// Sends a request that is answered with whether it was done: `success`, and a reason when that is false. An answer
    /// without it, or without a body, counts as done: its status says so.
    pub(super) async fn done(&self, call: Call) -> Result<(), Error> {
        self.accepted(call).await.map(drop)
    }

    /// As [`done`](Self::done), and gives the whole answer; null where there is none.
    pub(super) async fn accepted(&self, call: Call) -> Result<Value, Error> {
        let failure = call.what_fails().to_owned();
        let detail = |said: &str| {
            let colon = if said.is_empty() { "" } else { ": " };
            format!("{failure}: the platform did not do it{colon}{said}")
        };
        self.accepted_or(call, detail).await
    }

    /// As [`accepted`](Self::accepted), with words of its own for what was not done. They are made from the reason, which
    /// may be empty.
    pub(super) async fn accepted_or(&self, call: Call, detail: impl FnOnce(&str) -> String) -> Result<Value, Error> {
        let withheld = call.withheld().clone();
        let answer: Value = self.send(call).await?.json_or_nothing().await?.unwrap_or_default();
        if answer["success"] != false {
            return Ok(answer);
        }
        let said = [&answer["message"], &answer["error"]].into_iter().find(|said| !said.is_null());
        let said = said.map(|said| said.as_str().map_or_else(|| said.to_string(), str::to_owned));
        let said = withheld.words(said.unwrap_or_default().as_bytes(), &[]);
        Err(Error::new(Code::SkillFailed, detail(&said)))
    }

    /// The URL of something that is not below the versioned API: `{api}/{segments}`.
    pub(crate) fn beside_api<'s>(&self, segments: impl IntoIterator<Item = &'s str>) -> Url {
        below(&self.0.base, segments)
    }

    /// The URL of something that is in no project: `{api}/fabric/v4/{segments}`.
    pub(super) fn url<'s>(&self, segments: impl IntoIterator<Item = &'s str>) -> Url {
        fabric_url(&self.0.base, self.0.api_version, segments)
    }

    /// The URL of something in the project at a service that [inside the cluster](address::in_cluster) has an address
    /// of its own: `{service}/internal/projects/{project}/{segments}`.
    pub(super) fn internal_url<'s>(
        &'s self,
        service: &Service,
        segments: impl IntoIterator<Item = &'s str>,
    ) -> Result<Url, Error> {
        let inside = ["internal", "projects", self.project()].into_iter().chain(segments);
        Ok(below(&in_cluster(&self.0.base, service, &*self.0.environment)?, inside))
    }

    /// The URL of something in the project: `{api}/fabric/v4/projects/{project}/{segments}`.
    pub(super) fn project_url<'s>(&'s self, segments: impl IntoIterator<Item = &'s str>) -> Url {
        let inside = ["projects", self.project()].into_iter().chain(segments);
        fabric_url(&self.0.base, self.0.api_version, inside)
    }
}

/// What a getter whose name ends in `_opt` makes of "not found".
pub(super) fn found<T>(result: Result<T, Error>) -> Result<Option<T>, Error> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn services_inside_the_cluster_are_below_the_path_of_the_platform() {
        let service = Service { name: "cortex-accounts", port_variable: "ACCOUNTS_PORT", default_port: 5000 };
        let of = |url: &str| {
            let builder = Client::builder().api_endpoint(url).project("a b").token(testing::Token::new().text());
            let environment = std::collections::BTreeMap::from([("ACCOUNTS_PORT", "7001")]);
            let client = builder.environment(environment).without_profile().build().unwrap();
            client.internal_url(&service, ["secrets", "db/password"]).unwrap().to_string()
        };
        let path = "internal/projects/a%20b/secrets/db%2Fpassword";
        assert_eq!(of("http://cortex-internal:80/base/"), format!("http://cortex-accounts:7001/base/{path}"));
        assert_eq!(of("http://127.0.0.1:8000"), format!("http://127.0.0.1:8000/{path}"));
        // A message brings no environment of its own.
        let message = testing::message(&1).with_api_endpoint("http://cortex-internal");
        let url = Client::from_message(&message).unwrap().internal_url(&service, ["secrets", "k"]).unwrap();
        assert_eq!(url.as_str(), "http://cortex-accounts:5000/internal/projects/test-project/secrets/k");
    }
}
