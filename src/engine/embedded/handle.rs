//! The server's hold on a sandbox: its streams, what is said about it, its end. It must not know how it was made.

use std::io;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWrite, Interest};
use tokio::net::UnixDatagram;
use tokio::net::unix::pipe;
use tokio::sync::{mpsc, watch};

use super::cgroup;
use super::engine::Toolchains;
use super::policy::Policy;
use super::receipt;
use super::wire::{Ended, Facts, Failure, Held, Said, Used, receive};
use crate::engine::{Chunk, EngineError, Exit, Handle, Usage};
use crate::protocol::{Receipt, Stream};

/// Chunks that may wait to be read.
const WAITING: usize = 64;

/// Bytes of the largest chunk.
const CHUNK: usize = 16 * 1024;

/// For how long the end is waited for, where only the end tells what was used.
const SOON: Duration = Duration::from_millis(100);

/// How it stands with a sandbox.
#[derive(Debug, Clone)]
pub(super) enum State {
    /// Something runs in it.
    Alive,
    /// It is gone.
    Ended(Ended),
    /// Its command could not be started.
    Failed(Failure),
    /// The launcher is gone, and the kernel has killed it.
    Lost,
}

/// A sandbox.
pub(super) struct Sandbox {
    pub(super) image: String,
    pub(super) policy: Policy,
    pub(super) held: Held,
    pub(super) facts: Facts,
    pub(super) socket: Arc<UnixDatagram>,
    pub(super) state: watch::Receiver<State>,
    pub(super) toolchains: Arc<Toolchains>,
}

impl Sandbox {
    async fn ended(&self) -> Result<Ended, EngineError> {
        let mut state = self.state.clone();
        let state = state.wait_for(|state| !matches!(state, State::Alive)).await;
        match state.as_deref() {
            Ok(State::Ended(ended)) => Ok(*ended),
            Ok(State::Failed(failure)) => Err(failed(failure)),
            Ok(State::Alive | State::Lost) | Err(_) => Err(EngineError::Failed {
                operation: format!("wait for the end of {}", self.held.name),
                reason: "its launcher is gone, and the sandbox with it".to_owned(),
            }),
        }
    }

    /// The launcher takes a closed socket for the order to kill.
    fn kill(&self) {
        // It fails when the other end is closed, and then there is nothing left to kill.
        let _ = self.socket.shutdown(Shutdown::Write);
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.kill();
    }
}

#[async_trait]
impl Handle for Sandbox {
    fn name(&self) -> &str {
        &self.held.name
    }

    async fn wait(&self) -> Result<Exit, EngineError> {
        let ended = self.ended().await?;
        Ok(Exit { status: ended.status, out_of_memory: ended.usage.oom_kills.is_some_and(|kills| kills > 0) })
    }

    async fn remove(&self) -> Result<(), EngineError> {
        self.kill();
        // However it ended: it is gone.
        let _ = self.ended().await;
        Ok(())
    }

    async fn receipt(&self) -> Result<Receipt, EngineError> {
        let toolchain = self.toolchains.name(&self.image).await;
        Ok(receipt::write(&self.policy, &self.held, &self.facts, toolchain, &self.toolchains.kernel))
    }

    async fn usage(&self) -> Option<Usage> {
        let so_far = matches!(*self.state.borrow(), State::Alive).then(|| self.used_so_far()).flatten();
        let used = match so_far {
            Some(used) => used,
            // Without a cgroup only the launcher knows, when it is over; one who asks has reason to think that it soon is.
            None => tokio::time::timeout(SOON, self.ended()).await.ok()?.ok()?.usage,
        };
        Some(Usage { cpu_ms: used.cpu_ms, peak_memory_bytes: used.peak_memory, oom_kills: used.oom_kills })
    }

    /// The launcher kills it when the server is gone, and the kernel when the launcher is.
    fn outlives_server(&self) -> bool {
        false
    }
}

impl Sandbox {
    fn used_so_far(&self) -> Option<Used> {
        let folder = |of: &str| self.held.folders.iter().find(|(name, _)| name == of).map(|(_, path)| path.as_ref());
        let used = cgroup::used(folder("memory")?, folder("cpu")?);
        // It may have ended, and its cgroup with it, since we looked.
        used.cpu_ms.is_some().then_some(used)
    }
}

/// The error for a sandbox that could not be made.
pub(super) fn failed(failure: &Failure) -> EngineError {
    EngineError::Failed { operation: failure.step.clone(), reason: failure.reason.clone() }
}

/// Makes a socket of sequenced packets wait for its turn. Of the types that tokio has, the one for datagrams fits: it keeps
/// the packets apart, and nothing is sent over it.
pub(super) fn asynchronous(socket: OwnedFd) -> io::Result<UnixDatagram> {
    let socket = std::os::unix::net::UnixDatagram::from(socket);
    socket.set_nonblocking(true)?;
    UnixDatagram::from_std(socket)
}

/// The next thing said about a sandbox, `None` when nobody is left to say anything.
pub(super) async fn hear(socket: &UnixDatagram) -> io::Result<Option<Said>> {
    let heard = socket.async_io(Interest::READABLE, || receive::<Said>(socket)).await?;
    Ok(heard.map(|(said, _)| said))
}

/// Follows a sandbox until its end.
pub(super) async fn follow(socket: Arc<UnixDatagram>, state: watch::Sender<State>) {
    let mut failure = None;
    let last = loop {
        match hear(&socket).await {
            Ok(Some(Said::Ended(ended))) => break failure.map_or(State::Ended(ended), State::Failed),
            Ok(Some(Said::Failed(why))) => failure = Some(why),
            Ok(Some(Said::Held(_) | Said::Ready(_))) => {}
            Ok(None) | Err(_) => break State::Lost,
        }
    };
    state.send_replace(last);
}

/// Reads both streams into one bounded queue until both are closed.
pub(super) fn pump(stdout: OwnedFd, stderr: OwnedFd) -> io::Result<mpsc::Receiver<Chunk>> {
    let (sender, receiver) = mpsc::channel(WAITING);
    for (stream, fd) in [(Stream::Stdout, stdout), (Stream::Stderr, stderr)] {
        let pipe = pipe::Receiver::from_owned_fd(fd)?;
        tokio::spawn(pump_one(stream, pipe, sender.clone()));
    }
    Ok(receiver)
}

async fn pump_one(stream: Stream, mut pipe: pipe::Receiver, sender: mpsc::Sender<Chunk>) {
    loop {
        let mut buffer = bytes::BytesMut::with_capacity(CHUNK);
        let read = tokio::select! {
            read = pipe.read_buf(&mut buffer) => read,
            // Nobody wants it any more; the program must not stay blocked in a write until it is killed.
            () = sender.closed() => return,
        };
        let Ok(1..) = read else { return };
        let bytes: Bytes = buffer.freeze();
        if sender.send(Chunk { stream, bytes }).await.is_err() {
            return;
        }
    }
}

/// Standard input of a sandbox. Shutting it down closes it: for a pipe there is no other end of file.
pub(super) struct Stdin(pub(super) Option<pipe::Sender>);

impl Stdin {
    fn closed() -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
    }
}

impl AsyncWrite for Stdin {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.as_mut().map_or_else(Self::closed, |pipe| Pin::new(pipe).poll_write(context, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0 = None;
        Poll::Ready(Ok(()))
    }
}
