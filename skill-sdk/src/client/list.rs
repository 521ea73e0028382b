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

    /// Only entries whose field has this value. Filters by several fields must all hold. Which fields can be filtered by, each
    /// list says; a value may also be an object of the platform's operators, such as `{"$gt": 3}`.
    ///
    /// Operators that are given for one field one after the other must all hold too; where an operator is the same, and where
    /// one of them is a value, the later one counts.
    pub fn filter(mut self, field: impl Into<String>, value: impl Into<Value>) -> Self {
        let (field, mut value) = (field.into(), value.into());
        if let (Some(Value::Object(before)), Value::Object(operators)) = (self.filter.get(&field), &mut value)
            && is_operators(before)
            && is_operators(operators)
        {
            let later = std::mem::replace(operators, before.clone());
            operators.extend(later);
        }
        self.filter.insert(field, value);
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

/// Whether a value is one of operators, and not one that a field may have.
fn is_operators(value: &Map<String, Value>) -> bool {
    !value.is_empty() && value.keys().all(|key| key.starts_with('$'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn operators_for_one_field_are_joined_and_of_other_values_the_later_counts() {
        let more = json!({"$gt": 1});
        for (first, second, filter) in [
            (more.clone(), json!({"$lt": 5}), json!({"$gt": 1, "$lt": 5})),
            (json!({"$gt": 1, "$ne": 3}), json!({"$gt": 2}), json!({"$gt": 2, "$ne": 3})),
            (more.clone(), json!(3), json!(3)),
            (json!(3), more.clone(), more.clone()),
            (json!(3), json!(4), json!(4)),
            (more.clone(), json!({}), json!({})),
            (json!({}), more.clone(), more.clone()),
            (more.clone(), json!({"a": 1}), json!({"a": 1})),
            (json!({"a": 1}), json!({"b": 1}), json!({"b": 1})),
            (more, json!(null), json!(null)),
        ] {
            let options = ListOptions::new().filter("took", first).filter("name", "n").filter("took", second);
            assert_eq!(Value::from(options.filter), json!({"took": filter, "name": "n"}));
        }
    }

    #[test]
    fn joined_operators_are_sent_together() {
        let mut url = Url::parse("http://h/runs").unwrap();
        ListOptions::new().filter("took", json!({"$gt": 1})).filter("took", json!({"$lt": 5})).add_to(&mut url);
        assert_eq!(url.query(), Some("filter=%7B%22took%22%3A%7B%22%24gt%22%3A1%2C%22%24lt%22%3A5%7D%7D"));
    }
}
