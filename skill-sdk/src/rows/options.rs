//! What becomes of columns.

use crate::iam::snake_case::snake_case;

/// Which columns rows have, and what is in them.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct RowOptions {
    /// Whether each key of metadata has a column of its own, in the order of the keys. They are JSON text in one column unless
    /// set.
    pub expand_metadata: bool,
    /// How the names of these columns begin: `metadata.` unless set.
    pub metadata_prefix: String,
    /// Whether the names of columns are in snake case, as `source_id`. They are as platforms write them unless set, as
    /// `sourceId`. Keys of metadata stay as they are.
    pub snake_case: bool,
    /// Whether times are [times](super::Cell::Time). Where they are not, they are [integers](super::Cell::Integer), milliseconds
    /// since 1970 UTC; the −1 of what has not happened is then kept, and otherwise no cell. They are unless set.
    pub convert_timestamps: bool,
    /// Columns that are left out, by their names in either case. Metadata that are left out are not expanded. What is no
    /// column has no effect.
    pub ignore: Vec<String>,
}

impl RowOptions {
    /// The usual ones.
    pub fn new() -> Self {
        Self {
            expand_metadata: false,
            metadata_prefix: "metadata.".to_owned(),
            snake_case: false,
            convert_timestamps: true,
            ignore: Vec::new(),
        }
    }

    /// Gives each key of metadata a column of its own.
    pub fn expand_metadata(mut self) -> Self {
        self.expand_metadata = true;
        self
    }

    /// Says how the names of these columns begin.
    pub fn metadata_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.metadata_prefix = prefix.into();
        self
    }

    /// Has the names of columns in snake case.
    pub fn snake_case(mut self) -> Self {
        self.snake_case = true;
        self
    }

    /// Says whether times are times.
    pub fn convert_timestamps(mut self, convert: bool) -> Self {
        self.convert_timestamps = convert;
        self
    }

    /// Leaves columns out.
    pub fn ignore<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.ignore.extend(names.into_iter().map(Into::into));
        self
    }

    /// What a column is called.
    pub(super) fn name(&self, name: &str) -> String {
        if self.snake_case { snake_case(name) } else { name.to_owned() }
    }

    pub(super) fn ignores(&self, name: &str) -> bool {
        self.ignore.iter().any(|ignored| ignored == name || *ignored == snake_case(name))
    }
}

impl Default for RowOptions {
    fn default() -> Self {
        Self::new()
    }
}
