//! A Unix socket for each server, beside its lock in the owners' folder, which only the user may enter. Who connects is
//! told the status as one JSON object; nothing is read.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

use super::{ServerStatus, Source};
use crate::engine::owner::{Owner, SOCKET};

/// How long one who asks may take to read, and a server to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The longest answer that is read.
const ANSWER: u64 = 4 * 1024 * 1024;

/// Answers, one after the other, for as long as it is polled.
pub async fn serve(owner: Arc<Owner>, source: Source) {
    let Some(path) = owner.socket() else { return };
    let listener = match UnixListener::bind(&path) {
        Ok(listener) => listener,
        Err(error) => {
            // A path may be too long for a socket.
            tracing::info!(%error, "`runpen status` will not see this server: no socket at {}", path.display());
            return;
        }
    };
    loop {
        match listener.accept().await {
            Ok((link, _)) => {
                let _ = timeout(PATIENCE, tell(link, &source)).await;
            }
            // Out of descriptors, say: not at once again.
            Err(_) => tokio::time::sleep(PATIENCE).await,
        }
    }
}

async fn tell(mut link: UnixStream, source: &Source) -> io::Result<()> {
    let status = serde_json::to_vec(&source.status())?;
    link.write_all(&status).await?;
    link.shutdown().await
}

/// All servers of this user, by process. Sockets of dead ones are taken away.
pub async fn ask_all(folder: &Path) -> io::Result<Vec<ServerStatus>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    let sockets = paths.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == SOCKET));
    let answers = futures_util::future::join_all(sockets.map(ask)).await;
    let mut servers: Vec<ServerStatus> = answers.into_iter().flatten().collect();
    servers.sort_by_key(|server| server.pid);
    Ok(servers)
}

/// One server, or `None` when it is dead.
async fn ask(path: PathBuf) -> Option<ServerStatus> {
    let link = match timeout(PATIENCE, UnixStream::connect(&path)).await {
        Ok(Ok(link)) => link,
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            let _ = std::fs::remove_file(&path);
            return None;
        }
        _ => return None,
    };
    let pid = link.peer_cred().ok().and_then(|peer| peer.pid()).and_then(|pid| u32::try_from(pid).ok());
    let mut answer = Vec::new();
    let read = timeout(PATIENCE, link.take(ANSWER).read_to_end(&mut answer)).await;
    let error = match read {
        Err(_) => format!("the server did not answer within {} s", PATIENCE.as_secs()),
        Ok(Err(error)) => format!("the server could not be asked: {error}"),
        Ok(Ok(_)) => match serde_json::from_slice(&answer) {
            Ok(status) => return Some(status),
            Err(error) => format!("the server's answer is none: {error}"),
        },
    };
    Some(ServerStatus { pid: pid.unwrap_or_default(), error: Some(error), ..ServerStatus::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;
    use crate::engine::fake::FakeEngine;
    use crate::lsp::Backend;

    #[tokio::test]
    async fn the_living_are_listed_the_hung_are_named_and_the_dead_are_forgotten() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let owners = folder.path().join("owners");
        let owner = Arc::new(Owner::claim_in(&owners).unwrap());
        assert_eq!(std::fs::metadata(&owners).unwrap().permissions().mode() & 0o777, 0o700);
        let backend = Backend::new(Arc::new(FakeEngine::default()), Arc::new(Settings::default()));
        let task = tokio::spawn(serve(Arc::clone(&owner), backend.status()));
        drop(UnixListener::bind(owners.join("00000000000000dd.sock")).unwrap());
        let _hung = std::os::unix::net::UnixListener::bind(owners.join("00000000000000ee.sock")).unwrap();
        let socket = owner.socket().unwrap();
        while !socket.exists() {
            tokio::task::yield_now().await;
        }
        let servers = ask_all(&owners).await.unwrap();
        assert_eq!(servers.len(), 2, "{servers:?}");
        assert!(servers.iter().all(|server| server.pid == std::process::id()));
        let errors: Vec<_> = servers.iter().filter_map(|server| server.error.as_deref()).collect();
        assert_eq!(errors, ["the server did not answer within 2 s"]);
        assert!(!owners.join("00000000000000dd.sock").exists());
        task.abort();
        let _ = task.await;
        assert!(ask_all(&folder.path().join("nowhere")).await.unwrap().is_empty());
        drop(owner);
        assert!(!socket.exists(), "it goes with its owner");
    }
}
