//! Runs and their results → what LSP has to show them. Pure.
//!
//! What programs print is untrusted: it goes into fences that it cannot close, and into labels without control
//! characters or changes of writing direction.

use std::borrow::Cow;
use std::str::FromStr;
use std::sync::LazyLock;

use regex::Regex;
use tower_lsp::ls_types::{
    self, DiagnosticRelatedInformation, DiagnosticSeverity, DiagnosticTag, InlayHint, InlayHintLabel, InlayHintTooltip,
    Location, MarkupContent, MarkupKind, NumberOrString, Uri,
};

use super::capabilities::Capabilities;
use super::capture::Capture;
use super::results::{Entry, Placed, Summary, Whole};
use crate::plan::MIB;
use crate::protocol::{Finished, Outcome, PhaseName, Position, Range, Severity, Tag};
use crate::text::Encoding;

/// Characters of a label.
const LABEL_LIMIT: usize = 100;

/// Of a range.
pub(crate) fn range(range: Range) -> ls_types::Range {
    ls_types::Range { start: position(range.start), end: position(range.end) }
}

fn position(position: Position) -> ls_types::Position {
    ls_types::Position { line: position.line, character: position.character }
}

/// How a run ended, in a few words.
fn outcome(finished: &Finished) -> String {
    match finished.outcome {
        Outcome::Exited => match finished.exit_code {
            Some(0) | None => "✓".to_owned(),
            Some(code) => format!("✗ exit {code}"),
        },
        Outcome::Signaled => format!("✗ signal {}", finished.signal.unwrap_or_default()),
        Outcome::CompileFailed => "✗ does not compile".to_owned(),
        Outcome::TimedOut => "✗ timed out".to_owned(),
        Outcome::OutOfMemory => "✗ out of memory".to_owned(),
        Outcome::OutputLimit => "✗ printed too much".to_owned(),
        Outcome::Cancelled => "■ stopped".to_owned(),
        Outcome::EngineFailure => "✗ could not run".to_owned(),
    }
}

/// Time of compiling and running: waiting for an image is nobody's program.
fn time(finished: &Finished) -> Option<String> {
    let phases = finished.phases.iter().filter(|phase| phase.name != PhaseName::Pull);
    let times: Vec<f64> = phases.map(|phase| phase.wall_ms).collect();
    let total: f64 = times.iter().sum();
    let text = if total < 1000.0 { format!("{total:.0} ms") } else { format!("{:.1} s", total / 1000.0) };
    (!times.is_empty()).then_some(text)
}

/// The most memory that the program held, where it was measured.
fn memory(finished: &Finished) -> Option<String> {
    let run = finished.phases.iter().find(|phase| phase.name == PhaseName::Run)?;
    #[expect(clippy::cast_precision_loss, reason = "shown with one digit behind the point")]
    let mebibytes = run.peak_memory_bytes? as f64 / MIB as f64;
    Some(format!("{mebibytes:.1} MB"))
}

/// What is shown of a result.
pub(crate) fn summary(finished: &Finished, language: &str, capture: &Capture) -> Summary {
    let mut title = outcome(finished);
    if let Some(time) = time(finished) {
        title = format!("{title} {time}");
    }
    // Where something went wrong, the last thing said about it tells more than the first thing printed.
    let well = finished.outcome == Outcome::Exited && finished.exit_code == Some(0);
    let said = capture.stderr.last_line().filter(|_| !well);
    let said = said.or(finished.error.as_deref()).or_else(|| capture.stdout.first_line());
    let said = said.or_else(|| capture.stderr.first_line()).map(label).unwrap_or_default();
    let line = if said.is_empty() { title.clone() } else { format!("{title} · {said}") };
    if let Some(memory) = memory(finished) {
        title = format!("{title}, {memory}");
    }
    let hover = hover(&title, finished, language, capture);
    Summary { title, line, hover }
}

/// One line of untrusted text, short and without anything that could disguise it.
pub(crate) fn label(text: &str) -> String {
    let clean = clean(text).replace(['\n', '\t'], " ");
    let clean = clean.trim();
    if clean.chars().count() <= LABEL_LIMIT {
        return clean.to_owned();
    }
    clean.chars().take(LABEL_LIMIT - 1).chain(['…']).collect()
}

/// Untrusted text without control characters, colours and changes of direction.
fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' && characters.next_if_eq(&'[').is_some() {
            // A colour, or another control sequence: up to its final letter.
            while characters.next_if(|next| !('@'..='~').contains(next)).is_some() {}
            characters.next();
        } else if matches!(character, '\n' | '\t') || !(character.is_control() || steers_direction(character)) {
            clean.push(character);
        }
    }
    clean
}

