//! Tables for people.

use std::fmt::Write;

/// On which side of its column a cell stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Side {
    Left,
    Right,
}

/// A line for the names of the columns and one for each row, the columns as wide as they must be. What is in the last may be
/// long, or hold blanks: nothing is padded there. Of what could steer a terminal nothing is left.
pub(crate) fn table(columns: &[(&str, Side)], rows: &[Vec<Option<String>>]) -> String {
    let names = columns.iter().map(|(name, _)| visible(name)).collect();
    let cell = |cell: &Option<String>| cell.as_deref().map_or_else(|| "-".to_owned(), visible);
    let lines = rows.iter().map(|row| row.iter().map(cell).collect());
    let lines: Vec<Vec<String>> = std::iter::once(names).chain(lines).collect();
    let width = |column: usize| {
        let widths = lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count());
        widths.max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    lines.iter().fold(String::new(), |mut table, line| {
        let last = line.len().saturating_sub(1);
        for (i, ((cell, (_, side)), &width)) in line.iter().zip(columns).zip(&widths).enumerate() {
            // Writing to a string does not fail.
            let _ = match side {
                Side::Right => write!(table, "{cell:>width$}"),
                Side::Left if i == last => write!(table, "{cell}"),
                Side::Left => write!(table, "{cell:<width$}"),
            };
            table.push_str(if i == last { "" } else { "  " });
        }
        table.push('\n');
        table
    })
}

/// A text without what could steer a terminal, or turn around what stands beside it.
pub(crate) fn visible(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut clean, c| {
        if c.is_control() || turns(c) {
            clean.extend(c.escape_default());
        } else {
            clean.push(c);
        }
        clean
    })
}

/// Whether a character changes the direction of a text, or where its lines end.
pub(crate) fn turns(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_escaped() {
        assert_eq!(visible("a/ä 日\u{1b}[2J\n\u{9b}"), "a/ä 日\\u{1b}[2J\\n\\u{9b}");
        assert_eq!(visible("a\u{202e}b\u{2066}c\u{2028}"), "a\\u{202e}b\\u{2066}c\\u{2028}");
    }

    #[test]
    fn columns_are_as_wide_as_they_must_be() {
        let row = |cells: [Option<&str>; 3]| cells.map(|cell| cell.map(str::to_owned)).to_vec();
        let rows = [row([Some("7"), Some("ä\n"), Some("long and wide")]), row([Some("1234"), None, Some("")])];
        let columns = [("ID", Side::Right), ("NAME", Side::Left), ("REST", Side::Left)];
        assert_eq!(table(&columns, &rows), "  ID  NAME  REST\n   7  ä\\n   long and wide\n1234  -     \n");
        assert_eq!(table(&columns, &[]), "ID  NAME  REST\n");
        assert_eq!(table(&[], &[]), "\n");
    }
}
