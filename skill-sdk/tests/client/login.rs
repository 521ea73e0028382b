//! A login, in a process of its own: it counts for the whole process, and reads its standard input.

use std::io::Write;
use std::process::{Command, Stdio};

use skill_sdk::Client;

/// The variable that tells [`logs_in_as_its_parent_says`] that it is a child.
const CHILD: &str = "SKILL_SDK_TEST_LOGIN";

const KEY: &str = "ZXhhbXBsZSBrZXksIG5ldmVyIHVzZWQgYW55d2hlcmU";

#[test]
fn what_was_entered_comes_before_the_environment() {
    let config = serde_json::json!({
        "jwk": {"crv": "Ed25519", "kty": "OKP", "x": "sr3YcgqEB-vUnNdiBqHZKcsy5V6CX4AczcoLSTEMOsQ", "d": KEY},
        "issuer": "i", "audience": "a", "username": "u", "url": "http://of-the-config"
    });
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CORTEX_")) {
        command.env_remove(name);
    }
    let mut child = command
        .args(["--exact", "login::logs_in_as_its_parent_says", "--nocapture"])
        .env(CHILD, "1")
        .env("HOME", home.path())
        .envs([("CORTEX_TOKEN", "asda"), ("CORTEX_URI", "http://offered"), ("CORTEX_PROJECT", "of-the-variable")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(format!("http://entered\n{config}\nentered\n").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{stdout}{stderr}");
    for line in ["login: http://entered entered", "builder: http://entered entered", "variables: CORTEX_TOKEN=asda"] {
        assert!(stdout.contains(line), "{line}: {stdout}");
    }
    assert!(
        stderr.contains("Cortex URI: [http://offered] \nPersonal Access Config: \nCortex Project name: "),
        "{stderr}"
    );
    assert!(!stdout.contains(KEY) && !stderr.contains(KEY));
    assert!(std::fs::read_dir(home.path()).unwrap().next().is_none(), "nothing is kept on the disk");
}

/// Runs in a process of its own, where [`what_was_entered_comes_before_the_environment`] starts it.
#[tokio::test]
async fn logs_in_as_its_parent_says() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let shown = |client: &Client| format!("{} {}", client.api_endpoint(), client.project());
    println!("login: {}", shown(&Client::login().await.unwrap()));
    println!("builder: {}", shown(&Client::builder().build().unwrap()));
    let kept: Vec<_> = std::env::vars().filter(|(name, _)| name.starts_with("CORTEX_")).collect();
    assert_eq!(kept.len(), 3, "the environment is left alone");
    println!("variables: CORTEX_TOKEN={}", std::env::var("CORTEX_TOKEN").unwrap());
}
