//! Markdown through `pulldown-cmark`: fenced and indented code, however deep it is nested and quoted.
//!
//! The parser tells where each piece of a block's text comes from, without the quote marks and the indentation of what the
//! block is nested in; so nothing here takes a line apart.

use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use super::attributes::Attributes;
use super::code::Code;
use super::expected::{Forbidden, Shape};
use super::update::Template;
use super::{Found, line_start};

/// Reads the blocks of a Markdown text.
pub(super) fn read(text: &str) -> Vec<Found> {
    // A fence on the first line is one, byte order mark or not.
    let skip = text.len() - text.trim_start_matches('\u{feff}').len();
    let body = &text[skip..];
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS;
    let mut found = Vec::new();
    let mut open: Option<(Option<String>, Range<usize>, Code)> = None;
    for (event, range) in Parser::new_ext(body, options).into_offset_iter() {
        let range = range.start + skip..range.end + skip;
        match event {
            Event::Start(Tag::CodeBlock(kind)) => {
                let info = match kind {
                    CodeBlockKind::Fenced(info) => Some(info.into_string()),
                    CodeBlockKind::Indented => None,
                };
                open = Some((info, range, Code::default()));
            }
            Event::Text(piece) => {
                if let Some((_, _, code)) = &mut open {
                    take(code, text, range, &piece);
                }
            }
            Event::End(TagEnd::CodeBlock) => {
                if let Some((info, range, code)) = open.take() {
                    found.push(block(text, info.as_deref(), range, code));
                }
            }
            _ => {}
        }
    }
    found
}

/// Adds a piece of a block's text. Indentation by tabs comes as the spaces it stands for.
fn take(code: &mut Code, text: &str, range: Range<usize>, piece: &str) {
    let source = &text[range.clone()];
    if source == piece {
        code.push(text, range);
    } else if let Some(rest) = piece.strip_suffix(source).filter(|_| !source.is_empty()) {
        code.push_translated(rest, range.start..range.start);
        code.push(text, range);
    } else {
        code.push_translated(piece, range);
    }
}

fn block(text: &str, info: Option<&str>, range: Range<usize>, mut code: Code) -> Found {
    // A parser may or may not count the last line end.
    let end = range.start + text[range.clone()].trim_end_matches(['\n', '\r']).len();
    let range = range.start..end;
    let Some(info) = info else {
        code.end_line();
        let prefix = text[line_start(text, range.start)..range.start].to_owned();
        return Found { range, code, prefix: continued(&prefix), ..Found::default() };
    };
    let (label, attributes) = Attributes::of_info(info);
    let first = line_start(text, range.start);
    let opening = range.start + (text[range.clone()].len() - text[range.clone()].trim_start().len());
    let mark = text[opening..].chars().next().unwrap_or('`');
    let length = text[opening..].chars().take_while(|character| *character == mark).count();
    let last = line_start(text, range.end);
    let prefix = continued(&text[first..opening]);
    let mut found = Found { label, attributes, code, output: Some(Template::fence(mark)), ..Found::default() };
    let closing = (last > first).then(|| closing(text, last..range.end, mark, length)).flatten();
    if let Some(closing) = closing {
        let prefix = text[last..closing].to_owned();
        let body = text[first..].find('\n').map_or(last, |at| first + at + 1);
        found.body = body..last;
        found.shape = Some(Shape::lines(&prefix).forbid(Forbidden::Fence(mark, length)));
        found.prefix = prefix;
    } else {
        // Up to the end of what it is nested in: nothing can be written below it.
        found.prefix = prefix;
        found.body = range.clone();
        found.output = None;
    }
    found.range = range;
    found
}

/// Where the closing fence begins on a line, if it is one.
fn closing(text: &str, line: Range<usize>, mark: char, length: usize) -> Option<usize> {
    let bare = text[line.clone()].trim_end();
    let fence = bare.len() - bare.trim_end_matches(mark).len();
    let at = bare.len() - fence;
    let before = &bare[..at];
    (fence >= length && before.chars().all(|character| matches!(character, ' ' | '\t' | '>')))
        .then_some(line.start + at)
}

/// What stands before the lines that follow one with this before it: the marks of lists are there only once.
fn continued(prefix: &str) -> String {
    prefix.chars().map(|character| if matches!(character, '>' | '\t') { character } else { ' ' }).collect()
}
