//! What a C++ program says when it dies: sanitizers, assertions, exceptions nobody caught, signals.

use super::source::{LineEnds, Source, number, number_at_end};
use super::{Input, Message};
use crate::protocol::Severity;
use crate::text::Encoding;

/// Tool of what the C++ runtime says.
const TOOL: &str = "c++";

/// The most frames of the program that are looked at.
const FRAME_LIMIT: usize = 64;

pub(super) fn parse(input: &Input<'_>) -> Vec<Message> {
    let source = Source::new(input, LineEnds::Feed);
    let lines: Vec<&str> = input.stderr.lines().collect();
    let mut messages = undefined_behaviour(&lines, &source, input.failed());
    if !input.failed() {
        return messages;
    }
    messages.extend(address_sanitizer(&lines, &source));
    let died = lines.iter().enumerate().rev().find_map(|(at, line)| {
        terminated(line, lines.get(at + 1).copied()).or_else(|| asserted(line, &source)).or_else(|| aborted(line))
    });
    messages.extend(died);
    if messages.is_empty() {
        messages.extend(input.signal.and_then(signal));
    }
    messages
}

/// `main.cpp:5:33: runtime error: text`. The program goes on after it, so it is reported however the program ends.
fn undefined_behaviour(lines: &[&str], source: &Source<'_>, failed: bool) -> Vec<Message> {
    let found = lines.iter().filter_map(|line| {
        let (line, rest) = number(source.after(line)?.strip_prefix(':')?)?;
        let (column, rest) = number(rest.strip_prefix(':')?)?;
        let text = rest.strip_prefix(": runtime error: ")?;
        let span = source.token_at(line, column.saturating_sub(1), Encoding::Utf8);
        let mut message = Message::error("ubsan", span, text);
        message.severity = if failed { Severity::Error } else { Severity::Warning };
        Some(message)
    });
    found.take(super::MESSAGE_LIMIT).collect()
}

/// `==1==ERROR: AddressSanitizer: heap-use-after-free on …` and the stacks below.
fn address_sanitizer(lines: &[&str], source: &Source<'_>) -> Option<Message> {
    let (at, tool, text) = lines.iter().enumerate().find_map(|(at, line)| {
        let (_, rest) = line.strip_prefix("==")?.split_once("==ERROR: ")?;
        let (tool, text) = rest.split_once(": ")?;
        tool.ends_with("Sanitizer").then_some((at, tool, text))
    })?;
    let mut message =
        Message::error(&tool.replace("AddressSanitizer", "asan").replace("LeakSanitizer", "lsan"), None, "");
    let kind = text.split(' ').next().unwrap_or(text);
    message.code = kind.contains('-').then(|| kind.to_owned());
    let text = text.split(" on address ").next().unwrap_or(text);
    message.text = format!("{tool}: {}", text.split(" on unknown address ").next().unwrap_or(text));
    let mut heading = "";
    // Stacks follow each other, each under a heading: where it happened, where the memory came from.
    let (mut stack, mut anchored, mut placed) = (0, 0, false);
    let (mut previous, mut looked_at) = (None, 0);
    for line in lines[at + 1..].iter().take_while(|line| !line.starts_with("SUMMARY: ")) {
        let Some(frame) = line.trim_start().strip_prefix('#') else {
            if !line.trim().is_empty() {
                heading = line.trim().trim_end_matches(':');
                stack += 1;
                placed = false;
            }
            continue;
        };
        let Some((function, line, column)) = frame_place(frame, source) else { continue };
        // Recursion: one place, said once.
        if previous.replace((stack, line, column)) == Some((stack, line, column)) {
            continue;
        }
        looked_at += 1;
        if looked_at > FRAME_LIMIT {
            break;
        }
        let span = match column {
            Some(column) => source.token_at(line, column.saturating_sub(1), Encoding::Utf8),
            None => source.trimmed(line),
        };
        let Some(span) = span else { continue };
        if message.span.is_none() {
            message.span = Some(span);
            anchored = stack;
            // "READ of size 4 at …", "Direct leak of 40 byte(s) in …"
            let what = heading.split(" at 0x").next().unwrap_or(heading);
            message.text = format!("{}\n{what}", message.text);
        } else if stack == anchored {
            message.relate(Some(span), format!("called from here, in {function}"));
        } else if !placed {
            message.relate(Some(span), heading);
        }
        placed = true;
    }
    Some(message)
}

