//! JavaScript: statements stand by themselves; top-level `import` and `require` lines go in front. Also: is it a module?
//!
//! A program with `import`, `export` or `await` outside functions is an ES module and Node must be told so by the name
//! of its file. A selection that awaits in a file that requires gets a `require` of its own.

use std::ops::Range;
use std::sync::LazyLock;

use regex::bytes::Regex;

use super::builder::Builder;
use super::mask::{STRING, before, find_word, is_word, mask, skip_space, word};
use super::selection::Selection;
use super::template;
use crate::language::{Frame, Value};

static REQUIRE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\A(?:(?:const|let|var)\s+(?:[\w$]+|\{[^}]*\}|\[[^\]]*\])\s*=\s*)?require\s*\(")
        .expect("a valid pattern")
});

const CREATE_REQUIRE: [&str; 2] =
    [r#"import { createRequire } from "node:module";"#, "const require = createRequire(import.meta.url);"];

/// Frames a selection; answers whether it is an ES module.
pub(super) fn frame(builder: &mut Builder<'_>, selection: &Selection<'_>, file_name: &str, value: &Value) -> bool {
    let own = selection.range();
    let mask = mask(selection.document, Frame::Javascript);
    let outside: Vec<Range<usize>> =
        imports(&mask).into_iter().filter(|import| import.end <= own.start || own.end <= import.start).collect();
    let is_module = is_module(&selection.mask) || outside.iter().any(|import| is_module(&mask[import.clone()]));
    let requires = find_word(&selection.mask, "require").is_some()
        || outside.iter().any(|import| find_word(&mask[import.clone()], "require").is_some());
    if is_module
        && requires
        && file_name.rsplit_once('.').is_none_or(|(_, extension)| extension != "mjs")
        && find_word(&mask, "createRequire").is_none()
    {
        for line in CREATE_REQUIRE {
            builder.frame(line);
        }
    }
    for import in outside {
        builder.document(import);
    }
    template::value(builder, selection, 0, value);
    is_module
}

/// Whether Node must take it for an ES module.
pub(super) fn is_module(mask: &[u8]) -> bool {
    starts(mask).into_iter().any(|start| is_static_import(mask, start) || word(mask, start) == b"export")
        || memchr::memmem::find(mask, b"import.meta").is_some()
        || awaits(mask)
}

/// Where statements outside all brackets may start: at the first word of a line, and after a semicolon.
fn starts(mask: &[u8]) -> Vec<usize> {
    let mut starts = vec![skip_space(mask, 0)];
    let mut depth = 0_usize;
    for (at, &byte) in mask.iter().enumerate() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            b'\n' | b';' if depth == 0 => {
                let next = skip_space(mask, at + 1);
                if starts.last() != Some(&next) {
                    starts.push(next);
                }
            }
            _ => {}
        }
    }
    starts
}

fn is_static_import(mask: &[u8], start: usize) -> bool {
    word(mask, start) == b"import" && !matches!(mask.get(skip_space(mask, start + 6)), Some(b'(' | b'.'))
}

fn imports(mask: &[u8]) -> Vec<Range<usize>> {
    let mut imports: Vec<Range<usize>> = Vec::new();
    for start in starts(mask) {
        if imports.last().is_some_and(|last| start < last.end) {
            continue;
        }
        if is_static_import(mask, start) || REQUIRE.is_match(&mask[start..]) {
            imports.push(start..end_of_import(mask, start));
        }
    }
    imports
}

/// Past the semicolon, or at the end of the line on which the module was named.
fn end_of_import(mask: &[u8], start: usize) -> usize {
    let (mut depth, mut named) = (0_usize, false);
    for (at, &byte) in mask.iter().enumerate().skip(start) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            STRING => named = true,
            b';' if depth == 0 => return at + 1,
            b'\n' if depth == 0 && named && mask.get(skip_space(mask, at)) != Some(&b'.') => {
                return start + mask[start..at].trim_ascii_end().len();
            }
            _ => {}
        }
    }
    mask.len()
}

/// What an open bracket is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Function,
    Other,
    /// The body of `=>` without braces; it has no bracket and ends with what surrounds it.
    Arrow,
}

/// Whether `await` occurs outside every function.
fn awaits(mask: &[u8]) -> bool {
    if find_word(mask, "await").is_none() {
        return false;
    }
    let mut open: Vec<Open> = Vec::new();
    let mut at = 0;
    while at < mask.len() {
        match mask[at] {
            b'{' => open.push(if opens_function(mask, at) { Open::Function } else { Open::Other }),
            b'(' | b'[' => open.push(Open::Other),
            b')' | b']' | b'}' => while open.pop() == Some(Open::Arrow) {},
            b',' | b';' => {
                while open.last() == Some(&Open::Arrow) {
                    open.pop();
                }
            }
            b'\n' if ends_statement(mask, at) => {
                while open.last() == Some(&Open::Arrow) {
                    open.pop();
                }
            }
            b'>' if at > 0 && mask[at - 1] == b'=' && mask.get(skip_space(mask, at + 1)) != Some(&b'{') => {
                open.push(Open::Arrow);
            }
            b'a' if (at == 0 || !is_word(mask[at - 1])) && word(mask, at) == b"await" => {
                let member = before(mask, at) == Some(b'.');
                if !member && !open.iter().any(|open| *open != Open::Other) {
                    return true;
                }
            }
            _ => {}
        }
        at += 1;
    }
    false
}

fn ends_statement(mask: &[u8], at: usize) -> bool {
    let last = before(mask, at);
    let next = mask.get(skip_space(mask, at));
    !last.is_some_and(|byte| b"(,+-*/=>&|?:.<".contains(&byte))
        && !next.is_some_and(|byte| b".?:&|+-*/,)=".contains(byte))
}

/// `=> {`, or `name(…) {` where the name is no keyword that takes a block.
fn opens_function(mask: &[u8], brace: usize) -> bool {
    let head = mask[..brace].trim_ascii_end();
    if head.ends_with(b"=>") {
        return true;
    }
    if !head.ends_with(b")") {
        return false;
    }
    let mut depth = 0_usize;
    let Some(open) = head.iter().rposition(|byte| {
        match byte {
            b')' => depth += 1,
            b'(' => depth -= 1,
            _ => {}
        }
        depth == 0
    }) else {
        return false;
    };
    let name = head[..open].trim_ascii_end();
    let start = name.iter().rposition(|&byte| !is_word(byte)).map_or(0, |at| at + 1);
    let blocks: [&[u8]; 7] = [b"if", b"for", b"while", b"switch", b"catch", b"with", b"await"];
    !blocks.contains(&&name[start..])
}
