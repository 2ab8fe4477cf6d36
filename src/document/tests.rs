//! Stories of documents and their blocks.

use super::compare::{Printed, differences};
use super::*;

fn page(text: &str) -> Page {
    Page::read(Format::Markdown, &Text::new(text))
}

/// What runs of a block, and the place in the document of its first `word`.
fn runs(text: &str, index: usize, word: &str) -> (String, String) {
    let document = Text::new(text);
    let page = Page::read(Format::Markdown, &document);
    let program = program(&document, &page, index, Languages::built_in(), "NONCE").unwrap();
    let source = program.snippet.program.as_str().to_owned();
    let at = source.find(word).unwrap();
    let place = program.snippet.map(&(at..at + word.len())).unwrap();
    (source, text[..place.start].to_owned() + "[" + &text[place] + "]")
}

#[test]
fn a_block_in_a_list_in_a_quote_runs_without_what_it_is_nested_in() {
    let text = "> 1. words\n>\n>    ~~~py\n>    if x:\n>        boom\n>    ~~~\n";
    let (source, place) = runs(text, 0, "boom");
    assert_eq!(source, "if x:\n    boom\n");
    assert_eq!(place, "> 1. words\n>\n>    ~~~py\n>    if x:\n>        [boom]");
}

#[test]
fn a_frame_does_not_shift_what_is_reported() {
    let text = "- go:\n\n  ```go\n  boom()\n  ```\n";
    let (source, place) = runs(text, 0, "boom");
    assert!(source.contains("func main() {\nboom()\n"), "{source}");
    assert_eq!(place, "- go:\n\n  ```go\n  [boom]");
}

#[test]
fn strange_fences_are_what_commonmark_says() {
    for (text, codes) in [
        ("```py\nunclosed\n", vec!["unclosed\n"]),
        ("````md\n```py\nx\n```\n````\n", vec!["```py\nx\n```\n"]),
        ("```py\n\tx\n```\n", vec!["\tx\n"]),
        ("- a\n\n\t```py\n\tx\n\t```\n", vec!["x\n"]),
        ("```py\r\nx\r\n```\r\n", vec!["x\n"]),
        ("    indented\n    code\n", vec!["indented\ncode\n"]),
        ("```py\n```\n", vec![""]),
    ] {
        let found: Vec<String> = page(text).blocks.iter().map(|block| block.code.as_str().to_owned()).collect();
        assert_eq!(found, codes, "{text:?}");
    }
}

#[test]
fn the_language_is_the_label_or_an_alias_or_a_shebang() {
    for (text, name) in [
        ("```py\nx\n```\n", Some("python")),
        ("```Python\nx\n```\n", Some("python")),
        ("```golang\nx\n```\n", Some("go")),
        ("```c++\nx\n```\n", Some("cpp")),
        ("```mjs\nx\n```\n", Some("javascript")),
        ("```\n#!/usr/bin/env python3\nx\n```\n", Some("python")),
        ("```console\n$ ls\n```\n", Some("shell")),
        ("```\n>>> 1\n1\n```\n", Some("python")),
        ("```klingon\nx\n```\n", None),
        ("```\nx\n```\n", None),
    ] {
        let page = page(text);
        let language = page.blocks[0].language(Languages::built_in());
        assert_eq!(language.map(|language| language.name.as_str()), name, "{text:?}");
    }
}

#[test]
fn an_output_block_is_the_promise_of_the_block_before_it() {
    let page = page("```py\nprint(1)\n```\n\nprints\n\n```output\n1\n```\n\n```output\n2\n```\n");
    assert_eq!(page.blocks.len(), 1);
    assert_eq!(page.blocks[0].expected.len(), 1);
    assert_eq!(page.blocks[0].expected[0].text, "1\n");
    assert_eq!(page.blocks[0].remarks, ["a second output block follows it on line 11: only the first one counts"]);
}

/// The document after all promises that are not kept were written anew.
fn updated(text: &str, printed: &Printed) -> Result<String, String> {
    let document = Text::new(text);
    let page = Page::read(Format::Markdown, &document);
    let block = &page.blocks[0];
    let mut new = text.to_owned();
    for difference in differences(block, printed).iter().rev() {
        let seen = difference.seen.as_deref().ok_or("no part of the output is this")?;
        let edit = update::rewrite(text, &block.expected[difference.expectation], seen)?;
        new.replace_range(edit.range, &edit.text);
    }
    Ok(new)
}

fn stdout(text: &str) -> Printed {
    Printed { stdout: text.to_owned(), ..Printed::default() }
}

