//! Managed content, row by row.

use std::sync::Arc;

use reqwest::multipart::{Form, Part};
use reqwest::{Body, Method};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;
use tokio_util::io::ReaderStream;

use crate::support::{Local, answer, content, header, json as body};

#[tokio::test]
async fn bytes_come_back_with_their_type() {
    let local = Local::start().await;
    let bytes: Vec<u8> = (0..=255).cycle().take(3_000_000).collect();
    let request = local.request(Method::POST, &content("/a/data.bin")).header("content-type", "image/png");
    let response = request.body(bytes.clone()).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let answer = body(response).await;
    assert_eq!((&answer["success"], &answer["Key"]), (&json!(true), &json!("a/data.bin")));

    let response = local.request(Method::HEAD, &content("/a/data.bin")).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!((header(&response, "content-type"), header(&response, "content-length")), ("image/png", "3000000"));
    assert!(response.bytes().await.unwrap().is_empty());

    let response = local.get(&content("/a/data.bin")).await;
    assert_eq!((header(&response, "content-type"), header(&response, "content-length")), ("image/png", "3000000"));
    assert!(response.bytes().await.unwrap() == bytes);
}

#[tokio::test]
async fn a_chunked_body_without_a_type_is_stored() {
    let local = Local::start().await;
    let text: &[u8] = b"some text in pieces";
    let stream = Body::wrap_stream(ReaderStream::with_capacity(text, 3));
    local.put(&content("/chunked"), stream).await;
    let response = local.get(&content("/chunked")).await;
    assert_eq!(header(&response, "content-type"), "application/octet-stream");
    assert_eq!(response.bytes().await.unwrap(), text);
}

#[tokio::test]
async fn an_empty_body_is_an_empty_object() {
    let local = Local::start().await;
    local.put(&content("/empty"), "").await;
    let response = local.get(&content("/empty")).await;
    assert_eq!((response.status().as_u16(), header(&response, "content-length")), (200, "0"));
}

#[tokio::test]
async fn an_upload_replaces_bytes_and_type_together() {
    let local = Local::start().await;
    for (text, content_type) in [("a longer first text", "text/plain"), ("{}", "application/json")] {
        let request = local.request(Method::POST, &content("/k")).header("content-type", content_type);
        assert_eq!(request.body(text).send().await.unwrap().status(), 200);
        let response = local.get(&content("/k")).await;
        assert_eq!(header(&response, "content-type"), content_type);
        assert_eq!(response.text().await.unwrap(), text);
    }
}

