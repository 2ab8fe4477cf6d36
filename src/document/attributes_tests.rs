//! One table of everything a block can say, read in both places it can be said.

use super::*;

/// Words, and what has to be understood of them.
type Row = (&'static str, fn(&Attributes) -> bool);

const ROWS: &[Row] = &[
    ("ignore", |a| a.skip.is_some()),
    ("skip", |a| a.skip.is_some()),
    ("skip=false", |a| a.skip.is_none()),
    ("excludeFromRunAll=true", |a| a.skip.is_some()),
    ("eval=false", |a| a.skip.is_some()),
    ("cmd=false", |a| a.skip.is_some()),
    ("non-deterministic=command", |a| a.skip.is_some()),
    ("non-deterministic=output", |a| a.varying && a.skip.is_none()),
    ("norm-ws", |a| a.loose),
    ("no_run", |a| a.no_run),
    ("should_panic", |a| a.should_panic),
    ("compile_fail", |a| a.compile_fail),
    ("name=first", |a| a.name.as_deref() == Some("first")),
    ("name=\"two words\"", |a| a.name.as_deref() == Some("two words")),
    ("id=a", |a| a.name.as_deref() == Some("a")),
    ("file=lib.py", |a| a.file_name.as_deref() == Some("lib.py")),
    ("stdin=\"one\\ntwo\\n\"", |a| a.stdin.as_deref() == Some("one\ntwo\n")),
    ("stdin=true", |a| a.stdin.is_none() && a.remarks.is_empty()),
    ("args=\"-i 'a b'\"", |a| a.args == ["-i", "a b"]),
    ("args=[\"-i\", \"a b\", 3]", |a| a.args == ["-i", "a b", "3"]),
    ("timeout=500ms", |a| a.timeout == Some(Duration::from_millis(500))),
    ("timeout=4", |a| a.timeout == Some(Duration::from_secs(4))),
    ("timeout=2s timeout=1h", |a| a.timeout == Some(Duration::from_secs(2))),
    ("timeout=soon", |a| a.timeout.is_none() && a.remarks == ["refused: timeout=soon (write it like 500ms or 2s)"]),
    ("exit=3", |a| a.exit == Some(3)),
    ("exit=x", |a| a.exit.is_none() && a.remarks == ["refused: exit=x is no exit code"]),
    ("session=s", |a| a.session.as_deref() == Some("s")),
    ("continue", |a| a.continues.as_deref() == Some("")),
    ("continue=a", |a| a.continues.as_deref() == Some("a")),
    ("interpreter=bash", |a| a.interpreter.as_deref() == Some("bash")),
    ("network=host", |a| a.remarks.len() == 1 && a.remarks[0].starts_with("refused: network=host (")),
    ("memory=4G", |a| a.remarks.len() == 1 && a.remarks[0].starts_with("refused: memory=4G (")),
    ("image=evil", |a| a.remarks.len() == 1 && a.remarks[0].starts_with("refused: image=evil (")),
    ("privileged", |a| a.remarks.len() == 1 && a.remarks[0].starts_with("refused: privileged (")),
    ("user=root", |a| a.remarks.len() == 1 && a.remarks[0].starts_with("refused: user=root (")),
    ("cwd=/etc", |a| a.remarks.len() == 1 && a.remarks[0].starts_with("refused: cwd=/etc (")),
    ("env=A", |a| a.remarks.len() == 1 && a.remarks[0].starts_with("refused: env=A (")),
    ("set-PATH=x", |a| a.remarks.len() == 1 && a.remarks[0].starts_with("refused: set-PATH=x (")),
    ("background=true", |a| a.remarks.len() == 1 && a.remarks[0].starts_with("refused: background=true (")),
];

#[test]
fn everything_a_block_can_say_is_understood_in_the_info_string_and_in_a_comment() {
    for (words, understood) in ROWS {
        for info in [format!("python {words}"), format!("python {{{words}}}"), format!("{{python {words}}}")] {
            let (label, attributes) = Attributes::of_info(&info);
            assert_eq!(label.as_deref(), Some("python"), "{info}");
            assert!(understood(&attributes), "{info}: {attributes:?}");
        }
        for comment in [format!("runpen: {words}"), format!("$MDX {words}"), format!("byexample: +{words}")] {
            let mut attributes = Attributes::default();
            assert!(attributes.comment(&comment), "{comment}");
            assert!(understood(&attributes), "{comment}: {attributes:?}");
        }
    }
}

#[test]
fn the_info_strings_of_others_name_their_language() {
    for (info, label) in [
        ("rust,ignore,should_panic", "rust"),
        ("{python, echo=FALSE}", "python"),
        ("{.haskell .numberLines #main}", "haskell"),
        ("js {1,3-4} title=\"a b.js\" showLineNumbers", "js"),
        ("c++", "c++"),
        ("sh{name=setup cwd=..}", "sh"),
    ] {
        assert_eq!(Attributes::of_info(info).0.as_deref(), Some(label), "{info}");
    }
    let (label, attributes) = Attributes::of_info("should_panic");
    assert!(label.is_none() && attributes.should_panic);
    assert_eq!(Attributes::of_info("{.haskell .numberLines #main}").1.name.as_deref(), Some("main"));
    assert!(Attributes::of_info("text output").1.is_output);
    assert!(Attributes::of_info("output").1.is_output);
    assert_eq!(Attributes::of_info(""), (None, Attributes::default()));
}

#[test]
fn what_decorates_a_page_is_no_matter_of_ours() {
    let (_, attributes) = Attributes::of_info("js {1,3-4} title=\"a\" linenums=\"1\" user hl_lines=\"2 3\"");
    assert_eq!(attributes, Attributes::default());
}

#[test]
fn an_unknown_word_of_our_own_comment_is_said_with_the_nearest_one() {
    let mut attributes = Attributes::default();
    attributes.comment("runpen: timout=2s");
    assert_eq!(attributes.remarks, ["unknown: `timout`, did you mean `timeout`?"]);
}

#[test]
fn of_two_time_outs_the_stricter_one_holds() {
    let (_, info) = Attributes::of_info("sh timeout=1s");
    let mut above = Attributes::default();
    above.comment("runpen: timeout=1m");
    assert_eq!(info.merged(above).timeout, Some(Duration::from_secs(1)));
}
