//! Comments that speak to tools: above a block, whatever the format writes them like, and in its code. It knows no format.

use super::attributes::Attributes;
use super::code::Code;
use super::line_start;

/// Comments above a block that are read; more are prose.
const ABOVE_LIMIT: usize = 8;

/// What opens and closes a comment in one of the formats that have blocks.
const MARKS: &[(&str, &str)] = &[
    ("<!--", "-->"),
    ("{/*", "*/}"),
    ("[//]: # (", ")"),
    ("[//]: # \"", "\""),
    ("[comment]: # (", ")"),
    ("..", ""),
    ("//", ""),
    ("#", ""),
    ("%", ""),
];

/// What the comments right above a line say. A blank line may lie between, and more comments above each other.
pub(super) fn above(text: &str, block: usize) -> Attributes {
    let mut said: Vec<Attributes> = Vec::new();
    let mut end = line_start(text, block);
    let mut blank = 0;
    while end > 0 && said.len() < ABOVE_LIMIT {
        let start = line_start(text, end - 1);
        let line = strip_container(text[start..end].trim_end());
        end = start;
        if line.is_empty() {
            blank += 1;
            if blank > 1 {
                break;
            }
            continue;
        }
        let mut attributes = Attributes::default();
        if !content(line).is_some_and(|comment| attributes.comment(comment)) {
            break;
        }
        said.push(attributes);
    }
    // What is nearer to the block is laid over what is farther.
    said.into_iter().rev().fold(Attributes::default(), Attributes::merged)
}

/// What the code's own comments say: `#| key: value` at its start, `# byexample: +skip` anywhere.
pub(super) fn inside(code: &Code, attributes: &mut Attributes) {
    let text = code.as_str();
    for line in text.lines().take_while(|line| line.starts_with("#|") || line.starts_with("//|")) {
        attributes.option(line.trim_start_matches(['#', '/']).trim_start_matches('|'));
    }
    if text.contains("byexample:") {
        for comment in text.lines().filter_map(|line| line.find("byexample:").map(|at| &line[at..])) {
            attributes.comment(comment);
        }
    }
}

/// What stands in a comment, when the line is one and nothing else.
fn content(line: &str) -> Option<&str> {
    MARKS.iter().find_map(|(open, close)| line.strip_prefix(open)?.strip_suffix(close)).map(str::trim)
}

/// A line without the quote marks, list indentation and comment marks of a doc comment before it.
fn strip_container(line: &str) -> &str {
    let mut rest = line.trim_start();
    loop {
        let next = ["///", "//!", "> ", "* "].iter().find_map(|mark| rest.strip_prefix(mark));
        match next {
            Some(next) => rest = next.trim_start(),
            None if matches!(rest, ">" | "*" | "//") => return "",
            None => return rest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_of_every_format_are_read() {
        for line in [
            "<!-- runpen: name=a -->",
            "{/* runpen: name=a */}",
            "[//]: # (runpen: name=a)",
            ".. runpen: name=a",
            "// runpen: name=a",
            "# runpen: name=a",
            "> > <!-- runpen: name=a -->",
            "    /// <!-- runpen: name=a -->",
        ] {
            for between in ["\n", "\n\n", "\r\n"] {
                let text = format!("words\n\n{line}{between}```py\n");
                let block = text.find("```").unwrap();
                assert_eq!(above(&text, block).name.as_deref(), Some("a"), "{text}");
            }
        }
    }

    #[test]
    fn words_between_comment_and_block_part_them() {
        for text in ["<!-- runpen: name=a -->\nwords\n```py\n", "<!-- runpen: name=a -->\n\n\n```py\n", "```py\n"] {
            assert_eq!(above(text, text.find("```").unwrap()), Attributes::default(), "{text}");
        }
    }

    #[test]
    fn the_nearest_comment_wins() {
        let text = "<!-- runpen: name=a exit=1 -->\n<!-- runpen: name=b -->\n```py\n";
        let said = above(text, text.find("```").unwrap());
        assert_eq!((said.name.as_deref(), said.exit), (Some("b"), Some(1)));
    }
}
