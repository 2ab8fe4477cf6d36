//! Stories of files and selections. `«` and `»` mark what is selected; a program is shown with the number of the
//! document's line before each of its lines.

use std::fmt::Write;

use super::*;
use crate::language::Languages;

fn language(name: &str) -> &'static Language {
    Languages::built_in().named(name).unwrap()
}

/// Takes the marks out of a document.
fn marked(document: &str) -> (Text, Range<usize>) {
    let start = document.find('«').unwrap();
    let end = document.find('»').unwrap() - '«'.len_utf8();
    (Text::new(document.replace(['«', '»'], "")), start..end)
}

fn select(name: &str, document: &str) -> Snippet {
    let (text, range) = marked(document);
    Snippet::selection(&text, range, None, language(name)).unwrap()
}

fn shown(snippet: &Snippet) -> String {
    let mut shown = String::new();
    for (line, text) in snippet.program.as_str().lines().enumerate() {
        match snippet.lines[line] {
            Some(origin) => {
                let number = snippet.document.position(origin, Encoding::Utf8).line + 1;
                let _ = writeln!(shown, "{number:2}|{text}");
            }
            None => {
                let _ = writeln!(shown, "  |{text}");
            }
        }
    }
    shown
}

#[track_caller]
fn runs(name: &str, document: &str, program: &str) {
    let snippet = select(name, document);
    let wanted: String = program.lines().map(|line| line.trim_start_matches('\t').to_owned() + "\n").collect();
    pretty(&shown(&snippet), wanted.trim_start_matches('\n'));
    assert_eq!(snippet.lines.len(), snippet.program.line_count() as usize);
}

#[track_caller]
fn pretty(seen: &str, wanted: &str) {
    assert!(seen.trim_end() == wanted.trim_end(), "\nseen:\n{seen}\nwanted:\n{wanted}");
}

#[test]
fn a_file_is_itself() {
    let text = Text::new("print(1)\r\nprint(2)\r\n");
    let snippet = Snippet::file(&text, Some("hello.py"), language("python")).unwrap();
    assert_eq!(snippet.program.as_str(), text.as_str());
    assert_eq!(snippet.file_name, "hello.py");
    assert_eq!(snippet.map(&(10..15)), Some(10..15));
}

#[test]
fn a_byte_order_mark_is_left_out() {
    let text = Text::new("\u{feff}print(1)\nx");
    let snippet = Snippet::file(&text, None, language("python")).unwrap();
    assert_eq!(snippet.program.as_str(), "print(1)\nx");
    assert_eq!(snippet.map(&(0..5)), Some(3..8));
    assert_eq!(snippet.map(&(9..10)), Some(12..13));
}

#[test]
fn a_shell_file_loses_its_carriage_returns_and_no_position() {
    let text = Text::new("echo 1\r\necho 2\r\n");
    let snippet = Snippet::file(&text, None, language("shell")).unwrap();
    assert_eq!(snippet.program.as_str(), "echo 1\necho 2\n");
    assert_eq!(snippet.map(&(7..11)), Some(8..12));
}

#[test]
fn only_harmless_names_are_used() {
    let named = |name| Snippet::file(&Text::new("x"), Some(name), language("python")).unwrap().file_name;
    assert_eq!(named("my prog-1.py"), "my prog-1.py");
    assert_eq!(named("/home/me/prog.py"), "prog.py");
    for name in ["-c.py", ".hidden.py", "a;b.py", "$(x).py", "é.py", "notes.txt", "py", "a\nb.py", &"x".repeat(80)] {
        assert_eq!(named(name), "main.py", "{name}");
    }
    let go = |name| Snippet::file(&Text::new("package main"), Some(name), language("go")).unwrap().file_name;
    assert_eq!(go("a_test.go"), "main.go");
    assert_eq!(go("a_b.go"), "a_b.go");
}

