//! What lists are asked for: `limit`, `skip`, `sort` and `filter` (fabric-api section 1, "Lists").
//!
//! `sort` and `filter` are JSON text. A filter is an object; a record is listed when all of its entries hold:
//!
//! | entry | holds when |
//! |---|---|
//! | `"a.b": value` | what is at the path equals the value, or is an array with such an element |
//! | `"a.b": {"$eq": v}`, `$ne`, `$in`, `$nin` | it equals one of them, or none |
//! | `"a.b": {"$gt": v}`, `$gte`, `$lt`, `$lte` | it is a number or text like `v`, and so ordered |
//! | `"a.b": {"$exists": true}` | there is something at the path |
//! | `"a.b": {"$regex": "text"}` | it is text that holds the text; with `^` in front, that begins with it |
//! | `"a.b": {"$not": {...}}` | the operators do not hold |
//! | `"$and": [...]`, `"$or": [...]`, `"$nor": [...]` | all, one or none of the filters hold |
//!
//! What is absent is `null`. A path with dots leads into objects, unless a field has the whole path as its name.

use std::cmp::Ordering;

use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::answer::Refusal;

/// How deep a filter may be nested.
const DEEPEST: usize = 32;

/// The parameters of a request. Those that do not fit are refused in the form of the API.
pub(crate) struct Parameters<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Parameters<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let query: Result<Query<T>, QueryRejection> = Query::from_request_parts(parts, state).await;
        let Query(parameters) = query?;
        Ok(Self(parameters))
    }
}

/// What a list is asked for. Unknown parameters are ignored (fabric-api section 13).
#[derive(Clone, Debug, Default)]
pub(crate) struct ListQuery {
    limit: Option<usize>,
    skip: usize,
    sort: Vec<(String, Direction)>,
    filter: Option<Filter>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Direction {
    Ascending,
    Descending,
}

#[derive(Deserialize)]
struct OfList {
    limit: Option<String>,
    skip: Option<String>,
    sort: Option<String>,
    filter: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for ListQuery {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let Parameters(query) = Parameters::from_request_parts(parts, state).await?;
        let OfList { limit, skip, sort, filter } = query;
        let number = |name: &str, text: Option<String>| match text.as_deref().map(str::trim) {
            None | Some("") => Ok(None),
            Some(text) => {
                let number = text.parse().map(Some);
                number.map_err(|_| Refusal::bad_request(format!("`{name}` is not a whole number from 0 on")))
            }
        };
        Ok(Self {
            // Clients leave it out where there is none, and some send 0 for that.
            limit: number("limit", limit)?.filter(|limit| *limit > 0),
            skip: number("skip", skip)?.unwrap_or(0),
            sort: sort.as_deref().filter(|text| !text.is_empty()).map_or(Ok(Vec::new()), read_sort)?,
            filter: filter.as_deref().filter(|text| !text.is_empty()).map(Filter::read).transpose()?,
        })
    }
}

impl ListQuery {
    /// Sorts by this where nothing else is asked for; -1 is from the last to the first.
    pub(crate) fn or_sorted_by(mut self, field: &str, direction: i8) -> Self {
        if self.sort.is_empty() {
            let direction = if direction < 0 { Direction::Descending } else { Direction::Ascending };
            self.sort = vec![(field.to_owned(), direction)];
        }
        self
    }

    /// What it asks for of these, which are in the order that counts among equals.
    pub(crate) fn apply(&self, records: Vec<Value>) -> Vec<Value> {
        let mut found: Vec<Value> = match &self.filter {
            Some(filter) => records.into_iter().filter(|record| filter.holds(record)).collect(),
            None => records,
        };
        if !self.sort.is_empty() {
            found.sort_by(|a, b| self.order(a, b));
        }
        let limit = self.limit.unwrap_or(usize::MAX);
        found.into_iter().skip(self.skip).take(limit).collect()
    }

    fn order(&self, a: &Value, b: &Value) -> Ordering {
        let by = |(path, direction): &(String, Direction)| {
            let order = order(at(a, path), at(b, path));
            if *direction == Direction::Descending { order.reverse() } else { order }
        };
        self.sort.iter().map(by).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }
}

fn read_sort(text: &str) -> Result<Vec<(String, Direction)>, Refusal> {
    let bad = || Refusal::bad_request("`sort` is not a JSON object of fields with 1 or -1");
    let fields: Map<String, Value> = serde_json::from_str(text).map_err(|_| bad())?;
    let direction = |(field, value): (String, Value)| match value.as_f64() {
        Some(1.0) => Ok((field, Direction::Ascending)),
        Some(-1.0) => Ok((field, Direction::Descending)),
        _ => Err(bad()),
    };
    fields.into_iter().map(direction).collect()
}

/// Which records are meant.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Filter {
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Not(Box<Filter>),
    Field(String, Test),
}

