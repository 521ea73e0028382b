//! `content list`: what is stored.

use std::fmt::Write;
use std::process::ExitCode;

use skill_sdk::client::content::ContentEntry;
use skill_sdk::{Code, Error};

use super::{print, visible, with_content};
use crate::cli::content::{ListFormat, ListOptions};
use crate::outcome::Refusal;

pub(super) fn run(options: &ListOptions) -> Result<ExitCode, Refusal> {
    let ListOptions { prefix, limit, skip, format, call } = options;
    with_content(call, async |content| {
        let entries = content.list_page(prefix, *limit, *skip).await?;
        let text = match format {
            ListFormat::Table => table(&entries),
            ListFormat::Json => json(&entries)?,
        };
        print(text).await
    })
}

/// The entries as the platform says them.
fn json(entries: &[ContentEntry]) -> Result<String, Error> {
    let text = serde_json::to_string_pretty(entries)
        .map_err(|error| Error::new(Code::Internal, "the list cannot be written as JSON").with_source(error))?;
    Ok(text + "\n")
}

/// A line for the names of the columns and one for each entry. The key is last, because it may hold blanks.
fn table(entries: &[ContentEntry]) -> String {
    let text = |text: &Option<String>| text.as_deref().map_or_else(|| "-".to_owned(), visible);
    let names = ["SIZE", "MODIFIED", "TYPE", "KEY"].map(str::to_owned);
    let rows = entries.iter().map(|entry| {
        let ContentEntry { key, content_type, last_modified, size, .. } = entry;
        [
            size.map_or_else(|| "-".to_owned(), |size| size.to_string()),
            text(last_modified),
            text(content_type),
            visible(key),
        ]
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
    use serde_json::{Value, json};

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
    fn json_is_what_the_platform_says() {
        let list = json!([
            {"Key": "a", "Size": 1, "LastModified": "2024-05-01T10:00:00Z", "ContentType": "text/plain", "Owner": "ann"},
            {"Key": "b"}
        ]);
        let text = super::json(&entries(list.clone())).unwrap();
        assert!(text.ends_with("]\n"));
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), list);
    }
}
