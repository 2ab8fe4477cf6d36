//! Code with pages in its comments: Rust's `///`, Python's docstrings, Go's comments, `JSDoc`. The text of a comment is taken out of
//! it like code out of a page, read as the page it is, and what is found there leads through it to the document.

use std::ops::Range;

use super::attributes::Attributes;
use super::code::Code;
use super::expected::Forbidden;
use super::lines::Lines;
use super::{Found, line_start, markdown, restructured};

/// What cannot stand in a comment between stars.
const END_OF_COMMENT: &str = "*/";

/// Rust: runs of `///` and of `//!`, `/** … */`, `/*! … */`. A block without a label is Rust's.
pub(super) fn rust(text: &str) -> Vec<Found> {
    let lines = Lines::new(text);
    let mut found = Vec::new();
    let mut line = 0;
    while line < lines.len() {
        let bare = lines.get(line).trim_start();
        let mark = ["///", "//!"].into_iter().find(|mark| bare.starts_with(mark) && !bare.starts_with("////"));
        if let Some(mark) = mark {
            let runs = |line: &usize| {
                let bare = lines.get(*line).trim_start();
                bare.starts_with(mark) && !bare.starts_with("////")
            };
            let end = (line..lines.len()).take_while(runs).last().map_or(line + 1, |last| last + 1);
            let code = uncommented(&lines, line..end, mark);
            found.extend(through(text, &code, markdown::read(code.as_str()), &[]));
            line = end;
        } else if (bare.starts_with("/**") && !bare.starts_with("/***") && !bare.starts_with("/**/"))
            || bare.starts_with("/*!")
        {
            let (code, end) = starred(&lines, line);
            found.extend(through(text, &code, markdown::read(code.as_str()), &[END_OF_COMMENT]));
            line = end;
        } else {
            line += 1;
        }
    }
    for block in &mut found {
        if block.label.is_none() && !block.attributes.is_output {
            block.label = Some("rust".to_owned());
        }
    }
    found
}

/// Python: docstrings, with doctests, directives and fences. The doctests of one docstring share a session.
pub(super) fn python(text: &str) -> Vec<Found> {
    let lines = Lines::new(text);
    let mut found = Vec::new();
    let mut line = 0;
    // A docstring is the first thing of a module, a class or a function.
    let mut expected = true;
    while line < lines.len() {
        let bare = lines.get(line).trim();
        let opening = bare.trim_start_matches(['r', 'R', 'u', 'U']);
        let quote = ["\"\"\"", "'''"].into_iter().find(|quote| opening.starts_with(quote));
        if let Some(quote) = quote.filter(|_| expected || !bare.contains('=')) {
            let is_doc = expected;
            let open = lines.range(line).start + lines.indent(line) + (bare.len() - opening.len()) + quote.len();
            let close = text[open..].find(quote).map_or(text.len(), |at| open + at);
            let last = (line..lines.len()).find(|other| lines.range(*other).end >= close).unwrap_or(lines.len());
            if is_doc {
                found.extend(docstring(&lines, line, open..close, quote));
            }
            line = last + 1;
            expected = false;
            continue;
        }
        if !bare.is_empty() && !bare.starts_with('#') && !bare.starts_with('\u{feff}') {
            expected = bare.ends_with(':');
        }
        line += 1;
    }
    found
}

fn docstring(lines: &Lines<'_>, first: usize, inside: Range<usize>, quote: &str) -> Vec<Found> {
    let text = lines.text;
    let last = (first..lines.len()).find(|line| lines.range(*line).end >= inside.end).unwrap_or(first);
    let body = first + 1..last + 1;
    let indent = lines.common_indent(body.clone());
    let mut code = Code::default();
    code.push_line(text, inside.start..lines.range(first).end.min(inside.end));
    for line in body {
        let range = lines.range(line);
        let start = range.start + indent.min(lines.indent(line));
        code.push_line(text, start.min(inside.end)..range.end.min(inside.end));
    }
    let mut found = restructured::read(code.as_str());
    for block in &mut found {
        if let Some(session) = &mut block.attributes.session {
            // Each docstring for itself.
            session.extend([":", &inside.start.to_string()]);
        }
    }
    let fences = markdown::read(code.as_str()).into_iter();
    found.extend(fences.filter(|block| block.label.is_some() || block.attributes.is_output));
    found.sort_by_key(|block| block.range.start);
    through(text, &code, found, &[quote, "\\"])
}

