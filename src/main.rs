//! The binary. Everything is in the library's [`runpen::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    // Before anything else: the embedded engine starts this binary again, for a process with one thread.
    if let Some(code) = runpen::engine::embedded::enter() {
        return code;
    }
    runpen::cli::main()
}
