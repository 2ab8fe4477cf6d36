//! A promise against what was printed. White space at the end of lines and empty lines at the end are no difference.
//!
//! `...` stands for what varies: alone on a line for any number of lines, within a line for any text of that line.

use super::expected::Against;
use super::{Block, Prompt};

/// What stands for anything.
const WILDCARD: &str = "...";

/// How a failed Python statement announces itself.
const TRACEBACK: &str = "Traceback (most recent call last):";

/// What a block printed.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Printed {
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// Of a transcript, both streams after each input that ran to its end.
    pub segments: Vec<[String; 2]>,
}

/// A promise that was not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Number of the promise.
    pub expectation: usize,
    /// What was printed instead; `None` where nobody can tell which part of the output is meant.
    pub seen: Option<String>,
}

/// The promises of a block that what it printed does not keep.
#[must_use]
pub fn differences(block: &Block, printed: &Printed) -> Vec<Difference> {
    if block.attributes.varying {
        return Vec::new();
    }
    let loose = block.attributes.loose;
    let values = block.expected.iter().filter(|expectation| matches!(expectation.against, Against::Line(_))).count();
    let lines: Vec<&str> = printed.stdout.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    let mut next = 0;
    let mut ran = 0;
    let mut differences = Vec::new();
    for (expectation, promise) in block.expected.iter().enumerate() {
        match promise.against {
            Against::All => {
                if !matches(&promise.text, &printed.stdout, loose) {
                    differences.push(Difference { expectation, seen: Some(printed.stdout.clone()) });
                }
            }
            Against::Segment(_) => {
                // Inputs that are not run have no promise here and no segment.
                let seen = printed.segments.get(ran);
                ran += 1;
                let Some([stdout, stderr]) = seen else {
                    differences.push(Difference { expectation, seen: None });
                    continue;
                };
                let python = block.transcript.as_ref().is_some_and(|transcript| transcript.prompt == Prompt::Python);
                let text = if python { without_frames(&promise.text) } else { promise.text.clone() };
                let mixtures = [stdout.clone(), format!("{stdout}{stderr}"), format!("{stderr}{stdout}")];
                if !mixtures.iter().any(|seen| matches(&text, seen, loose)) {
                    // A console shows both.
                    let [_, both, _] = mixtures;
                    differences
                        .push(Difference { expectation, seen: Some(if python { stdout.clone() } else { both }) });
                }
            }
            Against::Line(number) if lines.len() == values => {
                if !value_matches(&promise.text, lines[number], loose) {
                    differences.push(Difference { expectation, seen: Some(lines[number].to_owned()) });
                }
            }
            // More or fewer lines than values: the values have to be among the lines, in their order.
            Against::Line(_) => match lines[next..].iter().position(|line| value_matches(&promise.text, line, loose)) {
                Some(found) => next += found + 1,
                None => differences.push(Difference { expectation, seen: None }),
            },
        }
    }
    differences
}

/// A promised traceback without its frames: nobody writes them as they will be.
fn without_frames(text: &str) -> String {
    if !text.starts_with("Traceback (") {
        return text.to_owned();
    }
    let last: Vec<&str> = text.lines().skip(1).filter(|line| !line.starts_with([' ', '\t'])).collect();
    let last: Vec<&str> = last.into_iter().filter(|line| *line != WILDCARD).collect();
    format!("{TRACEBACK}\n{}\n", last.join("\n"))
}

/// The same of a value: which quotes a string has is nobody's promise.
fn value_matches(expected: &str, seen: &str, loose: bool) -> bool {
    let inside = |text: &str| {
        let text = text.trim();
        let quote = text.chars().next().filter(|first| matches!(first, '"' | '\''))?;
        let inside = text[1..].strip_suffix(quote)?;
        (!inside.contains(['"', '\'', '\\'])).then(|| inside.to_owned())
    };
    matches(expected, seen, loose) || inside(expected).zip(inside(seen)).is_some_and(|(one, other)| one == other)
}

