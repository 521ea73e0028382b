//! JSON as it is read before it is known what it should be.
//!
//! A capability can be told from other things only by its keys, and may hold millions of entries. This keeps those as compact
//! as they will be in the end, so that reading is done once.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};

/// Objects with more keys than this are searched for repeated ones with a map.
const FEW: usize = 16;

pub(super) enum Tree<'a> {
    /// Its keys are unique.
    Object(Vec<(Cow<'a, str>, Tree<'a>)>),
    /// An array of integers, with at least one.
    Ids(Vec<i64>),
    /// An array of texts, with at least one.
    Texts(Vec<Box<str>>),
    /// Any other array.
    List(Vec<Tree<'a>>),
    Text(Cow<'a, str>),
    Id(i64),
    /// Null, a boolean, or another number.
    Other(Value),
}

impl Tree<'_> {
    /// What it is, for a person.
    pub(super) fn what(&self) -> &'static str {
        match self {
            Self::Object(_) => "an object",
            Self::Ids(_) | Self::Texts(_) | Self::List(_) => "an array",
            Self::Text(_) => "a text",
            Self::Id(_) | Self::Other(Value::Number(_)) => "a number",
            Self::Other(Value::Bool(_)) => "a boolean",
            Self::Other(_) => "null",
        }
    }
}

impl From<Tree<'_>> for Value {
    fn from(tree: Tree<'_>) -> Self {
        match tree {
            Tree::Object(fields) => {
                Self::Object(fields.into_iter().map(|(name, tree)| (name.into_owned(), tree.into())).collect())
            }
            Tree::Ids(ids) => ids.into(),
            Tree::Texts(texts) => texts.into_iter().map(|text| Self::String(text.into())).collect(),
            Tree::List(items) => items.into_iter().map(Self::from).collect(),
            Tree::Text(text) => Self::String(text.into_owned()),
            Tree::Id(id) => id.into(),
            Tree::Other(value) => value,
        }
    }
}

impl<'de> Deserialize<'de> for Tree<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree<'de>, E> {
        Ok(Tree::Other(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree<'de>, E> {
        Ok(Tree::Id(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree<'de>, E> {
        Ok(i64::try_from(value).map_or_else(|_| Tree::Other(value.into()), Tree::Id))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree<'de>, E> {
        Ok(Tree::Other(Number::from_f64(value).map_or(Value::Null, Value::Number)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Tree<'de>, E> {
        Ok(Tree::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Tree<'de>, E> {
        Ok(Tree::Text(Cow::Borrowed(text)))
    }

    fn visit_string<E>(self, text: String) -> Result<Tree<'de>, E> {
        Ok(Tree::Text(Cow::Owned(text)))
    }

    fn visit_unit<E>(self) -> Result<Tree<'de>, E> {
        Ok(Tree::Other(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Tree<'de>, E> {
        Ok(Tree::Other(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree<'de>, D::Error> {
        Tree::deserialize(deserializer)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree<'de>, D::Error> {
        Tree::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree<'de>, A::Error> {
        match items.next_element()? {
            Some(Tree::Id(id)) => {
                let mut ids = vec![id];
                while let Some(item) = items.next_element()? {
                    match item {
                        Tree::Id(id) => ids.push(id),
                        other => return rest(ids.into_iter().map(Tree::Id).collect(), other, items),
                    }
                }
                Ok(Tree::Ids(ids))
            }
            Some(Tree::Text(text)) => {
                let mut texts: Vec<Box<str>> = vec![text.into()];
                while let Some(item) = items.next_element()? {
                    match item {
                        Tree::Text(text) => texts.push(text.into()),
                        other => {
                            let texts = texts.into_iter().map(|text| Tree::Text(Cow::Owned(text.into())));
                            return rest(texts.collect(), other, items);
                        }
                    }
                }
                Ok(Tree::Texts(texts))
            }
            Some(other) => rest(Vec::new(), other, items),
            None => Ok(Tree::List(Vec::new())),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Tree<'de>, A::Error> {
        let mut object = Vec::new();
        while let Some((Name(name), value)) = fields.next_entry()? {
            object.push((name, value));
        }
        Ok(Tree::Object(unique(object)))
    }
}

/// An array that has begun with these.
fn rest<'de, A: SeqAccess<'de>>(
    mut list: Vec<Tree<'de>>,
    next: Tree<'de>,
    mut items: A,
) -> Result<Tree<'de>, A::Error> {
    list.push(next);
    while let Some(item) = items.next_element()? {
        list.push(item);
    }
    Ok(Tree::List(list))
}

/// The fields of an object, of those with one name the last, where the first stood.
fn unique<'a>(fields: Vec<(Cow<'a, str>, Tree<'a>)>) -> Vec<(Cow<'a, str>, Tree<'a>)> {
    let is_unique = if fields.len() <= FEW {
        fields.iter().enumerate().all(|(i, (name, _))| fields[..i].iter().all(|(earlier, _)| earlier != name))
    } else {
        let mut names: Vec<&str> = fields.iter().map(|(name, _)| &**name).collect();
        names.sort_unstable();
        names.windows(2).all(|pair| pair[0] != pair[1])
    };
    if is_unique {
        return fields;
    }
    let mut places: HashMap<Cow<'a, str>, usize> = HashMap::new();
    let mut kept: Vec<(Cow<'a, str>, Tree<'a>)> = Vec::with_capacity(fields.len());
    for (name, value) in fields {
        if let Some(&place) = places.get(&name) {
            kept[place].1 = value;
        } else {
            places.insert(name.clone(), kept.len());
            kept.push((name, value));
        }
    }
    kept
}

/// A key, borrowed where that is possible.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;

        impl<'de> Visitor<'de> for NameVisitor {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_str<E>(self, text: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(text.to_owned())))
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(text)))
            }

            fn visit_string<E>(self, text: String) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(text)))
            }
        }

        deserializer.deserialize_str(NameVisitor)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (-1e300..1e300f64).prop_map(Value::from),
            ".{0,3}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 64, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec((".{0,2}", inner), 0..20)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn nothing_is_lost(value in json()) {
            let text = value.to_string();
            let read: Tree = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(Value::from(read), value.clone());
            prop_assert_eq!(Value::from(Tree::deserialize(value.clone()).unwrap()), value);
        }
    }

    #[test]
    fn of_repeated_keys_the_last_one_counts() {
        let of = |text: &str| Value::from(serde_json::from_str::<Tree>(text).unwrap());
        assert_eq!(of(r#"{"a": 1, "b": 2, "a": 3}"#), json!({"a": 3, "b": 2}));
        let many: Vec<String> = (0..40).map(|n| format!("\"{}\": {n}", n % 20)).collect();
        let object = of(&format!("{{{}}}", many.join(",")));
        assert_eq!(object.as_object().unwrap().len(), 20);
        assert_eq!((&object["0"], &object["19"]), (&json!(20), &json!(39)));
    }

    #[test]
    fn arrays_of_one_kind_are_compact() {
        let of = |text: &'static str| serde_json::from_str::<Tree>(text).unwrap();
        assert!(matches!(of("[1, -2]"), Tree::Ids(ids) if ids == [1, -2]));
        assert!(matches!(of(r#"["a", "\n"]"#), Tree::Texts(texts) if texts.len() == 2));
        assert!(matches!(of(r#"[1, "a", 2]"#), Tree::List(items) if items.len() == 3));
        assert!(matches!(of("[]"), Tree::List(items) if items.is_empty()));
    }
}
