//! Code blocks of documents: where they are, what they say of themselves, what the page promises of their output. Pure; it
//! knows no engine and no LSP.
//!
//! # Map
//!
//! | module | owns |
//! |---|---|
//! | `format` | which documents have blocks |
//! | `markdown`, `mdx`, `restructured`, `asciidoc`, `org`, `typst`, `html`, `doc_comments` | one reader a format: text → blocks as they stand |
//! | `code` | code taken out of a document, and the way back from its bytes |
//! | `attributes` | what a block says of itself |
//! | `comments` | comments above a block, whatever the format writes them like |
//! | `transcript` | blocks with prompts: what was typed, what came out |
//! | `expected` | what the page promises: output blocks, transcripts, comments |
//! | `compare` | a promise against what was printed |
//! | `update` | a new promise, as an edit that touches no other byte |
//! | `verdict` | how a block ended against how it has to end |
//! | `program` | a block, or a session of them → the program that runs |
//! | `values` | expressions whose values the page promises → lines that print them |
//! | `sieve` | what a program printed → what the block asked for printed |
//!
//! # Invariants
//!
//! - The code of a block is byte for byte what a reader of the page sees, its lines ended by line feeds. Every byte of it
//!   leads to the bytes of the document it stands for, however deep the block is nested or quoted, and back.
//! - A reader never panics and takes time linear in the document, whatever the document has.
//! - Nothing that a page says loosens a sandbox. What it asked for in vain is in [`Block::remarks`].

mod asciidoc;
mod attributes;
pub mod code;
mod comments;
pub mod compare;
mod doc_comments;
mod expected;
mod format;
#[cfg(test)]
mod format_tests;
mod html;
mod lines;
mod markdown;
mod mdx;
mod org;
mod program;
#[cfg(test)]
mod properties;
mod restructured;
mod sieve;
#[cfg(test)]
mod tests;
mod transcript;
mod typst;
pub mod update;
mod values;
pub mod verdict;

use std::ops::Range;

pub use self::attributes::Attributes;
use self::code::Code;
pub use self::expected::{Against, Expectation, Shape};
pub use self::format::Format;
pub use self::program::{Program, ProgramError, program};
pub use self::sieve::Sieve;
pub use self::transcript::{Prompt, Transcript};
use crate::language::{Language, Languages};
use crate::text::Text;

/// The blocks of one document.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// In the order of the document.
    pub blocks: Vec<Block>,
    /// It is a file of Go, whose imports its examples take for granted.
    pub(crate) is_go: bool,
}

/// One code block.
#[derive(Debug, Clone)]
pub struct Block {
    /// What the page calls its language.
    pub label: Option<String>,
    /// What it says of itself.
    pub attributes: Attributes,
    /// All of it in the document, fences and all: whole lines but for the first one's prefix and the last one's line end.
    pub range: Range<usize>,
    /// Its code.
    pub code: Code,
    /// What stands before each of its lines: quote marks, indentation, comment marks.
    pub prefix: String,
    /// What was typed and what came out, of a block with prompts.
    pub transcript: Option<Transcript>,
    /// What the page promises of its output.
    pub expected: Vec<Expectation>,
    /// What has to be said of it: what it asked for in vain, what is odd about it.
    pub remarks: Vec<String>,
    /// How an output block is written in this place; `None` where the format has none.
    pub(crate) output: Option<update::Template>,
}

/// A block as a reader finds it.
#[derive(Debug, Clone, Default)]
struct Found {
    label: Option<String>,
    attributes: Attributes,
    range: Range<usize>,
    code: Code,
    prefix: String,
    /// The lines between its fences, in bytes of the document.
    body: Range<usize>,
    /// How a promise in it is written anew; `None` when it cannot be, for it has no end of its own.
    shape: Option<Shape>,
    output: Option<update::Template>,
}

impl Page {
    /// Reads the blocks of a document.
    #[must_use]
    pub fn read(format: Format, document: &Text) -> Self {
        let text = document.as_str();
        let found = match format {
            Format::Markdown => markdown::read(text),
            Format::Mdx => mdx::read(text),
            Format::Quarto => cells(markdown::read(text)),
            Format::Restructured => restructured::read(text),
            Format::AsciiDoc => asciidoc::read(text),
            Format::Org => org::read(text),
            Format::Typst => typst::read(text),
            Format::Html => html::read(text),
            Format::Rust => doc_comments::rust(text),
            Format::Python => doc_comments::python(text),
            Format::Go => doc_comments::go(text),
            Format::JavaScript => doc_comments::javascript(text, "javascript"),
            Format::TypeScript => doc_comments::javascript(text, "typescript"),
        };
        Self { is_go: format == Format::Go, ..Self::finish(document, found) }
    }

