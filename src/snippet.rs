//! What is run, and the way back: file, selection or block → [`Snippet`]. Pure; it knows no engine and no LSP.
//!
//! A program is made of whole lines. Each line is one of the document with some bytes taken off its start or its end, or
//! one of the frame that the language demands, which stands on lines of its own so that it never shifts a column.
//!
//! # What a selection is taken to mean
//!
//! - A part of one line is exactly that expression. White space around a selection is not part of it.
//! - Indentation that all its lines share is removed. A selection that starts in the middle of a line counts with the
//!   indentation of that line; lines that only carry a comment, and in Python the inner lines of a bracket, do not count.
//! - Lines that begin inside a string literal (or a here-document) keep every byte, so no string changes its value.
//! - The file's own top-level imports, includes, `using` lines and macros go in front, each mapped to its line.
//! - Other definitions of the file are *not* brought along: what runs is what is selected, and the compiler's "undefined"
//!   at its place says so. Neither is a `return` that was selected without its function made legal.
//! - Languages whose programs are more than statements get a frame: one file a language in `snippet/`.
//!
//! Lines of selections end in a line feed, whatever the document has.

mod builder;
mod cpp;
mod go;
mod java;
mod java_types;
mod javascript;
mod mask;
mod name;
mod pieces;
#[cfg(test)]
mod properties;
mod python;
mod selection;
mod template;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;

use self::builder::Builder;
pub(crate) use self::go::imports as go_imports;
use self::selection::Selection;
pub(crate) use self::template::is_expression;
use crate::document::code::Code;
use crate::language::{Frame, Language};
use crate::plan::SOURCE_LIMIT;
use crate::text::{Encoding, Text};

const BYTE_ORDER_MARK: char = '\u{feff}';

/// A program and the way from its bytes back to the document's.
#[derive(Debug, Clone)]
pub struct Snippet {
    /// The document it comes from.
    pub document: Text,
    /// The part of it that runs: everything, or the selection, in bytes.
    pub range: Range<usize>,
    /// The program as it is sent.
    pub program: Text,
    /// Name of its file in the sandbox.
    pub file_name: String,
    /// What the run step starts where a file name is not enough: the class with `main` in Java; else empty.
    pub entry: String,
    /// For each line of the program the byte offset in the document of what its first byte was, `None` for the frame's.
    /// Of a block, the offset in its code.
    pub lines: Vec<Option<usize>>,
    /// The code of a block, which leads on to the document.
    code: Option<Arc<(Text, Code)>>,
}

/// Why there is nothing to run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SnippetError {
    /// Nothing but white space.
    #[error("there is nothing to run: {0} is empty")]
    Empty(&'static str),
    /// It has NUL bytes.
    #[error("{what} is not text: byte {at} is NUL")]
    Binary {
        /// `the file` or `the selection`.
        what: &'static str,
        /// Offset of the first NUL byte.
        at: usize,
    },
    /// It is larger than [`SOURCE_LIMIT`].
    #[error("{what} has {size} bytes, and at most {SOURCE_LIMIT} are run")]
    TooLarge {
        /// `the file` or `the selection`.
        what: &'static str,
        /// Its bytes.
        size: usize,
    },
    /// A Go file of another package than `main` builds no program.
    #[error("a Go program is in package main, and this file is in package {0}; select the statements to run instead")]
    GoPackage(String),
}

