//! Selections by the table's own words: what of the file is kept, what goes around statements, what prints a value.
//!
//! It reads lines, not tokens: patterns of the row say which lines of the file are imports, what makes a selection a program
//! or a definition already, and what an expression never is.

use std::ops::Range;

use regex::Regex;

use super::builder::Builder;
use super::selection::Selection;
use crate::language::{Selections, Value};

/// Frames a selection.
pub(super) fn frame(builder: &mut Builder<'_>, selection: &Selection<'_>, words: &Selections) {
    let text = selection.text();
    let is = |pattern: &str| matches(pattern, text);
    if is(&words.entry) {
        // A program already; what it needs from the rest of the file comes along.
        keep(builder, selection, words);
        builder.selection(selection, 0..selection.len());
        return;
    }
    for line in &words.head {
        builder.frame(line);
    }
    keep(builder, selection, words);
    let first = leading(text, &words.keep);
    if first > 0 {
        builder.selection(selection, 0..first);
    }
    let rest = &text[first..];
    if rest.trim().is_empty() || matches(&words.items, rest.trim_start()) {
        if first < text.len() {
            builder.selection(selection, first..selection.len());
        }
        for line in &words.main {
            builder.frame(line);
        }
        return;
    }
    for line in &words.before {
        builder.frame(line);
    }
    value(builder, selection, first, &words.value);
    for line in &words.after {
        builder.frame(line);
    }
}

/// The selection from a byte of it on, with what prints its value where it is one expression.
pub(super) fn value(builder: &mut Builder<'_>, selection: &Selection<'_>, first: usize, value: &Value) {
    let printed = !value.before.is_empty() && is_expression(&selection.text()[first..], value);
    for line in value.before.iter().filter(|_| printed) {
        builder.frame(line);
    }
    builder.selection(selection, first..selection.len());
    for line in value.after.iter().filter(|_| printed) {
        builder.frame(line);
    }
}

/// Lines of the file that are imports, outside the selection.
fn keep(builder: &mut Builder<'_>, selection: &Selection<'_>, words: &Selections) {
    let Some(pattern) = compiled(&words.keep) else { return };
    let own = selection.range();
    let mut start = 0;
    for line in selection.document.split_inclusive('\n') {
        let range: Range<usize> = start..start + line.trim_end_matches(['\n', '\r']).len();
        start += line.len();
        if (range.end <= own.start || own.end <= range.start) && pattern.is_match(&selection.document[range.clone()]) {
            builder.document(range);
        }
    }
}

/// Bytes of the imports, comments and blank lines that a selection begins with.
fn leading(text: &str, keep: &str) -> usize {
    let Some(pattern) = compiled(keep) else { return 0 };
    let mut end = 0;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        at += line.len();
        if pattern.is_match(line.trim()) {
            end = at;
        } else if !line.trim().is_empty() {
            break;
        }
    }
    end
}

/// Whether a text is one expression, as far as its characters tell: one line, its brackets closed, nothing assigned, and
/// no word at its start that begins a statement.
pub(crate) fn is_expression(text: &str, value: &Value) -> bool {
    let text = text.trim();
    if text.is_empty() || text.contains(['\n', '\r']) || matches(&value.never, text) {
        return false;
    }
    if !value.only.is_empty() {
        return matches(&value.only, text);
    }
    let mut depth = 0_i32;
    let mut quote: Option<char> = None;
    let mut characters = text.chars().peekable();
    let mut previous = ' ';
    while let Some(character) = characters.next() {
        if let Some(open) = quote {
            match character {
                '\\' => {
                    characters.next();
                }
                _ if character == open => quote = None,
                _ => {}
            }
        } else {
            match character {
                '"' | '\'' | '`' => quote = Some(character),
                '(' | '[' | '{' => depth += 1,
                ')' | ']' | '}' => depth -= 1,
                ';' => return false,
                '=' if depth == 0 => {
                    let next = characters.peek().copied().unwrap_or(' ');
                    let compares = matches!(previous, '=' | '!' | '<' | '>' | '~') || matches!(next, '=' | '>' | '~');
                    if !compares {
                        return false;
                    }
                }
                _ => {}
            }
            if depth < 0 {
                return false;
            }
        }
        previous = character;
    }
    depth == 0 && quote.is_none() && !previous.is_whitespace() && !matches!(previous, ':' | ',' | '\\' | '{')
}

fn matches(pattern: &str, text: &str) -> bool {
    compiled(pattern).is_some_and(|pattern| pattern.is_match(text))
}

/// `None` for no pattern. The configuration refused bad ones.
fn compiled(pattern: &str) -> Option<Regex> {
    (!pattern.is_empty()).then(|| Regex::new(pattern).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::Languages;

    #[test]
    fn every_pattern_of_the_table_is_one() {
        for language in Languages::built_in().0.values() {
            for pattern in language.selection.patterns() {
                assert!(pattern.is_empty() || Regex::new(pattern).is_ok(), "{}: {pattern}", language.name);
            }
        }
    }

    #[test]
    fn an_expression_is_told_from_a_statement() {
        let python = &Languages::built_in().named("python").unwrap().selection.value;
        for text in ["1 + 2", "sum([1, 2])", "a == b", "f(x=1)", "'a = b'", "[x for x in y]", "x <= 3", "not_a_keyword"]
        {
            assert!(is_expression(text, python), "{text}");
        }
        for text in ["x = 1", "x += 1", "import os", "a\nb", "f(", "if x:", "x; y", "return x", "'open", "print(1)", ""]
        {
            assert!(!is_expression(text, python), "{text}");
        }
        let shell = &Languages::built_in().named("sh").unwrap().selection.value;
        assert!(is_expression("(1 + 2) * 3", shell) && !is_expression("ls", shell) && !is_expression("12", shell));
    }
}
