//! What a type says of its columns.

use std::collections::BTreeMap;
use std::fmt;

/// Something of which a list makes [`Rows`](super::Rows).
///
/// ```
/// use skill_sdk::rows::{Column, Row, RowOptions, Rows};
///
/// struct Order {
///     number: i64,
///     note: Option<String>,
/// }
///
/// impl Row for Order {
///     const COLUMNS: &'static [Column<Self>] = &[
///         Column::integer("orderNumber", |order| Some(order.number)),
///         Column::text("note", |order| order.note.as_deref()),
///     ];
/// }
///
/// let orders = [Order { number: 7, note: None }];
/// let csv = Rows::of(&orders, &RowOptions::new())?.to_csv()?;
/// assert_eq!(csv, "orderNumber,note\n7,\n");
/// # Ok::<_, skill_sdk::Error>(())
/// ```
pub trait Row: Sized + 'static {
    /// The columns, in their order. No two have one name.
    const COLUMNS: &'static [Column<Self>];
}

/// A column of things of one type: its name in camel case, as platforms write it, and what is in it.
pub struct Column<T> {
    pub(super) name: &'static str,
    pub(super) source: Source<T>,
}

/// How the cell of a thing is found.
pub(super) enum Source<T> {
    Text(fn(&T) -> Option<&str>),
    Json(fn(&T) -> Option<String>),
    Integer(fn(&T) -> Option<i64>),
    Boolean(fn(&T) -> Option<bool>),
    Time(fn(&T) -> Option<i64>),
    Metadata(fn(&T) -> &BTreeMap<String, String>),
}

impl<T> Column<T> {
    /// Texts.
    pub const fn text(name: &'static str, of: fn(&T) -> Option<&str>) -> Self {
        Self { name, source: Source::Text(of) }
    }

    /// What is no single value, as JSON text.
    pub const fn json(name: &'static str, of: fn(&T) -> Option<String>) -> Self {
        Self { name, source: Source::Json(of) }
    }

    /// Integers.
    pub const fn integer(name: &'static str, of: fn(&T) -> Option<i64>) -> Self {
        Self { name, source: Source::Integer(of) }
    }

    /// Yes or no.
    pub const fn boolean(name: &'static str, of: fn(&T) -> Option<bool>) -> Self {
        Self { name, source: Source::Boolean(of) }
    }

    /// Times, in milliseconds since 1970 UTC.
    pub const fn time(name: &'static str, of: fn(&T) -> Option<i64>) -> Self {
        Self { name, source: Source::Time(of) }
    }

    /// Texts under keys of their own: JSON text, or a column for each key where they are
    /// [expanded](super::RowOptions::expand_metadata).
    pub const fn metadata(name: &'static str, of: fn(&T) -> &BTreeMap<String, String>) -> Self {
        Self { name, source: Source::Metadata(of) }
    }
}

impl<T> fmt::Debug for Column<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Column").field("name", &self.name).finish_non_exhaustive()
    }
}

// Derived, these would ask the same of the type.
impl<T> Clone for Source<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Source<T> {}
