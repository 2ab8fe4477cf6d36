//! `runpen languages`: the table of languages after all layers of settings, where each value comes from, and what each
//! engine would run.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::config::{EngineChoice, EngineWish, Settings};
use crate::engine::{Engine, EngineError, Engines};
use crate::language::Language;

/// One language, as `--json` prints it. Sizes and times are written as in the configuration.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    name: &'a str,
    title: &'a str,
    /// Whether the project's own tests run its tools.
    tested: bool,
    image: &'a str,
    extensions: &'a [String],
    aliases: &'a [String],
    shebangs: &'a [String],
    file_name: &'a str,
    steps: &'a crate::language::Steps,
    limits: Limits,
    env: &'a BTreeMap<String, String>,
    /// Where each value comes from: `built-in`, `file:line`, or the name of a layer.
    sources: BTreeMap<&'static str, &'a str>,
    /// What each engine would run, where that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    engines: Option<Runs<'a>>,
}

/// What each engine would run.
#[derive(Debug, Serialize)]
struct Runs<'a> {
    docker: &'a str,
    embedded: Toolchain,
}

/// What stands in for an image on an engine without images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Toolchain {
    /// The program, with its version in parentheses.
    Toolchain(String),
    /// Why there is none, and what to install.
    Missing(String),
}

/// Asks the embedded engine what it would run for each language.
pub(super) async fn toolchains(engines: &dyn Engines, settings: &Settings) -> BTreeMap<String, Toolchain> {
    let wish = EngineWish { choice: EngineChoice::Embedded, ..settings.engine_wish() };
    let engine = engines.engine(&wish).await;
    let mut found = BTreeMap::new();
    for language in settings.languages.0.values() {
        let toolchain = match &engine {
            Ok(engine) => one(engine.as_ref(), &language.image)
                .await
                .unwrap_or_else(|error| Toolchain::Missing(error.to_string())),
            Err(error) => Toolchain::Missing(error.to_string()),
        };
        found.insert(language.name.clone(), toolchain);
    }
    found
}

async fn one(engine: &dyn Engine, image: &str) -> Result<Toolchain, EngineError> {
    if let Some(found) = engine.image(image).await? {
        return Ok(Toolchain::Toolchain(found.digest));
    }
    // It has none to fetch; it says what to install.
    let (progress, _) = tokio::sync::mpsc::channel(1);
    engine.pull(image, progress).await?;
    Ok(Toolchain::Missing("it came just now; ask again".to_owned()))
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Limits {
    timeout: String,
    memory: String,
    cpus: String,
    pids: u32,
    nofile: u32,
    output_limit: String,
    network: crate::plan::Network,
    /// Of the compile step, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    compile: Option<CompileLimits>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CompileLimits {
    timeout: String,
    memory: String,
    cpus: String,
    pids: u32,
    nofile: u32,
}

impl<'a> Row<'a> {
    fn new(language: &'a Language, settings: &'a Settings, toolchains: Option<&BTreeMap<String, Toolchain>>) -> Self {
        let cpus = |milli: u32| crate::config::Cpus::from_milli(milli).to_string();
        let compile = language.steps.compile.as_ref().map(|_| CompileLimits {
            timeout: settings.compile_timeout.to_string(),
            memory: language.compile.memory.to_string(),
            cpus: cpus(settings.compile_milli_cpus()),
            pids: language.compile.pids,
            nofile: language.compile.nofile,
        });
        Self {
            name: &language.name,
            title: &language.title,
            tested: language.tested,
            image: &language.image,
            extensions: &language.extensions,
            aliases: &language.aliases,
            shebangs: &language.shebangs,
            file_name: &language.file_name,
            steps: &language.steps,
            limits: Limits {
                timeout: settings.timeout.to_string(),
                memory: settings.memory_for(language).to_string(),
                cpus: cpus(settings.cpus.milli()),
                pids: settings.pids_for(language),
                nofile: language.nofile,
                output_limit: settings.output_limit.to_string(),
                network: settings.network,
                compile,
            },
            env: &language.env,
            sources: sources(language, settings),
            engines: toolchains
                .and_then(|toolchains| toolchains.get(&language.name))
                .map(|embedded| Runs { docker: &language.image, embedded: embedded.clone() }),
        }
    }
}

fn sources<'a>(language: &Language, settings: &'a Settings) -> BTreeMap<&'static str, &'a str> {
    let own = |field: &str| settings.source(&format!("languages.{}.{field}", language.name));
    let mut sources: BTreeMap<&'static str, &'a str> = [
        ("image", "image"),
        ("extensions", "extensions"),
        ("aliases", "aliases"),
        ("shebangs", "shebangs"),
        ("fileName", "file-name"),
        ("steps.run", "steps.run"),
        ("limits.nofile", "nofile"),
    ]
    .into_iter()
    .map(|(name, field)| (name, own(field)))
    .collect();
    let general = [
        ("limits.timeout", "timeout"),
        ("limits.cpus", "cpus"),
        ("limits.outputLimit", "output-limit"),
        ("limits.network", "network"),
    ];
    sources.extend(general.into_iter().map(|(name, field)| (name, settings.source(field))));
    let (memory, pids) = settings.limit_sources(language);
    sources.insert("limits.memory", memory);
    sources.insert("limits.pids", pids);
    if language.steps.compile.is_some() {
        sources.insert("steps.compile", own("steps.compile"));
        sources.insert("limits.compile.timeout", settings.source("compile-timeout"));
        sources.insert("limits.compile.memory", own("compile.memory"));
        sources.insert("limits.compile.pids", own("compile.pids"));
        sources.insert("limits.compile.nofile", own("compile.nofile"));
    }
    sources
}

