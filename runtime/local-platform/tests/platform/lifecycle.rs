//! Starting, stopping, and what stays in the folder.

use std::time::Duration;

use local_platform::{Options, Platform, StartError};
use reqwest::Method;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use crate::support::{Local, PATIENCE, answer, begin_upload, content, http, options, start_in, token};

fn pat(local: &Local) -> Value {
    serde_json::from_slice(&std::fs::read(local.platform.pat_path()).unwrap()).unwrap()
}

#[tokio::test]
async fn the_config_has_what_clients_need() {
    let local = Local::start().await;
    let pat = pat(&local);
    assert_eq!(pat["jwk"]["kty"], "OKP");
    assert_eq!(pat["jwk"]["crv"], "Ed25519");
    for field in ["x", "d", "kid"] {
        assert_eq!(pat["jwk"][field].as_str().unwrap().len(), 43, "{field}");
    }
    assert_eq!(pat["issuer"], "local-platform");
    assert_eq!(pat["audience"], "cortex");
    assert_eq!(pat["url"], local.platform.url());
    assert_eq!(pat["project"], local.platform.project());
    for field in ["username", "name"] {
        assert!(!pat[field].as_str().unwrap().is_empty(), "{field}");
    }
    assert_eq!(local.platform.pat_path(), local.folder.path().join("data/pat.json"));
    assert!(local.platform.url().starts_with("http://127.0.0.1:"));
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_can_read_the_folder() {
    use std::os::unix::fs::PermissionsExt;
    let local = Local::start().await;
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(local.platform.pat_path()), 0o600);
    assert_eq!(mode(&local.folder.path().join("data")), 0o700);
    let local = local.restart().await;
    assert_eq!(mode(local.platform.pat_path()), 0o600);
}

#[tokio::test]
async fn a_restart_keeps_content_and_key() {
    let local = Local::start().await;
    local.put(&content("/a/ü"), "kept").await;
    let mut before = pat(&local);
    std::fs::write(local.folder.path().join("data/content/.incoming/left"), "by a crash").unwrap();
    std::fs::write(local.folder.path().join("data/.new-left"), "by a crash").unwrap();

    let local = local.restart().await;
    let after = pat(&local);
    assert_eq!(after["url"], local.platform.url());
    before["url"] = after["url"].clone();
    assert_eq!(before, after);
    // The token of the first run still counts.
    assert_eq!(local.get(&content("/a/%C3%BC")).await.text().await.unwrap(), "kept");
    assert_eq!(local.keys("").await, ["a/ü"]);
    assert!(local.incoming().is_empty());
    assert!(!local.folder.path().join("data/.new-left").exists());
}

#[tokio::test]
async fn a_platform_that_is_not_announced_leaves_the_config_alone() {
    let folder = tempfile::tempdir().unwrap();
    let quiet = Options::at(folder.path().join("data"));
    let first = Platform::start(quiet.clone()).await.unwrap();
    let path = first.pat_path().to_owned();
    let created: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!(created["url"], first.url());
    first.shutdown().await;

    // Not the text the platform itself would write.
    let text = created.to_string();
    std::fs::write(&path, &text).unwrap();
    let second = Platform::start(quiet).await.unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    let token = token(&second);
    let request = http().get(format!("{}{}", second.url(), content(""))).bearer_auth(token);
    assert_eq!(request.send().await.unwrap().status(), 200);
    second.shutdown().await;
}

#[tokio::test]
async fn a_folder_has_one_platform() {
    let local = Local::start().await;
    let error = Platform::start(options(local.folder.path())).await.unwrap_err();
    assert!(matches!(&error, StartError::InUse { path } if *path == local.folder.path().join("data")), "{error}");
    assert!(error.to_string().contains("in use"));
    assert_eq!(local.get(&content("")).await.status(), 200);
}

#[tokio::test]
async fn a_config_that_is_not_ours_is_refused_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    start_in(folder.path()).await.shutdown().await;
    let path = folder.path().join("data/pat.json");
    let ours = std::fs::read_to_string(&path).unwrap();
    let mut foreign: Value = serde_json::from_str(&ours).unwrap();
    foreign["issuer"] = "cognitivescale.com".into();
    for text in ["", "{", "[]", "{}", &ours[..ours.len() / 2], &foreign.to_string()] {
        std::fs::write(&path, text).unwrap();
        let error = Platform::start(options(folder.path())).await.unwrap_err();
        assert!(matches!(&error, StartError::Access { path: named, .. } if *named == path), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }
    // A refused start leaves the folder free.
    std::fs::write(&path, ours).unwrap();
    start_in(folder.path()).await.shutdown().await;
}

#[tokio::test]
async fn a_failed_start_names_what_it_could_not_use() {
    let local = Local::start().await;
    let other = tempfile::tempdir().unwrap();
    let port = local.platform.url().rsplit(':').next().unwrap().parse().unwrap();
    let error = Platform::start(options(other.path()).with_port(port)).await.unwrap_err();
    assert!(error.to_string().contains(&format!("127.0.0.1:{port}")), "{error}");

    let file = other.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = Platform::start(Options::at(file)).await.unwrap_err();
    assert!(matches!(&error, StartError::Data { path, .. } if path.ends_with("file")), "{error}");
}

#[tokio::test]
async fn shutdown_lets_a_request_finish() {
    let local = Local::start().await;
    let mut stream = begin_upload(&local, &content("/k"), 4).await;
    let shutdown = tokio::spawn(local.platform.shutdown());
    stream.write_all(b"late").await.unwrap();
    let answer = answer(stream).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    timeout(PATIENCE, shutdown).await.unwrap().unwrap();

    let platform = start_in(local.folder.path()).await;
    let local = Local { platform, folder: local.folder, http: local.http, token: local.token };
    assert_eq!(local.get(&content("/k")).await.text().await.unwrap(), "late");
}

#[tokio::test]
async fn shutdown_does_not_wait_for_a_stuck_client() {
    let local = Local::start().await;
    let mut stuck = begin_upload(&local, &content("/k"), 4).await;
    stuck.write_all(b"x").await.unwrap();
    timeout(Duration::from_secs(10), local.platform.shutdown()).await.expect("shutdown is bounded");
    let platform = start_in(local.folder.path()).await;
    assert_eq!(std::fs::read_dir(local.folder.path().join("data/content/.incoming")).unwrap().count(), 0);
    platform.shutdown().await;
}

#[tokio::test]
async fn a_dropped_platform_stops_serving() {
    let local = Local::start().await;
    let url = format!("{}/fabric/v4/info", local.platform.url());
    drop(local.platform);
    let stopped = async { while local.http.get(&url).send().await.is_ok() {} };
    timeout(PATIENCE, stopped).await.expect("it stops");
}

#[tokio::test]
async fn debug_output_holds_no_secret() {
    let local = Local::start().await;
    let shown = format!("{:?} {:?}", local.platform, local.platform.mint_token(Duration::from_secs(9)));
    let key = pat(&local)["jwk"]["d"].as_str().unwrap().to_owned();
    assert!(!shown.contains(&key) && !shown.contains("eyJ"), "{shown}");
    assert_eq!(local.request(Method::GET, &content("")).send().await.unwrap().status(), 200);
}
