//! `runpen.status`: engine, images, runs in flight. The only handler that asks an engine, with a deadline of its own.

use std::sync::Arc;
use std::time::Duration;

use crate::config::Settings;
use crate::engine::{Engine, EngineError};
use crate::lsp::session::Shared;
use crate::protocol::{EngineStatus, ImageStatus, Status};

/// How long an engine may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

pub(crate) async fn status(session: &Shared) -> Status {
    let mut status = Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        runs: session.backend.manager.runs(),
        pool: session.backend.manager.pool(),
        ..Status::default()
    };
    let settings = match super::settings::load(session, None) {
        Ok(settings) => settings,
        Err(error) => {
            status.error = Some(error);
            return status;
        }
    };
    let seconds = PATIENCE.as_secs();
    match tokio::time::timeout(PATIENCE, ask(session, &settings)).await {
        Ok(Ok((engine, images))) => (status.engine, status.images) = (Some(engine), images),
        Ok(Err(error)) => status.error = Some(error.to_string()),
        Err(_) => status.error = Some(format!("the engine did not answer within {seconds} s")),
    }
    status
}

async fn ask(session: &Shared, settings: &Settings) -> Result<(EngineStatus, Vec<ImageStatus>), EngineError> {
    let engine: Arc<dyn Engine> = session.backend.engines.engine(&settings.engine_wish()).await?;
    let status = engine.info().await?.into();
    let mut images = Vec::with_capacity(settings.languages.0.len());
    for language in settings.languages.0.values() {
        let present = engine.image(&language.image).await?.is_some();
        images.push(ImageStatus {
            language: language.name.clone(),
            image: language.image.clone(),
            present,
            error: None,
        });
    }
    Ok((status, images))
}
