//! How platforms are reached: TLS against servers with certificates made here, and proxies.

#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test is told by a panic")]
#![expect(clippy::print_stdout, reason = "a child process tells its test so")]

mod proxies;
mod server;
mod tls;

use std::collections::BTreeMap;
use std::process::{Command, Output};

use skill_sdk::client::{MessageOptions, VerifySslCert};
use skill_sdk::{Client, Error, testing};
use tokio::task::spawn_blocking;

/// Asks a platform whether something exists.
fn client(url: &str, verify: impl Into<VerifySslCert>) -> Result<Client, Error> {
    let options = MessageOptions { verify_ssl_cert: verify.into(), ..MessageOptions::default() };
    Client::from_message_with(testing::message(&()).with_api_endpoint(url), &options)
}

/// Asks once.
async fn ask(url: &str, verify: impl Into<VerifySslCert>) -> Result<bool, Error> {
    client(url, verify)?.with_retries(0).content().exists("k").await
}

/// The variable that tells [`asks_what_its_parent_says`] what to ask.
const URL: &str = "SKILL_SDK_TEST_URL";

/// The variables that change how platforms are reached.
const VARIABLES: [&str; 13] = [
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
    "REQUEST_METHOD",
];

/// As [`ask`], in a process that has just these of the [`VARIABLES`]. Gives all that was said: the answer, or the error in all
/// its forms, and the log.
async fn ask_with(url: &str, variables: BTreeMap<&'static str, String>) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "asks_what_its_parent_says", "--nocapture"]);
    for name in VARIABLES {
        command.env_remove(name);
    }
    command.env(URL, url).envs(variables);
    let Output { status, stdout, stderr } = spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let said = format!("{}{}", String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    assert!(status.success(), "{said}");
    said
}

/// Runs in a process of its own, where [`ask_with`] starts it: no other test may see the variables of this one.
#[tokio::test]
async fn asks_what_its_parent_says() {
    let Ok(url) = std::env::var(URL) else { return };
    server::log_to_stdout();
    match ask(&url, VerifySslCert::Yes).await {
        Ok(found) => println!("found: {found}"),
        Err(error) => println!("{}: {}\n{error:?}", error.code(), error.chain()),
    }
}
