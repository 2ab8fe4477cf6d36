//! HTML: `<pre>`, with or without a `<code>` in it. Entities are what they stand for, tags within are none of the code.

use std::ops::Range;

use super::attributes::Attributes;
use super::code::Code;
use super::expected::{Escape, Shape};
use super::update::Template;
use super::{Found, line_start};

/// The longest entity that is looked for.
const ENTITY_LIMIT: usize = 12;

pub(super) fn read(text: &str) -> Vec<Found> {
    let lower = text.to_ascii_lowercase();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = lower[at..].find('<').map(|offset| at + offset) {
        let rest = &lower[start..];
        let skipped = [("<!--", "-->"), ("<script", "</script"), ("<style", "</style")]
            .iter()
            .find(|(open, _)| rest.starts_with(open))
            .map(|(open, close)| {
                rest[open.len()..].find(close).map_or(text.len(), |end| start + open.len() + end + close.len())
            });
        if let Some(end) = skipped {
            at = end;
        } else if rest.starts_with("<pre") && rest[4..].starts_with(|next: char| next == '>' || next.is_whitespace()) {
            let (block, end) = of_pre(text, &lower, start);
            found.extend(block);
            at = end;
        } else {
            at = start + 1;
        }
    }
    found
}

/// The end of a tag that begins here, one past its `>`.
fn tag_end(text: &str, start: usize) -> Option<usize> {
    let mut quote = None;
    for (offset, character) in text[start..].char_indices() {
        match (quote, character) {
            (Some(open), _) if character == open => quote = None,
            (None, '"' | '\'') => quote = Some(character),
            (None, '>') => return Some(start + offset + 1),
            _ => {}
        }
    }
    None
}

fn of_pre(text: &str, lower: &str, start: usize) -> (Option<Found>, usize) {
    let Some(mut inner) = tag_end(text, start) else { return (None, text.len()) };
    let mut tags = text[start..inner].to_owned();
    let Some(close) = lower[inner..].find("</pre").map(|offset| inner + offset) else { return (None, text.len()) };
    let end = tag_end(text, close).unwrap_or(text.len());
    let mut stop = close;
    // `<pre>` and `<code>` or `<samp>` right in it are one.
    let bare = text[inner..close].len() - text[inner..close].trim_start().len();
    for name in ["<code", "<samp"] {
        if lower[inner + bare..close].starts_with(name)
            && let Some(after) = tag_end(text, inner + bare).filter(|after| *after <= close)
        {
            tags.push_str(&text[inner + bare..after]);
            inner = after;
            stop = lower[inner..close].rfind(&name.replace('<', "</")).map_or(close, |offset| inner + offset);
            break;
        }
    }
    // As HTML has it, a line feed right behind `<pre>` is none of the text.
    if text[inner..stop].starts_with("\r\n") {
        inner += 2;
    } else if text[inner..stop].starts_with('\n') {
        inner += 1;
    }
    let code = decoded(text, inner..stop);
    let (label, attributes) = said(&tags);
    let prefix = &text[line_start(text, start)..start];
    let prefix = if prefix.trim().is_empty() { prefix.to_owned() } else { String::new() };
    let template = Template::lines(&["<pre class=\"output\">"], &["</pre>"], "").escaped(Escape::Html);
    let found = Found {
        label,
        attributes,
        range: start..end,
        body: inner..stop,
        shape: Some(Shape { escape: Escape::Html, open_end: !text[inner..stop].ends_with('\n'), ..Shape::default() }),
        // Below it only where a line ends behind it.
        output: super::line_end(text, end).eq(&end).then_some(template),
        code,
        prefix,
    };
    (Some(found), end)
}

/// What the classes and our own attribute of some tags say.
fn said(tags: &str) -> (Option<String>, Attributes) {
    let value = |name: &str| {
        let at = tags.find(&format!("{name}="))? + name.len() + 1;
        let rest = &tags[at..];
        let quote = rest.chars().next()?;
        let (rest, ends): (&str, &[char]) =
            if matches!(quote, '"' | '\'') { (&rest[1..], &['"', '\'']) } else { (rest, &[' ', '>', '\t', '\n']) };
        Some(rest[..rest.find(ends).unwrap_or(rest.len())].to_owned())
    };
    let (mut label, mut attributes) = (None, Attributes::default());
    if let Some(words) = value("data-runpen") {
        attributes.comment(&format!("runpen: {words}"));
    }
    let classes: Vec<&str> = tags
        .split("class=")
        .skip(1)
        .flat_map(|rest| {
            let rest = rest.trim_start_matches(['"', '\'']);
            rest[..rest.find(['"', '\'', '>']).unwrap_or(rest.len())].split_whitespace()
        })
        .collect();
    for class in classes {
        let named = ["language-", "lang-", "highlight-source-", "sourceCode-"]
            .iter()
            .find_map(|start| class.strip_prefix(start));
        if class == "output" || named == Some("output") {
            attributes.is_output = true;
        } else if let Some(named) = named {
            label = Some(named.to_owned());
        }
    }
    attributes.is_output |= tags.contains("<samp");
    (label.or_else(|| value("data-lang")).or_else(|| value("data-language")), attributes)
}

/// Text of HTML as a reader sees it.
fn decoded(text: &str, range: Range<usize>) -> Code {
    let mut code = Code::default();
    let mut at = range.start;
    while at < range.end {
        let rest = &text[at..range.end];
        let plain = rest.find(['&', '<', '\r']).unwrap_or(rest.len());
        code.push(text, at..at + plain);
        at += plain;
        let rest = &text[at..range.end];
        if rest.starts_with('<') {
            at = tag_end(&text[..range.end], at).unwrap_or(range.end);
        } else if rest.starts_with("\r\n") {
            code.push_translated("\n", at..at + 2);
            at += 2;
        } else if rest.starts_with('&') {
            let (spelled, length) = entity(rest).map_or((None, 1), |(character, length)| (Some(character), length));
            match spelled {
                Some(character) => code.push_translated(character.encode_utf8(&mut [0; 4]), at..at + length),
                None => code.push(text, at..at + length),
            }
            at += length;
        } else if !rest.is_empty() {
            code.push(text, at..at + 1);
            at += 1;
        }
    }
    code
}

/// The character that an entity stands for, and the bytes that spell it.
fn entity(text: &str) -> Option<(char, usize)> {
    let end = text.bytes().take(ENTITY_LIMIT).position(|byte| byte == b';')?;
    let name = &text[1..end];
    let character = match name {
        "lt" | "LT" => '<',
        "gt" | "GT" => '>',
        "amp" | "AMP" => '&',
        "quot" | "QUOT" => '"',
        "apos" => '\'',
        // Code with a space that is none does not run.
        "nbsp" => ' ',
        "lbrace" | "lcub" => '{',
        "rbrace" | "rcub" => '}',
        "lsqb" => '[',
        "rsqb" => ']',
        "num" => '#',
        "dollar" => '$',
        "grave" => '`',
        "bsol" => '\\',
        "Tab" => '\t',
        "NewLine" => '\n',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code).filter(|character| *character != '\0')?
        }
    };
    Some((character, end + 1))
}
