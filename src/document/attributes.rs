//! What a block says of itself: in its info string, in a comment above it, in `#|` lines. The conventions that exist are
//! read before any of our own. It knows no format and no language.
//!
//! A block can make its own run stricter and no more. What it asks for beyond that is refused by name, never dropped in
//! silence and never granted.

use std::time::Duration;

use crate::config::Span;

/// What a block says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that a block can say")]
pub struct Attributes {
    /// Why it is not run unless somebody asks for this very block.
    pub skip: Option<String>,
    /// It is compiled and not run.
    pub no_run: bool,
    /// It has to fail while it runs.
    pub should_panic: bool,
    /// It has to be refused by the compiler.
    pub compile_fail: bool,
    /// What it is called.
    pub name: Option<String>,
    /// Name of its file in the sandbox.
    pub file_name: Option<String>,
    /// Its standard input.
    pub stdin: Option<String>,
    /// Its arguments.
    pub args: Vec<String>,
    /// The most time it may take; it never has more than the user allows.
    pub timeout: Option<Duration>,
    /// The exit code it has to have.
    pub exit: Option<i32>,
    /// Blocks of one session build on each other.
    pub session: Option<String>,
    /// It goes on where an earlier block ended: the one of this name or, when empty, the one before it.
    pub continues: Option<String>,
    /// Its output differs each time and is not compared.
    pub varying: bool,
    /// Differences in white space are none.
    pub loose: bool,
    /// Its output is promised in the page: this is that promise.
    pub is_output: bool,
    /// It is a cell of a notebook (`{python}`), which goes on where the one before it ended.
    pub is_cell: bool,
    /// A program that it names to run it.
    pub interpreter: Option<String>,
    /// What it asked for and does not get, a line each.
    pub remarks: Vec<String>,
}

/// What loosens a sandbox, or looks as if it did.
const REFUSED: &[(&str, &str)] = &[
    ("network", NOTHING),
    ("net", NOTHING),
    ("memory", NOTHING),
    ("mem", NOTHING),
    ("cpus", NOTHING),
    ("cpu", NOTHING),
    ("pids", NOTHING),
    ("image", NOTHING),
    ("container", NOTHING),
    ("engine", NOTHING),
    ("isolation", NOTHING),
    ("runtime", NOTHING),
    ("privileged", NOTHING),
    ("user", NOTHING),
    ("root", NOTHING),
    ("sudo", NOTHING),
    ("cap-add", NOTHING),
    ("mount", NOTHING),
    ("mounts", NOTHING),
    ("volume", NOTHING),
    ("volumes", NOTHING),
    ("device", NOTHING),
    ("output-limit", NOTHING),
    ("compile-timeout", NOTHING),
    ("strict", NOTHING),
    ("cwd", FOLDER),
    ("dir", FOLDER),
    ("env", "a block has no environment of its own"),
    ("background", "a run ends with its program"),
];
const NOTHING: &str = "a page gives itself nothing; the user's own configuration may";
const FOLDER: &str = "a block runs in a folder of its own";

/// Keys of a `runpen:` comment, to name the nearest one.
const KNOWN: &[&str] = &[
    "ignore",
    "skip",
    "no_run",
    "should_panic",
    "compile_fail",
    "name",
    "file",
    "stdin",
    "args",
    "timeout",
    "exit",
    "session",
    "continue",
    "varying",
    "loose",
    "output",
];

impl Attributes {
    /// Reads an info string: the language it names, and what it says beside it.
    #[must_use]
    pub fn of_info(info: &str) -> (Option<String>, Self) {
        let mut attributes = Self::default();
        let info = info.trim();
        let rest = if info.starts_with('{') { info } else { &info[label_length(info)..] };
        let label = &info[..info.len() - rest.len()];
        let mut label = (!label.is_empty()).then(|| label.to_owned());
        for (index, word) in words(rest).into_iter().enumerate() {
            let bare = word.value.is_none();
            if info.starts_with('{') && bare {
                // `{python}` of Quarto, `{.python}` of Pandoc, `{r, echo=FALSE}` of R Markdown.
                if let Some(class) = word.key.strip_prefix('.') {
                    if class == "output" {
                        attributes.is_output = true;
                    } else if label.is_none() {
                        label = Some(class.to_owned());
                    }
                    continue;
                }
                if index == 0 && !word.key.starts_with('#') {
                    attributes.is_cell = true;
                    label = Some(word.key);
                    continue;
                }
            }
            if let (Some(id), true) = (word.key.strip_prefix('#'), bare) {
                attributes.name = Some(id.to_owned());
                continue;
            }
            let _ = attributes.take(&word, false);
        }
        if let Some(word) = label.clone().filter(|label| matches!(label.as_str(), "output" | "stdout")) {
            attributes.is_output = true;
            label = Some(word);
        } else if label.as_deref().is_some_and(is_flag) {
            // rustdoc: `ignore` alone, the language goes without saying.
            let key = label.take().unwrap_or_default();
            let _ = attributes.take(&Word { key, value: None }, false);
        }
        (label, attributes)
    }

