//! What programs of compiled languages leave when they die: Haskell, Nim, D, Fortran, Zig, C# (Mono). And gfortran's
//! messages, whose place stands lines before their text.

use std::ops::Range;

use super::source::{LineEnds, Source, number};
use super::spot::{TEXT_LINES, line_and_column, named};
use super::{Input, Message, gcc, native};
use crate::protocol::{Severity, Tag};
use crate::text::Encoding;

/// The most frames that are looked at.
const FRAMES: usize = 400;

/// Puts a message at its first frame in the program, the others beside it.
fn placed(message: &mut Message, frames: impl Iterator<Item = (Option<Range<usize>>, String)>) {
    for (span, label) in frames.take(FRAMES) {
        if span.is_none() {
            continue;
        }
        if message.span.is_none() {
            message.span = span;
        } else if message.span != span {
            message.relate(span, label);
        }
    }
}

/// `main: text`, `CallStack (from HasCallStack):`, `  error, called at main.hs:4:3 in main:Main`.
pub(super) fn parse_haskell(input: &Input<'_>) -> Vec<Message> {
    let source = Source::new(input, LineEnds::Feed);
    let lines: Vec<&str> = input.stderr.lines().collect();
    let Some(at) = lines.iter().rposition(|line| line.starts_with("main: ")).filter(|_| input.failed()) else {
        return Vec::new();
    };
    let stack =
        lines[at..].iter().position(|line| line.starts_with("CallStack (from")).map_or(lines.len(), |stack| at + stack);
    let text: Vec<&str> =
        lines[at..stack].iter().take(TEXT_LINES).map(|line| line.trim_start_matches("main: ")).collect();
    let mut message = Message::error("haskell", None, text.join("\n"));
    let frames = lines[stack..].iter().filter_map(|line| {
        let (function, place) = line.trim().split_once(", called at ")?;
        let (line, column, _) = line_and_column(source.after(place)?.strip_prefix(':')?)?;
        Some((
            source.token_at(line, column?.saturating_sub(1), Encoding::Utf32),
            format!("{function} was called from here"),
        ))
    });
    placed(&mut message, frames);
    vec![message]
}

/// `/runpen/main.nim(2)      inner`, innermost last, then `Error: unhandled exception: text [ValueError]`.
pub(super) fn parse_nim(input: &Input<'_>) -> Vec<Message> {
    const HEAD: &str = "Error: unhandled exception: ";
    let source = Source::new(input, LineEnds::Feed);
    let lines: Vec<&str> = input.stderr.lines().collect();
    let Some(at) = lines.iter().rposition(|line| line.starts_with(HEAD)).filter(|_| input.failed()) else {
        return Vec::new();
    };
    let said = &lines[at][HEAD.len()..];
    let (text, code) = said
        .strip_suffix(']')
        .and_then(|said| said.rsplit_once(" ["))
        .map_or((said, None), |(text, code)| (text, Some(code)));
    let mut message = Message::error("nim", None, text);
    message.code = code.map(str::to_owned);
    let frames = lines[..at].iter().rev().filter_map(|line| {
        let (number, rest) = number(source.after(line)?.strip_prefix('(')?)?;
        Some((source.trimmed(number), format!("called from here, in {}", rest.trim_start_matches(')').trim())))
    });
    placed(&mut message, frames);
    vec![message]
}

/// `object.Exception@main.d(1): text`, a rule, `main.d:1 [0x55fff6887856]`.
pub(super) fn parse_d(input: &Input<'_>) -> Vec<Message> {
    let source = Source::new(input, LineEnds::Feed);
    let lines: Vec<&str> = input.stderr.lines().collect();
    let found = lines.iter().enumerate().rev().find_map(|(at, line)| {
        let (code, rest) = line.split_once('@').filter(|(code, _)| !code.contains(' '))?;
        let (place, text) = rest.split_once("): ").or_else(|| Some((rest.strip_suffix(')')?, "")))?;
        Some((at, code, place, text))
    });
    let Some((at, code, place, text)) = found.filter(|_| input.failed()) else { return native::parse(input) };
    let mut message = Message::error("d", None, if text.is_empty() { code } else { text });
    message.code = code.rsplit('.').next().map(str::to_owned);
    let thrown = source.after(place).and_then(|rest| number(rest.strip_prefix('(')?)).map(|(line, _)| line);
    message.span = thrown.and_then(|line| source.trimmed(line));
    let frames = lines[at + 1..].iter().filter_map(|line| {
        let (number, _) = number(source.after(line)?.strip_prefix(':')?)?;
        Some((source.trimmed(number), "called from here".to_owned()))
    });
    placed(&mut message, frames);
    vec![message]
}

