//! One container, from its making to its removal. It owns the order of things: image, create, attach, start, watch.
//!
//! # Theory of operation
//!
//! The making runs in a task of its own: a caller that goes away in the middle must not leave a container that nobody
//! knows, so the task ends what it began, and dropping its result removes it. The streams are attached before the start,
//! for no byte to be lost. The end is waited for after the start, which loses nothing because the engine does not remove
//! containers by itself. Three tasks serve a started container: the pump of its output, the watch for its end, and one
//! look at what really encloses it, made while it runs.

use std::sync::Arc;

use async_trait::async_trait;
use bollard::container::AttachContainerResults;
use bollard::errors::Error;
use bollard::models::{ContainerCreateBody, HostConfig};
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, CreateContainerOptionsBuilder, StartContainerOptions, WaitContainerOptions,
};
use futures_util::StreamExt;
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinHandle;

use super::connect::Kind;
use super::error::{failed, reason, start_failure, status, within};
use super::runtime::{self, Runtime};
use super::{Shared, hardening, image, inspect, podman, reap, receipt, seccomp, stream};
use crate::engine::{Container, EngineError, Exit, Handle, Spec};
use crate::protocol::Receipt;

/// A value that a task will give once.
type Later<T> = watch::Receiver<Option<Result<T, EngineError>>>;

/// Makes and starts a container. Run it in a task of its own: see the module's theory of operation.
pub(super) async fn start(shared: Arc<Shared>, spec: Spec) -> Result<Container, EngineError> {
    let runtime = runtime::choose(&shared, spec.sandbox.isolation).await?;
    let look = image::inspect(&shared.client, &spec.image);
    let Some(facts) = shared.linked(look).await? else {
        return Err(image::missing(&spec.image, "the engine does not have it"));
    };
    if let Err(error) = shared.owner.uses(&shared.endpoint) {
        tracing::warn!("cannot note who owns containers at {}: {error}", shared.endpoint);
    }
    let dialect = dialect(&shared, runtime);
    let asked = hardening::host_config(&spec.sandbox, &facts.volumes, &dialect);
    let (guard, warnings) = create(&shared, &spec, &facts.id, asked.clone()).await?;
    match shared.linked(launch(&spec, &guard)).await {
        Ok(streams) => {
            Ok(serve(guard, streams, receipt::Asked { host_config: asked, dialect, warnings, image: facts.image }))
        }
        Err(error) => {
            // The caller hears of the failure when nothing of it is left.
            if let Err(second) = guard.remove().await {
                tracing::warn!("{second}");
            }
            Err(error)
        }
    }
}

/// How this engine wants to be told.
fn dialect(shared: &Shared, runtime: Option<Runtime>) -> hardening::Dialect {
    let seccomp = match (shared.kind, shared.is_near()) {
        (Kind::Docker, _) => Some(seccomp::profile().to_owned()),
        // Podman takes the path of a file, so the file has to be where it is.
        (Kind::Podman, true) => seccomp::file(),
        (Kind::Podman, false) => None,
    };
    hardening::Dialect { podman: shared.kind == Kind::Podman, seccomp, runtime }
}

async fn create(
    shared: &Arc<Shared>,
    spec: &Spec,
    image: &str,
    host_config: HostConfig,
) -> Result<(Guard, Vec<String>), EngineError> {
    let name = shared.next_name();
    let options = CreateContainerOptionsBuilder::default().name(&name).build();
    shared.owner.opens(&shared.endpoint, &name);
    let create = within(shared.client.create_container(Some(options), body(shared, spec, image, host_config)));
    let answer = tokio::select! {
        answer = create => answer,
        () = shared.pulse.lost() => {
            shared.owner.owe(&shared.endpoint, &name);
            return Err(shared.link_lost());
        }
    };
    match answer {
        Ok(answer) => Ok((Guard::new(Arc::clone(shared), answer.id, name), answer.warnings)),
        Err(error) if status(&error) == Some(404) => {
            shared.owner.closes(&shared.endpoint, &name);
            Err(image::missing(&spec.image, reason(&error)))
        }
        Err(error) => {
            let failure = failed(format!("create container {name} of {}", spec.image), reason(&error));
            // An answer that is an error says that there is no container. No answer says nothing.
            if status(&error).is_none() {
                shared.owner.owe(&shared.endpoint, &name);
                reap::settle(shared);
            } else {
                shared.owner.closes(&shared.endpoint, &name);
            }
            Err(failure)
        }
    }
}

