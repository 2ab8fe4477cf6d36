//! What a program printed → what the block asked for printed. Marks that the page cannot know part one from the other.
//!
//! A mark is a control character, the nonce of this run, a letter and a line feed. The nonce is made after the page was
//! written; a block could read it from its own program and deceive its own page about its own output, and nothing else.

use super::compare::Printed;
use crate::protocol::Stream;

/// Begins each mark.
const BELL: char = '\u{1e}';

/// Bytes of the output before the block that are kept, to say what went wrong there.
const BEFORE_LIMIT: usize = 4096;

/// Takes output in the pieces in which it comes.
#[derive(Debug, Clone)]
pub struct Sieve {
    nonce: String,
    /// Output before the mark belongs to blocks that the one asked for builds on.
    waits: [bool; 2],
    held: [String; 2],
    before: [String; 2],
    all: [String; 2],
    segments: [Vec<String>; 2],
    segment: [String; 2],
}

/// The letter of the mark where the block asked for begins.
const BEGIN: char = 'B';
/// The letter of the mark after each input of a transcript.
const NEXT: char = 'N';

impl Sieve {
    /// A sieve for marks with this nonce. `waits` says that blocks come before the one asked for.
    #[must_use]
    pub fn new(nonce: &str, waits: bool) -> Self {
        Self {
            nonce: nonce.to_owned(),
            waits: [waits; 2],
            held: Default::default(),
            before: Default::default(),
            all: Default::default(),
            segments: Default::default(),
            segment: Default::default(),
        }
    }

    /// Marks come on standard output alone: all of standard error is shown, whichever block it is of.
    #[must_use]
    pub(super) fn without_stderr(mut self) -> Self {
        self.waits[1] = false;
        self
    }

    /// The mark where the block asked for begins.
    pub(super) fn begin_mark(nonce: &str) -> String {
        format!("{BELL}{nonce}{BEGIN}\n")
    }

    /// The mark after each input of a transcript.
    pub(super) fn next_mark(nonce: &str) -> String {
        format!("{BELL}{nonce}{NEXT}\n")
    }

    /// Takes what was printed; gives what of it the block asked for printed. What may be the start of a mark is held back.
    pub fn push(&mut self, stream: Stream, text: &str) -> String {
        let index = usize::from(stream == Stream::Stderr);
        let mut held = std::mem::take(&mut self.held[index]);
        held.push_str(text);
        let mut shown = String::new();
        let mut rest = held.as_str();
        while let Some(at) = rest.find(BELL) {
            shown.push_str(&self.take(index, &rest[..at]));
            rest = &rest[at..];
            let body = &rest[BELL.len_utf8()..];
            let whole = self.nonce.len() + 2;
            let known = body.bytes().zip(self.nonce.bytes()).all(|(one, other)| one == other);
            if !known {
                shown.push_str(&self.take(index, &rest[..BELL.len_utf8()]));
                rest = body;
                continue;
            }
            if body.len() < whole {
                break;
            }
            let mark = body.get(self.nonce.len()..whole);
            if mark == Some("B\n") {
                self.waits[index] = false;
                rest = &body[whole..];
            } else if mark == Some("N\n") {
                let segment = std::mem::take(&mut self.segment[index]);
                if !self.waits[index] {
                    self.segments[index].push(segment);
                }
                rest = &body[whole..];
            } else {
                shown.push_str(&self.take(index, &rest[..BELL.len_utf8()]));
                rest = body;
            }
        }
        if !rest.starts_with(BELL) {
            shown.push_str(&self.take(index, rest));
            rest = "";
        }
        rest.clone_into(&mut self.held[index]);
        shown
    }

    fn take(&mut self, index: usize, text: &str) -> String {
        if self.waits[index] {
            let before = &mut self.before[index];
            before.push_str(text);
            if before.len() > 2 * BEFORE_LIMIT {
                let mut cut = before.len() - BEFORE_LIMIT;
                while !before.is_char_boundary(cut) {
                    cut += 1;
                }
                before.drain(..cut);
            }
            return String::new();
        }
        self.all[index].push_str(text);
        self.segment[index].push_str(text);
        text.to_owned()
    }

    /// The program ended: gives what was held back of a stream.
    pub fn finish(&mut self, stream: Stream) -> String {
        let index = usize::from(stream == Stream::Stderr);
        let held = std::mem::take(&mut self.held[index]);
        self.take(index, &held)
    }

    /// Whether a block that the one asked for builds on did not end well, so that the latter never began.
    #[must_use]
    pub fn never_began(&self) -> bool {
        self.waits[0]
    }

    /// The end of what blocks before the one asked for said on standard error, or else on standard output.
    #[must_use]
    pub fn before(&self) -> &str {
        let [stdout, stderr] = &self.before;
        if stderr.trim().is_empty() { stdout } else { stderr }
    }

