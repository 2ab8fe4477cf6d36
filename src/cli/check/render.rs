//! What was checked, in each of the formats. What blocks print is untrusted: nothing of it moves a cursor, ends an annotation
//! or an element.

use std::collections::HashMap;
use std::fmt::Write as _;

use anyhow::Context as _;
use quick_xml::Writer;
use quick_xml::events::{BytesText, Event};
use serde_json::json;

use super::Format;
use super::work::{Checked, Document, Problem, Status};
use crate::document::NO_LANGUAGE;

/// Lines of one diff that are shown.
const DIFF_LIMIT: usize = 200;

pub(super) fn render(format: Format, documents: &[Document], checked: &[Checked]) -> anyhow::Result<String> {
    Ok(match format {
        Format::Human => human(documents, checked),
        Format::Json => json(documents, checked),
        Format::Junit => junit(documents, checked).context("failed to write the result")?,
        Format::Github => github(documents, checked),
    })
}

/// How many of each.
#[derive(Default)]
struct Counts {
    passed: usize,
    failed: usize,
    skipped: usize,
    updated: usize,
    cached: usize,
}

impl Counts {
    fn of(checked: &[Checked]) -> Self {
        let mut counts = Self::default();
        for one in checked {
            match one.status {
                Status::Passed => counts.passed += 1,
                Status::Failed => counts.failed += 1,
                Status::Skipped(_) => counts.skipped += 1,
                Status::Updated => counts.updated += 1,
            }
            counts.cached += usize::from(one.cached);
        }
        counts
    }
}

fn human(documents: &[Document], checked: &[Checked]) -> String {
    let mut text = String::new();
    let unlabelled = |one: &&Checked| matches!(&one.status, Status::Skipped(reason) if reason == NO_LANGUAGE);
    let mut counts: HashMap<usize, usize> = HashMap::new();
    for one in checked.iter().filter(unlabelled) {
        *counts.entry(one.document).or_default() += 1;
    }
    for one in checked {
        let shown = &documents[one.document].shown;
        let what = one.language.as_deref().unwrap_or("block");
        for remark in &one.remarks {
            let _ = writeln!(text, "{shown}:{}: {}", one.line, clean(remark));
        }
        match &one.status {
            Status::Passed => {}
            // A page may be full of them, and they say the same: one line tells of all, at the first one.
            Status::Skipped(reason) if reason == NO_LANGUAGE => match counts.remove(&one.document) {
                Some(count @ 2..) => {
                    let _ = writeln!(text, "{shown}:{}: skipped, it and {} more name no language", one.line, count - 1);
                }
                Some(_) => {
                    let _ = writeln!(text, "{shown}:{}: skipped, {reason}", one.line);
                }
                None => {}
            },
            Status::Skipped(reason) => {
                let _ = writeln!(text, "{shown}:{}: skipped, {}", one.line, clean(reason));
            }
            Status::Updated => {
                let _ = writeln!(text, "{shown}:{}: {what}: updated", one.line);
            }
            Status::Failed => {
                for problem in &one.problems {
                    let (line, column) = (problem.line, problem.column);
                    let _ = writeln!(text, "{shown}:{line}:{column}: {what}: {}", clean(&problem.message));
                    text.push_str(&shown_diff(problem));
                }
            }
        }
    }
    let Counts { passed, failed, skipped, updated, cached } = Counts::of(checked);
    let mut parts = vec![format!("{passed} passed, {failed} failed, {skipped} skipped")];
    parts.extend((updated > 0).then(|| format!("{updated} updated")));
    parts.extend((cached > 0).then(|| format!("{cached} from the cache")));
    let _ = writeln!(text, "{}", parts.join(", "));
    text
}

/// A diff whose promised lines have the numbers of the document.
fn shown_diff(problem: &Problem) -> String {
    let mut text = String::new();
    for line in problem.diff.iter().take(DIFF_LIMIT) {
        let number = problem.first + u32::try_from(line.line).unwrap_or(0);
        let number = if line.sign == '+' { String::new() } else { number.to_string() };
        let _ = writeln!(text, "  {number:>5} {} {}", line.sign, clean(&line.text));
    }
    if problem.diff.len() > DIFF_LIMIT {
        let _ = writeln!(text, "        … {} more lines", problem.diff.len() - DIFF_LIMIT);
    }
    text
}

