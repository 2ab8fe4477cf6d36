//! Which of the places that [`super::find`] names answers. Nothing is started or installed.
//!
//! bollard never dials when it connects, so every candidate is asked for its version with a deadline of our own. All are
//! asked at once, and the first in order that answered is taken: a dead socket costs no time.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bollard::{API_DEFAULT_VERSION, Docker};
use futures_util::future::join_all;

use super::error::reason;
use super::far::{self, Raw, Signs};
use super::find::Place;
use crate::engine::EngineError;

/// How long a candidate may take when nobody asked for Docker by name.
pub const QUICK: Duration = Duration::from_millis(300);
/// How long it may take when the user asked for it.
pub const PATIENT: Duration = Duration::from_secs(3);

/// How long one on another machine may take: `ssh` shakes hands with it and perhaps with a host in between. Somebody has
/// chosen it, so the wait is expected.
const FAR: Duration = Duration::from_secs(15);

/// Seconds bollard waits for an answer's head. Far away: every call has a deadline of ours, and a pull or a wait may be
/// silent for long.
const BOLLARD_TIMEOUT: u64 = 24 * 60 * 60;

/// One endpoint and what it answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// `unix:///path` or `tcp://host:port`.
    pub endpoint: String,
    /// Who named it.
    pub source: String,
    /// The engine's version, or why there is none.
    pub answer: Result<String, String>,
}

/// An engine that answered.
pub(super) struct Connection {
    pub(super) client: Docker,
    pub(super) endpoint: String,
    pub(super) version: String,
    pub(super) kind: Kind,
    /// Of one on another machine.
    pub(super) signs: Option<Arc<Signs>>,
    /// Absent where it cannot be had, which a Podman is not used without.
    pub(super) raw: Option<Raw>,
}

/// What speaks Docker's API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Docker,
    Podman,
}

/// Asks every candidate, and gives the best that answered beside what each said.
pub(super) async fn connect(places: &[Place], deadline: Duration) -> (Option<Connection>, Vec<Attempt>) {
    let answers = join_all(places.iter().map(|place| dial(place, deadline))).await;
    let mut best = None;
    let mut attempts = Vec::with_capacity(answers.len());
    for (place, answer) in places.iter().zip(answers) {
        attempts.push(Attempt {
            endpoint: place.endpoint.clone(),
            source: place.source.clone(),
            answer: answer.as_ref().map(|connection| connection.version.clone()).map_err(Clone::clone),
        });
        best = best.or(answer.ok());
    }
    (best, attempts)
}

/// Nothing answered: what was tried, and what to do. Sockets that do not exist are named only when all are so.
pub(super) fn unreachable(attempts: &[Attempt]) -> EngineError {
    let answers: Vec<(&str, &str)> = attempts
        .iter()
        .filter_map(|attempt| attempt.answer.as_ref().err().map(|answer| (attempt.endpoint.as_str(), answer.as_str())))
        .collect();
    let there: Vec<_> = answers.iter().filter(|(_, answer)| *answer != NO_SOCKET).collect();
    let tried = if there.is_empty() {
        let paths: Vec<_> = answers.iter().map(|(endpoint, _)| *endpoint).collect();
        format!("{} ({NO_SOCKET})", paths.join(", "))
    } else {
        there.iter().map(|(endpoint, answer)| format!("{endpoint} ({answer})")).collect::<Vec<_>>().join(", ")
    };
    let advice = if there.iter().any(|(_, answer)| answer.contains("ermission denied")) {
        "add yourself to the group that owns the socket (`sudo usermod -aG docker $USER`, then log in again), or use a rootless engine"
    } else {
        "start Docker or Podman, or set DOCKER_HOST to where it listens; `runpen doctor` shows what was tried"
    };
    EngineError::Unreachable { tried, advice: advice.to_owned() }
}

const NO_SOCKET: &str = "no such socket";

