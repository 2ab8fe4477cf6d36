//! The table of languages. It is data (`languages.toml`), changed by the user's configuration without code.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::config::Size;

/// Words of a command. `{file}` is the source file, `{class}` the class with `main`, `{args}` the user's arguments,
/// `{files}` the source file and the sources beside it that were sent along.
pub type Step = Vec<String>;

/// One row of the table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Language {
    /// Name, the key of the row.
    #[serde(default)]
    pub name: String,
    /// Name for people.
    pub title: String,
    /// Image reference: a pinned tag.
    pub image: String,
    /// File extensions without the dot.
    pub extensions: Vec<String>,
    /// Other names, among them those of code fences and of LSP's `languageId`.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Interpreters that a `#!` line may name.
    #[serde(default)]
    pub shebangs: Vec<String>,
    /// Name of the source file in the sandbox when the document gives none.
    pub file_name: String,
    /// The commands.
    pub steps: Steps,
    /// What the compiler built, relative to the code's folder.
    #[serde(default)]
    pub artifacts: Vec<String>,
    /// Whether the run step executes a file built there.
    #[serde(default)]
    pub exec: bool,
    /// Memory of the run step.
    pub memory: Size,
    /// Processes and threads of the run step.
    #[serde(default = "default_pids")]
    pub pids: u32,
    /// Open files of the run step.
    #[serde(default = "default_nofile")]
    pub nofile: u32,
    /// Limits of the compile step.
    #[serde(default)]
    pub compile: CompileLimits,
    /// Environment of both steps.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// What is done once per image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bake: Option<Bake>,
    /// Which interpreter waits for a program ahead of time; without it a shell does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<BootKind>,
    /// How a selection is framed: see [`crate::snippet`].
    #[serde(default)]
    pub frame: Frame,
    /// What else goes around a selection.
    #[serde(default, skip_serializing_if = "Selections::is_empty")]
    pub selection: Selections,
    /// What its tools print: see [`crate::report`].
    #[serde(default)]
    pub report: ReportFormat,
    /// Whether carriage returns before line feeds are removed, because the tool takes them for code.
    #[serde(default)]
    pub strip_carriage_returns: bool,
    /// Whether Runpen's own tests run this row's tools.
    #[serde(default = "yes")]
    pub tested: bool,
}

/// What is done once per image, so that not every run has to: see `run/bakery.rs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Bake {
    /// Script for the image's `sh`, run as root without network; what it leaves under `/opt/runpen` is kept.
    pub script: String,
    /// Environment of the script and of all steps on the derived image, laid over the language's own.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Words put behind the first word of the compile step on the derived image.
    #[serde(default)]
    pub compile_flags: Vec<String>,
    /// Program that the compile step goes through on the derived image: it is put before the step's first word.
    #[serde(default)]
    pub compile_through: Option<String>,
    /// Whether a run waits for it, because without it the run would take as long.
    #[serde(default)]
    pub wait: bool,
}

/// The commands of a language.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Steps {
    /// Builds what `run` runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compile: Option<Step>,
    /// Runs it.
    pub run: Step,
}

/// Limits of a compile step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct CompileLimits {
    /// Memory.
    pub memory: Size,
    /// Processes and threads.
    pub pids: u32,
    /// Open files.
    pub nofile: u32,
}

impl Default for CompileLimits {
    fn default() -> Self {
        Self { memory: Size::mib(1024), pids: 256, nofile: 1024 }
    }
}

/// How a selection becomes a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Frame {
    /// Statements stand by themselves.
    #[default]
    None,
    /// Python: statements stand by themselves; the file's imports are kept.
    Python,
    /// JavaScript: the same with `import` and `require`.
    Javascript,
    /// `main`, includes kept.
    Cpp,
    /// `package main`, imports kept and pruned, `func main`.
    Go,
    /// A class with `main`, imports kept.
    Java,
    /// Lines stand by themselves; here-documents and quoted lines keep their indentation.
    Shell,
}

/// What goes around a selection, where `frame` is `none`; `value` holds for every frame that leaves statements alone.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default, expecting = "a table of settings")]
pub struct Selections {
    /// Pattern of the file's lines that go in front: imports.
    pub keep: String,
    /// Pattern of what makes a selection a program already.
    pub entry: String,
    /// Pattern of what a selection that holds definitions begins with.
    pub items: String,
    /// Lines before everything.
    pub head: Vec<String>,
    /// Lines before statements.
    pub before: Vec<String>,
    /// Lines after statements.
    pub after: Vec<String>,
    /// Lines after definitions.
    pub main: Vec<String>,
    /// What prints the value of a selected expression.
    pub value: Value,
}

/// What prints the value of a selected expression.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default, expecting = "a table of settings")]
pub struct Value {
    /// Lines before it.
    pub before: Vec<String>,
    /// Lines after it.
    pub after: Vec<String>,
    /// Pattern of what is never an expression.
    pub never: String,
    /// Pattern of the only thing that is one.
    pub only: String,
}

