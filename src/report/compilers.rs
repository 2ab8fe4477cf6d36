//! Compilers that say one message a line, each in its own form: kotlinc, zig, swiftc, nim, mcs, ldc, ghc, tsc.
//!
//! | tool | form | columns from 1 |
//! |---|---|---|
//! | kotlinc, swiftc, zig | `main.kt:2:29: error: text` | UTF-16, bytes, bytes |
//! | nim | `main.nim(2, 34) Error: text` | bytes |
//! | mcs, tsc | `main.cs(4,42): error CS0103: text` | UTF-16 |
//! | ldc | `main.d(3,34): Error: text`, more with spaces in place of the kind | bytes |
//! | ghc | `main.hs:5:27-37: error: [GHC-88464]`, the text on the lines below | characters, tabs to 8 |

use std::ops::Range;

use super::source::{LineEnds, Source, number};
use super::spot::{Cells, PLACES, TEXT_LINES, line_and_column, marks, named};
use super::{Input, Message};
use crate::protocol::{Severity, Tag};
use crate::text::Encoding;

/// Which compiler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compiler {
    Kotlin,
    Swift,
    Zig,
    Nim,
    Mono,
    D,
    Haskell,
    Tsc,
}

const GHC_CELLS: Cells = Cells { tab: 8, stops: true, wide: false };

impl Compiler {
    pub(super) fn tool(self) -> &'static str {
        match self {
            Self::Kotlin => "kotlinc",
            Self::Swift => "swiftc",
            Self::Zig => "zig",
            Self::Nim => "nim",
            Self::Mono => "mcs",
            Self::D => "ldc2",
            Self::Haskell => "ghc",
            Self::Tsc => "tsc",
        }
    }

    fn unit(self) -> Encoding {
        match self {
            Self::Kotlin | Self::Mono | Self::Tsc => Encoding::Utf16,
            Self::Swift | Self::Zig | Self::Nim | Self::D => Encoding::Utf8,
            Self::Haskell => Encoding::Utf32,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Error,
    Warning,
    Deprecation,
    Note,
}

/// A line that begins a message.
struct Header<'t> {
    line: usize,
    column: usize,
    /// Line and one-based column of its last character.
    end: Option<(usize, usize)>,
    kind: Kind,
    text: &'t str,
}

pub(super) fn parse(compiler: Compiler, input: &Input<'_>) -> Vec<Message> {
    let source = Source::new(input, if compiler == Compiler::Mono { LineEnds::Return } else { LineEnds::Feed });
    let mut messages: Vec<Message> = Vec::new();
    // What the lines below may still say of: where the last message stands, and how many lines it has.
    let mut place: Option<(usize, usize)> = None;
    let (mut more, mut places) = (0, 0);
    for line in input.stderr.lines() {
        if let Some(header) = header(compiler, line, &source) {
            if messages.len() > super::MESSAGE_LIMIT {
                break;
            }
            more = 0;
            if header.kind == Kind::Note {
                place = None;
                // What would be dropped for its number is not looked for either.
                places += 1;
                let wanted = |last: &&mut Message| last.related.len() < super::RELATED_LIMIT && places <= PLACES;
                if let Some(last) = messages.last_mut().filter(wanted) {
                    last.relate(span(compiler, &header, &source), header.text.trim());
                }
                continue;
            }
            let span = span(compiler, &header, &source);
            place = Some((header.line, header.column));
            messages.push(message(compiler, &header, span));
            continue;
        }
        let Some(last) = messages.last_mut() else { continue };
        if let (Some(count), Some((line, column))) = (marks(line), place.take()) {
            if count > 1 {
                let start = source.offset(line, column.saturating_sub(1), compiler.unit());
                let end = source.offset(line, column.saturating_sub(1) + count, compiler.unit());
                last.span = start.zip(end).map(|(start, end)| start..end).or(last.span.take());
            }
        } else if compiler == Compiler::Haskell && line.starts_with("    ") && more < TEXT_LINES {
            more += 1;
            let text = line.trim().trim_start_matches("• ");
            if !last.text.is_empty() {
                last.text.push('\n');
            }
            last.text.push_str(text);
        }
    }
    messages
}

fn message(compiler: Compiler, header: &Header<'_>, span: Option<Range<usize>>) -> Message {
    let (code, text) = code(compiler, header.text);
    let mut message = Message::error(compiler.tool(), span, text);
    message.code = code.map(str::to_owned);
    if header.kind != Kind::Error {
        message.severity = Severity::Warning;
    }
    let code = code.unwrap_or_default();
    let warning = header.kind == Kind::Warning;
    let unused = code.starts_with("-Wunused")
        || matches!(code, "CS0168" | "CS0169" | "CS0219" | "CS0414" | "UnusedImport" | "TS6133" | "TS6192")
        || warning && (text.contains("is never used") || text.contains("is unused") || text.contains("was never used"));
    let deprecated = header.kind == Kind::Deprecation
        || matches!(code, "CS0618" | "CS0612" | "Deprecated" | "-Wdeprecations" | "TS6385" | "TS6387")
        || warning && text.contains("is deprecated");
    if unused {
        message.tags.push(Tag::Unnecessary);
    } else if deprecated {
        message.tags.push(Tag::Deprecated);
    }
    message
}

