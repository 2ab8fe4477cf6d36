//! Output made to mislead, to flood, or by chance: what `src/report.rs` promises of any output.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use runpen::protocol::PhaseName;
use runpen::report::{Input, MESSAGE_LIMIT, Message, parse};
use runpen::text::Text;

use super::{Capture, FORMATS, Head, captures};

/// The promises.
fn check(program: &Text, messages: &[Message]) {
    assert!(messages.len() <= MESSAGE_LIMIT);
    for message in messages {
        assert!(message.text.len() <= 4200 && message.related.len() <= 16);
        for span in message.span.iter().chain(message.related.iter().map(|(span, _)| span)) {
            assert!(program.as_str().get(span.clone()).is_some(), "{span:?}");
        }
    }
}

fn check_all(program: &Text, path: &str, printed: &str) {
    for (_, format) in FORMATS {
        for phase in [PhaseName::Compile, PhaseName::Run] {
            for (exit_code, signal) in [(Some(1), None), (Some(0), None), (None, Some(11))] {
                check(program, &parse(format, &Input { phase, program, path, stderr: printed, exit_code, signal }));
            }
        }
    }
}

/// The captures with their lines cut short, swapped, doubled and numbered otherwise.
#[test]
fn mangled_output_stays_within_bounds() {
    for (language, format) in FORMATS {
        for capture in captures(language) {
            let lines: Vec<&str> = capture.printed.lines().collect();
            let mangled = [
                capture.printed.replace(|character: char| character.is_ascii_digit(), "9"),
                capture.printed.replace(|character: char| character.is_ascii_digit(), "0"),
                capture.printed.replace(|character: char| character.is_ascii_digit(), "99999999999999999999999"),
                capture.printed.replace(['^', '~'], "😀^"),
                capture.printed.replace("  ", "\t"),
                capture.printed.replace(": ", ":"),
                lines.iter().rev().flat_map(|line| [line, "\n"]).collect(),
                lines.iter().map(|line| format!("{line}{line}\n")).collect(),
                lines.iter().map(|line| line.chars().skip(3).collect::<String>() + "\n").collect(),
            ];
            for printed in mangled {
                for exit in [0, 1] {
                    let head = Head { exit, path: capture.head.path.clone(), ..capture.head };
                    let mangled = Capture {
                        name: String::new(),
                        program: capture.program.clone(),
                        head,
                        printed: printed.clone(),
                    };
                    check(&capture.program, &mangled.messages(format));
                }
            }
            for cut in (0..capture.printed.len())
                .step_by(capture.printed.len() / 12 + 1)
                .filter(|&cut| capture.printed.is_char_boundary(cut))
            {
                let head = Head { path: capture.head.path.clone(), ..capture.head };
                let printed = capture.printed[cut..].to_owned();
                let cut = Capture { name: String::new(), program: capture.program.clone(), head, printed };
                check(&capture.program, &cut.messages(format));
            }
        }
    }
}

