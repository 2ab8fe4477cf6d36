//! The end of an engine, told by the end of its stream of events. What is in the stream is not read: that it stands is
//! all there is to know, so nothing is parsed, and whatever an odd engine sends costs no memory.
//!
//! Only what the engine says of itself is asked for, which is next to nothing: a watch that waits is one quiet connection,
//! without a clock. A stream may also end with the engine well (a proxy in between cuts what is quiet), so it is asked
//! once, and the stream is opened anew with growing pauses.

use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::time::{Instant, sleep, timeout};

use super::Shared;

/// How long an engine on this machine may take to answer that it is there.
pub(super) const ANSWER: Duration = Duration::from_millis(700);

/// The same of one on another machine.
const FAR_ANSWER: Duration = Duration::from_secs(5);

/// `filters={"type":["daemon"]}`
const PATH: &str = "/events?filters=%7B%22type%22%3A%5B%22daemon%22%5D%7D";

/// How long the stream may take to begin.
const BEGINNING: Duration = Duration::from_secs(15);

/// A stream that lasted so long was well.
const LASTING: Duration = Duration::from_secs(60);

/// The longest pause before a stream is opened anew.
const LONGEST: Duration = Duration::from_secs(60);

/// So many bytes are taken at once, and then nothing for the pause: a flood is left to the engine's own buffers.
const MOUTHFUL: usize = 16 * 1024;
const PAUSE: Duration = Duration::from_millis(250);

/// Waits until the engine is gone. Where it has no events (a proxy that forbids them), nothing is told here.
pub(super) async fn end(shared: &Shared) {
    let Some(raw) = &shared.raw else { return std::future::pending().await };
    let mut pause = Duration::ZERO;
    loop {
        let opened = Instant::now();
        match timeout(BEGINNING, raw.open(PATH)).await {
            Ok(Ok((200, body))) => drain(body).await,
            Ok(Ok((status, _))) => {
                tracing::info!(status, "{} has no stream of events", shared.endpoint);
                return std::future::pending().await;
            }
            Ok(Err(_)) | Err(_) => {}
        }
        let patience = if shared.is_near() { ANSWER } else { FAR_ANSWER };
        if !shared.pings(patience).await {
            return;
        }
        pause = if opened.elapsed() >= LASTING { Duration::ZERO } else { next(pause) };
        sleep(pause).await;
    }
}

fn next(pause: Duration) -> Duration {
    (pause * 2).clamp(Duration::from_secs(1), LONGEST)
}