/// `0 0x55c1d761c1f0 in g(int*) /runpen/main.cpp:3:5`: function, line and column, if it is in the program.
fn frame_place<'t>(frame: &'t str, source: &Source<'_>) -> Option<(&'t str, usize, Option<usize>)> {
    let (_, rest) = frame.split_once(" in ")?;
    // A function's name holds spaces, and so may the path.
    let (at, after) = rest.match_indices(' ').find_map(|(at, _)| Some((at, source.after(&rest[at + 1..])?)))?;
    let (line, after) = number(after.strip_prefix(':')?)?;
    let column = after.strip_prefix(':').and_then(number).map(|(column, _)| column);
    Some((&rest[..at], line, column))
}

/// `terminate called after throwing an instance of 'std::runtime_error'`, then `  what():  text`.
fn terminated(line: &str, next: Option<&str>) -> Option<Message> {
    let rest = line.strip_prefix("terminate called ")?;
    let class = rest.strip_prefix("after throwing an instance of '").and_then(|rest| rest.strip_suffix('\''));
    let what = next.and_then(|next| next.trim_start().strip_prefix("what():")).map(str::trim);
    let text = match (class, what) {
        (Some(class), Some(what)) => format!("uncaught exception {class}: {what}"),
        (Some(class), None) => format!("uncaught exception of type {class}"),
        (None, _) => line.to_owned(),
    };
    let mut message = Message::error(TOOL, None, text);
    message.code = class.map(str::to_owned);
    Some(message)
}

/// glibc's `main: main.cpp:3: int main(): Assertion 'x' failed.` with other quotes, musl's
/// `Assertion failed: x (main.cpp: main: 3)`.
fn asserted(line: &str, source: &Source<'_>) -> Option<Message> {
    let (place, expression) = if let Some((before, rest)) = line.split_once(": Assertion `") {
        let expression = rest.strip_suffix("' failed.")?;
        let place = before.match_indices(": ").find_map(|(at, _)| {
            let (line, _) = number(source.after(&before[at + 2..])?.strip_prefix(':')?)?;
            Some(line)
        });
        (place, expression)
    } else {
        let (expression, rest) = line.strip_prefix("Assertion failed: ")?.rsplit_once(" (")?;
        let own = source.after(rest).is_some();
        let line = number_at_end(rest.strip_suffix(')')?).map(|(_, line)| line);
        (line.filter(|_| own), expression)
    };
    let span = place.and_then(|line| source.word_on(line, expression).or_else(|| source.trimmed(line)));
    let mut message = Message::error(TOOL, span, format!("assertion failed: {expression}"));
    message.code = Some("assert".to_owned());
    Some(message)
}

/// What glibc says before it aborts.
fn aborted(line: &str) -> Option<Message> {
    const SAID: &[&str] =
        &["free(): ", "malloc(): ", "realloc(): ", "munmap_chunk(): ", "double free or corruption", "corrupted "];
    let smashed = line.strip_prefix("*** ").map(|line| line.trim_end_matches(": terminated").trim_end_matches(" ***"));
    let said = smashed.or_else(|| SAID.iter().any(|start| line.starts_with(start)).then_some(line))?;
    Some(Message::error(TOOL, None, said))
}

/// A signal that came without a word. The others are said where limits and outcomes are.
fn signal(number: i32) -> Option<Message> {
    let (name, text) = match number {
        4 => ("SIGILL", "illegal instruction: often a function that ends without its return"),
        7 => ("SIGBUS", "bus error: memory was used that is not there"),
        8 => ("SIGFPE", "arithmetic error: most often a division of an integer by zero"),
        11 => {
            ("SIGSEGV", "segmentation fault: memory was used that is not the program's; -fsanitize=address says where")
        }
        _ => return None,
    };
    let mut message = Message::error(TOOL, None, text);
    message.code = Some(name.to_owned());
    Some(message)
}