fn json(documents: &[Document], checked: &[Checked]) -> String {
    let problem = |problem: &Problem| {
        let diff: Vec<String> = problem.diff.iter().map(|line| format!("{}{}", line.sign, line.text)).collect();
        json!({
            "line": problem.line, "column": problem.column, "endLine": problem.end_line, "message": problem.message,
            "diff": diff,
        })
    };
    let block = |one: &Checked| {
        let (status, reason) = match &one.status {
            Status::Passed => ("passed", None),
            Status::Failed => ("failed", None),
            Status::Skipped(reason) => ("skipped", Some(reason)),
            Status::Updated => ("updated", None),
        };
        json!({
            "path": documents[one.document].shown, "line": one.line, "name": one.name, "language": one.language,
            "status": status, "reason": reason, "remarks": one.remarks, "cached": one.cached, "wallMs": one.wall_ms,
            "problems": one.problems.iter().map(problem).collect::<Vec<_>>(),
        })
    };
    let counts = Counts::of(checked);
    let all = json!({
        "blocks": checked.iter().map(block).collect::<Vec<_>>(),
        "passed": counts.passed, "failed": counts.failed, "skipped": counts.skipped, "updated": counts.updated,
        "cached": counts.cached,
    });
    format!("{all}\n")
}

fn github(documents: &[Document], checked: &[Checked]) -> String {
    // As GitHub's own toolkit has it: a property must not end early, a message must stay one line.
    let data = |text: &str| clean(text).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
    let mut text = String::new();
    for one in checked {
        let file = property(&documents[one.document].shown);
        for remark in &one.remarks {
            let _ = writeln!(text, "::notice file={file},line={},title=runpen::{}", one.line, data(remark));
        }
        if one.status != Status::Failed {
            continue;
        }
        for problem in &one.problems {
            let message = data(&format!("{}\n{}", problem.message, shown_diff(problem)));
            let Problem { line, end_line, column, .. } = problem;
            let _ = writeln!(
                text,
                "::error file={file},line={line},endLine={end_line},col={column},title=runpen::{message}"
            );
        }
    }
    let counts = Counts::of(checked);
    let _ = writeln!(text, "{} passed, {} failed, {} skipped", counts.passed, counts.failed, counts.skipped);
    text
}