/// Long output and long lines, in time that grows no faster than they do.
#[test]
fn a_flood_is_read_in_time() {
    let frames = [
        "  File \"/runpen/main.x\", line 1, in f\n    x\n    ^\n",
        "Traceback (most recent call last):\n  File \"/runpen/main.x\", line 2, in f\nA: b\n\nDuring handling of the above exception, another exception occurred:\n\n",
        "  + Exception Group Traceback (most recent call last):\n  |   File \"/runpen/main.x\", line 1, in f\n",
        "    at f (/runpen/main.x:1:60000)\n",
        "/runpen/main.x:1\nx\n^\n\nA: b\n",
        "Exception in thread \"main\" A: b\n\tat M.f(main.x:1)\nCaused by: x\n",
        "main.x:1:9:[1,70000,90000] error: a\n  b\n",
        "main.x:1:60000: error: a\n  1 | x\n    | ~~^~~\n",
        "[{\"kind\": \"error\", \"children\": [",
        "[]\n[{\"kind\"\n",
        "./main.x:1:60000: cannot use 😀😀😀😀\n\t./main.x:1:1: x\n",
        "panic: a\n\ngoroutine 1 [running]:\nf(...)\n\t/runpen/main.x:1\n",
        "main.x: line 1: a: b on line 1\n",
        "==1==ERROR: AddressSanitizer: a\n    #0 0x1 in f(a b c d e) /runpen/main.x:1:60000\n",
        "    #0 0x1 in f a a a a a a a a a a a a a a a a a a a a a a a a a a a a a",
        "x: Assertion `a: a: a: a: a: a: a: a: a: a: a: a: a: a: a: ",
        ": [1: [1: [1: [1",
        " (/runpen/main.x (/runpen/main.x",
        "\" ",
        "(",
        "\u{300}",
        " ",
        "\n",
        "^",
        "`'",
        "Exception in thread \"…\" a",
        "Exception in thread \"main\" a: b\n…Caused by: a\n\tat M.f(main.x:1)\n",
        "/runpen/main.x:1\nx\n^\n\nA: b\n    at f (/runpen/main.x:1:1)\n    at …(file:///%20 (",
        "/runpen/main.x:1\nx\n^\n\nA: b\n    at f (/runpen/main.x:1:1)\n …[cause]: E\n    at f (/runpen/main.x:1:1)\n",
        "Traceback (most recent call last):\n  File \"/runpen/main.x\", line 1, in f\n…    x\n    ^\n",
        "  + Exception Group Traceback (most recent call last):\n  | E: x\n…  +-+---------------- 1 ----------------\n    | E: y\n",
        "==1==ERROR: AddressSanitizer: a\n…    #0 0x1 in f /runpen/main.x:1\n    #0 0x1 in f /runpen/main.x:2\nb\n",
        "panic: a\n\ngoroutine 1 [running]:\n…f(...)\n\t/runpen/main.x:1\nf(...)\n\t/runpen/main.x:2\n",
        "main.x:1:1: error: a\n…main.x:1:60000: note: a\n",
        "…main.x:1:60000:   required from here\n",
        "main.x:1:1: …\\U0001f600",
    ];
    let programs = ["é😀x = \"漢 ".repeat(10_000), "\n".repeat(100_000)];
    for program in programs {
        let program = Text::new(program);
        for frame in frames {
            // What follows a `…` is what floods; what stands before it comes once.
            let (once, flood) = frame.split_once('…').unwrap_or(("", frame));
            let printed = once.to_owned() + &flood.repeat(64 * 1024 / flood.len());
            for (_, format) in FORMATS {
                for phase in [PhaseName::Compile, PhaseName::Run] {
                    let input = Input {
                        phase,
                        program: &program,
                        path: "/runpen/main.x",
                        stderr: &printed,
                        exit_code: Some(1),
                        signal: None,
                    };
                    let alone = Instant::now();
                    check(&program, &parse(format, &input));
                    assert!(
                        alone.elapsed() < Duration::from_secs(5),
                        "{format:?} {phase:?} {frame:?} {:?}",
                        alone.elapsed()
                    );
                }
            }
        }
    }
}

/// Pieces of what tools print, so that chance makes things that look right.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("/runpen/a b.x"),
        Just("a b.x"),
        Just("./a b.x"),
        Just("file:///runpen/a%20b.x"),
        Just(":"),
        Just(": "),
        Just("1"),
        Just("2"),
        Just("3"),
        Just("99"),
        Just(" line "),
        Just("\n"),
        Just("\r\n"),
        Just("\r"),
        Just("\t"),
        Just("    "),
        Just("  "),
        Just(" "),
        Just("^"),
        Just("~~^~~"),
        Just("error: "),
        Just("warning: "),
        Just("note: "),
        Just("required from here"),
        Just(" | "),
        Just("|"),
        Just("Traceback (most recent call last):\n"),
        Just("  File \""),
        Just("\", line "),
        Just(", in f"),
        Just("  + Exception Group Traceback (most recent call last):\n"),
        Just("  | "),
        Just("  +-+---------------- 1 ----------------\n"),
        Just("During handling of the above exception, another exception occurred:\n"),
        Just("    at "),
        Just(" ("),
        Just(")"),
        Just("[cause]: "),
        Just("Node.js v20\n"),
        Just("SyntaxError: x"),
        Just("Uncaught:\n"),
        Just("Exception in thread \"main\" "),
        Just("Caused by: "),
        Just("\tat f(a b.x:1)\n"),
        Just("[1,2,3] "),
        Just("Error: "),
        Just(
            "[{\"kind\": \"error\", \"message\": \"m\", \"locations\": [{\"caret\": {\"file\": \"a b.x\", \"line\": 1, \"byte-column\": 2}}]}]\n"
        ),
        Just("undefined reference to `f'"),
        Just("==1==ERROR: AddressSanitizer: x\n"),
        Just("    #0 0x1 in f "),
        Just("terminate called "),
        Just("Assertion `"),
        Just("panic: "),
        Just("goroutine 1 [running]:\n"),
        Just("runtime error: "),
        Just("`"),
        Just("'"),
        Just("\""),
        Just("é"),
        Just("😀"),
        Just("x"),
        Just("foo(bar)"),
        Just("\u{feff}"),
        Just("\u{2028}"),
        Just("(x"),
        Just("...<2 lines>...\n"),
        Just("not found in class x,"),
        Just(" imported "),
        Just("\\U0001f600"),
    ];
    prop_oneof![
        4 => proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat()),
        1 => any::<String>(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn any_output_stays_within_bounds(program in pieces(), printed in pieces()) {
        check_all(&Text::new(program), "/runpen/a b.x", &printed);
        check_all(&Text::new(printed.as_str()), "/runpen/a b.x", &printed);
    }
}
