//! Sample messages: what is filled in, from where, and when nothing is.

use serde_json::{Value, json};
use skill_sdk::client::VerifySslCert;
use std::fs;
use std::path::Path;
use whole_program_tests::{Ended, PlatformProcess, Run, built, root, skill_runtime};

const SAMPLE: &str = r#"{"payload": {"op": "add", "by": 2}}"#;

fn count(message: &str) -> Run {
    skill_runtime().arg("invoke").arg(&built().content_counter).arg(message)
}

fn value(ended: &Ended) -> Value {
    ended.answer()["value"].clone()
}

#[test]
fn with_nothing_configured_the_embedded_platform_is_started() {
    let mut run = count(SAMPLE);
    let first = run.end();
    assert_eq!(value(&first), 2);
    let logs = first.logs();
    assert_eq!(logs[0]["message"].as_str().unwrap().split(':').next(), Some("no platform is configured"));
    // Its data are below the user's state folder, and stay.
    assert!(run.home().join(".local/state/skill-runtime/platform/pat.json").is_file());
    assert_eq!(value(&run.end()), 4);
}

#[test]
fn data_that_are_named_mean_the_embedded_platform() {
    let data = tempfile::tempdir().unwrap();
    let elsewhere = || count(SAMPLE).env("CORTEX_PERSONAL_ACCESS_CONFIG", "{").arg("--data").arg(data.path());
    assert_eq!(value(&elsewhere().end()), 2);
    assert_eq!(value(&elsewhere().env("RUST_LOG", "off").end()), 4);
    let quiet = elsewhere().env("RUST_LOG", "off").end();
    assert!(quiet.stderr.contains("started the embedded platform"), "it is said whatever is logged: {}", quiet.stderr);
}

#[test]
fn the_readme_command_works() {
    let ended = skill_runtime().args(["invoke", "examples/word-count"]).current_dir(root()).end();
    assert_eq!(ended.answer()["words"], 278);
}

#[test]
fn invocations_at_the_same_time_share_the_data() {
    let data = tempfile::tempdir().unwrap();
    let data = data.path().to_str().unwrap();
    std::thread::scope(|scope| {
        let calls = [(); 4].map(|()| scope.spawn(move || count(SAMPLE).args(["--data", data]).end().answer()));
        for call in calls {
            call.join().unwrap();
        }
    });
}

#[test]
fn a_platform_that_runs_on_the_data_is_used() {
    let data = tempfile::tempdir().unwrap();
    let _platform = PlatformProcess::start(data.path());
    let ended = count(SAMPLE).env("SKILL_DATA", data.path()).end();
    assert_eq!(value(&ended), 2);
    assert!(ended.logs()[0]["message"].as_str().unwrap().contains("using the embedded platform that runs at"));
}

