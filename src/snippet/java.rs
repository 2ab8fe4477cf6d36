//! Java: imports in front, types outside, members in a class `Main`, statements in its `main`.
//!
//! Members that are not static are callable from the statements too: these then run in a method of an instance.

use std::sync::LazyLock;

use regex::bytes::Regex;

use super::builder::Builder;
use super::java_types::{Start, has_main, names, start};
use super::mask::{find_word, mask, word};
use super::pieces::{Piece, Role, arrange, outline, pieces};
use super::selection::Selection;
use crate::language::Frame;

/// Annotations and modifiers, and what follows them.
static MODIFIERS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"\A(?:@[\w.]+\s*(?:\(\)\s*)?)*",
        r"((?:(?:public|private|protected|static|final|abstract|synchronized|native|transient|volatile|strictfp|default",
        r"|sealed|non-sealed)\s+)*)((?s:.*))\z",
    ))
    .expect("a valid pattern")
});

static TYPE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\A(?:(?:class|interface|enum|@interface)\s+[\w$]|record\s+[\w$]+\s*[(<])").expect("a valid pattern")
});

/// `int f() {}`, `<T> List<T> f() throws E {}`, and a constructor.
static METHOD: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"\A(?:<[^(]*>\s*)?(?:[\w$.]+(?:<[^(;=]*>)?(?:\[\])*\s+)?[\w$]+\s*\(\)\s*(?:throws[\w\s.,$]+)?(?:\{\}|;)\s*\z",
    )
    .expect("a valid pattern")
});

static DECLARATION: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\A[A-Za-z_$][\w.$]*(?:<[^;=]*>)?\s*(?:\[\]\s*)*\s[A-Za-z_$][\w$]*\s*(?:\[\]\s*)*[=;,]")
        .expect("a valid pattern")
});

/// Words that begin a statement, whatever follows.
const STATEMENTS: [&[u8]; 16] = [
    b"if",
    b"for",
    b"while",
    b"do",
    b"switch",
    b"try",
    b"return",
    b"throw",
    b"break",
    b"continue",
    b"new",
    b"assert",
    b"yield",
    b"else",
    b"case",
    b"this",
];

/// What a piece is, and in which way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Package,
    Import,
    /// A type that can stand outside of classes.
    Type,
    /// A method, a field or a nested type; whether it needs an instance.
    Member {
        instance: bool,
    },
    Declaration,
    Statement,
}

pub(super) fn frame(builder: &mut Builder<'_>, selection: &Selection<'_>) -> Start {
    imports(builder, selection);
    let mut kinds: Vec<(Kind, Piece)> = pieces(&selection.mask, Frame::Java)
        .into_iter()
        .map(|piece| (kind(&selection.mask[piece.code.clone()]), piece))
        .collect();
    kinds.retain(|(kind, _)| *kind != Kind::Package);
    for (_, piece) in kinds.extract_if(.., |(kind, _)| *kind == Kind::Import) {
        builder.selection(selection, piece.range);
    }
    let mut types = String::new();
    for (_, piece) in kinds.extract_if(.., |(kind, _)| *kind == Kind::Type) {
        types.push_str(&selection.text()[piece.range.clone()]);
        types.push('\n');
        builder.selection(selection, piece.range);
    }
    let types_mask = mask(&types, Frame::Java);
    let mut result = start(&types, &types_mask, "");
    if kinds.is_empty() && has_main(&types, &types_mask) {
        return result;
    }
    let class = if names(&types, &types_mask).contains(&"Main") { "RunpenMain" } else { "Main" };
    result.entry = Some(class.to_owned());
    body(builder, selection, kinds, class);
    result
}

/// The class around members and statements.
fn body(builder: &mut Builder<'_>, selection: &Selection<'_>, kinds: Vec<(Kind, Piece)>, class: &str) {
    let code = |piece: &Piece| &selection.mask[piece.code.clone()];
    let own_main = kinds.iter().any(|(kind, piece)| {
        matches!(kind, Kind::Member { instance: false }) && {
            let outline = outline(code(piece));
            find_word(&outline, "main").is_some() && find_word(&outline, "void").is_some()
        }
    });
    let roles = kinds.into_iter().map(|(kind, piece)| match kind {
        Kind::Member { .. } => (Role::Definition, piece),
        Kind::Declaration => (Role::Neutral, piece),
        Kind::Package | Kind::Import | Kind::Type | Kind::Statement => (Role::Statement, piece),
    });
    let arrangement = arrange(roles.collect(), false);
    let instance = arrangement
        .top
        .iter()
        .any(|piece| matches!(kind(code(piece)), Kind::Member { instance: true } | Kind::Declaration));
    builder.frame(&format!("class {class} {{"));
    for piece in &arrangement.top {
        builder.selection(selection, piece.range.clone());
    }
    if !own_main {
        builder.frame(if instance {
            "void runpenMain(String[] args) throws Exception {"
        } else {
            "public static void main(String[] args) throws Exception {"
        });
    }
    for piece in &arrangement.body {
        builder.selection(selection, piece.range.clone());
    }
    if !own_main {
        let closed = arrangement
            .body
            .last()
            .and_then(|last| selection.mask.get(last.code.end.saturating_sub(1)))
            .is_none_or(|byte| matches!(byte, b';' | b'}'));
        builder.frame(if closed { "}" } else { ";}" });
        if instance {
            builder.frame(&format!(
                "public static void main(String[] args) throws Exception {{ new {class}().runpenMain(args); }}"
            ));
        }
    }
    builder.frame("}");
}

fn imports(builder: &mut Builder<'_>, selection: &Selection<'_>) {
    let own = selection.range();
    let mask = mask(selection.document, Frame::Java);
    for item in pieces(&mask, Frame::Java) {
        let outside = item.code.end <= own.start || own.end <= item.code.start;
        if outside && word(&mask, item.code.start) == b"import" {
            builder.document(item.code);
        }
    }
}

fn kind(code: &[u8]) -> Kind {
    let outline = outline(code);
    let head = word(code, 0);
    match head {
        b"package" => return Kind::Package,
        b"import" => return Kind::Import,
        _ if STATEMENTS.contains(&head) => return Kind::Statement,
        _ => {}
    }
    let Some(captures) = MODIFIERS.captures(&outline) else { return Kind::Statement };
    let (modifiers, rest) = (&captures[1], &captures[2]);
    let has = |name| find_word(modifiers, name).is_some();
    let scoped = ["public", "private", "protected", "static", "transient", "volatile"].iter().any(|name| has(name));
    let member = Kind::Member { instance: !has("static") };
    if TYPE.is_match(rest) {
        let nested = ["private", "protected", "static"].iter().any(|name| has(name));
        return if nested { Kind::Member { instance: false } } else { Kind::Type };
    }
    let braces = rest.ends_with(b"}");
    let abstracted = has("abstract") || has("native");
    if METHOD.is_match(rest) && (braces || abstracted) {
        return member;
    }
    if scoped && (rest.ends_with(b";") || rest.starts_with(b"{")) {
        return member;
    }
    if DECLARATION.is_match(rest) { Kind::Declaration } else { Kind::Statement }
}
