//! Where there are no Unix sockets, servers tell of themselves in the editor alone.

use super::{ServerStatus, Source};
use crate::engine::owner::Owner;

/// Says nothing.
pub async fn serve(_owner: std::sync::Arc<Owner>, _source: Source) {}

/// Knows of nobody.
pub async fn ask_all(_folder: &std::path::Path) -> std::io::Result<Vec<ServerStatus>> {
    Err(std::io::Error::other("on this system only the editor can ask a server: runpen.status"))
}
