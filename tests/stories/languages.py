"""Every language whose tools can be had on the test machine, told to the real binary with a real engine.

    python3 tests/stories/languages.py path/to/runpen [--only WORD]

RUNPEN_CONFIG names the configuration with the test images. Two programs run at a time, since some compilers take seconds.
"""

import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import tempfile

BINARY = str(pathlib.Path(sys.argv[1]).resolve())
ONLY = sys.argv[3] if sys.argv[2:3] == ["--only"] else ""
HELLO = pathlib.Path(__file__).parent.parent / "data" / "hello"

# What each prints for the arguments `a b` and `c` and the input `in.`, white space aside.
SAYS = {name: "é a b|c in." for name in (
    "hello.awk", "hello.bash", "hello.c", "hello.cs", "hello.d", "hello.erl", "hello.exs", "hello.f90", "hello.kt",
    "hello.lua", "hello.ml", "hello.php", "hello.pl", "hello.R", "hello.rb", "hello.rs", "hello.ts", "hello.zig",
)}
SAYS |= {"hello.hs": "é a b|c in.", "hello.nim": "é a b|c in.", "hello.pro": "é [a b,c] in", "hello.sql": "é 42"}


def table():
    done = subprocess.run([BINARY, "languages", "--json"], check=True, capture_output=True, timeout=60)
    return {row["name"]: row for row in json.loads(done.stdout)}


def run(path, *flags, stdin=b"", args=()):
    done = subprocess.run(
        [BINARY, "run", "--engine", "docker", "--json", "--timeout", "30s", *flags, path, "--", *args],
        input=stdin, capture_output=True, timeout=300,
    )
    return [json.loads(line) for line in done.stdout.splitlines()], done


def hello(name):
    """Arguments, input, both streams, the exit code."""
    events, done = run(HELLO / name, stdin=b"in.\n", args=("a b", "c"))
    assert events, done.stderr.decode()
    end = events[-1]
    said = {stream: "".join(event["text"] for event in events if event["event"] == "output" and event["stream"] == stream)
            for stream in ("stdout", "stderr")}
    assert " ".join(said["stdout"].split()) == SAYS[name], (end, said)
    if name != "hello.sql":
        assert "err" in said["stderr"].splitlines(), said
        assert (end["outcome"], end.get("exitCode"), done.returncode) == ("exited", 3, 3), end
    assert end["diagnostics"] == [], end["diagnostics"]
    return events[0]["language"]


def every_tested_row_says_hello(languages, pool):
    seen = {"python", "javascript", "java", "cpp", "go", "shell"}  # told in cli.py
    for language in pool.map(hello, sorted(SAYS)):
        seen.add(language)
    tested = {name for name, row in languages.items() if row["tested"]}
    assert seen == tested, f"tested without a story, or the other way round: {seen ^ tested}"
    assert len(languages) >= 30, len(languages)