#[test]
fn what_cannot_run_says_why_in_one_line() {
    let python = language("python");
    for text in ["", " \n\t\r\n", "\u{feff}\n"] {
        let error = Snippet::file(&Text::new(text), None, python).unwrap_err();
        assert_eq!(error.to_string(), "there is nothing to run: the file is empty");
    }
    let error = Snippet::file(&Text::new("ab\0c"), None, python).unwrap_err();
    assert_eq!(error.to_string(), "the file is not text: byte 2 is NUL");
    let large = Text::new("x".repeat(9 << 20));
    assert_eq!(
        Snippet::file(&large, None, python).unwrap_err().to_string(),
        "the file has 9437184 bytes, and at most 8388608 are run"
    );
    assert!(matches!(Snippet::selection(&large, 0..3, None, python), Err(SnippetError::TooLarge { .. })));
    let text = Text::new("a\n\nb");
    for range in [1..1, 1..3, 9..9, 2..99] {
        let seen =
            Snippet::selection(&text, range.clone(), None, python).map(|snippet| snippet.program.as_str().to_owned());
        if range == (2..99) {
            assert!(seen.unwrap().contains("\nb\n"));
        } else {
            assert_eq!(seen, Err(SnippetError::Empty("the selection")), "{range:?}");
        }
    }
    let error = Snippet::file(&Text::new("// x\npackage util\n"), None, language("go")).unwrap_err();
    assert!(error.to_string().contains("this file is in package util"));
}

#[test]
fn a_part_of_a_line_is_exactly_that() {
    // Its value is printed, as at a prompt.
    let printed = "  |_ = (\n 1|sum([1, 2])\n  |)\n  |if _ is not None: print(repr(_))";
    runs("python", "total = « sum([1, 2]) » + 3", printed);
    runs("python", "if x: « total = sum([1, 2]) »", " 1|total = sum([1, 2])");
}

#[test]
fn a_selection_that_starts_in_the_indentation_takes_all_of_it() {
    runs("python", "def f():\n  «  x = 1\n    if x:\n        print(x)\n»", " 2|x = 1\n 3|if x:\n 4|    print(x)");
    runs("python", "def f():\n    «x = 1\n    print(x)»\n", " 2|x = 1\n 3|print(x)");
    runs("python", "if a:\n\tx(); «y()\n\tz()\n»", " 2|y()\n 3|z()");
}

#[test]
fn lines_inside_strings_keep_their_bytes_and_comments_do_not_count() {
    runs(
        "python",
        "def f():\n«    s = '''a\n  b\n    c'''\n# note\n    t = g(\n  1)\n»",
        " 2|s = '''a\n 3|  b\n 4|    c'''\n 5|# note\n 6|t = g(\n 7|1)",
    );
    runs(
        "shell",
        "f() {\n«    cat <<EOF\n  two\nEOF\n    echo 'a\n  b'\n»}",
        " 2|cat <<EOF\n 3|  two\n 4|EOF\n 5|echo 'a\n 6|  b'",
    );
}

#[test]
fn code_selected_inside_a_docstring_is_code() {
    runs(
        "python",
        "def f():\n    '''Try:\n    «    print(1)\n        print(2)\n»    '''\n",
        " 3|print(1)\n 4|print(2)",
    );
}

#[test]
fn python_keeps_the_imports_of_the_file() {
    runs(
        "python",
        "'''import no'''\nimport os, sys; print(1)\nfrom x import (\n    a,  # one\n    b,\n)\nfrom __future__ import annotations\n\
         def f():\n    import re\n«    return os\n»",
        " 7|from __future__ import annotations\n 2|import os, sys\n 3|from x import (\n 4|    a,  # one\n 5|    b,\n 6|)\n10|return os",
    );
    runs(
        "python",
        "import a\n«from __future__ import x\nimport b\nb()»",
        " 2|from __future__ import x\n 1|import a\n 3|import b\n 4|b()",
    );
    runs("python", "«import a\nimport b»\nimport c", " 3|import c\n 1|import a\n 2|import b");
}

#[test]
fn javascript_knows_modules() {
    let name = |document: &str| {
        let (text, _) = marked(&format!("«»{document}"));
        Snippet::file(&text, Some("a.js"), language("javascript")).unwrap().file_name
    };
    for module in [
        "import fs from 'fs'",
        "import 'x'",
        "export const a = 1",
        "await f()",
        "for await (const x of y) z(x)",
        "if (a) { await b }",
        "const f = async x => await x\nawait f(1)",
        "console.log(import.meta.url)",
    ] {
        assert_eq!(name(module), "a.mjs", "{module}");
    }
    for script in [
        "const fs = require('fs')",
        "import('x').then(f)",
        "async function f() { await g() }",
        "const f = async (x) => { if (x) { await x } }",
        "const f = async x => await x; f(1)",
        "class A { async m() { await 1 } }",
        "// import x from 'y'\n/export/.test('await')",
        "`\nimport x\n`",
        "x.await",
        "const o = { async f() { for (const a of b) { await a } } }",
    ] {
        assert_eq!(name(script), "a.js", "{script}");
    }
}