impl Selections {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Every pattern in it.
    #[must_use]
    pub fn patterns(&self) -> [&str; 5] {
        [&self.keep, &self.entry, &self.items, &self.value.never, &self.value.only]
    }
}

/// Which interpreter can come up ahead of its program: see [`crate::run::guest::Boot`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BootKind {
    /// `CPython`, 3.8 or later.
    Python,
    /// Node, 18 or later.
    Node,
    /// Ruby, 3.1 to 3.3; others start with their program.
    Ruby,
}

/// Which parser of [`crate::report`] reads the tools' output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ReportFormat {
    /// None.
    #[default]
    None,
    /// Python tracebacks and syntax errors.
    Python,
    /// Node's errors and stacks.
    Node,
    /// javac and JVM stack traces.
    Java,
    /// GCC's JSON, sanitizers, signals.
    Gcc,
    /// `go build` and panics.
    Go,
    /// bash, dash and the shell of `BusyBox`.
    Shell,
    /// TypeScript: Deno, and tsc with `--pretty false`.
    Deno,
    /// rustc's JSON, and panics.
    Rust,
    /// Ruby, both parsers.
    Ruby,
    /// PHP.
    Php,
    /// Perl.
    Perl,
    /// Lua.
    Lua,
    /// R.
    R,
    /// `SQLite`'s shell.
    Sqlite,
    /// gawk, mawk and the awk of `BusyBox`.
    Awk,
    /// GHC, and exceptions.
    Haskell,
    /// OCaml's compilers, and exceptions.
    Ocaml,
    /// Erlang, as the built-in row runs it.
    Erlang,
    /// Elixir.
    Elixir,
    /// Nim.
    Nim,
    /// D: ldc, dmd.
    D,
    /// gfortran.
    Fortran,
    /// SWI-Prolog.
    Prolog,
    /// Zig.
    Zig,
    /// C#: mcs or csc, and Mono.
    Mono,
    /// kotlinc, and JVM stack traces.
    Kotlin,
    /// swiftc.
    Swift,
}

fn yes() -> bool {
    true
}

fn default_pids() -> u32 {
    64
}

fn default_nofile() -> u32 {
    64
}

impl Language {
    /// Environment of both steps, in order of names.
    #[must_use]
    pub fn env(&self) -> Vec<(String, String)> {
        self.env.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    fn answers_to(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name) || self.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(name))
    }
}

/// All languages, by name.
#[derive(Debug, Clone, PartialEq)]
pub struct Languages(pub BTreeMap<String, Language>);

static BUILT_IN: LazyLock<Languages> = LazyLock::new(|| {
    let mut rows: BTreeMap<String, Language> =
        toml::from_str(include_str!("languages.toml")).expect("the built-in table of languages is valid");
    for (name, row) in &mut rows {
        row.name.clone_from(name);
    }
    Languages(rows)
});

impl Languages {
    /// The built-in table.
    #[must_use]
    pub fn built_in() -> &'static Self {
        &BUILT_IN
    }

    /// All names, as a line that says what there is lists them.
    #[must_use]
    pub fn names(&self) -> String {
        self.0.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
    }

    /// By name or alias, or the line that says what there is.
    pub fn expect_named(&self, name: &str) -> Result<&Language, String> {
        self.named(name).ok_or_else(|| format!("there is no language `{name}`; there are {}", self.names()))
    }

    /// By name or alias, whatever the case.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Language> {
        self.0.values().find(|language| language.answers_to(name))
    }

    /// By the extension of a path or, without a known one, by a `#!` line.
    #[must_use]
    pub fn of(&self, path: &Path, text: &str) -> Option<&Language> {
        let extension = path.extension().and_then(|extension| extension.to_str());
        extension.and_then(|extension| self.by_extension(extension)).or_else(|| self.by_shebang(text))
    }

    /// As it is written first: `main.c` and `main.C` are of two languages.
    fn by_extension(&self, extension: &str) -> Option<&Language> {
        let find = |same: fn(&str, &str) -> bool| {
            self.0.values().find(|language| language.extensions.iter().any(|own| same(own, extension)))
        };
        find(|own, other| own == other).or_else(|| find(str::eq_ignore_ascii_case))
    }

    fn by_shebang(&self, text: &str) -> Option<&Language> {
        let line = text.strip_prefix('\u{feff}').unwrap_or(text).lines().next()?.strip_prefix("#!")?;
        let mut words = line.split_whitespace();
        let mut interpreter = words.next()?.rsplit('/').next()?;
        if interpreter == "env" {
            interpreter = words.find(|word| !word.starts_with('-') && !word.contains('='))?.rsplit('/').next()?;
        }
        self.0.values().find(|language| language.shebangs.iter().any(|own| own == interpreter))
    }
}
