//! The end of an editor that was killed while something else holds our standard input open. Linux only: elsewhere the
//! end of standard input must do.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::session::Shared;

/// How often we look.
const INTERVAL: Duration = Duration::from_secs(3);

/// Ends the session when the process that `initialize` named is gone. One that was never to be seen lives in another
/// container or on another machine, and says nothing.
pub(crate) fn watch(process: Option<u32>, session: &Shared) {
    let Some(process) = process.map(|process| PathBuf::from(format!("/proc/{process}"))) else { return };
    if !process.exists() {
        return;
    }
    let outbox = session.outbox.clone();
    let session = Arc::downgrade(session);
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(INTERVAL);
        while session.strong_count() > 0 {
            ticks.tick().await;
            if !process.exists() {
                tracing::info!("the editor is gone");
                outbox.abandon();
                return;
            }
        }
    });
}
