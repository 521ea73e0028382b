//! What `platform` can be told: to keep nothing, to run skills, and to misbehave.

use std::path::Path;

use serde_json::{Value, json};
use skill_sdk::auth::PersonalAccessConfig;
use skill_sdk::{Client, Code};
use whole_program_tests::{PlatformProcess, built, skill_runtime};

/// The client of a platform's administrator.
fn client(platform: &PlatformProcess) -> Client {
    let config = PersonalAccessConfig::from_file(platform.pat()).unwrap();
    Client::builder().without_environment().without_profile().config(config).build().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_platform_in_memory_keeps_nothing() {
    let platform = PlatformProcess::start_with(&["--memory"]);
    let pat = platform.pat().to_owned();
    let client = client(&platform);
    client.content().upload("k", "v", "text/plain").await.unwrap();
    client.secrets().post("s", "v").await.unwrap();
    assert_eq!(client.content().list("").await.unwrap().len(), 1);
    let folder = pat.parent().unwrap().to_owned();
    let names = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    assert_eq!(names, ["lock", "pat.json"]);
    assert_eq!(platform.stop(), Some(0));
    assert!(!folder.exists());
}

#[test]
fn a_platform_in_memory_that_cannot_say_where_it_is_leaves_nothing() {
    let temporary = tempfile::tempdir().unwrap();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let run = std::process::Command::new(&built().runtime)
        .args(["platform", "--memory"])
        .env("TMPDIR", temporary.path())
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(run.status.code(), Some(70), "{}", String::from_utf8_lossy(&run.stderr));
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn skills_are_run_when_they_are_invoked() {
    let data = tempfile::tempdir().unwrap();
    let (words, others) = (built().word_count.to_str().unwrap(), built().misbehaving.to_str().unwrap());
    let platform = PlatformProcess::start_with(&[
        "--data",
        data.path().to_str().unwrap(),
        "--skill",
        words,
        "--skill",
        others,
        "--timeout",
        "20s",
    ]);
    let skills = client(&platform).skills();
    let names = skills.list().await.unwrap().into_iter().map(|skill| skill.name).collect::<Vec<_>>();
    assert!(names.contains(&"word-count".to_owned()) && names.contains(&"asks-platform".to_owned()), "{names:?}");

    let answer = skills.invoke("word-count", "request", &json!({"text": "a b a"}), &()).await.unwrap();
    let response: Value = serde_json::from_str(answer["response"].as_str().unwrap()).unwrap();
    assert_eq!(response["words"], 3);
    // With a client of its own, which the message makes.
    let id = skills.invoke_async("asks-platform", "request", &json!({"how": "plainly"}), &()).await.unwrap();
    let ended = async {
        loop {
            let activation = skills.activation(&id).await.unwrap();
            if activation.is_complete() {
                return activation;
            }
        }
    };
    let ended = tokio::time::timeout(std::time::Duration::from_secs(20), ended).await.unwrap();
    assert_eq!((ended.success, ended.response.clone()), (Some(true), json!("false\n")), "{ended:?}");
    // A panic is an outcome; the platform lives on.
    let panicked = skills.invoke("panics", "request", &json!("text"), &()).await.unwrap();
    assert_eq!(panicked["error"]["code"], "skill_panicked", "{panicked}");
    assert!(!skills.list().await.unwrap().is_empty());
}

#[test]
fn skills_that_cannot_be_run_stop_the_start() {
    let data = tempfile::tempdir().unwrap();
    let start = |skills: &[&Path]| {
        let run = skill_runtime().args(["platform", "--data"]).arg(data.path());
        { run.args(skills.iter().flat_map(|path| [Path::new("--skill"), path])) }.end()
    };
    let problem = start(&[Path::new("nowhere.so")]).problem("skill_not_found");
    assert!(problem["detail"].as_str().unwrap().contains("nowhere.so"), "{problem}");
    let twice = start(&[&built().word_count, &built().word_count]).problem("skill_not_found");
    assert!(twice["detail"].as_str().unwrap().starts_with("two skills have the name `word-count`"), "{twice}");
    assert!(std::fs::read_dir(data.path()).unwrap().next().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_platform_misbehaves_as_it_is_told() {
    let platform = PlatformProcess::start_with(&[
        "--memory",
        "--fault",
        "GET *content*: status=503, count=1",
        "--fault",
        "DELETE *: x-auth-error=expired",
    ]);
    let client = client(&platform).with_retries(0);
    let error = client.content().list("").await.unwrap_err();
    assert_eq!((error.code(), error.http_status()), (Code::PlatformUnavailable, Some(503)));
    assert!(client.content().list("").await.unwrap().is_empty());
    assert_eq!(client.content().delete("k").await.unwrap_err().code(), Code::TokenExpired);

    // Whatever a token says of its life.
    let platform = PlatformProcess::start_with(&["--memory", "--token-ttl", "1ns"]);
    let list = skill_runtime().args(["content", "list"]).arg("--personal-access-config").arg(platform.pat());
    { list }.end().problem("token_expired");
}

#[test]
fn what_is_typed_comes_before_variables() {
    let folder = tempfile::tempdir().unwrap();
    let start = |variables: &[(&str, &str)], args: &[&str]| {
        let platform = PlatformProcess::start_in(folder.path(), variables, args);
        let keeps = platform.pat().starts_with(folder.path());
        assert_eq!(platform.stop(), Some(0));
        keeps
    };
    assert!(!start(&[("SKILL_DATA", "kept")], &["--memory"]));
    assert!(!folder.path().join("kept").exists());
    // A path that was relative is whole for whoever reads it.
    assert!(start(&[("SKILL_PLATFORM_MEMORY", "1")], &["--data", "kept"]));
    assert!(start(&[("SKILL_PLATFORM_MEMORY", "false"), ("SKILL_DATA", "kept")], &[]));
    assert!(!start(&[("SKILL_PLATFORM_MEMORY", "true")], &[]));

    let both = skill_runtime().arg("platform").env("SKILL_PLATFORM_MEMORY", "1").env("SKILL_DATA", "kept").end();
    assert_eq!((both.code, both.stdout.as_str()), (Some(64), ""), "{}", both.stderr);
    let list = skill_runtime().args(["platform", "principal", "list"]).current_dir(folder.path());
    let listed = { list.env("SKILL_PLATFORM_MEMORY", "1").env("SKILL_DATA", "kept") }.end();
    assert_eq!(listed.code, Some(0), "{}", listed.stderr);
}

#[test]
fn what_makes_no_sense_is_a_usage_error() {
    for args in [
        &["--fault", "explode"][..],
        &["--fault", "GET /: status=99"],
        &["--fault", "GET fabric/v4/*: reset"],
        &["--fault", "GET /: reset, rate=2"],
        &["--token-ttl", "5"],
        &["--memory", "--data", "x"],
        &["--fault-seed", "x"],
        &["--max-request", "x"],
        &["principal"],
        &["principal", "add"],
        &["principal", "add", "ann"],
        &["--memory", "principal", "list"],
    ] {
        let ended = { skill_runtime().arg("platform").args(args) }.end();
        assert_eq!(ended.code, Some(64), "{args:?}: {}", ended.stderr);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn principals_are_added_whether_the_platform_runs_or_not() {
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().join("data");
    let principal = |args: &[&str], path: Option<&Path>| {
        let run = skill_runtime().args(["platform", "principal"]).args(args);
        let run = run.args(path.iter().flat_map(|path| [Path::new("--pat"), path]));
        { run.arg("--data").arg(&folder) }.end()
    };
    let (ann, bob) = (data.path().join("ann.json"), data.path().join("bob.json"));
    let added = principal(&["add", "ann", "--group", "readers", "--group", "writers"], Some(&ann));
    let told: Value = serde_json::from_str(&added.stdout).unwrap();
    assert_eq!(told, json!({"name": "ann", "groups": ["readers", "writers"], "pat": ann}), "{}", added.stderr);
    let mode = std::os::unix::fs::PermissionsExt::mode(&ann.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);

    let platform = PlatformProcess::start(&folder);
    assert_eq!(principal(&["add", "bob"], Some(&bob)).code, Some(0));
    for (path, name) in [(&ann, "ann"), (&bob, "bob")] {
        let config = PersonalAccessConfig::from_file(path).unwrap();
        let client = Client::builder().without_environment().without_profile().config(config).build().unwrap();
        assert_eq!(client.api_endpoint(), platform.ready["url"].as_str().unwrap());
        assert_eq!(client.iam().token().inspect().await.unwrap().subject, name);
    }
    let key: Value = serde_json::from_slice(&std::fs::read(&bob).unwrap()).unwrap();
    let listed = principal(&["list"], None);
    let names: Vec<Value> = serde_json::from_str(&listed.stdout).unwrap();
    assert_eq!(names.len(), 3, "{}", listed.stdout);
    // Keys are in the files alone.
    for ended in [&added, &listed] {
        assert!(!format!("{}{}", ended.stdout, ended.stderr).contains(key["jwk"]["d"].as_str().unwrap()));
    }

    // Nothing is written over, and what fails leaves no file.
    let problem = principal(&["add", "carl"], Some(&ann)).problem_with_exit("skill_failed", 78);
    assert!(problem["detail"].as_str().unwrap().starts_with("cannot write "), "{problem}");
    let again = data.path().join("again.json");
    let problem = principal(&["add", "ann"], Some(&again)).problem_with_exit("skill_failed", 64);
    assert!(problem["detail"].as_str().unwrap().ends_with("there is a principal ann already"), "{problem}");
    assert!(!again.exists());
    assert_eq!(principal(&["remove", "bob"], None).code, Some(0));
    let refused = skill_runtime().args(["content", "list"]).arg("--personal-access-config").arg(&bob);
    { refused }.end().problem("token_invalid");
    assert_eq!(principal(&["remove", "bob"], None).code, Some(64));

    // A folder that is mistyped is told, and not made.
    let mistyped = data.path().join("dta");
    let ended = { skill_runtime().args(["platform", "principal", "list", "--data"]).arg(&mistyped) }.end();
    ended.problem_with_exit("skill_failed", 78);
    assert!(!mistyped.exists());
}
