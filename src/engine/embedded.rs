//! Linux namespaces without a daemon, with the machine's own toolchains.
//!
//! See the modules: `launcher` makes sandboxes, `inside` is what happens in a new one, `engine` is the server's side.

#[cfg(target_os = "linux")]
mod advice;
#[cfg(target_os = "linux")]
mod calls;
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
