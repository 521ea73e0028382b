//! Certificate authorities, servers and proxies that are made for one test.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use skill_sdk::logging::{Record, RecordLayer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tracing_subscriber::layer::SubscriberExt;

/// Who signs certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate of a server.
#[derive(Clone, Copy)]
pub(crate) enum Leaf {
    /// For this machine.
    Good,
    /// For this machine, a long time ago.
    Expired,
    /// For `platform.test`.
    OfAnotherHost,
}

/// A certificate and its key.
pub(crate) struct Signed {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

impl Authority {
    /// One that has this name.
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    pub(crate) fn leaf(&self, leaf: Leaf) -> Signed {
        let host = if matches!(leaf, Leaf::OfAnotherHost) { "platform.test" } else { "127.0.0.1" };
        let mut params = CertificateParams::new([host.to_owned()]).unwrap();
        if matches!(leaf, Leaf::Expired) {
            params.not_after = date_time_ymd(2001, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        Signed { certificate: certificate.into(), key }
    }
}

/// The heads of the requests that came in.
#[derive(Clone, Default)]
struct Heads(Arc<Mutex<Vec<String>>>);

impl Heads {
    fn only(&self) -> String {
        let mut heads = self.0.lock().unwrap();
        assert_eq!(heads.len(), 1, "{heads:?}");
        heads.remove(0)
    }

    /// Reads a head. There is none when the other side has turned away.
    async fn read(&self, connection: &mut (impl AsyncRead + Unpin)) -> Option<String> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(connection.read_u8().await.ok()?);
        }
        let head = String::from_utf8(head).unwrap();
        self.0.lock().unwrap().push(head.clone());
        Some(head)
    }
}

/// Binds a port of this machine and serves each connection.
async fn listen<F: Future<Output = ()> + Send + 'static>(
    serve: impl Fn(TcpStream) -> F + Send + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            tokio::spawn(serve(connection));
        }
    });
    address
}

/// A platform where everything exists.
pub(crate) struct Server {
    pub(crate) url: String,
    address: SocketAddr,
    heads: Heads,
    connections: Arc<AtomicUsize>,
}

impl Server {
    pub(crate) async fn start(signed: &Signed) -> Self {
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![signed.certificate.clone()], signed.key.clone_key())
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let (heads, connections) = (Heads::default(), Arc::<AtomicUsize>::default());
        let (noted, counter) = (heads.clone(), connections.clone());
        let address = listen(move |connection| {
            let (acceptor, noted) = (acceptor.clone(), noted.clone());
            counter.fetch_add(1, Ordering::SeqCst);
            async move {
                // Whoever does not trust the certificate ends the handshake.
                if let Ok(connection) = acceptor.accept(connection).await {
                    answer(connection, noted).await;
                }
            }
        })
        .await;
        Self { url: format!("https://{address}"), address, heads, connections }
    }

    pub(crate) async fn start_plain() -> Self {
        let (heads, connections) = (Heads::default(), Arc::<AtomicUsize>::default());
        let (noted, counter) = (heads.clone(), connections.clone());
        let address = listen(move |connection| {
            counter.fetch_add(1, Ordering::SeqCst);
            answer(connection, noted.clone())
        })
        .await;
        Self { url: format!("http://{address}"), address, heads, connections }
    }

    /// How many connections were opened.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// How many requests came in.
    pub(crate) fn answered(&self) -> usize {
        self.heads.0.lock().unwrap().len()
    }

    /// The head of the only request.
    pub(crate) fn head(&self) -> String {
        self.heads.only()
    }
}

async fn answer(mut connection: impl AsyncRead + AsyncWrite + Unpin, heads: Heads) {
    while heads.read(&mut connection).await.is_some() {
        let written = connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        if written.is_err() || connection.flush().await.is_err() {
            return;
        }
    }
}

/// A proxy that reaches one server, whatever host it is asked for.
pub(crate) struct Proxy {
    address: SocketAddr,
    heads: Heads,
}

impl Proxy {
    pub(crate) async fn to(server: &Server) -> Self {
        let (server, heads) = (server.address, Heads::default());
        let noted = heads.clone();
        let address = listen(move |connection| forward(connection, server, noted.clone())).await;
        Self { address, heads }
    }

    /// A proxy that wants another password.
    pub(crate) async fn refusing() -> Self {
        let heads = Heads::default();
        let noted = heads.clone();
        let address = listen(move |mut connection| {
            let noted = noted.clone();
            async move {
                noted.read(&mut connection).await;
                let _ = connection.write_all(b"HTTP/1.1 407 No\r\ncontent-length: 0\r\n\r\n").await;
            }
        })
        .await;
        Self { address, heads }
    }

    /// A proxy that is not there: its port is taken, and nobody listens.
    pub(crate) fn nowhere() -> (TcpSocket, String) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let url = format!("http://{}", socket.local_addr().unwrap());
        (socket, url)
    }

    pub(crate) fn url(&self, user: impl fmt::Display) -> String {
        format!("http://{user}{}", self.address)
    }

    /// The head of the only request.
    pub(crate) fn head(&self) -> String {
        self.heads.only()
    }
}

async fn forward(mut connection: TcpStream, server: SocketAddr, heads: Heads) {
    let Some(head) = heads.read(&mut connection).await else { return };
    let mut onward = TcpStream::connect(server).await.unwrap();
    if head.starts_with("CONNECT ") {
        connection.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
    } else {
        onward.write_all(head.as_bytes()).await.unwrap();
    }
    let _ = tokio::io::copy_bidirectional(&mut connection, &mut onward).await;
}

/// Prints what is logged in this process.
pub(crate) fn log_to_stdout() {
    let layer = RecordLayer::new(|record: &Record<'_>| println!("{} {}", record.level, record.message));
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer)).unwrap();
}
