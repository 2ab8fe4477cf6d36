//! A status in Prometheus's text format, version 0.0.4. Pure.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Write as _};

use super::ServerStatus;
use crate::metrics::{BOUNDS, Histogram, LanguageCounts};

type Languages = BTreeMap<String, LanguageCounts>;

/// All series of a server.
#[must_use]
pub fn text(status: &ServerStatus) -> String {
    let mut page = Page(String::with_capacity(8 * 1024));
    page.head("runpen_build_info", "gauge", "What runs.");
    page.sample("runpen_build_info", &[("version", &status.version)], 1);
    page.head("runpen_start_time_seconds", "gauge", "When the server began, in seconds since 1970.");
    page.sample("runpen_start_time_seconds", &[], status.started_at);
    page.head("runpen_engine_up", "gauge", "Whether the engine answers; 0 also before it was asked for.");
    page.sample("runpen_engine_up", &[], u8::from(status.engine.is_some()));
    page.head("runpen_runs_in_flight", "gauge", "Runs under way.");
    page.sample("runpen_runs_in_flight", &[], status.runs.len());
    page.head("runpen_pool_waiting", "gauge", "Containers that wait.");
    for pool in &status.pool {
        page.sample("runpen_pool_waiting", &[("language", &pool.language)], pool.waiting);
    }
    let languages = &status.metrics.languages;
    page.head("runpen_runs_total", "counter", "Runs that ended, by language and outcome.");
    for (language, counts) in languages {
        for (outcome, count) in &counts.runs {
            page.sample("runpen_runs_total", &[("language", language), ("outcome", outcome.word())], count);
        }
    }
    let help = "From the request of a run to its first byte of output.";
    page.histograms("runpen_run_first_byte_seconds", help, languages, |counts| &counts.first_byte);
    let help = "From the request of a run to its end.";
    page.histograms("runpen_run_duration_seconds", help, languages, |counts| &counts.duration);
    let help = "Runs that waiting containers took.";
    page.counters("runpen_pool_hits_total", help, languages, |counts| counts.pool_hits);
    let help = "Runs that had to start a container or to wait for one.";
    page.counters("runpen_pool_misses_total", help, languages, |counts| counts.pool_misses);
    page.head("runpen_output_bytes_total", "counter", "Bytes of output that were passed on.");
    for (language, counts) in languages {
        for (stream, bytes) in [("stdout", counts.stdout_bytes), ("stderr", counts.stderr_bytes)] {
            page.sample("runpen_output_bytes_total", &[("language", language), ("stream", stream)], bytes);
        }
    }
    let counts = &status.metrics;
    page.head("runpen_pulls_total", "counter", "Pulls of images that ended, by how.");
    for (result, count) in
        [("succeeded", counts.pulls), ("failed", counts.failed_pulls), ("cancelled", counts.cancelled_pulls)]
    {
        page.sample("runpen_pulls_total", &[("result", result)], count);
    }
    page.head("runpen_pulled_bytes_total", "counter", "Bytes of images that came.");
    page.sample("runpen_pulled_bytes_total", &[], counts.pulled_bytes);
    page.0
}

struct Page(String);

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        for (index, (label, value)) in labels.iter().enumerate() {
            let _ = write!(self.0, "{}{label}=\"{}\"", if index == 0 { '{' } else { ',' }, Escaped(value));
        }
        let _ = writeln!(self.0, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }

    fn counters(&mut self, name: &str, help: &str, languages: &Languages, of: impl Fn(&LanguageCounts) -> u64) {
        self.head(name, "counter", help);
        for (language, counts) in languages {
            self.sample(name, &[("language", language)], of(counts));
        }
    }

    fn histograms(
        &mut self,
        name: &str,
        help: &str,
        languages: &Languages,
        of: impl Fn(&LanguageCounts) -> &Histogram,
    ) {
        self.head(name, "histogram", help);
        for (language, counts) in languages {
            self.histogram(name, language, of(counts));
        }
    }

    fn histogram(&mut self, name: &str, language: &str, histogram: &Histogram) {
        let bucket = format!("{name}_bucket");
        let bounds = BOUNDS.iter().map(ToString::to_string).chain(["+Inf".to_owned()]);
        for (bound, count) in bounds.zip(histogram.buckets.iter().chain([&histogram.count])) {
            self.sample(&bucket, &[("language", language), ("le", &bound)], count);
        }
        self.sample(&format!("{name}_sum"), &[("language", language)], histogram.sum_seconds);
        self.sample(&format!("{name}_count"), &[("language", language)], histogram.count);
    }
}

struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|character| match character {
            '\\' => f.write_str("\\\\"),
            '"' => f.write_str("\\\""),
            '\n' => f.write_str("\\n"),
            other => f.write_char(other),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::metrics::{Metrics, Pulled, Ran};
    use crate::protocol::Outcome;

    #[test]
    fn a_server_as_prometheus_reads_it() {
        let metrics = Metrics::default();
        let ran = Ran {
            first_byte: Some(Duration::from_millis(4)),
            duration: Duration::from_millis(7),
            warm: Some(true),
            printed: [12, 3],
        };
        metrics.ran("python", Outcome::Exited, ran);
        metrics.ran("odd\"\\\n", Outcome::TimedOut, Ran { duration: Duration::from_secs(99), ..Ran::default() });
        metrics.pulled(Pulled::Failed, 77);
        let status = ServerStatus { version: "1.2.3".to_owned(), metrics: metrics.counts(), ..ServerStatus::default() };
        let page = text(&status);
        let block = "# HELP runpen_runs_total Runs that ended, by language and outcome.\n# TYPE runpen_runs_total counter\n\
            runpen_runs_total{language=\"odd\\\"\\\\\\n\",outcome=\"timed_out\"} 1\n\
            runpen_runs_total{language=\"python\",outcome=\"exited\"} 1\n# HELP ";
        assert!(page.contains(block), "{page}");
        for line in [
            "runpen_build_info{version=\"1.2.3\"} 1",
            "# TYPE runpen_run_first_byte_seconds histogram",
            "runpen_run_first_byte_seconds_bucket{language=\"python\",le=\"0.0025\"} 0",
            "runpen_run_first_byte_seconds_bucket{language=\"python\",le=\"0.005\"} 1",
            "runpen_run_first_byte_seconds_bucket{language=\"python\",le=\"+Inf\"} 1",
            "runpen_run_first_byte_seconds_sum{language=\"python\"} 0.004",
            "runpen_run_duration_seconds_count{language=\"odd\\\"\\\\\\n\"} 1",
            "runpen_pool_hits_total{language=\"python\"} 1",
            "runpen_output_bytes_total{language=\"python\",stream=\"stderr\"} 3",
            "runpen_pulls_total{result=\"failed\"} 1",
            "runpen_pulled_bytes_total 77",
        ] {
            assert!(page.lines().any(|other| other == line), "{line} is not in {page}");
        }
        assert!(page.ends_with('\n') && !page.contains("\n\n"));
    }
}