    fn finish(document: &Text, found: Vec<Found>) -> Self {
        let text = document.as_str();
        let mut blocks: Vec<Block> = Vec::with_capacity(found.len());
        // The last block whose output may follow, and whether some has.
        let mut owner: Option<(usize, bool)> = None;
        for found in found {
            let above = comments::above(text, found.range.start);
            let mut attributes = found.attributes.clone().merged(above);
            comments::inside(&found.code, &mut attributes);
            if attributes.is_output {
                match owner {
                    Some((index, false)) => {
                        blocks[index].expected.push(expected::of_block(&found));
                        owner = Some((index, true));
                    }
                    Some((index, true)) => {
                        let line = document.position(found.range.start, crate::text::Encoding::Utf8).line + 1;
                        let remark =
                            format!("a second output block follows it on line {line}: only the first one counts");
                        blocks[index].remarks.push(remark);
                    }
                    None => {}
                }
                continue;
            }
            let transcript = transcript::read(found.label.as_deref(), &found.code);
            let expected = transcript.as_ref().map_or_else(
                || expected::of_comments(text, &found.code),
                |transcript| expected::of_transcript(text, &found.code, transcript),
            );
            owner = Some((blocks.len(), !expected.is_empty()));
            let remarks = std::mem::take(&mut attributes.remarks);
            blocks.push(Block {
                label: found.label,
                attributes,
                range: found.range,
                code: found.code,
                prefix: found.prefix,
                transcript,
                expected,
                remarks,
                output: found.output,
            });
        }
        Self { blocks, is_go: false }
    }

    /// The block that a byte of the document lies in or beside, by its number.
    #[must_use]
    pub fn at(&self, document: &Text, offset: usize) -> Option<usize> {
        let text = document.as_str();
        let after = self.blocks.partition_point(|block| line_start(text, block.range.start) <= offset);
        // Doc comments nest no blocks, so the last one that begins before is the one, if it has not ended.
        let index = after.checked_sub(1)?;
        let end = line_end(text, self.blocks[index].range.end);
        (offset <= end).then_some(index)
    }

    /// The block of a name, or of a number counted from 1.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<usize> {
        let by_name = self.blocks.iter().position(|block| block.attributes.name.as_deref() == Some(name));
        let number = || name.parse::<usize>().ok()?.checked_sub(1).filter(|index| *index < self.blocks.len());
        by_name.or_else(number)
    }
}

impl Block {
    /// Its language: what the page calls it, else by its `#!` line.
    #[must_use]
    pub fn language<'a>(&self, languages: &'a Languages) -> Option<&'a Language> {
        if let Some(transcript) = &self.transcript {
            return languages.named(transcript.prompt.language());
        }
        match self.label.as_deref() {
            Some(label) => languages.named(label).or_else(|| {
                // A path or an extension, as some pages have it: `main.py`, `mjs`.
                let extension = label.rsplit('.').next().unwrap_or(label);
                languages.of(std::path::Path::new(&format!("a.{extension}")), "")
            }),
            None => languages.of(std::path::Path::new(""), self.code.as_str()),
        }
    }

    /// Why it is not run when all are, if so.
    #[must_use]
    pub fn skipped(&self, languages: &Languages) -> Option<String> {
        if let Some(reason) = &self.attributes.skip {
            return Some(reason.clone());
        }
        if self.language(languages).is_none() {
            return Some(
                self.label
                    .as_deref()
                    .map_or_else(|| NO_LANGUAGE.to_owned(), |label| format!("its language `{label}` is not known")),
            );
        }
        if self.code.as_str().trim().is_empty() {
            return Some("it is empty".to_owned());
        }
        None
    }
}

/// Why a block is not run that nobody labelled, as the text of a configuration or a drawing.
pub(crate) const NO_LANGUAGE: &str = "it names no language";

/// The session of blocks that share one without naming it.
const SHARED: &str = "\u{1e}";

/// Cells of a notebook go on where the one before ended.
fn cells(mut found: Vec<Found>) -> Vec<Found> {
    for block in found.iter_mut().filter(|block| block.attributes.is_cell) {
        block.attributes.session.get_or_insert_with(|| SHARED.to_owned());
    }
    found
}

/// The start of the line that holds a byte.
pub(crate) fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |at| at + 1)
}

/// The end of the line that holds a byte, before its line end.
pub(crate) fn line_end(text: &str, at: usize) -> usize {
    let end = text[at..].find('\n').map_or(text.len(), |found| at + found);
    if end > at && text[..end].ends_with('\r') { end - 1 } else { end }
}
