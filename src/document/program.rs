//! A block, or a session of blocks up to one, → the program that runs. Pure: the nonce of its marks comes from outside.
//!
//! Blocks of a session become one program, in the order of the page, each byte mapped to its place. Between them stand lines
//! of ours that print a mark: what comes after the mark is the output of the block that was asked for. So no state lives
//! between two runs, and a block that is needed and fails is seen to fail.
//!
//! A transcript becomes its inputs without their prompts, with a mark after each. Those of Python are run one by one as the
//! interpreter's own prompt runs them, by a few lines in front; since each stays on its own line of the program, a traceback
//! tells the line it would tell anyway.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::ops::Range;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use regex::Regex;

use super::code::Code;
use super::sieve::{Sieve, begin_statements};
use super::transcript::Prompt;
use super::{Against, Block, Page, values};
use crate::config::{Settings, Span};
use crate::language::{Language, Languages};
use crate::snippet::{Snippet, SnippetError, go_imports};
use crate::text::Text;

/// Blocks of one program. Each of a session runs with all before it, so a page of cells without end would take for ever.
const MEMBER_LIMIT: usize = 1000;

/// Everything that running a block needs, beside the settings.
#[derive(Debug, Clone)]
pub struct Program {
    /// What runs, mapped to the document.
    pub snippet: Snippet,
    /// Its language.
    pub language: Language,
    /// Takes the block's own output out of what the program prints.
    pub sieve: Sieve,
    /// Arguments.
    pub args: Vec<String>,
    /// Standard input.
    pub stdin: Option<String>,
    /// The most time it may take, where the block says.
    pub timeout: Option<Duration>,
    /// What has to be said of the block.
    pub remarks: Vec<String>,
}

impl Program {
    /// The settings that it runs with. A page can only tighten.
    #[must_use]
    pub fn tightened(&self, settings: &Arc<Settings>) -> Arc<Settings> {
        let mut settings = Arc::clone(settings);
        if let Some(timeout) = self.timeout.filter(|timeout| *timeout < settings.timeout.duration()) {
            Arc::make_mut(&mut settings).timeout = Span(timeout);
        }
        settings
    }
}

/// Why a block cannot run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProgramError {
    /// The page does not say what it is.
    #[error("the block names no language; write one behind its opening mark")]
    NoLanguage,
    /// The page says something unknown.
    #[error("the language `{0}` is not known; there are {1}")]
    UnknownLanguage(String, String),
    /// It builds on others, and these cannot be put together.
    #[error("blocks of a session cannot be put together in {0}")]
    NoSession(String),
    /// It builds on more others than anybody writes.
    #[error("it builds on more than {MEMBER_LIMIT} blocks")]
    LongSession,
    /// It is to be compiled and not run.
    #[error("it says `no_run`, and {0} is not compiled")]
    NothingToCompile(String),
    /// There is no program.
    #[error(transparent)]
    Snippet(#[from] SnippetError),
}

/// Runs inputs of Python as its prompt does: the value of an expression is printed, each input is a program of its own. Of a
/// block that promises values (`# =>`) those of the expressions that stand on such a line are printed.
const PYTHON: &str = r##"def __runpen(inputs):
    import sys, os, traceback
    scope = sys.modules["__main__"].__dict__
    del scope["__runpen"]
    with open(__file__, encoding="utf-8") as file:
        source = file.read().split("\n")
    for first, last, mode, fails, mark in inputs:
        code = "\n" * (first - 1) + "\n".join(source[first - 1 : last]) + "\n"
        try:
            if mode == "values":
                import ast
                for node in ast.parse(code, __file__).body:
                    line = source[node.end_lineno - 1]
                    asked = isinstance(node, ast.Expr) and any(mark in line for mark in ("# =>", "#=>", "# \u2192"))
                    one = ast.Interactive([node]) if asked else ast.Module([node], [])
                    exec(compile(one, __file__, "single" if asked else "exec", dont_inherit=True), scope)
            else:
                exec(compile(code, __file__, mode, dont_inherit=True), scope)
        except Exception as error:
            trace = error.__traceback__.tb_next
            if not fails:
                sys.excepthook(type(error), error.with_traceback(trace), trace)
                sys.exit(1)
            sys.stdout.write("Traceback (most recent call last):\n")
            sys.stdout.write("".join(traceback.format_exception_only(type(error), error)))
        for stream, number in (sys.stdout, 1), (sys.stderr, 2):
            stream.flush()
            os.write(number, mark)