/// `thread 10 panic: text` or `error: Name`, then `/runpen/main.zig:2:13: 0x113faff in inner (main.zig)`.
pub(super) fn parse_zig(input: &Input<'_>) -> Vec<Message> {
    let source = Source::new(input, LineEnds::Feed);
    let lines: Vec<&str> = input.stderr.lines().collect();
    let found = lines.iter().enumerate().rev().find_map(|(at, line)| {
        let panic = line.strip_prefix("thread ").and_then(|rest| rest.split_once(" panic: "));
        let text = panic.map(|(_, text)| text).or_else(|| line.strip_prefix("error: "))?;
        Some((at, panic.is_some(), text))
    });
    let Some((at, panic, text)) = found.filter(|_| input.failed()) else { return native::parse(input) };
    let mut message = Message::error("zig", None, text);
    message.code = Some(if panic { "panic" } else { "error" }.to_owned());
    let frames = lines[at + 1..].iter().filter_map(|line| {
        let (line, column, rest) = line_and_column(source.after(line)?.strip_prefix(':')?)?;
        let function = rest.split_once(" in ").map_or("", |(_, function)| function);
        let function = function.split(" (").next().unwrap_or(function);
        let span = source.token_at(line, column?.saturating_sub(1), Encoding::Utf8);
        Some((span, format!("called from here, in {function}")))
    });
    placed(&mut message, frames);
    vec![message]
}

/// `Unhandled Exception:`, `Type: text ---> Inner: text`, frames of the innermost first.
pub(super) fn parse_mono(input: &Input<'_>) -> Vec<Message> {
    let source = Source::new(input, LineEnds::Return);
    let lines: Vec<&str> = input.stderr.lines().collect();
    let Some(at) = lines.iter().position(|line| *line == "Unhandled Exception:").filter(|_| input.failed()) else {
        return Vec::new();
    };
    let said = lines.get(at + 1).copied().unwrap_or_default();
    let (text, causes) = said.split_once(" ---> ").map_or((said, None), |(text, causes)| (text, Some(causes)));
    let mut message = Message::error("mono", None, text);
    message.code = text.split(':').next().map(|code| code.rsplit('.').next().unwrap_or(code).to_owned());
    let stack: Vec<&str> =
        lines[at + 1..].iter().skip(1).take_while(|line| !line.starts_with("[ERROR] ")).take(FRAMES).copied().collect();
    let inner_end = stack.iter().rposition(|line| line.contains("--- End of inner exception stack trace ---"));
    let frame = |line: &&str| {
        let (function, place) = line.trim().strip_prefix("at ")?.rsplit_once(" in ")?;
        let (number, _) = number(source.after(place)?.strip_prefix(':')?)?;
        let function = function.split(" [0x").next().unwrap_or(function).to_owned();
        Some((source.trimmed(number), function))
    };
    let outer = stack[inner_end.map_or(0, |end| end + 1)..].iter().filter_map(frame);
    placed(&mut message, outer.map(|(span, function)| (span, format!("called from here, in {function}"))));
    let inner = stack[..inner_end.unwrap_or(0)].iter().filter_map(frame);
    for (index, (span, function)) in inner.enumerate() {
        let label = match causes.filter(|_| index == 0) {
            Some(causes) => format!("caused by: {causes}"),
            None => format!("called from here, in {function}"),
        };
        message.relate(span, label);
    }
    vec![message]
}

