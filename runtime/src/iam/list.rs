//! `iam groups`, `sessions`, `security-categories` and `profiles`: what there is in a project.

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use serde::Serialize;
use skill_sdk::Error;
use skill_sdk::iam::{Iam, SecurityCategoryOptions, SessionOptions};
use skill_sdk::rows::{Cell, Heading, Kind, Row, RowOptions, Rows};

use super::with_iam;
use crate::cli::call::CallOptions;
use crate::cli::iam::{GroupsOptions, IamFormat, PageOptions, SessionsOptions};
use crate::json;
use crate::outcome::Refusal;
use crate::stdout::print;
use crate::table::{Side, table, visible};

pub(super) fn groups(options: &GroupsOptions) -> Result<ExitCode, Refusal> {
    let GroupsOptions { all, expand_metadata, format, call } = options;
    let mut columns = RowOptions::new();
    columns.expand_metadata = *expand_metadata;
    listed(call, *format, &columns, async |iam| match all {
        true => iam.groups().list_all().await,
        false => iam.groups().list().await,
    })
}

pub(super) fn sessions(options: &SessionsOptions) -> Result<ExitCode, Refusal> {
    let SessionsOptions { status, page: PageOptions { limit, format, call } } = options;
    let mut wanted = SessionOptions::new().limit(*limit);
    if let Some(status) = status {
        wanted = wanted.status(status);
    }
    listed(call, *format, &RowOptions::new(), async |iam| iam.sessions().list_with(&wanted).await)
}

pub(super) fn security_categories(options: &PageOptions) -> Result<ExitCode, Refusal> {
    let PageOptions { limit, format, call } = options;
    let wanted = SecurityCategoryOptions::new().limit(*limit);
    listed(call, *format, &RowOptions::new(), async |iam| iam.security_categories().list_with(&wanted).await)
}

pub(super) fn profiles(options: &PageOptions) -> Result<ExitCode, Refusal> {
    let PageOptions { limit, format, call } = options;
    listed(call, *format, &RowOptions::new(), async |iam| iam.user_profiles().list_with(*limit).await)
}

/// Prints what is listed.
fn listed<T: Row + Serialize>(
    call: &CallOptions,
    format: IamFormat,
    columns: &RowOptions,
    list: impl AsyncFnOnce(Iam) -> Result<Vec<T>, Error>,
) -> Result<ExitCode, Refusal> {
    with_iam(call, async |iam, _| print(text(&list(iam).await?, format, columns)?).await)
}

/// A list in one of the forms.
///
/// # Errors
///
/// [`Code::SkillFailed`](skill_sdk::Code::SkillFailed) when two columns would have one name.
pub(super) fn text<T: Row + Serialize>(items: &[T], format: IamFormat, columns: &RowOptions) -> Result<String, Error> {
    match format {
        IamFormat::Json => json::pretty(&items),
        IamFormat::Csv => {
            let csv = Rows::of(items, columns)?.to_csv()?;
            Ok(if io::stdout().is_terminal() { on_terminal(&csv) } else { csv })
        }
        IamFormat::Table => Ok(table_of(&Rows::of(items, columns)?)),
    }
}

/// CSV for a person, which has no way to write what steers a terminal.
fn on_terminal(csv: &str) -> String {
    csv.lines().map(|line| visible(line) + "\n").collect()
}

/// A table of those columns in which something is; of all when there are no rows.
fn table_of(rows: &Rows<'_>) -> String {
    let is_used = |i: usize| rows.is_empty() || rows.iter().any(|row| row.get(i).is_some_and(|c| *c != Cell::Absent));
    let used: Vec<(usize, &Heading)> = rows.headings().iter().enumerate().filter(|(i, _)| is_used(*i)).collect();
    let side = |kind| if kind == Kind::Integer { Side::Right } else { Side::Left };
    let columns: Vec<(&str, Side)> = used.iter().map(|(_, of)| (of.name.as_str(), side(of.kind))).collect();
    let text = |cell: &Cell<'_>| (*cell != Cell::Absent).then(|| cell.to_string());
    let lines = rows.iter().map(|row| used.iter().map(|(i, _)| row.get(*i).and_then(text)).collect());
    table(&columns, &lines.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use skill_sdk::iam::Group;

    fn groups(list: &Value) -> Vec<Group> {
        serde_json::from_value(list.clone()).unwrap()
    }

    #[test]
    fn a_table_has_the_columns_in_which_something_is() {
        let list = json!([
            {"id": 12, "name": "a\u{1b}[2J", "deletedTime": -1, "metadata": {"team": "x"}},
            {"id": 3, "name": "readers", "capabilities": [{"labelsAcl": {"actions": ["READ"], "scope": {"all": {}}}}]}
        ]);
        let table = |list: &Value, columns: &RowOptions| text(&groups(list), IamFormat::Table, columns).unwrap();
        assert_eq!(
            table(&list, &RowOptions::new().expand_metadata()),
            "id  name        metadata.team  capabilities\n\
             12  a\\u{1b}[2J  x              -\n \
              3  readers     -              [{\"labelsAcl\":{\"actions\":[\"READ\"],\"scope\":{\"all\":{}}}}]\n"
        );
        assert_eq!(
            table(&json!([]), &RowOptions::new()),
            "id  name  sourceId  isDeleted  deletedTime  metadata  members  attributes  capabilities\n"
        );
    }

    #[test]
    fn csv_steers_no_terminal() {
        assert_eq!(on_terminal("id,name\n1,\"a\u{1b}[2J\nä\"\n"), "id,name\n1,\"a\\u{1b}[2J\nä\"\n");
        assert_eq!(on_terminal(""), "");
    }

    #[test]
    fn json_is_what_the_platform_says() {
        let list = json!([{"id": 1, "name": "=a", "deletedTime": -1, "more": {"a": 1}}]);
        let json = text(&groups(&list), IamFormat::Json, &RowOptions::new()).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), list);
        let csv = text(&groups(&list), IamFormat::Csv, &RowOptions::new().ignore(["metadata"])).unwrap();
        assert_eq!(csv.lines().nth(1), Some("1,'=a,,,,,,"));
    }
}
