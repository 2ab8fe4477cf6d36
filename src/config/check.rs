//! What a value must be beyond its type: bounds that keep a limit a limit, names that are safe as words of a command. Pure.

use std::net::SocketAddr;

use super::ConfigError;
use super::layer::LanguageLayer;
use super::parse::Parsed;
use super::units::Size;
use crate::language::Selections;

/// Engines refuse less: nothing would start.
const LEAST_MEMORY: Size = Size::mib(6);

/// Enough for any program; more could not be told from no limit.
const MOST_PIDS: u32 = 32_768;

const OPEN_FILES: std::ops::RangeInclusive<u32> = 16..=1_048_576;

/// Refuses the first bad value.
pub(super) fn layer(parsed: &Parsed) -> Result<(), ConfigError> {
    let layer = &parsed.layer;
    let mut check = Check { parsed, result: Ok(()) };
    check.docker("docker-host", layer.docker_host.as_deref());
    check.docker("docker-context", layer.docker_context.as_deref());
    check.when("docker-context", layer.docker_host.is_some() && layer.docker_context.is_some(), || {
        "docker-host says already where Docker is; leave one of the two out".to_owned()
    });
    for folder in layer.toolchains.iter().flatten() {
        check.when("toolchains", !folder.is_absolute() && !folder.starts_with("~"), || {
            format!("{} is no whole path: write it like /opt/go or ~/.pyenv", folder.display())
        });
    }
    check.memory("memory", layer.memory);
    check.pids("pids", layer.pids);
    check.environment("env", layer.env.iter());
    check.when("warm.per-language", layer.warm.per_language.is_some_and(|count| count > 64), || {
        "more than 64 containers".to_owned()
    });
    if let Some(listen) = &layer.metrics.listen {
        check.when("metrics.listen", loopback(listen).is_none(), || {
            format!("{listen:?} is no address of this machine's loopback: write it like 127.0.0.1:9464")
        });
    }
    for (name, row) in &layer.languages {
        check.language(name, row);
    }
    check.result
}

/// An address with a port, if it is of the loopback.
pub(super) fn loopback(text: &str) -> Option<SocketAddr> {
    text.parse::<SocketAddr>().ok().filter(|address| address.ip().is_loopback())
}

/// Keeps the first thing that is wrong.
struct Check<'a> {
    parsed: &'a Parsed,
    result: Result<(), ConfigError>,
}

impl Check<'_> {
    fn when(&mut self, key: &str, wrong: bool, reason: impl FnOnce() -> String) {
        if wrong && self.result.is_ok() {
            self.result = Err(ConfigError::Value {
                place: self.parsed.places.of(key),
                key: super::parse::shown(key),
                reason: super::parse::shown(&reason()),
            });
        }
    }

    fn docker(&mut self, key: &str, value: Option<&str>) {
        let Some(value) = value else { return };
        let words =
            value.is_empty() || value.contains(|character: char| character.is_whitespace() || character.is_control());
        self.when(key, words, || format!("{value:?} is not one word"));
        let known = ["unix://", "npipe://", "tcp://", "http://", "https://", "ssh://"];
        let unknown = key == "docker-host" && !known.iter().any(|scheme| value.starts_with(scheme));
        self.when(key, unknown, || {
            format!("{value:?} is no address: write it like unix:///path, tcp://host:port or ssh://host")
        });
    }

    fn memory(&mut self, key: &str, memory: Option<Size>) {
        if let Some(memory) = memory {
            self.when(key, memory < LEAST_MEMORY, || {
                format!("{memory} is less than {LEAST_MEMORY}, the least that a container starts with")
            });
        }
    }

    fn pids(&mut self, key: &str, pids: Option<u32>) {
        self.when(key, pids.is_some_and(|pids| !(1..=MOST_PIDS).contains(&pids)), || {
            format!("it goes from 1 to {MOST_PIDS}")
        });
    }

    fn nofile(&mut self, key: &str, nofile: Option<u32>) {
        self.when(key, nofile.is_some_and(|nofile| !OPEN_FILES.contains(&nofile)), || {
            format!("it goes from {} to {}", OPEN_FILES.start(), OPEN_FILES.end())
        });
    }

    fn environment<'b>(&mut self, key: &str, entries: impl Iterator<Item = (&'b String, &'b String)>) {
        for (name, value) in entries {
            self.when(&format!("{key}.{name}"), name.is_empty() || name.contains(['=', '\0', ' ']), || {
                format!("{name:?} is not the name of a variable")
            });
            self.when(&format!("{key}.{name}"), value.contains('\0'), || "a value has no NUL".to_owned());
        }
    }

    fn language(&mut self, name: &str, row: &LanguageLayer) {
        let key = |field: &str| format!("languages.{name}.{field}");
        let named = name.len() <= 64
            && name.starts_with(|first: char| first.is_ascii_alphanumeric())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-_#.".contains(&byte));
        self.when(&format!("languages.{name}"), !named, || {
            format!("{name:?} is not a name for a language: write it in letters, digits, + - _ # and .")
        });
        self.memory(&key("memory"), row.memory);
        self.memory(&key("compile.memory"), row.compile.memory);
        self.pids(&key("pids"), row.pids);
        self.pids(&key("compile.pids"), row.compile.pids);
        self.nofile(&key("nofile"), row.nofile);
        self.nofile(&key("compile.nofile"), row.compile.nofile);
        self.environment(&key("env"), row.env.iter());
        for pattern in row.selection.iter().flat_map(Selections::patterns) {
            self.when(&key("selection"), regex::Regex::new(pattern).is_err(), || {
                format!("{pattern:?} is not a regular expression: write it like '^(use|import) '")
            });
        }
        if let Some(image) = &row.image {
            self.when(&key("image"), image.is_empty() || image.contains(char::is_whitespace), || {
                format!("{image:?} is not the name of an image: write it like python:3.13-alpine")
            });
        }
        if let Some(file) = &row.file_name {
            let harmless = !file.starts_with(['-', '.'])
                && !file.is_empty()
                && file.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._- ".contains(&byte));
            self.when(&key("file-name"), !harmless, || {
                format!("{file:?} is not a plain file name: write it like main.py")
            });
        }
        for extension in row.extensions.iter().flatten() {
            self.when(&key("extensions"), extension.is_empty() || extension.starts_with('.'), || {
                format!("{extension:?} is not an extension: write it without the dot, like py")
            });
        }
        for path in row.artifacts.iter().flatten() {
            let inside = !path.is_empty() && !path.starts_with(['/', '-']) && path.split('/').all(|part| part != "..");
            self.when(&key("artifacts"), !inside, || format!("{path:?} is not a path inside the code's folder"));
        }
        self.when(&key("steps.run"), row.steps.run.as_ref().is_some_and(Vec::is_empty), || {
            "a command has at least one word".to_owned()
        });
    }
}
