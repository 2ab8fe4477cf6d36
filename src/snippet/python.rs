//! Python: statements stand by themselves; the file's top-level imports go in front, those from `__future__` first.
//!
//! All of them, whether the selection uses them or not: an import may be there for what it does. One inside `try` or
//! `if` stays behind.

use std::ops::Range;

use super::builder::Builder;
use super::mask::{mask, word};
use super::selection::Selection;
use super::template;
use crate::language::{Frame, Value};

pub(super) fn frame(builder: &mut Builder<'_>, selection: &Selection<'_>, value: &Value) {
    let document = selection.document;
    let own = selection.range();
    let mut outside: Vec<Range<usize>> = imports(&mask(document, Frame::Python))
        .into_iter()
        .filter(|import| import.end <= own.start || own.end <= import.start)
        .collect();
    let is_future = |import: &Range<usize>| {
        document[import.clone()].split_whitespace().nth(1).is_some_and(|name| name.starts_with("__future__"))
    };
    outside.sort_by_key(|import| !is_future(import));
    let futures = outside.iter().filter(|import| is_future(import)).count();
    let (futures, others) = outside.split_at(futures);
    // A `from __future__` that was selected must stay before every other import.
    let text = selection.text();
    let first = imports(&selection.mask)
        .into_iter()
        .filter(|import| text[import.clone()].split_whitespace().nth(1) == Some("__future__"))
        .map(|import| text[import.end..].find('\n').map_or(text.len(), |at| import.end + at + 1))
        .next_back()
        .unwrap_or(0);
    for import in futures {
        builder.document(import.clone());
    }
    if first > 0 {
        builder.selection(selection, 0..first);
    }
    for import in others {
        builder.document(import.clone());
    }
    if first < text.len() {
        template::value(builder, selection, first, value);
    }
}

/// Import statements that begin a line.
fn imports(mask: &[u8]) -> Vec<Range<usize>> {
    let mut imports = Vec::new();
    let mut start = 0;
    while start < mask.len() {
        let end = logical_line_end(mask, start);
        if is_import(mask, start) {
            imports.push(start..imports_end(mask, start, end));
        }
        start = end + 1;
    }
    imports
}

fn is_import(mask: &[u8], at: usize) -> bool {
    matches!(word(mask, at), b"import" | b"from")
}

/// Past the imports of a line `import a; import b; other()`.
fn imports_end(mask: &[u8], start: usize, end: usize) -> usize {
    let mut at = start;
    while let Some(semicolon) = memchr::memchr(b';', &mask[at..end]) {
        let next = super::mask::skip_space(mask, at + semicolon + 1);
        if next < end && !is_import(mask, next) {
            return at + semicolon;
        }
        at += semicolon + 1;
    }
    start + mask[start..end].trim_ascii_end().len()
}

fn logical_line_end(mask: &[u8], start: usize) -> usize {
    let mut depth = 0_usize;
    for (at, &byte) in mask.iter().enumerate().skip(start) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            b'\n' if depth == 0 && !mask[start..at].trim_ascii_end().ends_with(b"\\") => return at,
            _ => {}
        }
    }
    mask.len()
}