fn steers_direction(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn hover(title: &str, finished: &Finished, language: &str, capture: &Capture) -> String {
    let mut text = format!("**Runpen** · {language} · {title}\n");
    if let Some(error) = &finished.error {
        text.push_str(&fenced(error));
    }
    for (name, stream) in [("stdout", &capture.stdout), ("stderr", &capture.stderr)] {
        if !stream.is_empty() {
            text.extend(["\n", name, "\n", &fenced(&stream.text())]);
        }
    }
    if capture.stdout.is_empty() && capture.stderr.is_empty() {
        text.push_str("\nIt printed nothing.\n");
    }
    if finished.truncated {
        text.push_str("\nSome output was dropped.\n");
    }
    text
}

/// What an editor can open of a run, when all of it was kept.
pub(crate) fn whole(finished: &Finished, language: &str, title: &str, capture: &Capture) -> Option<Whole> {
    let title = format!("Runpen · {language} · {title}");
    let (error, truncated) = (finished.error.clone(), finished.truncated);
    capture.mixed().map(|text| Whole { title, error, text, truncated })
}

/// All that a run printed, as a text file. What it printed is not the first line: some editors look there for what to do
/// with a file, or for a `#!`.
pub(crate) fn page(whole: &Whole) -> String {
    let error = whole.error.as_deref().map(|error| clean(error).replace('\n', " ") + "\n").unwrap_or_default();
    // A carriage return moved back to the start of the line: what follows is a line of its own here.
    let text = whole.text.replace("\r\n", "\n").replace('\r', "\n");
    let text = if text.is_empty() { "It printed nothing.".to_owned() } else { clean(&text) };
    let rest = if whole.truncated { "\nSome output was dropped.\n" } else { "" };
    let line_end = if text.ends_with('\n') { "" } else { "\n" };
    inert(&format!("{}\n{error}\n{text}{line_end}{rest}", whole.title)).into_owned()
}

/// Text in which no editor finds an instruction to itself: Vim and Kakoune obey a modeline, Emacs a list of local
/// variables, wherever in a file they look for one. A character without width breaks it.
fn inert(text: &str) -> Cow<'_, str> {
    static INSTRUCTION: LazyLock<Regex> = LazyLock::new(|| {
        let pattern = r"(?im)(local variables|(?:^|\s)(?:vim?|ex|kak|kakoune)(?:[<=>]?\d+)?):";
        Regex::new(pattern).expect("the pattern is a constant")
    });
    INSTRUCTION.replace_all(text, "$1\u{2060}:")
}

/// Text in a fence longer than any run of backticks in it.
fn fenced(text: &str) -> String {
    let text = clean(text);
    let longest = text.split(|character| character != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}text\n{}\n{fence}\n", text.trim_end_matches('\n'))
}

