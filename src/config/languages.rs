//! A user's row of the table of languages, laid over the built-in one. Pure.

use std::collections::BTreeMap;

use super::layer::LanguageLayer;
use super::parse::Places;
use super::{ConfigError, Settings, Size};
use crate::language::{CompileLimits, Frame, Language, ReportFormat, Selections, Steps};

/// Lays a row over the one of that name, or adds it.
pub(super) fn lay_over(
    settings: &mut Settings,
    name: &str,
    row: LanguageLayer,
    places: &Places,
) -> Result<(), ConfigError> {
    let table = format!("languages.{name}");
    // `[languages.py]` means Python, not a new language of that name.
    let name = settings.languages.named(name).map_or_else(|| name.to_owned(), |known| known.name.clone());
    let mut language = match settings.languages.0.remove(&name) {
        Some(language) => language,
        None => new_language(&name, &row).map_err(|reason| ConfigError::Value {
            place: places.of(&table),
            key: table.clone(),
            reason,
        })?,
    };
    let mut changed: Vec<&'static str> = Vec::new();
    macro_rules! set {
        ($($target:ident).+, $($value:ident).+, $key:literal) => {
            if let Some(value) = row.$($value).+.clone() {
                language.$($target).+ = value;
                changed.push($key);
            }
        };
    }
    set!(title, title, "title");
    set!(image, image, "image");
    set!(extensions, extensions, "extensions");
    set!(aliases, aliases, "aliases");
    set!(shebangs, shebangs, "shebangs");
    set!(file_name, file_name, "file-name");
    set!(artifacts, artifacts, "artifacts");
    set!(exec, exec, "exec");
    set!(memory, memory, "memory");
    set!(pids, pids, "pids");
    set!(nofile, nofile, "nofile");
    set!(compile.memory, compile.memory, "compile.memory");
    set!(compile.pids, compile.pids, "compile.pids");
    set!(compile.nofile, compile.nofile, "compile.nofile");
    set!(frame, frame, "frame");
    set!(selection, selection, "selection");
    set!(report, report, "report");
    set!(strip_carriage_returns, strip_carriage_returns, "strip-carriage-returns");
    set!(steps.run, steps.run, "steps.run");
    if row.steps.run.is_some() {
        // What waits ahead of need runs the built-in command; another one has to be started as it is written.
        language.boot = None;
    }
    let own_steps = row.steps.run.is_some() || row.steps.compile.is_some();
    if let Some(compile) = row.steps.compile {
        language.steps.compile = Some(compile).filter(|words| !words.is_empty());
        changed.push("steps.compile");
    }
    if own_steps {
        // Flags for the built-in compiler may be nonsense to the user's.
        language.bake = language.bake.filter(|bake| bake.compile_flags.is_empty() && bake.compile_through.is_none());
    }
    if row.boot.is_some() {
        language.boot = row.boot;
        changed.push("boot");
    }
    if row.memory.is_some() {
        settings.own.memory.insert(name.clone());
    }
    if row.pids.is_some() {
        settings.own.pids.insert(name.clone());
    }
    for field in changed {
        settings.sources.insert(format!("languages.{name}.{field}"), places.of(&format!("{table}.{field}")));
    }
    for (variable, value) in row.env {
        let place = places.of(&format!("{table}.env.{variable}"));
        settings.sources.insert(format!("languages.{name}.env.{variable}"), place);
        language.env.insert(variable, value);
    }
    claim(settings, &language, row.extensions.as_deref(), row.aliases.as_deref(), row.shebangs.as_deref());
    settings.languages.0.insert(name, language);
    Ok(())
}

/// What a row names as its own is no other row's any more: the user's word on `.js` wins over the built-in one.
fn claim(
    settings: &mut Settings,
    language: &Language,
    extensions: Option<&[String]>,
    aliases: Option<&[String]>,
    shebangs: Option<&[String]>,
) {
    let claims = |names: Option<&[String]>, one: &str| {
        names.unwrap_or_default().iter().any(|name| name.eq_ignore_ascii_case(one))
    };
    for other in settings.languages.0.values_mut() {
        other.extensions.retain(|one| !claims(extensions, one));
        other.aliases.retain(|one| !claims(aliases, one) && !one.eq_ignore_ascii_case(&language.name));
        other.shebangs.retain(|one| !claims(shebangs, one));
    }
}

fn new_language(name: &str, row: &LanguageLayer) -> Result<Language, String> {
    let missing = |field: &str| format!("a new language needs {field}; the built-in ones are in `runpen languages`");
    let image = row.image.clone().ok_or_else(|| missing("an image"))?;
    let run = row.steps.run.clone().ok_or_else(|| missing("steps.run"))?;
    let (extensions, file_name) = match (&row.extensions, &row.file_name) {
        (Some(extensions), Some(file_name)) => (extensions.clone(), file_name.clone()),
        (Some(extensions), None) => {
            let first = extensions.first().ok_or_else(|| missing("a file-name or an extension"))?;
            (extensions.clone(), format!("main.{first}"))
        }
        (None, Some(file_name)) => (
            file_name.rsplit_once('.').map(|(_, extension)| extension.to_owned()).into_iter().collect(),
            file_name.clone(),
        ),
        (None, None) => return Err(missing("extensions or a file-name")),
    };
    Ok(Language {
        name: name.to_owned(),
        title: name.to_owned(),
        image,
        extensions,
        aliases: Vec::new(),
        shebangs: Vec::new(),
        file_name,
        steps: Steps { compile: None, run },
        artifacts: Vec::new(),
        exec: false,
        memory: Size::mib(128),
        pids: 64,
        nofile: 64,
        compile: CompileLimits::default(),
        env: BTreeMap::new(),
        boot: None,
        bake: None,
        frame: Frame::None,
        selection: Selections::default(),
        report: ReportFormat::None,
        strip_carriage_returns: false,
        tested: false,
    })
}
