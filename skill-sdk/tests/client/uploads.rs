//! Uploads of forms, files and folders.

use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use skill_sdk::Code;
use skill_sdk::client::Body;
use skill_sdk::client::content::OCTET_STREAM;

use crate::server::Server;

#[tokio::test]
async fn a_form_carries_the_key_before_the_content() {
    let server = Server::answering(|| r#"{"Key": "a b/ü.txt"}"#).await;
    let content = server.client().content();
    let answer = content.upload_form("/a b/ü.txt", "ü \"1\".txt", "hello", "text/plain").await.unwrap();
    assert_eq!(answer["Key"], "a b/ü.txt");
    let noted = server.only();
    assert_eq!((noted.method.as_str(), noted.target.as_str()), ("POST", "/fabric/v4/projects/test-project/content"));
    let (kind, boundary) = noted.header("content-type").unwrap().split_once("; boundary=").unwrap();
    assert_eq!(kind, "multipart/form-data");
    let body = String::from_utf8(noted.body.as_ref().unwrap().to_vec()).unwrap();
    assert_eq!(noted.header("content-length"), Some(body.len().to_string().as_str()));
    assert_eq!(
        body.split("\r\n").collect::<Vec<_>>(),
        [
            &format!("--{boundary}"),
            "Content-Disposition: form-data; name=\"key\"",
            "",
            "a b/ü.txt",
            &format!("--{boundary}"),
            "Content-Disposition: form-data; name=\"content\"; filename=\"ü \\\"1\\\".txt\"",
            "Content-Type: text/plain",
            "",
            "hello",
            &format!("--{boundary}--"),
            "",
        ]
    );
    // Of a reader the length is not known.
    content.upload_form("k", "k", Body::reader(&b"hello"[..]), OCTET_STREAM).await.unwrap();
    let noted = server.only();
    assert_eq!((noted.header("transfer-encoding"), noted.header("content-length")), (Some("chunked"), None));
    for (key, kind) in [("../k", "text/plain"), ("", "text/plain"), ("k", "no type")] {
        let error = content.upload_form(key, "f", "", kind).await.unwrap_err();
        assert_eq!(error.code(), Code::SkillFailed, "{key} {kind}: {error}");
    }
    assert!(server.noted.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_file_is_uploaded_with_its_length() {
    let server = Server::answering(|| "{}").await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data");
    let bytes: Vec<u8> = (0..3_000_000u32).map(|n| n.to_le_bytes()[n as usize % 3]).collect();
    std::fs::write(&path, &bytes).unwrap();
    let sent = Arc::new(Mutex::new(Vec::new()));
    let body = Body::file(&path).on_progress({
        let sent = sent.clone();
        move |bytes| sent.lock().unwrap().push(bytes)
    });
    server.client().content().upload("k", body, OCTET_STREAM).await.unwrap();
    let noted = server.only();
    assert!(noted.body.as_ref().unwrap() == &bytes);
    assert_eq!((noted.header("content-length"), noted.header("transfer-encoding")), (Some("3000000"), None));
    let sent = sent.lock().unwrap();
    assert!(sent.is_sorted() && sent.len() > 1 && sent.last() == Some(&3_000_000), "{sent:?}");
}

#[tokio::test]
async fn a_file_that_changes_is_not_sent_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data");
    std::fs::write(&path, "one").unwrap();
    let server = {
        let path = path.clone();
        Server::start(move |noted| {
            if noted.body.as_deref() == Ok(b"one") {
                std::fs::write(&path, "other").unwrap();
            }
            (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "0")]).into_response()
        })
        .await
    };
    let content = server.client().content();
    let error = content.upload("k", Body::file(&path), OCTET_STREAM).await.unwrap_err();
    assert_eq!(error.code(), Code::SkillFailed);
    assert_eq!(error.detail(), format!("cannot upload `k`: {} was changed while it was being sent", path.display()));
    assert_eq!(server.only().body.as_deref(), Ok(&b"one"[..]));
    // One that stays as it is, is.
    content.upload("k", Body::file(&path), OCTET_STREAM).await.unwrap_err();
    assert_eq!(server.noted.lock().unwrap().len(), 4);
}

