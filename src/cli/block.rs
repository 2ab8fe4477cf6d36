//! `runpen run --block`: one code block of a document.

use std::path::Path;

use anyhow::anyhow;
use bytes::Bytes;

use super::{Failure, say};
use crate::config::{Settings, Span};
use crate::document::{Format, Page, Program, Sieve, program};
use crate::engine::owner::random_id;
use crate::protocol::{Event, Output, PhaseState, Stream};
use crate::text::{Encoding, Text};

/// The program of a block, by its name or number. What the block asked for in vain is said, and its time-out tightens the
/// settings.
pub(super) fn pick(file: &Path, text: &Text, name: &str, settings: &mut Settings) -> Result<Program, Failure> {
    let shown = file.display();
    let wrong = |error: String| Failure::usage(anyhow!(error));
    let format = Format::of(None, file).ok_or_else(|| {
        let known = Format::extensions().join(", ");
        wrong(format!("{shown} is no document of a known format: its extension is none of {known}"))
    })?;
    let page = Page::read(format, text);
    let index = page.named(name).ok_or_else(|| {
        let names: Vec<&str> = page.blocks.iter().filter_map(|block| block.attributes.name.as_deref()).collect();
        let names = if names.is_empty() { String::new() } else { format!(", named {}", names.join(", ")) };
        wrong(format!("{shown} has no block {name}: it has {}{names}", page.blocks.len()))
    })?;
    let line = text.position(page.blocks[index].range.start, Encoding::Utf8).line + 1;
    let program = program(text, &page, index, &settings.languages, &random_id::<16>());
    let program = program.map_err(|error| wrong(format!("failed to run the block at {shown}:{line}: {error}")))?;
    for remark in &program.remarks {
        say(&format!("{shown}:{line}: {remark}"));
    }
    if let Some(timeout) = program.timeout.filter(|timeout| *timeout < settings.timeout.duration()) {
        settings.timeout = Span(timeout);
    }
    Ok(program)
}

/// Events of a run, of which only the block's own output is left.
pub(super) struct Own {
    sieve: Sieve,
    next: u64,
}

impl Own {
    pub(super) fn new(sieve: Sieve) -> Self {
        Self { sieve, next: 0 }
    }

    /// The events that stand for one.
    pub(super) fn take(&mut self, mut event: Event) -> Vec<Event> {
        match &mut event {
            Event::Output(output) => {
                let text = self.sieve.push(output.stream, &output.text);
                self.output(&output.run_id, output.stream, text).into_iter().collect()
            }
            Event::Phase(phase) if phase.state == PhaseState::End => {
                let run_id = phase.run_id.clone();
                let mut events = Vec::new();
                for stream in [Stream::Stdout, Stream::Stderr] {
                    let rest = self.sieve.finish(stream);
                    events.extend(self.output(&run_id, stream, rest));
                }
                events.push(event);
                events
            }
            Event::Finished(finished) => {
                if self.sieve.never_began() && finished.error.is_none() {
                    let words = self.sieve.before().lines().rev().find(|line| !line.trim().is_empty());
                    let words = words.map(|words| format!(": {}", words.trim())).unwrap_or_default();
                    finished.error = Some(format!("a block that this one builds on did not end well{words}"));
                }
                vec![event]
            }
            Event::Started(_) | Event::Phase(_) => vec![event],
        }
    }

    fn output(&mut self, run_id: &str, stream: Stream, text: String) -> Option<Event> {
        if text.is_empty() {
            return None;
        }
        let (run_id, seq, raw) = (run_id.to_owned(), self.next, Bytes::copy_from_slice(text.as_bytes()));
        self.next += 1;
        Some(Event::Output(Output { run_id, seq, stream, text, raw }))
    }
}