"##;

/// The program of a block.
pub fn program(
    document: &Text,
    page: &Page,
    index: usize,
    languages: &Languages,
    nonce: &str,
) -> Result<Program, ProgramError> {
    let block = &page.blocks[index];
    let mut language = block.language(languages).cloned().ok_or_else(|| unknown(block, languages))?;
    let members = members(page, index, languages, &language)?;
    let transcripts = members.iter().any(|member| page.blocks[*member].transcript.is_some());
    let last = members.len() - 1;
    let mut waits = last > 0;
    let values = block.expected.iter().any(|expectation| matches!(expectation.against, Against::Line(_)));
    let (code, framed) = if (transcripts || values) && language.name == "python" {
        (prompted_python(page, &members, nonce), false)
    } else if transcripts {
        (prompted_shell(page, &members, nonce), false)
    } else {
        let mut code = Code::default();
        if page.is_go && language.name == "go" {
            let all: String = members.iter().map(|member| page.blocks[*member].code.as_str()).collect();
            code.push_frame(&go_imports(document.as_str(), &all));
        }
        for (number, member) in members.iter().enumerate() {
            if number > 0 && number == last {
                let mark = begin_statements(&language.name, nonce)
                    .ok_or_else(|| ProgramError::NoSession(language.title.clone()))?;
                code.end_line();
                code.push_frame(&mark);
            }
            if values && number == last && values::can_print(&language) {
                values::push(&mut code, &page.blocks[*member], &language);
            } else {
                push_block(&mut code, &page.blocks[*member], &language);
            }
        }
        if language.name == "rust" {
            code = with_main(&code);
        }
        (code, true)
    };
    if block.attributes.no_run {
        if language.steps.compile.is_none() {
            return Err(ProgramError::NothingToCompile(language.title));
        }
        // Compiled, and not run: nothing is printed, no mark either.
        language.steps.run = vec!["true".to_owned()];
        waits = false;
    }
    let range = code_range(block);
    let snippet = Snippet::block(document, range, code, block.attributes.file_name.as_deref(), &language, framed)?;
    let sieve = Sieve::new(nonce, waits);
    // No header is there for certain, and standard output alone has a function that needs none.
    let sieve = if matches!(language.name.as_str(), "c" | "cpp") { sieve.without_stderr() } else { sieve };
    Ok(Program {
        snippet,
        sieve,
        args: block.attributes.args.clone(),
        stdin: block.attributes.stdin.clone(),
        timeout: members.iter().filter_map(|member| page.blocks[*member].attributes.timeout).min(),
        remarks: block.remarks_for(languages, &language),
        language,
    })
}

fn unknown(block: &Block, languages: &Languages) -> ProgramError {
    let Some(label) = block.label.clone() else { return ProgramError::NoLanguage };
    ProgramError::UnknownLanguage(label, languages.names())
}

/// The part of the document that a block's code lies in.
fn code_range(block: &Block) -> Range<usize> {
    let start = block.code.to_document(0).unwrap_or(block.range.start);
    let end = block.code.to_document(block.code.len()).unwrap_or(block.range.end);
    start..end.max(start)
}

