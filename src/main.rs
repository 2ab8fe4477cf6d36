//! The binary. Everything is in the library's [`runpen::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    runpen::cli::main()
}
