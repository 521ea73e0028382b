//! Starting and stopping a platform.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderValue;
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::task::{self, JoinHandle};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::access::{Access, PROJECT};
use crate::backend::Backend;
use crate::content::Store;
use crate::error::{StartError, TokenError};
use crate::folder::{self, Folder};
use crate::options::Options;
use crate::principals::Principals;
use crate::records::Records;
use crate::routes;
use crate::server;
use crate::token::Tokens;

/// A running platform. [`shutdown`](Self::shutdown) lets requests finish; dropping it ends them, and cancels the skills that it runs.
///
/// Work on the disk that is under way at a drop runs on, and keeps the data folder locked until it is done.
#[derive(Debug)]
pub struct Platform {
    url: String,
    pat_path: PathBuf,
    tokens: Arc<Tokens>,
    stop: CancellationToken,
    server: JoinHandle<()>,
    /// Blocking work on the content folder.
    work: TaskTracker,
}

impl Platform {
    /// Opens or creates the data folder, listens on 127.0.0.1, and serves in tasks it owns. Once this returns,
    /// requests are accepted.
    ///
    /// Must be called within a Tokio runtime with I/O and time enabled.
    ///
    /// # Errors
    ///
    /// When the folder is in use or cannot be used, the port cannot be listened on, or `pat.json` is not ours; see
    /// [`StartError`]. Nothing keeps running then.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let Options { data, port, announce, limits, token_ttl, faults, skills } = options;
        let in_memory = data.is_none();
        let folder = blocking(move || match data {
            Some(data) => Folder::open(&data),
            None => Folder::temporary(),
        });
        let folder = Arc::new(folder.await?);

        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let bound = |source| StartError::Bind { address, source };
        let listener = TcpListener::bind(address).await.map_err(bound)?;
        let url = format!("http://{}", listener.local_addr().map_err(bound)?);

        let pat_path = folder.path().join("pat.json");
        let (work, stop) = (TaskTracker::new(), CancellationToken::new());
        let opening = Opening { folder, in_memory, announce, token_ttl, url: url.clone(), work: work.clone() };
        let (records, content, principals, tokens) = blocking(move || opening.open()).await?;

        let login = HeaderValue::try_from(format!("{url}/login"))
            .map_err(|error| StartError::Bind { address, source: std::io::Error::other(error) })?;
        let backend = Backend {
            url: Arc::from(url.as_str()),
            records,
            content,
            principals,
            tokens: Arc::clone(&tokens),
            limits,
            skills,
            under_way: Arc::default(),
            places: Arc::default(),
            last_sweep: Arc::default(),
            work: work.clone(),
            stop: stop.clone(),
        };
        let router = routes::router(backend, faults, login);
        let server = tokio::spawn(server::serve(listener, router, stop.clone()));
        Ok(Self { url, pat_path, tokens, stop, server, work })
    }

    /// Where it listens: `http://127.0.0.1:PORT`, without a trailing slash.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The personal access config that clients authenticate with: `pat.json` in the data folder.
    pub fn pat_path(&self) -> &Path {
        &self.pat_path
    }

    /// The project of the personal access config: `local`. Its tokens open all other projects as well.
    #[allow(clippy::unused_self, reason = "a property of the instance, though all have the same")]
    pub fn project(&self) -> &str {
        PROJECT
    }

    /// Mints a token of the platform's own principal, valid from now on for `ttl` in whole seconds.
    ///
    /// # Errors
    ///
    /// When the crypto library cannot sign.
    pub fn mint_token(&self, ttl: Duration) -> Result<SecretString, TokenError> {
        self.tokens.mint(ttl)
    }

    /// Stops accepting, lets requests in flight finish for at most 3 s, and ends all tasks. Work on the disk that is
    /// under way then is waited for, however long it takes. The data folder is free for another platform when this
    /// returns.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        // The server task bounds its own end, and fails only by a panic that was already reported.
        let _ = (&mut self.server).await;
        self.work.close();
        self.work.wait().await;
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        self.stop.cancel();
        self.server.abort();
    }
}

/// What is opened from the disk, or made there.
struct Opening {
    folder: Arc<Folder>,
    in_memory: bool,
    announce: bool,
    token_ttl: Option<Duration>,
    url: String,
    work: TaskTracker,
}

impl Opening {
    fn open(self) -> Result<(Records, Store, Principals, Arc<Tokens>), StartError> {
        let data = self.folder.path();
        folder::remove_leftovers(data).map_err(|source| StartError::data(data, source))?;
        let pat_path = data.join("pat.json");
        let access = Access::open(&pat_path, &self.url, self.announce)?;
        let unusable = |error| StartError::data(data.join("records.redb"), std::io::Error::other(error));
        let records = Records::open(&self.folder, self.in_memory, &self.work).map_err(unusable)?;
        let principals = records.look(|records| Principals::open(&access, records)).map_err(unusable)?;
        if self.announce {
            records.look(|records| Principals::announce(records, &self.url)).map_err(unusable)?;
        }
        let key = |_| StartError::Key { path: pat_path.clone() };
        let tokens = Tokens::new(&access, principals.clone(), self.token_ttl).map_err(key)?;
        let content = Store::open(&self.folder, self.in_memory, records.clone(), self.work.clone());
        let content = content.map_err(|error| StartError::data(data.join("content"), std::io::Error::other(error)))?;
        Ok((records, content, principals, Arc::new(tokens)))
    }
}

/// Runs blocking work on the data folder off the async workers.
async fn blocking<T, W>(work: W) -> Result<T, StartError>
where
    T: Send + 'static,
    W: FnOnce() -> Result<T, StartError> + Send + 'static,
{
    let done = task::spawn_blocking(work).await;
    done.map_err(|error| StartError::data("", std::io::Error::other(error)))?
}