    /// Reads a comment above the block, or one of its own `#|` lines; `false` when it is about something else.
    pub fn comment(&mut self, comment: &str) -> bool {
        let comment = comment.trim();
        if let Some(rest) = comment.strip_prefix("runpen:").or_else(|| comment.strip_prefix("runpen ")) {
            for word in words(rest) {
                if !self.take(&word, true) {
                    let near = KNOWN.iter().min_by_key(|known| strsim::levenshtein(known, &word.key));
                    let near = near.filter(|known| strsim::levenshtein(known, &word.key) <= 3);
                    let near = near.map(|near| format!(", did you mean `{near}`?")).unwrap_or_default();
                    self.remarks.push(format!("unknown: `{}`{near}", word.key));
                }
            }
        } else if let Some(rest) = comment.strip_prefix("$MDX") {
            for word in words(rest) {
                let _ = self.take(&word, false);
            }
        } else if let Some(rest) = comment.strip_prefix("byexample:") {
            for mut word in words(rest) {
                word.key = word.key.trim_start_matches('+').to_owned();
                let _ = self.take(&word, false);
            }
        } else {
            return false;
        }
        true
    }

    /// Reads `#| key: value` of Quarto.
    pub fn option(&mut self, line: &str) {
        if let Some((key, value)) = line.split_once(':') {
            let value = value.trim().trim_matches('"').to_owned();
            let _ = self.take(&Word { key: key.trim().to_owned(), value: Some(value) }, false);
        }
    }

    /// Takes one word; `false` when it is not known.
    fn take(&mut self, word: &Word, own: bool) -> bool {
        let key = word.key.to_ascii_lowercase().replace('_', "-");
        let value = word.value.as_deref();
        let yes = !matches!(value.map(str::to_ascii_lowercase).as_deref(), Some("false" | "no" | "0"));
        let filled = value.filter(|value| !value.is_empty()).map(str::to_owned);
        match key.as_str() {
            "ignore" | "skip" | "excludefromrunall" if yes => self.skip = Some(format!("it says `{}`", word.key)),
            "eval" => {
                if !yes {
                    self.skip = Some("it says `eval: false`".to_owned());
                }
            }
            "no-run" => self.no_run = yes,
            "should-panic" => self.should_panic = yes,
            "compile-fail" => self.compile_fail = yes,
            "name" | "id" | "label" => self.name = filled.or(self.name.take()),
            "file" | "filename" | "file-name" => self.file_name = filled.or(self.file_name.take()),
            "stdin" => match value {
                // Markdown Preview Enhanced: the code itself goes to the command's input, which is how it runs anyway.
                None | Some("true" | "false") => {}
                Some(text) => self.stdin = Some(unescape(text)),
            },
            "args" | "arguments" => self.args = filled.map(|text| arguments(&text)).unwrap_or_default(),
            "timeout" => self.take_timeout(value.unwrap_or_default()),
            "exit" | "exit-code" | "status" => match value.and_then(|value| value.parse().ok()) {
                Some(code) => self.exit = Some(code),
                None => self.remarks.push(format!("refused: {} is no exit code", shown(word))),
            },
            "session" => self.session = filled,
            "continue" => {
                let other = value.filter(|value| *value != "true").unwrap_or_default();
                self.continues = yes.then(|| other.to_owned());
            }
            "non-deterministic" => match value {
                Some("command") => self.skip = Some("it says `non-deterministic=command`".to_owned()),
                _ => self.varying = yes,
            },
            "varying" => self.varying = yes,
            "loose" | "norm-ws" => self.loose = yes,
            "output" if value.is_none() => self.is_output = true,
            "output" => return own && yes,
            "cmd" => match value.map(str::to_ascii_lowercase).as_deref() {
                None | Some("true") => {}
                Some("false") => self.skip = Some("it says `cmd=false`".to_owned()),
                Some(_) => self.interpreter = filled,
            },
            "interpreter" => self.interpreter = filled,
            "ignore" | "skip" | "excludefromrunall" | "ignore-windows" | "ignore-macos" | "ignore-wasm"
            | "test-harness" | "standalone" | "interactive" => {}
            _ if key.starts_with("ignore-") => {
                self.skip = Some(format!("it says `{}`", word.key));
            }
            _ if key.starts_with("set-") || key.starts_with("unset-") => {
                self.remarks.push(format!("refused: {} (a block has no environment of its own)", shown(word)));
            }
            _ => {
                let Some((_, reason)) = REFUSED.iter().find(|(name, _)| *name == key) else { return false };
                // `title=…` and the like of site generators are nobody's business; a bare word may be one of those.
                let bare = matches!(key.as_str(), "privileged" | "background" | "sudo" | "network");
                if value.is_none() && !own && !bare {
                    return false;
                }
                if key != "background" || yes {
                    self.remarks.push(format!("refused: {} ({reason})", shown(word)));
                }
            }
        }
        true
    }