/// Takes what comes until there is no more.
async fn drain(mut body: Incoming) {
    let mut taken = 0;
    while let Some(Ok(frame)) = body.frame().await {
        taken += frame.data_ref().map_or(1, bytes::Bytes::len);
        if taken >= MOUTHFUL {
            taken = 0;
            sleep(PAUSE).await;
        }
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{UnixListener, UnixStream};

    use super::*;
    use crate::engine::Engine as _;
    use crate::engine::docker::{DockerEngine, Place};
    use crate::engine::owner::Owner;

    /// What the stand-in does with its stream of events.
    #[derive(Clone, Copy)]
    enum Stream {
        Flood,
        Closes,
        Forbidden,
        Quiet,
    }

    const VERSION: &str = r#"{"Version":"1","ApiVersion":"1.44","MinAPIVersion":"1.24"}"#;

    async fn serve(mut link: UnixStream, stream: Stream, opened: Arc<AtomicUsize>, sent: Arc<AtomicUsize>) {
        let mut head = Vec::new();
        loop {
            while !head.ends_with(b"\r\n\r\n") {
                let Ok(byte) = link.read_u8().await else { return };
                head.push(byte);
            }
            let request = String::from_utf8_lossy(&head).into_owned();
            head.clear();
            if !request.contains("/events?") {
                let length = VERSION.len();
                let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{VERSION}");
                link.write_all(answer.as_bytes()).await.unwrap();
                continue;
            }
            opened.fetch_add(1, Ordering::SeqCst);
            if let Stream::Forbidden = stream {
                let _ = link.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n").await;
                continue;
            }
            link.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            match stream {
                Stream::Flood => {
                    while link.write_all(&[b'{'; 4096]).await.is_ok() {
                        sent.fetch_add(4096, Ordering::SeqCst);
                    }
                }
                Stream::Closes | Stream::Forbidden => {}
                Stream::Quiet => sleep(Duration::from_secs(600)).await,
            }
            return;
        }
    }

    struct StandIn {
        folder: tempfile::TempDir,
        task: tokio::task::JoinHandle<()>,
        opened: Arc<AtomicUsize>,
        sent: Arc<AtomicUsize>,
        engine: DockerEngine,
    }

    async fn stand_in(stream: Stream) -> StandIn {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("docker.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let (opened, sent) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let counts = (Arc::clone(&opened), Arc::clone(&sent));
        let task = tokio::spawn(async move {
            // With the task all of them end, as with a daemon.
            let mut links = tokio::task::JoinSet::new();
            while let Ok((link, _)) = listener.accept().await {
                links.spawn(serve(link, stream, Arc::clone(&counts.0), Arc::clone(&counts.1)));
            }
        });
        let owner = Arc::new(Owner::claim_in(&folder.path().join("owners")).unwrap());
        let place = Place::new(format!("unix://{}", path.display()), "a test");
        let engine = DockerEngine::connect_to(&[place], owner, Duration::from_secs(20)).await.0.unwrap();
        StandIn { folder, task, opened, sent, engine }
    }

    async fn until(what: impl Fn() -> bool) {
        let reached = async {
            while !what() {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(60), reached).await.unwrap();
    }

    #[tokio::test]
    async fn the_end_of_an_engine_is_told_at_once() {
        let StandIn { folder, task, opened, engine, .. } = stand_in(Stream::Quiet).await;
        let watched = engine.clone();
        let lost = tokio::spawn(async move { watched.lost().await });
        until(|| opened.load(Ordering::SeqCst) == 1).await;
        assert!(!engine.is_lost());
        std::fs::remove_file(folder.path().join("docker.sock")).unwrap();
        task.abort();
        let words = timeout(Duration::from_secs(20), lost).await.unwrap().unwrap();
        assert!(words.contains("docker.sock does not answer any more"), "{words}");
        assert!(engine.is_lost(), "the next run need not ask");
    }

    #[tokio::test]
    async fn a_flood_is_left_to_the_engine() {
        let StandIn { sent, opened, engine, folder: _folder, .. } = stand_in(Stream::Flood).await;
        let watched = engine.clone();
        let lost = tokio::spawn(async move { watched.lost().await });
        until(|| sent.load(Ordering::SeqCst) > 4 * MOUTHFUL).await;
        let (before, begun) = (sent.load(Ordering::SeqCst), Instant::now());
        sleep(3 * PAUSE).await;
        let taken = sent.load(Ordering::SeqCst) - before;
        // hyper takes at most some hundred kilobytes at a time.
        let mouthfuls = usize::try_from(begun.elapsed().as_millis() / PAUSE.as_millis()).unwrap() + 2;
        assert!(taken <= mouthfuls * 512 * 1024, "{taken} bytes in {mouthfuls} mouthfuls");
        assert_eq!(opened.load(Ordering::SeqCst), 1);
        assert!(!lost.is_finished() && engine.answers(Duration::from_secs(20)).await);
        lost.abort();
    }

    #[tokio::test]
    async fn a_stream_that_is_cut_or_forbidden_makes_no_storm() {
        for (stream, most) in [(Stream::Closes, 3), (Stream::Forbidden, 1)] {
            let StandIn { opened, engine, folder: _folder, .. } = stand_in(stream).await;
            let watched = engine.clone();
            let lost = tokio::spawn(async move { watched.lost().await });
            until(|| opened.load(Ordering::SeqCst) >= 1).await;
            sleep(Duration::from_millis(1500)).await;
            assert!(opened.load(Ordering::SeqCst) <= most, "{opened:?} streams in a second and a half");
            assert!(!lost.is_finished(), "an engine that answers is not lost");
            lost.abort();
        }
    }

    #[test]
    fn pauses_grow_to_a_minute() {
        let pauses: Vec<u64> = std::iter::successors(Some(next(Duration::ZERO)), |pause| Some(next(*pause)))
            .take(8)
            .map(|pause| pause.as_secs())
            .collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
    }
}
