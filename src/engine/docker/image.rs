//! Images: looking one up, fetching one. It owns references and progress; it must not know why an image is wanted.

use std::collections::HashMap;

use bollard::Docker;
use bollard::models::{CreateImageInfo, ImageInspect};
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures_util::StreamExt;
use tokio::sync::mpsc;

use super::error::{failed, one_line, reason, status, within};
use super::{credentials, refusal};
use crate::engine::{EngineError, Image, PullProgress};

/// What starting a container needs to know of its image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    /// Its own id: starting by it and not by the reference closes the gap in which a tag could move.
    pub(super) id: String,
    /// What goes into the receipt.
    pub(super) image: Image,
    /// Folders it declares as volumes.
    pub(super) volumes: Vec<String>,
}

/// Looks an image up.
pub(super) async fn inspect(client: &Docker, reference: &str) -> Result<Option<Facts>, EngineError> {
    check(reference)?;
    match within(client.inspect_image(reference)).await {
        Ok(answer) => Ok(Some(facts(reference, answer))),
        Err(error) if status(&error) == Some(404) => Ok(None),
        Err(error) => Err(failed(format!("look up image {reference}"), reason(&error))),
    }
}

/// The error for an image that is not there and was not fetched.
pub(super) fn missing(reference: &str, reason: impl Into<String>) -> EngineError {
    let advice = format!(
        "fetch it with `docker pull {reference}` when online, or name another image in your configuration (`image = \"…\"` under [languages.NAME] in place of {reference})"
    );
    EngineError::ImageMissing { image: reference.to_owned(), reason: reason.into(), advice }
}

/// Fetches an image. Dropping the future closes the connection, and the engine stops.
pub(super) async fn pull(
    client: &Docker,
    reference: &str,
    progress: &mpsc::Sender<PullProgress>,
) -> Result<(), EngineError> {
    check(reference)?;
    let options = CreateImageOptionsBuilder::default().from_image(&with_tag(reference)).build();
    let login = credentials::of(reference).await;
    let no_login = login.as_ref().err().cloned();
    let mut lines = client.create_image(Some(options), None, login.unwrap_or(None));
    let mut layers = Layers::default();
    let mut retried = false;
    while let Some(line) = lines.next().await {
        let line = line.map_err(|error| match refusal::of(reference, &reason(&error), no_login.as_deref()) {
            // The engine has tried again by itself, for minutes: that is enough.
            EngineError::PullInterrupted { image, reason, advice } if retried => {
                EngineError::ImageMissing { image, reason, advice }
            }
            other => other,
        })?;
        retried |= line.status.as_deref().is_some_and(|status| status.starts_with("Retrying"));
        if layers.update(&line) {
            // A listener that lags behind misses a step, no more.
            let _ = progress.try_send(layers.progress());
        }
    }
    match inspect(client, reference).await? {
        Some(_) => {
            if layers.complete() {
                let _ = progress.try_send(layers.progress());
            }
            Ok(())
        }
        None => Err(missing(reference, "the engine said nothing, but the image did not come")),
    }
}

/// Refuses what cannot be a reference, before it becomes part of an address of the engine's API.
pub(super) fn check(reference: &str) -> Result<(), EngineError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._/:@-".contains(&byte);
    let good = reference.bytes().all(allowed)
        && reference.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric())
        && reference.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
        && reference.len() <= 512;
    if good {
        return Ok(());
    }
    let shown = one_line(&reference.chars().take(120).collect::<String>());
    Err(EngineError::ImageMissing {
        image: format!("`{shown}`"),
        reason: "this is not an image reference".to_owned(),
        advice: "write it as name:tag, such as alpine:3.22".to_owned(),
    })
}

/// Without a tag the engine would fetch every tag there is.
fn with_tag(reference: &str) -> String {
    let name = reference.rsplit('/').next().unwrap_or(reference);
    if name.contains(':') || name.contains('@') { reference.to_owned() } else { format!("{reference}:latest") }
}

fn facts(reference: &str, answer: ImageInspect) -> Facts {
    let id = answer.id.unwrap_or_else(|| reference.to_owned());
    let digests = answer.repo_digests.unwrap_or_default();
    let digest = digest(reference, &digests).unwrap_or(&id).to_owned();
    let size = answer.size.and_then(|size| u64::try_from(size).ok()).unwrap_or(0);
    let volumes = answer.config.and_then(|config| config.volumes).unwrap_or_default();
    Facts { image: Image { reference: reference.to_owned(), digest, size }, id, volumes }
}

