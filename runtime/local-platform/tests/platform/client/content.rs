//! Managed content through the client that skills have.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use serde_json::json;
use skill_sdk::Code;
use skill_sdk::client::content::OCTET_STREAM;
use skill_sdk::client::{Body, Content};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader, ReadBuf};
use tokio_util::io::ReaderStream;

use crate::support::Local;

/// Keys that are hard to carry in a URL, a form or a list.
const KEYS: [&str; 18] = [
    "a",
    "a/b",
    "a/b/",
    "a//b",
    "A",
    " ",
    "a b/ c ",
    "100%",
    "%2e%2e",
    "%2F",
    "...",
    "ü/日本/🦀",
    "a?b=c&d#e",
    "a+b",
    "c\\..\\d",
    "\"quoted\"",
    "it's;x=\"y\"",
    ".hidden",
];

fn bytes(length: usize) -> Vec<u8> {
    (0..=250).cycle().take(length).collect()
}

/// A reader that fails at once.
struct Failing;

impl AsyncRead for Failing {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Err(io::Error::other("the disk is gone")))
    }
}

async fn keys(content: &Content, prefix: &str, limit: Option<u32>, skip: Option<u32>) -> Vec<String> {
    let entries = content.list_page(prefix, limit, skip).await.unwrap();
    entries.into_iter().map(|entry| entry.key).collect()
}

async fn text(content: &Content, key: &str) -> String {
    let bytes = content.download(key).await.unwrap().bytes().await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn write(folder: &Path, path: &str, text: &str) {
    let path = folder.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

#[tokio::test]
async fn everything_that_can_be_uploaded_comes_back() {
    let local = Local::start().await;
    let content = local.client().content();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    for length in [0, 1, 3_000_000] {
        let bytes = bytes(length);
        std::fs::write(&file, &bytes).unwrap();
        let bodies = || {
            let source = || std::io::Cursor::new(bytes.clone());
            [
                ("bytes", Body::from(bytes.clone())),
                ("a file", Body::file(&file)),
                ("a reader", Body::reader(source())),
                ("a stream", Body::stream(ReaderStream::with_capacity(source(), 1000))),
            ]
        };
        for (what, body) in bodies() {
            let answer = content.upload("raw/k", body, "image/png").await.unwrap();
            assert_eq!((&answer["success"], &answer["Key"]), (&json!(true), &json!("raw/k")), "{what}");
            let answer = content.upload_streaming("stream/k", &b"a {}"[..], "text/css").await.unwrap();
            assert_eq!(answer["Key"], "stream/k");
        }
        for (what, body) in bodies() {
            let answer = content.upload_form("form/k", "ü \"1\".png", body, "image/png").await.unwrap();
            assert_eq!((&answer["success"], &answer["Key"]), (&json!(true), &json!("form/k")), "{what}");
            for key in ["raw/k", "form/k"] {
                let download = content.download(key).await.unwrap();
                assert_eq!(download.content_type(), Some("image/png"), "{key}");
                assert_eq!(download.content_length(), Some(length as u64), "{what} as {key}");
                assert!(download.bytes().await.unwrap() == bytes, "{what} as {key}");
            }
        }
        assert_eq!(content.download("stream/k").await.unwrap().content_type(), Some("text/css"));
    }
}

#[tokio::test]
async fn keys_stay_what_they_are() {
    let local = Local::start().await;
    let content = local.client().content();
    let mut sorted = KEYS.map(str::to_owned);
    sorted.sort();
    for form in [false, true] {
        for key in KEYS {
            assert!(!content.exists(key).await.unwrap(), "{key}");
            let value = format!("{form} {key}");
            let answer = if form {
                content.upload_form(key, key, value, "text/plain").await.unwrap()
            } else {
                content.upload(key, value, "text/plain").await.unwrap()
            };
            assert_eq!(answer["Key"], key);
        }
        assert_eq!(keys(&content, "", None, None).await, sorted);
        for key in KEYS {
            assert!(content.exists(key).await.unwrap(), "{key}");
            assert_eq!(text(&content, key).await, format!("{form} {key}"));
            let found = keys(&content, key, None, None).await;
            let expected: Vec<&String> = sorted.iter().filter(|other| other.starts_with(key)).collect();
            assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{key}");
        }
        for key in KEYS {
            content.delete(key).await.unwrap();
            assert!(!content.exists(key).await.unwrap(), "{key}");
        }
        assert!(content.list("").await.unwrap().is_empty());
    }
    // Leading slashes are no part of a key.
    content.upload("//a", "x", OCTET_STREAM).await.unwrap();
    content.upload_form("/b", "b", "x", OCTET_STREAM).await.unwrap();
    assert_eq!(keys(&content, "", None, None).await, ["a", "b"]);
    assert!(content.exists("/a").await.unwrap());
    // What the platform refuses beside what no URL can carry.
    let error = content.upload(&"k".repeat(1025), "x", OCTET_STREAM).await.unwrap_err();
    assert_eq!((error.code(), error.http_status()), (Code::SkillFailed, Some(400)));
    assert!(error.detail().ends_with("the key is longer than 1024 bytes"), "{error}");
}

#[tokio::test]
async fn content_is_read_in_every_way() {
    let local = Local::start().await;
    let content = local.client().content();
    let bytes = bytes(3_000_000);
    content.upload("big", bytes.clone(), OCTET_STREAM).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "longer or shorter, it is replaced").unwrap();
    assert_eq!(content.download_file("big", &file).await.unwrap(), 3_000_000);
    assert!(std::fs::read(&file).unwrap() == bytes);
    let mut copy = Vec::new();
    assert_eq!(content.download("big").await.unwrap().copy_to(&mut copy).await.unwrap(), 3_000_000);
    assert!(copy == bytes);
    let mut read = Vec::new();
    content.download("big").await.unwrap().into_reader().read_to_end(&mut read).await.unwrap();
    assert!(read == bytes);
    let (mut download, mut pieces) = (content.download_opt("big").await.unwrap().unwrap(), Vec::new());
    while let Some(piece) = download.chunk().await.unwrap() {
        pieces.extend_from_slice(&piece);
    }
    assert!(pieces == bytes);

    content.upload("lines", "one\ntwo\n", "text/plain").await.unwrap();
    let mut lines = BufReader::new(content.download("lines").await.unwrap().into_reader()).lines();
    assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("one"));
    assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("two"));
    assert_eq!(lines.next_line().await.unwrap(), None);

    // What is read can be sent on while it is read.
    let source = content.download("big").await.unwrap();
    content.upload("copy", Body::stream(source.into_stream()), OCTET_STREAM).await.unwrap();
    assert!(content.download("copy").await.unwrap().bytes().await.unwrap() == bytes);
}

