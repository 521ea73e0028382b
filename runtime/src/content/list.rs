//! `content list`: what is stored.

use std::fmt::Write;
use std::process::ExitCode;

use serde_json::{Map, Value};
use skill_sdk::client::content::ContentEntry;

use super::{print, visible, with_content};
use crate::cli::content::{ListFormat, ListOptions};
use crate::outcome::Refusal;

pub(super) fn run(options: &ListOptions) -> Result<ExitCode, Refusal> {
    let ListOptions { prefix, limit, skip, format, call } = options;
    with_content(call, async |content| {
        let entries = content.list_page(prefix, *limit, *skip).await?;
        let text = match format {
            ListFormat::Table => table(&entries),
            ListFormat::Json => format!("{:#}\n", entries.iter().map(json).collect::<Value>()),
        };
        print(text).await
    })
}

/// An entry with the names that the platform has for its parts.
fn json(entry: &ContentEntry) -> Value {
    let parts = [
        ("Key", Some(entry.key.as_str().into())),
        ("Size", Some(entry.size.into())),
        ("LastModified", entry.last_modified.as_deref().map(Value::from)),
        ("ContentType", entry.content_type.as_deref().map(Value::from)),
    ];
    let known = parts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(known.collect::<Map<_, _>>())
}

/// A line for the names of the columns and one for each entry. The key is last, because it may hold blanks.
fn table(entries: &[ContentEntry]) -> String {
    let text = |text: &Option<String>| text.as_deref().map_or_else(|| "-".to_owned(), visible);
    let names = ["SIZE", "MODIFIED", "TYPE", "KEY"].map(str::to_owned);
    let rows = entries.iter().map(|entry| {
        let ContentEntry { key, content_type, last_modified, size, .. } = entry;
        [size.to_string(), text(last_modified), text(content_type), visible(key)]
    });
    let rows: Vec<_> = std::iter::once(names).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let [size, time, kind] = [0, 1, 2].map(width);
    rows.iter().fold(String::new(), |mut table, [a, b, c, key]| {
        // Writing to a string does not fail.
        let _ = writeln!(table, "{a:>size$}  {b:<time$}  {c:<kind$}  {key}");
        table
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn entries(list: Value) -> Vec<ContentEntry> {
        serde_json::from_value(list).unwrap()
    }

    #[test]
    fn the_columns_of_a_table_are_aligned() {
        let list = json!([
            {"Key": "a b/ä", "Size": 12_345, "LastModified": "2024-05-01T10:00:00Z", "ContentType": "text/plain"},
            {"Key": "\u{1b}[2Jx\ny", "Size": 7}
        ]);
        let expected = " SIZE  MODIFIED              TYPE        KEY\n\
                        12345  2024-05-01T10:00:00Z  text/plain  a b/ä\n    \
                            7  -                     -           \\u{1b}[2Jx\\ny\n";
        assert_eq!(table(&entries(list)), expected);
        assert_eq!(table(&[]), "SIZE  MODIFIED  TYPE  KEY\n");
    }

    #[test]
    fn json_has_the_platforms_names() {
        let list = json!([
            {"Key": "a", "Size": 1, "LastModified": "2024-05-01T10:00:00Z", "ContentType": "text/plain"},
            {"Key": "b", "Size": 7}
        ]);
        assert_eq!(entries(list.clone()).iter().map(super::json).collect::<Value>(), list);
    }
}
