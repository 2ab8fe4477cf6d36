//! Org: `#+begin_src LANG :header args`, and the results below it in `#+RESULTS:` or an example block.

use super::Found;
use super::attributes::Attributes;
use super::code::Code;
use super::expected::{Escape, Forbidden, Shape};
use super::lines::Lines;
use super::update::Template;

pub(super) fn read(text: &str) -> Vec<Found> {
    let lines = Lines::new(text);
    let mut found = Vec::new();
    let mut line = 0;
    while line < lines.len() {
        let bare = lines.get(line).trim();
        if let Some(info) = keyword(bare, "#+begin_src") {
            let end = closing(&lines, line, "#+end_src");
            let (label, attributes) = header(info);
            found.push(block(&lines, line, end, label, attributes));
            line = end.map_or(lines.len(), |end| end + 1);
        } else if let Some(rest) = keyword(bare, "#+results") {
            // `#+RESULTS:` or `#+RESULTS[hash]: name`, what follows it is output: an example block or `: ` lines.
            let _ = rest;
            let next = line + 1;
            if keyword(lines.get(next).trim(), "#+begin_example").is_some() {
                let end = closing(&lines, next, "#+end_example");
                let attributes = Attributes { is_output: true, ..Attributes::default() };
                found.push(block(&lines, next, end, None, attributes));
                line = end.map_or(lines.len(), |end| end + 1);
            } else {
                let end = (next..lines.len()).find(|other| colon(lines.get(*other)).is_none()).unwrap_or(lines.len());
                if next < end {
                    found.push(colons(&lines, next, end));
                }
                line = end.max(next);
            }
        } else {
            line += 1;
        }
    }
    found
}

/// What stands after a keyword, whatever its case.
fn keyword<'a>(line: &'a str, word: &str) -> Option<&'a str> {
    let start = line.get(..word.len())?;
    let rest = &line[word.len()..];
    let ends = rest.is_empty() || rest.starts_with([' ', ':', '[', '\t']);
    (start.eq_ignore_ascii_case(word) && ends).then_some(rest.trim())
}

fn closing(lines: &Lines<'_>, from: usize, word: &str) -> Option<usize> {
    (from + 1..lines.len()).find(|line| lines.get(*line).trim().eq_ignore_ascii_case(word))
}

/// `LANG -n :key value :key value`.
fn header(info: &str) -> (Option<String>, Attributes) {
    let mut parts = info.split(" :");
    let label = parts.next().unwrap_or_default().split_whitespace().next().map(str::to_owned);
    let mut attributes = Attributes::default();
    for part in parts {
        let (key, value) = part.trim().split_once(' ').unwrap_or((part.trim(), ""));
        let value = value.trim();
        match (key, value) {
            ("eval", "no" | "never" | "no-export" | "never-export") => attributes.option("eval: false"),
            ("session", "none" | "") | ("stdin" | "eval" | "results" | "exports" | "var" | "noweb" | "tangle", _) => {}
            ("cmdline", _) => attributes.option(&format!("args: {value}")),
            _ => attributes.option(&format!("{key}: {value}")),
        }
    }
    (label, attributes)
}

fn block(lines: &Lines<'_>, line: usize, end: Option<usize>, label: Option<String>, attributes: Attributes) -> Found {
    let body = line + 1..end.unwrap_or(lines.len());
    let indent = lines.common_indent(body.clone());
    let last = end.unwrap_or(lines.len().saturating_sub(1));
    let prefix = lines.prefix(line).to_owned();
    let shown =
        if body.is_empty() { prefix.clone() } else { lines.prefix(body.start).get(..indent).unwrap_or("").to_owned() };
    Found {
        label,
        attributes,
        range: lines.range(line).start + lines.indent(line)..lines.range(last).end,
        code: unescaped(lines, body.clone(), indent),
        body: lines.whole(body),
        shape: end.map(|_| Shape {
            escape: Escape::Org,
            forbidden: vec![Forbidden::Starts("#+end".to_owned()), Forbidden::Starts("#+END".to_owned())],
            ..Shape::lines(&shown)
        }),
        output: end.map(|_| Template::example()),
        prefix,
    }
}

/// Code in which Org's own marks stand behind a comma, which is none of it.
fn unescaped(lines: &Lines<'_>, body: std::ops::Range<usize>, indent: usize) -> Code {
    let mut code = Code::default();
    for line in body {
        let range = lines.range(line);
        let mut start = range.start + indent.min(lines.indent(line));
        let rest = lines.text[start..range.end].trim_start_matches(',');
        let commas = range.end - start - rest.len();
        if commas > 0 && (rest.starts_with('*') || rest.starts_with("#+")) {
            start += 1;
        }
        code.push_line(lines.text, start..range.end);
    }
    code
}

/// What stands on a line of `: ` output.
fn colon(line: &str) -> Option<usize> {
    let bare = line.trim_start();
    let at = line.len() - bare.len();
    if bare == ":" { Some(at + 1) } else { bare.starts_with(": ").then_some(at + 2) }
}

fn colons(lines: &Lines<'_>, first: usize, end: usize) -> Found {
    let mut code = Code::default();
    for line in first..end {
        let range = lines.range(line);
        code.push_line(lines.text, range.start + colon(lines.get(line)).unwrap_or(0)..range.end);
    }
    let prefix = format!("{}: ", lines.prefix(first));
    Found {
        attributes: Attributes { is_output: true, ..Attributes::default() },
        range: lines.range(first).start..lines.range(end - 1).end,
        code,
        body: lines.whole(first..end),
        shape: (lines.range(end).start > lines.range(end - 1).end).then(|| Shape::lines(&prefix)),
        ..Found::default()
    }
}
