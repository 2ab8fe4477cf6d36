//! Linux namespaces without a daemon, with the machine's own toolchains: the engine where there is no other.
//!
//! # Theory of operation
//!
//! The server starts one `launcher`, this very binary in another role, with one thread and no memory to speak of. It
//! gets orders and descriptors over a socket (`wire`). For each it makes a cgroup where it can (`cgroup`, else
//! `watch`) and clones a child into seven new namespaces (`raw`). The child builds its root (`root`), fences itself in
//! (`inside`, `fence`, `filter`), says what the kernel now says of it, and becomes the command. The server holds
//! pipes and a socket (`handle`); closing the socket kills, and so does the death of the server or of the launcher.
//!
//! It never runs anything unsandboxed, and nothing can ask it to: a step that fails ends the child, and a machine that
//! cannot do it gets an error with the reason and what to do (`advice`).
//!
//! # Why not a whole sandboxing component
//!
//! Built on parts that are well kept and need no C library: `rustix` for system calls, `seccompiler` (from the Firecracker
//! family) for filters, `landlock` by Landlock's own people. Compared with, each tried here as root but the last, which was read:
//!
//! | | what spoke against it |
//! |---|---|
//! | `hakoniwa` 1.8 | forks the calling process, so the whole server with its threads, and keeps the copy for the run; `kill(0, SIGTERM)` from inside killed the server, since the session is the server's; root inside a run is root outside in the user map; bounding set left full; no filter without the C library libseccomp; a tmpfs without bounds; blocking threads; LGPL |
//! | `bubblewrap` 0.8 | has to be installed first, the very thing this engine is to spare; no resource limits, no inode bound, no Landlock, no filter of its own; nobody is root outside here too |
//! | `libcontainer` 0.7 | made for a container on disk: a bundle, a root file system, a state folder for each; a hundred crates and libseccomp; its own process is forked as well |
//!
//! Request to first byte of a Python hello, p50, all in the same minutes on a 2-core machine that others kept busy (so the
//! order counts, not the milliseconds): bare 16 ms, this engine 26 (start alone 9), bubblewrap 32–44, hakoniwa 46–52 from a tiny
//! process and 61–80 from one of 60 MB. A later change (`tree`) took some of the 9 off. With 16 at once the machine ran as many Python
//! programs a second in sandboxes (59–66) as bare (55–58). `tests/embedded/speed.rs` measures again.
//!
//! # What it cannot do
//!
//! - Without a cgroup, CPU time has no bound but the run's deadline, memory is watched and not held. The receipt says so.
//! - For an ordinary user, supplementary groups stay with the process; only root may give them away. None of the files
//!   that they open is in the root.
//! - Toolchains outside `/usr` (pyenv, nvm, rustup, SDKMAN) are seen only where the user's own settings list them (`homes`).
//! - One kernel is shared with the host. Against holes in it, gVisor or Kata behind Docker is the stronger wall.

#[cfg(target_os = "linux")]
mod advice;
#[cfg(target_os = "linux")]
mod cgroup;
#[cfg(target_os = "linux")]
mod engine;
#[cfg(target_os = "linux")]
mod fence;
#[cfg(target_os = "linux")]
mod filter;
#[cfg(target_os = "linux")]
mod handle;
#[cfg(target_os = "linux")]
mod homes;
#[cfg(target_os = "linux")]
mod inside;
#[cfg(target_os = "linux")]
mod launcher;
#[cfg(target_os = "linux")]
mod loopback;
#[cfg(target_os = "linux")]
mod mounts;
#[cfg(target_os = "linux")]
mod policy;
#[cfg(target_os = "linux")]
mod raw;
#[cfg(target_os = "linux")]
mod receipt;
#[cfg(target_os = "linux")]
mod root;
#[cfg(target_os = "linux")]
mod toolchain;
#[cfg(target_os = "linux")]
mod tree;
#[cfg(target_os = "linux")]
mod watch;
#[cfg(target_os = "linux")]
mod wire;

#[cfg(not(target_os = "linux"))]
mod elsewhere;

use std::process::ExitCode;

#[cfg(not(target_os = "linux"))]
pub use elsewhere::EmbeddedEngine;
#[cfg(target_os = "linux")]
pub use engine::EmbeddedEngine;

/// Name of the engine in receipts and settings.
#[cfg(target_os = "linux")]
const ENGINE: &str = "embedded";

/// To be called first thing in `main`, before any thread is started: when this process was started to be the launcher, it
/// is that until its server is gone, and the exit code is returned.
#[must_use]
pub fn enter() -> Option<ExitCode> {
    #[cfg(target_os = "linux")]
    {
        let mut arguments = std::env::args_os();
        let launched = arguments.next().is_some_and(|name| name == launcher::NAME)
            && arguments.next().is_some_and(|argument| argument == launcher::ARGUMENT);
        if launched {
            return Some(launcher::main());
        }
    }
    None
}