#[test]
fn javascript_keeps_imports_and_requires() {
    runs(
        "javascript",
        "'use strict'\nconst {\n  a,\n  b\n} = require('x'); let q = 1\nconst fs = require('fs')\n  .promises\nlet n = 1\nfunction f() {\n«  return_(`a\n  ${n}`)\n  a()\n»}",
        " 2|const {\n 3|  a,\n 4|  b\n 5|} = require('x');\n 6|const fs = require('fs')\n 7|  .promises\n10|return_(`a\n11|  ${n}`)\n12|a()",
    );
    runs(
        "javascript",
        "import x, {\n  y } from 'z'\n«x()»",
        " 1|import x, {\n 2|  y } from 'z'\n  |{ const _ = (\n 3|x()\n  |); if (_ !== undefined) console.log(_); }",
    );
    assert_eq!(select("javascript", "import x from 'z'\n«x()»").file_name, "main.mjs");
    runs(
        "javascript",
        "const fs = require('fs')\nasync function f() {\n  «await fs.x()»\n}",
        "  |import { createRequire } from \"node:module\";\n  |const require = createRequire(import.meta.url);\n 1|const fs = require('fs')\n  |{ const _ = (\n 3|await fs.x()\n  |); if (_ !== undefined) console.log(_); }",
    );
}

#[test]
fn cpp_statements_get_a_main_on_lines_of_its_own() {
    runs(
        "cpp",
        "#include <iostream> // é\n#define TWO \\\n  2\nusing namespace std;\nnamespace own { int x; }\nusing namespace own;\nusing Alias = own::T;\nint helper() { return 1; }\nint main() {\n  using namespace chrono;\n«  int x = TWO;\n  for (auto i : {1, 2}) {\n    cout << i;\n  }\n  // done\n»}",
        " 1|#include <iostream> // é\n 2|#define TWO \\\n 3|  2\n 4|using namespace std;\n10|using namespace chrono;\n  |int main() {\n11|int x = TWO;\n12|for (auto i : {1, 2}) {\n13|  cout << i;\n14|}\n15|// done\n  |}",
    );
    runs("cpp", "int f(int);\nint main() { return «f(1) + 2»; }", "  |int main() {\n 2|f(1) + 2\n  |;}");
}

#[test]
fn cpp_definitions_stay_outside() {
    runs(
        "cpp",
        "#include <x>\n«const int N = 2;\nstruct P { int x; };\ntemplate <class T>\nT f(T t) { return t; }\nbool operator==(P, P) { return true; }»\n",
        " 1|#include <x>\n 2|const int N = 2;\n 3|struct P { int x; };\n 4|template <class T>\n 5|T f(T t) { return t; }\n 6|bool operator==(P, P) { return true; }\n  |int main() {}",
    );
    runs(
        "cpp",
        "«int n = 1;\nint f() { return n; } f();\nauto g = [](int x) { return x; };\nif (n) { g(1); } else { g(2); }\nstd::map<int, int> m{{1, 2}};\nint h() { return 2; }»",
        " 1|int n = 1;\n 2|int f() { return n; }\n 6|int h() { return 2; }\n  |int main() {\n 2|f();\n 3|auto g = [](int x) { return x; };\n 4|if (n) { g(1); } else { g(2); }\n 5|std::map<int, int> m{{1, 2}};\n  |}",
    );
    runs(
        "cpp",
        "#include <a>\n«int f() { return 1; }\nint main() { f(); }»",
        " 1|#include <a>\n 2|int f() { return 1; }\n 3|int main() { f(); }",
    );
}