#[test]
fn a_new_promise_touches_no_other_byte() {
    let text = "\u{feff}> - ```py\r\n>   x\r\n>   ```\r\n>\r\n>   ```output\r\n>   old\r\n>   ```\r\n> rest \t\r\n";
    assert_eq!(
        updated(text, &stdout("new\n\nline\n")).unwrap(),
        "\u{feff}> - ```py\r\n>   x\r\n>   ```\r\n>\r\n>   ```output\r\n>   new\r\n>\r\n>   line\r\n>   ```\r\n> rest \t\r\n"
    );
    assert_eq!(updated(text, &stdout("old\n")).unwrap(), text);
}

#[test]
fn a_promise_of_comments_is_written_where_it_stands() {
    let text = "```py\nprint(1)  # => 2\nprint(3)  # => 3\n```\n";
    assert_eq!(updated(text, &stdout("1\n3\n")).unwrap(), "```py\nprint(1)  # => 1\nprint(3)  # => 3\n```\n");
    assert!(updated(text, &stdout("1\n2\n3\n4\n")).is_ok(), "both values are among the lines");
    assert!(updated(text, &stdout("1\n2\n4\n")).is_err());
    let text = "- ```go\n  f()\n  // Output:\n  // a\n  // b\n  ```\n";
    assert_eq!(
        updated(text, &stdout("c\n\nd\n")).unwrap(),
        "- ```go\n  f()\n  // Output:\n  // c\n  //\n  // d\n  ```\n"
    );
    let text = "```py\nprint(1)\n# Output: 2\n```\n";
    assert_eq!(updated(text, &stdout("1\n")).unwrap(), "```py\nprint(1)\n# Output: 1\n```\n");
    let text = "```js\nlet f = () => 1; let s = '# => 2'; // x\n```\n";
    assert!(page(text).blocks[0].expected.is_empty());
}

#[test]
fn a_transcript_is_compared_and_written_input_by_input() {
    let text = "> ```console\n> $ a\n> old\n> $ b\n> $ c\n> kept\n> ```\n";
    let segment = |out: &str| [out.to_owned(), String::new()];
    let printed =
        Printed { segments: vec![segment("new\n"), segment("more\n"), segment("kept\n")], ..Printed::default() };
    assert_eq!(updated(text, &printed).unwrap(), "> ```console\n> $ a\n> new\n> $ b\n> more\n> $ c\n> kept\n> ```\n");
    let text = "```py\n>>> f()\nTraceback (most recent call last):\n  ...\nValueError: no\n>>> g()\n1\n```\n";
    let printed = Printed {
        segments: vec![segment("Traceback (most recent call last):\nValueError: no\n"), segment("a\n\nb\n")],
        ..Printed::default()
    };
    assert!(updated(text, &printed).unwrap().ends_with(">>> g()\na\n<BLANKLINE>\nb\n```\n"));
}

#[test]
fn what_would_mean_something_else_is_not_written() {
    let text = "```py\nx\n```\n```output\nold\n```\n";
    assert!(updated(text, &stdout("```\n")).unwrap_err().contains("would mean something else"));
    assert!(updated(text, &stdout("\u{1b}[1m\n")).unwrap_err().contains("control characters"));
    assert!(updated("```py\nx\n```\n```output\nold\n", &stdout("new\n")).is_err(), "a fence without an end");
}

#[test]
fn output_is_inserted_below_in_a_fence_that_it_cannot_close() {
    let text = "1. ```py\n   x\n   ```\n   rest\n";
    let page = page(text);
    let edit = update::insertion(text, &page.blocks[0], "a\n```\n").unwrap();
    let mut new = text.to_owned();
    new.replace_range(edit.range, &edit.text);
    assert_eq!(new, "1. ```py\n   x\n   ```\n\n   ````output\n   a\n   ```\n   ````\n   rest\n");
}

#[test]
fn blocks_of_a_session_are_one_program() {
    let text = "```py session=s\na = 1\n```\n```py\nother\n```\n```py session=s\nprint(a)\n```\n";
    let (source, place) = runs(text, 2, "print");
    assert!(source.starts_with("a = 1\n__import__") && source.ends_with("print(a)\n") && !source.contains("other"));
    assert!(place.ends_with("session=s\n[print]"));
    let text = "```js\nlet a\n```\n```js {continue}\na = 2\n```\n```js continue\na = 3\n```\n";
    let (source, _) = runs(text, 2, "a = 3");
    assert!(source.contains("let a\na = 2\n;process.stdout.write"), "{source}");
}

#[test]
fn a_session_goes_on_behind_a_block_whose_inputs_are_all_skipped() {
    let text = "```pycon session=s\n>>> never() # doctest: +SKIP\n```\n```pycon session=s\n>>> 1 + 1\n2\n```\n";
    let (source, _) = runs(text, 1, "1 + 1");
    let calls = source.lines().find(|line| line.starts_with("__runpen([")).unwrap();
    assert!(calls.starts_with("__runpen([(1, 0, \"exec\", False, b\"\\x1eNONCEN\\n\\x1eNONCEB\\n\"), ("), "{calls}");
    assert!(!source.contains("never"));
}