/// What is asked of one field.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Test {
    Equal(Value),
    In(Vec<Value>),
    /// The orders of the field, beside the value, that are fine.
    Ordered(Value, &'static [Ordering]),
    Exists(bool),
    Contains(String),
    BeginsWith(String),
}

impl Filter {
    /// Reads a filter, which is the text of a JSON object.
    pub(crate) fn read(text: &str) -> Result<Self, Refusal> {
        let filter: Value =
            serde_json::from_str(text).map_err(|_| Refusal::bad_request("`filter` is not JSON text"))?;
        Self::of(&filter, 0)
    }

    fn of(filter: &Value, depth: usize) -> Result<Self, Refusal> {
        let entries = filter.as_object().ok_or_else(|| Refusal::bad_request("`filter` is not a JSON object"))?;
        if depth > DEEPEST {
            return Err(Refusal::bad_request("`filter` is nested too deeply"));
        }
        let all_of = |filters: &Value| {
            let filters =
                filters.as_array().ok_or_else(|| Refusal::bad_request("of `$and`, `$or`, `$nor` comes a list"))?;
            filters.iter().map(|filter| Self::of(filter, depth + 1)).collect::<Result<Vec<_>, _>>()
        };
        let entry = |(name, value): (&String, &Value)| match name.as_str() {
            "$and" => Ok(Self::All(all_of(value)?)),
            "$or" => Ok(Self::Any(all_of(value)?)),
            "$nor" => Ok(Self::Not(Box::new(Self::Any(all_of(value)?)))),
            operator if operator.starts_with('$') => Err(unknown(operator)),
            path => Self::of_field(path, value, depth),
        };
        entries.iter().map(entry).collect::<Result<_, _>>().map(Self::All)
    }

    fn of_field(path: &str, value: &Value, depth: usize) -> Result<Self, Refusal> {
        if depth > DEEPEST {
            return Err(Refusal::bad_request("`filter` is nested too deeply"));
        }
        let field = |test| Self::Field(path.to_owned(), test);
        let is_operators = |entries: &Map<String, Value>| entries.keys().any(|name| name.starts_with('$'));
        let Some(operators) = value.as_object().filter(|entries| is_operators(entries)) else {
            return Ok(field(Test::Equal(value.clone())));
        };
        let list = |value: &Value| {
            value.as_array().cloned().ok_or_else(|| Refusal::bad_request("of `$in` and `$nin` comes a list"))
        };
        let operator = |(name, value): (&String, &Value)| match name.as_str() {
            "$eq" => Ok(field(Test::Equal(value.clone()))),
            "$ne" => Ok(Self::Not(Box::new(field(Test::Equal(value.clone()))))),
            "$in" => Ok(field(Test::In(list(value)?))),
            "$nin" => Ok(Self::Not(Box::new(field(Test::In(list(value)?))))),
            "$gt" => Ok(field(Test::Ordered(value.clone(), &[Ordering::Greater]))),
            "$gte" => Ok(field(Test::Ordered(value.clone(), &[Ordering::Greater, Ordering::Equal]))),
            "$lt" => Ok(field(Test::Ordered(value.clone(), &[Ordering::Less]))),
            "$lte" => Ok(field(Test::Ordered(value.clone(), &[Ordering::Less, Ordering::Equal]))),
            "$exists" => {
                let wanted = value.as_bool().ok_or_else(|| Refusal::bad_request("of `$exists` comes true or false"))?;
                Ok(field(Test::Exists(wanted)))
            }
            "$regex" => of_regex(value).map(field),
            "$not" => Ok(Self::Not(Box::new(Self::of_field(path, value, depth + 1)?))),
            operator => Err(unknown(operator)),
        };
        operators.iter().map(operator).collect::<Result<_, _>>().map(Self::All)
    }

    /// Whether a record is meant.
    pub(crate) fn holds(&self, record: &Value) -> bool {
        match self {
            Self::All(filters) => filters.iter().all(|filter| filter.holds(record)),
            Self::Any(filters) => filters.iter().any(|filter| filter.holds(record)),
            Self::Not(filter) => !filter.holds(record),
            Self::Field(path, test) => test.holds(at(record, path)),
        }
    }
}

impl Test {
    fn holds(&self, found: Option<&Value>) -> bool {
        if let Self::Exists(wanted) = self {
            return found.is_some() == *wanted;
        }
        let value = found.unwrap_or(&Value::Null);
        self.holds_of(value) || value.as_array().is_some_and(|all| all.iter().any(|one| self.holds_of(one)))
    }