#[test]
fn cpp_conditions_are_kept_only_when_they_close() {
    runs(
        "cpp",
        "#ifdef A\n#include <a>\n#else\n#include <b>\n#endif\n«f();»",
        " 1|#ifdef A\n 2|#include <a>\n 3|#else\n 4|#include <b>\n 5|#endif\n  |int main() {\n 6|f();\n  |}",
    );
    runs("cpp", "#ifndef A\n#define A\n«f();»\n#endif", " 2|#define A\n  |int main() {\n 3|f();\n  |}");
}

#[test]
fn go_keeps_the_imports_that_are_used() {
    runs(
        "go",
        "package util\n\nimport (\n\t\"fmt\"\n\tm \"math/rand/v2\"\n\t\"os\"\n)\nimport \"strings\"\n\nfunc F() {\n«\tx := m.Int() // os.Exit\n\tfmt.Println(x,\n\t\tstrings.Repeat(`a\n\tb`, 2))\n»}",
        "  |package main\n  |import (\n 4|\"fmt\"\n 5|m \"math/rand/v2\"\n 8|\"strings\"\n  |)\n  |func main() {\n11|x := m.Int() // os.Exit\n12|fmt.Println(x,\n13|\tstrings.Repeat(`a\n14|\tb`, 2))\n  |}",
    );
}

#[test]
fn go_definitions_stay_outside() {
    runs(
        "go",
        "package main\n«type T struct {\n\tn int\n}\n\nfunc (t T) Get() int { return t.n }\nfunc f[A any](a A) {}\nfunc() { f(1) }()\nt := T{1}\nif t.n > 0 {\n} else {\n}»",
        "  |package main\n 2|type T struct {\n 3|\tn int\n 4|}\n 5|\n 6|func (t T) Get() int { return t.n }\n 7|func f[A any](a A) {}\n  |func main() {\n 8|func() { f(1) }()\n 9|t := T{1}\n10|if t.n > 0 {\n11|} else {\n12|}\n  |}",
    );
    runs("go", "package main\n«func f() {}»", "  |package main\n 2|func f() {}\n  |func main() {}");
    let all = "«package main\n\nimport \"fmt\"\n\nfunc main() {\n\tfmt.Println(1)\n}»\n";
    runs(
        "go",
        all,
        " 1|package main\n 3|\n 3|import \"fmt\"\n 5|\n 5|func main() {\n 6|\tfmt.Println(1)\n 7|}"
            .replace(" 3|\n 3|", " 2|\n 3|")
            .replace(" 5|\n 5|", " 4|\n 5|")
            .as_str(),
    );
}

#[test]
fn java_statements_get_a_class() {
    runs(
        "java",
        "package a;\nimport java.util.*;\nclass A {\n  void f() {\n«    var x = List.of(1);\n    System.out.println(x);\n»  }\n}",
        " 2|import java.util.*;\n  |class Main {\n  |public static void main(String[] args) throws Exception {\n 5|var x = List.of(1);\n 6|System.out.println(x);\n  |}\n  |}",
    );
    assert_eq!(select("java", "«f();»").entry, "Main");
}

#[test]
fn java_members_and_types_find_their_place() {
    runs(
        "java",
        "«static int twice(int x) { return 2 * x; }\nrecord P(int x) {}\nSystem.out.println(twice(new P(1).x()));»",
        " 2|record P(int x) {}\n  |class Main {\n 1|static int twice(int x) { return 2 * x; }\n  |public static void main(String[] args) throws Exception {\n 3|System.out.println(twice(new P(1).x()));\n  |}\n  |}",
    );
    runs(
        "java",
        "«private final Map<String, List<Integer>> m = new HashMap<>();\n@Override\npublic String toString() { return \"x\"; }\n<T> void f(T t) throws E { }\nif (a) { f(1); }\nelse { f(2); }»",
        "  |class Main {\n 1|private final Map<String, List<Integer>> m = new HashMap<>();\n 2|@Override\n 3|public String toString() { return \"x\"; }\n 4|<T> void f(T t) throws E { }\n  |void runpenMain(String[] args) throws Exception {\n 5|if (a) { f(1); }\n 6|else { f(2); }\n  |}\n  |public static void main(String[] args) throws Exception { new Main().runpenMain(args); }\n  |}",
    );
    let own = select("java", "import x.Y;\n«public class Foo {\n  public static void main(String[] a) { }\n}»");
    pretty(&shown(&own), " 1|import x.Y;\n 2|public class Foo {\n 3|  public static void main(String[] a) { }\n 4|}");
    assert_eq!((own.entry.as_str(), own.file_name.as_str()), ("Foo", "Foo.java"));
    runs(
        "java",
        "class A {\n«  public static void main(String... a) {\n  }\n»}",
        "  |class Main {\n 2|public static void main(String... a) {\n 3|}\n  |}",
    );
}

