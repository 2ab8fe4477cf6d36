//! Python: tracebacks with their causes and groups, syntax errors, warnings.
//!
//! A traceback becomes a [`Block`]: its frames from the outermost to the innermost, then what was raised. Blocks follow
//! each other as causes of the next, or stand inside a group behind a margin of `  | `. The last one at the outermost
//! level is what ended the program. The columns of the `~~^~~` under a line are [`super::python_marks`]'s.

use std::ops::Range;

use super::python_marks::{Unit, marked};
use super::source::{LineEnds, Source, number};
use super::{Input, Message};
use crate::protocol::{Severity, Tag};

const TOOL: &str = "python";

/// The most lines of an exception's text: what follows it on standard error cannot be told from it.
const TEXT_LINES: usize = 30;

/// Exit code of an uncaught exception, and of an interrupted program.
const UNCAUGHT: [i32; 2] = [1, 130];

/// How one exception led to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    Cause,
    Context,
}

#[derive(Debug, Default)]
struct Block<'a> {
    /// 0 without a margin, 1 in an outermost group, 2 for its members, and so on.
    depth: usize,
    frames: Vec<Frame<'a>>,
    /// What was raised, with notes and further lines.
    text: Vec<&'a str>,
    /// How it led to the next block of its depth.
    link: Option<Link>,
    /// Whether Python says that the program goes on.
    ignored: bool,
}

#[derive(Debug)]
struct Frame<'a> {
    /// Line, where the frame is in the program.
    line: Option<usize>,
    /// Name of the function, absent for a syntax error.
    function: Option<&'a str>,
    /// Lines of source and of marks below them.
    rows: Vec<&'a str>,
    repeated: Option<&'a str>,
}

pub(super) fn parse(input: &Input<'_>) -> Vec<Message> {
    let source = Source::new(input, LineEnds::Return);
    let mut messages = warnings(input, &source);
    let uncaught = input.signal.is_some() || input.exit_code.is_none_or(|code| UNCAUGHT.contains(&code));
    if input.failed() && uncaught {
        messages.extend(uncaught_messages(&blocks(input, &source), &source));
    }
    messages
}

