//! How a platform is started.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::fault::Faults;
use crate::skills::SkillHost;

/// How a platform is started.
///
/// ```
/// use local_platform::Options;
/// # use std::time::Duration;
///
/// let for_a_test = Options::in_memory().with_token_ttl(Duration::from_secs(5));
/// let that_stays = Options::at("/var/lib/platform").with_port(8080).announced();
/// ```
#[derive(Clone, Debug)]
pub struct Options {
    pub(crate) data: Option<PathBuf>,
    pub(crate) port: u16,
    pub(crate) announce: bool,
    pub(crate) limits: Limits,
    pub(crate) token_ttl: Option<Duration>,
    pub(crate) faults: Faults,
    pub(crate) skills: Option<Arc<dyn SkillHost>>,
}

impl Options {
    /// Keeps everything in a folder, which is created, for its owner only, when it is missing.
    pub fn at(data: impl Into<PathBuf>) -> Self {
        Self { data: Some(data.into()), ..Self::in_memory() }
    }

    /// Keeps nothing: with the platform all is gone. Only the personal access config is a file meanwhile, in a temporary folder.
    pub fn in_memory() -> Self {
        Self {
            data: None,
            port: 0,
            announce: false,
            limits: Limits::default(),
            token_ttl: None,
            faults: Faults::default(),
            skills: None,
        }
    }

    /// Listens on this port of 127.0.0.1. 0, the default, takes any that is free.
    pub fn with_port(self, port: u16) -> Self {
        Self { port, ..self }
    }

    /// Writes this run's URL into an existing `pat.json`; one that is missing is created with it either way.
    ///
    /// An in-process platform of one invocation does not announce itself, so that other processes never take its
    /// short-lived address for that of a platform that stays.
    pub fn announced(self) -> Self {
        Self { announce: true, ..self }
    }

    /// Refuses requests and answers over these limits.
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Refuses tokens that are older than this as expired, whatever their `exp` says. By default `exp` counts alone.
    pub fn with_token_ttl(self, ttl: Duration) -> Self {
        Self { token_ttl: Some(ttl), ..self }
    }

    /// Misbehaves by these rules.
    pub fn with_faults(self, faults: Faults) -> Self {
        Self { faults, ..self }
    }

    /// Runs these skills when they are invoked.
    pub fn with_skills(self, skills: Arc<dyn SkillHost>) -> Self {
        Self { skills: Some(skills), ..self }
    }
}

/// How large things may be, in bytes; over a limit is refused with 413, never cut (fabric-invocation section 7, with "k" as
/// 1024 bytes of UTF-8 JSON as sent). Content and artifacts have no limit.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The body of a request, unpacked: 500 KiB.
    pub request: usize,
    /// The payload of a job: 100 KiB.
    pub job_payload: usize,
    /// The answer of a job: 100 KiB.
    pub job_response: usize,
    /// The answer of a daemon: 512 KiB.
    pub daemon_response: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { request: 500 << 10, job_payload: 100 << 10, job_response: 100 << 10, daemon_response: 512 << 10 }
    }
}
