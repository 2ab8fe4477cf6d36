//! The rows of `runpen images list`: images of the languages, here or not, and all that Runpen brought.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::SystemTime;

use serde::Serialize;

use crate::config::Settings;
use crate::engine::ledger::Ledger;
use crate::engine::{BAKED, Engine, EngineError};
use crate::run::{derived, megabytes};

/// One image.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    /// Its reference.
    pub(super) image: String,
    /// Languages that use it as it is configured now.
    pub(super) languages: Vec<String>,
    /// Whether the engine has it.
    pub(super) present: bool,
    /// Bytes on disk.
    pub(super) size: u64,
    /// Bytes that other images hold too; absent where the engine does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) shared: Option<u64>,
    /// Bytes that nothing else holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) unique: Option<u64>,
    /// Seconds since a run used it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) unused_seconds: Option<u64>,
    /// Whether Runpen fetched or made it, from this account.
    pub(super) brought: bool,
    /// Whether Runpen derived it from another one.
    pub(super) derived: bool,
}

/// All rows, by name.
pub(super) async fn rows(engine: &dyn Engine, settings: &Settings, ledger: &Ledger) -> Result<Vec<Row>, EngineError> {
    let listed = engine.images().await?;
    let entries: BTreeMap<String, _> = ledger
        .entries(&engine.place())
        .into_iter()
        .map(|(entry, used)| (entry.reference.clone(), (entry, used)))
        .collect();
    let mut users: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut use_of = |image: &str, language: &str| {
        users.entry(image.to_owned()).or_default().insert(language.to_owned());
    };
    for language in settings.languages.0.values() {
        use_of(&language.image, &language.name);
        let named = tagged(&language.image);
        let base = listed.iter().find(|image| image.reference == language.image || image.reference == named);
        if let Some(derived) = base.and_then(|base| derived(language, &base.digest)) {
            use_of(&derived, &language.name);
        }
    }
    let mut rows = Vec::new();
    for image in &listed {
        let derived = image.reference.starts_with(BAKED) && image.base.is_some();
        let known = entries.get(&image.reference);
        let fetched = known.and_then(|(entry, _)| entry.brought.as_ref()).is_some_and(|digest| *digest == image.digest);
        let languages: Vec<String> = users.remove(&image.reference).into_iter().flatten().collect();
        if languages.is_empty() && !derived && !fetched {
            continue;
        }
        rows.push(Row {
            image: image.reference.clone(),
            languages,
            present: true,
            size: image.size,
            shared: image.shared,
            unique: image.shared.map(|shared| image.size.saturating_sub(shared)),
            unused_seconds: known.and_then(|(_, used)| Some(SystemTime::now().duration_since(*used).ok()?.as_secs())),
            brought: fetched,
            derived,
        });
    }
    for (image, languages) in users {
        if image.starts_with(BAKED) || rows.iter().any(|row| row.image == tagged(&image)) {
            continue;
        }
        let present = engine.image(&image).await?.is_some();
        let languages = languages.into_iter().collect();
        let (shared, unique, unused_seconds) = (None, None, None);
        rows.push(Row {
            image,
            languages,
            present,
            size: 0,
            shared,
            unique,
            unused_seconds,
            brought: false,
            derived: false,
        });
    }
    rows.sort_by(|one, other| (one.derived, &one.image).cmp(&(other.derived, &other.image)));
    Ok(rows)
}

/// As the engine lists it.
fn tagged(reference: &str) -> String {
    let name = reference.rsplit('/').next().unwrap_or(reference);
    if name.contains([':', '@']) { reference.to_owned() } else { format!("{reference}:latest") }
}

pub(super) fn json(rows: &[Row]) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(rows)? + "\n")
}

/// For people.
pub(super) fn table(rows: &[Row]) -> String {
    let mut cells = vec![["image", "languages", "size", "shared", "unique", "last use", "from"].map(str::to_owned)];
    for row in rows {
        let bytes = |bytes: Option<u64>| bytes.map_or_else(|| "?".to_owned(), megabytes);
        let (size, shared, unique) = if row.present && row.size > 0 {
            (megabytes(row.size), bytes(row.shared), bytes(row.unique))
        } else {
            (if row.present { "here" } else { "not here" }.to_owned(), String::new(), String::new())
        };
        let from = match (row.derived, row.brought) {
            (true, _) => "derived",
            (false, true) => "fetched",
            (false, false) if row.present => "yours",
            (false, false) => "",
        };
        let used = row.unused_seconds.map_or_else(String::new, ago);
        cells.push([row.image.clone(), row.languages.join(", "), size, shared, unique, used, from.to_owned()]);
    }
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..7).map(width).collect();
    let mut text = String::new();
    for row in &cells {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:width$}  ");
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

fn ago(seconds: u64) -> String {
    match seconds {
        0..60 => "just now".to_owned(),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..172_800 => format!("{} h ago", seconds / 3600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}
