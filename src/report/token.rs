//! Where a word of source code ends: enough of a lexer for six languages to underline a word whose start a tool named.

use std::ops::Range;

/// Operators of more than one character, longest first.
const OPERATORS: &[&str] = &[
    ">>>=", "<=>", "**=", "//=", ">>=", "<<=", ">>>", "===", "!==", "...", "&&=", "||=", "??=", "->*", "&^=", "->",
    "=>", "::", "<<", ">>", "<=", ">=", "==", "!=", "&&", "||", "++", "--", "+=", "-=", "*=", "/=", "%=", "&=", "|=",
    "^=", ":=", "<-", "**", "//", "??", "?.", "&^", "##",
];

/// Whether a character can stand inside a name or a number.
pub(super) fn is_word(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '$') || is_joined(character)
}

/// Marks that combine with the letter before them.
pub(super) fn is_joined(character: char) -> bool {
    matches!(character, '\u{300}'..='\u{36f}' | '\u{200c}' | '\u{200d}')
}

/// Bytes of the word that `text` begins with; at least one character of a text that is not empty.
pub(super) fn length(text: &str) -> usize {
    let mut characters = text.chars();
    let Some(first) = characters.next() else {
        return 0;
    };
    if matches!(first, '"' | '\'' | '`') {
        return string(text, first);
    }
    if first.is_ascii_digit() || first == '.' && characters.next().is_some_and(|next| next.is_ascii_digit()) {
        return number(text);
    }
    if is_word(first) {
        let end = text.find(|character| !is_word(character)).unwrap_or(text.len());
        // A prefix belongs to its string: r"…", b'…', L"…".
        return match text[end..].chars().next() {
            Some(quote @ ('"' | '\''))
                if end <= 3 && text[..end].chars().all(|letter| letter.is_ascii_alphabetic()) =>
            {
                end + string(&text[end..], quote)
            }
            _ => end,
        };
    }
    if matches!(first, '@' | '#') && text[1..].starts_with(is_word) {
        return 1 + length(&text[1..]);
    }
    OPERATORS.iter().find(|operator| text.starts_with(**operator)).map_or(first.len_utf8(), |operator| operator.len())
}

fn number(text: &str) -> usize {
    let mut previous = '0';
    let hexadecimal = text.starts_with("0x") || text.starts_with("0X");
    text.find(|character| {
        let exponent = !hexadecimal && matches!(previous, 'e' | 'E') && matches!(character, '+' | '-');
        previous = character;
        !(is_word(character) || character == '.' || exponent)
    })
    .unwrap_or(text.len())
}

/// A string up to its closing quote on this line; an open one ends with the line.
fn string(text: &str, quote: char) -> usize {
    let triple: String = std::iter::repeat_n(quote, 3).collect();
    let (open, close) = if text.starts_with(&triple) { (3, triple.as_str()) } else { (1, &triple[..1]) };
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(open) {
        match character {
            '\n' => return at,
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if text[at..].starts_with(close) => return at + close.len(),
            _ => {}
        }
    }
    text.trim_end().len()
}

/// The last word of a line.
pub(super) fn last(line: &str) -> Option<Range<usize>> {
    let mut found = None;
    let mut at = 0;
    while at < line.len() {
        let rest = &line[at..];
        let start = at + (rest.len() - rest.trim_start().len());
        if start >= line.len() {
            break;
        }
        at = start + length(&line[start..]).max(1);
        found = Some(start..at);
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_end_where_a_reader_sees_them_end() {
        for (text, word) in [
            ("näme+1", "näme"),
            ("$x_1;", "$x_1"),
            ("12.5e-3)", "12.5e-3"),
            ("0xFFe+1", "0xFFe"),
            (".5 ", ".5"),
            ("\"a \\\" b\" c", "\"a \\\" b\""),
            ("'é😀'", "'é😀'"),
            ("\"open é  ", "\"open é"),
            ("\"\"\"a\"b\"\"\" c", "\"\"\"a\"b\"\"\""),
            ("rb'x' y", "rb'x'"),
            ("`a ${b}` c", "`a ${b}`"),
            ("<<=1", "<<="),
            ("+ x", "+"),
            ("@Over.x", "@Over"),
            ("漢字 x", "漢字"),
            ("😀x", "😀"),
            ("", ""),
        ] {
            assert_eq!(&text[..length(text)], word, "{text}");
        }
        assert_eq!(last("int x = foo1 "), Some(8..12));
        assert_eq!(last("  "), None);
    }

    proptest! {
        #[test]
        fn a_word_ends_on_a_boundary(text in any::<String>()) {
            let end = length(&text);
            prop_assert!(text.is_char_boundary(end) && (end > 0 || text.is_empty()));
            prop_assert!(last(&text).is_none_or(|word| text.get(word).is_some()));
        }
    }
}
