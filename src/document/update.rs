//! A new promise as an edit: what was printed, written as the page writes it, and no other byte touched.

use std::ops::Range;

use super::expected::{Escape, Expectation, Forbidden, Shape};
use super::{Block, line_end};

/// A replacement of bytes of the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// What is replaced.
    pub range: Range<usize>,
    /// By what.
    pub text: String,
}

/// How an output block is written below a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template {
    /// Lines before the output, each after the block's prefix.
    before: Vec<String>,
    /// Lines after it.
    after: Vec<String>,
    /// Added to the prefix of the output's lines.
    indent: &'static str,
    /// A fence that must be longer than any in the output.
    fence: Option<char>,
    shape: Shape,
}

impl Template {
    /// A fence of Markdown.
    pub(crate) fn fence(mark: char) -> Self {
        Self { fence: Some(mark), ..Self::lines(&[""], &[], "") }
    }

    /// Lines before and after the output, which is indented more than the block.
    pub(crate) fn lines(before: &[&str], after: &[&str], indent: &'static str) -> Self {
        let owned = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
        Self { before: owned(before), after: owned(after), indent, fence: None, shape: Shape::default() }
    }

    /// A listing of `AsciiDoc`.
    pub(crate) fn delimited(head: &str, mark: &str) -> Self {
        let mut template = Self::lines(&["", head, mark], &[mark], "");
        template.shape.forbidden.push(Forbidden::Line(mark.to_owned()));
        template
    }

    /// The results of Org.
    pub(crate) fn example() -> Self {
        let mut template = Self::lines(&["", "#+RESULTS:", "#+begin_example"], &["#+end_example"], "");
        template.shape.forbidden.extend(["#+end", "#+END"].map(|start| Forbidden::Starts(start.to_owned())));
        template.escaped(Escape::Org)
    }

    /// The same with characters spelled so.
    pub(crate) fn escaped(mut self, escape: Escape) -> Self {
        self.shape.escape = escape;
        self
    }
}

/// The edit that makes a promise true; an error says why it cannot be written there.
pub fn rewrite(document: &str, expectation: &Expectation, seen: &str) -> Result<Edit, String> {
    let Some(shape) = &expectation.shape else {
        return Err("it has no end of its own to write before".to_owned());
    };
    let text = if shape.inline {
        let value = seen.trim_end();
        if value.contains(['\n', '\r']) || value.is_empty() {
            return Err("what was printed is not one line, and the promise is".to_owned());
        }
        refuse(shape, value)?;
        value.to_owned()
    } else {
        let newline = newline(document, expectation.range.start);
        let text = written(shape, seen, newline)?;
        if shape.open_end { text.strip_suffix(newline).unwrap_or(&text).to_owned() } else { text }
    };
    Ok(Edit { range: expectation.range.clone(), text })
}

/// The edit that puts an output block below a block; an error says why there can be none.
pub fn insertion(document: &str, block: &Block, seen: &str) -> Result<Edit, String> {
    let none = || "there is no place for an output block below this one".to_owned();
    let template = block.output.as_ref().ok_or_else(none)?;
    let at = line_end(document, block.range.end);
    let newline = newline(document, block.range.start);
    let mut shape = template.shape.clone();
    shape.prefix = format!("{}{}", block.prefix, template.indent);
    let (mut before, mut after) = (template.before.clone(), template.after.clone());
    if let Some(mark) = template.fence {
        let longest = seen.split(|character| character != mark).map(str::len).max().unwrap_or(0);
        let fence = mark.to_string().repeat(longest.max(2) + 1);
        before.push(format!("{fence}output"));
        after.push(fence);
    }
    let line = |line: &String| format!("{newline}{}", format!("{}{line}", block.prefix).trim_end());
    let body = written(&shape, seen, newline)?;
    let body = body.strip_suffix(newline).map_or(String::new(), |body| format!("{newline}{body}"));
    let text = before.iter().map(line).chain([body]).chain(after.iter().map(line)).collect();
    Ok(Edit { range: at..at, text })
}

/// Lines as the page writes them.
fn written(shape: &Shape, seen: &str, newline: &str) -> Result<String, String> {
    let mut text = String::new();
    for line in seen.trim_end_matches(['\n', '\r']).split('\n').take_while(|_| !seen.trim().is_empty()) {
        let line = line.trim_end();
        let line = match shape.blank {
            Some(blank) if line.is_empty() => blank,
            _ => line,
        };
        refuse(shape, line)?;
        let line = escape(shape.escape, line);
        text.push_str(format!("{}{line}", shape.prefix).trim_end());
        text.push_str(newline);
    }
    Ok(text)
}

fn refuse(shape: &Shape, line: &str) -> Result<(), String> {
    if line.chars().any(|character| character.is_control() && character != '\t') {
        return Err("the output has control characters".to_owned());
    }
    let bare = line.trim_start();
    let broken = shape.forbidden.iter().any(|forbidden| match forbidden {
        Forbidden::Fence(mark, length) => bare.len() - bare.trim_start_matches(*mark).len() >= *length,
        Forbidden::Starts(start) => line.starts_with(start.as_str()) || line == start.trim_end(),
        Forbidden::Line(whole) => line == whole,
        Forbidden::Contains(part) => line.contains(part.as_str()),
    });
    if broken { Err(format!("the output has a line that would mean something else there: {line}")) } else { Ok(()) }
}

fn escape(escape: Escape, line: &str) -> String {
    match escape {
        Escape::Html => line.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"),
        Escape::Org if line.starts_with(['*', ',']) || line.starts_with("#+") => format!(",{line}"),
        Escape::None | Escape::Org => line.to_owned(),
    }
}

/// The line end that the document has around a byte.
fn newline(document: &str, at: usize) -> &'static str {
    let end = document[at..].find('\n').map(|found| at + found).or_else(|| document[..at].rfind('\n'));
    if end.is_some_and(|end| document[..end].ends_with('\r')) { "\r\n" } else { "\n" }
}
