//! Removing containers: on purpose, when forgotten, and what a crash left behind. It owns names and labels.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bollard::Docker;
use bollard::query_parameters::{ListContainersOptionsBuilder, RemoveContainerOptionsBuilder};

use super::Shared;
use super::error::{DEADLINE, failed, reason, status, within};
use crate::engine::EngineError;
use crate::engine::owner::{self, Dead, Owner};

/// How long after an owner's end something of it may still come into being at an engine on another machine: its own socket
/// gives up after ten seconds, and a host in between may take its time.
const SETTLED: Duration = Duration::from_secs(60);

/// Label with the id of the owner.
pub const OWNER_LABEL: &str = "dev.runpen.owner";
/// Label with the version of Runpen that made the container.
pub const VERSION_LABEL: &str = "dev.runpen.version";

/// Label with the name of the machine that made the container, for those who share an engine with others.
pub const HOST_LABEL: &str = "dev.runpen.host";

/// The labels of every container. They are set on the container, so an image's labels of the same name lose.
pub(super) fn labels(owner: &Owner) -> HashMap<String, String> {
    [(OWNER_LABEL, owner.id()), (HOST_LABEL, owner::host_name()), (VERSION_LABEL, env!("CARGO_PKG_VERSION"))]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

/// How often a removal that the engine says it failed at is asked for again.
const FAULTS: u32 = 40;

/// Kills and removes a container with its anonymous volumes, and returns when it is gone. One that is not there is gone.
///
/// A failure of the engine's own is asked for again: Docker 20.10 sometimes meets a file that it is just writing itself
/// ("directory not empty"), and Podman knows states in between ("container state improper"). So is a conflict: somebody
/// else is at it, and may fail.
pub(super) async fn remove(client: &Docker, name: &str) -> Result<(), EngineError> {
    let begun = Instant::now();
    let mut faults = 0;
    loop {
        let Err(error) = within(client.remove_container(name, Some(force()))).await else { return Ok(()) };
        match status(&error) {
            Some(404) => return Ok(()),
            Some(409) if begun.elapsed() < DEADLINE => tokio::time::sleep(Duration::from_millis(20)).await,
            Some(500..) if faults < FAULTS => {
                faults += 1;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            _ => return Err(failed(format!("remove container {name}"), reason(&error))),
        }
    }
}

/// Pays what is owed at this engine, in the background: containers whose making was never answered, and those that could
/// not be removed while the link was lost. The engine may finish one after we have looked, so it looks more than once.
pub(super) fn settle(shared: &Arc<Shared>) {
    let names = shared.owner.owed(&shared.endpoint);
    if names.is_empty() {
        return;
    }
    let shared = Arc::downgrade(shared);
    tokio::spawn(async move {
        for wait in [0, 1, 4, 15, 40] {
            tokio::time::sleep(Duration::from_secs(wait)).await;
            let Some(shared) = shared.upgrade() else { return };
            for name in &names {
                match within(shared.client.remove_container(name, Some(force()))).await {
                    Ok(()) => shared.owner.closes(&shared.endpoint, name),
                    // By now the engine would have made it.
                    Err(error) if status(&error) == Some(404) && wait >= 15 => {
                        shared.owner.closes(&shared.endpoint, name);
                    }
                    Err(error) => tracing::debug!("container {name} is owed: {}", reason(&error)),
                }
            }
        }
    });
}

fn force() -> bollard::query_parameters::RemoveContainerOptions {
    RemoveContainerOptionsBuilder::default().force(true).v(true).build()
}

/// Removes what dead owners left at this endpoint; says how many containers that were.
pub(super) async fn sweep(client: &Docker, endpoint: &str, folder: &Path) -> Result<usize, EngineError> {
    let dead = owner::dead_in(folder, endpoint)
        .map_err(|error| failed(format!("read the owners in {}", folder.display()), error.to_string()))?;
    if dead.is_empty() {
        return Ok(0);
    }
    let containers = owned(client).await?;
    let mut count = 0;
    for one in dead {
        let mut clean = true;
        for container in containers.iter().filter(|container| belongs(container, &one)) {
            match remove(client, &container.id).await {
                Ok(()) => count += 1,
                Err(error) => {
                    clean = false;
                    tracing::warn!("{error}");
                }
            }
        }
        // What a process that is gone has sent over a slow link may arrive after we have looked: the next sweep looks again.
        let settled = endpoint.starts_with("unix://") || one.age() > SETTLED;
        if clean
            && settled
            && let Err(error) = one.swept(endpoint)
        {
            tracing::warn!("cannot forget a dead owner: {error}");
        }
    }
    Ok(count)
}

struct Owned {
    id: String,
    name: String,
    owner: String,
}

/// The label alone is not enough: an image may carry one, and then a container that somebody made from it by hand has it.
fn belongs(container: &Owned, dead: &Dead) -> bool {
    container.owner == dead.id && container.name.starts_with(&dead.name_prefix())
}

async fn owned(client: &Docker) -> Result<Vec<Owned>, EngineError> {
    let filters = HashMap::from([("label".to_owned(), vec![OWNER_LABEL.to_owned()])]);
    let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
    let listed = within(client.list_containers(Some(options)))
        .await
        .map_err(|error| failed("list containers", reason(&error)))?;
    let owned = listed.into_iter().filter_map(|container| {
        let name = container.names?.into_iter().next()?;
        Some(Owned {
            id: container.id?,
            name: name.trim_start_matches('/').to_owned(),
            owner: container.labels?.remove(OWNER_LABEL)?,
        })
    });
    Ok(owned.collect())
}
