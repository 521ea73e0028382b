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
use crate::content::Store;
use crate::error::{StartError, TokenError};
use crate::folder::{self, Folder};
use crate::server::{self, Door};
use crate::token::Tokens;

/// How a platform is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder that holds everything; created, for its owner only, when it is missing.
    pub data: PathBuf,
    /// The port on 127.0.0.1; 0 takes any free one.
    pub port: u16,
    /// Whether an existing `pat.json` is rewritten with this run's URL; a missing one is created with it either way.
    ///
    /// An in-process platform of one invocation does not announce itself, so that other processes never take its
    /// short-lived address for that of a platform that stays.
    pub announce: bool,
}

/// A running platform. [`shutdown`](Self::shutdown) lets requests finish; dropping it ends them.
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
        let folder = blocking(&options.data, |data| Folder::open(&data)).await?;

        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
        let bound = |source| StartError::Bind { address, source };
        let listener = TcpListener::bind(address).await.map_err(bound)?;
        let url = format!("http://{}", listener.local_addr().map_err(bound)?);

        let pat_path = options.data.join("pat.json");
        let work = TaskTracker::new();
        let (tokens, store) = blocking(&options.data, {
            let (url, pat_path, work) = (url.clone(), pat_path.clone(), work.clone());
            move |data| {
                folder::remove_leftovers(&data).map_err(|source| StartError::data(&data, source))?;
                let access = Access::open(&pat_path, &url, options.announce)?;
                let tokens = Tokens::new(&access).map_err(|_| StartError::Key { path: pat_path })?;
                let store = Store::open(folder, work);
                let store = store.map_err(|source| StartError::data(data.join("content"), source))?;
                Ok((Arc::new(tokens), store))
            }
        })
        .await?;

        let login = HeaderValue::try_from(format!("{url}/login"))
            .map_err(|error| StartError::Bind { address, source: std::io::Error::other(error) })?;
        let router = server::router(store, Door { tokens: Arc::clone(&tokens), login });
        let stop = CancellationToken::new();
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
        self.server.abort();
    }
}

/// Runs blocking work on the data folder off the async workers.
async fn blocking<T, W>(data: &Path, work: W) -> Result<T, StartError>
where
    T: Send + 'static,
    W: FnOnce(PathBuf) -> Result<T, StartError> + Send + 'static,
{
    let folder = data.to_owned();
    let done = task::spawn_blocking(move || work(folder)).await;
    done.map_err(|error| StartError::data(data, std::io::Error::other(error)))?
}
