//! Named values as JSON text.

use std::fmt;
use std::io;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;
use smallvec::SmallVec;

use crate::redact;

/// Named values, kept as JSON text: they are written once, where they are recorded. Each name is there once.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    /// Members of an object, with commas between them.
    members: String,
    ends: SmallVec<[Ends; 8]>,
}

/// Where in the text a member has its ends.
#[derive(Clone, Copy, Debug)]
struct Ends {
    /// Behind the name's last quote.
    name: usize,
    value: usize,
}

/// A field as JSON text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Member<'a> {
    /// The whole: name, colon, value.
    pub json: &'a str,
    /// The name, in quotes.
    pub name: &'a str,
    /// The value.
    pub value: &'a str,
}

impl Fields {
    /// Fields that take so many bytes before they must grow.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { members: String::with_capacity(bytes), ..Self::default() }
    }

    /// Reads a JSON object that somebody else has written.
    ///
    /// # Errors
    ///
    /// It is no JSON object.
    pub fn from_json(json: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(json)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// All as the members of a JSON object, on one line, without its braces.
    pub fn members_json(&self) -> &str {
        &self.members
    }

    /// Each as JSON text, in their order.
    pub fn iter(&self) -> impl Iterator<Item = Member<'_>> {
        let mut start = 0;
        self.ends.iter().map(move |ends| {
            let json = &self.members[start..ends.value];
            let (name, value) = (&self.members[start..ends.name], &self.members[ends.name + 1..ends.value]);
            start = ends.value + 1;
            Member { json, name, value }
        })
    }

    /// Forgets all, and keeps memory of not more than so many bytes.
    pub(super) fn clear(&mut self, kept: usize) {
        self.members.clear();
        self.members.shrink_to(kept);
        self.ends.clear();
    }

    /// Adds a text, without the tokens in it. It takes the place of a value of the same name.
    pub(super) fn insert_text(&mut self, name: &str, text: &str) {
        self.insert_with(name, |members| {
            // Every token has a dot.
            if holds(text, |byte| byte == b'.') {
                push_text(members, &redact(text));
            } else {
                push_text(members, text);
            }
        });
    }

    /// Adds a value that holds no secrets. It takes the place of one of the same name.
    pub(super) fn insert(&mut self, name: &str, value: impl Serialize) {
        self.insert_with(name, |members| push_json(members, value));
    }

    fn insert_with(&mut self, name: &str, push_value: impl FnOnce(&mut String)) {
        if !self.members.is_empty() {
            self.members.push(',');
        }
        let start = self.members.len();
        push_text(&mut self.members, name);
        let name = self.members.len();
        self.members.push(':');
        push_value(&mut self.members);
        let quoted = &self.members[start..name];
        let same = self.iter().position(|member| member.name == quoted);
        self.ends.push(Ends { name, value: self.members.len() });
        if let Some(place) = same {
            self.remove(place);
        }
    }

    /// Adds the fields whose names are not there yet.
    pub(super) fn add(&mut self, more: &Self) {
        let own = self.ends.len();
        if more.iter().any(|member| self.has(member.name, own)) {
            for member in more.iter() {
                if !self.has(member.name, own) {
                    self.push(member);
                }
            }
        } else if !more.is_empty() {
            if own > 0 {
                self.members.push(',');
            }
            let start = self.members.len();
            self.members.push_str(&more.members);
            self.ends.extend(more.ends.iter().map(|ends| Ends { name: start + ends.name, value: start + ends.value }));
        }
    }

    /// Whether a name, in quotes, is among the first so many.
    fn has(&self, name: &str, of: usize) -> bool {
        self.iter().take(of).any(|member| member.name == name)
    }

    fn push(&mut self, member: Member<'_>) {
        if !self.members.is_empty() {
            self.members.push(',');
        }
        let start = self.members.len();
        self.members.push_str(member.json);
        self.ends.push(Ends { name: start + member.name.len(), value: self.members.len() });
    }

    fn remove(&mut self, place: usize) {
        let mut kept = Self::with_capacity(self.members.len());
        self.iter().enumerate().filter(|(index, _)| *index != place).for_each(|(_, member)| kept.push(member));
        *self = kept;
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.ends.len()))?;
        for member in self.iter() {
            // It was written as JSON.
            let name: String = serde_json::from_str(member.name).map_err(serde::ser::Error::custom)?;
            let value: &RawValue = serde_json::from_str(member.value).map_err(serde::ser::Error::custom)?;
            map.serialize_entry(&name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Fields::default();
                while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    // White space may hold ends of lines.
                    if value.get().contains(['\n', '\r']) {
                        let value: serde_json::Value =
                            serde_json::from_str(value.get()).map_err(serde::de::Error::custom)?;
                        fields.insert(&name, value);
                    } else {
                        fields.insert(&name, value);
                    }
                }
                Ok(fields)
            }
        }

        deserializer.deserialize_map(Members)
    }
}

