//! `runpen doctor`: which engines answer, which images are there, and a live probe of every control of the sandbox.

use std::io::Write;
use std::sync::Arc;

use serde::Serialize;

use crate::config::{EngineChoice, EngineWish, Settings};
use crate::engine::docker::{self, DockerEngine, Places};
use crate::engine::owner::Owner;
use crate::engine::probe::{Findings, Probe, examine};
use crate::engine::select::MakeEmbedded;
use crate::engine::{Engine, EngineError};
use crate::plan::Sandbox;
use crate::protocol::{EngineStatus, ImageStatus, Receipt};

/// An engine that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Candidate {
    /// `docker` or `embedded`.
    pub engine: String,
    /// Where it was looked for.
    pub endpoint: String,
    /// Who named the place: a variable, a Docker context, a setting, or the product whose usual socket it is.
    pub source: String,
    /// Whether it answered.
    pub answers: bool,
    /// Its version, or why there is none.
    pub answer: String,
    /// Whether runs use it.
    pub used: bool,
    /// Why it is used, or is not though it answers.
    pub reason: String,
}

/// Everything that the doctor says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Version of Runpen.
    pub version: String,
    /// Engines tried, in order of preference.
    pub candidates: Vec<Candidate>,
    /// The engine that runs use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<EngineStatus>,
    /// Images of all languages.
    pub images: Vec<ImageStatus>,
    /// The image the probes ran in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe_image: Option<String>,
    /// Every control, tried.
    pub probes: Vec<Probe>,
    /// What the engine says it holds, of the same container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<Receipt>,
    /// Why something above is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Report {
    /// Whether a run would be as safe as promised.
    #[must_use]
    pub fn healthy(&self) -> bool {
        self.error.is_none() && !self.probes.is_empty() && self.probes.iter().all(|probe| probe.ok || probe.missing)
    }
}

/// Examines, and writes a table or one JSON object. Whether all is well is the answer.
pub async fn run(
    settings: &Settings,
    owner: Arc<Owner>,
    make_embedded: MakeEmbedded,
    json: bool,
    out: &mut impl Write,
) -> anyhow::Result<bool> {
    let report = report(settings, owner, make_embedded).await;
    if json {
        serde_json::to_writer(&mut *out, &report)?;
        writeln!(out)?;
    } else {
        write(&report, out)?;
    }
    Ok(report.healthy())
}

/// Examines.
pub async fn report(settings: &Settings, owner: Arc<Owner>, make_embedded: MakeEmbedded) -> Report {
    let mut report = Report { version: env!("CARGO_PKG_VERSION").to_owned(), ..Report::default() };
    match find(&settings.engine_wish(), owner, make_embedded, &mut report.candidates).await {
        Ok(engine) => {
            if let Err(error) = examine_with(settings, engine.as_ref(), &mut report).await {
                report.error = Some(error);
            }
        }
        Err(error) => report.error = Some(error.to_string()),
    }
    report
}

/// Tries every engine, and gives the one that runs would use.
async fn find(
    wish: &EngineWish,
    owner: Arc<Owner>,
    make_embedded: MakeEmbedded,
    candidates: &mut Vec<Candidate>,
) -> Result<Arc<dyn Engine>, EngineError> {
    let choice = wish.choice;
    let Places { chosen, usual } = docker::places(wish);
    let usable = chosen.clone().map_or_else(|| usual.clone(), |chosen| vec![chosen]);
    let (docker, mut attempts) = DockerEngine::connect_to(&usable, Arc::clone(&owner), docker::PATIENT).await;
    let used = docker.as_ref().ok().map(|engine| engine.endpoint().to_owned());
    if chosen.is_some() {
        // They are not used; that they are there may be what the user wants to know.
        attempts.extend(DockerEngine::connect_to(&usual, owner, docker::PATIENT).await.1);
    }
    for (index, attempt) in attempts.into_iter().enumerate() {
        let named = chosen.is_some() && index == 0;
        let used =
            choice != EngineChoice::Embedded && used.as_ref() == Some(&attempt.endpoint) && (named || chosen.is_none());
        let answers = attempt.answer.is_ok();
        let reason = match (&chosen, named) {
            _ if choice == EngineChoice::Embedded => "the embedded engine was asked for".to_owned(),
            (Some(_), true) => format!("named by {}", attempt.source),
            (Some(chosen), false) => format!("not used: {} names another", chosen.source),
            _ if used => "the first that answers".to_owned(),
            _ if answers => "one before it answers".to_owned(),
            _ => String::new(),
        };
        candidates.push(Candidate {
            engine: "docker".to_owned(),
            answers,
            answer: attempt.answer.unwrap_or_else(|error| error),
            used,
            endpoint: attempt.endpoint,
            source: attempt.source,
            reason,
        });
    }
    let pinned = wish.docker_host.is_some() || wish.docker_context.is_some();
    let embedded = make_embedded(wish);
    let answer = match &embedded {
        Ok(engine) => engine.info().await.map(|info| info.version),
        Err(error) => Err(error.clone()),
    };
    candidates.push(Candidate {
        engine: "embedded".to_owned(),
        endpoint: "this machine's kernel".to_owned(),
        source: "built in".to_owned(),
        reason: match choice {
            EngineChoice::Embedded => "it was asked for",
            EngineChoice::Docker => "Docker was asked for",
            EngineChoice::Auto if pinned => "a setting names Docker's place",
            EngineChoice::Auto if docker.is_ok() => "Docker answers and comes first",
            EngineChoice::Auto => "Docker does not answer",
        }
        .to_owned(),
        answers: answer.is_ok(),
        used: answer.is_ok()
            && match choice {
                EngineChoice::Auto => docker.is_err() && !pinned,
                EngineChoice::Docker => false,
                EngineChoice::Embedded => true,
            },
        answer: answer.unwrap_or_else(|error| error.to_string()),
    });
    let docker = docker.map(|engine| Arc::new(engine) as Arc<dyn Engine>);
    match choice {
        EngineChoice::Docker => docker,
        EngineChoice::Embedded => embedded,
        EngineChoice::Auto if pinned => docker,
        EngineChoice::Auto => docker.or_else(|error| embedded.map_err(|_| error)),
    }
}

