//! The embedded engine, against the kernel of this machine. Run by `tests/run.sh embedded`, as root and as an ordinary user.

mod harness;
mod life;
