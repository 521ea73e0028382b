//! Names that are meant to lead elsewhere, folders that were tampered with, many keys, and many writers.

use std::collections::BTreeMap;
use std::sync::Arc;

use local_platform::{Limits, Options, Platform, StartError};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;

use crate::support::{Local, answer, content, json as body};

/// Paths of all resources that take a name, with `{}` for it.
const NAMED: [&str; 8] = [
    "content/{}",
    "secrets/{}",
    "sessions/{}",
    "connections/{}",
    "models/{}",
    "types/{}",
    "skills/{}",
    "experiments/{}",
];

/// The status of a request whose path goes out as it is written.
async fn raw(local: &Local, method: &str, path: &str) -> u16 {
    let mut stream = local.connect().await;
    let head = local.head(method, path);
    stream.write_all(format!("{head}Connection: close\r\nContent-Length: 2\r\n\r\n{{}}").as_bytes()).await.unwrap();
    let answer = answer(stream).await;
    answer.split(' ').nth(1).unwrap_or_default().parse().unwrap_or_else(|_| panic!("{path}: {answer}"))
}

/// All files below a folder, with what they hold but for the database.
fn files(folder: &std::path::Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else if !path.ends_with("records.redb") {
            all.insert(path.display().to_string(), std::fs::read(&path).unwrap());
        }
    }
    all
}

#[tokio::test]
async fn no_path_leads_out_of_a_project() {
    let local = Local::start().await;
    let outside = local.folder.path().join("outside");
    std::fs::write(&outside, "outside").unwrap();
    let before = files(local.folder.path());
    for name in [
        "../../../outside",
        "..%2F..%2F..%2Foutside",
        "%2e%2e/%2e%2e/%2e%2e/outside",
        "%2e%2e%2f%2e%2e%2f%2e%2e%2foutside",
        "..%5C..%5Coutside",
        ".",
        "..",
        "%2e%2e",
        "/etc/passwd",
        "%2Fetc%2Fpasswd",
    ] {
        for named in NAMED {
            for project in ["local", "..", "%2e%2e", "..%2F.."] {
                let path = format!("/fabric/v4/projects/{project}/{}", named.replace("{}", name));
                for method in ["GET", "DELETE"] {
                    let status = raw(&local, method, &path).await;
                    assert!(matches!(status, 400 | 404 | 405), "{method} {path}: {status}");
                }
            }
        }
    }
    assert_eq!(files(local.folder.path()), before);
    // As names they are names.
    let secret = raw(&local, "POST", "/fabric/v4/projects/..%2F../secrets/a%2Fb").await;
    assert_eq!(secret, 200);
    assert_eq!(body(local.get("/fabric/v4/projects/local/secrets").await).await, json!([]));
    assert_eq!(body(local.get("/fabric/v4/projects/..%2F../secrets").await).await, json!(["a/b"]));
    assert_eq!(files(local.folder.path()), before);
}

#[tokio::test]
async fn names_with_control_characters_and_no_end_are_refused() {
    let local = Local::start().await;
    let long = "n".repeat(1025);
    for name in ["a%00b", "a%0Ab", "a%0D%0Ab", "%7F", "a%C2%85b", "%FF%FE", &long] {
        for named in NAMED {
            for method in ["POST", "GET", "DELETE"] {
                let path = format!("/fabric/v4/projects/local/{}", named.replace("{}", name));
                let status = raw(&local, method, &path).await;
                assert!(matches!(status, 400 | 404 | 405), "{method} {path}: {status}");
            }
        }
        let project = format!("/fabric/v4/projects/{name}/secrets");
        assert_eq!(raw(&local, "GET", &project).await, 400, "{project}");
    }
    for (resource, text) in
        [("models", "name"), ("experiments", "name"), ("connections", "name"), ("sessions", "sessionId")]
    {
        for name in ["a\nb", "\u{0}", &long, ""] {
            let path = format!("/fabric/v4/projects/local/{resource}");
            let sent = json!({text: name, "connectionType": "x", "description": "d"}).to_string();
            let status = local.request(Method::POST, &path).body(sent).send().await.unwrap().status().as_u16();
            assert_eq!(status, 400, "{resource} {name:?}");
        }
    }
}

#[tokio::test]
async fn whatever_is_wrong_with_an_address_is_told_in_the_form_of_the_api() {
    let local = Local::start().await;
    let of_project = |rest: &str| format!("/fabric/v4/projects/local/{rest}");
    for (method, path) in [
        (Method::GET, of_project("activations?startAfter=soon")),
        (Method::GET, of_project("activations/x?report=true&report=true")),
        (Method::GET, of_project("activations/%FF")),
        (Method::GET, of_project("skills/a?output=json&output=yaml")),
        (Method::GET, of_project("content?limit=-1")),
        (Method::POST, of_project("skillinvoke/a/inputs/b?sync=true&sync=true")),
        (Method::POST, "/internal/messages/%FF/c/o".to_owned()),
        (Method::DELETE, "/local-platform/v1/principals/%FF".to_owned()),
    ] {
        let refused = local.request(method, &path).body("{}").send().await.unwrap();
        assert_eq!(refused.status(), 400, "{path}");
        let said: Value = serde_json::from_slice(&refused.bytes().await.unwrap()).unwrap_or_default();
        assert_eq!((&said["success"], said["message"].is_string()), (&json!(false), true), "{path}: {said}");
    }
}

