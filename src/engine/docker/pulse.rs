//! Whether the link to an engine on another machine still stands. A cut link says nothing, so somebody has to ask.
//!
//! An engine is asked every [`EVERY`], and again at once when it did not answer in time. It is lost when twice in a row no
//! answer came and no byte came meanwhile on any other connection either: a link that is busy with a flood of output is slow, not lost. Lost is for ever; the next
//! run connects anew.

use std::sync::Arc;
use std::time::Duration;

use bollard::Docker;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::far::Signs;

const EVERY: Duration = Duration::from_secs(2);
const ANSWER: Duration = Duration::from_secs(2);
const MISSES: u32 = 2;

/// The watch over one link. Dropping it ends the watch.
pub(super) struct Pulse {
    lost: watch::Receiver<bool>,
    _task: Option<AbortOnDropHandle<()>>,
    _standing: Option<watch::Sender<bool>>,
}

impl Pulse {
    /// For an engine on this machine: its sockets tell by themselves when it goes.
    pub(super) fn none() -> Self {
        let (sender, lost) = watch::channel(false);
        Self { lost, _task: None, _standing: Some(sender) }
    }

    /// Watches an engine on another machine.
    pub(super) fn watch(client: Docker, signs: Arc<Signs>) -> Self {
        let (sender, lost) = watch::channel(false);
        let task = AbortOnDropHandle::new(tokio::spawn(async move {
            let mut misses = 0;
            let mut heard = signs.heard();
            while misses < MISSES {
                if misses == 0 {
                    tokio::time::sleep(EVERY).await;
                } else {
                    // One that refuses at once gets the time that one which is silent takes.
                    tokio::time::sleep(EVERY / 4).await;
                }
                let answer = tokio::time::timeout(ANSWER, client.ping()).await;
                let before = std::mem::replace(&mut heard, signs.heard());
                let alive = matches!(answer, Ok(Ok(_))) || heard != before;
                misses = if alive { 0 } else { misses + 1 };
            }
            sender.send_replace(true);
        }));
        Self { lost, _task: Some(task), _standing: None }
    }

    pub(super) fn is_lost(&self) -> bool {
        *self.lost.borrow()
    }

    /// Returns when the link is lost.
    pub(super) fn lost(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut lost = self.lost.clone();
        async move {
            if lost.wait_for(|lost| *lost).await.is_err() {
                // The watch ended with its engine: nothing was lost.
                std::future::pending::<()>().await;
            }
        }
    }
}