/// Everything that an image could have an opinion on is said here, for its opinion not to count.
fn body(shared: &Shared, spec: &Spec, image: &str, host_config: HostConfig) -> ContainerCreateBody {
    ContainerCreateBody {
        image: Some(image.to_owned()),
        entrypoint: Some(spec.command.clone()),
        cmd: Some(Vec::new()),
        user: Some(hardening::user()),
        // Any other folder would be made by the engine where the image has none, with a mode of its own.
        working_dir: Some("/".to_owned()),
        hostname: Some("runpen".to_owned()),
        healthcheck: Some(hardening::no_health_check()),
        // Our ends are abrupt, and the engine's own end must not wait ten seconds for us.
        stop_signal: Some("SIGKILL".to_owned()),
        stop_timeout: Some(0),
        tty: Some(false),
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        open_stdin: Some(true),
        stdin_once: Some(true),
        labels: Some(reap::labels(&shared.owner)),
        host_config: Some(host_config),
        ..ContainerCreateBody::default()
    }
}

/// Attaches, then starts.
async fn launch(spec: &Spec, guard: &Guard) -> Result<AttachContainerResults, EngineError> {
    let Guard { shared, id, name, .. } = guard;
    let options = AttachContainerOptionsBuilder::default().stream(true).stdin(true).stdout(true).stderr(true).build();
    let streams =
        within(shared.client.attach_container(id, Some(options))).await.map_err(|error| match reason(&error) {
            // Podman sets a container up when it is attached to, so what is wrong with its command is told here.
            said if said.contains("exec: ") => start_failure(&spec.image, &spec.command, name, &error),
            said => failed(format!("attach to container {name} of {}", spec.image), said),
        })?;
    within(shared.client.start_container(id, None::<StartContainerOptions>))
        .await
        .map_err(|error| start_failure(&spec.image, &spec.command, name, &error))?;
    Ok(streams)
}

/// Sets the three tasks of a started container going.
fn serve(guard: Guard, streams: AttachContainerResults, asked: receipt::Asked) -> Container {
    let (sender, output) = mpsc::channel(stream::CHUNKS);
    let (end, ended) = watch::channel(false);
    let drain = if guard.shared.is_near() { stream::DRAIN } else { stream::FAR_DRAIN };
    let pump = tokio::spawn(stream::pump(streams.output, sender, ended, drain));

    let (exit, exited) = watch::channel(None);
    let (shared, id, name) = (Arc::clone(&guard.shared), guard.id.clone(), guard.name.clone());
    let watching = tokio::spawn(async move {
        let answer = shared.linked(watch_end(&shared, &id, &name)).await;
        end.send_replace(true);
        // Over a slow link its last words may be on their way for long after its end is known, and nobody waits for them
        // who has heard of that.
        if answer.is_ok() && !shared.is_near() {
            let _ = pump.await;
        }
        exit.send_replace(Some(answer));
    });

    let (sent, receipted) = watch::channel(None);
    let (shared, id) = (Arc::clone(&guard.shared), guard.id.clone());
    let looking = tokio::spawn(async move {
        sent.send_replace(Some(shared.linked(receipt::look(&shared, &id, &asked)).await));
    });

    let handle = Held { guard, exited, receipted, tasks: [watching, looking] };
    Container { stdin: Box::new(stream::Stdin::new(streams.input)), output, handle: Arc::new(handle) }
}