    fn holds_of(&self, value: &Value) -> bool {
        match self {
            Self::Equal(wanted) => is_equal(value, wanted),
            Self::In(wanted) => wanted.iter().any(|wanted| is_equal(value, wanted)),
            Self::Ordered(limit, fine) => comparable(value, limit).is_some_and(|order| fine.contains(&order)),
            Self::Exists(_) => false,
            Self::Contains(text) => value.as_str().is_some_and(|value| value.contains(text)),
            Self::BeginsWith(text) => value.as_str().is_some_and(|value| value.starts_with(text)),
        }
    }
}

fn unknown(operator: &str) -> Refusal {
    Refusal::bad_request(format!("`filter` has the unknown operator `{operator}`"))
}

/// Plain texts alone: patterns can be made so that they take for ever.
fn of_regex(pattern: &Value) -> Result<Test, Refusal> {
    let bad =
        || Refusal::bad_request("`$regex` takes text without special characters, except for `^` at its beginning");
    let pattern = pattern.as_str().ok_or_else(bad)?;
    let (text, begins) = pattern.strip_prefix('^').map_or((pattern, false), |text| (text, true));
    if text.contains(|c| "\\^$.|?*+()[]{}".contains(c)) {
        return Err(bad());
    }
    Ok(if begins { Test::BeginsWith(text.to_owned()) } else { Test::Contains(text.to_owned()) })
}

/// What is at a path with dots.
fn at<'a>(record: &'a Value, path: &str) -> Option<&'a Value> {
    let fields = record.as_object()?;
    if let Some(value) = fields.get(path) {
        return Some(value);
    }
    // Names may hold dots themselves, so each way to split the path is a way to go.
    path.match_indices('.').find_map(|(dot, _)| at(fields.get(&path[..dot])?, &path[dot + 1..]))
}

/// 1 and 1.0 are the same number.
fn is_equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(_), Value::Number(_)) => comparable(a, b) == Some(Ordering::Equal),
        _ => a == b,
    }
}