    fn take_timeout(&mut self, value: &str) {
        // A number alone is seconds, as byexample has it.
        let seconds = value.parse::<f64>().ok().filter(|seconds| *seconds > 0.0 && seconds.is_finite());
        let span = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        match span.or_else(|| value.parse::<Span>().ok().map(Span::duration)) {
            // Two places that say it: the stricter one.
            Some(time) => self.timeout = Some(self.timeout.map_or(time, |other| other.min(time))),
            None => self.remarks.push(format!("refused: timeout={value} (write it like 500ms or 2s)")),
        }
    }

    /// Lays what another place says over this.
    #[must_use]
    pub fn merged(mut self, over: Self) -> Self {
        self.skip = over.skip.or(self.skip);
        self.no_run |= over.no_run;
        self.should_panic |= over.should_panic;
        self.compile_fail |= over.compile_fail;
        self.name = over.name.or(self.name);
        self.file_name = over.file_name.or(self.file_name);
        self.stdin = over.stdin.or(self.stdin);
        if !over.args.is_empty() {
            self.args = over.args;
        }
        self.timeout = match (self.timeout, over.timeout) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        self.exit = over.exit.or(self.exit);
        self.session = over.session.or(self.session);
        self.continues = over.continues.or(self.continues);
        self.varying |= over.varying;
        self.loose |= over.loose;
        self.is_output |= over.is_output;
        self.is_cell |= over.is_cell;
        self.interpreter = over.interpreter.or(self.interpreter);
        self.remarks.extend(over.remarks);
        self
    }
}

/// Words that stand alone in an info string of rustdoc.
fn is_flag(word: &str) -> bool {
    matches!(word, "ignore" | "no_run" | "should_panic" | "compile_fail" | "test_harness")
        || word.starts_with("edition20")
}

fn label_length(info: &str) -> usize {
    info.find(|character: char| character.is_whitespace() || matches!(character, ',' | '{')).unwrap_or(info.len())
}

/// `key`, or `key=value`.
struct Word {
    key: String,
    value: Option<String>,
}

fn shown(word: &Word) -> String {
    word.value.as_ref().map_or_else(|| word.key.clone(), |value| format!("{}={value}", word.key))
}

/// Words between white space, commas and braces. A value may be quoted, or a list in brackets.
fn words(text: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut characters = text.chars().peekable();
    let separates = |character: char| character.is_whitespace() || matches!(character, ',' | '{' | '}');
    loop {
        while characters.next_if(|&character| separates(character)).is_some() {}
        let mut key = String::new();
        while let Some(character) = characters.next_if(|&character| !separates(character) && character != '=') {
            key.push(character);
        }
        if characters.next_if_eq(&'=').is_none() {
            if key.is_empty() {
                return words;
            }
            // What is no word at all (`{1,3-5}` marks lines) is passed over by whoever takes words.
            words.push(Word { key, value: None });
            continue;
        }
        let mut value = String::new();
        match characters.peek().copied() {
            Some(quote @ ('"' | '\'')) => {
                characters.next();
                while let Some(character) = characters.next() {
                    match character {
                        '\\' if characters.peek() == Some(&quote) => value.extend(characters.next()),
                        _ if character == quote => break,
                        _ => value.push(character),
                    }
                }
            }
            Some('[') => {
                let mut quoted = false;
                for character in characters.by_ref() {
                    value.push(character);
                    quoted ^= character == '"';
                    if character == ']' && !quoted {
                        break;
                    }
                }
            }
            _ => {
                while let Some(character) = characters.next_if(|&character| !separates(character)) {
                    value.push(character);
                }
            }
        }
        words.push(Word { key, value: Some(value) });
    }
}

/// Arguments: a list as JSON has it, else words as a shell has them.
fn arguments(text: &str) -> Vec<String> {
    if let Ok(list) = serde_json::from_str::<Vec<serde_json::Value>>(text) {
        return list.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned)).collect();
    }
    let mut found: Vec<String> = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for character in text.chars() {
        match quote {
            Some(open) if character == open => quote = None,
            None if matches!(character, '"' | '\'') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            None if character.is_whitespace() => found.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    found.extend(word);
    found
}

/// `\n`, `\t` and `\\` of a quoted text.
fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            plain.push(character);
            continue;
        }
        match characters.next() {
            Some('n') => plain.push('\n'),
            Some('t') => plain.push('\t'),
            Some('\\') | None => plain.push('\\'),
            Some(other) => plain.extend(['\\', other]),
        }
    }
    plain
}

#[cfg(test)]
#[path = "attributes_tests.rs"]
mod tests;