impl Snippet {
    /// A whole file. `name` is the document's file name, used in the sandbox when it is harmless there.
    pub fn file(document: &Text, name: Option<&str>, language: &Language) -> Result<Self, SnippetError> {
        let text = document.as_str();
        check("the file", text)?;
        let skip = if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len_utf8() } else { 0 };
        let body = &text[skip..];
        // Where carriage returns were taken out, in bytes of the program.
        let mut removed: Vec<usize> = Vec::new();
        let program = if language.strip_carriage_returns && body.contains("\r\n") {
            let ends = body.match_indices("\r\n").map(|(at, _)| at).enumerate();
            removed = ends.map(|(before, at)| at - before).collect();
            Text::new(body.replace("\r\n", "\n"))
        } else if skip > 0 {
            Text::new(body)
        } else {
            document.clone()
        };
        let origin = |start: usize| skip + start + removed.partition_point(|&at| at < start);
        let lines = (0..program.line_count()).map(|line| program.line(line).map(|range| origin(range.start))).collect();
        let mut file_name = name::in_sandbox(name, language);
        let mut entry = String::new();
        match language.frame {
            Frame::None | Frame::Python | Frame::Cpp | Frame::Shell => {}
            Frame::Javascript => {
                if javascript::is_module(&mask::mask(body, Frame::Javascript)) {
                    file_name = name::of_module(&file_name);
                }
            }
            Frame::Go => go::check_package(body)?,
            Frame::Java => {
                let mask = mask::mask(body, Frame::Java);
                let start = java_types::start(body, &mask, &file_name);
                entry = start.entry.unwrap_or_else(|| "Main".to_owned());
                if let Some(class) = start.public {
                    file_name = format!("{class}.java");
                }
            }
        }
        Ok(Self { document: document.clone(), range: 0..text.len(), program, file_name, entry, lines, code: None })
    }

    /// A program that is not known yet: all that a plan needs to tell what its containers will have in common.
    #[must_use]
    pub fn placeholder(language: &Language) -> Self {
        let document = Text::new("");
        let (program, lines) = (document.clone(), Vec::new());
        Self {
            document,
            range: 0..0,
            program,
            file_name: language.file_name.clone(),
            entry: String::new(),
            lines,
            code: None,
        }
    }

    /// A selection, in bytes of the document: common indentation removed, the language's frame added, imports kept.
    pub fn selection(
        document: &Text,
        range: Range<usize>,
        name: Option<&str>,
        language: &Language,
    ) -> Result<Self, SnippetError> {
        let text = document.as_str();
        if text.len() as u64 > SOURCE_LIMIT {
            return Err(SnippetError::TooLarge { what: "the file", size: text.len() });
        }
        let range = selection::clamp(text, range);
        check("the selection", &text[range.clone()])?;
        let selection =
            Selection::new(text, range.clone(), language.frame).ok_or(SnippetError::Empty("the selection"))?;
        let mut file_name = name::in_sandbox(name, language);
        let mut entry = String::new();
        let mut builder = Builder::new(text);
        match language.frame {
            Frame::None => template::frame(&mut builder, &selection, &language.selection),
            Frame::Shell => template::value(&mut builder, &selection, 0, &language.selection.value),
            Frame::Python => python::frame(&mut builder, &selection, &language.selection.value),
            Frame::Javascript => {
                if javascript::frame(&mut builder, &selection, &file_name, &language.selection.value) {
                    file_name = name::of_module(&file_name);
                }
            }
            Frame::Cpp => cpp::frame(&mut builder, &selection),
            Frame::Go => go::frame(&mut builder, &selection),
            Frame::Java => {
                let start = java::frame(&mut builder, &selection);
                file_name = format!("{}.java", start.public.as_deref().unwrap_or("Main"));
                entry = start.entry.unwrap_or_else(|| "Main".to_owned());
            }
        }
        let (program, lines) = builder.finish();
        Ok(Self { document: document.clone(), range, program: Text::new(program), file_name, entry, lines, code: None })
    }

    /// A code block, or several put together, of a document whose `range` it is. `framed` adds what the language needs around
    /// statements; without it the code is taken for a whole file.
    pub fn block(
        document: &Text,
        range: Range<usize>,
        code: Code,
        name: Option<&str>,
        language: &Language,
        framed: bool,
    ) -> Result<Self, SnippetError> {
        check("the block", code.as_str())?;
        let text = Text::new(code.as_str());
        let snippet = if framed {
            Self::selection(&text, 0..code.len(), name, language)
        } else {
            Self::file(&text, name, language)
        };
        Ok(Self { document: document.clone(), range, code: Some(Arc::new((text, code))), ..snippet? })
    }

    /// A part of a code block, `selected` in bytes of the document: taken as a selection of the block's code.
    pub fn block_selection(
        document: &Text,
        selected: Range<usize>,
        code: Code,
        name: Option<&str>,
        language: &Language,
    ) -> Result<Self, SnippetError> {
        let text = Text::new(code.as_str());
        let snippet = Self::selection(&text, code.part(&selected), name, language)?;
        let range = code.range_to_document(&snippet.range).unwrap_or(selected);
        Ok(Self { document: document.clone(), range, code: Some(Arc::new((text, code))), ..snippet })
    }

    /// Byte range of the document for a byte range of the program; `None` when it starts in the frame.
    ///
    /// An end in the frame, or at the very start of a line, means the end of the last line of the document before it.
    #[must_use]
    pub fn map(&self, span: &Range<usize>) -> Option<Range<usize>> {
        let first = self.program.position(span.start, Encoding::Utf8);
        let start = self.map_column(first.line, first.character)?;
        let last = self.program.position(span.end.max(span.start), Encoding::Utf8);
        let end = if last.line > first.line && last.character == 0 {
            self.end_before(first.line, last.line)
        } else {
            self.map_column(last.line, last.character).or_else(|| self.end_before(first.line, last.line))
        };
        let range = start..end.unwrap_or(start).max(start);
        match &self.code {
            None => Some(range),
            Some(code) => code.1.range_to_document(&range),
        }
    }

    fn map_column(&self, line: u32, column: u32) -> Option<usize> {
        let origin = (*self.lines.get(line as usize)?)?;
        let text = self.code.as_ref().map_or(&self.document, |code| &code.0);
        let line = text.position(origin, Encoding::Utf8).line;
        let end = text.line(line).map_or(origin, |range| range.end);
        Some((origin + column as usize).min(end.max(origin)))
    }

    /// End of the last line of the document among the program's lines `first..line`.
    fn end_before(&self, first: u32, line: u32) -> Option<usize> {
        (first..line).rev().find_map(|line| {
            let range = self.program.line(line)?;
            self.map_column(line, u32::try_from(range.len()).unwrap_or(u32::MAX))
        })
    }
}

fn check(what: &'static str, text: &str) -> Result<(), SnippetError> {
    if text.len() as u64 > SOURCE_LIMIT {
        return Err(SnippetError::TooLarge { what, size: text.len() });
    }
    if let Some(at) = memchr::memchr(0, text.as_bytes()) {
        return Err(SnippetError::Binary { what, at });
    }
    if text.trim_start_matches(BYTE_ORDER_MARK).trim().is_empty() {
        return Err(SnippetError::Empty(what));
    }
    Ok(())
}