/// Waits for the end, and asks then whether memory was the reason.
async fn watch_end(shared: &Shared, id: &str, name: &str) -> Result<Exit, EngineError> {
    // No condition: what has ended already is told at once, since nothing removes it but us.
    let status_code = match shared.client.wait_container(id, None::<WaitContainerOptions>).next().await {
        Some(Ok(answer)) => answer.status_code,
        // bollard makes an error of every status but 0.
        Some(Err(Error::DockerContainerWaitError { code, .. })) => code,
        Some(Err(error)) if status(&error) == Some(404) => 137,
        Some(Err(error)) => return Err(failed(format!("wait for container {name}"), reason(&error))),
        None => return Err(failed(format!("wait for container {name}"), "the engine closed the connection")),
    };
    let status_code = i32::try_from(status_code).unwrap_or(255);
    let state = within(inspect::inspect(shared, id)).await;
    if shared.kind == Kind::Podman {
        return Ok(podman::exit(shared, id, status_code, &state).await);
    }
    let out_of_memory = state.ok().and_then(|answer| answer.state?.oom_killed).unwrap_or(false);
    Ok(Exit { status: status_code, out_of_memory })
}

/// A created container that is removed at the latest when this is dropped.
pub(super) struct Guard {
    pub(super) shared: Arc<Shared>,
    pub(super) id: String,
    name: String,
    removed: Mutex<bool>,
    runtime: tokio::runtime::Handle,
}

impl Guard {
    pub(super) fn new(shared: Arc<Shared>, id: String, name: String) -> Self {
        Self { shared, id, name, removed: Mutex::new(false), runtime: tokio::runtime::Handle::current() }
    }

    pub(super) async fn remove(&self) -> Result<(), EngineError> {
        // Held over the call on purpose: a second caller returns when it is gone, not before.
        let mut removed = self.removed.lock().await;
        if !*removed {
            let gone = self.shared.linked(reap::remove(&self.shared.client, &self.id)).await;
            if gone.is_err() {
                self.shared.owner.owe(&self.shared.endpoint, &self.name);
            }
            gone?;
            self.shared.owner.closes(&self.shared.endpoint, &self.name);
            *removed = true;
        }
        Ok(())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if *self.removed.get_mut() {
            return;
        }
        let (shared, id, name) = (Arc::clone(&self.shared), self.id.clone(), self.name.clone());
        self.runtime.spawn(async move {
            match shared.linked(reap::remove(&shared.client, &id)).await {
                Ok(()) => shared.owner.closes(&shared.endpoint, &name),
                Err(error) => {
                    shared.owner.owe(&shared.endpoint, &name);
                    tracing::warn!("container {name} is left: {error}");
                }
            }
        });
    }
}

/// The hold on a started container.
struct Held {
    guard: Guard,
    exited: Later<Exit>,
    receipted: Later<Receipt>,
    tasks: [JoinHandle<()>; 2],
}

impl Held {
    async fn later<T: Clone>(&self, value: &Later<T>, what: &str) -> Result<T, EngineError> {
        let lost = || failed(format!("{what} container {}", self.guard.name), "its task is gone");
        let mut value = value.clone();
        let seen = value.wait_for(Option::is_some).await.map_err(|_| lost())?;
        seen.clone().unwrap_or_else(|| Err(lost()))
    }
}

#[async_trait]
impl Handle for Held {
    fn name(&self) -> &str {
        &self.guard.name
    }

    async fn wait(&self) -> Result<Exit, EngineError> {
        self.later(&self.exited, "wait for").await
    }

    async fn remove(&self) -> Result<(), EngineError> {
        self.guard.remove().await
    }

    async fn receipt(&self) -> Result<Receipt, EngineError> {
        self.later(&self.receipted, "inspect").await
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}