/// The blocks that make up the program of one, in order; it is the last.
fn members(page: &Page, index: usize, languages: &Languages, language: &Language) -> Result<Vec<usize>, ProgramError> {
    let same = |other: &usize| {
        let block = &page.blocks[*other];
        block.attributes.skip.is_none() && block.language(languages).is_some_and(|own| own.name == language.name)
    };
    let mut members = BTreeSet::from([index]);
    let mut open = vec![index];
    // The first block of a session that is met is its last one, and brings all the others.
    let mut sessions: BTreeSet<&str> = BTreeSet::new();
    while let Some(at) = open.pop() {
        let attributes = &page.blocks[at].attributes;
        let mut needed: Vec<usize> = Vec::new();
        if let Some(session) = attributes.session.as_deref().filter(|session| sessions.insert(session)) {
            needed.extend((0..at).filter(|other| page.blocks[*other].attributes.session.as_deref() == Some(session)));
        }
        if let Some(name) = &attributes.continues {
            let named = |other: &usize| name.is_empty() || page.blocks[*other].attributes.name.as_ref() == Some(name);
            needed.extend((0..at).rev().filter(same).find(named));
        }
        open.extend(needed.into_iter().filter(same).filter(|other| members.insert(*other)));
        if members.len() > MEMBER_LIMIT {
            return Err(ProgramError::LongSession);
        }
    }
    Ok(members.into_iter().collect())
}

/// A block as it runs: hidden lines of rustdoc are code like any other.
fn push_block(code: &mut Code, block: &Block, language: &Language) {
    let text = block.code.as_str();
    if language.name == "rust" {
        for line in block.code.lines() {
            let shown = &text[line.clone()];
            let bare = shown.trim_start();
            let skip = match bare.as_bytes() {
                [b'#'] => shown.len(),
                [b'#', b' ', ..] => shown.len() - bare.len() + 2,
                [b'#', b'#', ..] => shown.len() - bare.len() + 1,
                _ => 0,
            };
            code.push_code(&block.code, line.start + skip..(line.end + 1).min(text.len()));
        }
    } else {
        code.push_code(&block.code, 0..text.len());
    }
    code.end_line();
}

