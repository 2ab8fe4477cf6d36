//! `runpen schema`: the JSON schema of the configuration file, made from the type that reads it.

use crate::config;

/// The schema as text, one line feed at its end.
pub(super) fn run() -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(&config::schema())? + "\n")
}