#[tokio::test]
async fn absent_content_is_not_found() {
    let local = Local::start().await;
    for project in ["local", "never-seen"] {
        let path = format!("/fabric/v4/projects/{project}/content/absent");
        for method in [Method::GET, Method::DELETE] {
            let response = local.request(method, &path).send().await.unwrap();
            assert_eq!(response.status(), 404);
            assert_eq!(body(response).await, json!({"success": false, "message": "absent not found"}));
        }
        let response = local.request(Method::HEAD, &path).send().await.unwrap();
        assert_eq!(response.status(), 404);
        assert!(response.bytes().await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn deleted_content_is_gone() {
    let local = Local::start().await;
    local.put(&content("/a/b"), "x").await;
    let delete = || local.request(Method::DELETE, &content("/a/b")).send();
    let response = delete().await.unwrap();
    assert_eq!(response.status(), 200);
    let answer = body(response).await;
    assert_eq!(answer["success"], true);
    assert!(answer["message"].is_string());
    assert_eq!(delete().await.unwrap().status(), 404);
    assert_eq!(local.keys("").await, Vec::<String>::new());
}

#[tokio::test]
async fn lists_are_sorted_filtered_and_paged() {
    let local = Local::start().await;
    assert_eq!(body(local.get(&content("")).await).await, json!([]));
    for key in ["b/2", "a", "b/1", "B/3", "b/10", "c"] {
        local.put(&content(&format!("/{key}")), format!("value of {key}")).await;
    }
    assert_eq!(local.keys("").await, ["B/3", "a", "b/1", "b/10", "b/2", "c"]);
    assert_eq!(local.keys("?filter=b%2F").await, ["b/1", "b/10", "b/2"]);
    assert_eq!(local.keys("?filter=/b/1").await, ["b/1", "b/10"]);
    assert_eq!(local.keys("?filter=b/&skip=1&limit=1&unknown=7").await, ["b/10"]);
    assert_eq!(local.keys("?limit=2").await, ["B/3", "a"]);
    assert_eq!(local.keys("?skip=100").await, Vec::<String>::new());

    let entry = body(local.get(&content("?filter=b/10")).await).await[0].clone();
    assert_eq!(entry.as_object().unwrap().keys().collect::<Vec<_>>(), ["Key", "ContentType", "LastModified", "Size"]);
    assert_eq!((&entry["Size"], &entry["ContentType"]), (&json!(13), &json!("application/octet-stream")));
    let modified: jiff::Timestamp = entry["LastModified"].as_str().unwrap().parse().unwrap();
    assert!(jiff::Timestamp::now().duration_since(modified).as_secs().abs() < 60);

    for query in ["?limit=many", "?skip=-1", "?limit="] {
        let response = local.get(&content(query)).await;
        assert_eq!(response.status(), 400, "{query}");
        assert_eq!(body(response).await["success"], false);
    }
}

#[tokio::test]
async fn unusual_keys_are_kept_apart() {
    let local = Local::start().await;
    // As sent, and as the key it is.
    let keys = [
        ("a", "a"),
        ("a/b", "a/b"),
        ("a/b/", "a/b/"),
        ("A", "A"),
        ("k/%201.txt", "k/ 1.txt"),
        ("%C3%BC/%E6%97%A5", "ü/日"),
        ("100%25", "100%"),
        ("%2525", "%25"),
        ("x%2Fy", "x/y"),
        ("..%252F..", "..%2F.."),
        ("%3Fq=1%23f", "?q=1#f"),
        ("con", "con"),
        (".hidden", ".hidden"),
        ("c%5C..%5Cd", "c\\..\\d"),
    ];
    for (sent, key) in keys {
        local.put(&content(&format!("/{sent}")), key).await;
    }
    for (sent, key) in keys {
        let response = local.get(&content(&format!("/{sent}"))).await;
        assert_eq!(response.text().await.unwrap(), key, "{sent}");
    }
    assert_eq!(local.get(&content("/x/y")).await.text().await.unwrap(), "x/y");
    assert_eq!(local.get(&content("//%2Fa")).await.text().await.unwrap(), "a", "leading slashes are dropped");
    let mut expected = keys.map(|(_, key)| key);
    expected.sort_unstable();
    assert_eq!(local.keys("").await, expected);
}

#[tokio::test]
async fn keys_that_name_nothing_are_refused() {
    let local = Local::start().await;
    let long = "k".repeat(1025);
    // Raw, because clients tidy such paths up before they send them.
    for key in ["", "/", "%2F", "../x", "a/../../x", "%2e%2e/x", "a/%2E%2E", "a/.", "a%0Ab", "%00", "%FF", &long] {
        for (method, rest) in [("GET", "\r\n"), ("DELETE", "\r\n"), ("POST", "Content-Length: 1\r\n\r\nx")] {
            let path = content(&format!("/{key}"));
            let request = local.head(method, &path) + "Connection: close\r\n" + rest;
            let mut stream = local.connect().await;
            stream.write_all(request.as_bytes()).await.unwrap();
            let answer = answer(stream).await;
            assert!(answer.starts_with("HTTP/1.1 400 "), "{method} {key:?}: {answer}");
            assert!(answer.contains(r#""success":false"#), "{answer}");
        }
    }
    assert!(local.keys("").await.is_empty());
    local.put(&content(&format!("/{}", &long[1..])), "x").await;
}

#[tokio::test]
async fn projects_are_kept_apart() {
    let local = Local::start().await;
    let projects = ["local", "Local", "a%2F..%2Flocal", "%2E%2E%2Fcontent", "%C3%BC"];
    for project in projects {
        local.put(&format!("/fabric/v4/projects/{project}/content/k"), project).await;
    }
    for project in projects {
        let response = local.get(&format!("/fabric/v4/projects/{project}/content/k")).await;
        assert_eq!(response.text().await.unwrap(), project);
    }
    let folders = std::fs::read_dir(local.folder.path().join("data/content")).unwrap().count();
    assert_eq!(folders, projects.len() + 1, "one each, and the one for incoming uploads");
}

#[tokio::test]
async fn forms_store_content_under_their_key() {
    let local = Local::start().await;
    let part = Part::bytes(vec![1; 500_000]).file_name("f.bin").mime_str("image/gif").unwrap();
    let form = Form::new().text("key", "/forms/ü 1").text("other", "ignored").part("content", part);
    let response = local.request(Method::POST, &content("")).multipart(form).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(body(response).await["Key"], "forms/ü 1");
    let response = local.get(&content("/forms/%C3%BC%201")).await;
    assert_eq!(header(&response, "content-type"), "image/gif");
    assert!(response.bytes().await.unwrap() == vec![1; 500_000]);
}

#[tokio::test]
async fn unusable_forms_store_nothing() {
    let local = Local::start().await;
    let file = || Part::bytes(b"bytes".to_vec()).file_name("f");
    let forms = [
        Form::new().text("key", "k"),
        Form::new().part("content", file()),
        Form::new().part("content", file()).text("key", "k"),
        Form::new().text("key", "../k").part("content", file()),
        Form::new().text("key", "k".repeat(5000)).part("content", file()),
        Form::new().text("key", "k").text("key", "l").part("content", file()),
        Form::new().text("key", "k").part("content", file()).part("content", file()),
    ];
    for form in forms {
        let response = local.request(Method::POST, &content("")).multipart(form).send().await.unwrap();
        assert_eq!(response.status(), 400);
        assert_eq!(body(response).await["success"], false);
    }
    let response = local.request(Method::POST, &content("")).body("not a form").send().await.unwrap();
    assert_eq!(response.status(), 400);
    assert!(body(response).await["message"].as_str().unwrap().contains("multipart/form-data"));
    assert!(local.keys("").await.is_empty());

    let head = local.head("POST", &content(""));
    let text = "--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nk\r\n\
                --b\r\nContent-Disposition: form-data; name=\"content\"; filename=\"f\"\r\n\r\nhalf";
    let framing = format!("Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {}\r\n\r\n", text.len());
    let mut stream = local.connect().await;
    stream.write_all(format!("{head}{framing}{text}").as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let answer = answer(stream).await;
    assert!(!answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(local.keys("").await.is_empty());
}

#[tokio::test]
async fn a_refused_form_still_reads_the_reason() {
    let local = Local::start().await;
    let field = |name: &str| format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n");
    let refused_key = field("key") + "../k\r\n" + &field("content");
    for begin in [refused_key, field("content")] {
        let end = "\r\n--b--\r\n";
        let bytes = [begin.as_bytes(), &vec![7; 8 << 20], end.as_bytes()].concat();
        let head = local.head("POST", &content("")) + "Connection: close\r\n";
        let framing =
            format!("Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {}\r\n\r\n", bytes.len());
        let mut stream = local.connect().await;
        stream.write_all((head + &framing).as_bytes()).await.unwrap();
        // By hand, because this client does not look for an answer before it has sent everything.
        stream.write_all(&bytes).await.expect("all of the body is taken");
        let answer = answer(stream).await;
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains(r#""success":false"#), "{answer}");
    }
    assert!(local.keys("").await.is_empty());
}

#[tokio::test]
async fn a_form_without_its_boundary_is_refused() {
    let local = Local::start().await;
    let head = "--b\r\nContent-Disposition: form-data; name=\"key\"\r\n";
    let endless_head = head.to_owned() + "X-Filler: ";
    for begin in ["--other\r\n", "", &endless_head] {
        let mut bytes = begin.as_bytes().to_vec();
        bytes.resize(8 << 20, b'x');
        let request =
            local.request(Method::POST, &content("")).header("content-type", "multipart/form-data; boundary=b");
        let response = request.body(bytes).send().await.unwrap();
        assert_eq!(response.status(), 400);
        let message = body(response).await["message"].as_str().unwrap().to_owned();
        assert!(message.contains("65536 bytes outside its fields"), "{message}");
    }
    assert!(local.keys("").await.is_empty());
}

#[tokio::test]
async fn forms_may_arrive_in_pieces_of_any_size() {
    let local = Local::start().await;
    for (size, length) in [(1, 300), (7, 5_000), (100_000, 3_000_000), (1 << 20, 20 << 20)] {
        // Looks like the beginning of a boundary now and then.
        let bytes: Vec<u8> = b"\r\n--\r\n--bb\n--b\r".iter().copied().cycle().take(length).collect();
        let head = "--b0\r\nContent-Disposition: form-data; name=";
        let file = [&bytes[..], b"\r\n"].concat();
        let text = [
            format!("{head}\"skipped\"\r\n\r\n").as_bytes(),
            &file,
            format!("{head}\"key\"\r\n\r\nk{size}\r\n").as_bytes(),
            format!("{head}\"content\"\r\n\r\n").as_bytes(),
            &file,
            b"--b0--\r\n",
        ]
        .concat();
        let stream = Body::wrap_stream(ReaderStream::with_capacity(std::io::Cursor::new(text), size));
        let request =
            local.request(Method::POST, &content("")).header("content-type", "multipart/form-data; boundary=b0");
        let response = request.body(stream).send().await.unwrap();
        assert_eq!(response.status(), 200, "{}", response.text().await.unwrap());
        let found = local.get(&content(&format!("/k{size}"))).await.bytes().await.unwrap();
        assert!(found == bytes, "pieces of {size}");
    }
}

#[tokio::test]
async fn an_upload_of_several_sync_steps_is_stored() {
    let local = Local::start().await;
    let bytes: Vec<u8> = (0..=255).cycle().take(40 << 20).collect();
    local.put(&content("/big"), bytes.clone()).await;
    assert!(local.get(&content("/big")).await.bytes().await.unwrap() == bytes);
}

#[tokio::test]
async fn an_upload_that_broke_off_never_was() {
    let local = Local::start().await;
    local.put(&content("/k"), "old").await;
    for framing in ["Content-Length: 1000\r\n\r\nhalf", "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"] {
        for key in ["k", "new"] {
            let head = local.head("POST", &content(&format!("/{key}")));
            let mut stream = local.connect().await;
            stream.write_all((head + framing).as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
            let answer = answer(stream).await;
            assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
        }
    }
    assert_eq!(local.keys("").await, ["k"]);
    assert_eq!(local.get(&content("/k")).await.text().await.unwrap(), "old");
    local.nothing_incoming().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_writers_leave_one_whole_value() {
    const SIZE: usize = 300_000;
    let local = Arc::new(Local::start().await);
    local.put(&content("/k"), vec![0; SIZE]).await;
    let mut tasks = JoinSet::new();
    for letter in 1..=8u8 {
        let writer = Arc::clone(&local);
        tasks.spawn(async move {
            for _ in 0..4 {
                writer.put(&content("/k"), vec![letter; SIZE]).await;
            }
        });
        let reader = Arc::clone(&local);
        tasks.spawn(async move {
            for _ in 0..4 {
                let bytes = reader.get(&content("/k")).await.bytes().await.unwrap();
                assert!(bytes.len() == SIZE && bytes.iter().all(|byte| *byte == bytes[0]), "a mixture");
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    assert_eq!(local.keys("").await, ["k"]);
    assert_eq!(local.incoming(), Vec::<std::path::PathBuf>::new());
}

#[tokio::test]
async fn other_methods_are_not_allowed() {
    let local = Local::start().await;
    for (path, allowed) in [
        (content(""), vec!["GET", "HEAD", "POST"]),
        (content("/k"), vec!["DELETE", "GET", "HEAD", "POST"]),
        ("/fabric/v4/info".to_owned(), vec!["GET", "HEAD"]),
    ] {
        let response = local.request(Method::PATCH, &path).body("x").send().await.unwrap();
        assert_eq!(response.status(), 405);
        let mut allow: Vec<_> = header(&response, "allow").split(',').map(str::trim).collect();
        allow.sort_unstable();
        assert_eq!(allow, allowed, "{path}");
        assert_eq!(body(response).await["success"], false);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn links_planted_in_the_folder_lead_nowhere() {
    let local = Local::start().await;
    local.put(&content("/k"), "inside").await;
    let stored = local.files().pop().unwrap();
    let outside = local.folder.path().join("outside");
    std::fs::write(&outside, "outside").unwrap();
    std::fs::remove_file(&stored).unwrap();
    std::os::unix::fs::symlink(&outside, &stored).unwrap();

    let response = local.get(&content("/k")).await;
    assert_eq!(response.status(), 500);
    let text = response.text().await.unwrap();
    assert!(!text.contains("data"), "no path in {text}");
    // The key is as good as new once it is stored again, and what the link leads to is as it was.
    local.put(&content("/k"), "again").await;
    assert_eq!(local.get(&content("/k")).await.text().await.unwrap(), "again");
    assert_eq!(std::fs::read_to_string(&outside).unwrap(), "outside");
}
