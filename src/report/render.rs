//! What a compiler said for machines, for people: as compilers say it, at the lines of the document.

use std::fmt::Write as _;
use std::ops::Range;

use unicode_width::UnicodeWidthChar;

use super::{Message, java, rust};
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
    if stderr.lines().any(|line| rust::rendered(line).is_some()) {
        // rustc says in each message what it would have printed.
        return stderr.lines().map(|line| rust::rendered(line).unwrap_or_else(|| format!("{line}\n"))).collect();
    }
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
        let place = message.span.as_ref().and_then(|span| snippet.map(span));
        one(&mut text, message, &snippet.file_name, &snippet.document, place);
    }
    text + &plain
}

fn one(text: &mut String, message: &Message, name: &str, document: &Text, place: Option<Range<usize>>) {
    let severity = match message.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Information | Severity::Hint => "note",
    };
    let code = message.code.as_ref().map_or(String::new(), |code| format!("[{code}] "));
    let said = format!("{severity}: {code}{}", message.text);
    // Writing to a string does not fail.
    let _ = match &place {
        Some(place) => {
            let start = document.position(place.start, Encoding::Utf32);
            writeln!(text, "{name}:{}:{}: {said}", start.line + 1, start.character + 1)
        }
        None => writeln!(text, "{said}"),
    };
    if let Some(place) = place {
        excerpt(text, document, &place);
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
    let before = &source[..place.start.clamp(line.start, line.end) - line.start];
    let marked = &source[before.len()..place.end.clamp(line.start + before.len(), line.end) - line.start];
    let width = |character: char| character.width().unwrap_or(1);
    let blank: String = before
        .chars()
        .map(|character| if character == '\t' { "\t".to_owned() } else { " ".repeat(width(character)) })
        .collect();
    let marks = "^".repeat(marked.chars().map(width).sum::<usize>().max(1));
    let margin = (number + 1).to_string();
    let _ = writeln!(text, " {margin} | {source}\n {} | {blank}{marks}", " ".repeat(margin.len()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_said_at_its_line_with_marks_below_what_it_means() {
        let document = Text::new("class A {\n\tString s = \"é😀\" + foo;\n}\n");
        let at = document.as_str().find("foo").expect("it is there");
        let mut message = Message::error("javac", Some(at..at + 3), "cannot find symbol\n  symbol: variable foo");
        let mut text = String::new();
        one(&mut text, &message, "A.java", &document, Some(at..at + 3));
        message.severity = Severity::Warning;
        message.code = Some("options".to_owned());
        one(&mut text, &message, "A.java", &document, None);
        let expected = [
            "A.java:2:20: error: cannot find symbol",
            "  symbol: variable foo",
            " 2 | \tString s = \"é😀\" + foo;",
            "   | \t                   ^^^",
            "warning: [options] cannot find symbol",
            "  symbol: variable foo",
            "",
        ];
        assert_eq!(text, expected.join("\n"));
    }
}