/// Whether a text keeps a promise.
#[must_use]
pub fn matches(expected: &str, seen: &str, loose: bool) -> bool {
    let (expected, seen) = (lines(expected, loose), lines(seen, loose));
    if !expected.iter().any(|line| line.contains(WILDCARD)) {
        return expected == seen;
    }
    // Parts between lines that stand for any number of lines: the first at the start, the last at the end, the others at
    // the first place after the one before them.
    let parts: Vec<&[String]> = expected.split(|line| line.trim() == WILDCARD).collect();
    let fits = |part: &[String], at: usize| {
        seen.get(at..at + part.len())
            .is_some_and(|seen| part.iter().zip(seen).all(|(part, seen)| line_matches(part, seen)))
    };
    let (first, last) = (parts[0], parts[parts.len() - 1]);
    if parts.len() == 1 {
        return first.len() == seen.len() && fits(first, 0);
    }
    if first.len() + last.len() > seen.len() || !fits(first, 0) || !fits(last, seen.len() - last.len()) {
        return false;
    }
    let end = seen.len() - last.len();
    let mut at = first.len();
    for part in &parts[1..parts.len() - 1] {
        let found = (at..=end.saturating_sub(part.len())).find(|&place| fits(part, place));
        let Some(place) = found.filter(|place| place + part.len() <= end) else { return false };
        at = place + part.len();
    }
    true
}

fn lines(text: &str, loose: bool) -> Vec<String> {
    let line = |line: &str| {
        if loose { line.split_whitespace().collect::<Vec<_>>().join(" ") } else { line.trim_end().to_owned() }
    };
    let mut lines: Vec<String> = text.lines().map(line).filter(|line| !loose || !line.is_empty()).collect();
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines
}

/// Whether a line keeps a promised one, parts of which may stand for any text.
fn line_matches(expected: &str, seen: &str) -> bool {
    if expected == seen {
        return true;
    }
    let mut parts = expected.split(WILDCARD);
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = seen.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// One line of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiffLine {
    /// `-` promised, `+` printed, a space both.
    pub sign: char,
    /// Number of the promised line, from 0; of a printed one, the promised line it stands before.
    pub line: usize,
    /// The line.
    pub text: String,
}

/// Promised and printed lines side by side.
#[must_use]
pub fn diff(expected: &str, seen: &str) -> Vec<DiffLine> {
    let (expected, seen) = (lines(expected, false), lines(seen, false));
    let (old, new): (Vec<&str>, Vec<&str>) =
        (expected.iter().map(String::as_str).collect(), seen.iter().map(String::as_str).collect());
    // A flood against a flood is not worth minutes.
    let deadline = std::time::Duration::from_millis(500);
    let mut config = similar::TextDiff::configure();
    let diff = config.timeout(deadline).diff_slices(&old, &new);
    let mut lines = Vec::new();
    let mut at = 0;
    for change in diff.iter_all_changes() {
        let sign = match change.tag() {
            similar::ChangeTag::Equal => ' ',
            similar::ChangeTag::Delete => '-',
            similar::ChangeTag::Insert => '+',
        };
        lines.push(DiffLine { sign, line: change.old_index().unwrap_or(at), text: change.value().to_owned() });
        at = change.old_index().map_or(at, |index| index + 1);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_at_ends_is_no_difference() {
        assert!(matches("a\nb\n", "a  \r\nb\n\n\n", false));
        assert!(!matches("a\nb\n", "a\n\nb\n", false));
        assert!(matches("a   b\n\nc", "a b\nc\n", true));
        assert!(!matches("", "a", false) && matches("", "\n", false));
    }

    #[test]
    fn three_dots_stand_for_what_varies() {
        for (expected, seen, fits) in [
            ("took ... ms\n", "took 12 ms\n", true),
            ("took ... ms\n", "took 12 s\n", false),
            ("a\n...\nb\n", "a\n1\n2\nb\n", true),
            ("a\n...\nb\n", "a\nb\n", true),
            ("a\n...\nb\n", "a\n1\n2\nxb\n", false),
            ("...\nb\n...\n", "1\nb\nc\n", true),
            ("...\nb\n...\nd", "1\nc\nd\n", false),
            ("a\n...\na\n", "a\n", false),
            ("<... at 0x...>", "<f at 0x7f>", true),
            ("loading...", "loading...", true),
            ("...", "", true),
        ] {
            assert_eq!(matches(expected, seen, false), fits, "{expected:?} {seen:?}");
        }
    }

    #[test]
    fn a_diff_tells_the_lines_of_the_promise() {
        let signs: Vec<(char, usize, String)> =
            diff("a\nb\nc\n", "a\nx\nc\nd\n").into_iter().map(|line| (line.sign, line.line, line.text)).collect();
        let wanted = [(' ', 0, "a"), ('-', 1, "b"), ('+', 2, "x"), (' ', 2, "c"), ('+', 3, "d")];
        assert_eq!(signs, wanted.map(|(sign, line, text)| (sign, line, text.to_owned())));
    }
}