async fn dial(place: &Place, deadline: Duration) -> Result<Connection, String> {
    if let Some(refused) = &place.refused {
        return Err(refused.clone());
    }
    let (client, signs) = client(place)?;
    // What somebody named is waited for: a loaded Podman takes longer than half a second.
    let least = if signs.is_some() {
        FAR
    } else if place.named {
        PATIENT
    } else {
        deadline
    };
    let deadline = deadline.max(least);
    let silent = || format!("no answer within {} ms", deadline.as_millis());
    // Podman asks the machine's package manager for the versions of all its parts, which takes a second of work and more.
    // Its greeting takes a millisecond and says enough.
    if place.endpoint.starts_with("unix://") {
        let raw = Raw::new(place)?;
        let greeted = tokio::time::timeout(deadline, raw.greeting()).await.map_err(|_| silent())?;
        let (podman, version) = match greeted {
            Some((name, version)) => (name == "Libpod", Some(version).filter(|_| name == "Libpod" || name == "Docker")),
            None => (false, None),
        };
        if let Some(version) = version {
            let kind = if podman { Kind::Podman } else { Kind::Docker };
            let (endpoint, raw) = (place.endpoint.clone(), podman.then_some(raw));
            return Ok(Connection { client, endpoint, version, kind, signs, raw });
        }
    }
    let complaint = || signs.as_ref().and_then(|signs| signs.complaint());
    let version = tokio::time::timeout(deadline, client.version()).await;
    let version = match version {
        Err(_) => return Err(complaint().unwrap_or_else(silent)),
        // What `ssh` says is worth more than that its stream ended.
        Ok(Err(error)) => return Err(complaint().unwrap_or_else(|| reason(&error))),
        Ok(Ok(version)) => version,
    };
    let podman = version.components.iter().flatten().any(|component| component.name.contains("Podman"));
    let kind = if podman { Kind::Podman } else { Kind::Docker };
    let version = version.version.unwrap_or_else(|| "unknown".to_owned());
    let raw = if podman { Some(Raw::new(place)?) } else { Raw::new(place).ok() };
    Ok(Connection { client, endpoint: place.endpoint.clone(), version, kind, signs, raw })
}

fn client(place: &Place) -> Result<(Docker, Option<Arc<Signs>>), String> {
    let endpoint = &place.endpoint;
    if let Some(path) = endpoint.strip_prefix("unix://") {
        if !Path::new(path).exists() {
            return Err(NO_SOCKET.to_owned());
        }
        return Docker::connect_with_unix(endpoint, BOLLARD_TIMEOUT, API_DEFAULT_VERSION)
            .map(|client| (client, None))
            .map_err(|error| reason(&error));
    }
    #[cfg(windows)]
    if endpoint.starts_with("npipe://") {
        return Docker::connect_with_named_pipe(endpoint, BOLLARD_TIMEOUT, API_DEFAULT_VERSION)
            .map(|client| (client, None))
            .map_err(|error| reason(&error));
    }
    if place.is_far() {
        return far::client(place, BOLLARD_TIMEOUT).map(|(client, signs)| (client, Some(signs)));
    }
    let scheme = endpoint.split("://").next().unwrap_or(endpoint);
    Err(format!("{scheme} is not supported here; use unix://, tcp:// or ssh://"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_there_says_what_was_tried_and_what_to_do() {
        let places = ["unix:///nonexistent/docker.sock", "vsock://host"].map(|endpoint| Place::new(endpoint, "a test"));
        let (connection, attempts) = connect(&places, QUICK).await;
        assert!(connection.is_none());
        let text = unreachable(&attempts[..1]).to_string();
        assert!(text.contains("unix:///nonexistent/docker.sock (no such socket)"), "{text}");
        assert!(text.contains("DOCKER_HOST"), "{text}");
        let text = unreachable(&attempts).to_string();
        assert!(text.contains("vsock://host (vsock is not supported"), "{text}");
        assert!(!text.contains('\n'));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_socket_that_never_answers_costs_the_deadline_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mute.sock");
        let _listener = tokio::net::UnixListener::bind(&path).unwrap();
        let endpoint = format!("unix://{}", path.display());
        let started = std::time::Instant::now();
        let (_, attempts) = connect(&[Place::new(endpoint, "a test")], Duration::from_millis(100)).await;
        assert!(started.elapsed() < Duration::from_secs(2));
        assert_eq!(attempts[0].answer, Err("no answer within 100 ms".to_owned()));
    }
}
