//! Lists as rows: named columns with typed cells, for tables, CSV and Arrow.
//!
//! ```
//! use skill_sdk::iam::{Acl, Action::*, Capability, Scope};
//! use skill_sdk::rows::{RowOptions, Rows};
//!
//! let capabilities = [Capability::new(Acl::Files, [Read], Scope::dataset([41, 42]))];
//! let rows = Rows::of(&capabilities, &RowOptions::new())?;
//! let csv = "acl,actions,scope\n\
//!            filesAcl,\"[\"\"READ\"\"]\",\"{\"\"datasetScope\"\":{\"\"ids\"\":[41,42]}}\"\n";
//! assert_eq!(rows.to_csv()?, csv);
//! # Ok::<_, skill_sdk::Error>(())
//! ```
//!
//! A list has the columns of its [type](Row), whatever its entries hold, also when it is empty. What they hold beside that is not
//! in rows. With the feature `arrow`, `Rows::record_batch` makes an Arrow record batch.
//!
//! - [`column`](mod@column): what a type says of its columns
//! - [`options`]: what becomes of them
//! - `csv`, `record_batch`: other forms

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;

use jiff::Timestamp;

use crate::error::{Code, Error};

pub use column::{Column, Row};
pub use options::RowOptions;

use column::Source;

pub mod column;
mod csv;
pub mod options;
#[cfg(feature = "arrow")]
mod record_batch;

/// What is in the cells of a column, unless they are empty.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Kind {
    /// Text. What is none of the others, such as a list of capabilities, is JSON as text.
    Text,
    /// Integers.
    Integer,
    /// Yes or no.
    Boolean,
    /// Times.
    Time,
}

/// What is in a row and a column.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Cell<'a> {
    /// Nothing.
    Absent,
    /// A text.
    Text(Cow<'a, str>),
    /// An integer.
    Integer(i64),
    /// Yes or no.
    Boolean(bool),
    /// A time, in milliseconds since 1970 UTC.
    Time(i64),
}

/// A column of a table.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Heading {
    /// Its name. No other column of the table has it.
    pub name: String,
    /// What is in it.
    pub kind: Kind,
}

/// A list as rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows<'a> {
    headings: Vec<Heading>,
    /// Each has a cell for each heading.
    cells: Vec<Vec<Cell<'a>>>,
}

impl<'a> Rows<'a> {
    /// The rows of a list, one for each entry.
    ///
    /// # Errors
    ///
    /// [`Code::SkillFailed`] when metadata are [expanded](RowOptions::expand_metadata) and two columns would have one name.
    pub fn of<T: Row>(items: &'a [T], options: &RowOptions) -> Result<Self, Error> {
        let mut rows = Self { headings: Vec::new(), cells: items.iter().map(|_| Vec::new()).collect() };
        for column in T::COLUMNS.iter().filter(|column| !options.ignores(column.name)) {
            match column.source {
                Source::Metadata(of) if options.expand_metadata => rows.expand(items, of, &options.metadata_prefix),
                source => rows.add(options.name(column.name), items, options, source),
            }
        }
        rows.check_names()?;
        Ok(rows)
    }

    fn add<T>(&mut self, name: String, items: &'a [T], options: &RowOptions, source: Source<T>) {
        let kind = match source {
            Source::Text(_) | Source::Json(_) | Source::Metadata(_) => Kind::Text,
            Source::Boolean(_) => Kind::Boolean,
            Source::Time(_) if options.convert_timestamps => Kind::Time,
            Source::Integer(_) | Source::Time(_) => Kind::Integer,
        };
        self.headings.push(Heading { name, kind });
        for (item, row) in items.iter().zip(&mut self.cells) {
            let cell = match source {
                Source::Text(of) => of(item).map(|text| Cell::Text(text.into())),
                Source::Json(of) => of(item).map(|text| Cell::Text(text.into())),
                Source::Integer(of) => of(item).map(Cell::Integer),
                Source::Boolean(of) => of(item).map(Cell::Boolean),
                // With this platforms say that there is no such time.
                Source::Time(of) if kind == Kind::Time => of(item).filter(|time| *time != -1).map(Cell::Time),
                Source::Time(of) => of(item).map(Cell::Integer),
                Source::Metadata(of) => Some(of(item)).filter(|pairs| !pairs.is_empty()).map(|pairs| {
                    // Of texts there is no part that JSON cannot say.
                    Cell::Text(serde_json::to_string(pairs).unwrap_or_default().into())
                }),
            };
            row.push(cell.unwrap_or(Cell::Absent));
        }
    }

    /// Adds a column for each key.
    fn expand<T>(&mut self, items: &'a [T], of: fn(&T) -> &BTreeMap<String, String>, prefix: &str) {
        let keys: BTreeSet<&str> = items.iter().flat_map(|item| of(item).keys()).map(String::as_str).collect();
        for key in keys {
            self.headings.push(Heading { name: format!("{prefix}{key}"), kind: Kind::Text });
            for (item, row) in items.iter().zip(&mut self.cells) {
                row.push(of(item).get(key).map_or(Cell::Absent, |text| Cell::Text(text.into())));
            }
        }
    }

    fn check_names(&self) -> Result<(), Error> {
        let mut names = HashSet::new();
        match self.headings.iter().find(|heading| !names.insert(&heading.name)) {
            None => Ok(()),
            Some(Heading { name, .. }) => {
                let detail =
                    format!("cannot expand metadata: there would be two columns {name:?}; choose another prefix");
                Err(Error::new(Code::SkillFailed, detail))
            }
        }
    }

    /// The columns.
    pub fn headings(&self) -> &[Heading] {
        &self.headings
    }

    /// The cells of each row, one for each column.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[Cell<'a>]> {
        self.cells.iter().map(Vec::as_slice)
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }
}

/// As it stands in a table: nothing where nothing is, and of a time the date and the time of day in UTC to the millisecond (RFC
/// 3339). One beyond the year 9999 is in milliseconds.
impl fmt::Display for Cell<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => Ok(()),
            Self::Text(text) => f.write_str(text),
            Self::Integer(integer) => integer.fmt(f),
            Self::Boolean(boolean) => boolean.fmt(f),
            Self::Time(time) => match Timestamp::from_millisecond(*time) {
                Ok(time) => write!(f, "{time:.3}"),
                Err(_) => time.fmt(f),
            },
        }
    }
}

#[cfg(test)]
mod tests;