# Wrong programs, each with what its first error must cover: `é` and an emoji stand before it on the line.
BROKEN = {
    "awk": ('BEGIN {\n\ts = "é😀"; nowhere(s)\n}\n', "nowhere"),
    "bash": ('s="é😀"\nif true; then\n  nowhere_to_be_found "$s"\nfi\n', "nowhere_to_be_found"),
    "c": ('int main(void) {\n\tconst char *s = "é😀"; return s[0] + nowhere;\n}\n', "nowhere"),
    "csharp": ('class M { static void Main() {\n\tstring s = "é😀"; System.Console.Write(s + nowhere); } }\n', "nowhere"),
    "d": ('void main() {\n\tstring s = "é😀"; auto t = s ~ nowhere;\n}\n', "nowhere"),
    "elixir": ('defmodule M do\n  def f, do: {"é😀", nowhere}\nend\n', "nowhere"),
    "erlang": ('-module(m).\n-export([main/0]).\nmain() -> {"é😀", Nowhere}.\n', "Nowhere"),
    "fortran": ('program m\n  implicit none\n  print *, "é😀", nowhere\nend program\n', "nowhere"),
    "haskell": ('main :: IO ()\nmain = putStrLn ("é😀" ++ nowhere)\n', "nowhere"),
    "kotlin": ('fun main() {\n\tval s = "é😀"; println(s + nowhere)\n}\n', "nowhere"),
    "lua": ('local s = "é😀"; nowhere(s)\n', "nowhere"),
    "nim": ('let s = "é😀"; echo s & nowhere\n', "nowhere"),
    "ocaml": ('let () = print_string ("é😀" ^ nowhere)\n', "nowhere"),
    "perl": ('use strict;\nmy $s = "é😀"; print $s . $nowhere;\n', "$nowhere"),
    "php": ('<?php\n$s = "é😀"; echo nowhere($s);\n', "nowhere"),
    "prolog": (':- initialization(main).\nmain :- X = "é😀", nowhere(X).\n', "nowhere"),
    "r": ('s <- "é😀"; print(paste(s, nowhere))\n', "nowhere"),
    "ruby": ('s = "é😀"; puts s + nowhere\n', "nowhere"),
    "rust": ('fn main() {\n\tlet s = "é😀"; println!("{}{}", s, nowhere);\n}\n', "nowhere"),
    "sql": ("create table t (a);\nselect 'é😀', nowhere from t;\n", "nowhere"),
    "typescript": ('const s: string = "é😀"; console.log(s + nowhere);\n', "nowhere"),
    "zig": ('pub fn main() void {\n\tconst s = "é😀"; _ = s ++ nowhere;\n}\n', "nowhere"),
}


def covered(text, place):
    """The text in a range, whose characters are UTF-16 units."""
    lines = [line.encode("utf-16-le") for line in text.split("\n")]
    start, end = place["start"], place["end"]
    assert start["line"] == end["line"], place
    return lines[start["line"]][2 * start["character"]:2 * end["character"]].decode("utf-16-le")


def broken(language):
    text, token = BROKEN[language]
    with tempfile.TemporaryDirectory(prefix="runpen-broken-") as folder:
        path = pathlib.Path(folder, "program.txt")
        path.write_text(text)
        events, done = run(path, "--lang", language)
    assert events, done.stderr.decode()
    errors = [one for one in events[-1]["diagnostics"] if one["severity"] == "error"]
    assert errors, (language, events[-1])
    seen = covered(text, errors[0]["range"])
    # A shell names the line alone.
    right = token in seen if language == "bash" else seen == token
    assert right, f"{language}: {seen!r} is not {token!r}: {errors}"
    return language


def an_error_covers_the_word_that_is_wrong(languages, pool):
    seen = {"python", "javascript", "java", "cpp", "go", "shell"}  # told in cli.py and by the captured outputs
    seen.update(pool.map(broken, sorted(BROKEN)))
    tested = {name for name, row in languages.items() if row["tested"]}
    assert seen == tested, f"tested without a story, or the other way round: {seen ^ tested}"


