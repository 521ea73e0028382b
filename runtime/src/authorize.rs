//! What the caller may do: the step of the pipeline between who asks and the handler.
//!
//! The platform says what a token is good for. Of that it is remembered what the caller lacks of each skill, and for no longer than
//! [`LONGEST`]: whoever is given a capability, or loses one, need not wait for another token.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{Context, SHA256};
use remembered::{Clock, Fingerprint, Remembered, Until};
use secrecy::ExposeSecret;
use skill_sdk::auth::AccessToken;
use skill_sdk::iam::{Capability, CompareOptions, Comparison, Iam, compare_capabilities};
use skill_sdk::{Client, Code, Error, Manifest};

use crate::skills::{HostedSkill, Skills};

mod remembered;

/// Longest time for which it is remembered what a token is good for.
const LONGEST: Duration = Duration::from_mins(1);

/// Most tokens of which that is remembered, at some 300 bytes each.
const REMEMBERED: usize = 10_000;

/// How often a call that fails is repeated. Somebody waits: the nine times of these calls take minutes where a platform hangs.
const RETRIES: u32 = 3;

/// What platforms are told as the application that calls them.
const APPLICATION: &str = env!("CARGO_PKG_NAME");

/// Access management as this program calls it.
pub(crate) fn access_management(client: &Client) -> Iam {
    client.with_retries(RETRIES).iam().with_application(APPLICATION)
}

/// Lets those through to the skills of a host who have what these require.
pub(crate) struct Authorizer {
    guarded: Arc<[Guarded]>,
    /// By token, platform and project. Made for the first message to a skill that requires something.
    inspected: OnceLock<Remembered<Lacking>>,
    clock: Clock,
}

/// A skill that requires something.
struct Guarded {
    name: String,
    requires: Vec<Capability>,
}

/// What the caller lacks of each guarded skill, in their order.
type Lacking = Vec<Comparison>;

/// Checks that each capability that a skill requires can be understood, and can be lacked.
///
/// # Errors
///
/// [`Code::SkillNotFound`], which says what is wrong.
pub(crate) fn check(manifest: &Manifest, origin: &str) -> Result<(), Error> {
    let unusable = |what: String| {
        let detail = format!("the skill `{}` of {origin} cannot be used: it requires {what}", manifest.name);
        Error::new(Code::SkillNotFound, detail)
    };
    for capability in &manifest.requires {
        let what = || format!("{capability:?}, which this host does not understand");
        capability.check().map_err(|error| unusable(what()).with_source(error))?;
        // Whoever has nothing must lack it, or everybody would come through: a list of data sets may have been left empty.
        let what = || unusable(format!("{capability:?}, which nobody could lack"));
        match compare_capabilities(&(), capability, &CompareOptions::new()) {
            Ok(lacking) if lacking.is_granted() => return Err(what()),
            Ok(_) => {}
            Err(error) => return Err(what().with_source(error)),
        }
    }
    Ok(())
}

impl Authorizer {
    /// For the skills of a host.
    pub(crate) fn of(skills: &Skills) -> Self {
        let manifests = skills.iter().map(HostedSkill::manifest);
        let guarded = manifests.filter(|manifest| !manifest.requires.is_empty());
        let guarded =
            guarded.map(|manifest| Guarded { name: manifest.name.clone(), requires: manifest.requires.clone() });
        Self { guarded: guarded.collect(), inspected: OnceLock::new(), clock: Instant::now }
    }

    /// Checks that the caller has what a skill requires, in the project of the client. The platform is asked, unless it was in
    /// the last minute and the token has not ended since. Those who come at the same time wait for one answer.
    ///
    /// # Errors
    ///
    /// - [`Code::MissingCapabilities`], which lists them.
    /// - [`Code::TokenExpired`] and [`Code::TokenInvalid`] when the platform refuses the token.
    /// - [`Code::PlatformUnavailable`] when it does not say what the token is good for, whatever the reason. It is no failure of
    ///   the skill, which has not been run.
    pub(crate) async fn authorize(&self, manifest: &Manifest, client: &Client) -> Result<(), Error> {
        if manifest.requires.is_empty() {
            return Ok(());
        }
        let token = client.token().await?;
        let inspected = self.inspected.get_or_init(|| Remembered::new(REMEMBERED, self.clock));
        let ask = || inspect(client.clone(), token.clone(), Arc::clone(&self.guarded), self.clock);
        let lacking = inspected.get_or(fingerprint(&token, client), ask).await.map_err(|error| not_told(&error))?;
        let place = self.guarded.iter().position(|guarded| guarded.name == manifest.name);
        match place.and_then(|place| lacking.get(place)) {
            Some(lacking) => lacking.check(),
            None => Err(Error::new(Code::Internal, "it was not noted what the skill requires")),
        }
    }
}

#[cfg(test)]
impl Authorizer {
    /// With a clock that a test can move.
    pub(crate) fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }
}

/// Asks the platform what a token is good for, and compares that with what each skill requires.
async fn inspect(
    client: Client,
    token: AccessToken,
    guarded: Arc<[Guarded]>,
    clock: Clock,
) -> Result<Until<Lacking>, Error> {
    let asked = clock();
    let held = access_management(&client).token().inspect().await?.capabilities;
    let options = CompareOptions::new().project(client.project());
    let lacks = |guarded: &Guarded| {
        let mut lacking = compare_capabilities(&held, &guarded.requires, &options)?;
        // They were logged, and there may be many.
        lacking.warnings = Vec::new();
        Ok(lacking)
    };
    let lacking = guarded.iter().map(lacks).collect::<Result<Lacking, Error>>()?;
    // One that ended a moment ago by our clock may live by the platform's. It is good for those who wait for it now.
    let left = token.time_left().map_or(LONGEST, |left| Duration::try_from(left).unwrap_or_default());
    Ok(Until(lacking, asked + left.min(LONGEST)))
}

/// The failure of an invocation of which it is not known whether it may be run.
fn not_told(error: &Error) -> Error {
    let (code, detail) = match error.code() {
        code @ (Code::TokenMissing | Code::TokenInvalid | Code::TokenExpired | Code::Internal) => (code, error.chain()),
        _ => (Code::PlatformUnavailable, format!("it is not known what the caller may do: {}", error.chain())),
    };
    error.http_status().into_iter().fold(Error::new(code, detail), Error::with_http_status)
}

fn fingerprint(token: &AccessToken, client: &Client) -> Fingerprint {
    let mut digest = Context::new(&SHA256);
    for part in [token.secret().expose_secret(), client.api_endpoint(), client.project()] {
        // Where one ends and the next begins.
        digest.update(&part.len().to_le_bytes());
        digest.update(part.as_bytes());
    }
    let mut fingerprint = Fingerprint::default();
    fingerprint.copy_from_slice(digest.finish().as_ref());
    fingerprint
}

#[cfg(test)]
mod clock;
#[cfg(test)]
mod tests;
