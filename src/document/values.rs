//! Values that a page promises behind bare expressions (`x + 2 // => 42`), printed by the words with which a selection of one
//! expression prints its own. Python's are printed by its prompt, see `program`.

use super::Block;
use super::code::Code;
use super::expected::value_mark;
use crate::language::Language;
use crate::snippet::is_expression;

/// What an expression's line cannot come after, and cannot begin with: it would be a part of a longer one.
const OPEN: &[char] =
    &['(', '[', '{', ',', '+', '-', '*', '/', '%', '=', '&', '|', '^', '<', '>', '?', ':', '.', '\\', '!'];

/// Whether values of the language are printed so.
pub(super) fn can_print(language: &Language) -> bool {
    !language.selection.value.before.is_empty()
}

/// A block with lines around each promised expression that print its value. Expressions of one line at the outermost level
/// only: what stands inside of something is not run when its line comes.
pub(super) fn push(code: &mut Code, block: &Block, language: &Language) {
    let text = block.code.as_str();
    let value = &language.selection.value;
    let lines = block.code.lines();
    let bare = |line: &str| value_mark(line).map_or(line.len(), |mark| mark.start);
    let mut last = "";
    for (number, range) in lines.iter().enumerate() {
        let line = &text[range.clone()];
        let shown = line[..bare(line)].trim_end().trim_end_matches(';').trim_end();
        let begins = !last.ends_with(OPEN) && !line.starts_with(char::is_whitespace);
        // Looked for behind promises only, so that blank lines are walked once.
        let ends = || {
            let mut next = lines[number + 1..].iter().map(|range| text[range.clone()].trim());
            let next = next.find(|next| !next.is_empty());
            !next.is_some_and(|next| next.starts_with(OPEN) && !next.starts_with(['(', '[', '{', '-', '/']))
        };
        if value_mark(line).is_some() && begins && ends() && is_expression(shown, value) {
            print(code, &block.code, range.start..range.start + shown.len(), language);
        } else {
            code.push_code(&block.code, range.start..(range.end + 1).min(text.len()));
            code.end_line();
        }
        if !shown.is_empty() && !["//", "#", "--"].iter().any(|mark| shown.starts_with(mark)) {
            last = shown;
        }
    }
}

fn print(code: &mut Code, from: &Code, expression: std::ops::Range<usize>, language: &Language) {
    let value = &language.selection.value;
    // A string is shown in quotes, as the prompt of the language shows it.
    let frame = |line: &String| line.replace("console.log(_)", "console.dir(_)") + "\n";
    value.before.iter().for_each(|line| code.push_frame(&frame(line)));
    code.push_code(from, expression);
    code.end_line();
    value.after.iter().for_each(|line| code.push_frame(&frame(line)));
}

#[cfg(test)]
mod tests {
    use crate::document::{Format, Page, program};
    use crate::language::Languages;
    use crate::text::Text;

    /// The program of the only block of a page, and what `boom` stands for in the page.
    fn of(label: &str, code: &str) -> String {
        let document = Text::new(format!("> ```{label}\n> {}\n> ```\n", code.trim_end().replace('\n', "\n> ")));
        let page = Page::read(Format::Markdown, &document);
        let program = program(&document, &page, 0, Languages::built_in(), "n").unwrap();
        let source = program.snippet.program.as_str();
        if let Some(at) = source.find("boom") {
            assert_eq!(&document.as_str()[program.snippet.map(&(at..at + 4)).unwrap()], "boom");
        }
        source.to_owned()
    }

    #[test]
    fn a_promised_expression_prints_its_value_on_lines_of_its_own() {
        let printed =
            |expression: &str| format!("{{ const _ = (\n{expression}\n); if (_ !== undefined) console.dir(_); }}\n");
        assert_eq!(of("js", "const a = 1\na + boom; // => 42\n"), format!("const a = 1\n{}", printed("a + boom")));
        assert_eq!(of("ruby", "boom.map { |x| x } # => [1]\n"), "_ = (\nboom.map { |x| x }\n)\np _ unless _.nil?\n");
        assert_eq!(of("lua", "boom() -- => 1\nprint(2) -- => 2\n"), "print(\nboom()\n)\nprint(2) -- => 2\n");
    }

    #[test]
    fn what_is_no_expression_of_one_line_is_left_as_it_stands() {
        for code in [
            "const a = 1 // => 1\n",
            "if (a) {\n  a + 1 // => 2\n}\n",
            "const b = 1 +\n2 // => 3\n",
            "a // => 1\n  .b\n",
            "a // => 1\n.b\n",
            "[\n1\n] // => [1]\n",
            "console.log(1) // => 1\n",
            "let s = 'a' // no value\na + 1 // words\n",
        ] {
            assert_eq!(of("js", code), code, "{code}");
        }
        assert_eq!(of("lua", "a = 5 -- => 5\n"), "a = 5 -- => 5\n");
    }
}
