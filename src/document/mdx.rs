//! MDX: Markdown in which indentation means nothing and tags are no HTML. It is read as Markdown after the indentation of what
//! stands outside of fences, and the lines of tags, expressions and imports, are taken away.

use super::code::Code;
use super::doc_comments::through;
use super::lines::Lines;
use super::{Found, markdown};

pub(super) fn read(text: &str) -> Vec<Found> {
    let lines = Lines::new(text);
    let mut code = Code::default();
    // Mark, length and indentation of the fence that is open.
    let mut open: Option<(char, usize, usize)> = None;
    for line in 0..lines.len() {
        let (range, indent) = (lines.range(line), lines.indent(line));
        let bare = lines.get(line).trim_start();
        let mark = bare.chars().next().unwrap_or(' ');
        let length = bare.len() - bare.trim_start_matches(mark).len();
        let is_fence = matches!(mark, '`' | '~') && length >= 3;
        if let Some((own, least, outer)) = open {
            let closes = is_fence && mark == own && length >= least && bare.trim_end().len() == length;
            let skip = if closes { indent } else { indent.min(outer) };
            code.push_line(text, range.start + skip..range.end);
            if closes {
                open = None;
            }
        } else if is_fence && !(mark == '`' && bare[length..].contains('`')) {
            open = Some((mark, length, indent));
            code.push_line(text, range.start + indent..range.end);
        } else {
            let no_text = bare.starts_with(['<', '{']) || bare.starts_with("import ") || bare.starts_with("export ");
            let start = if no_text { range.end } else { range.start + indent };
            code.push_line(text, start..range.end);
        }
    }
    through(text, &code, markdown::read(code.as_str()), &[])
}
