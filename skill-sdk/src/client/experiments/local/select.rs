//! What a platform would do with filter, sort, limit and skip. See [`Experiments`](super::super::Experiments) for what they mean
//! here.

use std::cmp::Ordering;

use serde::Serialize;
use serde_json::{Map, Number, Value};

use crate::client::list::ListOptions;
use crate::error::{Code, Error};

/// The entries that are asked for, in the order that is asked for. Of equals that comes first which does in the list.
///
/// # Errors
///
/// [`Code::SkillFailed`] for a filter that is not known.
pub(super) fn select<T: Serialize>(entries: Vec<T>, options: &ListOptions) -> Result<Vec<T>, Error> {
    let filter = Filter::new(&options.filter)?;
    let mut selected = Vec::new();
    for entry in entries {
        let value = value(&entry)?;
        if filter.lets_pass(&value) {
            selected.push((value, entry));
        }
    }
    if !options.sort.is_empty() {
        selected.sort_by(|(a, _), (b, _)| in_order(a, b, &options.sort));
    }
    let count = |number: Option<u32>| number.map(|number| usize::try_from(number).unwrap_or(usize::MAX));
    let (skip, limit) = (count(options.skip).unwrap_or(0), count(options.limit).unwrap_or(usize::MAX));
    Ok(selected.into_iter().map(|(_, entry)| entry).skip(skip).take(limit).collect())
}

/// An entry as filters and sorts see it.
pub(super) fn value(entry: &impl Serialize) -> Result<Value, Error> {
    serde_json::to_value(entry)
        .map_err(|error| Error::new(Code::Internal, "an entry cannot be written as JSON").with_source(error))
}

/// Conditions that must all hold.
pub(super) struct Filter<'f>(Vec<Condition<'f>>);

struct Condition<'f> {
    field: &'f str,
    operator: Operator,
    operand: &'f Value,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    In,
}

impl<'f> Filter<'f> {
    /// # Errors
    ///
    /// [`Code::SkillFailed`] for an operator that is not known, and for one whose operand it cannot have.
    pub(super) fn new(filter: &'f Map<String, Value>) -> Result<Self, Error> {
        let unknown = |what: &str| {
            let known = "$gt, $gte, $lt, $lte, $ne and $in";
            Error::new(Code::SkillFailed, format!("local experiments cannot be filtered by {what}, only by {known}"))
        };
        let mut conditions = Vec::new();
        for (field, value) in filter {
            if field.starts_with('$') {
                return Err(unknown(&format!("`{field}`")));
            }
            let operators = value.as_object().filter(|object| object.keys().any(|key| key.starts_with('$')));
            let Some(operators) = operators else {
                conditions.push(Condition { field, operator: Operator::Equal, operand: value });
                continue;
            };
            for (name, operand) in operators {
                let operator = match &**name {
                    "$ne" => Operator::NotEqual,
                    "$gt" => Operator::Greater,
                    "$gte" => Operator::GreaterOrEqual,
                    "$lt" => Operator::Less,
                    "$lte" => Operator::LessOrEqual,
                    "$in" if operand.is_array() => Operator::In,
                    "$in" => return Err(unknown("`$in` without a list")),
                    other => return Err(unknown(&format!("`{other}`"))),
                };
                conditions.push(Condition { field, operator, operand });
            }
        }
        Ok(Self(conditions))
    }

    pub(super) fn lets_pass(&self, entry: &Value) -> bool {
        self.0.iter().all(|condition| condition.holds(entry))
    }
}

impl Condition<'_> {
    fn holds(&self, entry: &Value) -> bool {
        let value = field(entry, self.field).unwrap_or(&Value::Null);
        let compared = |wanted: fn(Ordering) -> bool| compare(value, self.operand).is_some_and(wanted);
        match self.operator {
            Operator::Equal => are_equal(value, self.operand),
            Operator::NotEqual => !are_equal(value, self.operand),
            Operator::Greater => compared(Ordering::is_gt),
            Operator::GreaterOrEqual => compared(Ordering::is_ge),
            Operator::Less => compared(Ordering::is_lt),
            Operator::LessOrEqual => compared(Ordering::is_le),
            Operator::In => self.operand.as_array().is_some_and(|list| list.iter().any(|one| are_equal(value, one))),
        }
    }
}

/// The value at a path such as `params.depth`. Names with dots in them are found too.
fn field<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    let object = value.as_object()?;
    object
        .get(path)
        .or_else(|| path.match_indices('.').find_map(|(dot, _)| field(object.get(&path[..dot])?, &path[dot + 1..])))
}

fn are_equal(a: &Value, b: &Value) -> bool {
    compare(a, b).map_or_else(|| a == b, Ordering::is_eq)
}

/// How values of one type are ordered, if they are.
fn compare(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => Some(compare_numbers(a, b)),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

/// By value, exactly: sorting needs an order without exceptions, and large whole numbers have no `f64`.
fn compare_numbers(a: &Number, b: &Number) -> Ordering {
    let whole = |number: &Number| number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
    let float = |number: &Number| number.as_f64().unwrap_or_default();
    match (whole(a), whole(b)) {
        (Some(a), Some(b)) => a.cmp(&b),
        (Some(a), None) => compare_whole(a, float(b)),
        (None, Some(b)) => compare_whole(b, float(a)).reverse(),
        (None, None) => float(a).partial_cmp(&float(b)).unwrap_or(Ordering::Equal),
    }
}

fn compare_whole(a: i128, b: f64) -> Ordering {
    #[expect(clippy::cast_possible_truncation, reason = "beyond its bounds it becomes the largest or smallest")]
    let whole = b.trunc() as i128;
    a.cmp(&whole).then_with(|| 0.0.partial_cmp(&b.fract()).unwrap_or(Ordering::Equal))
}

fn in_order(a: &Value, b: &Value, sort: &Map<String, Value>) -> Ordering {
    let by = |(path, direction): (&String, &Value)| {
        let present = |value| field(value, path).filter(|value| !value.is_null());
        match (present(a), present(b)) {
            (Some(a), Some(b)) => {
                let order = rank(a).cmp(&rank(b)).then_with(|| compare(a, b).unwrap_or(Ordering::Equal));
                if direction.as_i64() == Some(-1) { order.reverse() } else { order }
            }
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        }
    };
    sort.iter().map(by).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

/// The order of types, in which values of different ones are sorted.
fn rank(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Number(_) => 1,
        Value::String(_) => 2,
        Value::Object(_) => 3,
        Value::Array(_) => 4,
        Value::Bool(_) => 5,
    }
}

#[cfg(test)]
mod tests;