/// Go: what is indented in a comment is code, as `go doc` shows it.
pub(super) fn go(text: &str) -> Vec<Found> {
    let lines = Lines::new(text);
    let mut found = Vec::new();
    let mut line = 0;
    while line < lines.len() {
        let bare = lines.get(line).trim_start();
        if bare.starts_with("//") {
            let runs = |line: &usize| lines.get(*line).trim_start().starts_with("//");
            let end = (line..lines.len()).take_while(runs).last().map_or(line + 1, |last| last + 1);
            let code = uncommented(&lines, line..end, "//");
            found.extend(through(text, &code, indented(code.as_str()), &[]));
            line = end;
        } else if bare.starts_with("/*") {
            let (code, end) = starred(&lines, line);
            found.extend(through(text, &code, indented(code.as_str()), &[END_OF_COMMENT]));
            line = end;
        } else {
            line += 1;
        }
    }
    found
}

/// Spans of indented lines, but for lists.
fn indented(text: &str) -> Vec<Found> {
    let lines = Lines::new(text);
    let is_code = |line: usize| lines.get(line).starts_with(['\t', ' ']) && !lines.is_blank(line);
    let mut found = Vec::new();
    let mut line = 0;
    while line < lines.len() {
        if !is_code(line) || (line > 0 && !lines.is_blank(line - 1)) {
            line += 1;
            continue;
        }
        let runs = |line: &usize| is_code(*line) || lines.is_blank(*line);
        let end = (line..lines.len()).take_while(runs).last().map_or(line, |last| last + 1);
        let end = lines.trimmed_end(line..end);
        let first = lines.get(line).trim_start();
        let number = first.trim_start_matches(|character: char| character.is_ascii_digit());
        let item =
            first.starts_with(['-', '*', '+', '•']) || (number.len() < first.len() && number.starts_with(['.', ')']));
        if !item {
            let indent = lines.common_indent(line..end);
            found.push(Found {
                label: Some("go".to_owned()),
                range: lines.range(line).start + indent..lines.range(end - 1).end,
                code: lines.code(line..end, indent),
                prefix: lines.get(line)[..indent].to_owned(),
                ..Found::default()
            });
        }
        line = end.max(line + 1);
    }
    found
}

/// `JSDoc`: fences, and the code of `@example`, which is in the file's own language.
pub(super) fn javascript(text: &str, label: &str) -> Vec<Found> {
    let lines = Lines::new(text);
    let mut found = Vec::new();
    let mut line = 0;
    while line < lines.len() {
        if !lines.get(line).trim_start().starts_with("/**") {
            line += 1;
            continue;
        }
        let (code, end) = starred(&lines, line);
        let mut blocks: Vec<Found> = markdown::read(code.as_str())
            .into_iter()
            .filter(|block| block.label.is_some() || block.attributes.is_output)
            .collect();
        blocks.extend(examples(code.as_str(), label));
        blocks.sort_by_key(|block| block.range.start);
        found.extend(through(text, &code, blocks, &[END_OF_COMMENT]));
        line = end;
    }
    found
}

