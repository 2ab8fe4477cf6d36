//! Properties: whatever a document is nested in, the code taken out is byte-exact and every position maps there and back.

use proptest::prelude::*;

use super::{Format, Page};
use crate::text::Text;

/// One level of nesting: what stands before the first line of what is in it, and before the others.
#[derive(Debug, Clone, Copy)]
enum Level {
    Quote,
    Bullet,
    Number,
}

impl Level {
    fn prefixes(self) -> (&'static str, &'static str) {
        match self {
            Self::Quote => ("> ", "> "),
            Self::Bullet => ("- ", "  "),
            Self::Number => ("12. ", "    "),
        }
    }
}

fn level() -> impl Strategy<Value = Level> {
    prop_oneof![Just(Level::Quote), Just(Level::Bullet), Just(Level::Number)]
}

fn code_line() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("x"),
        Just(" "),
        Just("  "),
        Just("\t"),
        Just("é"),
        Just("😀"),
        Just("> "),
        Just("- "),
        Just("#"),
        Just("``"),
        Just("<b>"),
        Just("&lt;"),
        Just("שלום"),
        Just("\\"),
        Just("|"),
        Just("\u{2028}"),
    ];
    let line = proptest::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat());
    line.prop_filter("it would close the fence", |line| !line.trim_start().starts_with("```"))
}

fn nested(levels: &[Level], fence: &str, code: &[String], newline: &str) -> String {
    let first: String = levels.iter().map(|level| level.prefixes().0).collect();
    let rest: String = levels.iter().map(|level| level.prefixes().1).collect();
    let mut document = format!("{first}{fence}python{newline}");
    for line in code {
        document.extend([rest.as_str(), line, newline]);
    }
    document + &format!("{rest}{fence}{newline}")
}

proptest! {
    #[test]
    fn code_is_byte_exact_and_every_position_maps_there_and_back(
        blocks in proptest::collection::vec(
            (proptest::collection::vec(level(), 0..5), proptest::collection::vec(code_line(), 0..6), any::<bool>()), 1..4,
        ),
        crlf: bool,
        mark: bool,
    ) {
        let newline = if crlf { "\r\n" } else { "\n" };
        let mut document = if mark { "\u{feff}".to_owned() } else { String::new() };
        for (levels, code, tildes) in &blocks {
            let fence = if *tildes { "~~~" } else { "```" };
            document.push_str(&nested(levels, fence, code, newline));
            // Ends every list and quote.
            document.extend([newline, "words", newline, newline]);
        }
        let text = Text::new(document.as_str());
        let page = Page::read(Format::Markdown, &text);
        prop_assert_eq!(page.blocks.len(), blocks.len(), "{}", document);
        for (block, (_, code, _)) in page.blocks.iter().zip(&blocks) {
            let wanted: String = code.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
            prop_assert_eq!(block.code.as_str(), &wanted, "{}", document);
            for (at, character) in wanted.char_indices() {
                let place = block.code.to_document(at).expect("a byte of the document");
                let there = document[place..].chars().next();
                prop_assert!(there == Some(character) || character == '\n' && there == Some('\r'), "{} {}", at, document);
                prop_assert_eq!(block.code.to_code(place), Some(at));
                let range = block.code.range_to_document(&(at..at + character.len_utf8())).expect("a range");
                if character != '\n' {
                    prop_assert_eq!(&document[range], character.to_string());
                }
            }
        }
    }

    #[test]
    fn no_text_is_too_strange(text in "(?:[`~>\\- \t\r\n\\*#<!&x$=é\u{feff}|:.\"/]|```|----|/\\*\\*|\\*/|///|<pre>|</pre>|&lt;|\"\"\"|>>> |[.][.] code::|\\[source,py\\]|#\\+begin_src|#\\+end_src|@example|def f[(][)]:){0,60}") {
        let text = Text::new(text.as_str());
        for format in Format::ALL {
            let page = Page::read(format, &text);
            for block in &page.blocks {
                prop_assert!(block.range.end <= text.as_str().len());
                for (at, _) in block.code.as_str().char_indices() {
                    let place = block.code.to_document(at);
                    prop_assert!(place.is_some_and(|place| text.as_str().is_char_boundary(place)));
                }
            }
        }
    }
}