#[tokio::test]
async fn a_limit_may_be_larger_than_is_usual() {
    let limits = Limits { request: 3 << 20, ..Limits::default() };
    let local = Local::start_with(|options| options.with_limits(limits)).await;
    let value = json!("x".repeat((3 << 20) - 2)).to_string();
    for (value, status) in [(format!("{value} "), 413), (value, 200)] {
        let saved = local.request(Method::POST, "/fabric/v4/projects/local/secrets/s").body(value);
        assert_eq!(saved.send().await.unwrap().status(), status);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn links_in_place_of_what_is_ours_are_refused_at_start() {
    for name in ["records.redb", "pat.json", "content", "content/.incoming"] {
        let local = Local::start().await;
        local.put(&content("/k"), "kept").await;
        let data = local.folder.path().join("data");
        let elsewhere = local.folder.path().join("elsewhere");
        local.platform.shutdown().await;
        std::fs::rename(data.join(name), &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, data.join(name)).unwrap();
        let refused = Platform::start(Options::at(&data).announced()).await.unwrap_err();
        assert!(matches!(refused, StartError::Data { .. } | StartError::Access { .. }), "{name}: {refused}");
    }
}

#[tokio::test]
async fn ten_thousand_keys_are_listed_in_pages() {
    let local = Arc::new(Local::start_with(|_| Options::in_memory()).await);
    let mut writers = JoinSet::new();
    for writer in 0..20 {
        let local = Arc::clone(&local);
        writers.spawn(async move {
            for key in (writer..10_000).step_by(20) {
                local.put(&content(&format!("/many/{key:05}")), "v").await;
            }
        });
    }
    writers.join_all().await;
    local.put(&content("/other"), "v").await;
    let keys = local.keys("?filter=many/").await;
    assert_eq!(keys.len(), 10_000);
    assert!(keys.is_sorted());
    let page = local.keys("?filter=many/&skip=9990&limit=100").await;
    assert_eq!(page, keys[9990..]);
    assert_eq!(local.keys("?filter=many/0999&limit=3").await, ["many/09990", "many/09991", "many/09992"]);
    assert_eq!(local.request(Method::DELETE, &content("/many/05000")).send().await.unwrap().status(), 200);
    assert_eq!(local.keys("?filter=many/").await.len(), 9_999);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_of_one_key_leave_one_of_theirs_whole() {
    let local = Arc::new(Local::start().await);
    // Each body is of one letter, and longer than one piece of a stream.
    let of = |letter: u8| vec![letter; 100_000 + 1000 * usize::from(letter)];
    local.put(&content("/k"), of(b'a')).await;
    let mut work = JoinSet::new();
    let reader = Arc::clone(&local);
    for writer in 0..8u8 {
        let local = Arc::clone(&local);
        work.spawn(async move {
            for round in 0..10 {
                let letter = b'a' + (writer + round) % 26;
                local.put(&content("/k"), of(letter)).await;
            }
        });
        let local = Arc::clone(&reader);
        work.spawn(async move {
            for _ in 0..20 {
                let read = local.get(&content("/k")).await;
                assert_eq!(read.status(), 200);
                let bytes = read.bytes().await.unwrap();
                assert_eq!(bytes, of(bytes[0]), "a mixture of {} bytes", bytes.len());
            }
        });
    }
    work.join_all().await;
    assert_eq!(local.keys("").await, ["k"]);
    local.nothing_incoming().await;
    assert_eq!(local.files().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_of_one_session_lose_nothing() {
    let local = Arc::new(Local::start().await);
    let path = "/fabric/v4/projects/local/sessions";
    let started = local.request(Method::POST, path).body(json!({"description": "d"}).to_string()).send().await.unwrap();
    let id = body(started).await["sessionId"].as_str().unwrap().to_owned();
    let path = format!("{path}/{id}");
    let mut writers = JoinSet::new();
    for writer in 0..50 {
        let (local, path) = (Arc::clone(&local), path.clone());
        writers.spawn(async move {
            let sent = json!({"state": {format!("k{writer}"): writer, "shared": writer}}).to_string();
            let response = local.request(Method::POST, &path).body(sent).send().await.unwrap();
            assert_eq!(response.status(), 200);
        });
    }
    writers.join_all().await;
    let state: Value = body(local.get(&path).await).await["state"].clone();
    assert_eq!(state.as_object().unwrap().len(), 51, "{state}");
    assert!((0..50).all(|writer| state[format!("k{writer}")] == writer));
}
