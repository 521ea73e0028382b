//! Rows as CSV.

use std::borrow::Cow;

use super::{Cell, Rows};
use crate::error::{Code, Error};

impl Rows<'_> {
    /// CSV (RFC 4180) with a line for the names of the columns and one for each row. Lines end with a line feed.
    ///
    /// Where nothing is and where an empty text is, the field is empty. Times are as [`Cell`]s show them.
    ///
    /// A spreadsheet takes a field that begins with `=`, `+`, `-` or `@` for a formula, and names are chosen by others. So texts have
    /// a `'` before such a character, at their beginning and after what begins a field in some countries' spreadsheets (`;`,
    /// tab, line break), and before a `'` there, so that whoever takes one `'` away has the text. Rows and Arrow have texts as
    /// they are.
    ///
    /// # Errors
    ///
    /// [`Code::Internal`] when the rows cannot be written.
    pub fn to_csv(&self) -> Result<String, Error> {
        let unwritten = |error: Box<dyn std::error::Error + Send + Sync>| {
            Error::new(Code::Internal, "the rows cannot be written as CSV").with_source(error)
        };
        let mut writer = csv::Writer::from_writer(Vec::new());
        let names = self.headings().iter().map(|heading| without_formulas(&heading.name));
        writer
            .write_record(names.map(Cow::into_owned).map(String::into_bytes))
            .map_err(|error| unwritten(error.into()))?;
        for row in self.iter() {
            for cell in row {
                let written = match cell {
                    Cell::Text(text) => writer.write_field(without_formulas(text).as_bytes()),
                    // No number and no time is a formula, negative ones neither.
                    cell => writer.write_field(cell.to_string()),
                };
                written.map_err(|error| unwritten(error.into()))?;
            }
            writer.write_record(None::<&[u8]>).map_err(|error| unwritten(error.into()))?;
        }
        let bytes = writer.into_inner().map_err(|error| unwritten(error.into_error().into()))?;
        String::from_utf8(bytes).map_err(|error| unwritten(error.into()))
    }
}

/// The text with a mark wherever a spreadsheet could see a formula begin.
fn without_formulas(text: &str) -> Cow<'_, str> {
    let mut marked = String::new();
    let mut copied = 0;
    let mut begins = true;
    for (at, c) in text.char_indices() {
        match c {
            // Of some of these spreadsheets take the wide forms too.
            '=' | '+' | '-' | '@' | '\'' | '＝' | '＋' | '－' | '＠' if begins => {
                marked.push_str(&text[copied..at]);
                marked.push('\'');
                copied = at;
                begins = false;
            }
            ';' | '\t' | '\r' | '\n' => begins = true,
            // What stands before it does not always count.
            c if c.is_whitespace() || c.is_control() => {}
            _ => begins = false,
        }
    }
    if copied == 0 && marked.is_empty() {
        return Cow::Borrowed(text);
    }
    marked.push_str(&text[copied..]);
    Cow::Owned(marked)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn formulas_are_marked() {
        for (text, marked) in [
            ("", ""),
            ("a=1", "a=1"),
            ("2024-05-01", "2024-05-01"),
            ("a - b @ c", "a - b @ c"),
            ("=cmd()", "'=cmd()"),
            ("@x", "'@x"),
            ("-1+2", "'-1+2"),
            (" \u{b}\u{0}+1", " \u{b}\u{0}'+1"),
            ("\t=1", "\t'=1"),
            ("＝1", "'＝1"),
            ("a;=1; -2;b", "a;'=1; '-2;b"),
            ("a\r\n=1", "a\r\n'=1"),
            ("'quoted'", "''quoted'"),
            ("=", "'="),
        ] {
            assert_eq!(without_formulas(text), marked);
        }
        assert!(matches!(without_formulas("a=1"), Cow::Borrowed(_)));
    }

    /// Takes the marks away, as the docs say.
    fn unmarked(text: &str) -> String {
        let mut begins = true;
        let mut clean = String::new();
        for c in text.chars() {
            match c {
                '\'' if begins => {
                    begins = false;
                    continue;
                }
                ';' | '\t' | '\r' | '\n' => begins = true,
                c if c.is_whitespace() || c.is_control() => {}
                _ => begins = false,
            }
            clean.push(c);
        }
        clean
    }

    proptest! {
        #[test]
        fn no_formula_is_left_and_nothing_is_lost(text in "[-=+@';\t\r\n a＝]{0,8}") {
            let marked = without_formulas(&text);
            prop_assert_eq!(unmarked(&marked), &*text);
            for piece in marked.split([';', '\t', '\r', '\n']) {
                prop_assert!(!piece.trim_start().starts_with(['=', '+', '-', '@', '＝']), "{}", marked);
            }
        }
    }
}