async fn examine_with(settings: &Settings, engine: &dyn Engine, report: &mut Report) -> Result<(), String> {
    let info = engine.info().await.map_err(|error| error.to_string())?;
    report.engine = Some(info.into());
    for language in settings.languages.0.values() {
        let present = engine.image(&language.image).await.map_err(|error| error.to_string())?.is_some();
        report.images.push(ImageStatus {
            language: language.name.clone(),
            image: language.image.clone(),
            present,
            error: None,
        });
    }
    // The smallest sandbox is the shell's; any other image with a shell does as well.
    let shell = report.images.iter().find(|image| image.present && image.language == "shell");
    let image = shell.or_else(|| report.images.iter().find(|image| image.present)).map(|image| image.image.clone());
    let Some(image) = image else {
        return Err(
            "no image of any language is here, so nothing could be probed; fetch one, such as `docker pull alpine:3.22`"
                .to_owned(),
        );
    };
    let memory = settings.languages.named("shell").map_or(64 << 20, |shell| settings.memory_for(shell).bytes());
    let sandbox = Sandbox { isolation: settings.isolation, ..Sandbox::new(memory, settings.cpus.milli()) };
    let findings = examine(engine, &image, sandbox, sandbox).await.map_err(|error| error.to_string())?;
    let Findings { probes, receipt } = findings;
    report.probe_image = Some(image);
    report.probes = probes;
    report.sandbox = receipt;
    Ok(())
}

/// The table for people.
fn write(report: &Report, out: &mut impl Write) -> std::io::Result<()> {
    writeln!(out, "runpen {}", report.version)?;
    writeln!(out, "\nEngines")?;
    for candidate in &report.candidates {
        let mark = if candidate.used { "→" } else { " " };
        let answer = if candidate.answers { "answers, version " } else { "" };
        let why = if candidate.reason.is_empty() { String::new() } else { format!("; {}", candidate.reason) };
        let Candidate { engine, endpoint, source, answer: said, .. } = candidate;
        writeln!(out, " {mark} {engine:9} {endpoint} ({source}): {answer}{said}{why}")?;
    }
    if let Some(engine) = &report.engine {
        writeln!(out, "   containers are started by {}", engine.runtime)?;
    }
    if !report.images.is_empty() {
        writeln!(out, "\nImages")?;
    }
    for image in &report.images {
        let present = if image.present { "here" } else { "not here; it is fetched when first needed" };
        writeln!(out, "   {:12} {} ({present})", image.language, image.image)?;
    }
    if let Some(image) = &report.probe_image {
        writeln!(out, "\nSandbox, tried in {image}")?;
        let width = |of: fn(&Probe) -> &str| report.probes.iter().map(|probe| of(probe).len()).max().unwrap_or(0);
        let (control, expected) = (width(|probe| &probe.control), width(|probe| &probe.expected));
        writeln!(out, "     {:control$}  {:expected$}  seen", "control", "expected")?;
        for probe in &report.probes {
            let mark = match probe {
                Probe { ok: true, .. } => "ok ",
                Probe { missing: true, .. } => "-- ",
                _ => "BAD",
            };
            writeln!(out, " {mark} {:control$}  {:expected$}  {}", probe.control, probe.expected, probe.seen)?;
        }
    }
    for missing in report.sandbox.iter().flat_map(|receipt| &receipt.missing) {
        writeln!(out, " not given by this engine: {missing}")?;
    }
    if let Some(error) = &report.error {
        writeln!(out, "\n{error}")?;
    }
    let lacks = report.probes.iter().any(|probe| probe.missing)
        || report.sandbox.as_ref().is_some_and(|receipt| !receipt.missing.is_empty());
    let verdict = match report.healthy() {
        true if lacks => "Every other control holds; with strict = true nothing would run.",
        true => "Every control holds.",
        false => "Something is wrong: see above.",
    };
    writeln!(out, "\n{verdict}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_reads_as_a_table() {
        let probe = |control: &str, ok| Probe {
            control: control.to_owned(),
            expected: "refused".to_owned(),
            seen: if ok { "refused" } else { "allowed" }.to_owned(),
            ok,
            missing: false,
        };
        let report = Report {
            version: "0.0.0".to_owned(),
            candidates: vec![Candidate {
                engine: "docker".to_owned(),
                endpoint: "unix:///var/run/docker.sock".to_owned(),
                answers: true,
                answer: "28.0".to_owned(),
                used: true,
                source: "Docker".to_owned(),
                reason: "the first that answers".to_owned(),
            }],
            images: vec![ImageStatus {
                language: "shell".to_owned(),
                image: "alpine:3.22".to_owned(),
                present: true,
                error: None,
            }],
            probe_image: Some("alpine:3.22".to_owned()),
            probes: vec![probe("mounting", true), probe("kernel settings", false)],
            ..Report::default()
        };
        let mut text = Vec::new();
        write(&report, &mut text).unwrap();
        insta::assert_snapshot!(String::from_utf8(text).unwrap());
        assert!(!report.healthy());
    }
}
