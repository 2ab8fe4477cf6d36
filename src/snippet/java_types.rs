//! The top-level types of a Java text: which is public, which has `main`.

use std::ops::Range;

use super::mask::{find_word, is_word, skip_space, word};

/// How a program starts.
#[derive(Debug, Default)]
pub(super) struct Start {
    /// The class to start, with its package; without one that has `main`, the likeliest, so that Java says what it misses.
    pub(super) entry: Option<String>,
    /// The public type, whose name the file must have.
    pub(super) public: Option<String>,
}

/// How deep `main` is looked for in types within types.
const DEPTH: usize = 8;

struct Type<'a> {
    name: &'a str,
    /// Between its braces, with them.
    body: Range<usize>,
    is_public: bool,
    has_main: bool,
}

/// How the program starts. Of several classes with `main` the public one goes first, then the one the file is named for.
pub(super) fn start(text: &str, mask: &[u8], file_name: &str) -> Start {
    let types = types(text, mask);
    let stem = file_name.strip_suffix(".java").unwrap_or(file_name);
    let rank = |item: &&Type<'_>| (item.has_main, item.is_public, item.name == stem);
    // The last of equals is what `max_by_key` takes, so the types are walked backwards.
    let likeliest = || types.iter().rev().max_by_key(rank).map(|item| item.name.to_owned());
    let inner = if types.iter().any(|item| item.has_main) { None } else { nested(text, mask, &types, DEPTH) };
    let entry = inner.or_else(likeliest).map(|name| match package(text, mask) {
        Some(package) => format!("{package}.{name}"),
        None => name,
    });
    Start { entry, public: types.iter().find(|item| item.is_public).map(|item| item.name.to_owned()) }
}

/// The first type with `main` within others, as the virtual machine names it.
fn nested(text: &str, mask: &[u8], around: &[Type<'_>], depth: usize) -> Option<String> {
    let within = |outer: &Type<'_>| {
        let inside = outer.body.start + 1..outer.body.end.checked_sub(1)?;
        let (text, mask) = (text.get(inside.clone())?, mask.get(inside)?);
        let types = types(text, mask);
        let inner = types.iter().find(|item| item.has_main).map(|item| item.name.to_owned());
        let inner = inner.or_else(|| nested(text, mask, &types, depth.checked_sub(1)?))?;
        Some(format!("{}${inner}", outer.name))
    };
    around.iter().find_map(within)
}

/// Names of the top-level types.
pub(super) fn names<'a>(text: &'a str, mask: &[u8]) -> Vec<&'a str> {
    types(text, mask).into_iter().map(|item| item.name).collect()
}

/// Whether one of the top-level types has `main`.
pub(super) fn has_main(text: &str, mask: &[u8]) -> bool {
    types(text, mask).iter().any(|item| item.has_main)
}

fn package(text: &str, mask: &[u8]) -> Option<String> {
    let at = find_word(mask, "package")?;
    // Only imports, annotations and types come at this level; the clause stands before all braces.
    if mask[..at].contains(&b'{') {
        return None;
    }
    let start = at + "package".len();
    let end = start + memchr::memchr(b';', &mask[start..])?;
    Some(text[start..end].split_whitespace().collect::<String>()).filter(|name| !name.is_empty())
}

fn types<'a>(text: &'a str, mask: &[u8]) -> Vec<Type<'a>> {
    let mut types = Vec::new();
    let (mut depth, mut at, mut item) = (0_usize, 0, 0);
    while at < mask.len() {
        match mask[at] {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' => depth = depth.saturating_sub(1),
            b'}' => {
                depth = depth.saturating_sub(1);
                item = at + 1;
            }
            b';' => item = at + 1,
            byte if depth == 0 && is_word(byte) => {
                let keyword = word(mask, at);
                let end = at + keyword.len();
                if let Some(name) = type_name(mask, keyword, end) {
                    let body = body(mask, name.end);
                    let interface = keyword == b"interface";
                    types.push(Type {
                        name: &text[name.clone()],
                        is_public: find_word(&mask[item..at], "public").is_some(),
                        has_main: declares_main(&mask[body.clone()], interface),
                        body: body.clone(),
                    });
                    at = body.end;
                    item = at;
                } else {
                    at = end;
                }
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    types
}

fn type_name(mask: &[u8], keyword: &[u8], end: usize) -> Option<Range<usize>> {
    if !matches!(keyword, b"class" | b"interface" | b"enum" | b"record") {
        return None;
    }
    let start = skip_space(mask, end);
    let name = start..start + word(mask, start).len();
    let next = mask.get(skip_space(mask, name.end));
    // `record` is a name too.
    let plausible = keyword != b"record" || matches!(next, Some(b'(' | b'<'));
    (!name.is_empty() && start > end && plausible).then_some(name)
}

/// The text between the braces of a type, with them.
fn body(mask: &[u8], from: usize) -> Range<usize> {
    let Some(start) = memchr::memchr(b'{', &mask[from..]).map(|at| from + at) else { return mask.len()..mask.len() };
    let mut depth = 0_usize;
    for (at, &byte) in mask.iter().enumerate().skip(start) {
        match byte {
            b'{' => depth += 1,
            b'}' => {
                depth -= 1;
                if depth == 0 {
                    return start..at + 1;
                }
            }
            _ => {}
        }
    }
    start..mask.len()
}

/// `public static void main(String… )` directly in a body.
fn declares_main(body: &[u8], interface: bool) -> bool {
    let (mut depth, mut item) = (0_usize, 0);
    for (at, &byte) in body.iter().enumerate() {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth = depth.saturating_sub(1),
            b'{' => {
                depth += 1;
                item = at + 1;
            }
            b'}' => {
                depth = depth.saturating_sub(1);
                item = at + 1;
            }
            b';' => item = at + 1,
            b'm' if depth == 1 && !is_word(body[at - 1]) && word(body, at) == b"main" => {
                let has = |name| find_word(&body[item..at], name).is_some();
                let open = skip_space(body, at + "main".len());
                let parameter = word(body, skip_space(body, open + 1));
                let takes_words = body.get(open) == Some(&b'(') && matches!(parameter, b"String" | b"final" | b"java");
                if takes_words && has("static") && has("void") && (interface || has("public")) {
                    return true;
                }
            }
            _ => {}
        }
    }
    false
}
