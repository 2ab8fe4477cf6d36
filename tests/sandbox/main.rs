//! The sandbox, against a real engine: every control asked of the engine, and tried from inside.
//!
//! These tests need an engine and the images of `tests/setup`, so a plain `cargo test` reports them as ignored;
//! `tests/run.sh sandbox` runs them, and there an engine that is missing is a failure. `inside`, `exhaust` and `live` are part
//! of the embedded engine's tests as well.
//!
//! | file | proves |
//! |---|---|
//! | `enforced` | what the engine holds of the container, and the receipt |
//! | `inside` | the same from inside, by trying |
//! | `refused` | that no call of the table of refused ones is made; shared with the embedded engine's tests |
//! | `kind` | which engine is attacked, and what it does not give |
//! | `exhaust` | fork, allocate, fill, open without end |
//! | `hostile` | images that try to loosen it |
//! | `life` | streams, ends, removal on every path, sweeping |
//! | `live` | the probes that `runpen doctor` runs |
//! | `cut` | an engine that goes away and comes back |
//! | `pace` | output at full rate, and what each step costs (`--nocapture` shows it) |

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of tests fail as tests do, and numbers are printed"
)]

mod cut;
mod enforced;
mod exhaust;
mod hostile;
mod inside;
mod kind;
mod life;
mod live;
mod pace;
#[cfg(target_os = "linux")]
#[path = "../refused/mod.rs"]
mod refused;
mod support;
