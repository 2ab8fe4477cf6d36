//! Connections to an engine on another machine: TCP, TLS, and the user's own `ssh`. It owns how a link is made and how it
//! is noticed that one is cut; it must not know what is said over it.
//!
//! # Theory of operation
//!
//! Every connection is told to give up after [`UNANSWERED`]: without that, a request that lies in the socket of a cut link
//! is sent again for a quarter of an hour, and makes a container long after the server that wanted it has gone.
//!
//! SSH is the user's own command with the user's own configuration, so agents, jump hosts and host keys are as they are
//! for everything else. It asks nothing (`BatchMode`), since there is no terminal to answer at. At the other end
//! `docker system dial-stdio` joins the stream to the engine's socket.
//!
//! Every byte that arrives, on whatever connection, counts as a sign of life: see [`super::pulse`]. So does one that goes out
//! after it had to wait, since only the other end's word for what it has got makes room for more.

use std::io;
use std::pin::Pin;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bollard::{API_DEFAULT_VERSION, BollardRequest, Docker};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body_util::{BodyExt as _, Empty};
use hyper::Uri;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use super::find::Place;

/// How long what was sent may stay unconfirmed.
const UNANSWERED: Duration = Duration::from_secs(10);

/// How long a connection may take to come about.
const CONNECTING: Duration = Duration::from_secs(10);

/// Bytes of `ssh`'s complaints that are kept.
const COMPLAINTS: usize = 4096;

/// How a place is reached.
#[derive(Clone)]
enum Route {
    #[cfg(unix)]
    Unix(String),
    Tcp {
        host: String,
        port: u16,
    },
    Tls {
        host: String,
        port: u16,
        config: Arc<ClientConfig>,
    },
    Ssh(Arc<Vec<String>>),
}

/// What is known of a link beside what is said over it.
#[derive(Debug, Default)]
pub(super) struct Signs {
    /// Bytes that have arrived, and those for which the other end has made room.
    heard: AtomicU64,
    /// What `ssh` said last.
    complaint: Mutex<String>,
}

impl Signs {
    pub(super) fn heard(&self) -> u64 {
        self.heard.load(Ordering::Relaxed)
    }

    pub(super) fn note(&self, count: usize) {
        self.heard.fetch_add(count as u64, Ordering::Relaxed);
    }

    pub(super) fn complaint(&self) -> Option<String> {
        let complaint = self.complaint.lock().unwrap_or_else(PoisonError::into_inner);
        let line = super::error::one_line(&complaint);
        (!line.is_empty()).then_some(line)
    }
}

/// A client for a place on another machine.
pub(super) fn client(place: &Place, timeout: u64) -> Result<(Docker, Arc<Signs>), String> {
    let signs = Arc::new(Signs::default());
    let connector = Connector { route: route(place)?, signs: Arc::clone(&signs) };
    let http = Client::builder(TokioExecutor::new()).pool_idle_timeout(Duration::from_secs(30)).build(connector);
    let transport = move |request: BollardRequest| {
        let answer = http.request(request);
        async move { answer.await.map_err(bollard::errors::Error::from) }
    };
    let docker = Docker::connect_with_custom_transport(transport, Some("http://engine"), timeout, API_DEFAULT_VERSION)
        .map_err(|error| super::error::reason(&error))?;
    Ok((docker, signs))
}

/// Requests by hand, for answers that bollard cannot read or that nobody should.
pub(super) struct Raw(Client<Connector, Empty<Bytes>>);

impl Raw {
    pub(super) fn new(place: &Place) -> Result<Self, String> {
        let connector = Connector { route: route(place)?, signs: Arc::default() };
        Ok(Self(Client::builder(TokioExecutor::new()).pool_idle_timeout(Duration::from_secs(5)).build(connector)))
    }

    /// What an engine calls itself when it is greeted: its name and its version.
    pub(super) async fn greeting(&self) -> Option<(String, String)> {
        let answer = self.0.get(Uri::from_static("http://engine/_ping")).await.ok()?;
        let server = answer.headers().get(hyper::header::SERVER)?.to_str().ok()?;
        named(server)
    }

    /// Status and body of an answer.
    pub(super) async fn get(&self, path: &str) -> Result<(u16, Bytes), String> {
        let (status, body) = self.open(path).await?;
        let body = body.collect().await.map_err(|error| error.to_string())?;
        Ok((status, body.to_bytes()))
    }

    /// The same, with a body that is yet to come.
    pub(super) async fn open(&self, path: &str) -> Result<(u16, Incoming), String> {
        let uri: Uri = format!("http://engine{path}").parse().map_err(|error| format!("{path}: {error}"))?;
        let answer = self.0.get(uri).await.map_err(|error| error.to_string())?;
        Ok((answer.status().as_u16(), answer.into_body()))
    }
}

