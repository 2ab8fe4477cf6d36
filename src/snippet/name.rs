//! Names of files in the sandbox. They end up as words of commands, so only harmless ones are taken from the document.

use crate::language::{Frame, Language};

const LONGEST: usize = 64;

/// The document's own base name when it is harmless and the tools take it, else the language's.
pub(super) fn in_sandbox(name: Option<&str>, language: &Language) -> String {
    name.map(|name| name.rsplit(['/', '\\']).next().unwrap_or(name))
        .filter(|name| is_harmless(name) && suits(name, language))
        .unwrap_or(&language.file_name)
        .to_owned()
}

fn is_harmless(name: &str) -> bool {
    name.len() <= LONGEST
        && !name.starts_with(['-', '.', ' '])
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._- ".contains(&byte))
}

fn suits(name: &str, language: &Language) -> bool {
    let Some((stem, extension)) = name.rsplit_once('.') else { return false };
    // `go build` refuses test files by name.
    let test = language.frame == Frame::Go && (stem.ends_with("_test") || stem.starts_with('_'));
    !test && !stem.is_empty() && language.extensions.iter().any(|own| own == extension)
}

/// The same name with the extension that makes Node take it for an ES module, unless its own says which it is.
pub(super) fn of_module(name: &str) -> String {
    match name.rsplit_once('.') {
        Some((_, "mjs" | "cjs" | "ts" | "mts" | "cts" | "tsx")) => name.to_owned(),
        Some((stem, _)) => format!("{stem}.mjs"),
        None => format!("{name}.mjs"),
    }
}
