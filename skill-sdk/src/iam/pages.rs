//! Lists that come in pages (contract "cdf-iam", section 2).

use std::collections::HashSet;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::api::Api;
use super::limit::Limit;
use crate::client::request::unavailable;
use crate::error::Error;

/// Most entries of a page.
pub(super) const PAGE: u64 = 1000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page<R> {
    items: Vec<R>,
    next_cursor: Option<String>,
}

/// How much of a list has come, and how much of it is wanted.
struct Paging {
    wanted: Option<u64>,
    page: u64,
    come: u64,
}

impl Paging {
    /// How many entries to ask for next; `None` when there are enough.
    fn next(&self) -> Option<u64> {
        let lacking = self.wanted.map_or(u64::MAX, |wanted| wanted.saturating_sub(self.come));
        (lacking > 0).then(|| lacking.min(self.page))
    }
}

impl Api {
    /// A list, of which each request asks for at most a page.
    ///
    /// # Errors
    ///
    /// As all calls; [`Code::SkillFailed`](crate::Code) for a limit that is none, and
    /// [`Code::PlatformUnavailable`](crate::Code) when the pages go in circles.
    pub(super) async fn list<R: DeserializeOwned>(
        &self,
        url: Url,
        failure: &'static str,
        page: u64,
        limit: Limit,
    ) -> Result<Vec<R>, Error> {
        let mut paging = Paging { wanted: limit.check(failure)?, page, come: 0 };
        let (mut list, mut cursors) = (Vec::new(), HashSet::new());
        let mut cursor: Option<String> = None;
        while let Some(asked) = paging.next() {
            let mut url = url.clone();
            url.query_pairs_mut().append_pair("limit", &asked.to_string());
            if let Some(cursor) = &cursor {
                url.query_pairs_mut().append_pair("cursor", cursor);
            }
            let Page { items, next_cursor } = self.json(self.get(url, failure)?).await?;
            paging.come += items.len() as u64;
            list.extend(items);
            let Some(next) = next_cursor else { break };
            if paging.next().is_some() && !cursors.insert(next.clone()) {
                return Err(unavailable(failure, "the platform gives a page of the list for the second time"));
            }
            cursor = Some(next);
        }
        // A platform may give more than it is asked for.
        let most = paging.wanted.and_then(|wanted| usize::try_from(wanted).ok()).unwrap_or(usize::MAX);
        list.truncate(most);
        Ok(list)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_request_asks_for_what_is_still_missing_of_a_list(
            wanted in proptest::option::of(1u64..5000),
            page in 1u64..1500,
            sizes in proptest::collection::vec(1u64..1500, 1..20),
        ) {
            let mut paging = Paging { wanted, page, come: 0 };
            for size in sizes {
                let lacking = wanted.map(|wanted| wanted - paging.come);
                let Some(asked) = paging.next() else {
                    prop_assert_eq!(lacking, Some(0));
                    break;
                };
                prop_assert_eq!(asked, lacking.map_or(page, |lacking| lacking.min(page)));
                // A server may give less than it is asked for.
                paging.come += size.min(asked);
            }
        }
    }
}
