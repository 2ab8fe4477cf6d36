//! Properties of every file and selection: no byte is mapped to another one, and nothing but white space is lost.

use std::fmt::Write;

use proptest::prelude::*;

use super::*;
use crate::language::Languages;

/// Lines as hostile as they come: what opens and closes literals, blocks and items, in any order.
fn document() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "x",
        " ",
        "  ",
        "\t",
        "é",
        "😀",
        "\"",
        "'",
        "\"\"\"",
        "'''",
        "`",
        "${",
        "{",
        "}",
        "(",
        ")",
        "[",
        "]",
        "#",
        "//",
        "/*",
        "*/",
        "\\",
        ";",
        ",",
        "=",
        "=>",
        "<",
        ">",
        "<<EOF",
        "EOF",
        "R\"x(",
        ")x\"",
        "import a",
        "from b import c",
        "package main",
        "func f()",
        "class A",
        "int main()",
        "#include <a>",
        "#if 1",
        "#endif",
        "using namespace std;",
        "require('x')",
        "const q =",
        "await ",
        "return 1;",
        "template",
        "\r",
        "static void f()",
        "public ",
        "record R(",
        "if ",
        "else ",
        "do ",
        "1'0",
        "$",
        "\u{feff}",
    ]);
    let line = prop::collection::vec(word, 0..6).prop_map(|words| words.concat());
    let end = prop::sample::select(vec!["\n", "\r\n"]);
    prop::collection::vec((line, end), 0..14).prop_map(|lines| {
        lines.into_iter().fold(String::new(), |mut text, (line, end)| {
            let _ = write!(text, "{line}{end}");
            text
        })
    })
}

fn check_map(snippet: &Snippet) -> Result<(), TestCaseError> {
    let (program, document) = (snippet.program.as_str(), snippet.document.as_str());
    prop_assert_eq!(snippet.lines.len(), snippet.program.line_count() as usize);
    for (at, character) in program.char_indices().filter(|(_, character)| !matches!(character, '\n' | '\r')) {
        if let Some(mapped) = snippet.map(&(at..at + character.len_utf8())) {
            prop_assert_eq!(&document[mapped], &program[at..at + character.len_utf8()]);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn every_byte_of_a_file_maps_to_itself(text in document(), name in "[a-z]{0,3}\\.?[a-z]{0,3}") {
        let text = Text::new(text);
        for language in Languages::built_in().0.values() {
            if let Ok(snippet) = Snippet::file(&text, Some(&name), language) {
                check_map(&snippet)?;
            }
        }
    }

    #[test]
    fn every_byte_of_a_selection_maps_to_itself(text in document(), one in 0..400_usize, other in 0..400_usize) {
        let text = Text::new(text);
        for language in Languages::built_in().0.values() {
            let Ok(snippet) = Snippet::selection(&text, one..other, None, language) else { continue };
            check_map(&snippet)?;
            // Every character of the selection that is no white space runs, once.
            let mut seen: Vec<usize> = Vec::new();
            for (at, character) in snippet.program.as_str().char_indices() {
                if let Some(mapped) = snippet.map(&(at..at + character.len_utf8()))
                    && !character.is_whitespace()
                    && snippet.range.contains(&mapped.start)
                {
                    seen.push(mapped.start);
                }
            }
            if !matches!(language.name.as_str(), "go" | "java" | "cpp" | "c") {
                let sorted = seen.is_sorted();
                prop_assert!(sorted, "{} goes back", language.name);
            }
            seen.sort_unstable();
            let count = seen.len();
            seen.dedup();
            prop_assert_eq!(count, seen.len());
            let wanted = text.as_str()[snippet.range.clone()]
                .chars()
                .filter(|character| !character.is_whitespace() && *character != BYTE_ORDER_MARK)
                .count();
            let marks = text.as_str()[snippet.range.clone()].matches(BYTE_ORDER_MARK).count();
            if !text.as_str().contains("package") {
                prop_assert!((wanted..=wanted + marks).contains(&count), "{}: {} of {}", language.name, count, wanted);
            }
        }
    }

    #[test]
    fn spans_map_in_order(text in document(), one in 0..300_usize, other in 0..300_usize, size in 0..40_usize) {
        let text = Text::new(text);
        for language in Languages::built_in().0.values() {
            let Ok(snippet) = Snippet::selection(&text, one..other, None, language) else { continue };
            for start in 0..=snippet.program.as_str().len() {
                if let Some(mapped) = snippet.map(&(start..start + size)) {
                    prop_assert!(mapped.start <= mapped.end && mapped.end <= text.as_str().len());
                }
            }
        }
    }

    #[test]
    fn dedenting_takes_off_exactly_what_the_lines_share(
        lines in prop::collection::vec(("[ \t]{0,4}", "[a-z]{1,3}"), 1..8),
    ) {
        let joined = |skip: usize| {
            lines.iter().fold(String::new(), |text, (indentation, word)| text + &indentation[skip..] + word + "\n")
        };
        let text = joined(0);
        let shared = lines.iter().map(|(indentation, _)| indentation.as_str()).reduce(|one, other| {
            &one[..one.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count()]
        }).unwrap_or_default().len();
        let snippet = Snippet::selection(&Text::new(text.clone()), 0..text.len(), None, Languages::built_in().named("ocaml").unwrap()).unwrap();
        prop_assert_eq!(snippet.program.as_str(), joined(shared));
    }
}
