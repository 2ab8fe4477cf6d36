//! `SQLite`, awk, R, Prolog.
//!
//! | tool | form |
//! |---|---|
//! | sqlite3 | `Parse error near line 2: text`, the statement from its first line, `^--- error here` below the byte |
//! | gawk | `gawk: main.awk:2: text`, or the line, then a `^` below it |
//! | mawk, BusyBox | `mawk: main.awk: line 2: text`, `awk: main.awk:2: text` |
//! | R | `Error in f() (from main.R#2) : text`; a syntax error `  main.R:1:24: text`, in bytes |
//! | swipl | `ERROR: /runpen/main.pl:2:14: text`, further lines behind the same word |

use std::ops::Range;

use super::source::{LineEnds, Source, number};
use super::spot::{TEXT_LINES, line_and_column, named};
use super::{Input, Message};
use crate::protocol::Severity;
use crate::text::Encoding;

pub(super) fn parse_sqlite(input: &Input<'_>) -> Vec<Message> {
    if !input.failed() {
        return Vec::new();
    }
    let source = Source::new(input, LineEnds::Feed);
    let lines: Vec<&str> = input.stderr.lines().collect();
    let found = lines.iter().enumerate().filter_map(|(at, line)| {
        let (kind, rest) = line.split_once(" near line ")?;
        let (number, rest) = number(rest)?;
        let text = rest.strip_prefix(": ")?;
        let marked = lines.get(at + 1).zip(lines.get(at + 2));
        let span = marked.and_then(|(quoted, marks)| sql_marked(&source, number, quoted, marks));
        let span = span.or_else(|| sql_named(&source, number, text));
        let mut message = Message::error("sqlite", span, text);
        message.code = Some(kind.to_owned());
        Some(message)
    });
    found.take(super::MESSAGE_LIMIT).collect()
}

/// The place that `^--- error here` marks, in a statement that is quoted without its line ends.
fn sql_marked(source: &Source<'_>, line: usize, quoted: &str, marks: &str) -> Option<Range<usize>> {
    let cell = marks.find("^--- error here").or_else(|| {
        let at = marks.find("error here ---^")?;
        Some(at + "error here ---".len())
    })?;
    let quoted = quoted.strip_prefix("  ")?;
    let at = cell.checked_sub(2).filter(|at| quoted.is_char_boundary(*at))?;
    // The same words, whatever white space is between them, and then as far as is marked.
    let start = source.line(line)?.start;
    let mut rest = source.text.get(start..)?.char_indices().filter(|(_, character)| !character.is_whitespace());
    let wanted = quoted[..at].chars().filter(|character| !character.is_whitespace());
    for wanted in wanted {
        if rest.next()?.1 != wanted {
            return None;
        }
    }
    source.token(start + rest.next()?.0)
}

/// A name that the message ends with or quotes, on the first line of the statement or one below it.
fn sql_named(source: &Source<'_>, line: usize, text: &str) -> Option<Range<usize>> {
    let name = text.rsplit_once(": ").map_or("", |(_, name)| name);
    let name = name.rsplit('.').next().unwrap_or(name).trim();
    let below = (line..line + 50).find_map(|line| source.word_on(line, name));
    below.or_else(|| named(source, line, text, &[]))
}

pub(super) fn parse_awk(input: &Input<'_>) -> Vec<Message> {
    if !input.failed() {
        return Vec::new();
    }
    let source = Source::new(input, LineEnds::Feed);
    let mut messages: Vec<Message> = Vec::new();
    let mut previous: Option<(usize, &str)> = None;
    for line in input.stderr.lines() {
        let Some((tool, rest)) = line.split_once(": ").filter(|(tool, _)| matches!(*tool, "awk" | "gawk" | "mawk"))
        else {
            continue;
        };
        let Some(rest) = source.after(rest) else { continue };
        let rest = rest.strip_prefix(": line ").or_else(|| rest.strip_prefix(':')).unwrap_or(rest);
        let Some((number, text)) = number(rest).and_then(|(number, rest)| Some((number, rest.strip_prefix(": ")?)))
        else {
            continue;
        };
        // gawk says the line, then marks it.
        let marked = text.trim_start().strip_prefix("^ ");
        let quoted = previous.take().filter(|(line, _)| *line == number).map(|(_, text)| text);
        if let (Some(said), Some(quoted)) = (marked, quoted) {
            let cell = text.len() - text.trim_start().len();
            // Marks are preceded by a space for each byte and a tab for each tab.
            let span = source.line(number).and_then(|range| {
                let line = &source.text[range.clone()];
                line.starts_with(quoted.trim_end()).then(|| source.token_at(number, cell, Encoding::Utf8)).flatten()
            });
            messages.push(Message::error(tool, span.or_else(|| source.trimmed(number)), said));
        } else if tool == "gawk" && source.line_text(number).trim_end() == text.trim_end() || text == "(END OF FILE)" {
            previous = Some((number, text));
        } else {
            let text = text.strip_prefix("fatal: ").unwrap_or(text);
            // mawk finds out at the end that a function is missing.
            let missing = text.strip_prefix("function ").and_then(|text| text.strip_suffix(" never defined"));
            let called = missing.and_then(|name| (1..=number).take(1000).find_map(|line| source.word_on(line, name)));
            let span = called.or_else(|| named(&source, number, text, &["near ", "function "]));
            messages.push(Message::error(tool, span, text));
        }
        if messages.len() == super::MESSAGE_LIMIT {
            break;
        }
    }
    messages
}

