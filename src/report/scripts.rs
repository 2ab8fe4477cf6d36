//! Ruby, PHP, Perl, Lua: interpreters that name a line. What stands between quotes in their messages, when it stands on that
//! line too, is what they mean.
//!
//! | tool | form |
//! |---|---|
//! | ruby | ``main.rb:2:in `inner': text (NameError)``, frames below behind a tab; 3.4 writes `'Object#inner'` |
//! | php | `Fatal error: Uncaught Error: text in /runpen/main.php:3`, frames `#0 /runpen/main.php(6): f()` |
//! | perl | `text at main.pl line 3.`, frames the same behind a tab |
//! | lua | `lua: main.lua:2: text`, frames `main.lua:5: in local 'outer'` behind a tab |

use std::ops::Range;

use super::source::{LineEnds, Source, number, number_at_end};
use super::spot::{PLACES, TEXT_LINES, line_and_column, marks, named};
use super::{Input, Message};
use crate::protocol::{Severity, Tag};

pub(super) fn parse_ruby(input: &Input<'_>) -> Vec<Message> {
    if !input.failed() {
        return Vec::new();
    }
    let source = Source::new(input, LineEnds::Feed);
    let lines: Vec<&str> = input.stderr.lines().collect();
    // Parser errors, one a line in the old parser, marked below their line in the new one.
    let mut messages: Vec<Message> = lines.iter().filter_map(|line| ruby_syntax(line, &source)).take(100).collect();
    messages.extend(prism(&lines, &source));
    if !messages.is_empty() {
        return messages;
    }
    ruby_exception(&lines, &source).into_iter().collect()
}

/// ``main.rb:3: syntax error, unexpected `end' (SyntaxError)``
fn ruby_syntax(line: &str, source: &Source<'_>) -> Option<Message> {
    let (number, rest) = number(source.after(line)?.strip_prefix(':')?)?;
    let text = rest.strip_prefix(": syntax error, ")?;
    let text = text.strip_suffix(" (SyntaxError)").unwrap_or(text);
    let span = named(source, number, text, &["unexpected "]);
    let mut message = Message::error("ruby", span, format!("syntax error, {text}"));
    message.code = Some("SyntaxError".to_owned());
    Some(message)
}

/// `> 2 | s = "é"; y = )`, below it `    |              ^ unexpected ')'; …`.
fn prism(lines: &[&str], source: &Source<'_>) -> Vec<Message> {
    let Some(at) = lines.iter().position(|line| line.ends_with("(SyntaxError)") && source.after(line).is_some()) else {
        return Vec::new();
    };
    let mut current = None;
    let mut messages = Vec::new();
    for line in &lines[at + 1..] {
        let Some((margin, text)) = line.split_once(" | ") else { continue };
        if let Ok(number) = margin.trim_start_matches('>').trim().parse::<usize>() {
            current = Some(number);
        } else if let Some(number) = current
            && margin.trim().is_empty()
            && let Some(column) = text.find('^')
        {
            let count = text[column..].bytes().take_while(|byte| matches!(byte, b'^' | b'~')).count();
            let said = text[column + count..].trim();
            let start = source.offset(number, column, crate::text::Encoding::Utf32);
            let span = match (start, count) {
                (Some(start), 1) => source.token(start),
                (Some(start), count) => {
                    source.offset(number, column + count, crate::text::Encoding::Utf32).map(|end| start..end)
                }
                (None, _) => source.trimmed(number),
            };
            let mut message = Message::error("ruby", span, said);
            message.code = Some("SyntaxError".to_owned());
            messages.push(message);
            if messages.len() == super::MESSAGE_LIMIT {
                break;
            }
        }
    }
    messages
}

/// Line, function and text of ``main.rb:2:in `inner': text``; the line only where it is in the program.
fn ruby_head<'t>(line: &'t str, source: &Source<'_>) -> Option<(Option<usize>, &'t str, &'t str)> {
    let own = source.after(line).and_then(|rest| number(rest.strip_prefix(':')?)).map(|(number, _)| number);
    let (_, rest) = line.split_once(":in ")?;
    let (function, text) = rest.get(1..)?.split_once("': ")?;
    Some((own, function, text))
}

