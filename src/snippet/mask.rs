//! A text with its strings and comments blotted out, byte for byte, so that the frames can look for braces and keywords.
//!
//! It knows the tokens of each language and nothing of its grammar. In a mask every byte of a comment is a space, every
//! byte of a string literal is `"` (its line ends too: a line whose predecessor ends in `"` begins inside a string), a
//! preprocessor line is its `#` and spaces, and everything else is itself. It never fails: an unclosed literal ends at
//! the end of its line, or of the text where the language lets it go on.

use crate::language::Frame;

/// Stands for every byte of a string literal.
pub(super) const STRING: u8 = b'"';

/// The mask of a text.
pub(super) fn mask(text: &str, frame: Frame) -> Vec<u8> {
    let mut masker = Masker { text: text.as_bytes(), out: Vec::with_capacity(text.len()) };
    match frame {
        Frame::None => return text.as_bytes().to_vec(),
        Frame::Python => masker.python(),
        Frame::Shell => masker.shell(),
        Frame::Javascript | Frame::Cpp | Frame::Go | Frame::Java => masker.braces(frame),
    }
    masker.out
}

/// Whether a byte of a mask belongs to a name.
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || !byte.is_ascii()
}

/// The name that starts at `at`; empty when none does.
pub(super) fn word(mask: &[u8], at: usize) -> &[u8] {
    let rest = mask.get(at..).unwrap_or_default();
    &rest[..rest.iter().position(|&byte| !is_word(byte)).unwrap_or(rest.len())]
}

/// The first byte at or after `at` that is no white space.
pub(super) fn skip_space(mask: &[u8], at: usize) -> usize {
    let rest = mask.get(at..).unwrap_or_default();
    at + rest.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(rest.len())
}

/// The last byte before `at` that is no white space.
pub(super) fn before(mask: &[u8], at: usize) -> Option<u8> {
    mask[..at].iter().rev().copied().find(|byte| !byte.is_ascii_whitespace())
}

/// Whether a name occurs, and where first.
pub(super) fn find_word(mask: &[u8], name: &str) -> Option<usize> {
    memchr::memmem::find_iter(mask, name)
        .find(|&at| (at == 0 || !is_word(mask[at - 1])) && mask.get(at + name.len()).is_none_or(|&byte| !is_word(byte)))
}

struct Masker<'a> {
    text: &'a [u8],
    out: Vec<u8>,
}