/// What ended the program, and the members of the group if it is one.
fn uncaught_messages(blocks: &[Block<'_>], source: &Source<'_>) -> Vec<Message> {
    let outermost = |block: &Block<'_>| block.depth <= 1;
    let Some(last) = blocks.iter().rposition(|block| outermost(block) && !block.ignored) else {
        return Vec::new();
    };
    let mut main = message(&blocks[last], source);
    let mut causes: Vec<&Block<'_>> = blocks[..last]
        .iter()
        .rev()
        .filter(|block| outermost(block))
        .take_while(|block| block.link.is_some())
        .take(super::RELATED_LIMIT)
        .collect();
    // A traceback without a frame in the program stands where its cause does.
    if main.span.is_none()
        && let Some(at) = causes.iter().position(|cause| place(cause, source).is_some())
    {
        main.span = place(causes.remove(at), source);
    }
    for cause in causes {
        let how = if cause.link == Some(Link::Cause) { "caused by" } else { "while handling" };
        main.relate(place(cause, source), format!("{how} {}", bare(cause.text.first().unwrap_or(&""))));
    }
    let members = blocks[last + 1..].iter().filter(|block| block.depth > 1 && block.link.is_none());
    let members = members.take(super::MESSAGE_LIMIT).map(|member| message(member, source));
    let (members, unplaced): (Vec<Message>, Vec<Message>) = members.partition(|member| member.span.is_some());
    // A member that was never raised has no place of its own.
    for member in unplaced {
        main.text.push_str("\n- ");
        main.text.push_str(member.text.lines().next().unwrap_or_default());
    }
    for member in &members {
        main.relate(member.span.clone(), format!("in the group: {}", member.text.lines().next().unwrap_or_default()));
    }
    let mut messages = vec![main];
    messages.extend(members);
    messages
}

/// Where a block stands: its innermost frame in the program.
fn place(block: &Block<'_>, source: &Source<'_>) -> Option<Range<usize>> {
    let frame = block.frames.iter().rev().find(|frame| frame.line.is_some())?;
    span(frame, source)
}

fn message(block: &Block<'_>, source: &Source<'_>) -> Message {
    let text = block.text.join("\n");
    let text = bare(text.trim_end());
    let mut message = Message::error(TOOL, None, if text.is_empty() { "uncaught exception" } else { text });
    message.code = class(text);
    let mut frames = block.frames.iter().rev().filter(|frame| frame.line.is_some()).take(64);
    if let Some(innermost) = frames.next() {
        message.span = span(innermost, source);
        let mut previous = innermost.line;
        for frame in frames {
            // Recursion: one place, said once.
            if frame.line == previous && frame.repeated.is_none() {
                continue;
            }
            previous = frame.line;
            let mut label = match frame.function {
                Some("<module>") | None => "called from here".to_owned(),
                Some(function) => format!("called from here, in {function}"),
            };
            if let Some(times) = frame.repeated {
                label = format!("{label} ({times} more times)");
            }
            message.relate(span(frame, source), label);
        }
    }
    message
}

/// Without the name that the program has as a module.
fn bare(text: &str) -> &str {
    text.strip_prefix("__main__.").unwrap_or(text)
}

/// `ValueError` of `ValueError: text`.
fn class(text: &str) -> Option<String> {
    let line = text.lines().next()?;
    let name = line.split_once(':').map_or(line, |(name, _)| name);
    let named = name.starts_with(|first: char| first.is_alphabetic() || first == '_')
        && name.chars().all(|character| character.is_alphanumeric() || matches!(character, '_' | '.'));
    named.then(|| name.to_owned())
}

fn span(frame: &Frame<'_>, source: &Source<'_>) -> Option<Range<usize>> {
    let line = frame.line?;
    // Tracebacks count cells of a terminal, syntax errors code points.
    let unit = if frame.function.is_some() { Unit::Cell } else { Unit::Point };
    marked(source, line, &frame.rows, unit).or_else(|| source.trimmed(line))
}

/// `main.py:3: SyntaxWarning: text`, which stands on standard error whatever becomes of the program.
fn warnings(input: &Input<'_>, source: &Source<'_>) -> Vec<Message> {
    let mut messages = Vec::new();
    for line in input.stderr.lines() {
        let warning = source.after(line).and_then(|rest| rest.strip_prefix(':')).and_then(number);
        let Some((number, rest)) = warning else { continue };
        let Some((class, text)) = rest.strip_prefix(": ").and_then(|rest| rest.split_once(": ")) else { continue };
        if !class.ends_with("Warning") || class.contains(char::is_whitespace) {
            continue;
        }
        let mut message = Message::error(TOOL, source.trimmed(number), format!("{class}: {text}"));
        message.severity = Severity::Warning;
        message.code = Some(class.to_owned());
        if class.ends_with("DeprecationWarning") {
            message.tags.push(Tag::Deprecated);
        }
        messages.push(message);
        if messages.len() == super::MESSAGE_LIMIT {
            break;
        }
    }
    messages
}

/// Reads all tracebacks, in order.
fn blocks<'a>(input: &Input<'a>, source: &Source<'_>) -> Vec<Block<'a>> {
    let mut reader = Reader::default();
    for line in input.stderr.lines() {
        reader.read(line, source);
    }
    reader.blocks
}

/// What the next line can be.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Anything.
    #[default]
    Outside,
    /// A frame, its rows, or what was raised.
    Frames,
    /// More of what was raised.
    Text,
}

#[derive(Debug, Default)]
struct Reader<'a> {
    blocks: Vec<Block<'a>>,
    state: State,
    /// Whether margins are to be taken off.
    in_group: bool,
    /// Depth that the last separator of a group announced for a member without a traceback.
    member: Option<usize>,
    ignored: bool,
}

