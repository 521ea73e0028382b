//! Artifacts of runs (fabric-api section 10).

use futures_util::future::join_all;
use reqwest::{Body, Method, Response};
use serde_json::json;
use tokio::io::AsyncWriteExt;

use crate::support::{self, Local, answer, header, project};

const RUN: &str = "/experiments/acme%2Fchurn/runs/r";

async fn run() -> Local {
    let local = Local::start().await;
    local.save("/experiments", json!({"name": "acme/churn"})).await;
    local.save("/experiments/acme%2Fchurn/runs", json!({"runId": "r"})).await;
    local
}

async fn put(local: &Local, path: &str, bytes: impl Into<Body>) -> Response {
    local.request(Method::PUT, &project(path)).body(bytes).send().await.unwrap()
}

async fn artifact(local: &Local, path: &str) -> (u16, Vec<u8>) {
    let response = local.get(&project(path)).await;
    (response.status().as_u16(), response.bytes().await.unwrap().to_vec())
}

#[tokio::test]
async fn an_artifact_is_read_both_ways() {
    let local = run().await;
    // Over the limit of all other requests.
    let large = (0..=250).cycle().take(700_000).collect::<Vec<u8>>();
    for (path, key, bytes) in [
        ("model", "model", large.clone()),
        ("plots/roc%201.png", "plots/roc 1.png", b"png".to_vec()),
        ("plots%2Fempty", "plots/empty", Vec::new()),
        ("model", "model", b"another".to_vec()),
    ] {
        let stored = put(&local, &format!("{RUN}/artifacts/{path}"), bytes.clone()).await;
        assert_eq!((stored.status().as_u16(), header(&stored, "connection")), (200, "close"));
        assert_eq!(support::json(stored).await["success"], true);
        let content = format!("/content/experiments/acme/churn/r/artifacts/{path}");
        for path in
            [format!("{RUN}/artifacts/{path}"), format!("/experiments/acme/churn/runs/r/artifacts/{path}"), content]
        {
            assert!(artifact(&local, &path).await == (200, bytes.clone()), "{path}");
        }
        let known = &local.read(RUN).await["artifacts"][key];
        assert_eq!(*known, format!("experiments/acme/churn/r/artifacts/{key}"));
    }
    let local = local.restart().await;
    assert_eq!(artifact(&local, &format!("{RUN}/artifacts/model")).await, (200, b"another".to_vec()));
    assert_eq!(local.files().len(), 3, "what was replaced is gone");
}

#[tokio::test]
async fn the_connection_closes_after_an_artifact() {
    let local = run().await;
    let mut stream = local.connect().await;
    let head = local.head("PUT", &project(&format!("{RUN}/artifacts/a")));
    let chunked = "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    stream.write_all((head + chunked).as_bytes()).await.unwrap();
    // It is read to its end, which is there for this only.
    assert!(answer(stream).await.starts_with("HTTP/1.1 200 "));
    let read = local.get(&project(&format!("{RUN}/artifacts/a"))).await;
    assert_eq!(header(&read, "content-type"), "application/octet-stream");
    assert_eq!(read.text().await.unwrap(), "abc");
}

#[tokio::test]
async fn artifacts_go_with_their_run() {
    let local = run().await;
    local.put(&project("/content/important"), "kept").await;
    // What a client says of other content is no leave to remove that.
    let claim = json!({"artifacts": {"a": "important", "b": "experiments/acme/churn/r2/artifacts/model"}});
    local.call(Method::PUT, RUN, Some(claim)).await;
    local.save("/experiments/acme%2Fchurn/runs", json!({"runId": "r2"})).await;
    for path in ["r/artifacts/model", "r/artifacts/x/y", "r2/artifacts/model"] {
        assert_eq!(put(&local, &format!("/experiments/acme%2Fchurn/runs/{path}"), "bytes").await.status(), 200);
    }
    assert_eq!(artifact(&local, &format!("{RUN}/artifacts/a")).await, (200, b"kept".to_vec()));
    assert_eq!(local.call(Method::DELETE, RUN, None).await.0, 200);
    assert_eq!(local.keys("").await, ["experiments/acme/churn/r2/artifacts/model", "important"]);
    assert_eq!(local.files().len(), 2);
    assert_eq!(artifact(&local, &format!("{RUN}/artifacts/model")).await.0, 404);
    local.save("/experiments/acme%2Fchurn/runs", json!({"runId": "r"})).await;
    assert_eq!(artifact(&local, &format!("{RUN}/artifacts/model")).await.0, 404);
    assert_eq!(local.call(Method::DELETE, "/experiments/acme%2Fchurn/runs", None).await.0, 200);
    assert_eq!(local.keys("").await, ["important"]);
}