fn junit(documents: &[Document], checked: &[Checked]) -> std::io::Result<String> {
    let counts = Counts::of(checked);
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 1);
    let [tests, failures, skipped] = [checked.len(), counts.failed, counts.skipped].map(|count| count.to_string());
    writer.write_event(Event::Decl(quick_xml::events::BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let root = writer.create_element("testsuites");
    root.with_attributes([("name", "runpen"), ("tests", &tests), ("failures", &failures), ("skipped", &skipped)])
        .write_inner_content(|writer| {
            for (number, document) in documents.iter().enumerate() {
                let own: Vec<&Checked> = checked.iter().filter(|one| one.document == number).collect();
                if own.is_empty() {
                    continue;
                }
                let count =
                    |wanted: fn(&Status) -> bool| own.iter().filter(|one| wanted(&one.status)).count().to_string();
                let failed = count(|status| *status == Status::Failed);
                let skipped = count(|status| matches!(status, Status::Skipped(_)));
                let (name, tests) = (clean(&document.shown), own.len().to_string());
                let suite = writer.create_element("testsuite").with_attributes([
                    ("name", name.as_str()),
                    ("tests", &tests),
                    ("failures", &failed),
                    ("skipped", &skipped),
                ]);
                suite.write_inner_content(|writer| own.iter().try_for_each(|one| case(writer, &name, one)))?;
            }
            Ok(())
        })?;
    Ok(String::from_utf8_lossy(&writer.into_inner()).into_owned() + "\n")
}

fn case(writer: &mut Writer<Vec<u8>>, document: &str, one: &Checked) -> std::io::Result<()> {
    let name = one.name.as_deref().map(|name| format!(" {}", clean(name))).unwrap_or_default();
    let name = format!("line {}{name}", one.line);
    let seconds = format!("{:.3}", one.wall_ms / 1000.0);
    let line = one.line.to_string();
    let case = writer.create_element("testcase").with_attributes([
        ("classname", document),
        ("name", &name),
        ("time", &seconds),
        ("file", document),
        ("line", &line),
    ]);
    match &one.status {
        Status::Passed | Status::Updated => case.write_empty().map(|_| ()),
        Status::Skipped(reason) => case
            .write_inner_content(|writer| {
                writer.create_element("skipped").with_attribute(("message", clean(reason).as_str())).write_empty()?;
                Ok(())
            })
            .map(|_| ()),
        Status::Failed => case
            .write_inner_content(|writer| {
                for problem in &one.problems {
                    let message = clean(&problem.message);
                    let text =
                        format!("{document}:{}:{}: {message}\n{}", problem.line, problem.column, shown_diff(problem));
                    let failure = writer.create_element("failure").with_attribute(("message", message.as_str()));
                    failure.write_text_content(BytesText::new(&text))?;
                }
                Ok(())
            })
            .map(|_| ()),
    }
}

/// Untrusted text without what moves a cursor, changes the direction of writing, or is no character of XML.
fn clean(text: &str) -> String {
    let fits = |character: &char| {
        let steers = matches!(character, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        let plain = matches!(character, '\n' | '\t') || !character.is_control();
        plain && !steers && !matches!(character, '\u{fffe}' | '\u{ffff}')
    };
    text.chars().filter(fits).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::config::Settings;
    use crate::document::Page;
    use crate::document::compare::diff;
    use crate::text::Text;

    fn sample() -> (Vec<Document>, Vec<Checked>) {
        let document = Document {
            shown: "a,b:<c>.md".to_owned(),
            text: Text::new(""),
            page: Page::default(),
            settings: Arc::new(Settings::default()),
        };
        let problem = Problem {
            line: 7,
            column: 3,
            end_line: 8,
            message: "it prints\n::error::\u{1b}[2J & ]]> 100%".to_owned(),
            diff: diff("one\ntwo\n", "one\n<three>\n"),
            first: 7,
        };
        let checked = |line, status, problems| Checked {
            document: 0,
            line,
            name: Some("n\"".to_owned()),
            language: Some("python".to_owned()),
            status,
            remarks: Vec::new(),
            problems,
            edits: Vec::new(),
            mendable: true,
            cached: line == 1,
            wall_ms: 12.0,
        };
        let skipped = Status::Skipped("its language `x` is not known".to_owned());
        let all = [
            checked(1, Status::Passed, vec![]),
            checked(3, skipped, vec![]),
            checked(5, Status::Failed, vec![problem]),
        ];
        (vec![document], all.into())
    }

    #[test]
    fn a_difference_is_a_diff_with_lines_of_the_document() {
        let (documents, checked) = sample();
        insta::assert_snapshot!(human(&documents, &checked), @r"
        a,b:<c>.md:3: skipped, its language `x` is not known
        a,b:<c>.md:7:3: python: it prints
        ::error::[2J & ]]> 100%
              7   one
              8 - two
                + <three>
        1 passed, 1 failed, 1 skipped, 1 from the cache
        ");
    }

    #[test]
    fn blocks_that_nobody_labelled_are_told_of_once_a_document() {
        let (mut documents, checked) = sample();
        documents.extend(sample().0);
        for (document, name) in documents.iter_mut().zip(["a.md", "b.md"]) {
            name.clone_into(&mut document.shown);
        }
        let unlabelled = |document, line| Checked {
            document,
            line,
            status: Status::Skipped(NO_LANGUAGE.to_owned()),
            ..checked[1].clone()
        };
        let all = [unlabelled(0, 3), checked[1].clone(), unlabelled(0, 9), unlabelled(1, 2), unlabelled(0, 12)];
        insta::assert_snapshot!(human(&documents, &all), @r"
        a.md:3: skipped, it and 2 more name no language
        a.md:3: skipped, its language `x` is not known
        b.md:2: skipped, it names no language
        0 passed, 0 failed, 5 skipped
        ");
    }

    #[test]
    fn annotations_and_xml_cannot_be_broken_out_of() {
        let (documents, checked) = sample();
        let lines = github(&documents, &checked);
        let lines: Vec<&str> = lines.lines().collect();
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(
            lines[0].starts_with(
                "::error file=a%2Cb%3A<c>.md,line=7,endLine=8,col=3,title=runpen::it prints%0A::error::[2J"
            )
        );
        assert!(lines[0].contains("100%25"));
        let xml = junit(&documents, &checked).unwrap();
        assert!(xml.contains("<testsuites name=\"runpen\" tests=\"3\" failures=\"1\" skipped=\"1\">"), "{xml}");
        assert!(xml.contains("classname=\"a,b:&lt;c&gt;.md\" name=\"line 5 n&quot;\""), "{xml}");
        assert!(xml.contains("]]&gt; 100%") && !xml.contains('\u{1b}'), "{xml}");
        let mut reader = quick_xml::Reader::from_str(&xml);
        while !matches!(reader.read_event().unwrap(), Event::Eof) {}
    }
}
