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

/// Reads an example's argument into its type, and back: a field that the type does not have would be lost on the way.
fn check_argument(command: &str, argument: Option<&serde_json::Value>) -> Result<(), String> {
    use runpen::protocol::{self, command};
    fn read<T: serde::de::DeserializeOwned + serde::Serialize>(
        given: Option<&serde_json::Value>,
    ) -> Result<(), String> {
        let given = given.ok_or("it has no argument")?;
        let read: T = serde_json::from_value(given.clone()).map_err(|error| error.to_string())?;
        let written = serde_json::to_value(&read).map_err(|error| error.to_string())?;
        let lost =
            given.as_object().ok_or("it is no object")?.iter().find(|(name, value)| written.get(name) != Some(value));
        lost.map_or(Ok(()), |(name, _)| Err(format!("{name} is not a field of it")))
    }
    match command {
        command::RUN_FILE => read::<protocol::RunFileParams>(argument),
        command::RUN_SELECTION => read::<protocol::RunSelectionParams>(argument),
        command::RUN_BLOCK => read::<protocol::RunBlockParams>(argument),
        command::RUN_ALL_BLOCKS => read::<protocol::RunAllBlocksParams>(argument),
        command::SEND_INPUT => read::<protocol::SendInputParams>(argument),
        command::CANCEL => read::<protocol::CancelParams>(argument),
        command::CLEAR => read::<protocol::ClearParams>(argument),
        command::SHOW_OUTPUT => read::<protocol::ShowOutputParams>(argument),
        command::PULL_IMAGES => read::<protocol::PullImagesParams>(argument),
        command::STATUS => argument.map_or(Ok(()), |_| Err("it takes no argument".to_owned())),
        other => Err(format!("there is no command {other}")),
    }
}

/// The first example under a heading, after some text of it.
fn example_after(heading: &str) -> serde_json::Value {
    let document = include_str!("../../editors/PROTOCOL.md");
    let (_, rest) = document.split_once(heading).unwrap_or_else(|| panic!("no {heading:?}"));
    let block = rest.split("```json\n").nth(1).and_then(|rest| rest.split("\n```").next()).unwrap();
    serde_json::from_str(block).unwrap_or_else(|error| panic!("{error}: {block}"))
}

#[test]
fn every_example_of_an_answer_is_one() {
    use runpen::protocol::{PullImagesAnswer, RunAllBlocksAnswer, RunAnswer, Status};
    fn same<T: serde::de::DeserializeOwned + serde::Serialize>(heading: &str) {
        let example = example_after(heading);
        let read: T = serde_json::from_value(example.clone()).unwrap_or_else(|error| panic!("{error}: {example}"));
        assert_eq!(serde_json::to_value(&read).unwrap(), example, "a field of the example is not on the wire");
    }
    same::<RunAnswer>("The answer comes at once:\n");
    same::<RunAllBlocksAnswer>("their finished objects in the order of `runs`:\n");
    same::<PullImagesAnswer>("which images it has:\n");
    same::<Status>("#### Status\n");
}

#[test]
fn every_event_and_every_command_has_an_example_that_is_one() {
    let document = include_str!("../../editors/PROTOCOL.md");
    let blocks = document.split("```json\n").skip(1).filter_map(|rest| rest.split("\n```").next());
    let mut events = BTreeSet::new();
    let mut commands = BTreeSet::new();
    for block in blocks {
        let value: serde_json::Value = serde_json::from_str(block).unwrap_or_else(|error| panic!("{error}: {block}"));
        if value["event"] == "status" {
            // Of no run.
            let standing: runpen::protocol::Standing = serde_json::from_value(value.clone()).unwrap();
            assert_eq!(serde_json::to_value(&standing).unwrap(), value, "a field of the example is not on the wire");
        } else if value.get("event").is_some() {
            let event: runpen::protocol::Event =
                serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{error}: {block}"));
            assert_eq!(serde_json::to_value(&event).unwrap(), value, "a field of the example is not on the wire");
            events.insert(event.method());
        }
        if let Some(command) = value.get("command") {
            let name = command.as_str().unwrap();
            let arguments = value["arguments"].as_array().unwrap();
            check_argument(name, arguments.first()).unwrap_or_else(|error| panic!("{error}: {block}"));
            commands.insert(name.to_owned());
        }
    }
    let announced: BTreeSet<String> = runpen::protocol::command::ALL.iter().map(|&name| name.to_owned()).collect();
    assert_eq!(commands, announced, "every command has an example, and no example is of another");
    assert_eq!(events.len(), 4, "{events:?}");
}
