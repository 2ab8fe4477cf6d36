//! Whether the link to an engine on another machine still stands. A cut link says nothing, so somebody has to ask.
//!
//! An engine is asked every [`EVERY`]. An answer may take its time as long as bytes come on any other connection: a link
//! that is busy with a flood of output is slow, not lost. When nothing comes, the question is asked once more over a new
//! connection, and the first stays open: a slow link may still answer it, and a firewall may have forgotten the old
//! connection. When both are met with silence the link is lost, 4.6 s after its last byte at the latest. Lost is for ever;
//! the next run connects anew.

use std::sync::Arc;
use std::time::Duration;

use bollard::Docker;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_util::task::AbortOnDropHandle;

use super::far::Signs;

const EVERY: Duration = Duration::from_secs(1);
/// How long the first question waits alone.
const FIRST: Duration = Duration::from_millis(1500);
/// How long both wait together.
const BOTH: Duration = Duration::from_secs(2);
/// How often the signs of life are looked at meanwhile.
const LOOK: Duration = Duration::from_millis(100);

/// The watch over one link. Dropping it ends the watch.
pub(super) struct Pulse {
    lost: watch::Receiver<bool>,
    task: Option<AbortOnDropHandle<()>>,
    _standing: Option<watch::Sender<bool>>,
}

impl Pulse {
    /// For an engine on this machine: its sockets tell by themselves when it goes.
    pub(super) fn none() -> Self {
        let (sender, lost) = watch::channel(false);
        Self { lost, task: None, _standing: Some(sender) }
    }

    /// Watches an engine on another machine.
    pub(super) fn watch(client: Docker, signs: Arc<Signs>) -> Self {
        let (sender, lost) = watch::channel(false);
        let task = AbortOnDropHandle::new(tokio::spawn(async move {
            let ask = || async { client.ping().await.is_ok() };
            loop {
                sleep(EVERY).await;
                if !answers(ask, &signs).await {
                    break;
                }
            }
            sender.send_replace(true);
        }));
        Self { lost, task: Some(task), _standing: None }
    }

    /// Whether anybody asks.
    pub(super) fn watches(&self) -> bool {
        self.task.is_some()
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

/// Whether an answer comes before a silence that is too long.
async fn answers<A: Future<Output = bool>>(ask: impl Fn() -> A, signs: &Signs) -> bool {
    // One that refuses, and may be starting, is as good as one that is silent until it answers.
    let asked = || async {
        while !ask().await {
            sleep(EVERY).await;
        }
    };
    let second = async {
        silence(signs, FIRST).await;
        asked().await;
    };
    tokio::select! {
        () = asked() => true,
        () = second => true,
        () = silence(signs, FIRST + BOTH) => false,
    }
}

/// Returns when no sign of life has come for so long.
async fn silence(signs: &Signs, long: Duration) {
    let (mut heard, mut since) = (signs.heard(), Instant::now());
    while since.elapsed() < long {
        sleep(LOOK).await;
        if signs.heard() != heard {
            (heard, since) = (signs.heard(), Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn silence_is_known_within_five_seconds_whatever_is_silent() {
        let signs = Signs::default();
        for refuses in [true, false] {
            let begun = Instant::now();
            let ask = || async move { !refuses && std::future::pending().await };
            assert!(!answers(ask, &signs).await);
            assert!(EVERY + begun.elapsed() < Duration::from_secs(5));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_answer_and_one_over_a_new_connection_are_answers() {
        let signs = Signs::default();
        let slow = || async {
            sleep(Duration::from_secs(3)).await;
            true
        };
        assert!(answers(slow, &signs).await);
        let asked = AtomicUsize::new(0);
        let forgotten = || async {
            if asked.fetch_add(1, Ordering::Relaxed) == 0 {
                std::future::pending::<()>().await;
            }
            true
        };
        assert!(answers(forgotten, &signs).await);
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_link_that_is_busy_with_something_else_stands_and_is_asked_no_more_than_twice() {
        let (signs, asked) = (Signs::default(), AtomicUsize::new(0));
        let mute = || {
            asked.fetch_add(1, Ordering::Relaxed);
            std::future::pending()
        };
        let begun = Instant::now();
        let output = async {
            for _ in 0..20 {
                sleep(Duration::from_secs(3)).await;
                signs.note(1);
            }
        };
        let (stands, ()) = tokio::join!(answers(mute, &signs), output);
        assert!(!stands && begun.elapsed() >= Duration::from_secs(60) + FIRST + BOTH);
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }
}
