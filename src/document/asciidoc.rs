//! `AsciiDoc`: `[source,LANG]` above a listing (`----`), a literal block (`....`), or a paragraph; fences of Markdown.

use super::Found;
use super::attributes::Attributes;
use super::expected::{Forbidden, Shape};
use super::lines::Lines;
use super::update::Template;

pub(super) fn read(text: &str) -> Vec<Found> {
    let lines = Lines::new(text);
    let mut found = Vec::new();
    // What a `[…]` line said of the block below it.
    let mut said: Option<(Option<String>, Attributes)> = None;
    let mut line = 0;
    while line < lines.len() {
        let bare = lines.get(line).trim_end();
        if let Some(list) = bare.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            said = source(list).or(said);
            line += 1;
        } else if let Some(fence) = delimiter(bare) {
            let end = (line + 1..lines.len()).find(|other| lines.get(*other).trim_end() == fence);
            let info = bare.strip_prefix("```").map(Attributes::of_info);
            if let Some((label, attributes)) = said.take().or(info) {
                let body = line + 1..end.unwrap_or(lines.len());
                let last = end.unwrap_or(lines.len().saturating_sub(1));
                found.push(Found {
                    label,
                    attributes,
                    range: lines.range(line).start..lines.range(last).end,
                    code: lines.code(body.clone(), 0),
                    body: lines.whole(body),
                    shape: end.map(|_| Shape::lines("").forbid(Forbidden::Line(fence.to_owned()))),
                    output: end.map(|_| Template::delimited("[source,output]", "----")),
                    prefix: String::new(),
                });
            }
            line = end.map_or(lines.len(), |end| end + 1);
        } else if bare.is_empty() {
            line += 1;
        } else if bare.starts_with('.') && !bare.starts_with("..") || bare.starts_with("//") {
            // A title or a comment between.
            line += 1;
        } else {
            if let Some((label, attributes)) = said.take() {
                let end = (line..lines.len()).find(|other| lines.is_blank(*other)).unwrap_or(lines.len());
                found.push(Found {
                    label,
                    attributes,
                    range: lines.range(line).start..lines.range(end - 1).end,
                    code: lines.code(line..end, 0),
                    body: lines.whole(line..end),
                    ..Found::default()
                });
                line = end;
                continue;
            }
            line += 1;
        }
    }
    found
}

/// What a list of attributes says, when it is one of code: `source,LANG,…`, `,LANG`, `listing`, `output`.
fn source(list: &str) -> Option<(Option<String>, Attributes)> {
    let mut parts = list.splitn(3, ',');
    let style = parts.next()?.trim();
    let (style, _) = style.split_once(['%', '#']).unwrap_or((style, ""));
    if !matches!(style, "source" | "" | "listing" | "output") {
        return None;
    }
    let second = parts.next().unwrap_or_default().trim();
    // `[source,subs="…"]`: the second part may be a named one.
    let (label, rest) = if second.contains('=') { ("", list) } else { (second, parts.next().unwrap_or_default()) };
    let rest = rest.strip_prefix("source,").unwrap_or(rest);
    let label = if style == "output" { "output" } else { label };
    Some(Attributes::of_info(&format!("{label} {rest}")))
        .map(|(found, attributes)| (found.filter(|_| !label.is_empty()), attributes))
}

/// The line that closes a block that this line opens.
fn delimiter(line: &str) -> Option<&str> {
    let all = |mark: char, least: usize| line.len() >= least && line.chars().all(|character| character == mark);
    if all('-', 4) || all('.', 4) {
        return Some(line);
    }
    line.starts_with("```").then_some("```")
}