/// `Docker/20.10.24 (linux)`, `Libpod/4.3.1 (linux)`.
fn named(server: &str) -> Option<(String, String)> {
    let (name, version) = server.split_whitespace().next()?.split_once('/')?;
    (!version.is_empty()).then(|| (name.to_owned(), version.to_owned()))
}

fn route(place: &Place) -> Result<Route, String> {
    #[cfg(unix)]
    if let Some(path) = place.endpoint.strip_prefix("unix://") {
        return Ok(Route::Unix(path.to_owned()));
    }
    if let Some(rest) = place.endpoint.strip_prefix("ssh://") {
        return Ok(Route::Ssh(Arc::new(ssh_command(rest)?)));
    }
    let (_, rest) = place.endpoint.split_once("://").unwrap_or(("", &place.endpoint));
    let address = rest.split('/').next().unwrap_or_default();
    let default = if place.tls.is_some() { 2376 } else { 2375 };
    let (host, port) = host_and_port(address, default)?;
    Ok(match &place.tls {
        Some(files) => Route::Tls { host, port, config: files.config()? },
        None => Route::Tcp { host, port },
    })
}

/// `host`, `host:port`, `[address]:port`.
fn host_and_port(address: &str, default: u16) -> Result<(String, u16), String> {
    let bad = || format!("{address:?} is not a host and a port");
    let (host, port) = match address.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']').ok_or_else(bad)?;
            (host, after.strip_prefix(':'))
        }
        None => address.split_once(':').map_or((address, None), |(host, port)| (host, Some(port))),
    };
    let port = port.map_or(Ok(default), |port| port.parse().map_err(|_| bad()))?;
    if host.is_empty() { Err(bad()) } else { Ok((host.to_owned(), port)) }
}

/// The command that reaches the engine behind `user@host:port/path`. Nothing in it may be taken for an option, neither by
/// our `ssh` nor by the shell at the other end.
fn ssh_command(address: &str) -> Result<Vec<String>, String> {
    let (authority, path) = address.split_once('/').map_or((address, None), |(host, path)| (host, Some(path)));
    let (user, host) = authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
    let (host, port) = host_and_port(host, 0)?;
    let plain = |text: &str| {
        !text.is_empty()
            && !text.starts_with('-')
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-:%".contains(&byte))
    };
    if !plain(&host) {
        return Err(format!("{host:?} is not the name of a host"));
    }
    let mut command: Vec<String> = ["ssh", "-T", "-x", "-a"].map(str::to_owned).into();
    for option in [
        "BatchMode=yes",
        "ConnectTimeout=10",
        "ServerAliveInterval=2",
        "ServerAliveCountMax=3",
        "ClearAllForwardings=yes",
    ] {
        command.extend(["-o".to_owned(), option.to_owned()]);
    }
    if let Some(user) = user {
        // A password in the address would be visible to everybody on this machine.
        if !plain(user) || user.contains(':') {
            return Err("the user in an ssh address is a plain name, without a password".to_owned());
        }
        command.extend(["-l".to_owned(), user.to_owned()]);
    }
    if port != 0 {
        command.extend(["-p".to_owned(), port.to_string()]);
    }
    command.extend(["--".to_owned(), host]);
    command.push("docker".to_owned());
    if let Some(path) = path.filter(|path| !path.is_empty()) {
        let harmless = path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte));
        if !harmless {
            return Err(format!("{path:?} is not a plain path"));
        }
        command.extend(["--host".to_owned(), format!("unix:///{path}")]);
    }
    command.extend(["system", "dial-stdio"].map(str::to_owned));
    Ok(command)
}

#[derive(Clone)]
struct Connector {
    route: Route,
    signs: Arc<Signs>,
}

impl tower_service::Service<Uri> for Connector {
    type Response = TokioIo<Link>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move {
            let made = tokio::time::timeout(CONNECTING, connector.connect()).await;
            let stream =
                made.unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "no connection in time")))?;
            Ok(TokioIo::new(Link { stream, signs: connector.signs, full: false }))
        })
    }
}

impl Connector {
    async fn connect(&self) -> io::Result<Pin<Box<dyn Duplex>>> {
        match &self.route {
            #[cfg(unix)]
            Route::Unix(path) => Ok(Box::pin(tokio::net::UnixStream::connect(path).await?)),
            Route::Tcp { host, port } => Ok(Box::pin(tcp(host, *port).await?)),
            Route::Tls { host, port, config } => {
                let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
                let stream = tcp(host, *port).await?;
                Ok(Box::pin(TlsConnector::from(Arc::clone(config)).connect(name, stream).await?))
            }
            Route::Ssh(command) => Ok(Box::pin(ssh(command, &self.signs)?)),
        }
    }
}

