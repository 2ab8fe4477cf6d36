//! Text or JSON → [`Layer`], with the place of every key, and a warning for each key that nobody knows. Pure.
//!
//! The keys are known from the schema, so a new field needs no second list. TOML is read into JSON first: one reader, one
//! set of messages. Keys that users invent (languages, environment) keep their case.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Map, Value};
use toml::de::{DeTable, DeValue};

use super::layer::{Layer, schema};
use super::{ConfigError, Warning};

/// So many warnings a file gives at most; a hostile one could have a million.
const WARNINGS: usize = 20;

static SCHEMA: LazyLock<Value> = LazyLock::new(schema);

/// A layer and where it comes from.
#[derive(Debug, Clone, Default)]
pub(super) struct Parsed {
    pub(super) layer: Layer,
    pub(super) places: Places,
    pub(super) warnings: Vec<Warning>,
}

/// Where the keys of a layer are written.
#[derive(Debug, Clone, Default)]
pub(super) struct Places {
    /// The file, or a name such as `the command line`.
    origin: String,
    /// Line of each dotted key, from 1.
    lines: BTreeMap<String, usize>,
}

impl Places {
    /// A source that has no lines.
    pub(super) fn named(origin: &str) -> Self {
        Self { origin: origin.to_owned(), lines: BTreeMap::new() }
    }

    /// `file:line` of a key, or of the table around it.
    pub(super) fn of(&self, key: &str) -> String {
        let mut key = key;
        loop {
            if let Some(line) = self.lines.get(key) {
                return format!("{}:{line}", self.origin);
            }
            match key.rfind(['.', '[']) {
                Some(end) => key = &key[..end],
                None => return self.origin.clone(),
            }
        }
    }
}

/// Reads a file of the configuration. `origin` is its path as it is shown.
pub(super) fn toml(origin: &str, text: &str) -> Result<Parsed, ConfigError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let table = DeTable::parse(text).map_err(|error| ConfigError::Syntax {
        place: error.span().map_or_else(|| origin.to_owned(), |span| format!("{origin}:{}", line(text, span.start))),
        reason: shown(error.message()),
    })?;
    let mut places = Places::named(origin);
    let ends: Vec<usize> = memchr::memchr_iter(b'\n', text.as_bytes()).collect();
    let value = table_to_json(&ends, table.get_ref(), "", &mut places.lines);
    read(value, places, false)
}

/// Reads an editor's settings.
pub(super) fn json(origin: &str, value: &Value) -> Result<Parsed, ConfigError> {
    // Editors send null, and some an empty list, for "nothing set".
    let nothing = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
    let value = if nothing { Value::Object(Map::new()) } else { value.clone() };
    read(value, Places::named(origin), true)
}

/// Takes flags, which have their types already.
pub(super) fn layer(origin: &str, layer: &Layer) -> Result<Parsed, ConfigError> {
    let parsed = Parsed { layer: layer.clone(), places: Places::named(origin), warnings: Vec::new() };
    super::check::layer(&parsed)?;
    Ok(parsed)
}

fn line(text: &str, at: usize) -> usize {
    memchr::memchr_iter(b'\n', &text.as_bytes()[..at.min(text.len())]).count() + 1
}

/// `ends` are the offsets of the line ends: a large file has many keys, each with its line.
fn table_to_json(ends: &[usize], table: &DeTable<'_>, path: &str, lines: &mut BTreeMap<String, usize>) -> Value {
    let mut object = Map::new();
    for (key, value) in table {
        let path = join(path, key.get_ref());
        // A dotted key opens its table more than once: the first line is the table's.
        lines.entry(path.clone()).or_insert_with(|| ends.partition_point(|&end| end < key.span().start) + 1);
        object.insert(key.get_ref().to_string(), to_json(ends, value.get_ref(), &path, lines));
    }
    Value::Object(object)
}