# Lines of a file that run as a selection: statements inside a function, an expression, a definition alone.
SELECTIONS = [
    ("awk", "function f(x) {\n  print x\n  print 6 * 7\n}\n", "3-3", "42"),
    ("bash", "f() {\n  6 * 7\n}\n", "2-2", "42"),
    ("c", "#include <stdio.h>\nvoid f(void) {\n  int x = 6;\n  printf(\"%d\", x * 7);\n}\n", "3-4", "42"),
    ("c", "#include <stdio.h>\nint f(int x) {\n  return x;\n}\n", "2-4", ""),
    ("csharp", "using System;\nclass A {\n  void F() {\n    Console.Write(6 * 7);\n  }\n}\n", "4-4", "42"),
    ("csharp", "using System;\nclass A {\n  void F() {\n    Console.Write(6 * 7);\n  }\n}\n", "2-6", ""),
    ("d", "import std.stdio;\nvoid f() {\n  writeln(6 * 7);\n}\n", "3-3", "42"),
    ("elixir", "defmodule M do\n  def f do\n    IO.puts(6 * 7)\n  end\nend\n", "3-3", "42"),
    ("fortran", "subroutine f()\n  integer :: n\n  n = 42\n  print *, n\nend subroutine\n", "2-4", "42"),
    ("haskell", "import Data.List\n\nf :: Int -> Int\nf x = x\n", "3-4", ""),
    ("javascript", "function f() {\n  [1, 2].map((x) => x * 21)\n}\n", "2-2", "[ 21, 42 ]"),
    ("javascript", "function f() {\n  return 1;\n}\n", "1-3", ""),
    ("kotlin", "import kotlin.math.abs\n\nfun f() {\n    val x = -42\n    println(abs(x))\n}\n", "4-5", "42"),
    ("lua", "local function f()\n  6 * 7\nend\n", "2-2", "42"),
    ("lua", "local function f()\n  return 1\nend\n", "1-3", ""),
    ("nim", "import strutils\nproc f() =\n  echo \"x\".repeat(3)\n", "3-3", "xxx"),
    ("ocaml", "let f () =\n  print_int 42\n", "2-2", "42"),
    ("perl", "use List::Util qw(sum);\nsub f {\n  print sum(40, 2);\n}\n", "3-3", "42"),
    ("php", "<?php\nfunction f() {\n  echo 6 * 7;\n}\n", "3-3", "42"),
    ("python", "def f():\n    [x * 21 for x in (1, 2)]\n", "2-2", "[21, 42]"),
    ("python", "def f():\n    return 1\n", "1-2", ""),
    ("r", "f <- function() {\n  6 * 7\n}\n", "2-2", "[1] 42"),
    ("ruby", "def f\n  [1, 2].map { |x| x * 21 }\nend\n", "2-2", "[21, 42]"),
    ("ruby", "def f\n  1\nend\n", "1-3", ""),
    ("rust", "use std::collections::HashMap;\nfn f() {\n    let m: HashMap<i32, i32> = HashMap::new();\n    println!(\"{}\", m.len() + 42);\n}\n", "3-4", "42"),
    ("rust", "fn f() -> i32 {\n    1\n}\n", "1-3", ""),
    ("shell", "f() {\n  (1 + 2) * 14\n}\n", "2-2", "42"),
    ("typescript", "function f(x: number): number {\n  return x;\n}\n[1, 2].length + 40\n", "4-4", "42"),
    ("zig", "const std = @import(\"std\");\nfn f() void {\n    std.debug.print(\"\", .{});\n}\n", "3-3", ""),
]


def selection(case):
    language, text, lines, expected = case
    with tempfile.TemporaryDirectory(prefix="runpen-selection-") as folder:
        path = pathlib.Path(folder, "program.txt")
        path.write_text(text)
        events, done = run(path, "--lang", language, "--lines", lines)
    assert events, (case, done.stderr.decode())
    said = "".join(event["text"] for event in events if event["event"] == "output" and event["stream"] == "stdout")
    assert (said.strip(), done.returncode) == (expected, 0), (case, said, events[-1])


def a_selection_runs_as_a_person_means_it(_languages, pool):
    list(pool.map(selection, SELECTIONS))