impl<'a> Reader<'a> {
    fn read(&mut self, line: &'a str, source: &Source<'_>) {
        let bare = line.trim_start_matches(' ');
        let margin = line.len() - bare.len();
        if bare.starts_with("+ Exception Group Traceback (most recent call last):") {
            self.in_group = true;
            return self.open(margin / 2, State::Frames);
        }
        let (depth, content) = if self.in_group && margin >= 2 && bare.starts_with('|') {
            (margin / 2, bare[1..].strip_prefix(' ').unwrap_or(&bare[1..]))
        } else if self.in_group && margin >= 2 && (bare.starts_with("+-+-") || bare.starts_with("+---")) {
            self.member = Some(margin / 2 + usize::from(bare.starts_with("+-+")));
            self.state = State::Outside;
            return;
        } else {
            (0, line)
        };
        self.content(depth, content, source);
    }

    fn open(&mut self, depth: usize, state: State) {
        self.blocks.push(Block { depth, ignored: std::mem::take(&mut self.ignored), ..Block::default() });
        self.state = state;
        self.member = None;
    }

    fn content(&mut self, depth: usize, content: &'a str, source: &Source<'_>) {
        if content.starts_with("Traceback (most recent call last):") {
            return self.open(depth, State::Frames);
        }
        if content.starts_with("Exception ignored ") {
            self.ignored = true;
            self.state = State::Outside;
            return;
        }
        if self.state != State::Frames && self.link(depth, content) {
            return;
        }
        if let Some(frame) = frame(content, source) {
            // A syntax error has a frame without a traceback around it.
            if self.state != State::Frames {
                if frame.function.is_some() {
                    return;
                }
                self.open(depth, State::Frames);
            }
            if let Some(block) = self.blocks.last_mut() {
                block.frames.push(frame);
            }
            return;
        }
        self.inside(depth, content);
    }

    fn inside(&mut self, depth: usize, content: &'a str) {
        if self.state == State::Outside {
            // A member of a group that was never raised has no traceback.
            if self.member == Some(depth) && !content.is_empty() {
                self.open(depth, State::Text);
                if let Some(block) = self.blocks.last_mut() {
                    block.text.push(content);
                }
            }
            return;
        }
        let Some(block) = self.blocks.last_mut().filter(|block| block.depth == depth) else {
            return;
        };
        if self.state == State::Frames {
            if content.starts_with("    ")
                || content.is_empty() && block.frames.last().is_some_and(|last| last.function.is_none())
            {
                if let Some(last) = block.frames.last_mut().filter(|last| last.rows.len() < 256) {
                    last.rows.push(content);
                }
                return;
            }
            if let Some(times) = content.strip_prefix("  [Previous line repeated ") {
                if let Some(last) = block.frames.last_mut() {
                    last.repeated = times.split(' ').next();
                }
                return;
            }
            self.state = State::Text;
        }
        if block.text.len() < TEXT_LINES {
            block.text.push(content);
        }
    }

    fn link(&mut self, depth: usize, content: &str) -> bool {
        let link = match content {
            "The above exception was the direct cause of the following exception:" => Link::Cause,
            "During handling of the above exception, another exception occurred:" => Link::Context,
            _ => return false,
        };
        let Some(block) = self.blocks.iter_mut().rev().find(|block| block.depth == depth) else {
            return false;
        };
        block.link = Some(link);
        self.state = State::Outside;
        true
    }
}

/// `  File "PATH", line N, in NAME`; without the name for a syntax error.
fn frame<'a>(content: &'a str, source: &Source<'_>) -> Option<Frame<'a>> {
    const BETWEEN: &str = "\", line ";
    let rest = content.strip_prefix("  File \"")?;
    // A path may contain anything, so the program's own is looked for first.
    let own = source.after(rest).and_then(|rest| rest.strip_prefix(BETWEEN));
    let after = own.or_else(|| rest.rfind(BETWEEN).map(|at| &rest[at + BETWEEN.len()..]))?;
    let (line, rest) = number(after)?;
    let function = rest.strip_prefix(", in ");
    Some(Frame { line: own.map(|_| line), function, rows: Vec::new(), repeated: None })
}