#[test]
fn an_example_of_go_has_those_imports_of_its_file_that_it_uses() {
    let file = |example: &str| {
        format!(
            "package sum\n\nimport (\n\t\"fmt\"\n\ts \"strings\"\n\t_ \"embed\"\n)\n\n// Sum sums.\n//\n{example}func Sum() {{}}\n"
        )
    };
    let of = |example: &str| {
        let document = Text::new(file(example));
        let page = Page::read(Format::Go, &document);
        let program = program(&document, &page, 0, Languages::built_in(), "n").unwrap();
        let at = program.snippet.program.as_str().find("fmt.").unwrap();
        let place = program.snippet.map(&(at..at + 3)).unwrap();
        assert_eq!(&document.as_str()[place], "fmt");
        program.snippet.program.as_str().to_owned()
    };
    let source = of("//\tfmt.Println(s.ToUpper(\"x\"))\n");
    assert_eq!(
        source,
        "package main\nimport \"fmt\"\nimport s \"strings\"\nfunc main() {\nfmt.Println(s.ToUpper(\"x\"))\n}\n"
    );
    let source = of("//\timport \"fmt\"\n//\tfmt.Println(1)\n");
    assert_eq!(source.matches("import").count(), 1, "{source}");
    // A page is no file of Go, whatever it shows.
    let markdown = "```go\nimport \"os\"\n```\n```go\nos.Exit(0)\n```\n";
    assert!(!runs(markdown, 1, "os.Exit").0.contains("import"));
}

#[test]
fn a_page_of_cells_without_end_is_refused_in_time() {
    let text = "```{python}\nx\n```\n".repeat(3000);
    let document = Text::new(text.as_str());
    let page = Page::read(Format::Quarto, &document);
    let languages = Languages::built_in();
    let error = program(&document, &page, 2999, languages, "n").unwrap_err();
    assert_eq!(error.to_string(), "it builds on more than 1000 blocks");
    let last = program(&document, &page, 999, languages, "n").unwrap();
    assert_eq!(last.snippet.program.as_str().matches("x\n").count(), 1000);
}

#[test]
fn hidden_lines_of_rustdoc_are_run_and_shown_where_they_stand() {
    let text = "```rust\n# use std::fmt;\n## not hidden\n#\nfmt()\n# fn main() {}\n```\n";
    let document = Text::new(text);
    let page = Page::read(Format::Markdown, &document);
    let mut language = Languages::built_in().named("python").unwrap().clone();
    language.name = "rust".to_owned();
    language.aliases.clear();
    let languages = Languages([("rust".to_owned(), language)].into());
    let program = program(&document, &page, 0, &languages, "n").unwrap();
    assert_eq!(program.snippet.program.as_str(), "use std::fmt;\n# not hidden\n\nfmt()\nfn main() {}\n");
    assert_eq!(program.snippet.map(&(0..3)), Some(10..13));
}

#[test]
fn rust_without_a_main_gets_one_on_lines_of_its_own() {
    let of = |code: &str| {
        let document = Text::new(format!("```rust\n{code}```\n"));
        let page = Page::read(Format::Markdown, &document);
        let row = Language { name: "rust".to_owned(), ..Languages::built_in().named("sql").unwrap().clone() };
        let languages = Languages([("rust".to_owned(), row)].into());
        let program = program(&document, &page, 0, &languages, "n").unwrap();
        let at = program.snippet.program.as_str().find("boom").unwrap();
        let place = program.snippet.map(&(at..at + 4)).unwrap();
        assert_eq!(&document.as_str()[place], "boom");
        program.snippet.program.as_str().to_owned()
    };
    assert_eq!(of("#![allow(unused)]\n\nboom();\n"), "#![allow(unused)]\n\nfn main() {\nboom();\n}\n");
    assert_eq!(
        of("boom()?;\nOk::<(), E>(())\n"),
        "fn main() {\nfn __runpen() -> ::core::result::Result<(), impl ::core::fmt::Debug> {\nboom()?;\nOk::<(), E>(())\n}\n__runpen().unwrap()\n}\n"
    );
    assert_eq!(of("fn main() {\n    boom();\n}\n"), "fn main() {\n    boom();\n}\n");
}

#[test]
fn a_block_is_found_from_any_of_its_lines_by_name_and_by_number() {
    let text = "words\n\n```py name=a\nx\n```\n\n- ```py\n  y\n  ```\n";
    let document = Text::new(text);
    let page = page(text);
    let at = |line: u32| {
        let offset = document.line(line).unwrap().start;
        page.at(&document, offset)
    };
    assert_eq!(
        [0, 1, 2, 3, 4, 5, 6, 7, 8].map(at),
        [None, None, Some(0), Some(0), Some(0), None, Some(1), Some(1), Some(1)]
    );
    assert_eq!((page.named("a"), page.named("2"), page.named("3"), page.named("0")), (Some(0), Some(1), None, None));
}