    /// Everything the block printed.
    #[must_use]
    pub fn printed(&self) -> Printed {
        let [stdout, stderr] = self.all.clone();
        let [one, other] = &self.segments;
        let mut segments: Vec<[String; 2]> = Vec::with_capacity(one.len());
        for (index, stdout) in one.iter().enumerate() {
            segments.push([stdout.clone(), other.get(index).cloned().unwrap_or_default()]);
        }
        Printed { stdout, stderr, segments }
    }
}

/// Lines that print the mark where the block asked for begins, in languages whose statements stand one after the other.
pub(super) fn begin_statements(language: &str, nonce: &str) -> Option<String> {
    let mark = Sieve::begin_mark(nonce).replace('\n', "\\n");
    let hex = mark.replace('\u{1e}', "\\x1e");
    let octal = mark.replace('\u{1e}', "\\036");
    Some(match language {
        "python" => format!(
            "__import__(\"sys\").stdout.flush(); __import__(\"os\").write(1, b\"{hex}\"); __import__(\"sys\").stderr.flush(); __import__(\"os\").write(2, b\"{hex}\")\n"
        ),
        "javascript" | "typescript" => format!(";process.stdout.write(\"{hex}\"); process.stderr.write(\"{hex}\");\n"),
        "shell" | "bash" => format!("printf '{octal}'; printf '{octal}' >&2\n"),
        "ruby" => format!("$stdout.write(\"{hex}\"); $stdout.flush; $stderr.write(\"{hex}\")\n"),
        "perl" => format!("{{ local $| = 1; print STDOUT \"{octal}\"; print STDERR \"{octal}\"; }}\n"),
        "lua" => format!("io.stdout:write(\"{hex}\"); io.stdout:flush(); io.stderr:write(\"{hex}\");\n"),
        "r" => format!("cat(\"{octal}\"); cat(\"{octal}\", file = stderr())\n"),
        "julia" => format!("print(stdout, \"{hex}\"); flush(stdout); print(stderr, \"{hex}\")\n"),
        "elixir" => format!("IO.write(\"{hex}\"); IO.write(:stderr, \"{hex}\")\n"),
        "java" => format!("System.out.print(\"{octal}\"); System.err.print(\"{octal}\");\n"),
        "rust" => format!("print!(\"{hex}\"); eprint!(\"{hex}\");\n"),
        "cpp" | "c" => format!("__builtin_printf(\"{octal}\");\n"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_came_before_the_block_is_not_shown() {
        let mut sieve = Sieve::new("n1", true);
        let text =
            format!("earlier{}a\n{}b{}c", Sieve::begin_mark("n1"), Sieve::next_mark("n1"), Sieve::next_mark("n1"));
        assert_eq!(sieve.push(Stream::Stdout, &text), "a\nbc");
        assert!(!sieve.never_began() && sieve.before() == "earlier");
        let printed = sieve.printed();
        assert_eq!(printed.segments, [["a\n".to_owned(), String::new()], ["b".to_owned(), String::new()]]);
        assert_eq!(printed.stdout, "a\nbc");
    }

    #[test]
    fn what_only_looks_like_a_mark_is_output() {
        let mut sieve = Sieve::new("n1", false);
        let text = "\u{1e}n2B\n\u{1e}\u{1e}n1X\n\u{1e}n";
        let mut shown = sieve.push(Stream::Stdout, text);
        shown.push_str(&sieve.finish(Stream::Stdout));
        assert_eq!(shown, text);
    }

    proptest! {
        #[test]
        fn the_pieces_in_which_output_comes_do_not_matter(cuts in proptest::collection::vec(1_usize..9, 1..40)) {
            let mark = Sieve::begin_mark("abc");
            let next = Sieve::next_mark("abc");
            let text = format!("one \u{1e} é\n{mark}two\u{1e}ab{next}\nthree 😀{next}rest\u{1e}a");
            let mut whole = Sieve::new("abc", true);
            let mut expected = whole.push(Stream::Stdout, &text);
            expected.push_str(&whole.finish(Stream::Stdout));
            let mut sieve = Sieve::new("abc", true);
            let mut shown = String::new();
            let mut rest = text.as_str();
            for cut in cuts.iter().cycle() {
                let mut at = (*cut).min(rest.len());
                while !rest.is_char_boundary(at) { at += 1; }
                shown.push_str(&sieve.push(Stream::Stdout, &rest[..at]));
                rest = &rest[at..];
                if rest.is_empty() { break; }
            }
            shown.push_str(&sieve.finish(Stream::Stdout));
            prop_assert_eq!(shown, expected);
            prop_assert_eq!(sieve.printed(), whole.printed());
        }
    }
}
