//! Rows as an Arrow record batch.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Int64Array, RecordBatch, RecordBatchOptions, StringArray, TimestampMillisecondArray,
};
use arrow_schema::{DataType, Field, Schema, TimeUnit};

use super::{Cell, Kind, Rows};
use crate::error::{Code, Error};

/// The time zone of times.
const UTC: &str = "UTC";

impl Rows<'_> {
    /// An Arrow record batch, with a field for each column. Any may be null. Feature `arrow`.
    ///
    /// | [`Kind`] | type |
    /// |---|---|
    /// | text | `Utf8` |
    /// | integer | `Int64` |
    /// | boolean | `Boolean` |
    /// | time | `Timestamp(Millisecond, "UTC")` |
    ///
    /// # Errors
    ///
    /// [`Code::SkillFailed`] when the texts of a column have more than 2 GiB in all.
    pub fn record_batch(&self) -> Result<RecordBatch, Error> {
        let fields: Vec<Field> =
            self.headings().iter().map(|heading| Field::new(&heading.name, data_type(heading.kind), true)).collect();
        let kinds = self.headings().iter().map(|heading| heading.kind).enumerate();
        let arrays: Vec<ArrayRef> = kinds.map(|(i, kind)| self.array(i, kind)).collect::<Result<_, Error>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(self.len()));
        RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
            .map_err(|error| Error::new(Code::Internal, "the rows make no record batch").with_source(error))
    }

    fn array(&self, column: usize, kind: Kind) -> Result<ArrayRef, Error> {
        let cells = || self.iter().map(|row| row.get(column).unwrap_or(&Cell::Absent));
        let number = |cell: &Cell<'_>| match cell {
            Cell::Integer(number) | Cell::Time(number) => Some(*number),
            _ => None,
        };
        Ok(match kind {
            Kind::Text => {
                fn text<'c>(cell: &'c Cell<'_>) -> Option<&'c str> {
                    if let Cell::Text(text) = cell { Some(text) } else { None }
                }
                // Its offsets have 32 bits.
                let length: usize = cells().filter_map(text).map(str::len).sum();
                if i32::try_from(length).is_err() {
                    let name = self.headings().get(column).map_or("", |heading| &heading.name);
                    let detail = format!("column {name:?} has {length} bytes of text, which are too many for Arrow");
                    return Err(Error::new(Code::SkillFailed, detail));
                }
                Arc::new(cells().map(text).collect::<StringArray>())
            }
            Kind::Integer => Arc::new(cells().map(number).collect::<Int64Array>()),
            Kind::Time => Arc::new(cells().map(number).collect::<TimestampMillisecondArray>().with_timezone(UTC)),
            Kind::Boolean => {
                let boolean = |cell: &Cell<'_>| if let Cell::Boolean(boolean) = cell { Some(*boolean) } else { None };
                Arc::new(cells().map(boolean).collect::<BooleanArray>())
            }
        })
    }
}

fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::Text => DataType::Utf8,
        Kind::Integer => DataType::Int64,
        Kind::Boolean => DataType::Boolean,
        Kind::Time => DataType::Timestamp(TimeUnit::Millisecond, Some(UTC.into())),
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::Array;
    use arrow_array::cast::AsArray;
    use arrow_array::types::{Int64Type, TimestampMillisecondType};

    use super::super::tests::{Thing, things};
    use super::*;
    use crate::rows::RowOptions;

    #[test]
    fn columns_have_types_and_cells_may_be_null() {
        let things = things();
        let batch = Rows::of(&things, &RowOptions::new().expand_metadata()).unwrap().record_batch().unwrap();
        let schema = batch.schema();
        let fields: Vec<_> = schema.fields().iter().map(|field| (field.name().as_str(), field.data_type())).collect();
        let utc = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
        assert_eq!(
            fields,
            [
                ("id", &DataType::Int64),
                ("sourceName", &DataType::Utf8),
                ("isDeleted", &DataType::Boolean),
                ("deletedTime", &utc),
                ("parts", &DataType::Utf8),
                ("metadata.a", &DataType::Utf8),
                ("metadata.b c", &DataType::Utf8),
                ("rank", &DataType::Int64),
            ]
        );
        assert_eq!(batch.num_rows(), 3);
        let ids = batch.column(0).as_primitive::<Int64Type>();
        assert_eq!(ids.iter().collect::<Vec<_>>(), [Some(1), Some(-2), None]);
        let names = batch.column(1).as_string::<i32>();
        // Absent and empty are told apart, and formulas are as they are.
        assert_eq!(names.iter().collect::<Vec<_>>(), [Some("=1+1"), Some(""), None]);
        let deleted = batch.column(2).as_boolean();
        assert_eq!(deleted.iter().collect::<Vec<_>>(), [Some(true), Some(false), None]);
        let times = batch.column(3).as_primitive::<TimestampMillisecondType>();
        assert_eq!(times.iter().collect::<Vec<_>>(), [Some(1_718_000_000_123), None, None]);
        assert_eq!((times.timezone(), times.null_count()), (Some("UTC"), 2));
        let metadata = batch.column(6).as_string::<i32>();
        assert_eq!(metadata.iter().collect::<Vec<_>>(), [Some("日本"), None, None]);

        let batch = Rows::of(&things, &RowOptions::new().convert_timestamps(false)).unwrap().record_batch().unwrap();
        let times = batch.column(3).as_primitive::<Int64Type>();
        assert_eq!(times.iter().collect::<Vec<_>>(), [Some(1_718_000_000_123), Some(-1), None]);
    }

    #[test]
    fn a_batch_may_be_without_rows_and_without_columns() {
        let batch = Rows::of::<Thing>(&[], &RowOptions::new()).unwrap().record_batch().unwrap();
        assert_eq!((batch.num_rows(), batch.num_columns()), (0, 7));
        let things = things();
        let none =
            RowOptions::new().ignore(["id", "sourceName", "is_deleted", "deletedTime", "parts", "metadata", "rank"]);
        let batch = Rows::of(&things, &none).unwrap().record_batch().unwrap();
        assert_eq!((batch.num_rows(), batch.num_columns()), (3, 0));
    }
}
