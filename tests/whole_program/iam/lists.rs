//! The commands that list something, on a platform that says what a test tells it.

use std::process::Command;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use skill_sdk::iam::SecurityCategoryWrite;
use whole_program_tests::{Ended, Run, skill_runtime};

use crate::local::Local;
use crate::server::{Request, command, serve, shell, token};

/// A platform that gives these answers one after the other, and what it was asked: method and target without the project.
pub(super) fn scripted(answers: &[(&'static str, Value)]) -> (String, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (noted, answers) = (Arc::clone(&asked), answers.to_vec());
    let url = serve(move |mut request: Request| {
        assert!(request.head.contains("\r\nauthorization: Bearer eyJ"), "{}", request.head);
        assert!(request.head.contains("\r\nx-cdp-app: skill-runtime\r\n"), "{}", request.head);
        request.discard();
        let mut noted = noted.lock().unwrap();
        noted.push(request.line.replace("/api/v1/projects/p/", ""));
        let (status, body) = &answers[(noted.len() - 1).min(answers.len() - 1)];
        let body = body.to_string();
        let head = format!("{status}\r\ncontent-type: application/json\r\ncontent-length: {}", body.len());
        request.answer(&head, body.as_bytes());
    });
    (url, asked)
}

pub(super) fn iam(url: &str, args: &[&str]) -> Run {
    command("iam", url, &token()).args(args)
}

/// A command for the administrator of a platform, in the project `p`.
fn on(local: &Local, args: &[&str]) -> Run {
    local.as_principal(skill_runtime().arg("iam").args(args), local.administrator(), "p")
}

/// What a command prints that did well, without a word.
fn printed(ended: &Ended) -> &str {
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    &ended.stdout
}

fn items(items: &Value) -> (&'static str, Value) {
    ("200 OK", json!({"items": items}))
}

fn groups() -> Value {
    json!([
        {
            "id": 7, "name": "=cmd()\u{1b}[2J", "sourceId": "", "isDeleted": false, "deletedTime": -1,
            "capabilities": [{"labelsAcl": {"actions": ["READ"], "scope": {"all": {}}}}], "new": {"x": 1}
        },
        {"id": 12, "name": "writers", "metadata": {"team": "orders"}, "isDeleted": true, "deletedTime": 0}
    ])
}

#[test]
fn groups_are_a_table_json_or_csv() {
    let (url, asked) = scripted(&[items(&groups())]);
    let capabilities = r#"[{"labelsAcl":{"actions":["READ"],"scope":{"all":{}}}}]"#;
    assert_eq!(
        printed(&iam(&url, &["groups"]).end()),
        format!(
            "id  name             sourceId  isDeleted  deletedTime               metadata           capabilities\n \
              7  =cmd()\\u{{1b}}[2J            false      -                         -                  {capabilities}\n\
             12  writers          -         true       1970-01-01T00:00:00.000Z  {{\"team\":\"orders\"}}  -\n"
        )
    );
    let json = iam(&url, &["groups", "--all", "--format", "json"]).end();
    assert_eq!(serde_json::from_str::<Value>(printed(&json)).unwrap(), groups());
    assert!(json.stdout.starts_with("[\n") && json.stdout.ends_with("]\n"), "{}", json.stdout);
    let csv = iam(&url, &["groups", "--expand-metadata"]).env("SKILL_IAM_FORMAT", "csv").env("SKILL_ALL_GROUPS", "1");
    assert_eq!(
        printed(&{ csv }.end()),
        "id,name,sourceId,isDeleted,deletedTime,metadata.team,members,attributes,capabilities\n\
         7,'=cmd()\u{1b}[2J,,false,,,,,\"[{\"\"labelsAcl\"\":{\"\"actions\"\":[\"\"READ\"\"],\"\"scope\"\":{\"\"all\"\":{}}}}]\"\n\
         12,writers,,true,1970-01-01T00:00:00.000Z,orders,,,\n"
    );
    assert_eq!(*asked.lock().unwrap(), ["GET groups?all=false", "GET groups?all=true", "GET groups?all=true"]);
}

#[tokio::test]
async fn what_is_listed_can_be_compared() {
    let local = Local::start();
    let capability = json!({"labelsAcl": {"actions": ["READ"], "scope": {"all": {}}}});
    local.group("p", "readers", &[capability]).await;
    local.group("p", "nobody", &[]).await;
    let folder = tempfile::tempdir().unwrap();
    let listed = on(&local, &["groups", "--all", "--format", "json"]).end();
    std::fs::write(folder.path().join("groups.json"), printed(&listed)).unwrap();
    let compare = ["iam", "compare", "--existing", "groups.json", "--desired", "groups.json"];
    let ended = skill_runtime().args(compare).current_dir(folder.path()).end();
    assert_eq!(printed(&ended), "[]\n");
}

#[test]
fn pages_are_asked_for_until_there_is_enough() {
    let session = |id: i64| json!({"id": id, "type": "TOKEN_EXCHANGE", "status": "ACTIVE", "creationTime": 0, "expirationTime": 1000});
    let page = |ids: [i64; 2], cursor: &str| ("200 OK", json!({"items": ids.map(session), "nextCursor": cursor}));
    let pages = [page([1, 2], "c1"), page([3, 4], "c2"), items(&json!([session(5)]))];
    let ids = |ended: &Ended| -> Vec<i64> {
        let list: Vec<Value> = serde_json::from_str(printed(ended)).unwrap();
        list.iter().map(|session| session["id"].as_i64().unwrap()).collect()
    };
    let json = ["sessions", "--format", "json"];

    let (url, asked) = scripted(&pages);
    assert_eq!(ids(&iam(&url, &json).args(["--limit", "3", "--status", "active"]).end()), [1, 2, 3]);
    assert_eq!(
        *asked.lock().unwrap(),
        ["GET sessions?status=ACTIVE&limit=3", "GET sessions?status=ACTIVE&limit=1&cursor=c1"]
    );
    let (url, asked) = scripted(&pages);
    assert_eq!(ids(&iam(&url, &json).env("SKILL_IAM_LIMIT", "all").end()), [1, 2, 3, 4, 5]);
    assert_eq!(asked.lock().unwrap().len(), 3);
    let (url, asked) = scripted(&pages[2..]);
    assert_eq!(
        printed(&iam(&url, &["sessions"]).end()),
        "id  type            status  creationTime              expirationTime\n \
          5  TOKEN_EXCHANGE  ACTIVE  1970-01-01T00:00:00.000Z  1970-01-01T00:00:01.000Z\n"
    );
    assert_eq!(*asked.lock().unwrap(), ["GET sessions?limit=25"]);
}

#[tokio::test]
async fn security_categories_sessions_and_profiles_are_listed() {
    let local = Local::start();
    let iam = local.client(local.administrator(), "p").iam();
    let names = ["secret", "internal"].map(SecurityCategoryWrite::new);
    let ids = iam.security_categories().create(names).await.unwrap();
    assert_eq!(printed(&on(&local, &["security-categories"]).end()), "id  name\n 1  secret\n 2  internal\n");
    let first = on(&local, &["security-categories", "--limit", "1", "--format", "csv"]).end();
    assert_eq!(printed(&first), format!("id,name\n{},secret\n", ids[0].id));

    let (first, second) = (iam.sessions().create(None).await.unwrap(), iam.sessions().create(None).await.unwrap());
    iam.sessions().revoke(first.id).await.unwrap();
    let ready = on(&local, &["sessions", "--status", "ready", "--limit", "all", "--format", "json"]).end();
    let ready: Value = serde_json::from_str(printed(&ready)).unwrap();
    assert_eq!((ready.as_array().unwrap().len(), &ready[0]["id"]), (1, &json!(second.id)));
    let table = on(&local, &["sessions"]).end();
    assert!(printed(&table).contains("TOKEN_EXCHANGE  REVOKED") && !table.stdout.contains("nonce"), "{}", table.stdout);

    local.principal("Ann Lee", &[]);
    let profiles = on(&local, &["profiles", "--format", "csv"]).end();
    let mut lines = printed(&profiles).lines();
    assert_eq!(lines.next(), Some("userIdentifier,givenName,surname,email,displayName,jobTitle,lastUpdatedTime"));
    assert!(lines.any(|line| line.starts_with("Ann Lee,Ann,Lee,,Ann Lee,,20")), "{}", profiles.stdout);
    assert_eq!(printed(&on(&local, &["profiles", "--limit", "1"]).end()).lines().count(), 2);
}

#[test]
fn profiles_have_more_than_the_embedded_platform_knows() {
    let profile = json!({"userIdentifier": "u", "lastUpdatedTime": 0, "givenName": "Ann", "email": "+ann@example.com"});
    let (url, asked) = scripted(&[items(&json!([profile]))]);
    assert_eq!(
        printed(&iam(&url, &["profiles", "--limit", "7"]).end()),
        "userIdentifier  givenName  email             lastUpdatedTime\n\
         u               Ann        +ann@example.com  1970-01-01T00:00:00.000Z\n"
    );
    assert_eq!(
        printed(&iam(&url, &["profiles", "--format", "csv"]).end()),
        "userIdentifier,givenName,surname,email,displayName,jobTitle,lastUpdatedTime\n\
         u,Ann,,'+ann@example.com,,,1970-01-01T00:00:00.000Z\n"
    );
    assert_eq!(*asked.lock().unwrap(), ["GET profiles?limit=7", "GET profiles?limit=25"]);
}

#[tokio::test]
async fn of_nothing_the_columns_are_printed() {
    let local = Local::start();
    // Everybody has a profile, where there are any.
    local.client(local.administrator(), "p").iam().user_profiles().disable().await.unwrap();
    for (command, names) in [
        ("groups", "id name sourceId isDeleted deletedTime metadata members attributes capabilities"),
        ("sessions", "id type status creationTime expirationTime clientId"),
        ("security-categories", "id name"),
        ("profiles", "userIdentifier givenName surname email displayName jobTitle lastUpdatedTime"),
    ] {
        let run = |format| on(&local, &[command, "--format", format]).end();
        assert_eq!(printed(&run("table")), format!("{}\n", names.replace(' ', "  ")));
        assert_eq!(printed(&run("csv")), format!("{}\n", names.replace(' ', ",")));
        assert_eq!(printed(&run("json")), "[]\n");
    }
}

#[test]
fn who_lacks_a_right_is_told_which() {
    let local = Local::start();
    let ann = local.principal("ann", &[]);
    let run = |args: &[&str]| local.as_principal(skill_runtime().arg("iam").args(args), &ann, "p").end();
    for (args, missing) in [
        (&["groups", "--all"][..], r#"{"groupsAcl":{"actions":["LIST"],"scope":{"all":{}}}}"#),
        (&["sessions"], r#"{"sessionsAcl":{"actions":["LIST"],"scope":{"all":{}}}}"#),
        (&["profiles"], r#"{"userProfilesAcl":{"actions":["READ"],"scope":{"all":{}}}}"#),
    ] {
        let problem = run(args).problem_with_exit("skill_failed", 1);
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(&format!("ann lacks {missing} in the project p")), "{detail}");
    }
    assert_eq!(printed(&run(&["groups", "--format", "json"])), "[]\n");
}

#[test]
fn a_refusal_has_the_exit_code_of_the_table_and_shows_no_token() {
    let jwt = token();
    let echo = json!({"error": {"code": 401, "message": format!("not with {jwt}")}});
    let (url, _) = scripted(&[("401 Unauthorized", echo)]);
    for command in ["groups", "sessions", "security-categories", "profiles", "inspect"] {
        let ended = crate::server::command("iam", &url, &jwt).arg(command).env("RUST_LOG", "trace").end();
        ended.problem("token_invalid");
        assert!(!ended.stderr.contains(&jwt) && !ended.stderr.contains("eyJ"), "{}", ended.stderr);
    }
}

#[test]
fn a_platform_that_is_not_there_is_asked_four_times() {
    let (url, asked) = scripted(&[("503 Service Unavailable\r\nretry-after: 0", json!({}))]);
    iam(&url, &["groups"]).end().problem("platform_unavailable");
    assert_eq!(asked.lock().unwrap().len(), 4);
}

#[test]
fn command_lines_that_make_no_sense_are_refused() {
    let jwt = token();
    for args in [
        &["groups", "--limit", "5"][..],
        &["groups", "--format", "xml"],
        &["sessions", "--limit", "0"],
        &["sessions", "--limit", "-1"],
        &["sessions", "--status", ""],
        &["profiles", "--limit", "some"],
        &["profiles", "--expand-metadata"],
        &["inspect", &jwt],
        &["list"],
    ] {
        let ended = iam("http://127.0.0.1:1", args).end();
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(64), ""), "{args:?}: {}", ended.stderr);
        assert!(!ended.stderr.contains(&jwt), "{}", ended.stderr);
    }
}

#[test]
fn a_reader_that_has_had_enough_ends_a_list_quietly() {
    let many: Vec<Value> = (0..5000).map(|id| json!({"id": id, "name": format!("category {id}")})).collect();
    let (url, _) = scripted(&[items(&json!(many))]);
    let folder = tempfile::tempdir().unwrap();
    for format in ["table", "json", "csv"] {
        let script = format!(
            "{{ \"$PROGRAM\" iam security-categories --limit all --format {format}; echo $? >&2; }} | head -c 1"
        );
        let output = shell(&script, &url, folder.path()).output().unwrap();
        assert_eq!((output.stdout.len(), &*output.stderr), (1, &b"141\n"[..]), "{format}");
    }
}

#[test]
fn a_command_that_is_told_to_stop_says_so() {
    let (asked, is_asked) = std::sync::mpsc::channel();
    let asked = Mutex::new(asked);
    let url = serve(move |mut request| {
        asked.lock().unwrap().send(()).unwrap();
        // Until the program is gone.
        let _ = std::io::Read::read(request.input(), &mut [0]);
    });
    let folder = tempfile::tempdir().unwrap();
    let mut command = shell("exec \"$PROGRAM\" iam groups", &url, folder.path());
    let mut child = command.stderr(std::process::Stdio::null()).spawn().unwrap();
    is_asked.recv().unwrap();
    assert!(Command::new("sh").args(["-c", &format!("kill {}", child.id())]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(143));
}
