//! The embedded engine where there are no Linux namespaces: it says so.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::engine::{BakeSpec, Container, Engine, EngineError, EngineInfo, Image, PullProgress, Spec};

/// An engine that cannot be made here.
pub struct EmbeddedEngine(std::convert::Infallible);

impl EmbeddedEngine {
    /// Says why it cannot be made.
    pub fn new(_: &[PathBuf]) -> Result<Self, EngineError> {
        Err(EngineError::Unreachable {
            tried: format!("embedded (it needs Linux, and this is {})", std::env::consts::OS),
            advice: "install Docker Desktop, Podman, Colima, OrbStack or Rancher Desktop".to_owned(),
        })
    }

    /// The same.
    pub fn with_launcher(_: &Path, toolchains: &[PathBuf]) -> Result<Self, EngineError> {
        Self::new(toolchains)
    }
}

#[async_trait]
impl Engine for EmbeddedEngine {
    fn name(&self) -> &'static str {
        match self.0 {}
    }

    async fn info(&self) -> Result<EngineInfo, EngineError> {
        match self.0 {}
    }

    async fn image(&self, _: &str) -> Result<Option<Image>, EngineError> {
        match self.0 {}
    }

    async fn pull(&self, _: &str, _: mpsc::Sender<PullProgress>) -> Result<(), EngineError> {
        match self.0 {}
    }

    async fn bake(&self, _: &BakeSpec) -> Result<(), EngineError> {
        match self.0 {}
    }

    async fn start(&self, _: &Spec) -> Result<Container, EngineError> {
        match self.0 {}
    }

    async fn sweep(&self) -> Result<usize, EngineError> {
        match self.0 {}
    }
}
