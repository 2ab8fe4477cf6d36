//! Deriving an image: a script of ours runs once in a container of the base image, and what it left becomes an image.
//!
//! The script is ours and the image is the user's choice, but a hostile image brings its own shell and compiler. So the
//! container has no network, no capabilities, no new privileges and bounded memory, processes and time; it has a writable
//! root, and root in it, which is what it is for. User code never comes near it.
//!
//! We hold its standard input and never write: when that ends, the server is gone, and the script is killed by its [`GUARD`].

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bollard::errors::Error;
use bollard::models::{ContainerConfig, ContainerCreateBody, HostConfig, HostConfigLogConfig};
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, CommitContainerOptionsBuilder, CreateContainerOptionsBuilder, StartContainerOptions,
    WaitContainerOptions,
};
use futures_util::StreamExt;

use super::container::Guard;
use super::error::{failed, reason, within};
use super::{Shared, hardening, image, reap};
use crate::engine::{BakeSpec, EngineError};
use crate::plan::MIB;

/// Label of a derived image: what it was derived from.
pub(super) const BASE_LABEL: &str = "dev.runpen.base";

/// The longest that a script may take: Go's standard library takes 22 s on one core of the year 2020.
const DEADLINE: Duration = Duration::from_secs(600);

/// The longest that the engine may take to write an image.
const COMMIT_DEADLINE: Duration = Duration::from_secs(300);

/// Goes before a script. The first process of a container cannot be killed from inside, so what it starts is, until it gives up.
const GUARD: &str = "\
exec 3<&0 </dev/null
(read -r _ <&3 || :; while :; do kill -9 -1; sleep 1; done) >/dev/null 2>&1 &
exec 3<&-
";

/// Derives an image, and leaves no container.
pub(super) async fn bake(shared: &Arc<Shared>, spec: &BakeSpec) -> Result<(), EngineError> {
    let failure = |why: &str| failed(format!("prepare the toolchain of {}", spec.base), why);
    let Some(facts) = image::inspect(&shared.client, &spec.base).await? else {
        return Err(image::missing(&spec.base, "the engine does not have it"));
    };
    let name = shared.next_name();
    let options = CreateContainerOptionsBuilder::default().name(&name).build();
    let created = within(shared.client.create_container(Some(options), body(shared, spec, &facts.id)))
        .await
        .map_err(|error| failure(&reason(&error)))?;
    shared.owner.opens(&shared.endpoint, &name);
    let guard = Guard::new(Arc::clone(shared), created.id, name);
    let baked = async {
        let options = AttachContainerOptionsBuilder::default().stream(true).stdin(true).build();
        let _stdin = within(shared.client.attach_container(&guard.id, Some(options)))
            .await
            .map_err(|error| failure(&reason(&error)))?;
        within(shared.client.start_container(&guard.id, None::<StartContainerOptions>))
            .await
            .map_err(|error| failure(&reason(&error)))?;
        let mut end = shared.client.wait_container(&guard.id, None::<WaitContainerOptions>);
        match tokio::time::timeout(DEADLINE, end.next()).await {
            Err(_) => return Err(failure("it took longer than ten minutes")),
            Ok(Some(Ok(_))) => {}
            Ok(Some(Err(Error::DockerContainerWaitError { code, .. }))) => {
                return Err(failure(&format!("its script ended with status {code}")));
            }
            Ok(Some(Err(error))) => return Err(failure(&reason(&error))),
            Ok(None) => return Err(failure("the engine closed the connection")),
        }
        commit(shared, spec, &guard.id, &facts.id).await.map_err(|why| failure(&why))
    };
    let baked = baked.await;
    guard.remove().await?;
    baked
}

async fn commit(shared: &Shared, spec: &BakeSpec, container: &str, base: &str) -> Result<(), String> {
    let (repository, tag) = spec.reference.rsplit_once(':').unwrap_or((&spec.reference, "latest"));
    let options = CommitContainerOptionsBuilder::default().container(container).repo(repository).tag(tag).build();
    let labels = HashMap::from([(BASE_LABEL.to_owned(), base.to_owned())]);
    let config = ContainerConfig { labels: Some(labels), ..ContainerConfig::default() };
    match tokio::time::timeout(COMMIT_DEADLINE, shared.client.commit_container(options, config)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(reason(&error)),
        Err(_) => Err("the engine did not finish the image in time".to_owned()),
    }
}

fn body(shared: &Shared, spec: &BakeSpec, image: &str) -> ContainerCreateBody {
    let memory = i64::try_from(2048 * MIB).unwrap_or(i64::MAX);
    ContainerCreateBody {
        image: Some(image.to_owned()),
        entrypoint: Some(["/bin/sh", "-ec", &format!("{GUARD}{}", spec.script)].map(str::to_owned).into()),
        cmd: Some(Vec::new()),
        env: Some(spec.env.iter().map(|(name, value)| format!("{name}={value}")).collect()),
        user: Some("0:0".to_owned()),
        working_dir: Some("/".to_owned()),
        healthcheck: Some(hardening::no_health_check()),
        stop_signal: Some("SIGKILL".to_owned()),
        attach_stdin: Some(true),
        open_stdin: Some(true),
        stdin_once: Some(true),
        labels: Some(reap::labels(&shared.owner)),
        host_config: Some(HostConfig {
            network_mode: Some("none".to_owned()),
            cap_drop: Some(vec!["ALL".to_owned()]),
            security_opt: Some(vec!["no-new-privileges".to_owned()]),
            memory: Some(memory),
            memory_swap: Some(memory),
            pids_limit: Some(512),
            // Podman has none of its own for these that every machine would take.
            ulimits: Some(vec![hardening::ulimit("nofile", 4096), hardening::ulimit("nproc", 4096)]),
            log_config: Some(HostConfigLogConfig { typ: Some("none".to_owned()), config: None }),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    }
}
