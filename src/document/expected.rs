//! What a page promises of a block's output, and how each promise is written.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::Found;
use super::code::Code;
use super::line_start;
use super::transcript::{Prompt, Transcript};

/// A promise of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expectation {
    /// What is promised; its lines end in line feeds.
    pub text: String,
    /// The bytes of the document that say it, which a new promise replaces.
    pub range: Range<usize>,
    /// How it is written; `None` where it cannot be written anew.
    pub shape: Option<Shape>,
    /// Of which part of the output.
    pub against: Against,
}

/// A part of what a block prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Against {
    /// All of standard output.
    All,
    /// What came after one input of a transcript, by its number.
    Segment(usize),
    /// One line, by its number among the lines that are promised.
    Line(usize),
}

/// How a promise is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shape {
    /// Stands before each line.
    pub prefix: String,
    /// It is a part of a line: no line ends are written.
    pub inline: bool,
    /// The last line has no line end.
    pub open_end: bool,
    /// Stands for an empty line.
    pub blank: Option<&'static str>,
    /// How characters are spelled.
    pub escape: Escape,
    /// What cannot be written, since it would mean something else there.
    pub forbidden: Vec<Forbidden>,
}

/// How characters are spelled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Escape {
    /// As they are.
    #[default]
    None,
    /// `&lt;` and the like.
    Html,
    /// A comma before what Org takes for its own.
    Org,
}

/// What a line cannot be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Forbidden {
    /// It begins with a fence of at least so many of this character.
    Fence(char, usize),
    /// It begins so.
    Starts(String),
    /// It is this.
    Line(String),
    /// It has this in it.
    Contains(String),
}

impl Shape {
    /// Whole lines after a prefix.
    #[must_use]
    pub fn lines(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned(), ..Self::default() }
    }

    /// The same with something more that cannot be written.
    #[must_use]
    pub fn forbid(mut self, forbidden: Forbidden) -> Self {
        self.forbidden.push(forbidden);
        self
    }
}

/// `# => value`, and the same with the marks of other languages.
static VALUE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?:#|//|--|;+)\s?(?:=>|→)[ \t]*").expect("a valid pattern"));

/// `// Output:`, as Go's examples have it.
static OUTPUT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^([ \t]*)(#|//|--|;+)[ \t]?[Oo]utput:[ \t]*(.*)$").expect("a valid pattern"));

/// The promise of an output block.
pub(super) fn of_block(found: &Found) -> Expectation {
    let mut text = found.code.as_str().to_owned();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    Expectation { text, range: found.body.clone(), shape: found.shape.clone(), against: Against::All }
}

/// The promises in a block's own comments.
pub(super) fn of_comments(document: &str, code: &Code) -> Vec<Expectation> {
    let text = code.as_str();
    if !text.contains("=>") && !text.contains('→') && !text.contains("utput:") {
        return Vec::new();
    }
    let lines = code.lines();
    let heading = lines.iter().rposition(|line| OUTPUT.is_match(&text[line.clone()]));
    if let Some(heading) = heading
        && let Some(expectation) = of_output_comment(document, code, &lines, heading)
    {
        return vec![expectation];
    }
    let mut expected = Vec::new();
    for line in &lines {
        let Some(mark) = value_mark(&text[line.clone()]) else { continue };
        let start = line.start + mark.end;
        let value = text[start..line.end].trim_end();
        let Some(range) = code.range_to_document(&(start..start + value.len())) else { continue };
        expected.push(Expectation {
            text: format!("{value}\n"),
            range,
            shape: Some(Shape { inline: true, ..Shape::default() }),
            against: Against::Line(expected.len()),
        });
    }
    expected
}

/// The mark of a promised value on a line of code, up to the value.
pub(super) fn value_mark(line: &str) -> Option<Range<usize>> {
    let mark = VALUE.find_iter(line).last()?.range();
    // What stands in a string is no comment: its quote would be the value's last character. `=> {` opens a function.
    let in_string = line[..mark.start].matches(['"', '\'']).count() % 2 == 1;
    (!in_string && !line[mark.end..].trim_end().is_empty()).then_some(mark)
}

/// Comment lines from `// Output:` to the end of the block, or of the function.
fn of_output_comment(document: &str, code: &Code, lines: &[Range<usize>], heading: usize) -> Option<Expectation> {
    let whole = code.as_str();
    let captures = OUTPUT.captures(&whole[lines[heading].clone()])?;
    let (indent, mark) = (captures[1].len(), captures[2].to_owned());
    let mut text = captures[3].trim().to_owned();
    if !text.is_empty() {
        // All on the heading's own line.
        text.push('\n');
        let end = lines[heading].start + captures[0].trim_end().len();
        let start = end - (text.len() - 1);
        return Some(Expectation {
            text,
            range: code.range_to_document(&(start..end))?,
            shape: Some(Shape { inline: true, ..Shape::default() }),
            against: Against::All,
        });
    }
    let mut last = heading;
    let mut space = " ";
    for (index, line) in lines.iter().enumerate().skip(heading + 1) {
        let Some(rest) = whole[line.clone()].trim_start().strip_prefix(mark.as_str()) else { break };
        if last == heading && !rest.is_empty() && !rest.starts_with(' ') {
            space = "";
        }
        text.push_str(rest.strip_prefix(' ').unwrap_or(rest).trim_end());
        text.push('\n');
        last = index;
    }
    let first = code.to_document(lines[heading].start)?;
    let start = next_line(document, first);
    let end = next_line(document, code.to_document(lines[last].start)?);
    let prefix = &document[line_start(document, first)..first + indent];
    Some(Expectation {
        text,
        range: start..end,
        shape: Some(Shape { blank: Some(""), ..Shape::lines(&format!("{prefix}{mark}{space}")) }),
        against: Against::All,
    })
}

/// The promises of a transcript: what came out after each input.
pub(super) fn of_transcript(document: &str, code: &Code, transcript: &Transcript) -> Vec<Expectation> {
    let lines = code.lines();
    let expectation = |(number, example): (usize, &super::transcript::Example)| {
        let (first, last) = (example.input.start, example.input.end - 1);
        let mut text = String::new();
        for line in &lines[example.output.clone()] {
            let line = &code.as_str()[line.clone()];
            text.push_str(if line == transcript.prompt.blank().unwrap_or("\0") { "" } else { line });
            text.push('\n');
        }
        let begins = code.to_document(lines[first].start)?;
        let start = next_line(document, code.to_document(lines[last].start)?);
        let end = match example.output.clone().last() {
            Some(line) => next_line(document, code.to_document(lines[line].start)?),
            None => start,
        };
        let mut shape = Shape::lines(&document[line_start(document, begins)..begins]);
        shape.blank = transcript.prompt.blank();
        shape.forbidden = transcript.prompt.marks().iter().map(|mark| Forbidden::Starts((*mark).to_owned())).collect();
        // Without a line end before it there is no line to write on.
        let writable = document[..start].ends_with('\n');
        Some(Expectation {
            text,
            range: start..end,
            shape: writable.then_some(shape),
            against: Against::Segment(number),
        })
    };
    transcript.examples.iter().enumerate().filter(|(_, example)| !example.skipped).filter_map(expectation).collect()
}

impl Prompt {
    /// What stands for an empty line in the output.
    fn blank(self) -> Option<&'static str> {
        match self {
            Self::Python => Some("<BLANKLINE>"),
            Self::Shell => None,
        }
    }
}

/// The start of the line after the one that holds a byte.
fn next_line(document: &str, at: usize) -> usize {
    document[at..].find('\n').map_or(document.len(), |found| at + found + 1)
}
