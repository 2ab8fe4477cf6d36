//! What the server and the launcher say to each other: JSON in sequenced packets, descriptors beside it.
//!
//! It must not know what the messages lead to.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::policy::Policy;

/// Longest message. A command longer than this is refused.
const LONGEST: usize = 128 * 1024;

/// The server orders a sandbox. With it come four descriptors: the socket for what is [`Said`] about it (closing the
/// other end kills it), and the three streams.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Order {
    /// The command.
    pub(super) command: Vec<String>,
    /// All of its environment.
    pub(super) env: Vec<(String, String)>,
    /// What encloses it.
    pub(super) policy: Policy,
}

/// What is said about a sandbox.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Said {
    /// The launcher: how its resources are held. First.
    Held(Held),
    /// The first process of the sandbox, just before it becomes the command: what encloses it now.
    Ready(Facts),
    /// The first process: why it could not.
    Failed(Failure),
    /// The launcher: it has ended, and nothing of it is left. Last.
    Ended(Ended),
}

/// How memory, processes and CPU time are held, as read back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Held {
    /// Name of the sandbox, and of its cgroup.
    pub(super) name: String,
    /// `cgroup v2`, `cgroup v1`, or none.
    pub(super) by: Option<String>,
    /// Why there is no cgroup.
    pub(super) why_not: Option<String>,
    /// Folders of its cgroup.
    pub(super) folders: Vec<(String, String)>,
    /// `memory`, `swap`, `cpus`, `pids` as the kernel says they are.
    pub(super) limits: Vec<(String, String)>,
}

/// What the kernel says of the process that is about to become the command.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Facts {
    /// `/proc/self/status`.
    pub(super) status: String,
    /// What Landlock enforces.
    pub(super) landlock: String,
    /// `/proc/self/limits`.
    pub(super) limits: String,
    /// Whether there is System V shared memory, bounded; else it is refused.
    pub(super) system_v: bool,
}

/// A step that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{step}: {reason}")]
pub(super) struct Failure {
    /// What was being done, on what.
    pub(super) step: String,
    /// What the kernel said.
    pub(super) reason: String,
    /// Its error number, 0 if it is not from the kernel.
    pub(super) errno: i32,
}

impl Failure {
    pub(super) fn new(step: impl Into<String>, error: &io::Error) -> Self {
        Self { step: step.into(), reason: error.to_string(), errno: error.raw_os_error().unwrap_or(0) }
    }
}

/// Turns an error of any step into a [`Failure`] that names it.
pub(super) trait Step<T> {
    /// Names the step.
    fn step(self, step: impl FnOnce() -> String) -> Result<T, Failure>;
}

impl<T, E: Into<io::Error>> Step<T> for Result<T, E> {
    fn step(self, step: impl FnOnce() -> String) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(step(), &error.into()))
    }
}

/// How it ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Ended {
    /// Status of its first process: 128 + N when signal N ended it.
    pub(super) status: i32,
    /// What it used.
    pub(super) usage: Used,
}

/// What it used, as far as it could be measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Used {
    /// CPU time in milliseconds.
    pub(super) cpu_ms: Option<f64>,
    /// Peak memory in bytes.
    pub(super) peak_memory: Option<u64>,
    /// Processes killed for memory.
    pub(super) oom_kills: Option<u64>,
}

/// Sends one message and the descriptors that go with it.
pub(super) fn send(socket: BorrowedFd<'_>, message: &impl Serialize, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    let text = serde_json::to_vec(message)?;
    if text.len() > LONGEST {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("the command is longer than {LONGEST} bytes")));
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // A peer that is gone is an error here, not a signal.
    rustix::net::sendmsg(socket, &[IoSlice::new(&text)], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Receives one message and its descriptors, or `None` at the end.
pub(super) fn receive<T: DeserializeOwned>(socket: impl AsFd) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
    let mut text = vec![0; LONGEST];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC;
    let received = rustix::net::recvmsg(socket, &mut [IoSliceMut::new(&mut text)], &mut control, flags)?;
    let mut fds = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            fds.extend(rights);
        }
    }
    if received.bytes == 0 {
        return Ok(None);
    }
    if received.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the message was cut"));
    }
    Ok(Some((serde_json::from_slice(&text[..received.bytes])?, fds)))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

    use super::*;

    #[test]
    fn a_message_arrives_with_its_descriptors() {
        let (here, there) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
        let (mut reader, writer) = io::pipe().unwrap();
        let said = Said::Ended(Ended { status: 3, usage: Used::default() });
        send(here.as_fd(), &said, &[writer.as_fd()]).unwrap();
        drop(writer);
        let (heard, fds) = receive::<Said>(&there).unwrap().unwrap();
        assert!(matches!(heard, Said::Ended(Ended { status: 3, .. })));
        assert_eq!(fds.len(), 1);
        assert!(rustix::io::fcntl_getfd(&fds[0]).unwrap().contains(rustix::io::FdFlags::CLOEXEC));
        drop(fds);
        assert_eq!(reader.read(&mut [0]).unwrap(), 0, "no copy of the descriptor is left");
        drop(here);
        assert!(receive::<Said>(&there).unwrap().is_none());
    }

    #[test]
    fn a_message_that_is_too_long_is_refused() {
        let (here, _there) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
        let error = send(here.as_fd(), &"x".repeat(LONGEST), &[]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
}