/// The table as text: for people, or an array of objects.
pub(super) fn run(
    settings: &Settings,
    toolchains: Option<&BTreeMap<String, Toolchain>>,
    json: bool,
) -> anyhow::Result<String> {
    let languages = settings.languages.0.values();
    let rows: Vec<Row<'_>> = languages.map(|language| Row::new(language, settings, toolchains)).collect();
    if json {
        return Ok(serde_json::to_string_pretty(&rows)? + "\n");
    }
    let width = |of: for<'r> fn(&'r Row<'_>) -> &'r str, least: usize| {
        rows.iter().map(|row| of(row).chars().count()).max().unwrap_or(0).max(least)
    };
    let (names, images) = (width(|row| row.name, 8), width(|row| row.image, 5));
    let mut table = String::new();
    writeln!(table, "{:names$}  {:images$}  MEMORY  PIDS  FILES  EXTENSIONS", "LANGUAGE", "IMAGE")?;
    for row in &rows {
        let extensions: Vec<String> = row.extensions.iter().map(|extension| format!(".{extension}")).collect();
        let limits = &row.limits;
        writeln!(
            table,
            "{:names$}  {:images$}  {:6}  {:<4}  {:<5}  {}",
            row.name,
            row.image,
            limits.memory,
            limits.pids,
            limits.nofile,
            extensions.join(" ")
        )?;
        for (name, words) in [("compile", row.steps.compile.as_ref()), ("run", Some(&row.steps.run))] {
            if let Some(words) = words {
                writeln!(table, "  {name}: {}", words.join(" "))?;
            }
        }
        match row.engines.as_ref().map(|engines| &engines.embedded) {
            Some(Toolchain::Toolchain(found)) => writeln!(table, "  without images: {found}")?,
            Some(Toolchain::Missing(why)) => writeln!(table, "  without images: nothing; {why}")?,
            None => {}
        }
        if !row.tested {
            writeln!(table, "  not tested by Runpen's own tests")?;
        }
        if !row.aliases.is_empty() {
            writeln!(table, "  also called: {}", row.aliases.join(", "))?;
        }
        for (field, source) in row.sources.iter().filter(|(_, source)| **source != "built-in") {
            writeln!(table, "  {field}: from {source}")?;
        }
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{LanguageLayer, Layer, Size, Sources, load};

    fn settings() -> Settings {
        let python = LanguageLayer { image: Some("mine:1".to_owned()), ..LanguageLayer::default() };
        let flags = Layer {
            memory: Some(Size::mib(99)),
            languages: [("python".to_owned(), python)].into(),
            ..Layer::default()
        };
        load(&Sources { flags: Some(&flags), ..Sources::default() }).unwrap().settings
    }

    #[test]
    fn the_table_for_people_says_what_is_not_built_in() {
        let table = run(&settings(), None, false).unwrap();
        let python: Vec<&str> = table.lines().skip_while(|line| !line.starts_with("python")).take(5).collect();
        assert!(
            python[0].contains("mine:1") && python[0].contains("99M") && python[0].ends_with(".py .pyw"),
            "{table}"
        );
        assert_eq!(python[1], "  run: python3 {file} {args}");
        assert!(table.contains("  not tested by Runpen's own tests\n"), "{table}");
        assert_eq!(&python[3..], ["  image: from command line", "  limits.memory: from command line"]);
    }

    #[test]
    fn the_array_has_every_language_with_its_limits_and_sources() {
        let rows: serde_json::Value = serde_json::from_str(&run(&settings(), None, true).unwrap()).unwrap();
        let rows = rows.as_array().unwrap();
        assert_eq!(rows.len(), settings().languages.0.len());
        let row = |name: &str| rows.iter().find(|row| row["name"] == name).unwrap();
        assert_eq!(row("python")["sources"]["image"], "command line");
        assert_eq!(row("go")["sources"]["image"], "built-in");
        assert_eq!(row("go")["limits"]["compile"]["cpus"], "2");
        assert_eq!((&row("cpp")["extensions"][0], &row("cpp")["limits"]["memory"]), (&"cpp".into(), &"99M".into()));
        assert_eq!(row("python")["limits"].get("compile"), None);
        assert_eq!(row("java")["steps"]["run"][0], "java");
        assert_eq!((&row("julia")["tested"], &row("ruby")["tested"]), (&false.into(), &true.into()));
    }

    #[test]
    fn what_each_engine_would_run_is_said_with_what_to_install() {
        let toolchains = [
            ("python".to_owned(), Toolchain::Toolchain("/usr/bin/python3 (Python 3.13.5)".to_owned())),
            ("ruby".to_owned(), Toolchain::Missing("none here; install it: 'apt install ruby'".to_owned())),
        ]
        .into();
        let table = run(&settings(), Some(&toolchains), false).unwrap();
        assert!(table.contains("\n  without images: /usr/bin/python3 (Python 3.13.5)\n"), "{table}");
        assert!(table.contains("\n  without images: nothing; none here; install it: 'apt install ruby'\n"), "{table}");
        let rows: serde_json::Value =
            serde_json::from_str(&run(&settings(), Some(&toolchains), true).unwrap()).unwrap();
        let row = |name: &str| rows.as_array().unwrap().iter().find(|row| row["name"] == name).unwrap().clone();
        assert_eq!(row("python")["engines"]["docker"], "mine:1");
        assert_eq!(row("python")["engines"]["embedded"]["toolchain"], "/usr/bin/python3 (Python 3.13.5)");
        assert!(row("ruby")["engines"]["embedded"]["missing"].as_str().unwrap().contains("apt install ruby"));
    }

    #[tokio::test]
    async fn the_embedded_engine_is_asked_for_each_language() {
        let engine = crate::engine::fake::FakeEngine::default();
        let found = toolchains(&engine, &settings()).await;
        assert_eq!(found.len(), settings().languages.0.len());
        assert!(found.values().all(|one| matches!(one, Toolchain::Toolchain(_))), "{found:?}");
        engine.set_unreachable(Some("it is off"));
        let found = toolchains(&engine, &settings()).await;
        assert!(matches!(&found["go"], Toolchain::Missing(why) if why.contains("it is off")), "{found:?}");
    }
}
