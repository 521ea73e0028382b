//! What can be asked of a list (contract "fabric-api", section 1).

use serde_json::{Map, Value};
use url::Url;

/// Which entries of a list are wanted, and in which order. Nothing is asked unless it is set here: the platform then says.
///
/// ```
/// # use skill_sdk::client::{ListOptions, Order};
/// let options = ListOptions::new()
///     .filter("createdBy", "ann")
///     .sort("updatedAt", Order::Descending)
///     .limit(20);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ListOptions {
    pub(super) filter: Map<String, Value>,
    pub(super) sort: Map<String, Value>,
    pub(super) limit: Option<u32>,
    pub(super) skip: Option<u32>,
}

/// The order of a list by one of its fields.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Order {
    /// Smallest first: 1 on the wire.
    Ascending,
    /// Largest first: -1 on the wire.
    Descending,
}

impl ListOptions {
    /// Options that ask for nothing in particular.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only entries whose field has this value. Several filters must all hold. Which fields can be filtered by, each list says;
    /// a value may also be an operator of the platform's, such as `{"$gt": 3}`.
    pub fn filter(mut self, field: impl Into<String>, value: impl Into<Value>) -> Self {
        self.filter.insert(field.into(), value.into());
        self
    }

    /// By which field entries are sorted. A second one counts where the first is equal.
    pub fn sort(mut self, field: impl Into<String>, order: Order) -> Self {
        let direction = match order {
            Order::Ascending => 1,
            Order::Descending => -1,
        };
        self.sort.insert(field.into(), direction.into());
        self
    }

    /// Most entries.
    pub fn limit(mut self, entries: u32) -> Self {
        self.limit = Some(entries);
        self
    }

    /// How many entries are left out at the start.
    pub fn skip(mut self, entries: u32) -> Self {
        self.skip = Some(entries);
        self
    }

    /// Adds what is asked to the query of a URL: `filter` and `sort` as JSON text.
    pub(crate) fn add_to(&self, url: &mut Url) {
        self.add(url, !self.filter.is_empty());
    }

    /// As [`add_to`](Self::add_to), where a filter is expected even if everything passes it.
    pub(super) fn add_with_filter_to(&self, url: &mut Url) {
        self.add(url, true);
    }

    fn add(&self, url: &mut Url, with_filter: bool) {
        let object = |object: &Map<String, Value>| Value::from(object.clone()).to_string();
        let pairs = [
            ("filter", with_filter.then(|| object(&self.filter))),
            ("sort", (!self.sort.is_empty()).then(|| object(&self.sort))),
            ("limit", self.limit.map(|entries| entries.to_string())),
            ("skip", self.skip.map(|entries| entries.to_string())),
        ];
        for (name, value) in pairs {
            if let Some(value) = value {
                url.query_pairs_mut().append_pair(name, &value);
            }
        }
    }
}
