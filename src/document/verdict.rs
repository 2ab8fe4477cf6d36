//! How a block ended against how its page says it has to end.

use super::Block;
use super::compare::{Difference, Printed, differences};
use crate::protocol::Outcome;

/// How the run of a block ended.
#[derive(Debug, Clone, Copy)]
pub struct End<'a> {
    /// How.
    pub outcome: Outcome,
    /// The exit code, where there is one.
    pub exit_code: Option<i32>,
    /// One line that says what went wrong, where one does.
    pub error: Option<&'a str>,
    /// What the block printed.
    pub printed: &'a Printed,
    /// The last words of a block that this one builds on and that did not end well.
    pub needed: Option<&'a str>,
}

/// Something about a block that is not as its page says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Complaint {
    /// It ended otherwise.
    Ended(String),
    /// It printed something else.
    Differs(Difference),
}

/// What is not as the page says.
#[must_use]
pub fn verdict(block: &Block, end: &End<'_>) -> Vec<Complaint> {
    let said = &block.attributes;
    let ended = |words: String| vec![Complaint::Ended(words)];
    let shown = || match (end.outcome, end.exit_code) {
        (Outcome::Exited, Some(code)) => format!("it ended with exit code {code}"),
        (Outcome::CompileFailed, _) => "it does not compile".to_owned(),
        _ => end.error.map_or_else(|| "it did not end by itself".to_owned(), str::to_owned),
    };
    if matches!(end.outcome, Outcome::EngineFailure | Outcome::Cancelled) {
        return ended(shown());
    }
    if let Some(words) = end.needed.filter(|_| end.outcome != Outcome::CompileFailed) {
        let words = words.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default().trim();
        let words = if words.is_empty() { String::new() } else { format!(": {words}") };
        return ended(format!("a block that it builds on did not end well{words}"));
    }
    let failed = match end.outcome {
        Outcome::Exited => end.exit_code != Some(0),
        Outcome::Signaled => true,
        _ => false,
    };
    if said.compile_fail {
        // Where nothing is compiled, the interpreter refuses.
        let refused = end.outcome == Outcome::CompileFailed || failed;
        return if refused { Vec::new() } else { ended("it says `compile_fail`, and nothing refused it".to_owned()) };
    }
    if said.should_panic {
        return if failed { Vec::new() } else { ended(format!("it says `should_panic`: {}", shown())) };
    }
    let mut complaints = Vec::new();
    match (said.exit, end.outcome) {
        (Some(wanted), Outcome::Exited) if end.exit_code != Some(wanted) => {
            complaints.extend(ended(format!("{}, and it says `exit={wanted}`", shown())));
        }
        (Some(_), Outcome::Exited) => {}
        (None, Outcome::Exited) if end.exit_code == Some(0) => {}
        _ => return ended(shown()),
    }
    complaints.extend(differences(block, end.printed).into_iter().map(Complaint::Differs));
    complaints
}