#[tokio::test]
async fn files_that_cannot_be_sent_are_named() {
    let server = Server::answering(|| "{}").await;
    let folder = tempfile::tempdir().unwrap();
    let absent = folder.path().join("absent");
    for (path, words) in [(absent.as_path(), "cannot be read"), (folder.path(), "is no regular file")] {
        let error = server.client().content().upload("k", Body::file(path), OCTET_STREAM).await.unwrap_err();
        assert_eq!(error.code(), Code::SkillFailed);
        assert_eq!(error.detail(), format!("cannot upload `k`: {} {words}", path.display()));
    }
    assert!(server.noted.lock().unwrap().is_empty());
}

#[tokio::test]
async fn the_files_of_a_folder_are_uploaded() {
    let server = Server::answering(|| "{}").await;
    let folder = tempfile::tempdir().unwrap();
    for path in ["b.txt", "a/ü 1%.txt", "a/c/empty", ".hidden", "a/.hidden", ".git/config"] {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, path.file_name().unwrap().to_str().unwrap()).unwrap();
    }
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("linked"), "linked").unwrap();
    std::os::unix::fs::symlink(outside.path().join("linked"), folder.path().join("link")).unwrap();
    std::os::unix::fs::symlink(outside.path(), folder.path().join("linked folder")).unwrap();

    let content = server.client().content();
    let keys = content.upload_directory(folder.path(), "/to/here/").await.unwrap();
    assert_eq!(keys, ["to/here/a/c/empty", "to/here/a/ü 1%.txt", "to/here/b.txt", "to/here/link"]);
    let mut noted: Vec<(String, Bytes)> =
        server.noted.lock().unwrap().drain(..).map(|noted| (noted.target, noted.body.unwrap())).collect();
    noted.sort();
    let target = |path: &str| format!("/fabric/v4/projects/test-project/content/to/here/{path}");
    assert_eq!(
        noted,
        [
            (target("a/%C3%BC%201%25.txt"), "ü 1%.txt".into()),
            (target("a/c/empty"), "empty".into()),
            (target("b.txt"), "b.txt".into()),
            (target("link"), "linked".into()),
        ]
    );
    assert_eq!(content.upload_directory(folder.path().join("a/c"), "").await.unwrap(), ["empty"]);

    let error = content.upload_directory(folder.path().join("absent"), "k").await.unwrap_err();
    assert!(error.detail().contains("absent"), "{error}");
    std::os::unix::fs::symlink("nowhere", folder.path().join("dangling")).unwrap();
    let error = content.upload_directory(folder.path(), "k").await.unwrap_err();
    assert!(error.chain().contains("dangling"), "{}", error.chain());
}

#[tokio::test]
async fn what_cannot_be_uploaded_whole_is_not_begun() {
    let server = Server::answering(|| "{}").await;
    let content = server.client().content();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a file");
    std::fs::write(&file, "").unwrap();
    let absent = folder.path().join("absent");
    for (source, why) in [
        (&file, format!("{} is no folder", file.display())),
        (&absent, format!("cannot read {}: No such file or directory", absent.display())),
    ] {
        let error = content.upload_directory(source, "k").await.unwrap_err();
        assert_eq!(error.code(), Code::SkillFailed);
        assert!(error.chain().starts_with(&why), "{}", error.chain());
    }
    // The name that no URL can carry is the last of them.
    std::fs::write(folder.path().join("z\n"), "").unwrap();
    let error = content.upload_directory(folder.path(), "k").await.unwrap_err();
    assert!(error.detail().starts_with(r#""k/z\n" cannot be the key of content: "#), "{error}");
    std::fs::remove_file(folder.path().join("z\n")).unwrap();
    content.upload_directory(folder.path(), "k/../l").await.unwrap_err();
    assert!(server.noted.lock().unwrap().is_empty());
    // A link to a folder is one.
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(folder.path(), &link).unwrap();
    assert_eq!(content.upload_directory(&link, "k").await.unwrap(), ["k/a file"]);
}

#[tokio::test]
async fn a_folder_whose_upload_fails_ends_with_the_first_failure() {
    let server = Server::answering(|| (StatusCode::FORBIDDEN, r#"{"message": "read only"}"#)).await;
    let folder = tempfile::tempdir().unwrap();
    for n in 0..40 {
        std::fs::write(folder.path().join(n.to_string()), "").unwrap();
    }
    let error = server.client().content().upload_directory(folder.path(), "k").await.unwrap_err();
    assert_eq!(error.http_status(), Some(403));
    assert!(server.noted.lock().unwrap().len() <= 8, "a few go at a time");
}