pub(super) fn parse_r(input: &Input<'_>) -> Vec<Message> {
    if !input.failed() {
        return Vec::new();
    }
    let source = Source::new(input, LineEnds::Feed);
    let lines: Vec<&str> = input.stderr.lines().collect();
    let Some(at) = lines.iter().rposition(|line| line.starts_with("Error in ") || line.starts_with("Error: ")) else {
        return Vec::new();
    };
    // A long text stands on the next line.
    let own = |line: &&&str| {
        !line.starts_with("Calls: ") && *line != &"Execution halted" && !line.starts_with("In addition: ")
    };
    let below: Vec<&str> = lines[at + 1..].iter().take_while(own).take(TEXT_LINES).copied().collect();
    let syntax = below.first().and_then(|line| {
        let (line, column, rest) = line_and_column(source.after(line.trim_start())?.strip_prefix(':')?)?;
        Some((line, column?, rest.strip_prefix(": ")?))
    });
    if let Some((line, column, text)) = syntax {
        // At the end of input the column is 0, and the line one after the last.
        let span = match column.checked_sub(1) {
            Some(column) => source.token_at(line, column, Encoding::Utf8),
            None => source.trimmed(line),
        };
        return vec![Message::error("R", span, text)];
    }
    let (head, text) = lines[at].split_once(" : ").unwrap_or(("", lines[at].trim_start_matches("Error: ")));
    let text = std::iter::once(text).chain(below).map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>();
    let text = text.join("\n");
    let place = head.rsplit_once(" (from ").and_then(|(call, place)| {
        let (line, _) = number(source.after(place)?.strip_prefix('#')?)?;
        Some((call.trim_start_matches("Error in "), line))
    });
    // The object that is missing, else the call that failed.
    let span = place.and_then(|(call, line)| {
        let trimmed = source.trimmed(line);
        match named(&source, line, &text, &["function "]) {
            span if span != trimmed => span,
            _ => source.word_on(line, call.trim()).or(trimmed),
        }
    });
    vec![Message::error("R", span, text)]
}

pub(super) fn parse_prolog(input: &Input<'_>) -> Vec<Message> {
    let source = Source::new(input, LineEnds::Feed);
    let mut messages: Vec<Message> = Vec::new();
    let mut searches = 0;
    for line in input.stderr.lines() {
        let (severity, rest) = if let Some(rest) = line.strip_prefix("ERROR: ") {
            (Severity::Error, rest)
        } else if let Some(rest) = line.strip_prefix("Warning: ") {
            (Severity::Warning, rest)
        } else {
            continue;
        };
        if let Some((number, column, text)) =
            source.after(rest).and_then(|rest| line_and_column(rest.strip_prefix(':')?))
        {
            let text = text.trim_start_matches(':').trim();
            let span = match column {
                Some(column) => source.token_at(number, column, Encoding::Utf32),
                None => named(&source, number, text, &[]),
            };
            let mut message = Message::error("swipl", span, text);
            message.severity = severity;
            messages.push(message);
        } else if !rest.starts_with("Halting with status ")
            && let Some(last) = messages.last_mut()
        {
            if last.text.lines().count() < TEXT_LINES {
                if !last.text.is_empty() {
                    last.text.push('\n');
                }
                last.text.push_str(rest.trim());
            }
            // What is meant stands elsewhere than the directive that led to it.
            searches += 1;
            if searches < super::MESSAGE_LIMIT
                && let Some(span) = prolog_named(&source, rest)
            {
                last.span = Some(span);
            }
        }
        if messages.len() > super::MESSAGE_LIMIT {
            break;
        }
    }
    messages.retain(|message| input.failed() || message.severity != Severity::Error);
    messages
}

/// Where the procedure that nobody wrote is called, or the variable that occurs once stands.
fn prolog_named(source: &Source<'_>, text: &str) -> Option<Range<usize>> {
    let name = if let Some((_, name)) = text.split_once("Unknown procedure: ") {
        name.split('/').next().unwrap_or(name).rsplit(':').next().unwrap_or(name)
    } else {
        text.trim().strip_prefix("Singleton variables: [")?.split([',', ']']).next()?
    };
    (1..=1000).find_map(|line| source.word_on(line, name.trim()))
}
