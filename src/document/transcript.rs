//! Blocks with prompts: `$ ` of a shell, `>>> ` of Python. What follows an input, up to the next one, came out of it.

use std::ops::Range;

use super::code::Code;

/// Whose prompt it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prompt {
    /// `$ `, going on with `> `.
    Shell,
    /// `>>> `, going on with `... `.
    Python,
}

/// What was typed and what came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transcript {
    /// Whose prompt it is.
    pub prompt: Prompt,
    /// Inputs and their outputs, in order.
    pub examples: Vec<Example>,
}

/// One input and its output, in lines of the block's code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// Lines with a prompt.
    pub input: Range<usize>,
    /// Lines after them.
    pub output: Range<usize>,
    /// It says that it is not to be run.
    pub skipped: bool,
}

impl Prompt {
    /// Name of the language that takes the input.
    #[must_use]
    pub fn language(self) -> &'static str {
        match self {
            Self::Shell => "shell",
            Self::Python => "python",
        }
    }

    /// The prompt, and the one of lines that go on.
    pub(super) fn marks(self) -> [&'static str; 2] {
        match self {
            Self::Shell => ["$ ", "> "],
            Self::Python => [">>> ", "... "],
        }
    }

    /// The input on a line that begins with one of the marks. A prompt with nothing after it may have lost its space.
    pub(super) fn input(self, line: &str, mark: usize) -> Option<usize> {
        let mark = self.marks()[mark];
        (line.starts_with(mark) || line == mark.trim_end()).then_some(mark.len().min(line.len()))
    }
}

/// Labels of consoles: a block of one of them is a transcript or nothing.
const CONSOLES: &[&str] = &["console", "shell-session", "shellsession", "sh-session", "bash-session", "terminal"];

/// The transcript of a block, when it is one: its first line with something on it has a prompt.
pub(super) fn read(label: Option<&str>, code: &Code) -> Option<Transcript> {
    let text = code.as_str();
    let first = text.lines().find(|line| !line.trim().is_empty())?;
    let label = label.unwrap_or_default().to_ascii_lowercase();
    let is = |names: &[&str]| names.contains(&label.as_str());
    let prompt = if first.starts_with(">>> ")
        && (label.is_empty() || is(&["python", "py", "python3", "pycon", "doctest", "python-console"]))
    {
        Prompt::Python
    } else if first.starts_with("$ ") && (is(CONSOLES) || is(&["sh", "bash", "shell", "zsh"])) {
        Prompt::Shell
    } else {
        return None;
    };
    let lines: Vec<&str> = code.lines().into_iter().map(|line| &text[line]).collect();
    let mut examples: Vec<Example> = Vec::new();
    let mut index = 0;
    while index < lines.len() {
        if prompt.input(lines[index], 0).is_none() {
            index += 1;
            continue;
        }
        let start = index;
        index += 1;
        while index < lines.len() && prompt.input(lines[index], 1).is_some() && continues(prompt, &lines[start..index])
        {
            index += 1;
        }
        let input = start..index;
        let skipped = lines[input.clone()].iter().any(|line| line.contains("doctest: +SKIP"));
        while index < lines.len() && prompt.input(lines[index], 0).is_none() {
            index += 1;
        }
        let end = output_end(prompt, &lines, input.end..index);
        examples.push(Example { output: input.end..end, input, skipped });
    }
    (!examples.is_empty()).then_some(Transcript { prompt, examples })
}

/// Whether a line that looks like a continuation is one: `> ` may also be output of a shell.
fn continues(prompt: Prompt, input: &[&str]) -> bool {
    match prompt {
        Prompt::Python => true,
        Prompt::Shell => {
            let typed: String =
                input.iter().map(|line| line.get(2..).unwrap_or_default()).collect::<Vec<_>>().join("\n");
            let last = input.last().map_or("", |line| line.trim_end());
            let quotes = |mark: char| typed.matches(mark).count() % 2 == 1;
            last.ends_with(['\\', '|', '&', '{', '('])
                || quotes('\'')
                || quotes('"')
                || typed.contains("<<")
                || input.len() > 1
                || ["do", "then", "else"].iter().any(|word| last.split_whitespace().last() == Some(word))
        }
    }
}

/// Output of Python ends at an empty line, which parts it from what follows; of a shell only trailing ones part.
fn output_end(prompt: Prompt, lines: &[&str], output: Range<usize>) -> usize {
    let blank = |line: &usize| lines[*line].trim().is_empty();
    match prompt {
        Prompt::Python => output.clone().find(blank).unwrap_or(output.end),
        Prompt::Shell => output.clone().rev().find(|line| !blank(line)).map_or(output.start, |line| line + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn examples(label: &str, text: &str) -> Vec<(Range<usize>, Range<usize>)> {
        let mut code = Code::default();
        code.push(text, 0..text.len());
        let read = read(Some(label), &code);
        read.into_iter().flat_map(|read| read.examples).map(|example| (example.input, example.output)).collect()
    }

    #[test]
    fn inputs_and_outputs_are_told_apart() {
        assert_eq!(
            examples("py", ">>> 1\n1\n>>> for x in y:\n...     x\n...\n2\n\nwords\n"),
            [(0..1, 1..2), (2..5, 5..6)]
        );
        assert_eq!(
            examples("console", "$ a\n$ b \\\n> c\n> out\n\nout\n\n$ d\n> out\n"),
            [(0..1, 1..1), (1..4, 4..6), (7..8, 8..9)]
        );
        assert_eq!(examples("js", "$ a\n"), []);
        assert_eq!(examples("sh", "echo\n$ a\n"), []);
    }
}
