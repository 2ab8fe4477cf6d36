//! What the end of a stage means: outcome, exit code, the line for a person, diagnostics. Pure.

use std::ops::Range;
use std::time::Duration;

use super::guest::Trailer;
use super::manager::RunRequest;
use super::stage::{StageEnd, Stop};
use super::task::milliseconds;
use crate::config::{Size, Span};
use crate::engine::{Exit, Usage};
use crate::plan::Stage;
use crate::protocol::{Diagnostic, Outcome, PhaseName, PhaseUsage, Related, Severity, Stream};
use crate::report::Message;

/// How a run stands after a stage.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Verdict {
    pub(super) outcome: Outcome,
    pub(super) exit_code: Option<i32>,
    pub(super) signal: Option<i32>,
    /// One line for a person, where the outcome alone does not say what to do.
    pub(super) error: Option<String>,
}

/// What is said of a container that the kernel's or the engine's SIGKILL ended.
const KILLED: i32 = 128 + 9;

impl Verdict {
    fn new(outcome: Outcome, error: Option<String>) -> Self {
        Self { outcome, exit_code: None, signal: None, error }
    }

    pub(super) fn cancelled() -> Self {
        Self::new(Outcome::Cancelled, None)
    }

    pub(super) fn failure(error: String) -> Self {
        Self::new(Outcome::EngineFailure, Some(error))
    }

    /// What the end of `stage` means.
    pub(super) fn of(stage: &Stage, end: &StageEnd, usage: Option<Usage>) -> Self {
        let doing = if stage.phase == PhaseName::Compile { "compiling" } else { "the program" };
        match &end.stop {
            Stop::Cancelled => Self::cancelled(),
            Stop::TimedOut => {
                let (limit, setting) = match stage.phase {
                    PhaseName::Compile => (Span(stage.timeout), "compile-timeout"),
                    PhaseName::Run | PhaseName::Pull => (Span(stage.timeout), "timeout"),
                };
                Self::new(Outcome::TimedOut, Some(format!("{doing} was stopped after its {limit} ({setting})")))
            }
            Stop::OutputLimit(stream) => {
                let stream = if *stream == Stream::Stdout { "standard output" } else { "standard error" };
                let limit = Size::from_bytes(stage.output_limit);
                let error = format!("{doing} was stopped after printing {limit} on {stream} (output-limit)");
                Self::new(Outcome::OutputLimit, Some(error))
            }
            Stop::ArtifactLimit => Self::failure(format!(
                "what the compiler built is larger than {}, the most that the next stage can hold",
                Size::from_bytes(stage.sandbox.code.size)
            )),
            Stop::Told(Trailer::Failed(step)) => {
                let reason = last_line(end.stderr.as_str());
                let advice = if reason.contains("not found") { "; its image needs sh, dd and tar" } else { "" };
                Self::failure(format!("the container failed to {step} the program: {reason}{advice}"))
            }
            Stop::Told(Trailer::Done { status, signaled, oom_kills, .. }) => {
                let oom_kills = usage.and_then(|usage| usage.oom_kills).or(*oom_kills).unwrap_or(0);
                Self::done(stage, *status, *signaled, oom_kills > 0)
            }
            Stop::Vanished(Ok(exit)) => Self::vanished(stage, end, *exit, usage),
            Stop::Vanished(Err(error)) => Self::failure(error.to_string()),
        }
    }

    fn done(stage: &Stage, status: i32, signaled: bool, out_of_memory: bool) -> Self {
        let signal = signaled.then_some(status - 128);
        if out_of_memory {
            let limit = Size::from_bytes(stage.sandbox.memory);
            let what = if stage.phase == PhaseName::Compile { "compiling" } else { "the program" };
            let error = format!("{what} needed more than its {limit} of memory (memory)");
            return Self { outcome: Outcome::OutOfMemory, exit_code: Some(status), signal, error: Some(error) };
        }
        let outcome = match (stage.phase, signaled, status) {
            (PhaseName::Compile, _, 0) | (PhaseName::Run | PhaseName::Pull, false, _) => Outcome::Exited,
            (PhaseName::Compile, _, _) => Outcome::CompileFailed,
            (PhaseName::Run | PhaseName::Pull, true, _) => Outcome::Signaled,
        };
        let error = (outcome == Outcome::Signaled).then(|| format!("signal {} ended the program", name(status - 128)));
        Self { outcome, exit_code: Some(status), signal, error }
    }