/// The digest of the repository that the reference names; of any other one, else.
pub(super) fn digest<'a>(reference: &str, digests: &'a [String]) -> Option<&'a str> {
    let repository = reference.split('@').next().unwrap_or(reference);
    let repository = match repository.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => repository,
    };
    let split = |digest: &'a String| digest.split_once('@');
    // Podman spells the names of Docker's own registry out.
    let same = |name: &str| {
        let short = name.strip_prefix("docker.io/").unwrap_or(name);
        [name, short, short.strip_prefix("library/").unwrap_or(short)].contains(&repository)
    };
    let own = digests.iter().filter_map(split).find(|(name, _)| same(name));
    own.or_else(|| digests.iter().find_map(split)).map(|(_, digest)| digest)
}

/// Layers of a pull as the engine tells of them, one line a change.
#[derive(Default)]
struct Layers(HashMap<String, Layer>);

#[derive(Default, Clone, Copy)]
struct Layer {
    done: u64,
    total: u64,
    complete: bool,
}

impl Layers {
    /// Whether the line told anything of a layer.
    fn update(&mut self, line: &CreateImageInfo) -> bool {
        let (Some(id), Some(status)) = (&line.id, line.status.as_deref()) else { return false };
        // The first line names the tag, not a layer.
        if status.starts_with("Pulling from") {
            return false;
        }
        let layer = self.0.entry(id.clone()).or_default();
        let detail = line.progress_detail.as_ref();
        let number = |value: Option<i64>| value.and_then(|value| u64::try_from(value).ok());
        match status {
            "Downloading" => {
                layer.done = detail.and_then(|detail| number(detail.current)).unwrap_or(layer.done);
                layer.total = detail.and_then(|detail| number(detail.total)).unwrap_or(layer.total).max(layer.done);
            }
            "Verifying Checksum" | "Download complete" | "Extracting" => layer.done = layer.total,
            "Pull complete" | "Already exists" => {
                layer.done = layer.total;
                layer.complete = true;
            }
            _ => {}
        }
        true
    }

    /// The image is there, and so are its layers: Podman's last word of one is that it was fetched. Whether that is news.
    fn complete(&mut self) -> bool {
        let mut news = false;
        for layer in self.0.values_mut().filter(|layer| !layer.complete) {
            (layer.done, layer.complete, news) = (layer.total, true, true);
        }
        news
    }

    fn progress(&self) -> PullProgress {
        let mut progress = PullProgress::default();
        for layer in self.0.values() {
            progress.done_bytes += layer.done;
            progress.total_bytes += layer.total;
            progress.done_layers += u32::from(layer.complete);
            progress.total_layers += 1;
        }
        progress
    }
}

#[cfg(test)]
mod tests {
    use bollard::models::ProgressDetail;

    use super::*;

    #[test]
    fn only_references_reach_the_engine() {
        for good in ["alpine:3.22", "a/b:c", "localhost:5000/x/y@sha256:00", "python"] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in ["", "../x", "a/../b", "a b", "a?b", "-x", "a#b", "/a", "a//b", "ä", "a\nb"] {
            let error = check(bad).unwrap_err().to_string();
            assert!(!error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn a_reference_without_a_tag_means_latest() {
        assert_eq!(with_tag("localhost:5000/a"), "localhost:5000/a:latest");
        assert_eq!(with_tag("a:1"), "a:1");
        assert_eq!(with_tag("a@sha256:00"), "a@sha256:00");
    }

    #[test]
    fn the_digest_is_of_the_repository_asked_for() {
        let digests = ["mirror/python@sha256:aa".to_owned(), "docker.io/library/python@sha256:bb".to_owned()];
        assert_eq!(digest("python:3.13", &digests), Some("sha256:bb"));
        assert_eq!(digest("localhost:5000/x", &digests), Some("sha256:aa"));
        assert_eq!(digest("x", &[]), None);
    }

    #[test]
    fn progress_adds_the_layers_up() {
        let line = |id: &str, status: &str, current, total| CreateImageInfo {
            id: Some(id.to_owned()),
            status: Some(status.to_owned()),
            progress_detail: Some(ProgressDetail { current, total }),
            ..CreateImageInfo::default()
        };
        let mut layers = Layers::default();
        assert!(!layers.update(&line("3.13", "Pulling from library/python", None, None)));
        layers.update(&line("a", "Already exists", None, None));
        layers.update(&line("b", "Pulling fs layer", None, None));
        layers.update(&line("b", "Downloading", Some(10), Some(100)));
        let expected = PullProgress { done_bytes: 10, total_bytes: 100, done_layers: 1, total_layers: 2 };
        assert_eq!(layers.progress(), expected);
        layers.update(&line("b", "Extracting", Some(3), Some(100)));
        layers.update(&line("b", "Pull complete", None, None));
        let expected = PullProgress { done_bytes: 100, total_bytes: 100, done_layers: 2, total_layers: 2 };
        assert_eq!(layers.progress(), expected);
        assert!(!layers.complete());
        layers.update(&line("c", "Download complete", None, None));
        assert!(layers.complete());
        assert_eq!(layers.progress().done_layers, 3);
    }
}
