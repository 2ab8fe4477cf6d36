//! Typst: raw blocks between at least three backticks, anywhere in the text. A language follows the opening right away.

use super::Found;
use super::attributes::Attributes;
use super::expected::{Forbidden, Shape};
use super::lines::Lines;
use super::update::Template;

pub(super) fn read(text: &str) -> Vec<Found> {
    let lines = Lines::new(text);
    let mut found = Vec::new();
    let mut line = 0;
    while line < lines.len() {
        let here = lines.get(line);
        // A comment of Typst.
        let Some(at) = here.find("```").filter(|_| !here.trim_start().starts_with("//")) else {
            line += 1;
            continue;
        };
        let length = here[at..].len() - here[at..].trim_start_matches('`').len();
        let info = &here[at + length..];
        let fence = "`".repeat(length);
        if info.contains(&fence) {
            // Opened and closed on one line: nothing that anybody runs.
            line += 1;
            continue;
        }
        let closes = |other: &usize| lines.get(*other).contains(&fence);
        let end = (line + 1..lines.len()).find(closes);
        let last = end.unwrap_or(lines.len().saturating_sub(1));
        // Code may begin on the opening line in Typst; a word right behind the mark is the language.
        let (label, attributes) = Attributes::of_info(info);
        let body = line + 1..end.unwrap_or(lines.len());
        let stop = lines.get(last).find(&fence).filter(|_| end.is_some());
        let own_line = stop.is_some_and(|stop| lines.get(last)[..stop].trim().is_empty());
        // As Typst has it, the closing mark counts for the indentation that all lines share.
        let mut indent = lines.common_indent(body.clone());
        if own_line {
            indent = indent.min(lines.indent(last));
        }
        let before = &here[..at];
        found.push(Found {
            label,
            attributes,
            range: lines.range(line).start + at
                ..lines.range(last).start + stop.map_or(lines.get(last).len(), |stop| stop + length),
            code: lines.code(body.clone(), indent),
            body: lines.whole(body.clone()),
            shape: own_line.then(|| Shape::lines(lines.prefix(last)).forbid(Forbidden::Contains(fence.clone()))),
            // Below it only where nothing else is on its lines, as in `#figure(```…```)`.
            output: (own_line
                && before.trim().is_empty()
                && lines.get(last)[stop.unwrap_or(0) + length..].trim().is_empty())
            .then(|| Template::fence('`')),
            prefix: lines.prefix(line).to_owned(),
        });
        line = last + 1;
    }
    found
}
