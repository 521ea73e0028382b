//! Security categories of a project (contract "cdf-iam", sections 2 and 6).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::absent;
use super::api::Api;
use super::chunks::{CHUNK, Chunked};
use super::limit::Limit;
use super::one_or_many::OneOrMany;
use super::pages::PAGE;
use crate::client::Order;
use crate::client::retry::Repeat;
use crate::error::Error;

/// The security categories of a project. They keep data from whoever is not a member of them.
#[derive(Clone, Debug)]
pub struct SecurityCategories {
    api: Api,
}

/// A security category.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SecurityCategory {
    /// What the platform knows it by.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// Whatever else the platform says of it.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A security category that is to be created.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SecurityCategoryWrite {
    /// Its name.
    pub name: String,
    /// Whatever else is to be sent.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Which security categories are listed, and in which order.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct SecurityCategoryOptions {
    limit: Limit,
    sort: Option<Order>,
}

impl SecurityCategories {
    pub(super) fn new(api: Api) -> Self {
        Self { api }
    }

    /// The first 25 security categories.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::iam#calls-that-fail).
    pub async fn list(&self) -> Result<Vec<SecurityCategory>, Error> {
        self.list_with(&SecurityCategoryOptions::new()).await
    }

    /// Those security categories that are asked for.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::iam#calls-that-fail); [`Code::SkillFailed`](crate::Code) for a limit below one.
    pub async fn list_with(&self, options: &SecurityCategoryOptions) -> Result<Vec<SecurityCategory>, Error> {
        let mut url = self.api.url(["securitycategories"]);
        if let Some(sort) = options.sort {
            let word = if sort == Order::Ascending { "ASC" } else { "DESC" };
            url.query_pairs_mut().append_pair("sort", word);
        }
        self.api.list(url, "cannot list security categories", PAGE, options.limit).await
    }

    /// Creates one security category or several.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::iam#calls-that-fail); [`Error::is_duplicated`] when a name is taken.
    pub async fn create<C: OneOrMany<SecurityCategoryWrite>>(
        &self,
        categories: C,
    ) -> Result<C::Output<SecurityCategory>, Error> {
        let failure = "cannot create security categories";
        let call = Chunked {
            path: &["securitycategories"],
            failure,
            size: CHUNK,
            repeat: self.api.repeat_of_creates(),
            known_by: |category: &SecurityCategoryWrite| json!({"name": category.name}),
            deletes: None,
        };
        C::output(self.api.in_chunks(&call, &categories.into_items()).await?, absent(failure))
    }

    /// Deletes one security category or several, by their ids.
    ///
    /// # Errors
    ///
    /// As all [calls](crate::iam#calls-that-fail); [`Error::is_not_found`] when one is not there.
    pub async fn delete(&self, ids: impl OneOrMany<i64>) -> Result<(), Error> {
        let call = Chunked {
            path: &["securitycategories", "delete"],
            failure: "cannot delete security categories",
            size: CHUNK,
            repeat: Repeat::AfterSilence,
            known_by: |id: &i64| (*id).into(),
            deletes: Some(|id| *id),
        };
        self.api.in_chunks::<_, Value>(&call, &ids.into_items()).await.map(drop)
    }
}

impl SecurityCategory {
    /// What would create one of the same name.
    pub fn as_write(&self) -> SecurityCategoryWrite {
        SecurityCategoryWrite::new(self.name.clone())
    }
}

impl SecurityCategoryWrite {
    /// A security category of this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), other: Map::new() }
    }
}

impl SecurityCategoryOptions {
    /// The first 25, in the order of the platform.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many are listed at most.
    pub fn limit(mut self, limit: impl Into<Limit>) -> Self {
        self.limit = limit.into();
        self
    }

    /// In which order.
    pub fn sort(mut self, order: Order) -> Self {
        self.sort = Some(order);
        self
    }
}
