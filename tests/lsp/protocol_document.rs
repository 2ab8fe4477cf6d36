//! The wire and its document say the same.

use std::collections::BTreeSet;

/// Names in `src/protocol.rs` as they are on the wire.
fn wire_names() -> BTreeSet<String> {
    let source = include_str!("../../src/protocol.rs");
    let camel = |name: &str| {
        let mut words = name.split('_');
        let first = words.next().unwrap_or_default().to_owned();
        words.fold(first, |name, word| name + &word[..1].to_uppercase() + &word[1..])
    };
    let snake = |name: &str| {
        let mut snake = String::new();
        for character in name.chars() {
            if character.is_uppercase() && !snake.is_empty() {
                snake.push('_');
            }
            snake.extend(character.to_lowercase());
        }
        snake
    };
    let mut names: BTreeSet<String> = runpen::protocol::command::ALL.iter().map(|&name| name.to_owned()).collect();
    let mut renamed = "";
    let mut inside = "";
    let mut skipped = false;
    for line in source.lines() {
        skipped |= line.trim() == "#[serde(skip)]";
        if let Some(rest) = line.strip_prefix("#[serde(") {
            renamed = if rest.contains("snake_case") { "snake" } else { "camel" };
        } else if line.starts_with("pub struct") || line.starts_with("pub enum") {
            inside = if line.starts_with("pub enum") { "enum" } else { "struct" };
        } else if line == "}" {
            inside = "";
        }
        let line = line.strip_prefix("    ").filter(|line| !line.starts_with([' ', '#', '/'])).unwrap_or_default();
        if inside == "struct"
            && let Some((name, _)) = line.strip_prefix("pub ").and_then(|line| line.split_once(':'))
            && !std::mem::take(&mut skipped)
        {
            names.insert(camel(name));
        }
        if inside == "enum" && line.ends_with(',') {
            let name = line.trim_end_matches(',').split('(').next().unwrap_or_default();
            names.insert(if renamed == "snake" { snake(name) } else { name[..1].to_lowercase() + &name[1..] });
        }
    }
    names
}

#[test]
fn every_name_of_the_wire_is_in_the_document() {
    let document = include_str!("../../editors/PROTOCOL.md");
    let names = wire_names();
    for expected in ["runpen.runFile", "runId", "compile_failed", "finished", "peakMemoryBytes", "stderr", "elapsedMs"]
    {
        assert!(names.contains(expected), "{expected} was not found in the source: {names:?}");
    }
    let word =
        |name: &str| [format!("`{name}`"), format!("\"{name}\""), format!("`{name}?`"), format!("runpen/{name}")];
    let missing: Vec<&String> =
        names.iter().filter(|name| !word(name).iter().any(|form| document.contains(form.as_str()))).collect();
    assert!(missing.is_empty(), "editors/PROTOCOL.md does not tell of {missing:?}");
}

#[test]
fn every_example_of_an_event_is_one() {
    let document = include_str!("../../editors/PROTOCOL.md");
    let blocks = document.split("```json\n").skip(1).filter_map(|rest| rest.split("\n```").next());
    let mut events = BTreeSet::new();
    for block in blocks {
        let value: serde_json::Value = serde_json::from_str(block).unwrap_or_else(|error| panic!("{error}: {block}"));
        if value.get("event").is_some() {
            let event: runpen::protocol::Event =
                serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{error}: {block}"));
            assert_eq!(serde_json::to_value(&event).unwrap(), value, "a field of the example is not on the wire");
            events.insert(event.method());
        }
        if let Some(command) = value.get("command") {
            assert!(runpen::protocol::command::ALL.contains(&command.as_str().unwrap()), "{command}");
        }
    }
    assert_eq!(events.len(), 4, "{events:?}");
}
