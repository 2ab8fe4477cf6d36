//! Looking at a container. Its own file because Podman says `stopped` of one that has just ended, a word that Docker does
//! not have and bollard's reading of the answer fails on: so Podman's answer is read here, by hand.

use bollard::errors::Error;
use bollard::models::ContainerInspectResponse;
use bollard::query_parameters::InspectContainerOptions;

use super::{Kind, Shared};

/// The container, as the engine holds it.
pub(super) async fn inspect(shared: &Shared, id: &str) -> Result<ContainerInspectResponse, Error> {
    let Some(raw) = shared.raw.as_ref().filter(|_| shared.kind == Kind::Podman) else {
        return shared.client.inspect_container(id, None::<InspectContainerOptions>).await;
    };
    let (status_code, body) = raw
        .get(&format!("/v1.41/containers/{id}/json"))
        .await
        .map_err(|reason| Error::DockerResponseServerError { status_code: 0, message: reason })?;
    if status_code != 200 {
        let message = String::from_utf8_lossy(&body).into_owned();
        return Err(Error::DockerResponseServerError { status_code, message });
    }
    read(&body)
}

fn read(body: &[u8]) -> Result<ContainerInspectResponse, Error> {
    let mut answer: serde_json::Value = serde_json::from_slice(body)?;
    if let Some(status) = answer.pointer_mut("/State/Status").filter(|status| **status == "stopped") {
        *status = "exited".into();
    }
    Ok(serde_json::from_value(answer)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_that_has_just_ended_in_podman_is_read() {
        let state = read(br#"{"Id":"a","State":{"Status":"stopped","OOMKilled":true}}"#).unwrap().state.unwrap();
        assert_eq!(state.oom_killed, Some(true));
        assert!(read(b"{").is_err());
    }
}