async fn tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    let socket = socket2::SockRef::from(&stream);
    let alive = socket2::TcpKeepalive::new().with_time(Duration::from_secs(5)).with_interval(Duration::from_secs(2));
    socket.set_tcp_keepalive(&alive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(UNANSWERED))?;
    Ok(stream)
}

fn ssh(command: &[String], signs: &Arc<Signs>) -> io::Result<SshLink> {
    let (program, arguments) = command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| io::Error::new(error.kind(), format!("cannot start {program}: {error}; install OpenSSH")))?;
    let (Some(stdin), Some(stdout), Some(mut stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(io::Error::other("ssh has no streams"));
    };
    let signs = Arc::clone(signs);
    tokio::spawn(async move {
        let mut buffer = [0; 1024];
        while let Ok(count @ 1..) = stderr.read(&mut buffer).await {
            let mut complaint = signs.complaint.lock().unwrap_or_else(PoisonError::into_inner);
            if complaint.len() < COMPLAINTS {
                complaint.push_str(&String::from_utf8_lossy(&buffer[..count]));
            }
        }
    });
    Ok(SshLink { stdin: Some(stdin), stdout, _child: child })
}

trait Duplex: AsyncRead + AsyncWrite + Send {}
impl<T: AsyncRead + AsyncWrite + Send> Duplex for T {}

/// The two pipes of an `ssh`, which ends with it.
struct SshLink {
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    _child: Child,
}

impl AsyncRead for SshLink {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stdout).poll_read(context, buffer)
    }
}

impl AsyncWrite for SshLink {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.stdin {
            Some(stdin) => Pin::new(stdin).poll_write(context, bytes),
            None => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stdin.as_mut().map_or(Poll::Ready(Ok(())), |stdin| Pin::new(stdin).poll_flush(context))
    }

    /// A pipe is half closed by closing it; what tokio has does nothing.
    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stdin = None;
        Poll::Ready(Ok(()))
    }
}

/// One connection, whatever it is made of.
struct Link {
    stream: Pin<Box<dyn Duplex>>,
    signs: Arc<Signs>,
    /// Whether the last write found no room.
    full: bool,
}

impl Connection for Link {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Link {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = self.stream.as_mut().poll_read(context, buffer);
        self.signs.note(buffer.filled().len() - before);
        read
    }
}

impl AsyncWrite for Link {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = self.stream.as_mut().poll_write(context, bytes);
        if let (true, Poll::Ready(Ok(count))) = (self.full, &written) {
            self.signs.note(*count);
        }
        self.full = written.is_pending();
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ssh_gets_a_host_and_no_options() {
        let command = ssh_command("me@big:2222/run/podman/podman.sock").unwrap().join(" ");
        assert!(
            command.ends_with("-l me -p 2222 -- big docker --host unix:///run/podman/podman.sock system dial-stdio"),
            "{command}"
        );
        assert!(command.contains("BatchMode=yes") && command.contains("ServerAliveInterval=2"));
        for hostile in ["-oProxyCommand=touch", "a b", "me:secret@host", "-l@host", "", "host/$(touch x)", "host;x"] {
            assert!(ssh_command(hostile).is_err(), "{hostile}");
        }
    }

    #[test]
    fn a_greeting_tells_the_engine_and_its_version() {
        let podman = Some(("Libpod".to_owned(), "4.3.1".to_owned()));
        assert_eq!(named("Libpod/4.3.1 (linux)"), podman);
        for strange in ["", "nginx", "Docker/", "x y/1"] {
            assert_eq!(named(strange), None, "{strange}");
        }
    }

    #[test]
    fn addresses_are_hosts_and_ports() {
        assert_eq!(host_and_port("h", 2375), Ok(("h".to_owned(), 2375)));
        assert_eq!(host_and_port("h:1", 2375), Ok(("h".to_owned(), 1)));
        assert_eq!(host_and_port("[::1]:1", 2375), Ok(("::1".to_owned(), 1)));
        for bad in ["", ":1", "h:x", "[::1", "h:99999"] {
            assert!(host_and_port(bad, 2375).is_err(), "{bad}");
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn what_ssh_complains_of_is_heard() {
        let signs = Arc::new(Signs::default());
        let command = ["sh", "-c", "echo 'no such host' >&2"].map(str::to_owned);
        let mut link = ssh(&command, &signs).unwrap();
        let mut text = String::new();
        link.read_to_string(&mut text).await.unwrap();
        let heard = async {
            while signs.complaint().is_none() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), heard).await.unwrap();
        assert_eq!(signs.complaint().unwrap(), "no such host");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn closing_the_input_of_ssh_is_end_of_file_there() {
        use tokio::io::AsyncWriteExt as _;
        let mut link = ssh(&["cat".to_owned()], &Arc::default()).unwrap();
        link.write_all(b"abc").await.unwrap();
        link.shutdown().await.unwrap();
        let mut text = String::new();
        link.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "abc");
    }
}
