//! What a compiler said for machines, for people: as compilers say it, at the lines of the document.

use std::fmt::Write as _;
use std::ops::Range;

use unicode_width::UnicodeWidthChar;

use super::{Message, java};
use crate::protocol::Severity;
use crate::snippet::Snippet;
use crate::text::{Encoding, Text};

/// The most of a line of source that is printed, in characters.
const EXCERPT: usize = 240;

/// What a compiler said for machines, for people: its plain lines as they are, then each message.
#[must_use]
pub fn render(stderr: &str, messages: &[Message], snippet: &Snippet) -> String {
    // Whether the line at hand is for machines, and whether any was.
    let (mut machine, mut any) = (false, false);
    let mut plain = String::new();
    for line in stderr.lines() {
        let header = java::is_header(line);
        machine = header || machine && java::is_more(line);
        if !machine {
            plain.push_str(line);
            plain.push('\n');
        }
        any |= header;
    }
    // Nothing was for machines: the configuration's own command.
    if !any {
        return stderr.to_owned();
    }
    let mut text = String::new();
    for message in messages {
        one(&mut text, message, snippet);
    }
    text + &plain
}

fn one(text: &mut String, message: &Message, snippet: &Snippet) {
    let severity = match message.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Information | Severity::Hint => "note",
    };
    let place = message.span.as_ref().and_then(|span| snippet.map(span));
    let code = message.code.as_ref().map_or(String::new(), |code| format!("[{code}] "));
    let _ = match &place {
        Some(place) => {
            let start = snippet.document.position(place.start, Encoding::Utf32);
            writeln!(text, "{}:{}:{}: {severity}: {code}{}", snippet.file_name, start.line + 1, start.character + 1, message.text)
        }
        None => writeln!(text, "{severity}: {code}{}", message.text),
    };
    if let Some(place) = place {
        excerpt(text, &snippet.document, &place);
    }
}

/// The line, and `^` below what is meant.
fn excerpt(text: &mut String, document: &Text, place: &Range<usize>) {
    let number = document.position(place.start, Encoding::Utf8).line;
    let Some(line) = document.line(number) else { return };
    let source = &document.as_str()[line.clone()];
    if source.chars().nth(EXCERPT).is_some() {
        return;
    }
    let margin = (number + 1).to_string();
    let cells = |text: &str| text.chars().map(|character| character.width().unwrap_or(1)).sum::<usize>();
    let before = &source[..place.start - line.start];
    let blank: String = before.chars().map(|character| if character == '\t' { "\t".to_owned() } else { " ".repeat(character.width().unwrap_or(1)) }).collect();
    let marks = "^".repeat(cells(&source[place.start - line.start..place.end.clamp(place.start, line.end) - line.start]).max(1));
    let _ = writeln!(text, " {margin} | {source}\n {} | {blank}{marks}", " ".repeat(margin.len()));
}