#[tokio::test]
async fn an_artifact_of_nothing_is_not_kept() {
    let local = run().await;
    for (path, status) in [
        ("/experiments/absent/runs/r/artifacts/a", 404),
        ("/experiments/acme%2Fchurn/runs/absent/artifacts/a", 404),
        ("/experiments/acme%2Fchurn/runs/r/artifacts/", 400),
        ("/experiments/acme%2Fchurn/runs/r/artifacts/a%00", 400),
        ("/experiments/acme%2Fchurn/runs/r/artifacts/..%2F..%2Fb", 400),
        (&format!("{RUN}/artifacts/{}", "a".repeat(513)), 400),
    ] {
        assert_eq!(put(&local, path, vec![7; 1_000_000]).await.status(), status, "{path}");
    }
    let odd_type = local.request(Method::PUT, &project(&format!("{RUN}/artifacts/a"))).header("content-type", "ü");
    assert_eq!(odd_type.body("x").send().await.unwrap().status(), 400);
    assert!(local.keys("").await.is_empty() && local.files().is_empty());
    assert_eq!(local.read(RUN).await["artifacts"], json!({}));
    assert_eq!(artifact(&local, &format!("{RUN}/artifacts/a")).await.0, 404);
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_what_was_there() {
    let local = run().await;
    put(&local, &format!("{RUN}/artifacts/a"), "old").await;
    let version = local.read(RUN).await["_version"].clone();
    for name in ["a", "b"] {
        let mut stream = local.connect().await;
        let head = local.head("PUT", &project(&format!("{RUN}/artifacts/{name}")));
        stream.write_all((head + "Content-Length: 100\r\n\r\nfirst").as_bytes()).await.unwrap();
        local.until_incoming(1).await;
        drop(stream);
        local.nothing_incoming().await;
    }
    let run = local.read(RUN).await;
    assert_eq!((&run["_version"], run["artifacts"].as_object().unwrap().len()), (&version, 1));
    assert_eq!(artifact(&local, &format!("{RUN}/artifacts/a")).await, (200, b"old".to_vec()));
}

#[tokio::test]
async fn a_run_that_is_deleted_meanwhile_has_no_artifact() {
    let local = run().await;
    let mut stream = local.connect().await;
    let head = local.head("PUT", &project(&format!("{RUN}/artifacts/a")));
    stream.write_all((head + "Connection: close\r\nContent-Length: 10\r\n\r\nfirst").as_bytes()).await.unwrap();
    local.until_incoming(1).await;
    assert_eq!(local.call(Method::DELETE, RUN, None).await.0, 200);
    stream.write_all(b"later").await.unwrap();
    assert!(answer(stream).await.starts_with("HTTP/1.1 404 "));
    local.nothing_incoming().await;
    assert!(local.keys("").await.is_empty());
}

#[tokio::test]
async fn artifacts_that_are_saved_at_once_are_all_known() {
    let local = run().await;
    let save = async |n: usize| {
        let path = format!("{RUN}/artifacts/a{}", n % 10);
        put(&local, &path, format!("{n}")).await.status().as_u16()
    };
    assert_eq!(join_all((0..30).map(save)).await, [200; 30]);
    let known = local.read(RUN).await["artifacts"].clone();
    assert_eq!((known.as_object().unwrap().len(), local.keys("").await.len(), local.files().len()), (10, 10, 10));
    for n in 0..10 {
        let (status, bytes) = artifact(&local, &format!("{RUN}/artifacts/a{n}")).await;
        let writer: usize = String::from_utf8(bytes).unwrap().parse().unwrap();
        assert_eq!((status, writer % 10), (200, n));
    }
}