/// Whether a text holds one of some bytes. All are looked at, without a branch: most texts are short and hold none.
fn holds(text: &str, is_one: impl Fn(u8) -> bool) -> bool {
    text.bytes().fold(0, |found, byte| found | u8::from(is_one(byte))) != 0
}

/// Appends a text as JSON.
fn push_text(to: &mut String, text: &str) {
    if holds(text, |byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        push_json(to, text);
    } else {
        to.push('"');
        to.push_str(text);
        to.push('"');
    }
}

/// Appends a value as JSON. What cannot be written so becomes null.
fn push_json(to: &mut String, value: impl Serialize) {
    let start = to.len();
    if serde_json::to_writer(Appending(to), &value).is_err() {
        to.truncate(start);
        to.push_str("null");
    }
}

/// Writes UTF-8 to a text.
struct Appending<'a>(&'a mut String);

impl io::Write for Appending<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.push_str(std::str::from_utf8(bytes).map_err(io::Error::other)?);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn values_are_written_as_json_and_read_again() {
        let mut fields = Fields::default();
        fields.insert("a", 1u64);
        fields.insert_text("b\"", "two\nlines \u{1b} ü");
        fields.insert("c", f64::NAN);
        fields.insert("d", 1.0);
        fields.insert("e", true);
        assert_eq!(fields.members_json(), r#""a":1,"b\"":"two\nlines \u001b ü","c":null,"d":1.0,"e":true"#);
        let json = serde_json::to_string(&fields).unwrap();
        assert_eq!(json, format!("{{{}}}", fields.members_json()));
        assert_eq!(Fields::from_json(json.as_bytes()).unwrap().members_json(), fields.members_json());
        assert_eq!(fields.iter().nth(1).unwrap().name, r#""b\"""#);
    }

    #[test]
    fn each_name_is_there_once() {
        let mut fields = Fields::default();
        for (name, value) in [("a", 1), ("b", 2), ("a", 3), ("c", 4), ("c", 5)] {
            fields.insert(name, value);
        }
        let mut outer = Fields::default();
        outer.insert("b", "outer");
        outer.insert("d", "outer");
        fields.add(&outer);
        fields.add(&outer);
        assert_eq!(fields.members_json(), r#""b":2,"a":3,"c":5,"d":"outer""#);
    }

    #[test]
    fn what_another_has_written_is_one_line_of_an_object() {
        let fields = Fields::from_json(b"{\"a\":\n [1,\r\n {\"b\" : \"x\\ny\"}],\t\"a2\": 1e400, \"a\": 2}").unwrap();
        assert_eq!(fields.members_json(), r#""a2":1e400,"a":2"#);
        let fields = Fields::from_json(b"{\"a\":\n [1,\r\n {\"b\" : \"x\\ny\"}]}").unwrap();
        assert_eq!(fields.members_json(), r#""a":[1,{"b":"x\ny"}]"#);
        for broken in ["", "{", r#"{"a":1}}"#, r#"{"a":1},"b":2"#, "[1]", r#"{"a":1"#, "null", "{\"a\":\"\n\"}"] {
            assert!(Fields::from_json(broken.as_bytes()).is_err(), "{broken}");
        }
        assert!(Fields::from_json(b"{\"a\":\"\xff\"}").is_err());
        assert_eq!(serde_json::to_value(Fields::default()).unwrap(), json!({}));
        assert_eq!(serde_json::to_value(fields).unwrap()["a"][0], Value::from(1));
    }

    #[test]
    fn no_token_stands_in_a_text() {
        let mut fields = Fields::default();
        fields.insert_text("a", "\n  eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ1In0.c2ln");
        assert_eq!(fields.members_json(), r#""a":"\n  [token]""#);
    }
}
