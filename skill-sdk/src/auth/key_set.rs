//! The public keys of whoever signs tokens: a JWK set (RFC 7517, section 5), read from where it is kept, and read again when
//! that may have changed.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::value::RawValue;
use url::Url;

use crate::auth::file::{LONGEST, read_text};
use crate::auth::jwk::Key;
use crate::auth::shared_work::SharedWork;
use crate::client::VerifySslCert;
use crate::client::address::check_http;
use crate::client::call::Call;
use crate::client::request::{exchange, unavailable};
use crate::error::{Code, Error};

/// Most keys of a set. Issuers have a handful.
const MOST_KEYS: usize = 100;

/// What every failure to get the keys begins with.
const UNABLE: &str = "the keys that check tokens cannot be read";

/// The public keys with which a [`Verifier`](super::Verifier) checks signatures.
///
/// Keys from a file or a URL are read again
///
/// - when a token names a key that is not there, at most every 30 s, however often that happens and whether it helps or not,
/// - when they are used an hour after they were last read, so that a key that was withdrawn is not trusted for ever.
///
/// Whoever asks while they are read waits for that one reading. While they cannot be read, the keys in use stay. As long as
/// there are none, every use tries again, at most once a second.
///
/// Used are keys for the algorithms of [`Algorithm`](super::Algorithm): Ed25519, P-256, P-384 and RSA from 2048 to 8192 bits. An
/// `alg` in the key leaves it that algorithm alone. Other keys, keys with another `use` than `sig` and keys with `key_ops` but
/// without `verify` are passed over. Private parts of a key are not kept.
pub struct KeySet(Arc<Shared>);

struct Shared {
    source: Source,
    pace: Pace,
    state: Mutex<State>,
}

enum Source {
    /// Nothing to read again.
    Text,
    File(PathBuf),
    Url(Url, VerifySslCert),
}

/// How often keys are read.
#[derive(Clone, Copy)]
struct Pace {
    /// Shortest time between two readings.
    interval: Duration,
    /// The same as long as there are no keys.
    interval_without: Duration,
    /// Longest use of keys without reading them again.
    longest_use: Duration,
    /// Longest time that a reading may take.
    patience: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(30),
            interval_without: Duration::from_secs(1),
            longest_use: Duration::from_hours(1),
            patience: Duration::from_secs(10),
        }
    }
}

struct State {
    keys: Option<Arc<Keys>>,
    /// When these keys were last read.
    read: Instant,
    /// When the last reading began.
    tried: Option<Instant>,
    /// The last reading.
    reading: Option<SharedWork<()>>,
}

/// The keys that were there at some time.
pub(super) struct Keys {
    /// Another one whenever the keys have changed.
    pub(super) generation: u64,
    keys: Vec<Key>,
}

impl Keys {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Key> {
        self.keys.iter()
    }
}