/// The code that a message's text begins or ends with.
fn code(compiler: Compiler, text: &str) -> (Option<&str>, &str) {
    match compiler {
        Compiler::Mono | Compiler::Tsc => match text.split_once(": ") {
            Some((code, rest)) if !code.contains(' ') => (Some(code), rest),
            _ => (None, text),
        },
        Compiler::Nim => match text.strip_suffix(']').and_then(|text| text.rsplit_once(" [")) {
            Some((rest, code)) if code.chars().all(char::is_alphanumeric) => (Some(code), rest),
            _ => (None, text),
        },
        // All of the line is the code; the text comes below.
        Compiler::Haskell => match text.split_once('[').and_then(|(_, rest)| rest.split_once(']')) {
            Some((code, rest)) => (code.split(',').next(), rest.trim()),
            None => (None, text),
        },
        _ => (None, text),
    }
}

fn header<'t>(compiler: Compiler, line: &'t str, source: &Source<'_>) -> Option<Header<'t>> {
    let rest = source.after(line)?;
    match compiler {
        Compiler::Kotlin | Compiler::Swift | Compiler::Zig => {
            let (line, column, rest) = line_and_column(rest.strip_prefix(':')?)?;
            let (kind, text) = kind(rest.strip_prefix(": ")?)?;
            Some(Header { line, column: column.unwrap_or(0), end: None, kind, text })
        }
        Compiler::Nim | Compiler::Mono | Compiler::D | Compiler::Tsc => {
            let (line, rest) = number(rest.strip_prefix('(')?)?;
            let (column, rest) = match rest.strip_prefix(',') {
                Some(rest) => number(rest.trim_start())?,
                None => (0, rest),
            };
            // csc gives an end as well: (3,9,3,12).
            let rest = rest.split_once(')')?.1;
            let rest = rest.strip_prefix(':').unwrap_or(rest).strip_prefix(' ')?;
            let (kind, text) = match kind(rest) {
                Some(found) => found,
                None if compiler == Compiler::D && rest.starts_with("  ") => (Kind::Note, rest.trim()),
                None => return None,
            };
            Some(Header { line, column, end: None, kind, text })
        }
        Compiler::Haskell => {
            let rest = rest.strip_prefix(':')?;
            let (line, column, end, rest) = ghc_place(rest)?;
            let (kind, text) = kind(rest.strip_prefix(": ")?)?;
            Some(Header { line, column, end, kind, text })
        }
    }
}

/// Line, column, end, rest.
type GhcPlace<'t> = (usize, usize, Option<(usize, usize)>, &'t str);

/// `5:27-37`, `5:27` or `(4,9)-(5,3)`.
fn ghc_place(text: &str) -> Option<GhcPlace<'_>> {
    let pair = |text| -> Option<(usize, usize, &str)> {
        let (line, rest) = number(str::strip_prefix(text, "(")?)?;
        let (column, rest) = number(rest.strip_prefix(',')?)?;
        Some((line, column, rest.strip_prefix(')')?))
    };
    if let Some((line, column, rest)) = pair(text) {
        let (end_line, end_column, rest) = pair(rest.strip_prefix('-')?)?;
        return Some((line, column, Some((end_line, end_column)), rest));
    }
    let (line, rest) = number(text)?;
    let (column, rest) = number(rest.strip_prefix(':')?)?;
    match rest.strip_prefix('-').and_then(number) {
        Some((end, rest)) => Some((line, column, Some((line, end)), rest)),
        None => Some((line, column, None, rest)),
    }
}

fn kind(text: &str) -> Option<(Kind, &str)> {
    const KINDS: &[(&str, Kind)] = &[
        ("error", Kind::Error),
        ("Error", Kind::Error),
        ("fatal error", Kind::Error),
        ("exception", Kind::Error),
        ("warning", Kind::Warning),
        ("Warning", Kind::Warning),
        ("Deprecation", Kind::Deprecation),
        ("note", Kind::Note),
        ("info", Kind::Note),
    ];
    let (kind, rest) = KINDS.iter().find_map(|(word, kind)| Some((*kind, text.strip_prefix(word)?)))?;
    // `error: text`, `error CS0103: text`, `error:` with the text below.
    let rest = rest.strip_prefix(':').or_else(|| rest.strip_prefix(' '))?;
    Some((kind, rest.trim_start()))
}

fn span(compiler: Compiler, header: &Header<'_>, source: &Source<'_>) -> Option<Range<usize>> {
    let Some(column) = header.column.checked_sub(1) else { return source.trimmed(header.line) };
    if compiler == Compiler::Haskell {
        let start = GHC_CELLS.offset(source, header.line, column)?;
        let Some((line, last)) = header.end else { return source.token(start) };
        return Some(start..GHC_CELLS.offset(source, line, last)?);
    }
    let token = source.token_at(header.line, column, compiler.unit())?;
    // ldc points at the parenthesis of a call.
    if compiler == Compiler::D && &source.text[token.clone()] == "(" {
        return named(source, header.line, header.text, &[]);
    }
    // kotlinc points at the `=` before the value that it means.
    if compiler == Compiler::Kotlin && header.text.starts_with("initializer type mismatch") {
        let line = source.line(header.line)?;
        let value = source.text.get(token.end..line.end).unwrap_or_default();
        if &source.text[token.clone()] == "=" && !value.trim().is_empty() {
            let start = token.end + (value.len() - value.trim_start().len());
            return Some(start..start + value.trim().len());
        }
    }
    Some(token)
}