#[tokio::test]
async fn content_is_listed_by_prefix_and_page() {
    let local = Local::start().await;
    let content = local.client().content();
    assert!(content.list("").await.unwrap().is_empty());
    for key in ["reports/b", "reports/ü 1%", "reports/a", "other", "reportsx"] {
        content.upload(key, "text", "text/plain").await.unwrap();
    }
    let all = ["other", "reports/a", "reports/b", "reports/ü 1%", "reportsx"];
    for (prefix, limit, skip, expected) in [
        ("", None, None, &all[..]),
        ("/", None, None, &all[..]),
        ("reports", None, None, &all[1..]),
        ("/reports", None, None, &all[1..]),
        ("//reports/", None, None, &all[1..4]),
        ("reports/ü 1%", None, None, &all[3..4]),
        ("report%", None, None, &[]),
        ("", Some(2), None, &all[..2]),
        ("", None, Some(2), &all[2..]),
        ("", Some(0), Some(0), &all[..]),
        ("reports/", Some(1), Some(1), &all[2..3]),
        ("reports/", Some(9), Some(9), &[]),
    ] {
        assert_eq!(keys(&content, prefix, limit, skip).await, expected, "{prefix:?} {limit:?} {skip:?}");
    }
    let entry = content.list("other").await.unwrap().remove(0);
    assert_eq!((entry.key.as_str(), entry.content_type.as_deref(), entry.size), ("other", Some("text/plain"), Some(4)));
    entry.last_modified.unwrap().parse::<jiff::Timestamp>().unwrap();
}

