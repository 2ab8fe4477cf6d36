//! `runpen/status`: how the engine stands and what waits, told when it changes. It owns when it is told; how the engine is
//! watched is [`crate::engine::health`]'s.

use std::time::Duration;

use tokio::time::sleep;
use tower_lsp::ls_types::MessageType;

use super::handlers::sync;
use super::session::Shared;
use crate::config::Settings;
use crate::engine::health::Standing as Engine;
use crate::protocol::{EngineStatus, Standing};

/// Changes so close to each other are told as one.
const TOGETHER: Duration = Duration::from_millis(50);

/// Somebody will run things with these settings: from now on their engine is watched.
pub(crate) fn follow(session: &Shared, settings: &Settings) {
    session.backend.health.want(settings.engine_wish());
}

/// Listens where the user's settings want to be asked for metrics.
pub(crate) fn export(session: &Shared, settings: &Settings) {
    let backend = &session.backend;
    if let Err(error) = backend.exporter.listen(settings.metrics_listen, &backend.status()) {
        session.log(MessageType::WARNING, error);
    }
}

/// Tells, as long as the session lasts.
pub(crate) async fn tell(session: Shared) {
    let manager = &session.backend.manager;
    let mut engine = session.backend.health.standing();
    let mut pool = manager.pool_changes();
    let mut said = None;
    // Where runs are made; an empty word after a silence.
    let mut place = None;
    loop {
        pool.borrow_and_update();
        let now = engine.borrow_and_update().clone();
        let (answers, error) = match now {
            Engine::Unknown => (None, None),
            Engine::Answers(engine, info) => {
                let before = place.replace(engine.place());
                if before.is_some() && before != place {
                    // What waited is gone, and what was opened meanwhile found nothing.
                    manager.engine_returned(&engine);
                    sync::expect_all(&session);
                }
                (Some(EngineStatus::from(info)), None)
            }
            Engine::Silent(reason) => {
                place = Some(String::new());
                (None, Some(reason))
            }
        };
        if answers.is_some() || error.is_some() {
            let standing = Standing { engine: answers, error, pool: manager.pool() };
            if said.as_ref() != Some(&standing) {
                session.outbox.latest("runpen/status", &standing);
                said = Some(standing);
            }
        }
        let alive = tokio::select! {
            changed = engine.changed() => changed.is_ok(),
            changed = pool.changed() => {
                sleep(TOGETHER).await;
                changed.is_ok()
            }
        };
        if !alive {
            return;
        }
    }
}
