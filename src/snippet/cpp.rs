//! C++: includes, `using` lines and macros in front, definitions outside, statements in `main`.
//!
//! Only what stands before the selection goes in front, as for the compiler. `using` lines that name a namespace or a type
//! of the file stay behind with it, unless the selection has it too.

use std::ops::Range;
use std::sync::LazyLock;

use regex::bytes::Regex;

use super::builder::Builder;
use super::mask::{find_word, mask, skip_space, word};
use super::pieces::{Piece, Role, arrange, is_top_level, outline, pieces};
use super::selection::Selection;
use crate::language::Frame;

/// `int x =`, `const std::vector<int> &v(`, `auto [a, b] =`.
static DECLARATION: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"\A(?:\[\]\s*)?(?:(?:const|constexpr|constinit|static|inline|extern|thread_local|volatile|unsigned|signed|long|short",
        r"|struct|class|enum|union|typename)\s+)*",
        r"(?:auto[\s*&]*\[|[A-Za-z_]\w*(?:<[^;=]*>)?(?:::[A-Za-z_]\w*(?:<[^;=]*>)?)*(?:\s+const)?[\s*&]+[A-Za-z_]\w*\s*[=;({\[,:])",
    ))
    .expect("a valid pattern")
});

static MAIN: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\bmain\s*\(\)").expect("a valid pattern"));

pub(super) fn frame(builder: &mut Builder<'_>, selection: &Selection<'_>) {
    let document = selection.document;
    let mask = mask(document, Frame::Cpp);
    let items = pieces(&mask, Frame::Cpp);
    for range in preamble(document, &mask, &items, selection) {
        builder.document(range);
    }
    let top_level = is_top_level(&items, selection.start);
    let parts: Vec<(Role, Piece)> = pieces(&selection.mask, Frame::Cpp)
        .into_iter()
        .map(|piece| (role(selection.text(), &selection.mask[piece.code.clone()], &piece, top_level), piece))
        .collect();
    let has_main = parts
        .iter()
        .any(|(role, piece)| *role == Role::Definition && MAIN.is_match(&outline(&selection.mask[piece.code.clone()])));
    if has_main {
        return builder.selection(selection, 0..selection.len());
    }
    let has = |wanted: Role| parts.iter().any(|(role, _)| *role == wanted);
    let conditional = parts.iter().any(|(_, piece)| Directive::of(selection.text(), piece) == Directive::Conditional);
    if conditional && has(Role::Definition) && !has(Role::Statement) {
        // What stands under a condition cannot be moved.
        builder.selection(selection, 0..selection.len());
        builder.frame("int main() {}");
        return;
    }
    let arrangement = arrange(parts, top_level);
    for piece in arrangement.front.iter().chain(&arrangement.top) {
        builder.selection(selection, piece.range.clone());
    }
    let Some(last) = arrangement.body.last() else {
        builder.frame("int main() {}");
        return;
    };
    let closed = matches!(selection.mask.get(last.code.end.saturating_sub(1)), Some(b';' | b'}'));
    let arguments = ["argc", "argv"].iter().any(|name| find_word(&selection.mask, name).is_some());
    builder.frame(if arguments {
        "int main([[maybe_unused]] int argc, [[maybe_unused]] char **argv) {"
    } else {
        "int main() {"
    });
    for piece in &arrangement.body {
        builder.selection(selection, piece.range.clone());
    }
    builder.frame(if closed { "}" } else { ";}" });
}

/// What a `#` line does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Directive {
    /// No directive at all.
    None,
    Include,
    Define,
    Conditional,
    Other,
}

impl Directive {
    fn of(text: &str, piece: &Piece) -> Self {
        let Some(rest) = text[piece.code.clone()].strip_prefix('#') else { return Self::None };
        let rest = rest.trim_start();
        match &rest[..rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len())] {
            "include" | "import" => Self::Include,
            "define" | "undef" | "pragma" => Self::Define,
            "if" | "ifdef" | "ifndef" | "elif" | "elifdef" | "elifndef" | "else" | "endif" => Self::Conditional,
            _ => Self::Other,
        }
    }
}

