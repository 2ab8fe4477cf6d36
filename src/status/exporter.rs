//! The counters over HTTP, for a Prometheus on this machine: off until the user's own settings name an address, which must
//! be one of the loopback's. `GET /metrics` and nothing else; nothing is changed by anybody.
//!
//! Web pages must not read it: a page whose name was made to point here (DNS rebinding) gives itself away by the `Host` it
//! sends. Connections are few, short and one request long.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HOST};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::task::AbortOnDropHandle;

use super::{Source, exposition};

/// Connections at once.
const CONNECTIONS: usize = 8;

/// What one may take from its first byte to its last.
const PATIENCE: Duration = Duration::from_secs(5);

/// Bytes of a request's head.
const HEAD: usize = 16 * 1024;

/// The endpoint, while there is one.
#[derive(Default)]
pub struct Exporter(Mutex<Listening>);

#[derive(Default)]
struct Listening {
    wanted: Option<SocketAddr>,
    address: Option<SocketAddr>,
    task: Option<AbortOnDropHandle<()>>,
}

impl Exporter {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.lock().address
    }

    /// Listens where the settings say, and no more where they said before. The error is one line.
    pub fn listen(&self, wanted: Option<SocketAddr>, source: &Source) -> Result<(), String> {
        let mut listening = self.lock();
        if listening.wanted == wanted {
            return Ok(());
        }
        *listening = Listening { wanted, ..Listening::default() };
        let Some(wanted) = wanted else { return Ok(()) };
        let listener = bind(wanted).map_err(|error| {
            format!("metrics.listen: cannot listen on {wanted}: {error}; another server of yours may, or take port 0")
        })?;
        listening.address = listener.local_addr().ok();
        listening.task = Some(AbortOnDropHandle::new(tokio::spawn(serve(listener, source.clone()))));
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Listening> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

async fn serve(listener: TcpListener, source: Source) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    while let Ok(permit) = Arc::clone(&room).acquire_owned().await {
        let Ok((link, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_secs(1)).await;
            continue;
        };
        let source = source.clone();
        tokio::spawn(async move {
            let answer = service_fn(|request| {
                let response = answer(&request, &source);
                async move { Ok::<_, Infallible>(response) }
            });
            let mut server = http1::Builder::new();
            let link = server.keep_alive(false).max_buf_size(HEAD).serve_connection(TokioIo::new(link), answer);
            let _ = tokio::time::timeout(PATIENCE, link).await;
            drop(permit);
        });
    }
}

fn answer(request: &Request<Incoming>, source: &Source) -> Response<Full<Bytes>> {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let several = request.headers().get_all(HOST).iter().count() > 1;
    if several || !host.is_some_and(is_ours) {
        return refusal(StatusCode::FORBIDDEN, "the Host is not this machine's loopback\n");
    }
    match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/metrics") => {
            let body = Full::from(exposition::text(&source.status()));
            let kind = "text/plain; version=0.0.4; charset=utf-8";
            Response::builder().header(CONTENT_TYPE, kind).body(body).unwrap_or_default()
        }
        (_, "/metrics") => {
            let mut response = refusal(StatusCode::METHOD_NOT_ALLOWED, "only GET\n");
            response.headers_mut().insert(ALLOW, hyper::header::HeaderValue::from_static("GET, HEAD"));
            response
        }
        _ => refusal(StatusCode::NOT_FOUND, "see /metrics\n"),
    }
}

fn refusal(status: StatusCode, words: &'static str) -> Response<Full<Bytes>> {
    Response::builder().status(status).body(Full::from(words)).unwrap_or_default()
}

/// Whether a `Host` names the loopback, by address or as `localhost`.
fn is_ours(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    use super::*;
    use crate::config::Settings;
    use crate::engine::fake::FakeEngine;
    use crate::lsp::Backend;

    async fn says(address: SocketAddr, request: &str) -> String {
        let mut link = TcpStream::connect(address).await.unwrap();
        // One that is refused early may not take all of it.
        let _ = link.write_all(request.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = link.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    }

    #[tokio::test]
    async fn it_answers_who_asks_on_the_loopback_by_its_own_name() {
        let backend = Backend::new(Arc::new(FakeEngine::default()), Arc::new(Settings::default()));
        let (source, exporter) = (backend.status(), Arc::clone(&backend.exporter));
        assert_eq!(exporter.address(), None, "off by default");
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        exporter.listen(Some(any), &source).unwrap();
        let address = exporter.address().unwrap();
        assert_eq!(source.status().metrics_endpoint, Some(format!("http://{address}/metrics")));
        let get = |path: &str, host: &str| format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let page = says(address, &get("/metrics", &address.to_string())).await;
        assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page}");
        assert!(page.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"), "{page}");
        assert!(page.contains("\nrunpen_build_info{version=\""), "{page}");
        for (request, status) in [
            (get("/metrics", "localhost"), "200"),
            (get("/metrics", "evil.example:9464"), "403"),
            (get("/metrics", "localhost.evil.example"), "403"),
            ("GET /metrics HTTP/1.1\r\n\r\n".to_owned(), "403"),
            ("GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n".to_owned(), "403"),
            (get("/", "localhost"), "404"),
            (get("/metrics", "localhost").replace("GET", "POST"), "405"),
            (format!("GET /metrics HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(64 * 1024)), "431"),
            ("nonsense\r\n\r\n".to_owned(), "400"),
        ] {
            let answer = says(address, &request).await;
            let line = format!("HTTP/1.1 {status}");
            // One that sends more than is read may be cut off before it hears of it.
            assert!(answer.starts_with(&line) || status == "431" && answer.is_empty(), "{request}: {answer}");
        }
        let error = {
            let other = Exporter::default();
            other.listen(Some(address), &source).unwrap_err()
        };
        assert!(error.contains("take port 0") && !error.contains('\n'), "{error}");
        exporter.listen(None, &source).unwrap();
        let refused = async {
            while TcpStream::connect(address).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), refused).await.expect("the port is still open");
    }

    #[tokio::test]
    async fn silent_connections_are_few_and_end() {
        let backend = Backend::new(Arc::new(FakeEngine::default()), Arc::new(Settings::default()));
        backend.exporter.listen(Some(SocketAddr::from(([127, 0, 0, 1], 0))), &backend.status()).unwrap();
        let address = backend.exporter.address().unwrap();
        let mut silent = Vec::new();
        for _ in 0..CONNECTIONS {
            silent.push(TcpStream::connect(address).await.unwrap());
        }
        let begun = tokio::time::Instant::now();
        let page = says(address, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        assert!(page.starts_with("HTTP/1.1 200"), "{page}");
        assert!(begun.elapsed() >= PATIENCE / 2, "it had to wait for one of them to end");
        drop(silent);
    }
}