impl Masker<'_> {
    fn rest(&self) -> &[u8] {
        &self.text[self.out.len()..]
    }

    fn keep(&mut self, count: usize) {
        let at = self.out.len();
        self.out.extend_from_slice(&self.text[at..(at + count).min(self.text.len())]);
    }

    fn fill(&mut self, count: usize, with: u8) {
        let count = count.min(self.text.len() - self.out.len());
        self.out.extend(std::iter::repeat_n(with, count));
    }

    fn line_comment(&mut self) {
        let rest = self.rest();
        let count = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        self.fill(count, b' ');
    }

    fn block_comment(&mut self) {
        let rest = self.rest();
        let count = memchr::memmem::find(&rest[2..], b"*/").map_or(rest.len(), |at| at + 4);
        self.fill(count, b' ');
    }

    /// A literal whose first `opening` bytes are its opening and that runs to `close`. On one line only, unless `lines`.
    fn string(&mut self, opening: usize, close: &[u8], escapes: bool, lines: bool) {
        let rest = self.rest();
        let mut at = opening;
        while at < rest.len() {
            match rest[at] {
                b'\\' if escapes => at += 1,
                b'\n' if !lines => break,
                _ if rest[at..].starts_with(close) => {
                    at += close.len();
                    break;
                }
                _ => {}
            }
            at += 1;
        }
        self.fill(at, STRING);
    }

    fn python(&mut self) {
        while let Some(&byte) = self.rest().first() {
            match byte {
                b'#' => self.line_comment(),
                b'"' if self.rest().starts_with(b"\"\"\"") => self.string(3, b"\"\"\"", true, true),
                b'\'' if self.rest().starts_with(b"'''") => self.string(3, b"'''", true, true),
                b'"' | b'\'' => self.string(1, &[byte], true, false),
                _ => self.keep(1),
            }
        }
    }

    fn braces(&mut self, frame: Frame) {
        // For each open hole of a JavaScript template, how many braces are open in it.
        let mut holes: Vec<usize> = Vec::new();
        while let Some(&byte) = self.rest().first() {
            let rest = self.rest();
            match byte {
                b'/' if rest.starts_with(b"//") => self.line_comment(),
                b'/' if rest.starts_with(b"/*") => self.block_comment(),
                b'/' if frame == Frame::Javascript && self.regex_may_start() => self.regex(),
                b'"' if frame == Frame::Java && rest.starts_with(b"\"\"\"") => self.string(3, b"\"\"\"", true, true),
                b'"' if frame == Frame::Cpp && self.raw_string_starts() => self.raw_string(),
                b'\'' if frame == Frame::Cpp && self.digit_separator() => self.fill(1, b'0'),
                b'"' | b'\'' => self.string(1, &[byte], true, false),
                b'`' if frame == Frame::Go => self.string(1, b"`", false, true),
                b'`' if frame == Frame::Javascript => self.template(1, &mut holes),
                b'{' if !holes.is_empty() => {
                    if let Some(open) = holes.last_mut() {
                        *open += 1;
                    }
                    self.keep(1);
                }
                b'}' if holes.last() == Some(&0) => {
                    holes.pop();
                    self.template(1, &mut holes);
                }
                b'}' if !holes.is_empty() => {
                    if let Some(open) = holes.last_mut() {
                        *open -= 1;
                    }
                    self.keep(1);
                }
                b'#' if frame == Frame::Cpp && self.line_is_blank_so_far() => self.directive(),
                b'#' if self.out.is_empty() && rest.starts_with(b"#!") => self.line_comment(),
                _ => self.keep(1),
            }
        }
    }

    /// The text of a JavaScript template up to its end or to the hole that opens next.
    fn template(&mut self, opening: usize, holes: &mut Vec<usize>) {
        let rest = self.rest();
        let mut at = opening;
        let mut hole = false;
        while at < rest.len() {
            match rest[at] {
                b'\\' => at += 1,
                b'`' => {
                    at += 1;
                    break;
                }
                b'$' if rest.get(at + 1) == Some(&b'{') => {
                    at += 2;
                    hole = true;
                    break;
                }
                _ => {}
            }
            at += 1;
        }
        self.fill(at, STRING);
        if hole {
            holes.push(0);
        }
    }

    /// After a value a slash divides; everywhere else it opens a regular expression.
    fn regex_may_start(&self) -> bool {
        let Some(last) = self.out.iter().rposition(|byte| !byte.is_ascii_whitespace()) else { return true };
        if is_word(self.out[last]) {
            let start = self.out[..last].iter().rposition(|&byte| !is_word(byte)).map_or(0, |at| at + 1);
            let keywords: [&[u8]; 11] =
                [b"return", b"typeof", b"case", b"in", b"of", b"delete", b"void", b"throw", b"else", b"do", b"await"];
            return keywords.contains(&&self.out[start..=last]);
        }
        !matches!(self.out[last], b')' | b']' | b'}' | STRING)
    }

    fn regex(&mut self) {
        let rest = self.rest();
        let (mut at, mut class) = (1, false);
        while at < rest.len() && rest[at] != b'\n' {
            match rest[at] {
                b'\\' => at += 1,
                b'[' => class = true,
                b']' => class = false,
                b'/' if !class => {
                    at += 1;
                    break;
                }
                _ => {}
            }
            at += 1;
        }
        self.fill(at, STRING);
    }

    fn raw_string_starts(&self) -> bool {
        [&b"R"[..], b"LR", b"uR", b"UR", b"u8R"].contains(&self.last_word())
    }

    fn raw_string(&mut self) {
        let rest = self.rest();
        let Some(open) = rest.iter().take(18).position(|&byte| byte == b'(') else {
            return self.string(1, b"\"", true, false);
        };
        let close = [b")", &rest[1..open], b"\""].concat();
        self.string(open + 1, &close, false, true);
    }

    /// A quote between digits, as in `1'000`, as against `u8'a'`.
    fn digit_separator(&self) -> bool {
        self.last_word().first().is_some_and(u8::is_ascii_digit)
    }

    /// The name or number just before; only the end of one that is longer than any prefix or number needs to be.
    fn last_word(&self) -> &[u8] {
        let recent = &self.out[self.out.len().saturating_sub(64)..];
        &recent[recent.iter().rposition(|&byte| !is_word(byte)).map_or(0, |at| at + 1)..]
    }

    fn line_is_blank_so_far(&self) -> bool {
        let last = self.out.iter().rev().find(|byte| **byte == b'\n' || !byte.is_ascii_whitespace());
        last.is_none_or(|&byte| byte == b'\n')
    }

    fn directive(&mut self) {
        self.keep(1);
        loop {
            let rest = self.rest();
            let count = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            let goes_on = count < rest.len() && rest[..count].trim_ascii_end().ends_with(b"\\");
            self.fill(count + usize::from(goes_on), b' ');
            if !goes_on {
                break;
            }
        }
    }

    fn shell(&mut self) {
        // Here-documents that begin after this line: their end, and whether tabs before it are ignored.
        let mut documents: Vec<(Vec<u8>, bool)> = Vec::new();
        while let Some(&byte) = self.rest().first() {
            let starts_word = self.out.last().is_none_or(|byte| byte.is_ascii_whitespace() || b";&|(".contains(byte));
            match byte {
                b'\\' => self.keep(2),
                b'#' if starts_word => self.line_comment(),
                b'\'' => self.string(1, b"'", false, true),
                b'"' => self.string(1, b"\"", true, true),
                b'<' if self.rest().starts_with(b"<<<") => self.keep(3),
                b'<' if self.rest().starts_with(b"<<") => documents.extend(self.here_document()),
                b'\n' if !documents.is_empty() => {
                    // The body's lines are data, its end must stand at its column: the mask makes them one string.
                    self.fill(1, STRING);
                    for (end, tabs) in documents.drain(..) {
                        self.here_document_body(&end, tabs);
                    }
                }
                _ => self.keep(1),
            }
        }
    }

    /// The opening `<<END`; a shift such as `1<<2` has no name after it.
    fn here_document(&mut self) -> Option<(Vec<u8>, bool)> {
        let rest = self.rest();
        let tabs = rest.get(2) == Some(&b'-');
        let start = 2 + usize::from(tabs);
        let start = start + rest[start..].iter().take_while(|&&byte| byte == b' ').count();
        let length = rest[start..]
            .iter()
            .position(|byte| !(is_word(*byte) || b"'\"\\-.".contains(byte)))
            .unwrap_or(rest.len() - start);
        let end: Vec<u8> =
            rest[start..start + length].iter().copied().filter(|byte| !b"'\"\\".contains(byte)).collect();
        let named = end.first().is_some_and(|&byte| byte.is_ascii_alphabetic() || byte == b'_');
        self.keep(start + length);
        named.then_some((end, tabs))
    }

    fn here_document_body(&mut self, end: &[u8], tabs: bool) {
        while !self.rest().is_empty() {
            let rest = self.rest();
            let count = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            let line = rest[..count].strip_suffix(b"\r").unwrap_or(&rest[..count]);
            let line = if tabs { line.trim_ascii_start() } else { line };
            if line == end {
                return self.fill(count, STRING);
            }
            self.fill(count + 1, STRING);
        }
    }
}