static MAIN: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?m)^\s*(?:pub\s+)?(?:async\s+)?fn\s+main\s*\(").expect("a valid pattern"));

/// Rust with a `main`, as rustdoc adds it: around everything but attributes of the crate. Code that ends in `Ok(())` of some type may
/// use `?`.
fn with_main(code: &Code) -> Code {
    let text = code.as_str();
    if MAIN.is_match(text) {
        return code.clone();
    }
    let lines = code.lines();
    let is_head = |line: &&Range<usize>| {
        let line = text[(*line).clone()].trim();
        line.is_empty() || line.starts_with("#![") || line.starts_with("extern crate ")
    };
    let head = lines.iter().take_while(is_head).last().map_or(0, |line| (line.end + 1).min(text.len()));
    let question = text.trim_end().ends_with("(())");
    let mut framed = Code::default();
    framed.push_code(code, 0..head);
    framed.push_frame("fn main() {\n");
    if question {
        framed.push_frame("fn __runpen() -> ::core::result::Result<(), impl ::core::fmt::Debug> {\n");
    }
    framed.push_code(code, head..text.len());
    framed.end_line();
    framed.push_frame(if question { "}\n__runpen().unwrap()\n}\n" } else { "}\n" });
    framed
}

/// The inputs of a transcript without their prompts; gives the program's lines that each stands on, from 1.
fn push_inputs(
    code: &mut Code,
    block: &Block,
    prompt: Prompt,
    mut after: impl FnMut(&mut Code, Range<usize>, &super::transcript::Example),
) {
    let lines = block.code.lines();
    for example in block.transcript.iter().flat_map(|transcript| &transcript.examples) {
        if example.skipped {
            continue;
        }
        let first = code.as_str().matches('\n').count() + 1;
        for number in example.input.clone() {
            let line = lines[number].clone();
            let mark = usize::from(number > example.input.start);
            let skip = prompt.input(&block.code.as_str()[line.clone()], mark).unwrap_or(0);
            code.push_code(&block.code, line.start + skip..line.end);
            code.push_code(&block.code, line.end..(line.end + 1).min(block.code.len()));
            code.end_line();
        }
        let last = code.as_str().matches('\n').count();
        after(code, first..last + 1, example);
    }
}

fn prompted_python(page: &Page, members: &[usize], nonce: &str) -> Code {
    // Laid out twice: the lines in front name lines behind them, and always are as many.
    let mut inputs = Vec::new();
    let build = |inputs: &mut Vec<(Range<usize>, &str, bool, bool)>, code: &mut Code| {
        for (number, member) in members.iter().enumerate() {
            let block = &page.blocks[*member];
            let begins = number + 1 < members.len() && number + 2 == members.len();
            if block.transcript.is_none() {
                let first = code.as_str().matches('\n').count() + 1;
                code.push_code(&block.code, 0..block.code.len());
                code.end_line();
                let values = block.expected.iter().any(|one| matches!(one.against, Against::Line(_)));
                let mode = if values && number + 1 == members.len() { "values" } else { "exec" };
                inputs.push((first..code.as_str().matches('\n').count() + 1, mode, false, false));
            } else {
                push_inputs(code, block, Prompt::Python, |_, lines, example| {
                    let own = block.code.lines();
                    let first = example.output.clone().next().map(|line| &block.code.as_str()[own[line].clone()]);
                    let fails = first.is_some_and(|line| line.starts_with("Traceback ("));
                    inputs.push((lines, "single", fails, false));
                });
            }
            if begins {
                if inputs.is_empty() {
                    // All inputs before the block asked for are skipped, and still end somewhere: in one of no lines.
                    inputs.push((1..1, "exec", false, false));
                }
                if let Some(last) = inputs.last_mut() {
                    last.3 = true;
                }
            }
        }
    };
    let mut code = Code::default();
    code.push_frame(PYTHON);
    code.push_frame("\n\n");
    build(&mut inputs, &mut code);
    let mut calls = String::from("__runpen([");
    for (lines, mode, fails, begins) in &inputs {
        let fails = if *fails { "True" } else { "False" };
        let mut mark = Sieve::next_mark(nonce);
        if *begins {
            mark.push_str(&Sieve::begin_mark(nonce));
        } else if *mode != "single" {
            mark.clear();
        }
        let mark = mark.replace('\n', "\\n").replace('\u{1e}', "\\x1e");
        let _ = write!(calls, "({}, {}, \"{mode}\", {fails}, b\"{mark}\"), ", lines.start, lines.end - 1);
    }
    calls.push_str("])\nraise SystemExit\n");
    let mut code = Code::default();
    code.push_frame(PYTHON);
    code.push_frame(&calls);
    build(&mut Vec::new(), &mut code);
    code
}

fn prompted_shell(page: &Page, members: &[usize], nonce: &str) -> Code {
    let printed = |mark: &str| mark.replace('\n', "\\n").replace('\u{1e}', "\\036");
    let (begin, next) = (printed(&Sieve::begin_mark(nonce)), printed(&Sieve::next_mark(nonce)));
    let mut code = Code::default();
    // What the inputs see of the status of the one before them is what they would see at a prompt.
    code.push_frame("__runpen() { __runpen_status=$?; printf \"$1\"; printf \"$1\" >&2; return $__runpen_status; }\n");
    for (number, member) in members.iter().enumerate() {
        if number > 0 && number + 1 == members.len() {
            code.push_frame(&format!("__runpen '{begin}'\n"));
        }
        let block = &page.blocks[*member];
        if block.transcript.is_some() {
            push_inputs(&mut code, block, Prompt::Shell, |code, _, _| code.push_frame(&format!("__runpen '{next}'\n")));
        } else {
            code.push_code(&block.code, 0..block.code.len());
            code.end_line();
        }
    }
    code
}

impl Block {
    /// What has to be said of the block, with what only its language tells.
    pub(crate) fn remarks_for(&self, languages: &Languages, language: &Language) -> Vec<String> {
        let mut remarks = self.remarks.clone();
        if let Some(named) = &self.attributes.interpreter {
            let base = named.rsplit('/').next().unwrap_or(named);
            if languages.named(base).is_none_or(|other| other.name != language.name) {
                remarks.push(format!("refused: it asks to be run by `{named}`, and runs as {}", language.title));
            }
        }
        remarks
    }
}