#[tokio::test]
async fn what_is_absent_is_not_found() {
    let local = Local::start().await;
    let client = local.client();
    client.content().upload("k", "x", OCTET_STREAM).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "kept").unwrap();
    for client in [client.clone(), client.with_project("a b/ü").unwrap()] {
        let content = client.content();
        for key in ["absent", "k/", "K", "ü 1%"] {
            let error = content.download(key).await.unwrap_err();
            assert!(error.is_not_found());
            let detail = format!("cannot download `{key}`: the platform answered 404: {key} not found");
            assert_eq!((error.code(), error.detail()), (Code::SkillFailed, detail.as_str()));
            assert!(content.download_opt(key).await.unwrap().is_none());
            assert!(content.download_file(key, &file).await.unwrap_err().is_not_found());
            assert!(content.delete(key).await.unwrap_err().is_not_found());
            assert!(!content.exists(key).await.unwrap());
        }
        assert!(content.list("absent").await.unwrap().is_empty());
    }
    assert_eq!(std::fs::read(&file).unwrap(), b"kept");
    // The other project has nothing of this one.
    assert!(!client.with_project("a b/ü").unwrap().content().exists("k").await.unwrap());
    let content = client.content();
    content.delete("k").await.unwrap();
    assert!(content.delete("k").await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn the_files_of_a_folder_are_stored_below_its_key() {
    let local = Local::start().await;
    let content = local.client().content();
    let folder = tempfile::tempdir().unwrap();
    for path in ["b.txt", "a/ü 1%.txt", "a/c/empty", ".hidden", ".git/config"] {
        write(folder.path(), path, path);
    }
    let stored = ["to/here/a/c/empty", "to/here/a/ü 1%.txt", "to/here/b.txt"];
    assert_eq!(content.upload_directory(folder.path(), "/to/here/").await.unwrap(), stored);
    assert_eq!(keys(&content, "", None, None).await, stored);
    for key in stored {
        assert_eq!(text(&content, key).await, key.strip_prefix("to/here/").unwrap());
        assert_eq!(content.list(key).await.unwrap()[0].content_type.as_deref(), Some(OCTET_STREAM));
    }
    // Once more, it replaces what is there and leaves the rest.
    write(folder.path(), "b.txt", "new");
    std::fs::remove_dir_all(folder.path().join("a")).unwrap();
    assert_eq!(content.upload_directory(folder.path(), "to/here").await.unwrap(), ["to/here/b.txt"]);
    assert_eq!(text(&content, "to/here/b.txt").await, "new");
    assert_eq!(keys(&content, "", None, None).await, stored);
    // What is no folder stores nothing.
    let error = content.upload_directory(folder.path().join("b.txt"), "file").await.unwrap_err();
    assert!(error.chain().contains("b.txt is no folder"), "{}", error.chain());
    assert!(content.list("file").await.unwrap().is_empty());
}

#[tokio::test]
async fn an_upload_replaces_content_and_type() {
    let local = Local::start().await;
    let content = local.client().content();
    for (value, kind) in [("a longer first value", "text/plain"), ("{}", "application/json"), ("", "text/csv")] {
        content.upload("k", value, kind).await.unwrap();
        assert_eq!(content.download("k").await.unwrap().content_type(), Some(kind));
        assert_eq!(text(&content, "k").await, value);
        let form = format!("form {value}");
        content.upload_form("k", "f", form.clone(), "text/html; charset=utf-8").await.unwrap();
        assert_eq!(content.download("k").await.unwrap().content_type(), Some("text/html; charset=utf-8"));
        assert_eq!(text(&content, "k").await, form);
    }
    assert_eq!(keys(&content, "", None, None).await, ["k"]);
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_what_was_there() {
    let local = Local::start().await;
    let content = local.client().content();
    content.upload("k", "old", "text/plain").await.unwrap();

    // What is to be sent cannot be read to its end.
    let failing = || Body::reader(std::io::Cursor::new(bytes(500_000)).chain(Failing));
    for key in ["k", "new"] {
        let errors = [
            content.upload(key, failing(), OCTET_STREAM).await.unwrap_err(),
            content.upload_form(key, "f", failing(), OCTET_STREAM).await.unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.code(), Code::SkillFailed);
            assert!(
                error.chain().ends_with("what was to be sent cannot be read: the disk is gone"),
                "{}",
                error.chain()
            );
        }
    }

    // Nobody waits for the upload any more.
    local.nothing_incoming().await;
    for key in ["k", "new"] {
        let (reader, mut writer) = tokio::io::duplex(64);
        let upload = tokio::spawn({
            let content = content.clone();
            async move { content.upload_streaming(key, reader, OCTET_STREAM).await }
        });
        writer.write_all(&[7; 1000]).await.unwrap();
        local.until_incoming(1).await;
        upload.abort();
        assert!(upload.await.unwrap_err().is_cancelled());
        local.nothing_incoming().await;
    }

    assert_eq!(keys(&content, "", None, None).await, ["k"]);
    assert_eq!(content.download("k").await.unwrap().content_type(), Some("text/plain"));
    assert_eq!(text(&content, "k").await, "old");
}