    /// No trailer: the first process of the container was killed, or never took the program.
    fn vanished(stage: &Stage, end: &StageEnd, exit: Exit, usage: Option<Usage>) -> Self {
        let out_of_memory =
            exit.out_of_memory || usage.and_then(|usage| usage.oom_kills).is_some_and(|kills| kills > 0);
        if out_of_memory || exit.status == KILLED {
            return Self::done(stage, exit.status, true, out_of_memory);
        }
        let reason = last_line(end.stderr.as_str());
        Self::failure(format!(
            "the container ended with status {} before its program did: {reason}; its image needs sh, dd and tar",
            exit.status
        ))
    }
}

fn last_line(text: &str) -> &str {
    text.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or("it gave no reason")
}

/// Name of a signal as `kill -l` has it.
fn name(signal: i32) -> String {
    const NAMES: &[(i32, &str)] = &[
        (1, "HUP"),
        (2, "INT"),
        (3, "QUIT"),
        (4, "ILL"),
        (5, "TRAP"),
        (6, "ABRT"),
        (7, "BUS"),
        (8, "FPE"),
        (9, "KILL"),
        (10, "USR1"),
        (11, "SEGV"),
        (12, "USR2"),
        (13, "PIPE"),
        (14, "ALRM"),
        (15, "TERM"),
        (24, "XCPU"),
        (25, "XFSZ"),
        (31, "SYS"),
    ];
    let known = NAMES.iter().find(|(number, _)| *number == signal);
    known.map_or_else(|| signal.to_string(), |(number, name)| format!("{number} (SIG{name})"))
}

/// What a stage used: from outside where the engine measures, else from inside.
pub(super) fn usage_of(name: PhaseName, wall: Duration, end: &StageEnd, usage: Option<Usage>) -> PhaseUsage {
    let (mut cpu_ms, mut peak_memory_bytes) = match &end.stop {
        Stop::Told(Trailer::Done { cpu_ms, peak_memory_bytes, .. }) => (*cpu_ms, *peak_memory_bytes),
        _ => (None, None),
    };
    if let Some(usage) = usage {
        cpu_ms = usage.cpu_ms.or(cpu_ms);
        peak_memory_bytes = usage.peak_memory_bytes.or(peak_memory_bytes);
    }
    PhaseUsage { name, wall_ms: milliseconds(wall), cpu_ms, peak_memory_bytes }
}

/// Messages of the tools and broken limits, at places of the document.
pub(super) fn diagnostics(request: &RunRequest, verdict: &Verdict, messages: &[Message]) -> Vec<Diagnostic> {
    let snippet = &request.snippet;
    let place = |bytes: &Range<usize>| snippet.document.range(bytes, request.encoding);
    let anchor = first_line(request);
    let mut diagnostics: Vec<Diagnostic> = messages
        .iter()
        .map(|message| {
            let here = message.span.as_ref().and_then(|span| snippet.map(span));
            let related = message.related.iter().filter_map(|(span, text)| {
                let range = place(&snippet.map(span)?);
                Some(Related { range, message: text.clone() })
            });
            Diagnostic {
                range: place(here.as_ref().unwrap_or(&anchor)),
                severity: message.severity,
                code: message.code.clone(),
                source: message.source.clone(),
                message: message.text.clone(),
                related: related.collect(),
                tags: message.tags.clone(),
            }
        })
        .collect();
    let broken = match verdict.outcome {
        Outcome::TimedOut | Outcome::OutOfMemory | Outcome::OutputLimit | Outcome::EngineFailure => true,
        Outcome::Signaled => !diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error),
        Outcome::Exited | Outcome::CompileFailed | Outcome::Cancelled => false,
    };
    if let Some(error) = verdict.error.as_ref().filter(|_| broken) {
        diagnostics.push(Diagnostic {
            range: place(&anchor),
            severity: Severity::Error,
            code: Some(verdict.outcome.word().to_owned()),
            source: "runpen".to_owned(),
            message: error.clone(),
            related: Vec::new(),
            tags: Vec::new(),
        });
    }
    diagnostics
}

/// The first line with code of what was run: where an error stands that has no place of its own.
fn first_line(request: &RunRequest) -> Range<usize> {
    let (document, range) = (request.snippet.document.as_str(), &request.snippet.range);
    let text = document.get(range.clone()).unwrap_or_default();
    let start = range.start + (text.len() - text.trim_start().len());
    let line = document.get(start..range.end).and_then(|rest| rest.lines().next()).unwrap_or_default();
    start..start + line.trim_end().len()
}
