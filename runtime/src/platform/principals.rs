//! `platform principal`: who may act on an embedded platform, whether it runs or not.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_lc_rs::encoding::{AsBigEndian, Curve25519SeedBin};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Method, redirect};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use skill_sdk::{Code, Error};

use crate::cli::exit;
use crate::cli::platform::{OfPlatform, PrincipalCommand};
use crate::identity::{self, Identity};
use crate::outcome::Refusal;
use crate::stdout;

/// How long the token lives that a command makes for itself.
const TOKEN: Duration = Duration::from_mins(2);
/// How long a request may take.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn run(command: PrincipalCommand) -> Result<(), Refusal> {
    let done = async {
        match command {
            PrincipalCommand::Add(options) => {
                add(&options.0.platform, &options.0.name, &options.0.groups, &options.0.pat).await
            }
            PrincipalCommand::List(platform) => {
                let answer = ask(&platform.0, Method::GET, "", None).await?;
                Ok(answer.get("principals").cloned().unwrap_or_default())
            }
            PrincipalCommand::Remove(options) => {
                let answer = ask(&options.0.platform, Method::DELETE, &options.0.name, None).await?;
                Ok(json!({"name": answer.get("name")}))
            }
        }
    };
    let told = super::runtime()?.block_on(done)?;
    Ok(stdout::write(&format!("{told:#}\n"))?)
}

/// Adds a principal. Its key goes into the file first, so that none is added whose key nobody has.
async fn add(platform: &OfPlatform, name: &str, groups: &[String], pat: &Path) -> Result<Value, Refusal> {
    let path = std::path::absolute(pat).unwrap_or_else(|_| pat.to_owned());
    let key = Ed25519KeyPair::generate().ok().and_then(|pair| {
        let seed: Curve25519SeedBin<'_> = pair.seed().ok()?.as_be_bytes().ok()?;
        Some((URL_SAFE_NO_PAD.encode(pair.public_key()), URL_SAFE_NO_PAD.encode(seed.as_ref())))
    });
    let (public, private) = key.ok_or_else(|| Error::new(Code::Internal, "no key can be generated"))?;
    let unusable = |error| {
        let error = Error::new(Code::SkillFailed, format!("cannot write {}", path.display())).with_source(error);
        Refusal::with_exit_code(error, exit::CONFIG)
    };
    // What is there already may be somebody's only copy of a key.
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(unusable)?;
    let written = Written(Some(path.clone()));
    let jwk = json!({"crv": "Ed25519", "kty": "OKP", "x": public, "d": private});
    let mut config = json!({"jwk": jwk, "username": name, "name": name});
    write(&file, &config).map_err(unusable)?;
    let sent = json!({"name": name, "x": public, "groups": groups, "pat": path});
    let added = ask(platform, Method::POST, "", Some(sent)).await?;
    // The key is in use from here on.
    written.keep();
    for field in ["issuer", "audience", "url", "project"] {
        config[field] = added.get(field).cloned().unwrap_or_default();
    }
    write(&file, &config).map_err(unusable)?;
    Ok(json!({"name": name, "groups": groups, "pat": path}))
}

/// Writes a config from the beginning of a file, in place of a shorter one.
fn write(mut file: &File, config: &Value) -> io::Result<()> {
    file.rewind()?;
    file.write_all(format!("{config:#}\n").as_bytes())?;
    file.sync_all()
}

/// A file that is removed again unless it is kept.
struct Written(Option<PathBuf>);

impl Written {
    fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        if let Some(path) = self.0.take() {
            // Nobody knows its key; one that stays is in nobody's way but that of the next try, which names it.
            let _ = fs::remove_file(path);
        }
    }
}

/// What the platform answers about its principals. It is started for the while if it does not run.
async fn ask(of: &OfPlatform, method: Method, name: &str, body: Option<Value>) -> Result<Value, Refusal> {
    let data = identity::data_folder(of.data.as_deref())?;
    // Only who adds somebody may mean data that are not there yet.
    if method != Method::POST && !data.join("pat.json").is_file() {
        let error = Error::new(Code::SkillFailed, format!("there are no data of a platform in {}", data.display()));
        return Err(Refusal::with_exit_code(error, exit::CONFIG));
    }
    let (Identity { url, token, .. }, _platform) = identity::embedded_in(of.data.as_deref(), TOKEN).await?;
    let failed = |what: String| Error::new(Code::PlatformUnavailable, format!("the embedded platform {what}"));
    // It is on this machine: no proxy is asked.
    let http = reqwest::Client::builder().no_proxy().redirect(redirect::Policy::none()).timeout(PATIENCE).build();
    let http = http.map_err(|error| failed("cannot be asked".to_owned()).with_source(error))?;
    let mut target =
        url::Url::parse(&url).map_err(|error| failed("has no usable URL".to_owned()).with_source(error))?;
    if let Ok(mut segments) = target.path_segments_mut() {
        segments.extend(["local-platform", "v1", "principals"]).extend((!name.is_empty()).then_some(name));
    }
    let mut request = http.request(method, target).bearer_auth(token.expose_secret());
    if let Some(body) = body {
        request = request.header("content-type", "application/json").body(body.to_string());
    }
    let answered = async {
        let response = request.send().await?;
        let status = response.status();
        Ok::<_, reqwest::Error>((status, response.bytes().await?))
    };
    let (status, body) =
        answered.await.map_err(|error| failed("does not answer".to_owned()).with_source(error.without_url()))?;
    let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
    if status.is_success() {
        return Ok(answer);
    }
    let said = answer.get("message").and_then(Value::as_str).unwrap_or_default();
    let answered = format!("answers {}: {said}", status.as_u16());
    if status.is_client_error() {
        let error = Error::new(Code::SkillFailed, format!("the embedded platform {answered}"));
        return Err(Refusal::with_exit_code(error, exit::USAGE));
    }
    Err(failed(answered).into())
}