def the_files_of_a_folder_come_along_when_asked(_languages, _pool):
    programs = {
        "main.py": "import part.helper\nprint(part.helper.answer(), open('data.txt').read().strip())\n",
        "main.c": '#include <stdio.h>\n#include "other.h"\nint main(void) { printf("%d", answer()); }\n',
        "main.ts": 'import { answer } from "./helper.ts";\nconsole.log(answer(), Deno.readTextFileSync("data.txt").trim());\n',
    }
    with tempfile.TemporaryDirectory(prefix="runpen-folder-") as folder:
        at = pathlib.Path(folder)
        (at / "part").mkdir()
        (at / "part" / "helper.py").write_text("def answer():\n    return 42\n")
        (at / "helper.ts").write_text("export function answer(): number { return 42; }\n")
        (at / "other.h").write_text("int answer(void);\n")
        (at / "other.c").write_text('#include "other.h"\nint answer(void) { return 42; }\n')
        (at / "data.txt").write_text("data\n")
        (at / "secret.txt").write_text("secret\n")
        (at / ".gitignore").write_text("secret.txt\n")
        os.symlink("/etc/passwd", at / "passwd")
        os.mkfifo(at / "pipe")
        (at / "look.py").write_text("import os\nprint(sorted(os.listdir()))\n")
        for name, text in programs.items():
            (at / name).write_text(text)
            events, done = run(at / name, "--folder")
            said = "".join(event["text"] for event in events if event["event"] == "output" and event["stream"] == "stdout")
            assert said.split()[:1] == ["42"] and done.returncode == 0, (name, said, done.stderr, events[-1])
            if name != "main.c":
                assert said.split() == ["42", "data"], said
        events, _ = run(at / "look.py", "--folder")
        seen = "".join(event["text"] for event in events if event["event"] == "output")
        wanted = ["data.txt", "helper.ts", "look.py", "main.c", "main.py", "main.ts", "other.c", "other.h", "part"]
        assert seen == f"{wanted}\n", seen
        events, done = run(at / "main.py", "--files", at / "data.txt", "--files", at / "part" / "helper.py")
        said = "".join(event["text"] for event in events if event["event"] == "output")
        assert (said, done.returncode) == ("42 data\n", 0), (said, done.stderr)
        for bad in ("secret.txt", "passwd", "pipe", "part", "../main.py"):
            events, done = run(at / "main.py", "--files", at / bad)
            line = done.stderr.decode()
            assert (events, done.returncode, line.count("\n")) == ([], 2, 1) and "is no file to send along" in line, (bad, line)
        events, done = run(at / "main.py")
        assert events[-1]["exitCode"] == 1 and "part" in events[-1]["diagnostics"][0]["message"], "nothing comes unasked"
        (at / "large.bin").write_bytes(b"x" * (9 << 20))
        events, done = run(at / "look.py", "--folder")
        line = done.stderr.decode().strip()
        assert (events, done.returncode, len(line.splitlines())) == ([], 2, 1) and "8 MiB" in line, (done.returncode, line)


# Programs of two files whose compiler is told of both: the one that is run comes first.
TOGETHER = [
    {"main.cpp": "#include <iostream>\nint answer();\nint main() { std::cout << answer(); }\n", "other.cpp": "int answer() { return 42; }\n"},
    {"main.go": 'package main\n\nimport "fmt"\n\nfunc main() { fmt.Print(answer()) }\n', "other.go": "package main\n\nfunc answer() int { return 42 }\n"},
    {"Main.java": "class Main { public static void main(String[] a) { System.out.print(Other.answer()); } }\n",
     "Other.java": "class Other { static int answer() { return 42; } }\n"},
    {"main.cs": "class Program { static void Main() { System.Console.Write(Other.Answer()); } }\n",
     "other.cs": "static class Other { public static int Answer() { return 42; } }\n"},
    {"main.d": "import std.stdio, other;\nvoid main() { write(answer()); }\n", "other.d": "module other;\nint answer() { return 42; }\n"},
    {"main.kt": "fun main() { print(answer()) }\n", "other.kt": "fun answer() = 42\n"},
    {"main.rs": "mod other;\nfn main() { print!(\"{}\", other::answer()); }\n", "other.rs": "pub fn answer() -> u32 { 42 }\n"},
]


def together(files):
    with tempfile.TemporaryDirectory(prefix="runpen-together-") as folder:
        for name, text in files.items():
            pathlib.Path(folder, name).write_text(text)
        main = next(iter(files))
        events, done = run(pathlib.Path(folder, main), "--folder")
        said = "".join(event["text"] for event in events if event["event"] == "output" and event["stream"] == "stdout")
        assert (said, done.returncode) == ("42", 0), (main, said, done.stderr, events[-1:])


def compilers_are_told_of_all_files(_languages, pool):
    list(pool.map(together, TOGETHER))


STORIES = [compilers_are_told_of_all_files, the_files_of_a_folder_come_along_when_asked, a_selection_runs_as_a_person_means_it, every_tested_row_says_hello, an_error_covers_the_word_that_is_wrong]


def main():
    failed = passed = 0
    languages = table()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for story in STORIES:
            name = story.__name__.replace("_", " ")
            if ONLY not in name:
                continue
            try:
                story(languages, pool)
            except (AssertionError, subprocess.TimeoutExpired, KeyError, ValueError) as error:
                failed += 1
                print(f"FAILED {name}\n    {type(error).__name__}: {error}", flush=True)
            else:
                passed += 1
                print(f"ok     {name}", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
