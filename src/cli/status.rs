//! `runpen status`: every server of this user, as it tells of itself.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;

use crate::metrics::{Histogram, LanguageCounts};
use crate::status::{ServerStatus, ask_all};

/// What `--json` prints.
#[derive(Serialize)]
struct Answer<'a> {
    servers: &'a [ServerStatus],
}

/// Asks all servers whose locks lie in a folder, and gives the table or one JSON object.
pub(super) async fn run(folder: &Path, json: bool) -> anyhow::Result<String> {
    let servers = ask_all(folder).await?;
    if json {
        return Ok(serde_json::to_string(&Answer { servers: &servers })? + "\n");
    }
    Ok(if servers.is_empty() { "no server runs\n".to_owned() } else { servers.iter().map(table).collect() })
}

fn table(server: &ServerStatus) -> String {
    let mut text = format!("server {}", server.pid);
    if !server.version.is_empty() {
        let _ = write!(text, ", runpen {}, up {}", server.version, span(server.uptime_seconds));
    }
    text.push('\n');
    match (&server.engine, &server.error) {
        (Some(engine), _) => {
            let _ = writeln!(
                text,
                "  engine   {} {}, {}, at {}",
                engine.name, engine.version, engine.runtime, engine.endpoint
            );
        }
        (None, Some(error)) => {
            let _ = writeln!(text, "  engine   none: {error}");
        }
        (None, None) => text.push_str("  engine   not asked for yet\n"),
    }
    let waiting: Vec<_> = server.pool.iter().map(|pool| format!("{} {}", pool.language, pool.waiting)).collect();
    if !waiting.is_empty() {
        let _ = writeln!(text, "  waiting  {}", waiting.join(", "));
    }
    for run in &server.runs {
        let _ = writeln!(text, "  runs     {} for {:.1} s", run.language, run.elapsed_ms / 1000.0);
    }
    for (language, counts) in &server.metrics.languages {
        let _ = writeln!(text, "  {language:8} {}", words(counts));
    }
    let counts = &server.metrics;
    if counts.pulls + counts.failed_pulls + counts.cancelled_pulls > 0 {
        let bytes = crate::run::megabytes(counts.pulled_bytes);
        let _ = writeln!(text, "  pulls    {} done, {} failed, {bytes}", counts.pulls, counts.failed_pulls);
    }
    if let Some(endpoint) = &server.metrics_endpoint {
        let _ = writeln!(text, "  metrics  {endpoint}");
    }
    // What a server says goes to a terminal.
    text.chars().filter(|character| *character == '\n' || !character.is_control()).collect()
}

fn words(counts: &LanguageCounts) -> String {
    let runs: u64 = counts.runs.values().sum();
    let outcomes: Vec<_> = counts.runs.iter().map(|(outcome, count)| format!("{count} {}", outcome.word())).collect();
    let of = runs.max(1);
    let warm = counts.pool_hits * 100 / of;
    let first = mean(&counts.first_byte).map(|mean| format!(", first byte after {mean:.1} ms")).unwrap_or_default();
    format!("{runs} runs ({}), {warm} % warm{first}", outcomes.join(", "))
}

/// Milliseconds.
fn mean(histogram: &Histogram) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "shown with one digit behind the point")]
    let count = histogram.count as f64;
    (histogram.count > 0).then(|| histogram.sum_seconds * 1000.0 / count)
}

fn span(seconds: u64) -> String {
    match (seconds / 3600, seconds / 60 % 60) {
        (0, 0) => format!("{seconds} s"),
        (0, minutes) => format!("{minutes} min"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::metrics::{Metrics, Pulled, Ran};
    use crate::protocol::{EngineStatus, Outcome, PoolStatus};

    #[test]
    fn servers_read_as_a_table() {
        let metrics = Metrics::default();
        let first_byte = Some(Duration::from_millis(4));
        metrics.ran("python", Outcome::Exited, Ran { first_byte, warm: Some(true), ..Ran::default() });
        metrics.ran("python", Outcome::TimedOut, Ran { warm: Some(false), ..Ran::default() });
        metrics.pulled(Pulled::Here, 12_300_000);
        let word = |text: &str| text.to_owned();
        let server = ServerStatus {
            pid: 42,
            version: word("1.2.3"),
            uptime_seconds: 3725,
            engine: Some(EngineStatus {
                name: word("docker"),
                version: word("28.0"),
                endpoint: word("unix:///var/run/docker.sock"),
                runtime: word("runc"),
            }),
            pool: vec![PoolStatus { language: word("python"), waiting: 2 }],
            metrics: metrics.counts(),
            metrics_endpoint: Some(word("http://127.0.0.1:9464/metrics")),
            ..ServerStatus::default()
        };
        let hung = ServerStatus { pid: 43, error: Some(word("no\u{1b}[31m answer")), ..ServerStatus::default() };
        insta::assert_snapshot!(table(&server) + &table(&hung));
    }
}