#[test]
fn a_platform_is_configured_by_flags_variables_or_a_profile() {
    let data = tempfile::tempdir().unwrap();
    let platform = PlatformProcess::start(data.path());
    let (url, pat) = (platform.ready["url"].as_str().unwrap(), platform.pat());
    let pat_text = fs::read_to_string(pat).unwrap();
    let profiles = tempfile::tempdir().unwrap();
    let config = json!({
        "version": "5", "currentProfile": "here", "profiles": {"here": serde_json::from_str::<Value>(&pat_text).unwrap()}
    });
    fs::write(profiles.path().join("config"), config.to_string()).unwrap();

    let runs = [
        count(SAMPLE).arg("--personal-access-config").arg(pat),
        count(SAMPLE).env("SKILL_PERSONAL_ACCESS_CONFIG", pat),
        count(SAMPLE).env("CORTEX_PERSONAL_ACCESS_CONFIG", pat),
        count(SAMPLE).env("CORTEX_PERSONAL_ACCESS_CONFIG", &pat_text),
        count(SAMPLE).env("CORTEX_CONFIG_DIR", profiles.path()),
        count(SAMPLE).env("CORTEX_CONFIG_DIR", profiles.path()).args(["--profile", "here"]),
    ];
    for (turn, mut run) in runs.into_iter().enumerate() {
        let ended = run.end();
        assert_eq!(value(&ended), json!(2 * (turn + 1)), "{turn}");
        assert_eq!(ended.logs()[0]["message"], format!("a sample message: acting in project local at {url}"));
    }

    // The default place of the profiles.
    let mut run = count(SAMPLE);
    fs::create_dir(run.home().join(".cortex")).unwrap();
    fs::write(run.home().join(".cortex/config"), config.to_string()).unwrap();
    assert_eq!(value(&run.end()), 14);

    // A token of one's own needs a URL and a project.
    let config = skill_sdk::auth::PersonalAccessConfig::from_json(&pat_text).unwrap();
    let token = {
        use secrecy::ExposeSecret;
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime
            .block_on(config.mint(std::time::Duration::from_secs(60), &VerifySslCert::default()))
            .unwrap()
            .secret()
            .expose_secret()
            .to_owned()
    };
    let ended = count(SAMPLE).env("CORTEX_TOKEN", &token).env("CORTEX_URI", url).env("CORTEX_PROJECT", "local").end();
    assert_eq!(value(&ended), 16);
    let file = profiles.path().join("token");
    fs::write(&file, format!("{token}\n")).unwrap();
    let flags = ["--api-endpoint", url, "--project", "local", "--token-file", file.to_str().unwrap()];
    assert_eq!(value(&count(SAMPLE).args(flags).end()), 18);
    // Another project has another counter.
    assert_eq!(value(&count(SAMPLE).env("CORTEX_PERSONAL_ACCESS_CONFIG", pat).args(["--project", "other"]).end()), 2);

    // Each value has a source of its own: here only the token is in the environment.
    let mixed = count(SAMPLE).env("CORTEX_TOKEN", &token).env("CORTEX_CONFIG_DIR", profiles.path()).end();
    assert_eq!(value(&mixed), 20);
    // A config takes the place of the profile, for its URL and project too.
    let nowhere = config_of_nobody("http://127.0.0.1:9");
    fs::create_dir(profiles.path().join("nobody")).unwrap();
    let profile = json!({"version": "5", "profiles": {"default": nowhere}}).to_string();
    fs::write(profiles.path().join("nobody/config"), profile).unwrap();
    let both = count(SAMPLE).env("CORTEX_TOKEN", &token).env("CORTEX_PERSONAL_ACCESS_CONFIG", pat);
    assert_eq!(value(&{ both }.env("CORTEX_CONFIG_DIR", profiles.path().join("nobody")).end()), 22);
    // A profile that is named wins over the environment.
    let named = count(SAMPLE).env("CORTEX_TOKEN", "asda").env("CORTEX_URI", "http://127.0.0.1:9");
    let named = named.env("CORTEX_CONFIG_DIR", profiles.path()).args(["--profile", "here"]);
    assert_eq!(value(&{ named }.end()), 24);

    let problem = count(SAMPLE).env("CORTEX_TOKEN", &token).end().problem("invalid_message");
    assert!(problem["detail"].as_str().unwrap().starts_with("Your Cortex credentials could not be retrieved."));
    assert_eq!(problem["missing"], json!(["apiEndpoint"]));
    let problem = count(SAMPLE).env("CORTEX_URL", url).end().problem("token_missing");
    assert!(problem["detail"].as_str().unwrap().starts_with("Your Cortex credentials could not be retrieved."));
    let no_project = count(SAMPLE).env("CORTEX_TOKEN", &token).env("CORTEX_URL", url).end().problem("invalid_message");
    assert!(no_project["detail"].as_str().unwrap().starts_with("Please Provide Project Name"));
}