fn ruby_exception(lines: &[&str], source: &Source<'_>) -> Option<Message> {
    let starts = |line: &&str| !line.starts_with('\t') && ruby_head(line, source).is_some();
    let (at, (own, _, text)) = lines
        .iter()
        .enumerate()
        .find_map(|(at, line)| Some((at, ruby_head(line, source).filter(|_| starts(line))?)))?;
    let (text, code) = match text.strip_suffix(')').and_then(|text| text.rsplit_once(" (")) {
        Some((text, code)) => (text, Some(code)),
        None => (text, None),
    };
    let mut message = Message::error("ruby", None, text);
    message.code = code.map(str::to_owned);
    message.span = own.and_then(|line| named(source, line, text, &[]));
    let mut cause = "";
    for (index, line) in lines.iter().enumerate().skip(at + 1).take(400) {
        if let Some(frame) = line.strip_prefix("\tfrom ") {
            let Some((number, rest)) = source.after(frame).and_then(|rest| number(rest.strip_prefix(':')?)) else {
                continue;
            };
            let function = rest.trim_start_matches(":in ").trim_matches(['`', '\'']);
            if message.span.is_none() {
                message.span = named(source, number, text, &[]);
            } else if !cause.is_empty() {
                message.relate(source.trimmed(number), format!("caused by: {cause}"));
                cause = "";
            } else {
                message.relate(source.trimmed(number), format!("called from here, in {function}"));
            }
        } else if let Some((own, _, text)) = ruby_head(line, source) {
            cause = text;
            if own.is_some() {
                message.relate(own.and_then(|line| named(source, line, text, &[])), format!("caused by: {text}"));
                cause = "";
            }
        } else if let Some(width) = marks(line) {
            // error_highlight: the line again, marks below it.
            if let Some(span) = highlighted(source, own, lines[index - 1], line, width) {
                message.span = Some(span);
            }
        }
    }
    Some(message)
}

/// What marks below a quoted line mean.
fn highlighted(
    source: &Source<'_>,
    line: Option<usize>,
    quoted: &str,
    marked: &str,
    width: usize,
) -> Option<Range<usize>> {
    let line = source.line(line?)?;
    let at = source.text[line.clone()].find(quoted.trim())?;
    let indent = quoted.len() - quoted.trim_start().len();
    let cell = marked.chars().take_while(|mark| !matches!(mark, '^' | '~')).count().checked_sub(indent)?;
    let boundary = |cell: usize| quoted.trim().char_indices().nth(cell).map_or(quoted.trim().len(), |(at, _)| at);
    Some(line.start + at + boundary(cell)..line.start + at + boundary(cell + width))
}

pub(super) fn parse_php(input: &Input<'_>) -> Vec<Message> {
    const KINDS: &[(&str, Severity)] = &[
        ("Fatal error: ", Severity::Error),
        ("Parse error: ", Severity::Error),
        ("Recoverable fatal error: ", Severity::Error),
        ("Warning: ", Severity::Warning),
        ("Notice: ", Severity::Warning),
        ("Deprecated: ", Severity::Warning),
    ];
    let source = Source::new(input, LineEnds::Feed);
    let mut messages: Vec<Message> = Vec::new();
    let (mut frames, mut places) = (false, 0);
    for line in input.stderr.lines() {
        let line = line.strip_prefix("PHP ").map_or(line, str::trim_start);
        let next = line.strip_prefix("Next ");
        if let Some((kind, severity)) = KINDS.iter().find(|(kind, _)| line.starts_with(kind)) {
            let (text, place) = php_place(&line[kind.len()..]);
            let own = place.and_then(|(file, line)| source.is(file).then_some(line));
            let mut message = Message::error(
                "php",
                own.and_then(|line| named(&source, line, text, &["function ", "variable ", "constant "])),
                text,
            );
            message.severity = *severity;
            message.code = Some(kind.trim_end_matches(": ").to_owned());
            if kind.starts_with("Deprecated") {
                message.tags.push(Tag::Deprecated);
            }
            messages.push(message);
            frames = true;
        } else if let (Some(next), Some(last)) = (next, messages.last_mut()) {
            // What was thrown last is the error; what was thrown before it is its cause.
            let (text, place) = php_place(next);
            let own = place.and_then(|(file, line)| source.is(file).then_some(line));
            let cause = std::mem::replace(&mut last.text, format!("Uncaught {text}"));
            let span = std::mem::replace(
                &mut last.span,
                own.and_then(|line| named(&source, line, text, &["function ", "variable ", "constant "])),
            );
            last.related.clear();
            last.relate(span, format!("caused by: {}", cause.trim_start_matches("Uncaught ")));
            frames = true;
        } else if let (Some(frame), Some(last), true) = (line.strip_prefix('#'), messages.last_mut(), frames) {
            let Some((place, function)) = frame.split_once(' ').and_then(|(_, rest)| rest.split_once("): ")) else {
                continue;
            };
            let Some((file, line)) = number_at_end(place) else { continue };
            places += 1;
            if places <= PLACES && source.is(file.trim_end_matches('(')) {
                last.relate(source.trimmed(line), format!("{function} was called from here"));
            }
        }
        if messages.len() > super::MESSAGE_LIMIT {
            break;
        }
    }
    messages.retain(|message| input.failed() || message.severity != Severity::Error);
    messages
}

/// `text in /runpen/main.php on line 3`, `text in /runpen/main.php:3`
fn php_place(text: &str) -> (&str, Option<(&str, usize)>) {
    let place = number_at_end(text).and_then(|(before, line)| {
        let before = before.strip_suffix(" on line ").or_else(|| before.strip_suffix(':'))?;
        let (text, file) = before.rsplit_once(" in ")?;
        Some((text, (file, line)))
    });
    place.map_or((text, None), |(text, place)| (text, Some(place)))
}