impl KeySet {
    /// Takes the keys of a text, for good.
    ///
    /// # Errors
    ///
    /// [`Code::TokenInvalid`] when the text is not a JWK set, has over 100 keys, or none that is of use.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        let keys = some_keys(text.as_bytes()).map_err(|why| unusable(&why))?;
        Ok(Self::new(Source::Text, Some(keys)))
    }

    /// Reads the keys of a file, and again when that may help. This blocks on the disk; later readings do not.
    ///
    /// # Errors
    ///
    /// [`Code::TokenInvalid`], which names the file, when it cannot be read or is over 1 MiB, otherwise as for
    /// [`from_json`](Self::from_json).
    pub fn from_file(path: impl Into<PathBuf>) -> Result<Self, Error> {
        let path = path.into();
        let text = read_file(&path)?;
        let keys = some_keys(text.as_bytes()).map_err(|why| unusable(&format!("{}: {why}", path.display())))?;
        Ok(Self::new(Source::File(path), Some(keys)))
    }

    /// Fetches the keys of a URL when they are first needed, and again when that may help: with a GET without authorization,
    /// within 10 s, without following redirects. What is over 1 MiB is refused. Whoever can answer for this URL decides which
    /// tokens are good, so it should be `https`.
    ///
    /// # Errors
    ///
    /// [`Code::TokenInvalid`] for a URL that is neither `https` nor `http`, and for one with a user name or password.
    pub fn from_url(url: Url, verify: VerifySslCert) -> Result<Self, Error> {
        check_http(&url).map_err(|why| unusable(&format!("their URL {why}")))?;
        Ok(Self::new(Source::Url(url, verify), None))
    }

    fn new(source: Source, keys: Option<Vec<Key>>) -> Self {
        let keys = keys.map(|keys| Arc::new(Keys { generation: 0, keys }));
        let state = State { keys, read: Instant::now(), tried: None, reading: None };
        Self(Arc::new(Shared { source, pace: Pace::default(), state: Mutex::new(state) }))
    }

    /// The keys in use, unless they are to be read (again) before.
    pub(super) fn at_hand(&self) -> Option<Arc<Keys>> {
        let state = self.0.state();
        if self.0.are_old(&state) { None } else { state.keys.clone() }
    }

    /// The keys in use, read (again) before if that is due.
    ///
    /// # Errors
    ///
    /// [`Code::PlatformUnavailable`] when there are none and they cannot be read, and [`Code::Internal`] when they must be
    /// read and there is no tokio runtime.
    pub(super) async fn current(&self) -> Result<Arc<Keys>, Error> {
        let reading = {
            let mut state = self.0.state();
            match &state.keys {
                Some(keys) if !self.0.are_old(&state) => return Ok(Arc::clone(keys)),
                None => match &state.reading {
                    Some(reading) if state.tried_within(self.0.pace.interval_without) => reading.clone(),
                    _ => self.reading(&mut state)?,
                },
                Some(_) => self.reading(&mut state)?,
            }
        };
        let outcome = reading.end().await;
        match (&self.0.state().keys, outcome) {
            (Some(keys), _) => Ok(Arc::clone(keys)),
            (None, Err(error)) => Err(error),
            (None, Ok(())) => Err(Error::new(Code::Internal, "keys were read and are not there")),
        }
    }

    /// The keys that are in use after those of a generation, read again if it is time for that. `None` when there are no
    /// others.
    pub(super) async fn later_than(&self, generation: u64) -> Option<Arc<Keys>> {
        let later = |state: &State| state.keys.clone().filter(|keys| keys.generation != generation);
        let reading = {
            let mut state = self.0.state();
            if matches!(self.0.source, Source::Text) || later(&state).is_some() {
                return later(&state);
            }
            if !state.reading.as_ref().is_some_and(SharedWork::is_under_way) && state.tried_within(self.0.pace.interval)
            {
                return None;
            }
            self.reading(&mut state).ok()?
        };
        // When they cannot be read, those in use stay.
        let _ = reading.end().await;
        later(&self.0.state())
    }

    /// The reading under way, or a new one.
    fn reading(&self, state: &mut State) -> Result<SharedWork<()>, Error> {
        match &state.reading {
            Some(reading) if reading.is_under_way() => Ok(reading.clone()),
            _ => {
                let shared = Arc::clone(&self.0);
                let reading = SharedWork::begin(UNABLE, self.0.pace.patience, async move { shared.read().await })?;
                state.tried = Some(reading.begun);
                Ok(state.reading.insert(reading).clone())
            }
        }
    }
}

impl Shared {
    /// Whether the keys should be read again. One caller waits for it: the others do well with the keys in use, and the URL
    /// may be one that does not answer.
    fn are_old(&self, state: &State) -> bool {
        !matches!(self.source, Source::Text)
            && state.read.elapsed() >= self.pace.longest_use
            && !state.tried_within(self.pace.interval)
    }

    async fn read(&self) -> Result<(), Error> {
        let keys = self.load().await?;
        self.state().replace(keys);
        Ok(())
    }

