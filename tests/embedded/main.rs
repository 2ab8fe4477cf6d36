//! The embedded engine, against the kernel of this machine. Run by `tests/run.sh embedded`, as root and as an ordinary user.
#![cfg(target_os = "linux")]
#![expect(clippy::print_stdout, reason = "speed prints its figures")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod calls;
mod harness;
mod isolation;
mod life;
mod limits;
mod refusal;
#[path = "../refused/mod.rs"]
mod refused;
mod speed;
mod support;
mod toolchains;

// The attack suite of the other engines, as it is. What of it is not here inspects images and daemons.
#[path = "../sandbox/exhaust.rs"]
mod exhaust;
#[path = "../sandbox/inside.rs"]
mod inside;
#[path = "../sandbox/kind.rs"]
mod kind;
#[path = "../sandbox/live.rs"]
mod live;
