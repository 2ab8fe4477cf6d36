//! Images as a listing shows them, and taking one away. It must not know which of them are Runpen's own.

use std::collections::HashMap;

use bollard::Docker;
use bollard::models::ImageSummary;
use bollard::query_parameters::{ListImagesOptionsBuilder, RemoveImageOptionsBuilder};

use super::bake::BASE_LABEL;
use super::error::{failed, reason, status, within};
use super::image::{check, digest};
use crate::engine::{EngineError, Listed};

/// All images that have a name.
pub(super) async fn list(client: &Docker) -> Result<Vec<Listed>, EngineError> {
    let options = ListImagesOptionsBuilder::default().shared_size(true).build();
    let summaries =
        within(client.list_images(Some(options))).await.map_err(|error| failed("list images", reason(&error)))?;
    let mut layers = HashMap::new();
    if summaries.iter().any(|summary| summary.shared_size < 0) {
        // Engines before 23.0 do not tell what is shared; an image whose layers begin another one's is.
        for summary in &summaries {
            if let Ok(image) = within(client.inspect_image(&summary.id)).await {
                let own = image.root_fs.and_then(|root| root.layers).unwrap_or_default();
                layers.insert(summary.id.clone(), own);
            }
        }
    }
    let listed = summaries.iter().flat_map(|summary| {
        let shared = u64::try_from(summary.shared_size).ok().or_else(|| shared(summary, &summaries, &layers));
        let names = summary.repo_tags.iter().filter(|name| *name != "<none>:<none>");
        names.map(move |name| Listed {
            reference: name.clone(),
            digest: digest(name, &summary.repo_digests).unwrap_or(&summary.id).to_owned(),
            size: u64::try_from(summary.size).unwrap_or(0),
            shared,
            base: summary.labels.get(BASE_LABEL).cloned(),
        })
    });
    Ok(listed.collect())
}

/// What an image shares with others: all of it with one that it begins, else the largest that begins it.
fn shared(image: &ImageSummary, all: &[ImageSummary], layers: &HashMap<String, Vec<String>>) -> Option<u64> {
    let own = layers.get(&image.id)?;
    let mut most = 0;
    for other in all.iter().filter(|other| other.id != image.id) {
        let Some(theirs) = layers.get(&other.id).filter(|layers| !layers.is_empty()) else { continue };
        if theirs.starts_with(own) {
            most = most.max(image.size);
        } else if own.starts_with(theirs) {
            most = most.max(other.size);
        }
    }
    u64::try_from(most).ok()
}

/// Takes a name away, and the image with its last one. Never by force: what a container uses stays.
pub(super) async fn remove(client: &Docker, reference: &str) -> Result<(), EngineError> {
    check(reference)?;
    let options = RemoveImageOptionsBuilder::default().force(false).noprune(false).build();
    match within(client.remove_image(reference, Some(options), None)).await {
        Ok(_) => Ok(()),
        Err(error) if status(&error) == Some(404) => Ok(()),
        Err(error) => Err(failed(format!("remove image {reference}"), reason(&error))),
    }
}
