//! Go: `package main`, those imports of the file that the selection uses, definitions outside, statements in `main`.
//!
//! An unused import is an error in Go, so the file's are pruned; those that were selected are the selection's own affair.

use std::ops::Range;
use std::sync::LazyLock;

use regex::bytes::Regex;

use super::SnippetError;
use super::builder::Builder;
use super::mask::{STRING, is_word, mask, skip_space, word};
use super::pieces::{Piece, Role, arrange, is_top_level, outline, pieces};
use super::selection::Selection;
use crate::language::Frame;

/// `func name(`, `func (receiver) name(`, as against the literal `func() {…}()`.
static FUNCTION: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\Afunc\s*(?:\(\)\s*)?([A-Za-z_]\w*)\s*[\[(]").expect("a valid pattern"));

pub(super) fn frame(builder: &mut Builder<'_>, selection: &Selection<'_>) {
    let mask = mask(selection.document, Frame::Go);
    let items = pieces(&mask, Frame::Go);
    let top_level = is_top_level(&items, selection.start);
    let mut has_main = false;
    let mut package = None;
    let mut parts: Vec<(Role, Piece)> = Vec::new();
    for piece in pieces(&selection.mask, Frame::Go) {
        let code = &selection.mask[piece.code.clone()];
        if word(code, 0) == b"package" {
            package = Some(piece);
            continue;
        }
        let (role, is_main) = role(code, top_level);
        has_main |= is_main;
        parts.push((role, piece));
    }
    match package.filter(|piece| package_name(&selection.mask[piece.code.clone()]) == b"main") {
        Some(piece) => builder.selection(selection, piece.code),
        None => builder.frame("package main"),
    }
    let specs: Vec<Range<usize>> = items
        .iter()
        .filter(|item| item.code.end <= selection.range().start || selection.range().end <= item.code.start)
        .filter(|item| word(&mask, item.code.start) == b"import")
        .flat_map(|item| specs(selection.document, &mask, item))
        .filter(|spec| uses(&selection.mask, spec))
        .map(|spec| spec.range)
        .collect();
    if !specs.is_empty() {
        builder.frame("import (");
        for range in specs {
            builder.document(range);
        }
        builder.frame(")");
    }
    let arrangement = arrange(parts, top_level);
    for piece in arrangement.front.iter().chain(&arrangement.top) {
        builder.selection(selection, piece.range.clone());
    }
    if !arrangement.body.is_empty() {
        // Beside a `main` of its own, statements are an error, and the compiler says it at their place.
        if !has_main {
            builder.frame("func main() {");
        }
        for piece in &arrangement.body {
            builder.selection(selection, piece.range.clone());
        }
        if !has_main {
            builder.frame("}");
        }
    } else if !has_main {
        builder.frame("func main() {}");
    }
}

/// The imports of a file, as a line of Go, that code from its comments uses and does not name itself. Those whose use cannot
/// be told are left out: the code is an example, and an import too many is an error.
pub(crate) fn imports(document: &str, code: &str) -> String {
    let own = mask(code, Frame::Go);
    let of = |text: &str, mask: &[u8]| -> Vec<Spec> {
        let items = pieces(mask, Frame::Go).into_iter();
        let items = items.filter(|item| word(mask, item.code.start) == b"import");
        items.flat_map(|item| specs(text, mask, &item)).collect()
    };
    let given: Vec<String> = of(code, &own).into_iter().map(|spec| spec.name).collect();
    let file = of(document, &mask(document, Frame::Go));
    let wanted = file
        .into_iter()
        .filter(|spec| !matches!(spec.name.as_str(), "_" | ".") && !given.contains(&spec.name) && uses(&own, spec));
    wanted.fold(String::new(), |lines, spec| lines + "import " + &document[spec.range] + "\n")
}

/// A whole file must be of package `main`; one without the clause is the compiler's to name.
pub(super) fn check_package(text: &str) -> Result<(), SnippetError> {
    let mask = mask(text, Frame::Go);
    let start = skip_space(&mask, 0);
    if word(&mask, start) != b"package" {
        return Ok(());
    }
    match package_name(&mask[start..]) {
        b"main" | b"" => Ok(()),
        name => Err(SnippetError::GoPackage(String::from_utf8_lossy(name).into_owned())),
    }
}

fn package_name(clause: &[u8]) -> &[u8] {
    word(clause, skip_space(clause, "package".len()))
}

fn role(code: &[u8], top_level: bool) -> (Role, bool) {
    match word(code, 0) {
        b"import" => (Role::Front, false),
        b"type" | b"var" | b"const" if top_level => (Role::Definition, false),
        b"type" | b"var" | b"const" => (Role::Neutral, false),
        b"func" => {
            let outline = outline(code);
            match FUNCTION.captures(&outline) {
                Some(captures) => (Role::Definition, &captures[1] == b"main" && !outline.starts_with(b"func (")),
                None => (Role::Statement, false),
            }
        }
        _ => (Role::Statement, false),
    }
}

/// One package of an import.
struct Spec {
    /// With the name it is given, without `import`.
    range: Range<usize>,
    /// What code calls it.
    name: String,
}

fn specs(document: &str, mask: &[u8], item: &Piece) -> Vec<Spec> {
    let mut specs = Vec::new();
    let mut at = item.code.start + "import".len();
    while let Some(found) = mask[at..item.code.end].iter().position(|&byte| byte == STRING) {
        let start = at + found;
        let end = start + mask[start..item.code.end].iter().take_while(|&&byte| byte == STRING).count();
        let path = document[start..end].trim_matches(['"', '`']);
        let line = &mask[at..start];
        let line = &line[line.iter().rposition(|byte| b"\n;(".contains(byte)).map_or(0, |at| at + 1)..];
        let given = line.trim_ascii();
        let (name, range) = if given.is_empty() {
            (own_name(path), start..end)
        } else {
            let name_start = start - line.trim_ascii_start().len();
            (String::from_utf8_lossy(given).into_owned(), name_start..end)
        };
        specs.push(Spec { range, name });
        at = end;
    }
    specs
}

/// The name that a package most likely has: the last element of its path that is no version.
fn own_name(path: &str) -> String {
    let is_version =
        |element: &str| element.strip_prefix('v').is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()));
    let name = path.rsplit('/').find(|element| !is_version(element)).unwrap_or(path);
    let name = name.split_once(".v").map_or(name, |(name, _)| name);
    name.rsplit('-').next().unwrap_or(name).to_owned()
}

/// Imports for what they do (`_`) and into the file's own names (`.`) cannot be told unused.
fn uses(mask: &[u8], spec: &Spec) -> bool {
    matches!(spec.name.as_str(), "_" | ".")
        || memchr::memmem::find_iter(mask, spec.name.as_str()).any(|at| {
            let before = at.checked_sub(1).map(|at| mask[at]);
            before.is_none_or(|byte| !is_word(byte) && byte != b'.')
                && mask.get(skip_space(mask, at + spec.name.len())) == Some(&b'.')
        })
}
