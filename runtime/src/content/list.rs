//! `content list`: what is stored.

use std::process::ExitCode;

use skill_sdk::client::content::ContentEntry;

use super::with_content;
use crate::cli::content::{ListFormat, ListOptions};
use crate::json;
use crate::outcome::Refusal;
use crate::stdout::print;
use crate::table::{self, Side};

pub(super) fn run(options: &ListOptions) -> Result<ExitCode, Refusal> {
    let ListOptions { prefix, limit, skip, format, call } = options;
    with_content(call, async |content| {
        let entries = content.list_page(prefix, *limit, *skip).await?;
        let text = match format {
            ListFormat::Table => table(&entries),
            ListFormat::Json => json::pretty(&entries)?,
        };
        print(text).await
    })
}

/// A row for each entry. The key is last, because it may hold blanks.
fn table(entries: &[ContentEntry]) -> String {
    let columns = [("SIZE", Side::Right), ("MODIFIED", Side::Left), ("TYPE", Side::Left), ("KEY", Side::Left)];
    let rows: Vec<_> = entries
        .iter()
        .map(|entry| {
            let ContentEntry { key, content_type, last_modified, size, .. } = entry;
            let size = size.map(|size| size.to_string());
            vec![size, last_modified.clone(), content_type.clone(), Some(key.clone())]
        })
        .collect();
    table::table(&columns, &rows)
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
        let text = crate::json::pretty(&entries(list.clone())).unwrap();
        assert!(text.ends_with("]\n"));
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), list);
    }
}