pub(super) fn parse_perl(input: &Input<'_>) -> Vec<Message> {
    let source = Source::new(input, LineEnds::Feed);
    let mut messages: Vec<Message> = Vec::new();
    let mut places = 0;
    for line in input.stderr.lines().filter(|line| !line.contains(" aborted due to compilation errors")) {
        let Some((text, number, rest)) = perl_place(line, &source) else { continue };
        if let (true, Some(last)) = (line.starts_with('\t'), messages.last_mut()) {
            places += 1;
            if places <= PLACES {
                last.relate(source.trimmed(number), text.trim());
            }
            continue;
        }
        let near = rest.strip_prefix(", near \"").map(|near| near.trim_end_matches('"'));
        let span = near
            .and_then(|near| source.word_on(number, near.trim()))
            .or_else(|| named(&source, number, text, &["subroutine &", "value "]));
        let text = near.map_or_else(|| text.to_owned(), |near| format!("{text}, near \"{near}\""));
        let mut message = Message::error("perl", span, text);
        if is_perl_warning(&message.text) {
            message.severity = Severity::Warning;
        }
        messages.push(message);
        if messages.len() > super::MESSAGE_LIMIT {
            break;
        }
    }
    messages.retain(|message| input.failed() || message.severity != Severity::Error);
    messages
}

/// Text, line and rest of `text at main.pl line 3, near "…"`.
fn perl_place<'t>(line: &'t str, source: &Source<'_>) -> Option<(&'t str, usize, &'t str)> {
    line.match_indices(" at ").find_map(|(at, between)| {
        let rest = source.after(&line[at + between.len()..])?.strip_prefix(" line ")?;
        let (number, rest) = number(rest)?;
        Some((&line[..at], number, rest))
    })
}

fn is_perl_warning(text: &str) -> bool {
    const STARTS: &[&str] = &[
        "Use of uninitialized",
        "Argument ",
        "Useless use",
        "Name ",
        "Deep recursion",
        "Subroutine ",
        "Scalar value",
        "Possible ",
        "Odd number",
        "Unquoted string",
        "Found = in",
        "Applying ",
        "Statement unlikely",
        "Wide character",
        "substr outside",
        "isn't numeric",
        "splice() offset",
        "\"my\" variable",
        "\"our\" variable",
    ];
    STARTS.iter().any(|start| text.starts_with(start)) && !text.contains("requires explicit package")
}

pub(super) fn parse_lua(input: &Input<'_>) -> Vec<Message> {
    if !input.failed() {
        return Vec::new();
    }
    let source = Source::new(input, LineEnds::Feed);
    let lines: Vec<&str> = input.stderr.lines().collect();
    let Some(at) = lines.iter().rposition(|line| line.starts_with("lua: ") || line.starts_with("lua5.4: ")) else {
        return Vec::new();
    };
    let said = lines[at].split_once(": ").map_or("", |(_, said)| said);
    let own = source.after(said).and_then(|rest| line_and_column(rest.strip_prefix(':')?));
    let text = own.and_then(|(_, _, rest)| rest.strip_prefix(": ")).unwrap_or(said);
    let stack = lines[at..].iter().position(|line| *line == "stack traceback:").map_or(lines.len(), |stack| at + stack);
    let more = lines[at + 1..stack.max(at + 1).min(lines.len())].iter().take(TEXT_LINES).copied();
    let text = std::iter::once(text).chain(more).collect::<Vec<_>>().join("\n");
    let mut message = Message::error("lua", None, text.trim_end());
    message.span = own.and_then(|(line, _, _)| named(&source, line, &text, &["near "]));
    if let Some(opened) = text.split_once(" at line ").and_then(|(_, rest)| number(rest)) {
        message.relate(source.trimmed(opened.0), "opened here");
    }
    let mut skip = own.map(|(line, _, _)| line);
    for line in lines.iter().skip(stack + 1).take(200) {
        let Some((number, _, rest)) =
            source.after(line.trim_start()).and_then(|rest| line_and_column(rest.strip_prefix(':')?))
        else {
            continue;
        };
        let function = rest.trim_start_matches(": ");
        // The first frame is where the error is.
        if skip.take() == Some(number) {
            continue;
        }
        if message.span.is_none() {
            message.span = source.trimmed(number);
        } else {
            message.relate(source.trimmed(number), format!("called from here, {function}"));
        }
    }
    vec![message]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::PhaseName;
    use crate::text::Text;

    /// Ruby 3.4, which no image of the tests has.
    #[test]
    fn the_new_parser_of_ruby_marks_what_it_means() {
        let program = Text::new("x = 1\ns = \"é\"; y = )\n");
        let printed = "main.rb:2: syntax errors found (SyntaxError)\n  1 | x = 1\n> 2 | s = \"é\"; y = )\n    |              ^ unexpected ')'; expected an expression\n";
        let input = Input {
            phase: PhaseName::Run,
            program: &program,
            path: "/runpen/main.rb",
            stderr: printed,
            exit_code: Some(1),
            signal: None,
        };
        let messages = parse_ruby(&input);
        assert_eq!(messages.len(), 1);
        assert_eq!(&program.as_str()[messages[0].span.clone().unwrap()], ")");
        assert!(messages[0].text.starts_with("unexpected ')'"), "{}", messages[0].text);
    }
}
