//! The three streams of an attached container. It owns reading without rest and half-closing; it must not know what the
//! bytes mean.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::errors::Error;
use futures_util::StreamExt;
use tokio::io::AsyncWrite;
use tokio::sync::{mpsc, watch};

use crate::engine::Chunk;
use crate::protocol::Stream;

/// Chunks that wait for the run to take them. The engine cuts a chunk at 32 KiB, so this is 2 MiB at the most.
pub(super) const CHUNKS: usize = 64;

/// How long a stream may stay silent once its container has ended. An engine behind a virtual machine may never end it.
pub(super) const DRAIN: Duration = Duration::from_millis(500);

/// The same over a link to another machine, where silence may be a packet that was lost more than once.
pub(super) const FAR_DRAIN: Duration = Duration::from_secs(10);

/// What bollard gives for output.
pub(super) type Frames = Pin<Box<dyn futures_util::Stream<Item = Result<LogOutput, Error>> + Send>>;

/// Moves frames into the channel until the engine ends the stream, nobody listens any more, or the container has ended
/// and its stream stays silent. It never stops reading unless the channel is full: an engine cuts off a slow reader.
pub(super) async fn pump(
    mut frames: Frames,
    sender: mpsc::Sender<Chunk>,
    mut ended: watch::Receiver<bool>,
    drain: Duration,
) {
    loop {
        let frame = if *ended.borrow_and_update() {
            match tokio::time::timeout(drain, frames.next()).await {
                Ok(frame) => frame,
                Err(_) => return,
            }
        } else {
            tokio::select! {
                biased;
                frame = frames.next() => frame,
                () = sender.closed() => return,
                // A sender that is gone means that nobody will tell of the end: then read as if it had come.
                changed = ended.changed() => {
                    if changed.is_err() {
                        let rest = async { while deliver(frames.next().await, &sender).await {} };
                        let _ = tokio::time::timeout(drain, rest).await;
                        return;
                    }
                    continue;
                }
            }
        };
        if !deliver(frame, &sender).await {
            return;
        }
    }
}

/// Passes a frame on; false at the end.
async fn deliver(frame: Option<Result<LogOutput, Error>>, sender: &mpsc::Sender<Chunk>) -> bool {
    let (stream, bytes) = match frame {
        None => return false,
        Some(Err(error)) => {
            tracing::debug!("output ends: {}", super::error::reason(&error));
            return false;
        }
        Some(Ok(LogOutput::StdErr { message })) => (Stream::Stderr, message),
        Some(Ok(LogOutput::StdOut { message } | LogOutput::Console { message } | LogOutput::StdIn { message })) => {
            (Stream::Stdout, message)
        }
    };
    bytes.is_empty() || sender.send(Chunk { stream, bytes }).await.is_ok()
}

/// Standard input. Shutting it down is end of file, and so is dropping it: a program must not wait for input from a
/// server that has forgotten it.
pub(super) struct Stdin {
    inner: Pin<Box<dyn AsyncWrite + Send>>,
    open: bool,
}

impl Stdin {
    pub(super) fn new(inner: Pin<Box<dyn AsyncWrite + Send>>) -> Self {
        Self { inner, open: true }
    }
}

impl AsyncWrite for Stdin {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.inner.as_mut().poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.as_mut().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = self.inner.as_mut().poll_shutdown(context);
        if done.is_ready() {
            self.open = false;
        }
        done
    }
}

impl Drop for Stdin {
    fn drop(&mut self) {
        if self.open {
            // A socket shuts down at once; where it could not, the end of the whole connection says the same later.
            let _ = self.inner.as_mut().poll_shutdown(&mut Context::from_waker(Waker::noop()));
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::stream;

    use super::*;

    fn out(text: &'static str) -> LogOutput {
        LogOutput::StdOut { message: Bytes::from_static(text.as_bytes()) }
    }

    #[tokio::test]
    async fn a_silent_stream_ends_with_its_container() {
        let frames: Frames = Box::pin(stream::iter([Ok(out("a"))]).chain(stream::pending()));
        let (sender, mut receiver) = mpsc::channel(4);
        let (end, ended) = watch::channel(false);
        let pump = tokio::spawn(pump(frames, sender, ended, DRAIN));
        assert_eq!(receiver.recv().await.unwrap().bytes, "a");
        end.send(true).unwrap();
        assert_eq!(receiver.recv().await, None);
        pump.await.unwrap();
    }

    #[tokio::test]
    async fn a_slow_listener_loses_nothing() {
        let frames: Frames = Box::pin(stream::iter((0..4).map(|_| Ok(out("x")))));
        let (sender, mut receiver) = mpsc::channel(1);
        let (end, ended) = watch::channel(false);
        tokio::spawn(pump(frames, sender, ended, DRAIN));
        end.send(true).unwrap();
        let mut count = 0;
        while receiver.recv().await.is_some() {
            tokio::time::sleep(DRAIN + DRAIN / 10).await;
            count += 1;
        }
        assert_eq!(count, 4);
    }

    #[tokio::test]
    async fn nobody_listening_ends_the_pump() {
        let frames: Frames = Box::pin(stream::pending());
        let (sender, receiver) = mpsc::channel(1);
        let (_end, ended) = watch::channel(false);
        let pump = tokio::spawn(pump(frames, sender, ended, DRAIN));
        drop(receiver);
        pump.await.unwrap();
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn dropping_the_input_is_end_of_file() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (near, mut far) = tokio::net::UnixStream::pair().unwrap();
        let (_read, write) = tokio::io::split(near);
        let mut stdin = Stdin::new(Box::pin(write));
        stdin.write_all(b"abc").await.unwrap();
        drop(stdin);
        let mut text = String::new();
        far.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "abc");
    }
}
