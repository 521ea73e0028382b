//! JSON that is carried as the text it came in.

use std::fmt;

use serde::de::value::MapDeserializer;
use serde::de::{DeserializeOwned, Error as _, Visitor};
use serde::{Deserialize, Deserializer, Serialize, forward_to_deserialize_any};
use serde_json::value::RawValue;

/// JSON text that was checked when it was read and is not rebuilt on the way: numbers keep their digits, objects their
/// order, and passing a payload on costs a copy at most.
#[derive(Clone, Eq, PartialEq)]
pub(crate) struct JsonText(Box<str>);

impl JsonText {
    pub(crate) fn null() -> Self {
        Self("null".into())
    }

    /// Takes a text that is known to be JSON.
    pub(crate) fn from_checked(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    pub(crate) fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        serde_json::to_string(value).map(|text| Self(text.into()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads the text as a type. The error carries the path of the field that does not fit.
    ///
    /// The path costs a tenth of the parse, so it is looked for only once the parse has failed.
    pub(crate) fn parse<T: DeserializeOwned>(&self) -> Result<T, Misfit> {
        parse(&self.0)
    }
}

/// Reads JSON text as a type, as [`JsonText::parse`] does.
pub(crate) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Misfit> {
    serde_json::from_str(text).map_err(|error| {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        match serde_path_to_error::deserialize::<_, T>(&mut deserializer) {
            Err(error) => Misfit::new(&error),
            // Characters after the value: the field is the value itself.
            Ok(_) => Misfit { pointer: String::new(), reason: error.to_string() },
        }
    })
}

/// Text that is known to be JSON, as the type that keeps it as it is. Reading it as any other type would look at all of it once
/// more.
pub(crate) fn raw(text: &str) -> Result<Box<RawValue>, serde_json::Error> {
    Box::deserialize(Checked(text)).or_else(|_| serde_json::from_str(text))
}

/// Gives a [`RawValue`] what `serde_json` would give it, and nothing to any other type.
struct Checked<'a>(&'a str);

/// What a `RawValue` asks for, and what it expects as the only key of a map. Should a later `serde_json` agree with itself on
/// another name, the text is read as usual.
const RAW: &str = "$serde_json::private::RawValue";

impl<'de> Deserializer<'de> for Checked<'de> {
    type Error = serde::de::value::Error;

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        if name == RAW {
            visitor.visit_map(MapDeserializer::new(std::iter::once((RAW, self.0))))
        } else {
            self.deserialize_any(visitor)
        }
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(Self::Error::custom("not a raw value"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct seq tuple
        tuple_struct map struct enum identifier ignored_any
    }
}

/// Why and where JSON does not fit a type.
#[derive(Debug)]
pub(crate) struct Misfit {
    /// JSON pointer (RFC 6901) of the field.
    pub(crate) pointer: String,
    /// What is wrong with it, without the position in the text, which a pointer says better.
    pub(crate) reason: String,
}

impl Misfit {
    fn new(error: &serde_path_to_error::Error<serde_json::Error>) -> Self {
        use serde_path_to_error::Segment;

        let mut pointer = String::new();
        for segment in error.path() {
            match segment {
                Segment::Seq { index } => push_key(&mut pointer, &index.to_string()),
                Segment::Map { key } => push_key(&mut pointer, key),
                // A variant is the key of its content.
                Segment::Enum { variant } => push_key(&mut pointer, variant),
                Segment::Unknown => {}
            }
        }
        let text = error.inner().to_string();
        let reason = text.rfind(" at line ").map_or(text.as_str(), |position| &text[..position]);
        let reason = without_value(reason);
        // serde reports an absent field at the object that lacks it.
        if let Some(field) = reason.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
            push_key(&mut pointer, field);
        }
        Self { pointer, reason }
    }
}

/// serde's words without the value that it quotes: among properties there are secrets that the platform has filled in.
fn without_value(reason: &str) -> String {
    let Some((quoting, expected)) = reason.rsplit_once(", expected ") else { return reason.to_owned() };
    for beginning in ["invalid type: ", "invalid value: ", "unknown variant ", "unknown field "] {
        if let Some(quoted) = quoting.strip_prefix(beginning) {
            // A kind, such as `string`, and then the value; or the value alone.
            let kind = quoted.split(['"', '`']).next().unwrap_or_default();
            let beginning = format!("{beginning}{kind}");
            return format!("{}, expected {expected}", beginning.trim_end_matches([' ', ':']));
        }
    }
    reason.to_owned()
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pointer.is_empty() {
            return f.write_str(&self.reason);
        }
        write!(f, "{}: {}", self.pointer, self.reason)
    }
}

fn push_key(pointer: &mut String, key: &str) {
    pointer.push('/');
    pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
}

impl<'de> Deserialize<'de> for JsonText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(|raw| Self(raw.into()))
    }
}

/// Shows the length alone: payloads and properties are the caller's business.
impl fmt::Debug for JsonText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes of JSON", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only parsed")]
    struct Order {
        number: u32,
        lines: Vec<Line>,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only parsed")]
    struct Line {
        #[serde(rename = "a/b~c")]
        name: String,
    }

    #[test]
    fn a_misfit_says_where() {
        for (text, pointer, reason) in [
            (r#"{"number": "x", "lines": []}"#, "/number", "invalid type: string, expected u32"),
            (
                r#"{"number": 1, "lines": [{"a/b~c": "n"}, {"a/b~c": 5}]}"#,
                "/lines/1/a~1b~0c",
                "invalid type: integer, expected a string",
            ),
            (r#"{"number": 1, "lines": [{}]}"#, "/lines/0/a~1b~0c", "missing field `a/b~c`"),
            (r#"{"lines": []}"#, "/number", "missing field `number`"),
            ("null", "", "invalid type: null, expected struct Order"),
        ] {
            let misfit = parse::<Order>(text).unwrap_err();
            assert_eq!((misfit.pointer.as_str(), misfit.reason.as_str()), (pointer, reason), "{text}");
        }
    }

    #[test]
    fn a_misfit_quotes_no_value() {
        #[derive(Debug, Deserialize)]
        enum Kind {
            A,
        }
        for text in [r#""hunter2, expected hunter2""#, r#"{"hunter2": 1}"#] {
            let misfit = parse::<Kind>(text).unwrap_err();
            assert!(!misfit.reason.contains("hunter2"), "{misfit}");
        }
        assert_eq!(parse::<Kind>("\"B\"").unwrap_err().reason, "unknown variant, expected `A`");
        assert_eq!(parse::<u8>("300").unwrap_err().reason, "invalid value: integer, expected u8");
        assert!(matches!(parse::<Kind>("\"A\""), Ok(Kind::A)));
    }

    #[test]
    fn a_raw_value_is_the_text_itself() {
        // What is no JSON passes too: nobody looks.
        for text in ["{\"a\": [1, 2.50]}", "null", "[1"] {
            assert_eq!(Box::<RawValue>::deserialize(Checked(text)).unwrap().get(), text);
        }
        assert_eq!(raw(" 1").unwrap().get(), " 1");
        assert!(serde_json::Value::deserialize(Checked("1")).is_err());
    }

    #[test]
    fn debug_shows_no_content() {
        let text = JsonText::of(&["hunter2"]).unwrap();
        assert_eq!(format!("{text:?}"), "11 bytes of JSON");
    }
}