    async fn load(&self) -> Result<Vec<Key>, Error> {
        let (text, origin) = match &self.source {
            Source::Text => return Err(Error::new(Code::Internal, "a text of keys was read again")),
            Source::File(path) => {
                let file = path.clone();
                let read = tokio::task::spawn_blocking(move || match file.metadata() {
                    // Of a pipe there is nothing more to read, and no end to the waiting.
                    Ok(metadata) if !metadata.is_file() => Err(unusable("it is not a file")),
                    _ => read_file(&file),
                });
                let text = read.await.map_err(|error| unavailable(UNABLE, "the reader ended").with_source(error))??;
                (text.into_bytes(), path.display().to_string())
            }
            Source::Url(url, verify) => {
                let mut answer = exchange(verify, Call::get(url.clone(), UNABLE)).await?;
                let origin = url.origin().ascii_serialization();
                if !answer.status().is_success() {
                    return Err(unavailable(UNABLE, &format!("{origin} answered {}", answer.status().as_u16())));
                }
                (answer.read(LONGEST).await?.into(), origin)
            }
        };
        // A set without any key may be what the issuer means: it has withdrawn all of them.
        keys(&text).map_err(|why| unavailable(UNABLE, &format!("{origin}: {why}")))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while this lock is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn tried_within(&self, interval: Duration) -> bool {
        self.tried.is_some_and(|tried| tried.elapsed() < interval)
    }

    fn replace(&mut self, keys: Vec<Key>) {
        self.read = Instant::now();
        let generation = match &self.keys {
            Some(before) if before.keys == keys => return,
            Some(before) => before.generation + 1,
            None => 0,
        };
        self.keys = Some(Arc::new(Keys { generation, keys }));
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = match &self.0.source {
            Source::Text => "text".to_owned(),
            Source::File(path) => path.display().to_string(),
            // The rest of a URL may hold a password.
            Source::Url(url, _) => url.origin().ascii_serialization(),
        };
        let keys = self.0.state().keys.as_ref().map(|keys| keys.keys.len());
        f.debug_struct("KeySet").field("source", &source).field("keys", &keys).finish_non_exhaustive()
    }
}

fn unusable(why: &str) -> Error {
    Error::new(Code::TokenInvalid, format!("{UNABLE}: {why}"))
}

fn read_file(path: &Path) -> Result<String, Error> {
    read_text(path).map_err(|error| unusable(&path.display().to_string()).with_source(error))
}

#[derive(Deserialize)]
struct Set<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

/// The keys of a JWK set that are of use. What is wrong with it is said without quoting it.
fn keys(text: &[u8]) -> Result<Vec<Key>, String> {
    if text.len() > LONGEST {
        return Err(format!("it is over {LONGEST} bytes"));
    }
    // serde would also read a struct from a list.
    if !text.trim_ascii_start().starts_with(b"{") {
        return Err("it is not a JSON object".to_owned());
    }
    let set: Set<'_> = serde_json::from_slice(text).map_err(|error| {
        format!("it is not the JSON of a JWK set (line {}, column {})", error.line(), error.column())
    })?;
    if set.keys.len() > MOST_KEYS {
        return Err(format!("it has over {MOST_KEYS} keys"));
    }
    let mut keys = Vec::with_capacity(set.keys.len());
    for (index, json) in set.keys.into_iter().enumerate() {
        match Key::from_json(json.get()) {
            Ok(key) => keys.push(key),
            Err(why) => tracing::debug!(index, why, "a key is passed over"),
        }
    }
    Ok(keys)
}

/// As [`keys`], for a set that is known to be meant for use.
fn some_keys(text: &[u8]) -> Result<Vec<Key>, String> {
    let keys = keys(text)?;
    if keys.is_empty() { Err("it has no key that can check a signature".to_owned()) } else { Ok(keys) }
}

#[cfg(test)]
impl KeySet {
    /// As if this much time had passed.
    pub(super) fn age(&self, time: Duration) {
        let mut state = self.0.state();
        state.read = state.read.checked_sub(time).unwrap();
        state.tried = state.tried.map(|tried| tried.checked_sub(time).unwrap());
    }

    pub(super) fn with_patience(mut self, patience: Duration) -> Self {
        Arc::get_mut(&mut self.0).unwrap().pace.patience = patience;
        self
    }
}

#[cfg(test)]
mod tests;
