//! The JVM: uncaught exceptions with their causes, and what its launcher says. It names lines only.

use std::ops::Range;

use super::source::{LineEnds, Source, number_at_end};
use super::{Input, Message};

const TOOL: &str = "java";

/// The most lines of an exception's text.
const TEXT_LINES: usize = 20;

/// The most threads that are reported.
const THREAD_LIMIT: usize = 16;

pub(super) fn parse(input: &Input<'_>) -> Vec<Message> {
    if !input.failed() {
        return Vec::new();
    }
    let source = Source::new(input, LineEnds::Return);
    let lines: Vec<&str> = input.stderr.lines().collect();
    let starts = |line: &str| line.starts_with("Exception in thread \"");
    let uncaught: Vec<usize> = (0..lines.len()).filter(|&at| starts(lines[at])).take(THREAD_LIMIT).collect();
    let ends = uncaught.iter().skip(1).copied().chain([lines.len()]);
    let messages: Vec<Message> =
        uncaught.iter().zip(ends).map(|(&start, end)| message(&lines[start..end], &source)).collect();
    if messages.is_empty() { launcher(&lines, &source).into_iter().collect() } else { messages }
}

/// A throwable of a trace: the uncaught one, a cause, or a suppressed one.
#[derive(Debug, Default)]
struct Part<'a> {
    /// `Caused by` or `Suppressed`, absent for the uncaught one.
    how: Option<&'a str>,
    /// Class and text.
    text: Vec<&'a str>,
    /// Function and line of the frames in the program.
    frames: Vec<(&'a str, usize)>,
    /// Whether a frame came: what follows is no more text.
    framed: bool,
}

fn message(lines: &[&str], source: &Source<'_>) -> Message {
    let parts = parts(lines, source);
    let mut parts = parts.iter();
    let Some(main) = parts.next() else {
        return Message::error(TOOL, None, "uncaught exception");
    };
    let text = main.text.join("\n");
    let mut message = Message::error(TOOL, None, text.clone());
    message.code = class(&text);
    let mut previous = None;
    for &(function, line) in main.frames.iter().take(256) {
        // Recursion: one place, said once.
        if previous.replace(line) == Some(line) {
            continue;
        }
        let span = source.trimmed(line);
        if message.span.is_none() {
            message.span = span;
        } else {
            message.relate(span, format!("called from here, in {function}"));
        }
    }
    for part in parts.take(super::RELATED_LIMIT) {
        let place: Option<Range<usize>> = part.frames.first().and_then(|(_, line)| source.trimmed(*line));
        let text = part.text.first().copied().unwrap_or_default();
        // An exception in a static initializer has no frame of its own.
        if message.span.is_none() && part.how == Some("Caused by") {
            message.span = place;
            message.text = format!("{}\ncaused by {text}", message.text);
        } else {
            let how = if part.how == Some("Suppressed") { "suppressed:" } else { "caused by" };
            message.relate(place, format!("{how} {text}"));
        }
    }
    message
}

fn parts<'a>(lines: &[&'a str], source: &Source<'_>) -> Vec<Part<'a>> {
    let mut parts: Vec<Part<'a>> = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let inner = line.trim_start_matches('\t');
        let how = ["Caused by", "Suppressed"]
            .into_iter()
            .find(|how| inner.strip_prefix(how).is_some_and(|rest| rest.starts_with(": ")));
        if at == 0 {
            // A thread's name may hold quotes; the class after it does not.
            let text = line.rfind("\" ").map_or(*line, |quote| &line[quote + 2..]);
            let first = line.match_indices("\" ").map(|(at, _)| &line[at + 2..]).find(|rest| class(rest).is_some());
            parts.push(Part { text: vec![first.unwrap_or(text)], ..Part::default() });
        } else if let Some(how) = how {
            parts.push(Part { how: Some(how), text: vec![&inner[how.len() + 2..]], ..Part::default() });
        } else if let Some(part) = parts.last_mut() {
            if let Some(frame) = inner.strip_prefix("at ").filter(|_| inner.len() < line.len()) {
                part.framed = true;
                part.frames.extend(place(frame, source));
            } else if !part.framed && part.text.len() < TEXT_LINES {
                part.text.push(line);
            }
        }
    }
    parts
}

/// `Main.f(Main.java:5)`, in the program.
fn place<'a>(frame: &'a str, source: &Source<'_>) -> Option<(&'a str, usize)> {
    let (rest, line) = number_at_end(frame.strip_suffix(')')?)?;
    let rest = rest.strip_suffix(':')?.strip_suffix(source.name())?.strip_suffix('(')?;
    // `java.base/…` is the runtime's, `app//` the class path's.
    let function = rest.strip_prefix("app//").unwrap_or(rest);
    (!function.contains('/') || function.contains("$$Lambda")).then_some((function, line))
}

/// `java.lang.IllegalStateException` of `java.lang.IllegalStateException: text`.
fn class(text: &str) -> Option<String> {
    // A name ends soon; the rest of a long line is not gone over to find that out.
    let end = text.find(|character: char| character.is_whitespace()).unwrap_or(text.len());
    let name = text[..end].trim_end_matches(':');
    let named = name.starts_with(char::is_alphabetic)
        && name.chars().all(|character| character.is_alphanumeric() || matches!(character, '_' | '.' | '$'));
    named.then(|| name.to_owned())
}

/// `Error: Main method not found in class Main, …`
fn launcher(lines: &[&str], source: &Source<'_>) -> Option<Message> {
    let start = lines.iter().position(|line| line.starts_with("Error: "))?;
    let text: Vec<&str> = lines[start..].iter().take(TEXT_LINES).copied().collect();
    let text = text.join("\n");
    let mut message = Message::error(TOOL, None, text.strip_prefix("Error: ").unwrap_or(&text));
    // What has no `main` is a class of the program: its name is a place.
    if let Some(class) = text.split_once("not found in class ").and_then(|(_, rest)| rest.split([',', ' ']).next()) {
        let lines = source.text.lines().take(10_000).enumerate();
        let declared =
            lines.filter(|(_, line)| line.contains("class ")).find_map(|(at, _)| source.word_on(at + 1, class));
        message.span = declared;
    }
    Some(message)
}