fn to_json(ends: &[usize], value: &DeValue<'_>, path: &str, lines: &mut BTreeMap<String, usize>) -> Value {
    match value {
        DeValue::String(string) => Value::String(string.to_string()),
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
            .map_or_else(|_| Value::String(integer.as_str().to_owned()), Value::from),
        // What JSON has no number for stays a text, and is refused as one.
        DeValue::Float(float) => float
            .as_str()
            .parse::<f64>()
            .ok()
            .and_then(serde_json::Number::from_f64)
            .map_or_else(|| Value::String(float.as_str().to_owned()), Value::Number),
        DeValue::Boolean(boolean) => Value::Bool(*boolean),
        DeValue::Datetime(datetime) => Value::String(datetime.to_string()),
        DeValue::Array(array) => {
            Value::Array(array.iter().map(|value| to_json(ends, value.get_ref(), path, lines)).collect())
        }
        DeValue::Table(table) => table_to_json(ends, table, path, lines),
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn read(mut value: Value, places: Places, camel_case: bool) -> Result<Parsed, ConfigError> {
    let mut unknown = Vec::new();
    sort_out(&mut value, &SCHEMA, "", camel_case, &mut unknown);
    unknown.sort_by_key(|(key, _)| places.lines.get(key).copied());
    let left_out = unknown.len().saturating_sub(WARNINGS);
    let mut warnings: Vec<Warning> = unknown
        .into_iter()
        .take(WARNINGS)
        .map(|(key, known)| {
            let nearest = nearest(key.rsplit('.').next().unwrap_or(&key), known, camel_case);
            let hint = nearest.map(|nearest| format!("; did you mean {nearest}?")).unwrap_or_default();
            Warning { place: places.of(&key), text: format!("unknown setting {}{hint}", shown(&key)) }
        })
        .collect();
    if left_out > 0 {
        warnings.push(Warning { place: places.of(""), text: format!("{left_out} more unknown settings") });
    }
    let layer: Layer = serde_path_to_error::deserialize(value).map_err(|error| {
        let key = error.path().to_string();
        let reason = shown(&plain(&error.into_inner().to_string()));
        ConfigError::Value { place: places.of(&key), key: shown(&key), reason }
    })?;
    let parsed = Parsed { layer, places, warnings };
    super::check::layer(&parsed)?;
    Ok(parsed)
}

/// At most this much of what a file's author wrote is repeated, and on one line.
pub(super) fn shown(text: &str) -> String {
    let line: String = text
        .chars()
        .take(200)
        .flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] })
        .collect();
    if text.chars().nth(200).is_some() { line + "…" } else { line }
}

/// What serde says, in the words of the reader.
fn plain(message: &str) -> String {
    let message = message.strip_prefix("invalid type: ").map_or_else(
        || message.to_owned(),
        |rest| rest.replacen(", expected ", " is not ", 1).replacen("u32", "a whole number", 1),
    );
    message
        .replacen("a sequence", "a list", 1)
        .replacen("sequence is not", "a list is not", 1)
        .replacen("is not a map", "is not a table", 1)
        .replacen("map is not", "a table is not", 1)
        .replacen("invalid value: ", "", 1)
        .replacen(", expected u32", " is not a whole number in range", 1)
        .replacen("unknown variant ", "", 1)
        .replacen(", expected ", " is not known here; expected ", 1)
}

/// Removes the keys that the schema does not have, and gives the others the name they have there.
fn sort_out(
    value: &mut Value,
    schema: &'static Value,
    path: &str,
    camel_case: bool,
    unknown: &mut Vec<(String, &'static Map<String, Value>)>,
) {
    let Value::Object(object) = value else { return };
    let Some(schema) = object_schema(schema) else { return };
    if let Some(Value::Object(known)) = schema.get("properties") {
        for (key, mut value) in std::mem::take(object) {
            let name = if camel_case { kebab(&key) } else { key.clone() };
            let path = join(path, &key);
            match known.get(&name) {
                Some(schema) => {
                    sort_out(&mut value, schema, &path, camel_case, unknown);
                    object.insert(name, value);
                }
                None => unknown.push((path, known)),
            }
        }
    } else if let Some(schema) = schema.get("additionalProperties") {
        for (key, value) in object {
            sort_out(value, schema, &join(path, key), camel_case, unknown);
        }
    }
}

/// The schema's own part for objects, past a choice between it and null.
fn object_schema(schema: &'static Value) -> Option<&'static Value> {
    let is_object =
        |schema: &&'static Value| schema.get("properties").or_else(|| schema.get("additionalProperties")).is_some();
    Some(schema).filter(is_object).or_else(|| schema.get("anyOf")?.as_array()?.iter().find(is_object))
}

fn nearest(key: &str, known: &Map<String, Value>, camel_case: bool) -> Option<String> {
    let wanted = kebab(key).replace('_', "-");
    let (distance, name) = known.keys().map(|name| (strsim::damerau_levenshtein(&wanted, name), name)).min()?;
    let close = distance <= (wanted.chars().count() / 3).max(1);
    close.then(|| if camel_case { camel(name) } else { name.clone() })
}

fn kebab(key: &str) -> String {
    let mut name = String::with_capacity(key.len() + 4);
    for character in key.chars() {
        if character.is_ascii_uppercase() {
            name.push('-');
        }
        name.push(character.to_ascii_lowercase());
    }
    name
}

fn camel(name: &str) -> String {
    let mut words = name.split('-');
    let mut key = words.next().unwrap_or_default().to_owned();
    for word in words {
        key.push_str(&word[..1].to_ascii_uppercase());
        key.push_str(&word[1..]);
    }
    key
}
