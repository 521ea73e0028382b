//! The embedded platform as a process of its own, with principals that have keys of their own.

use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::ExposeSecret;
use serde_json::{Value, json};
use skill_sdk::Client;
use skill_sdk::auth::PersonalAccessConfig;
use skill_sdk::client::VerifySslCert;
use skill_sdk::iam::{Group, GroupWrite};
use tempfile::TempDir;
use whole_program_tests::{PlatformProcess, Run, skill_runtime};

/// A platform with data of its own.
pub(crate) struct Local {
    process: PlatformProcess,
    data: TempDir,
}

impl Local {
    pub(crate) fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        Self { process: PlatformProcess::start(data.path()), data }
    }

    pub(crate) fn url(&self) -> &str {
        self.process.ready["url"].as_str().unwrap()
    }

    /// The personal access config of the administrator.
    pub(crate) fn administrator(&self) -> &Path {
        self.process.pat()
    }

    /// Adds a principal of these groups, and gives its personal access config.
    pub(crate) fn principal(&self, name: &str, groups: &[&str]) -> PathBuf {
        let pat = self.data.path().join(format!("{name}.json"));
        let add = skill_runtime().args(["platform", "principal", "add", name]);
        let add = add.args(groups.iter().flat_map(|group| ["--group", group]));
        let ended = { add.arg("--pat").arg(&pat).arg("--data").arg(self.data.path()) }.end();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        pat
    }

    /// The client of a principal.
    pub(crate) fn client(&self, pat: &Path, project: &str) -> Client {
        let config = PersonalAccessConfig::from_file(pat).unwrap();
        let client = Client::builder().without_environment().without_profile().config(config);
        client.api_endpoint(self.url()).project(project).build().unwrap()
    }

    /// Creates a group that gives its members these capabilities.
    pub(crate) async fn group(&self, project: &str, name: &str, capabilities: &[Value]) -> Group {
        let group = json!({"name": name, "capabilities": capabilities});
        let group: GroupWrite = serde_json::from_value(group).unwrap();
        self.client(self.administrator(), project).iam().groups().create(group).await.unwrap()
    }

    /// A token of a principal.
    pub(crate) async fn token(&self, pat: &Path) -> String {
        let config = PersonalAccessConfig::from_file(pat).unwrap();
        let token = config.mint(Duration::from_mins(2), &VerifySslCert::default()).await.unwrap();
        token.secret().expose_secret().to_owned()
    }

    /// Makes a command be run for a principal, in a project of the platform.
    pub(crate) fn as_principal(&self, run: Run, pat: &Path, project: &str) -> Run {
        let run = run.arg("--personal-access-config").arg(pat);
        run.args(["--api-endpoint", self.url(), "--project", project])
    }
}
