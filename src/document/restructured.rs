//! reStructuredText: `code-block`, `sourcecode` and `code` directives, literal blocks with a `#!` line or prompts, and doctest
//! blocks, which stand by themselves and share one session, as doctest runs a text.

use super::attributes::Attributes;
use super::expected::Shape;
use super::lines::Lines;
use super::update::Template;
use super::{Found, SHARED};

const DIRECTIVES: &[&str] = &["code-block", "sourcecode", "code", "testcode", "testoutput", "prompt", "output"];

pub(super) fn read(text: &str) -> Vec<Found> {
    let lines = Lines::new(text);
    let mut found = Vec::new();
    let mut line = 0;
    while line < lines.len() {
        let here = lines.get(line);
        let bare = here.trim();
        if let Some((name, argument)) = directive(bare) {
            let (block, next) = of_directive(&lines, line, name, argument);
            found.extend(block);
            line = next;
        } else if bare.starts_with(">>> ") {
            let end = (line..lines.len()).find(|line| lines.is_blank(*line)).unwrap_or(lines.len());
            let indent = lines.indent(line);
            found.push(Found {
                attributes: Attributes { session: Some(SHARED.to_owned()), ..Attributes::default() },
                range: lines.range(line).start + indent..lines.range(end - 1).end,
                code: lines.code(line..end, indent),
                prefix: lines.prefix(line).to_owned(),
                ..Found::default()
            });
            line = end;
        } else if bare.ends_with("::") && !bare.starts_with("..") {
            // A literal block has no language but what it says itself.
            let (start, end, indent) = body(&lines, line + 1, lines.indent(line));
            if start < end {
                found.push(Found {
                    range: lines.range(start).start + indent..lines.range(end - 1).end,
                    code: lines.code(start..end, indent),
                    prefix: lines.prefix(start).to_owned(),
                    ..Found::default()
                });
            }
            line = end.max(line + 1);
        } else {
            line += 1;
        }
    }
    found
}

/// `.. NAME:: argument` of a directive with code.
fn directive(line: &str) -> Option<(&str, &str)> {
    let (name, argument) = line.strip_prefix(".. ")?.trim_start().split_once("::")?;
    DIRECTIVES.contains(&name).then_some((name, argument.trim()))
}

/// The lines below one that are indented more than it: first, one past the last, their indentation.
fn body(lines: &Lines<'_>, from: usize, outer: usize) -> (usize, usize, usize) {
    let start = (from..lines.len()).find(|line| !lines.is_blank(*line)).unwrap_or(lines.len());
    let inside = |line: &usize| lines.is_blank(*line) || lines.indent(*line) > outer;
    let end = (start..lines.len()).take_while(inside).last().map_or(start, |line| line + 1);
    let end = lines.trimmed_end(start..end);
    (start, end, lines.common_indent(start..end))
}

fn of_directive(lines: &Lines<'_>, line: usize, name: &str, argument: &str) -> (Option<Found>, usize) {
    let outer = lines.indent(line);
    let mut first = line + 1;
    let mut attributes = Attributes::default();
    while first < lines.len() && lines.indent(first) > outer && lines.get(first).trim().starts_with(':') {
        // `:caption: …`, and our own words as options: `:timeout: 2s`.
        let option = lines.get(first).trim().trim_start_matches(':');
        if let Some((key, value)) = option.split_once(':') {
            attributes.option(&format!("{key}:{value}"));
        }
        first += 1;
    }
    let (start, end, indent) = body(lines, first, outer);
    let (label, info) = Attributes::of_info(argument);
    attributes = info.merged(attributes);
    let label = match name {
        "testcode" => Some("python".to_owned()),
        "testoutput" | "output" => {
            attributes.is_output = true;
            None
        }
        _ => label,
    };
    let last = if start < end { end - 1 } else { line };
    // An empty output has no lines of its own yet: new ones go below an empty line.
    let prefix = if start < end { lines.prefix(start).to_owned() } else { format!("{}   ", lines.prefix(line)) };
    let found = Found {
        label,
        attributes,
        range: lines.range(line).start + outer..lines.range(last).end,
        code: if start < end { lines.code(start..end, indent) } else { super::Code::default() },
        body: if start < end { lines.whole(start..end) } else { lines.range(last).end..lines.range(last).end },
        // Lines can follow where the last one has a line end.
        shape: (start < end && lines.range(end).start > lines.range(end - 1).end)
            .then(|| Shape::lines(prefix.get(..indent).unwrap_or_default())),
        output: Some(Template::lines(&["", ".. code-block:: output", ""], &[], "   ")),
        prefix: lines.prefix(line).to_owned(),
    };
    (Some(found), end.max(first))
}
