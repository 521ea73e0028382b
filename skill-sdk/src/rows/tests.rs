use super::Kind::{Boolean, Integer, Text, Time};
use super::*;

pub(super) struct Thing {
    id: Option<i64>,
    name: Option<&'static str>,
    deleted: Option<bool>,
    time: Option<i64>,
    parts: Vec<i64>,
    metadata: BTreeMap<String, String>,
}

impl Row for Thing {
    const COLUMNS: &'static [Column<Self>] = &[
        Column::integer("id", |thing| thing.id),
        Column::text("sourceName", |thing| thing.name),
        Column::boolean("isDeleted", |thing| thing.deleted),
        Column::time("deletedTime", |thing| thing.time),
        Column::json("parts", |thing| (!thing.parts.is_empty()).then(|| format!("{:?}", thing.parts))),
        Column::metadata("metadata", |thing| &thing.metadata),
        Column::integer("rank", |_| None),
    ];
}

fn metadata(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// One that has everything, one that has the least of everything, and one that has nothing.
pub(super) fn things() -> [Thing; 3] {
    let nothing =
        || Thing { id: None, name: None, deleted: None, time: None, parts: Vec::new(), metadata: metadata(&[]) };
    [
        Thing {
            id: Some(1),
            name: Some("=1+1"),
            deleted: Some(true),
            time: Some(1_718_000_000_123),
            parts: vec![1, 2],
            metadata: metadata(&[("a", "x, \"y\"\nz"), ("b c", "日本")]),
        },
        Thing { id: Some(-2), name: Some(""), deleted: Some(false), time: Some(-1), ..nothing() },
        nothing(),
    ]
}

fn names(rows: &Rows<'_>) -> Vec<String> {
    rows.headings().iter().map(|heading| heading.name.clone()).collect()
}

fn shown(row: &[Cell<'_>]) -> Vec<String> {
    row.iter().map(ToString::to_string).collect()
}

#[test]
fn cells_have_the_kind_of_their_column_or_are_absent() {
    let things = things();
    let rows = Rows::of(&things, &RowOptions::new()).unwrap();
    let kinds: Vec<Kind> = rows.headings().iter().map(|heading| heading.kind).collect();
    assert_eq!(kinds, [Integer, Text, Boolean, Time, Text, Text, Integer]);
    assert_eq!(names(&rows), ["id", "sourceName", "isDeleted", "deletedTime", "parts", "metadata", "rank"]);
    let cells: Vec<&[Cell<'_>]> = rows.iter().collect();
    assert_eq!(
        cells[0],
        [
            Cell::Integer(1),
            Cell::Text("=1+1".into()),
            Cell::Boolean(true),
            Cell::Time(1_718_000_000_123),
            Cell::Text("[1, 2]".into()),
            Cell::Text(r#"{"a":"x, \"y\"\nz","b c":"日本"}"#.into()),
            Cell::Absent,
        ]
    );
    let absent = [const { Cell::Absent }; 4];
    assert_eq!(cells[1][..3], [Cell::Integer(-2), Cell::Text("".into()), Cell::Boolean(false)]);
    assert_eq!(cells[1][3..], absent);
    assert!(cells[2].iter().all(|cell| *cell == Cell::Absent));
    assert_eq!((rows.len(), rows.is_empty()), (3, false));
}

#[test]
fn times_are_shown_in_utc() {
    for (time, text) in [
        (0, "1970-01-01T00:00:00.000Z"),
        (-62_135_596_800_000, "0001-01-01T00:00:00.000Z"),
        (1_718_000_000_123, "2024-06-10T06:13:20.123Z"),
        (i64::MAX, "9223372036854775807"),
    ] {
        assert_eq!(Cell::Time(time).to_string(), text);
    }
    let things = things();
    let rows = Rows::of(&things, &RowOptions::new().convert_timestamps(false)).unwrap();
    assert_eq!(rows.headings()[3].kind, Kind::Integer);
    let times: Vec<_> = rows.iter().map(|row| row[3].clone()).collect();
    assert_eq!(times, [Cell::Integer(1_718_000_000_123), Cell::Integer(-1), Cell::Absent]);
}

#[test]
fn names_may_be_in_snake_case_and_columns_left_out() {
    let things = things();
    let snake = RowOptions::new().snake_case();
    let rows = Rows::of(&things, &snake.clone().expand_metadata().metadata_prefix("camelCase/")).unwrap();
    let expected = ["id", "source_name", "is_deleted", "deleted_time", "parts", "camelCase/a", "camelCase/b c", "rank"];
    assert_eq!(names(&rows), expected);
    for options in [snake, RowOptions::new()] {
        let options = options.ignore(["deletedTime", "is_deleted", "none"]).ignore(["parts"]);
        assert_eq!(names(&Rows::of(&things, &options).unwrap()).len(), 4);
    }
    // What is left out is not expanded.
    let rows = Rows::of(&things, &RowOptions::new().expand_metadata().ignore(["metadata"])).unwrap();
    assert_eq!(rows.headings().len(), 6);
}

#[test]
fn metadata_have_columns_of_their_own_where_they_are_expanded() {
    let things = things();
    let expand = RowOptions::new().expand_metadata();
    let rows = Rows::of(&things, &expand).unwrap();
    assert_eq!(names(&rows)[5..], ["metadata.a", "metadata.b c", "rank"]);
    let cells: Vec<_> = rows.iter().map(|row| shown(&row[5..7])).collect();
    assert_eq!(cells, [["x, \"y\"\nz", "日本"], ["", ""], ["", ""]]);
    assert!(rows.iter().skip(1).all(|row| row[5] == Cell::Absent && row[6] == Cell::Absent));
    // Without any there is no column.
    assert_eq!(names(&Rows::of(&things[1..], &expand).unwrap()).len(), 6);
}

#[test]
fn two_columns_of_one_name_are_refused() {
    let mut things = things();
    things[1].metadata = metadata(&[("rank", "7")]);
    let options = RowOptions::new().expand_metadata().metadata_prefix("");
    let error = Rows::of(&things, &options).unwrap_err();
    assert_eq!(error.code(), Code::SkillFailed);
    assert_eq!(error.detail(), "cannot expand metadata: there would be two columns \"rank\"; choose another prefix");
    // Not with what is left out, and not with a name that is not used.
    Rows::of(&things, &options.clone().ignore(["rank"])).unwrap();
    things[1].metadata = metadata(&[("sourceName", "7")]);
    Rows::of(&things, &options.clone().snake_case()).unwrap();
    Rows::of(&things, &options).unwrap_err();
}

#[test]
fn csv_is_quoted_where_it_must_be() {
    let things = things();
    let csv = |options: &RowOptions| Rows::of(&things, options).unwrap().to_csv().unwrap();
    let expand = RowOptions::new().expand_metadata();
    assert_eq!(
        csv(&expand),
        "id,sourceName,isDeleted,deletedTime,parts,metadata.a,metadata.b c,rank\n\
         1,'=1+1,true,2024-06-10T06:13:20.123Z,\"[1, 2]\",\"x, \"\"y\"\"\nz\",日本,\n\
         -2,,false,,,,,\n\
         ,,,,,,,\n"
    );
    let times = expand.convert_timestamps(false).ignore(["parts", "metadata", "isDeleted", "rank"]);
    assert_eq!(csv(&times), "id,sourceName,deletedTime\n1,'=1+1,1718000000123\n-2,,-1\n,,\n");
    assert_eq!(
        Rows::of::<Thing>(&[], &RowOptions::new()).unwrap().to_csv().unwrap(),
        "id,sourceName,isDeleted,deletedTime,parts,metadata,rank\n"
    );
}

#[test]
fn a_key_of_metadata_is_no_formula_in_csv() {
    let mut things = things();
    things[0].metadata = metadata(&[("=cmd()", "@x")]);
    let only = ["id", "sourceName", "isDeleted", "deletedTime", "parts", "rank"];
    let options = RowOptions::new().expand_metadata().metadata_prefix("").ignore(only);
    let rows = Rows::of(&things[..1], &options).unwrap();
    assert_eq!(rows.to_csv().unwrap(), "'=cmd()\n'@x\n");
    assert_eq!(names(&rows), ["=cmd()"]);
}