/// gfortran: `main.f90:4:40:`, the line, `1` below it, `Error: text at (1)`. The column counts bytes and is that of the end.
pub(super) fn parse_gfortran(input: &Input<'_>) -> Vec<Message> {
    let source = Source::new(input, LineEnds::Feed);
    let mut messages: Vec<Message> = Vec::new();
    let mut place = None;
    for line in input.stderr.lines() {
        let located = source.after(line).and_then(|rest| line_and_column(rest.strip_prefix(':')?));
        if let Some((line, Some(column), rest)) = located
            && matches!(rest, ":" | "")
        {
            place = Some((line, column));
        } else if let Some((severity, said)) = fortran_kind(line) {
            let (text, code) = match said.strip_suffix(']').and_then(|said| said.rsplit_once(" [")) {
                Some((text, code)) if code.starts_with("-W") => (text, Some(code.to_owned())),
                _ => (said, None),
            };
            let span = place.take().and_then(|(line, column)| fortran_span(&source, line, column, text));
            let mut message = Message::error("gfortran", span, text.replace(" at (1)", ""));
            message.severity = severity;
            if code.as_deref().is_some_and(|code| code.starts_with("-Wunused")) {
                message.tags.push(Tag::Unnecessary);
            }
            message.code = code;
            messages.push(message);
        }
        if messages.len() > super::MESSAGE_LIMIT {
            break;
        }
    }
    // The linker's.
    messages.extend(gcc::parse(input));
    messages
}

fn fortran_kind(line: &str) -> Option<(Severity, &str)> {
    let error = line.strip_prefix("Error: ").or_else(|| line.strip_prefix("Fatal Error: "));
    let error = error.map(|text| (Severity::Error, text));
    error.or_else(|| line.strip_prefix("Warning: ").map(|text| (Severity::Warning, text)))
}

fn fortran_span(source: &Source<'_>, line: usize, column: usize, text: &str) -> Option<Range<usize>> {
    let trimmed = source.trimmed(line);
    let meant = named(source, line, text, &[]);
    if meant != trimmed {
        return meant;
    }
    let at = source.offset(line, column.saturating_sub(1), Encoding::Utf8)?;
    let range = source.line(line)?;
    // What was read last, where nothing follows at once.
    if source.text[at..range.end].starts_with(char::is_whitespace) {
        let word = super::token::last(source.text[range.start..at].trim_end())?;
        return Some(range.start + word.start..range.start + word.end);
    }
    let token = source.token(at)?;
    // The bracket of a reference means the whole of it.
    if &source.text[token.clone()] == "("
        && let Some(word) = super::token::last(&source.text[range.start..at])
        && let Some(end) = source.text[at..range.end].find(')')
    {
        return Some(range.start + word.start..at + end + 1);
    }
    Some(token)
}

/// `At line 3 of file main.f90`, `Fortran runtime error: text`, `ERROR STOP text`, then a backtrace.
pub(super) fn parse_fortran(input: &Input<'_>) -> Vec<Message> {
    if !input.failed() {
        return Vec::new();
    }
    let source = Source::new(input, LineEnds::Feed);
    let lines: Vec<&str> = input.stderr.lines().collect();
    let text = lines.iter().find_map(|line| {
        line.strip_prefix("Fortran runtime error: ").or_else(|| line.starts_with("ERROR STOP").then_some(*line))
    });
    let signal = lines.iter().find_map(|line| line.strip_prefix("Program received signal "));
    let Some(text) = text.or(signal) else { return native::parse(input) };
    let mut message = Message::error("fortran", None, text.trim());
    let stated = lines.iter().filter_map(|line| {
        let (number, rest) = number(line.strip_prefix("At line ")?)?;
        source.after(rest.strip_prefix(" of file ")?).map(|_| source.trimmed(number))
    });
    // The C program around it has lines of the file as well.
    let frames = lines.windows(2).filter(|pair| !pair[0].ends_with(" in main")).filter_map(|pair| {
        let (number, _) = number(source.after(pair[1].strip_prefix("\tat ")?)?.strip_prefix(':')?)?;
        Some(source.trimmed(number))
    });
    placed(&mut message, stated.chain(frames).map(|span| (span, "called from here".to_owned())));
    vec![message]
}