/// What stands below each `@example`, up to the next tag, unless it has fences.
fn examples(text: &str, label: &str) -> Vec<Found> {
    let lines = Lines::new(text);
    let mut found = Vec::new();
    for tag in (0..lines.len()).filter(|line| lines.get(*line).trim_start().starts_with("@example")) {
        let is_tag = |line: &usize| {
            let bare = lines.get(*line).trim_start();
            bare.starts_with('@')
                && bare[1..].starts_with(|next: char| next.is_ascii_lowercase())
                && !bare.contains(['(', '='])
        };
        let end = (tag + 1..lines.len()).find(is_tag).unwrap_or(lines.len());
        let start = (tag + 1..end)
            .find(|line| !lines.is_blank(*line) && !lines.get(*line).contains("<caption>"))
            .unwrap_or(end);
        let end = lines.trimmed_end(start..end);
        if start >= end || (start..end).any(|line| lines.get(line).trim_start().starts_with("```")) {
            continue;
        }
        let indent = lines.common_indent(start..end);
        found.push(Found {
            label: Some(label.to_owned()),
            range: lines.range(start).start + indent..lines.range(end - 1).end,
            code: lines.code(start..end, indent),
            prefix: lines.prefix(start).to_owned(),
            ..Found::default()
        });
    }
    found
}

/// Lines without a mark and the one space behind it.
fn uncommented(lines: &Lines<'_>, range: Range<usize>, mark: &str) -> Code {
    let mut code = Code::default();
    for line in range {
        let own = lines.range(line);
        let rest = own.start + lines.indent(line) + mark.len();
        let space = usize::from(lines.text[rest..own.end].starts_with(' '));
        code.push_line(lines.text, rest + space..own.end);
    }
    code
}

/// The text of a comment between stars that begins on a line, and the line after it. Stars at the start of its lines are none of it.
fn starred(lines: &Lines<'_>, first: usize) -> (Code, usize) {
    let text = lines.text;
    let open = lines.range(first).start + lines.indent(first);
    let open = open + text[open..].len() - text[open..].trim_start_matches(['/', '*', '!']).len();
    let close = text[open..].find(END_OF_COMMENT).map_or(text.len(), |at| open + at);
    let last = (first..lines.len()).find(|line| lines.range(*line).end >= close).unwrap_or(lines.len() - 1);
    let inner = first + 1..last + 1;
    let stars =
        inner.clone().filter(|line| !lines.is_blank(*line)).all(|line| lines.get(line).trim_start().starts_with('*'));
    let indent = if stars { 0 } else { lines.common_indent(inner.start..last.max(inner.start)) };
    let mut code = Code::default();
    let head = lines.range(first).end.min(close);
    let space = usize::from(text[open.min(head)..head].starts_with(' '));
    code.push_line(text, (open + space).min(head)..head);
    for line in inner {
        let range = lines.range(line);
        let end = range.end.min(close);
        let mut start =
            if stars { range.start + lines.indent(line) } else { range.start + indent.min(lines.indent(line)) };
        if stars && start < end {
            start += 1;
            start += usize::from(text[start.min(end)..end].starts_with(' '));
        }
        code.push_line(text, start.min(end)..end);
    }
    (code, last + 1)
}

/// Blocks of a text that was taken out of a document, as blocks of the document. New promises must have none of `forbidden` in
/// them.
pub(super) fn through(document: &str, outer: &Code, found: Vec<Found>, forbidden: &[&str]) -> Vec<Found> {
    let inner = outer.as_str();
    let mut blocks = Vec::with_capacity(found.len());
    for block in found {
        let Some(range) = outer.range_to_document(&block.range) else { continue };
        // The last line has what stands before every line; the first one may open the comment.
        let last = line_start(inner, block.range.end);
        let Some(start) = outer.to_document(last) else { continue };
        let before = &document[line_start(document, start)..start];
        let place = |at: usize| outer.to_document(at).map(|at| line_start(document, at));
        let body = place(block.body.start).zip(place(block.body.end)).map_or(0..0, |(start, end)| start..end);
        let mut shape = block.shape;
        if let Some(shape) = &mut shape {
            shape.prefix = format!("{before}{}", shape.prefix);
            shape.forbidden.extend(forbidden.iter().map(|part| Forbidden::Contains((*part).to_owned())));
        }
        blocks.push(Found {
            code: block.code.through(outer),
            range,
            prefix: format!("{before}{}", block.prefix),
            body: body.clone(),
            // What has no lines of its own cannot be written anew.
            shape: shape.filter(|_| body.end > 0),
            output: block.output,
            label: block.label,
            attributes: Attributes { ..block.attributes },
        });
    }
    blocks
}