#[test]
fn java_files_are_named_for_their_public_class_and_start_where_main_is() {
    let file = |text: &str, name| {
        let snippet = Snippet::file(&Text::new(text), Some(name), language("java")).unwrap();
        (snippet.file_name, snippet.entry)
    };
    let pair = |file: &str, entry: &str| (file.to_owned(), entry.to_owned());
    let main = "public static void main(String[] args) {}";
    assert_eq!(file(&format!("public class Foo {{ {main} }}"), "Bar.java"), pair("Foo.java", "Foo"));
    assert_eq!(
        file(
            &format!(
                "package a . b;\n// class No {{ {main} }}\nclass Z {{ String s = \"class N {{\"; }}\nrecord R(int class_) {{ {main} }}"
            ),
            "x y.java"
        ),
        pair("x y.java", "a.b.R")
    );
    assert_eq!(file(&format!("class A {{ {main} }} class B {{ {main} }}"), "B.java"), pair("B.java", "B"));
    assert_eq!(file(&format!("class A {{ {main} }} class B {{ {main} }}"), "C.java"), pair("C.java", "A"));
    // One that camisole tries Java with.
    let nested = format!("package p; class Some {{ static class A {{ int f() {{}} static class B {{ {main} }} }} }}");
    assert_eq!(file(&nested, "x.java"), pair("x.java", "p.Some$A$B"));
    let both = format!("class A {{ static class N {{ {main} }} }} class B {{ {main} }}");
    assert_eq!(file(&both, "C.java"), pair("C.java", "B"));
    assert_eq!(
        file("enum E { X { void main(String[] a) {} }; static public void main(final String[] a) {} }", "E.java"),
        pair("E.java", "E")
    );
    assert_eq!(file("interface I { static void main(String... a) {} }", "I.java"), pair("I.java", "I"));
    assert_eq!(
        file("class A { class In { public static void main(String[] a) {} } }\nclass B { }", "q.java"),
        pair("q.java", "A$In")
    );
    assert_eq!(file("oops", "q.java"), pair("q.java", "Main"));
    assert_eq!(file("class 名 { String t = \"\"\"\n class X {\"\"\"; }", "q.java"), pair("q.java", "名"));
}

#[test]
fn spans_map_to_the_document_and_never_into_the_frame() {
    let snippet = select("cpp", "#include <a>\r\nint main() {\r\n«    f(1);\r\n    é(2);\r\n»}\r\n");
    let program = snippet.program.as_str().to_owned();
    let at = |needle: &str| program.find(needle).unwrap();
    let document = snippet.document.as_str();
    let mapped = |span: Range<usize>| snippet.map(&span).map(|range| &document[range]);
    assert_eq!(mapped(at("f(1)")..at("f(1)") + 4), Some("f(1)"));
    assert_eq!(mapped(at("é")..at("é") + 5), Some("é(2)"));
    assert_eq!(mapped(at("int main")..at("int main") + 3), None);
    assert_eq!(mapped(at("f(1)")..program.len()), Some("f(1);\r\n    é(2);"));
    assert_eq!(mapped(at("f(1)")..at("é")), Some("f(1);"));
    assert_eq!(mapped(at("2)")..usize::MAX), Some("2);"));
    assert_eq!(mapped(usize::MAX..usize::MAX), None);
    assert_eq!(snippet.map(&(at("é") + 1..at("é"))), snippet.map(&(at("é")..at("é"))));
}

#[test]
fn a_fault_at_the_end_of_the_file_is_at_the_end_of_the_selection() {
    let snippet = select("shell", "f() {\n  «if true\n  then»\n}");
    let end = snippet.program.as_str().len();
    let place = "f() {\n  if true\n  then".len();
    assert_eq!(snippet.map(&(end..end)), Some(place..place));
}