/// Markdown for a client that shows none.
pub(crate) fn plain(markdown: &str) -> String {
    let lines = markdown.lines().filter(|line| !line.starts_with("```"));
    lines
        .map(|line| line.strip_prefix("**Runpen**").map_or_else(|| line.to_owned(), |rest| format!("Runpen{rest}")))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The hint of a result, at the end of its line.
pub(crate) fn hint(entry: &Entry, summary: &Summary, client: Capabilities) -> Option<InlayHint> {
    let place = entry.text.position(entry.anchor.range.start, client.encoding);
    let line = entry.text.line(place.line)?;
    let tooltip = if client.hover_markdown {
        InlayHintTooltip::MarkupContent(MarkupContent { kind: MarkupKind::Markdown, value: summary.hover.clone() })
    } else {
        InlayHintTooltip::String(plain(&summary.hover))
    };
    Some(InlayHint {
        position: position(entry.text.position(line.end, client.encoding)),
        label: InlayHintLabel::String(summary.line.clone()),
        kind: None,
        text_edits: None,
        tooltip: Some(tooltip),
        padding_left: Some(true),
        padding_right: None,
        data: None,
    })
}

/// A diagnostic where it stands now.
pub(crate) fn diagnostic(uri: &str, entry: &Entry, placed: &Placed, client: Capabilities) -> ls_types::Diagnostic {
    let here = |bytes: &std::ops::Range<usize>| range(entry.text.range(bytes, client.encoding));
    let diagnostic = &placed.diagnostic;
    let related = Uri::from_str(uri).ok().filter(|_| client.related && !placed.related.is_empty()).map(|uri| {
        let related = placed.related.iter().map(|(mark, message)| DiagnosticRelatedInformation {
            location: Location { uri: uri.clone(), range: here(&mark.range) },
            message: message.clone(),
        });
        related.collect()
    });
    let tags = diagnostic.tags.iter().map(|tag| match tag {
        Tag::Unnecessary => DiagnosticTag::UNNECESSARY,
        Tag::Deprecated => DiagnosticTag::DEPRECATED,
    });
    ls_types::Diagnostic {
        range: here(&placed.mark.range),
        severity: Some(match diagnostic.severity {
            Severity::Error => DiagnosticSeverity::ERROR,
            Severity::Warning => DiagnosticSeverity::WARNING,
            Severity::Information => DiagnosticSeverity::INFORMATION,
            Severity::Hint => DiagnosticSeverity::HINT,
        }),
        code: diagnostic.code.clone().map(NumberOrString::String),
        source: Some(diagnostic.source.clone()),
        message: diagnostic.message.clone(),
        related_information: related,
        tags: (client.tags && !diagnostic.tags.is_empty()).then(|| tags.collect()),
        ..ls_types::Diagnostic::default()
    }
}

/// The line of a run that shows its result, in the client's terms.
pub(crate) fn line_of(entry: &Entry, encoding: Encoding) -> u32 {
    entry.text.position(entry.anchor.range.start, encoding).line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{PhaseUsage, Stream};

    fn finished(outcome: Outcome, exit_code: Option<i32>) -> Finished {
        let usage = |name, wall_ms| PhaseUsage { name, wall_ms, cpu_ms: None, peak_memory_bytes: None };
        Finished {
            run_id: "a".to_owned(),
            outcome,
            exit_code,
            signal: None,
            error: None,
            phases: vec![usage(PhaseName::Pull, 9000.0), usage(PhaseName::Run, 12.4)],
            truncated: false,
            sandbox: None,
            diagnostics: Vec::new(),
            stdout: None,
            stderr: None,
        }
    }

    fn line(outcome: Outcome, exit_code: Option<i32>, stdout: &str, stderr: &str) -> String {
        let mut capture = Capture::new(false, false);
        capture.push(Stream::Stdout, stdout);
        capture.push(Stream::Stderr, stderr);
        summary(&finished(outcome, exit_code), "python", &capture).line
    }

    #[test]
    fn the_line_says_what_matters() {
        assert_eq!(line(Outcome::Exited, Some(0), "\n42\n43\n", "warning"), "✓ 12 ms · 42");
        assert_eq!(
            line(Outcome::Exited, Some(1), "42", "Traceback\n  x\nValueError: no\n"),
            "✗ exit 1 12 ms · ValueError: no"
        );
        assert_eq!(line(Outcome::Exited, Some(0), "", ""), "✓ 12 ms");
        assert_eq!(line(Outcome::Cancelled, None, "", ""), "■ stopped 12 ms");
    }

    #[test]
    fn the_title_has_time_and_memory() {
        let mut finished = finished(Outcome::Exited, Some(0));
        for (bytes, shown) in [(9_437_184, "✓ 12 ms, 9.0 MB"), (100 << 10, "✓ 12 ms, 0.1 MB")] {
            finished.phases[1].peak_memory_bytes = Some(bytes);
            let summary = summary(&finished, "python", &Capture::new(false, false));
            assert_eq!((summary.title.as_str(), summary.line.as_str()), (shown, "✓ 12 ms"));
            assert!(summary.hover.contains(shown), "{}", summary.hover);
        }
    }

    #[test]
    fn a_label_cannot_disguise_itself() {
        assert_eq!(label("\u{1b}[1;31mred\u{1b}[0m\t\u{202e}olleh\u{7}\r"), "red olleh");
        assert_eq!(label(&"x".repeat(1000)).chars().count(), LABEL_LIMIT);
        assert_eq!(label("\u{1b}["), "");
    }

    #[test]
    fn what_an_editor_opens_says_what_it_is_and_tells_the_editor_nothing() {
        let page = |error: Option<&str>, text: &str, truncated| {
            let (title, error, text) = ("Runpen · Python · ✓".to_owned(), error.map(str::to_owned), text.to_owned());
            page(&Whole { title, error, text, truncated })
        };
        assert_eq!(page(None, "a\tb\nc", false), "Runpen · Python · ✓\n\na\tb\nc\n");
        assert_eq!(
            page(Some("no\nmore"), "", true),
            "Runpen · Python · ✓\nno more\n\nIt printed nothing.\n\nSome output was dropped.\n"
        );
        let steered = page(None, "\u{1b}[31mred\u{1b}[0m\u{1b}]0;title\u{7}\r\n10%\r20%\u{202e}\u{0}\u{9b}x", false);
        assert!(steered.ends_with("\n\nred]0;title\n10%\n20%x\n"), "{steered:?}");
        for instruction in
            ["# vim: set ft=sh:", "vi:noai", "\tex: sw=3", "// vim700: x", "kak: filetype=sh", "-- Local variables:"]
        {
            let shown = page(None, instruction, false);
            assert!(!shown.contains(instruction), "{shown:?}");
            assert_eq!(shown.replace('\u{2060}', ""), format!("Runpen · Python · ✓\n\n{instruction}\n"));
        }
        for harmless in ["regex: a", "https://vim.org", "vim and ex", "12:30"] {
            assert!(page(None, harmless, false).contains(harmless));
        }
    }

    #[test]
    fn output_cannot_leave_its_fence() {
        let text = "```\n# not a title\n`````\n";
        assert_eq!(fenced(text), "``````text\n```\n# not a title\n`````\n``````\n");
        assert_eq!(fenced("a"), "```text\na\n```\n");
    }
}