#[test]
fn a_configuration_that_cannot_be_used_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pat.json");
    fs::write(&file, r#"{"jwk": {"kty": "OKP", "crv": "Ed25519", "x": "x", "d": "hunter2"}}"#).unwrap();
    for value in [file.to_str().unwrap(), "/no/such/pat.json", "{", r#"{"jwk": "hunter2"}"#] {
        let ended = count(SAMPLE).env("CORTEX_PERSONAL_ACCESS_CONFIG", value).end();
        let problem = ended.problem("token_invalid");
        assert!(problem["detail"].as_str().unwrap().starts_with("Unable to generate a JWT token, check PAT config"));
        assert!(!ended.stderr.contains("hunter2"), "{}", ended.stderr);
    }
    fs::write(folder.path().join("config"), r#"{"version": "2", "profiles": {"default": {"token": "hunter2"}}}"#)
        .unwrap();
    let ended = count(SAMPLE).env("CORTEX_CONFIG_DIR", folder.path()).end();
    assert!(ended.problem("token_missing")["detail"].as_str().unwrap().contains("cortex configure"));
    assert!(!ended.stderr.contains("hunter2"), "{}", ended.stderr);
}

/// A personal access config that no platform knows, with the key of the contract.
pub(super) fn config_of_nobody(url: &str) -> Value {
    json!({
        "jwk": {
            "crv": "Ed25519", "kty": "OKP", "x": "sr3YcgqEB-vUnNdiBqHZKcsy5V6CX4AczcoLSTEMOsQ",
            "d": "ZXhhbXBsZSBrZXksIG5ldmVyIHVzZWQgYW55d2hlcmU"
        },
        "issuer": "i", "audience": "a", "username": "u", "project": "p", "url": url
    })
}

#[test]
fn a_platform_that_does_not_answer_is_given_up() {
    // It accepts connections and says nothing.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let config = config_of_nobody(&format!("http://{}", listener.local_addr().unwrap()));
    let run = count(SAMPLE).env("CORTEX_PERSONAL_ACCESS_CONFIG", config.to_string()).args(["--timeout", "300ms"]);
    { run }.end().problem("timeout");
}

#[test]
fn nothing_is_filled_for_a_deployed_skill() {
    for (name, value) in [("SKILL_DEPLOYED", "1"), ("SKILL_DEPLOYED", "true"), ("KUBERNETES_SERVICE_HOST", "10.0.0.1")]
    {
        let problem = count(SAMPLE).env(name, value).end().problem("token_missing");
        assert_eq!(problem["missing"], json!(["apiEndpoint", "token", "projectId"]), "{name}");
    }
    count(SAMPLE).arg("--deployed").end().problem("token_missing");
    assert_eq!(value(&count(SAMPLE).env("SKILL_DEPLOYED", "0").end()), 2);
    // The environment is not even looked at.
    let misled = count(SAMPLE).arg("--deployed").env("CORTEX_PERSONAL_ACCESS_CONFIG", "{").end();
    misled.problem("token_missing");
}

#[test]
fn a_message_with_some_of_the_three_is_never_filled() {
    let data = tempfile::tempdir().unwrap();
    let platform = PlatformProcess::start(data.path());
    for broken in [r#"{"projectId": "local"}"#, r#"{"token": ""}"#, r#"{"apiEndpoint": null}"#] {
        let ended = count(broken).env("CORTEX_PERSONAL_ACCESS_CONFIG", platform.pat()).end();
        assert_ne!(ended.code, Some(0), "{broken}");
        ended.problem("token_missing");
    }
}

/// A folder with a skill in it and what lies beside.
fn folder_with(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(&built().misbehaving, folder.path().join("libskills.so")).unwrap();
    for (name, content) in files {
        fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

fn invoke_in(folder: &Path) -> Run {
    skill_runtime().arg("invoke").arg(folder.join("libskills.so")).args(["--skill", "echo"])
}

#[test]
fn a_message_may_lie_beside_the_skill_or_anywhere() {
    let folder =
        folder_with(&[("message.json", r#"{"payload": "beside"}"#), ("other.json", r#"{"payload": "other"}"#)]);
    assert_eq!(invoke_in(folder.path()).end().answer(), "beside");
    let other = folder.path().join("other.json");
    assert_eq!(invoke_in(folder.path()).arg(&other).end().answer(), "other");
    assert_eq!(invoke_in(folder.path()).arg("other.json").current_dir(folder.path()).end().answer(), "other");
    assert_eq!(invoke_in(folder.path()).arg("-").stdin(r#"{"payload": "input"}"#).end().answer(), "input");
    assert_eq!(invoke_in(folder.path()).arg(r#" {"payload": "text"}"#).end().answer(), "text");
}

#[test]
fn properties_have_the_defaults_of_the_definition() {
    let definition = "name: acme/limited\nproperties:\n- {name: top, defaultValue: 1}\n- {name: none}\n";
    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().join("libword_count.so");
    fs::copy(&built().word_count, &library).unwrap();
    fs::write(folder.path().join("skill.yaml"), definition).unwrap();
    let top = |message: Value| {
        let ended = skill_runtime().arg("invoke").arg(&library).arg(message.to_string()).end();
        ended.answer()["top"].as_array().unwrap().len()
    };
    assert_eq!(top(json!({"payload": {"text": "a b c"}})), 1);
    assert_eq!(top(json!({"payload": {"text": "a b c"}, "properties": {"top": 2}})), 2);
    // A complete message has its own.
    assert_eq!(top(super::message(&json!({"text": "a b c"}))), 3);

    fs::write(folder.path().join("skill.yaml"), "- not a definition").unwrap();
    let ended = skill_runtime().arg("invoke").arg(&library).arg(r#"{"payload": {"text": "a"}}"#).end();
    ended.problem_with_exit("invalid_message", 78);
}
