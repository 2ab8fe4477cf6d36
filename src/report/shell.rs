//! Shells: bash, dash, `BusyBox`. They name a line and nothing else, each in its own words.
//!
//! | shell | form |
//! |---|---|
//! | bash | `main.sh: line 3: text` |
//! | dash | `main.sh: 3: text` |
//! | `BusyBox` | `main.sh: line 3: text`, `main.sh: cd: line 3: text` |

use super::source::{LineEnds, Source, number};
use super::{Input, Message};
use crate::protocol::Severity;

const TOOL: &str = "sh";

pub(super) fn parse(input: &Input<'_>) -> Vec<Message> {
    if !input.failed() {
        return Vec::new();
    }
    let source = Source::new(input, LineEnds::Feed);
    let mut messages: Vec<Message> = Vec::new();
    for line in input.stderr.lines() {
        let Some((number, text)) = source.after(line).and_then(located) else { continue };
        // bash says the line again: main.sh: line 4: `fi'
        if is_quotation(&text) && !messages.is_empty() {
            continue;
        }
        let mut message = Message::error(TOOL, source.trimmed(number), text);
        if message.text.starts_with("warning: ") {
            message.severity = Severity::Warning;
        }
        // Newer releases of bash say where what is open began.
        if let Some((_, opened)) = message.text.rsplit_once(" on line ")
            && let Some((opened, "")) = super::source::number(opened)
        {
            message.relate(source.trimmed(opened), "opened here");
        }
        messages.push(message);
        if messages.len() == super::MESSAGE_LIMIT {
            break;
        }
    }
    messages
}

/// Line and text of what follows the script's name.
fn located(rest: &str) -> Option<(usize, String)> {
    let rest = rest.strip_prefix(": ")?;
    if let Some((line, text)) = rest.strip_prefix("line ").and_then(numbered) {
        return Some((line, text.to_owned()));
    }
    if let Some((line, text)) = numbered(rest) {
        return Some((line, text.to_owned()));
    }
    let (command, rest) = rest.split_once(": line ")?;
    let (line, text) = numbered(rest)?;
    // A file that the script reads has lines of its own.
    let builtin = command.chars().all(|character| character.is_ascii_alphanumeric() || matches!(character, '[' | '_'));
    builtin.then(|| (line, format!("{command}: {text}")))
}

fn numbered(text: &str) -> Option<(usize, &str)> {
    let (line, rest) = number(text)?;
    Some((line, rest.strip_prefix(": ")?))
}

fn is_quotation(text: &str) -> bool {
    text.starts_with('`') && text.ends_with('\'')
}
