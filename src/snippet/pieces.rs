//! Top-level items and statements of the languages whose selections need a frame: where each ends, what it is at most.
//!
//! It works on masks, so braces and keywords are real ones. It is a classifier of code that compiles, no parser: on code
//! that does not, the pieces are coarser and the compiler has the word.

use std::ops::Range;

use super::mask::{find_word, skip_space, word};
use crate::language::Frame;

/// One item or statement.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    /// With the white space and comments before it, and the line's rest when that is empty: pieces leave no gaps.
    pub(super) range: Range<usize>,
    /// From its first byte of code to its last.
    pub(super) code: Range<usize>,
}

/// What a piece can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// An import or the like: goes first.
    Front,
    /// Only possible outside functions.
    Definition,
    /// Possible in both places.
    Neutral,
    /// Only possible inside a function.
    Statement,
}

/// Pieces by where they go.
#[derive(Debug, Default)]
pub(super) struct Arrangement {
    pub(super) front: Vec<Piece>,
    pub(super) top: Vec<Piece>,
    pub(super) body: Vec<Piece>,
}

/// Definitions go before statements; what is possible in both places stays in front of the definition that may use it.
/// `top_level` says that the selection stands outside functions in its document.
pub(super) fn arrange(pieces: Vec<(Role, Piece)>, top_level: bool) -> Arrangement {
    let position = |wanted: Role| pieces.iter().position(|(role, _)| *role == wanted);
    let first_statement = position(Role::Statement);
    let last_definition = pieces.iter().rposition(|(role, _)| *role == Role::Definition);
    let mut arrangement = Arrangement::default();
    for (index, (role, piece)) in pieces.into_iter().enumerate() {
        let goes_up = match (first_statement, last_definition) {
            (None, Some(_)) => true,
            (None, None) => top_level,
            (Some(_), None) => false,
            (Some(statement), Some(definition)) => index < statement && index < definition,
        };
        match role {
            Role::Front => arrangement.front.push(piece),
            Role::Definition => arrangement.top.push(piece),
            Role::Neutral if goes_up => arrangement.top.push(piece),
            Role::Neutral | Role::Statement => arrangement.body.push(piece),
        }
    }
    arrangement
}

/// Whether a byte of the document lies outside all of its items: then what is selected there are items themselves.
pub(super) fn is_top_level(items: &[Piece], at: usize) -> bool {
    !items.iter().any(|piece| piece.code.start < at && at < piece.code.end)
}

/// The pieces of a mask, without gaps.
pub(super) fn pieces(mask: &[u8], frame: Frame) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut at = 0;
    while at < mask.len() {
        let code = skip_space(mask, at);
        if code == mask.len() {
            // Comments at the end belong to what is before them.
            match pieces.last_mut() {
                Some(last) => last.range.end = code,
                None => pieces.push(Piece { range: at..code, code: code..code }),
            }
            break;
        }
        let end = match frame {
            Frame::Go => end_of_go_item(mask, code),
            _ if mask[code] == b'#' => line_end(mask, code),
            _ => end_of_item(mask, code, frame),
        };
        let line_end = line_end(mask, end);
        let rest_is_blank = mask[end..line_end].iter().all(u8::is_ascii_whitespace);
        let next = if rest_is_blank { (line_end + 1).min(mask.len()) } else { end };
        pieces.push(Piece { range: at..next, code: code..end });
        at = next;
    }
    pieces
}

fn line_end(mask: &[u8], at: usize) -> usize {
    memchr::memchr(b'\n', &mask[at..]).map_or(mask.len(), |end| at + end)
}

/// The bytes of a piece outside all brackets, with a space for each bracket's inside: `int f() {}`.
pub(super) fn outline(mask: &[u8]) -> Vec<u8> {
    let mut depth = 0_usize;
    let mut outline = Vec::new();
    for &byte in mask {
        match byte {
            b'(' | b'[' | b'{' => {
                if depth == 0 {
                    outline.push(byte);
                }
                depth += 1;
            }
            b')' | b']' | b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    outline.push(byte);
                }
            }
            _ if depth == 0 => outline.push(byte),
            _ => {}
        }
    }
    outline
}

/// Words after which a block is not the end of what they began.
const RUN_ON: [&[u8]; 9] =
    [b"return", b"throw", b"new", b"co_return", b"co_yield", b"co_await", b"delete", b"yield", b"typedef"];

fn end_of_item(mask: &[u8], start: usize, frame: Frame) -> usize {
    let head = word(mask, start);
    let lambda = mask[start] == b'[' && mask.get(start + 1) != Some(&b'[');
    let template = head == b"template";
    let mut to_semicolon = lambda || RUN_ON.contains(&head);
    let type_head = frame == Frame::Cpp && [&b"struct"[..], b"class", b"union", b"enum"].contains(&head);
    let (mut depth, mut at, mut parenthesised) = (0_usize, start, false);
    while at < mask.len() {
        let byte = mask[at];
        at += 1;
        match byte {
            b'(' | b'[' | b'{' => {
                parenthesised |= byte == b'(' && depth == 0;
                depth += 1;
            }
            b')' | b']' => depth = depth.saturating_sub(1),
            b'=' if depth == 0 && !template && !parenthesised => {
                // `operator==(…) {` is a name.
                to_semicolon |= find_word(&mask[start..at], "operator").is_none();
            }
            b';' if depth == 0 && !goes_on_after(mask, at, head) => return at,
            b'}' => {
                depth = depth.saturating_sub(1);
                if depth > 0 {
                    continue;
                }
                let next = skip_space(mask, at);
                match mask.get(next) {
                    Some(b';') => return next + 1,
                    Some(b'.' | b',' | b')' | b'=' | b'?' | b'{') => {}
                    _ if to_semicolon || (type_head && !parenthesised) || goes_on_after(mask, at, head) => {}
                    _ => return at,
                }
            }
            _ => {}
        }
    }
    mask[..].trim_ascii_end().len().max(start + 1)
}

fn goes_on_after(mask: &[u8], at: usize, head: &[u8]) -> bool {
    let next = word(mask, skip_space(mask, at));
    match head {
        b"do" => next == b"while",
        b"if" | b"for" | b"while" => next == b"else",
        b"try" => next == b"catch" || next == b"finally",
        _ => false,
    }
}

fn end_of_go_item(mask: &[u8], start: usize) -> usize {
    let mut depth = 0_usize;
    for (at, &byte) in mask.iter().enumerate().skip(start) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            b';' if depth == 0 => return at + 1,
            b'\n' if depth == 0 => {
                let line = mask[start..at].trim_ascii_end();
                let increments = line.ends_with(b"++") || line.ends_with(b"--");
                if increments || !line.last().is_some_and(|last| b"+-*/%&|^<>=!,.(:".contains(last)) {
                    return start + line.len();
                }
            }
            _ => {}
        }
    }
    mask.trim_ascii_end().len().max(start + 1)
}