fn role(text: &str, code: &[u8], piece: &Piece, top_level: bool) -> Role {
    match Directive::of(text, piece) {
        Directive::None => {}
        Directive::Conditional => return Role::Neutral,
        Directive::Include | Directive::Define | Directive::Other => return Role::Front,
    }
    let outline = outline(code);
    let head = word(code, 0);
    let brace = outline.iter().position(|&byte| byte == b'{');
    let before_brace = &outline[..brace.unwrap_or(outline.len())];
    match head {
        b"template" | b"namespace" | b"concept" | b"extern" => return Role::Definition,
        b"using" | b"typedef" | b"static_assert" => return Role::Neutral,
        b"struct" | b"class" | b"union" | b"enum" if brace.is_some() && !before_brace.contains(&b'(') => {
            return if top_level { Role::Definition } else { Role::Neutral };
        }
        b"if" | b"for" | b"while" | b"do" | b"switch" | b"try" | b"return" | b"throw" | b"delete" | b"goto"
        | b"break" | b"continue" | b"case" | b"default" | b"else" | b"new" | b"co_return" | b"co_yield"
        | b"co_await" => {
            return Role::Statement;
        }
        _ => {}
    }
    let assigns = before_brace.contains(&b'=') && find_word(before_brace, "operator").is_none();
    let lambda = code.starts_with(b"[") && !code.starts_with(b"[[");
    if code.ends_with(b"}") && brace.is_some() && before_brace.contains(&b'(') && !assigns && !lambda {
        return Role::Definition;
    }
    if code.ends_with(b";") && DECLARATION.is_match(&outline) {
        return Role::Neutral;
    }
    Role::Statement
}

/// What goes in front, in the order of the document.
fn preamble(document: &str, mask: &[u8], items: &[Piece], selection: &Selection<'_>) -> Vec<Range<usize>> {
    let before: Vec<&Piece> = items.iter().filter(|item| item.code.end <= selection.start).collect();
    let conditions_close = conditions_close(document, &before);
    let mut ranges: Vec<Range<usize>> = before
        .into_iter()
        .filter(|item| match Directive::of(document, item) {
            Directive::Include | Directive::Define => true,
            Directive::Conditional => conditions_close,
            Directive::Other => false,
            Directive::None => word(mask, item.code.start) == b"using" && is_usable(mask, items, item, selection),
        })
        .map(|item| item.code.clone())
        .collect();
    // `using namespace` at the start of the function around the selection counts as well.
    if let Some(around) = items.iter().find(|item| item.code.start < selection.start && selection.start < item.code.end)
    {
        let mut at = around.code.start;
        while let Some(found) = find_word(&mask[at..selection.start], "using") {
            let start = at + found;
            at = start + "using".len();
            let Some(end) = memchr::memchr(b';', &mask[at..selection.start]) else { break };
            if word(mask, skip_space(mask, at)) == b"namespace" {
                ranges.push(start..at + end + 1);
            }
            at += end;
        }
    }
    ranges
}

/// Whether each `#if` before the selection has its `#endif` there.
fn conditions_close(document: &str, items: &[&Piece]) -> bool {
    let mut open = 0_usize;
    for item in items.iter().filter(|item| Directive::of(document, item) == Directive::Conditional) {
        let text = document[item.code.clone()][1..].trim_start();
        if text.starts_with("if") {
            open += 1;
        } else if open == 0 {
            return false;
        } else if text.starts_with("endif") {
            open -= 1;
        }
    }
    open == 0
}

/// Whether a `using` line of the file means something without the file's own definitions.
fn is_usable(mask: &[u8], items: &[Piece], item: &Piece, selection: &Selection<'_>) -> bool {
    let code = &mask[item.code.clone()];
    let first = word(code, skip_space(code, "using".len()));
    if code.contains(&b'=') {
        let alias = String::from_utf8_lossy(first);
        return find_word(&selection.mask, &alias).is_some();
    }
    let root = if first == b"namespace" {
        word(code, skip_space(code, find_word(code, "namespace").unwrap_or(0) + "namespace".len()))
    } else {
        first
    };
    !items.iter().any(|other| {
        let code = &mask[other.code.clone()];
        word(code, 0) == b"namespace" && word(code, skip_space(code, "namespace".len())) == root
    })
}