/// The order of two values of one kind.
fn comparable(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => match (a.as_i128(), b.as_i128()) {
            (Some(a), Some(b)) => Some(a.cmp(&b)),
            (Some(a), None) => Some(order_of_mixed(a, b.as_f64()?)),
            (None, Some(b)) => Some(order_of_mixed(b, a.as_f64()?).reverse()),
            (None, None) => a.as_f64()?.partial_cmp(&b.as_f64()?),
        },
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

/// The order of a whole number and a fraction. Rounding the former would make it equal to numbers that differ from each other,
/// and lists cannot be sorted by such an order.
fn order_of_mixed(whole: i128, fraction: f64) -> Ordering {
    // A conversion stays within what the type holds, which is far more than the whole numbers of JSON.
    #[expect(clippy::cast_possible_truncation, reason = "the rest is compared next")]
    let integral = fraction.trunc() as i128;
    whole.cmp(&integral).then_with(|| 0.0.partial_cmp(&fraction.fract()).unwrap_or(Ordering::Equal))
}

/// The order of all values: what is absent or null, numbers, texts, false and true, and the rest as equals.
fn order(a: Option<&Value>, b: Option<&Value>) -> Ordering {
    let kind = |value: Option<&Value>| match value {
        None | Some(Value::Null) => 0,
        Some(Value::Number(_)) => 1,
        Some(Value::String(_)) => 2,
        Some(Value::Bool(_)) => 3,
        Some(Value::Array(_) | Value::Object(_)) => 4,
    };
    let within = || a.zip(b).and_then(|(a, b)| comparable(a, b)).unwrap_or(Ordering::Equal);
    kind(a).cmp(&kind(b)).then_with(within)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn holds(filter: &Value, record: &Value) -> bool {
        Filter::read(&filter.to_string()).unwrap().holds(record)
    }

    #[test]
    fn filters_ask_what_they_say() {
        let run = json!({
            "runId": "r1", "took": 4.5, "startTime": 100, "endTime": null, "tags": ["a", "b"],
            "meta": {"a.b": {"c": 1}, "on": true}, "params": {"depth": 3, "kind": "tree"},
        });
        for filter in [
            json!({}),
            json!({"runId": "r1", "took": 4.5}),
            json!({"startTime": 100.0}),
            json!({"params.depth": 3}),
            json!({"meta.a.b.c": 1}),
            json!({"endTime": null, "absent": null, "meta.absent": null}),
            json!({"tags": "a"}),
            json!({"tags": ["a", "b"]}),
            json!({"params": {"depth": 3, "kind": "tree"}}),
            json!({"params.depth": {"$gt": 2, "$lte": 3}}),
            json!({"params.depth": {"$gte": 3, "$lt": 3.5}}),
            json!({"runId": {"$gt": "r0"}}),
            json!({"runId": {"$ne": "r2"}, "absent": {"$ne": 1}}),
            json!({"runId": {"$in": ["r1", "r2"]}, "tags": {"$nin": ["c"]}}),
            json!({"took": {"$exists": true}, "absent": {"$exists": false}, "endTime": {"$exists": true}}),
            json!({"params.kind": {"$regex": "^tr"}, "runId": {"$regex": "1"}}),
            json!({"params.depth": {"$not": {"$gt": 3}}}),
            json!({"$or": [{"runId": "r2"}, {"took": {"$lt": 5}}], "$nor": [{"runId": "r2"}]}),
            json!({"$and": [{"runId": "r1"}, {"meta.on": true}]}),
        ] {
            assert!(holds(&filter, &run), "{filter}");
            assert!(!holds(&json!({"$nor": [filter]}), &run));
        }
        for filter in [
            json!({"runId": "r1", "took": 5}),
            json!({"took": "4.5"}),
            json!({"took": {"$gt": "4"}}),
            json!({"endTime": {"$lt": 5}}),
            json!({"params.depth.more": 3}),
            json!({"$or": []}),
        ] {
            assert!(!holds(&filter, &run), "{filter}");
        }
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        let mut deep = json!({"a": 1});
        for _ in 0..100 {
            deep = json!({"$and": [deep]});
        }
        for text in [
            "",
            "x",
            "[]",
            "1",
            r#"{"$where": "1"}"#,
            r#"{"a": {"$near": 1}}"#,
            r#"{"a": {"$in": 1}}"#,
            r#"{"a": {"$exists": 1}}"#,
            r#"{"a": {"$regex": "a.*"}}"#,
            r#"{"$or": {}}"#,
            &deep.to_string(),
        ] {
            assert!(Filter::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_are_compared_as_they_are() {
        let big = 9_007_199_254_740_993_i64;
        let compared = |a: Value, b: Value| comparable(&a, &b).unwrap();
        for (less, more) in [
            (json!(2), json!(2.5)),
            (json!(-2.5), json!(-2)),
            (json!(-0.5), json!(0)),
            (json!(9_007_199_254_740_992.0), json!(big)),
            (json!(u64::MAX), json!(1e300)),
            (json!(-1e300), json!(i64::MIN)),
        ] {
            assert_eq!(compared(less.clone(), more.clone()), Ordering::Less, "{less} {more}");
            assert_eq!(compared(more.clone(), less.clone()), Ordering::Greater, "{more} {less}");
        }
        assert_eq!(compared(json!(2), json!(2.0)), Ordering::Equal);
        assert_eq!(compared(json!(0), json!(-0.0)), Ordering::Equal);
        // A sort panics when it finds that the order is none.
        let mixed = (0..200).map(|n| if n % 3 == 0 { json!(9_007_199_254_740_992.0) } else { json!(big - n * 37 % 5) });
        let query = ListQuery { sort: read_sort(r#"{"n": 1}"#).unwrap(), ..ListQuery::default() };
        let sorted = query.apply(mixed.map(|n| json!({"n": n})).collect());
        assert!(sorted.is_sorted_by(|a, b| order(a.get("n"), b.get("n")).is_le()));
    }

    #[test]
    fn lists_are_sorted_and_cut() {
        let records = || {
            let record = |(n, group): (i32, Value)| json!({"n": n, "group": group});
            [(1, json!("b")), (2, json!("a")), (3, Value::Null), (4, json!("b")), (5, json!(7))].map(record).to_vec()
        };
        let numbers = |query: ListQuery| {
            query.apply(records()).iter().map(|record| record["n"].as_i64().unwrap()).collect::<Vec<_>>()
        };
        let sorted = |text| ListQuery { sort: read_sort(text).unwrap(), ..ListQuery::default() };
        assert_eq!(numbers(sorted(r#"{"group": 1}"#)), [3, 5, 2, 1, 4]);
        assert_eq!(numbers(sorted(r#"{"group": -1, "n": -1}"#)), [4, 1, 2, 5, 3]);
        assert_eq!(numbers(ListQuery { limit: Some(2), skip: 1, ..sorted(r#"{"n": -1}"#) }), [4, 3]);
        assert_eq!(numbers(ListQuery { limit: Some(1), ..ListQuery::default().or_sorted_by("n", -1) }), [5]);
        for text in ["x", "[]", r#"{"n": 2}"#, r#"{"n": "up"}"#] {
            assert!(read_sort(text).is_err(), "{text}");
        }
    }
}
