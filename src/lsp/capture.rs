//! What a run printed, kept for hover, hint, a document that an editor opens, and the answer to `wait: true`. Bounded
//! unless all of it was asked for.

use super::edits::floor;
use crate::protocol::Stream;

/// Bytes kept of the start and of the end of a stream.
const KEPT: usize = 4 * 1024;

/// The same of both streams together, where an editor can open them: all that a program may print by default.
const WHOLE: usize = 2 * 1024 * 1024;

/// One stream.
#[derive(Debug)]
pub(crate) struct Captured {
    /// Bytes kept of the start and of the end.
    kept: usize,
    head: String,
    tail: String,
    /// Bytes between head and tail that were dropped.
    dropped: usize,
}

impl Captured {
    fn keeping(kept: usize) -> Self {
        Self { kept, head: String::new(), tail: String::new(), dropped: 0 }
    }

    fn push(&mut self, mut text: &str) {
        if self.tail.is_empty() && self.dropped == 0 {
            let room = floor(text, self.kept.saturating_sub(self.head.len()).min(text.len()));
            self.head.push_str(&text[..room]);
            text = &text[room..];
        }
        self.tail.push_str(text);
        if self.tail.len() > 2 * self.kept {
            let cut = floor(&self.tail, self.tail.len() - self.kept);
            self.tail.drain(..cut);
            self.dropped += cut;
        }
    }

    /// Whether nothing was printed.
    pub(crate) fn is_empty(&self) -> bool {
        self.head.is_empty()
    }

    /// Start and end, with a line between that says what is missing.
    pub(crate) fn text(&self) -> String {
        if self.dropped == 0 {
            return format!("{}{}", self.head, self.tail);
        }
        format!("{}\n… {} bytes are not shown …\n{}", self.head, self.dropped, self.tail)
    }

    /// First line with something on it.
    pub(crate) fn first_line(&self) -> Option<&str> {
        self.head.lines().find(|line| !line.trim().is_empty())
    }

    /// Last line with something on it.
    pub(crate) fn last_line(&self) -> Option<&str> {
        let last = |text: &'_ str| text.lines().rev().position(|line| !line.trim().is_empty());
        let whole = if last(&self.tail).is_some() { &self.tail } else { &self.head };
        whole.lines().rev().find(|line| !line.trim().is_empty())
    }
}

/// Both streams of a run.
#[derive(Debug)]
pub(crate) struct Capture {
    /// Standard output.
    pub(crate) stdout: Captured,
    /// Standard error.
    pub(crate) stderr: Captured,
    /// Both as they came, for an editor to open.
    mixed: Option<Captured>,
    whole: Option<[String; 2]>,
}

impl Capture {
    /// One that keeps everything, when `whole`, and what an editor opens, when `shown`.
    pub(crate) fn new(whole: bool, shown: bool) -> Self {
        Self {
            stdout: Captured::keeping(KEPT),
            stderr: Captured::keeping(KEPT),
            mixed: shown.then(|| Captured::keeping(WHOLE)),
            whole: whole.then(Default::default),
        }
    }

    /// Takes what was printed.
    pub(crate) fn push(&mut self, stream: Stream, text: &str) {
        let (captured, index) = match stream {
            Stream::Stdout => (&mut self.stdout, 0),
            Stream::Stderr => (&mut self.stderr, 1),
        };
        captured.push(text);
        if let Some(mixed) = &mut self.mixed {
            mixed.push(text);
        }
        if let Some(whole) = &mut self.whole {
            whole[index].push_str(text);
        }
    }

    /// Both streams as they came, when that was kept.
    pub(crate) fn mixed(&self) -> Option<String> {
        self.mixed.as_ref().map(Captured::text)
    }

    /// All of both streams, when it was kept.
    pub(crate) fn take_whole(&mut self) -> Option<[String; 2]> {
        self.whole.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_keeps_its_start_and_end() {
        let mut capture = Capture::new(false, false);
        capture.push(Stream::Stdout, "\nfirst é\n");
        for _ in 0..10_000 {
            capture.push(Stream::Stdout, "é".repeat(31).as_str());
        }
        capture.push(Stream::Stdout, "\nlast\n\n");
        let text = capture.stdout.text();
        assert!(text.len() < 4 * KEPT && text.starts_with("\nfirst é\n") && text.ends_with("\nlast\n\n"));
        assert!(text.contains(" bytes are not shown "));
        assert_eq!(capture.stdout.first_line(), Some("first é"));
        assert_eq!(capture.stdout.last_line(), Some("last"));
    }

    #[test]
    fn everything_is_kept_when_it_was_asked_for() {
        let mut capture = Capture::new(true, false);
        let flood = "x".repeat(100_000);
        capture.push(Stream::Stderr, &flood);
        assert_eq!(capture.take_whole(), Some([String::new(), flood]));
    }

    #[test]
    fn what_an_editor_opens_is_in_the_order_in_which_it_came_and_has_an_end() {
        let mut capture = Capture::new(false, true);
        for (stream, text) in [(Stream::Stdout, "a\n"), (Stream::Stderr, "b\n"), (Stream::Stdout, "c\n")] {
            capture.push(stream, text);
        }
        assert_eq!(capture.mixed().as_deref(), Some("a\nb\nc\n"));
        for _ in 0..100 {
            capture.push(Stream::Stdout, &"x".repeat(WHOLE / 10));
        }
        assert!(capture.mixed().unwrap().len() < 3 * WHOLE + 100);
        assert_eq!(Capture::new(false, false).mixed(), None);
    }
}
