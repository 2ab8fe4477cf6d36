//! Where an engine may be, and which one answers. It owns the order of candidates; nothing is started or installed.
//!
//! bollard never dials when it connects, so every candidate is asked for its version with a deadline of our own. All are
//! asked at once, and the first in order that answered is taken: a dead socket costs no time.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::{API_DEFAULT_VERSION, Docker};
use futures_util::future::join_all;

use super::error::reason;
use crate::engine::EngineError;

/// How long a candidate may take when nobody asked for Docker by name.
pub const QUICK: Duration = Duration::from_millis(300);
/// How long it may take when the user asked for it.
pub const PATIENT: Duration = Duration::from_secs(3);

/// Seconds bollard waits for an answer's head. Far away: every call has a deadline of ours, and a pull or a wait may be
/// silent for long.
const BOLLARD_TIMEOUT: u64 = 24 * 60 * 60;

/// One endpoint and what it answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// `unix:///path` or `tcp://host:port`.
    pub endpoint: String,
    /// The engine's version, or why there is none.
    pub answer: Result<String, String>,
}

/// An engine that answered.
pub(super) struct Connection {
    pub(super) client: Docker,
    pub(super) endpoint: String,
    pub(super) version: String,
}

/// Endpoints to try, best first: what `DOCKER_HOST` says and nothing else, or the sockets engines usually have.
#[must_use]
pub fn endpoints() -> Vec<String> {
    candidates(|name| std::env::var(name).ok().filter(|value| !value.trim().is_empty()), dirs::home_dir().as_deref())
}

fn candidates(variable: impl Fn(&str) -> Option<String>, home: Option<&Path>) -> Vec<String> {
    if let Some(host) = variable("DOCKER_HOST") {
        return vec![host.trim().to_owned()];
    }
    let mut paths = vec![PathBuf::from("/var/run/docker.sock")];
    let runtime = variable("XDG_RUNTIME_DIR").map(PathBuf::from);
    paths.extend(runtime.iter().map(|dir| dir.join("docker.sock")));
    paths.extend(home.into_iter().flat_map(|home| {
        [".docker/run/docker.sock", ".colima/default/docker.sock", ".orbstack/run/docker.sock", ".rd/docker.sock"]
            .map(|path| home.join(path))
    }));
    paths.extend(runtime.iter().map(|dir| dir.join("podman/podman.sock")));
    paths.push(PathBuf::from("/run/podman/podman.sock"));
    paths.into_iter().map(|path| format!("unix://{}", path.display())).collect()
}

/// Asks every candidate, and gives the best that answered beside what each said.
pub(super) async fn connect(endpoints: &[String], deadline: Duration) -> (Option<Connection>, Vec<Attempt>) {
    let answers = join_all(endpoints.iter().map(|endpoint| dial(endpoint, deadline))).await;
    let mut best = None;
    let mut attempts = Vec::with_capacity(answers.len());
    for (endpoint, answer) in endpoints.iter().zip(answers) {
        attempts.push(Attempt {
            endpoint: endpoint.clone(),
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

async fn dial(endpoint: &str, deadline: Duration) -> Result<Connection, String> {
    let client = client(endpoint)?;
    let version = tokio::time::timeout(deadline, client.version()).await;
    let version = match version {
        Err(_) => return Err(format!("no answer within {} ms", deadline.as_millis())),
        Ok(Err(error)) => return Err(reason(&error)),
        Ok(Ok(version)) => version,
    };
    let version = version.version.unwrap_or_else(|| "unknown".to_owned());
    Ok(Connection { client, endpoint: endpoint.to_owned(), version })
}

fn client(endpoint: &str) -> Result<Docker, String> {
    if let Some(path) = endpoint.strip_prefix("unix://") {
        if !Path::new(path).exists() {
            return Err(NO_SOCKET.to_owned());
        }
        return Docker::connect_with_unix(endpoint, BOLLARD_TIMEOUT, API_DEFAULT_VERSION)
            .map_err(|error| reason(&error));
    }
    if endpoint.starts_with("tcp://") || endpoint.starts_with("http://") {
        return Docker::connect_with_http(endpoint, BOLLARD_TIMEOUT, API_DEFAULT_VERSION)
            .map_err(|error| reason(&error));
    }
    let scheme = endpoint.split("://").next().unwrap_or(endpoint);
    Err(format!("{scheme} is not supported here; use unix:// or tcp://"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_host_overrules_the_usual_sockets() {
        let given = candidates(|name| (name == "DOCKER_HOST").then(|| " unix:///x.sock ".to_owned()), None);
        assert_eq!(given, ["unix:///x.sock"]);
        let usual =
            candidates(|name| (name == "XDG_RUNTIME_DIR").then(|| "/run/user/7".to_owned()), Some(Path::new("/h")));
        assert_eq!(usual[0], "unix:///var/run/docker.sock");
        assert_eq!(usual[1], "unix:///run/user/7/docker.sock");
        assert!(usual.contains(&"unix:///h/.docker/run/docker.sock".to_owned()));
        assert_eq!(usual.last().unwrap(), "unix:///run/podman/podman.sock");
    }

    #[tokio::test]
    async fn nothing_there_says_what_was_tried_and_what_to_do() {
        let endpoints = ["unix:///nonexistent/docker.sock".to_owned(), "ssh://host".to_owned()];
        let (connection, attempts) = connect(&endpoints, QUICK).await;
        assert!(connection.is_none());
        let text = unreachable(&attempts[..1]).to_string();
        assert!(text.contains("unix:///nonexistent/docker.sock (no such socket)"), "{text}");
        assert!(text.contains("DOCKER_HOST"), "{text}");
        let text = unreachable(&attempts).to_string();
        assert!(text.contains("ssh://host (ssh is not supported"), "{text}");
        assert!(!text.contains('\n'));
    }

    #[tokio::test]
    async fn a_socket_that_never_answers_costs_the_deadline_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mute.sock");
        let _listener = tokio::net::UnixListener::bind(&path).unwrap();
        let endpoint = format!("unix://{}", path.display());
        let started = std::time::Instant::now();
        let (_, attempts) = connect(&[endpoint], Duration::from_millis(100)).await;
        assert!(started.elapsed() < Duration::from_secs(2));
        assert_eq!(attempts[0].answer, Err("no answer within 100 ms".to_owned()));
    }
}
