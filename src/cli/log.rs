//! The log: warnings on standard error for a command, everything of note in a file for the server.

use std::fs::{File, OpenOptions};

use tracing_subscriber::EnvFilter;

/// A log larger than this is begun anew, in bytes.
const LIMIT: u64 = 1024 * 1024;

/// Starts logging. `RUNPEN_LOG` says what is logged, as in `RUNPEN_LOG=debug`.
pub(super) fn start(server: bool) {
    let default = if server { "runpen=info" } else { "runpen=error" };
    let filter = EnvFilter::try_from_env("RUNPEN_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_target(false);
    // A second subscriber is a test's: it stays.
    let _ = match file().filter(|_| server) {
        Some(file) => builder.with_ansi(false).with_writer(std::sync::Arc::new(file)).try_init(),
        None => builder.with_writer(std::io::stderr).try_init(),
    };
}

/// The server's log, `runpen.log` in the cache folder: an editor shows a server's standard error to nobody.
fn file() -> Option<File> {
    let folder = crate::engine::owner::cache_folder()?;
    std::fs::create_dir_all(&folder).ok()?;
    let path = folder.join("runpen.log");
    let large = std::fs::metadata(&path).is_ok_and(|metadata| metadata.len() > LIMIT);
    let mut options = OpenOptions::new();
    if large {
        options.write(true).truncate(true)
    } else {
        options.append(true)
    };
    options.create(true).open(path).ok()
}
