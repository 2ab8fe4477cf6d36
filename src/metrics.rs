//! What was counted since the process began: runs by language and outcome, how long they took, pool, pulls, bytes. It owns
//! the counters; who shows them is [`crate::status`]'s. It must not know engines or LSP.
//!
//! Labels are bounded: languages are those of the user's own table, and of more than `LANGUAGES` the rest counts as
//! `other`, so nothing that a document says makes a new series.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::protocol::Outcome;

/// So many languages are counted apart.
const LANGUAGES: usize = 100;

/// Upper bounds of a histogram's buckets in seconds; above the last, only the count knows.
pub const BOUNDS: [f64; 14] = [0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// How long things took.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Histogram {
    /// How many.
    pub count: u64,
    /// All of them together, in seconds.
    pub sum_seconds: f64,
    /// How many took at most as long as each of [`BOUNDS`], those of the lower ones included.
    pub buckets: [u64; BOUNDS.len()],
}

impl Histogram {
    fn add(&mut self, took: Duration) {
        let seconds = took.as_secs_f64();
        self.count += 1;
        self.sum_seconds += seconds;
        for (count, bound) in self.buckets.iter_mut().zip(BOUNDS) {
            *count += u64::from(seconds <= bound);
        }
    }
}

/// What was counted of one language.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LanguageCounts {
    /// Runs, by how they ended.
    pub runs: BTreeMap<Outcome, u64>,
    /// From the request to the first byte that the program printed.
    pub first_byte: Histogram,
    /// From the request to the end.
    pub duration: Histogram,
    /// Runs that waiting containers took.
    pub pool_hits: u64,
    /// Runs that had to start a container, or to wait for one.
    pub pool_misses: u64,
    /// Bytes that programs printed on standard output, as far as they were passed on.
    pub stdout_bytes: u64,
    /// The same of standard error.
    pub stderr_bytes: u64,
}

/// What was counted.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Counts {
    /// By language.
    pub languages: BTreeMap<String, LanguageCounts>,
    /// Images that were fetched.
    pub pulls: u64,
    /// Pulls that failed.
    pub failed_pulls: u64,
    /// Pulls that nobody wanted any more.
    pub cancelled_pulls: u64,
    /// Bytes that came with all of them.
    pub pulled_bytes: u64,
}

/// One run, as it counts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ran {
    /// From the request to the first byte that it printed, if it printed any.
    pub first_byte: Option<Duration>,
    /// From the request to its end.
    pub duration: Duration,
    /// Whether waiting containers took it; absent when none was to.
    pub warm: Option<bool>,
    /// Bytes it printed on standard output and standard error.
    pub printed: [u64; 2],
}

/// How a pull ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pulled {
    /// The image is here.
    Here,
    /// It could not be fetched.
    Failed,
    /// Nobody wants it any more.
    Cancelled,
}

/// The counters. Cheap to clone; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Metrics(Arc<Mutex<Counts>>);

impl Metrics {
    /// Counts a run.
    pub fn ran(&self, language: &str, outcome: Outcome, ran: Ran) {
        let mut counts = self.lock();
        let known = counts.languages.len() < LANGUAGES || counts.languages.contains_key(language);
        let counts = counts.languages.entry(if known { language } else { "other" }.to_owned()).or_default();
        *counts.runs.entry(outcome).or_default() += 1;
        if let Some(took) = ran.first_byte {
            counts.first_byte.add(took);
        }
        counts.duration.add(ran.duration);
        match ran.warm {
            Some(true) => counts.pool_hits += 1,
            Some(false) => counts.pool_misses += 1,
            None => {}
        }
        counts.stdout_bytes += ran.printed[0];
        counts.stderr_bytes += ran.printed[1];
    }

    /// Counts a pull, and the bytes that came.
    pub fn pulled(&self, end: Pulled, bytes: u64) {
        let mut counts = self.lock();
        match end {
            Pulled::Here => counts.pulls += 1,
            Pulled::Failed => counts.failed_pulls += 1,
            Pulled::Cancelled => counts.cancelled_pulls += 1,
        }
        counts.pulled_bytes += bytes;
    }

    /// All of them, as they stand.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_took_as_long_as_a_bound_is_in_its_bucket_and_in_all_above() {
        let mut histogram = Histogram::default();
        for took in [1, 5, 6, 90_000] {
            histogram.add(Duration::from_millis(took));
        }
        assert_eq!(histogram.count, 4);
        assert_eq!(histogram.buckets[..3], [1, 2, 3]);
        assert_eq!(histogram.buckets[13], 3, "the longest is in the count alone");
        assert!((histogram.sum_seconds - 90.012).abs() < 1e-9);
    }

    #[test]
    fn a_million_languages_make_no_million_series() {
        let metrics = Metrics::default();
        for number in 0..1000 {
            metrics.ran(&format!("language-{number}"), Outcome::Exited, Ran::default());
        }
        metrics.ran("language-5", Outcome::TimedOut, Ran { warm: Some(true), ..Ran::default() });
        let counts = metrics.counts();
        assert_eq!(counts.languages.len(), LANGUAGES + 1);
        assert_eq!(counts.languages["other"].runs[&Outcome::Exited], 900);
        let five = &counts.languages["language-5"];
        assert_eq!((five.runs.len(), five.pool_hits, five.pool_misses), (2, 1, 0));
        let read: Counts = serde_json::from_str(&serde_json::to_string(&counts).unwrap()).unwrap();
        assert_eq!(read, counts);
    }
}
