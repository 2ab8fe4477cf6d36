"""Every language whose tools can be had on the test machine, told to the real binary with a real engine.

    python3 tests/stories/languages.py path/to/runpen [--only WORD]

RUNPEN_CONFIG names the configuration with the test images. Two programs run at a time, since some compilers take seconds.
"""

import concurrent.futures
import json
import pathlib
import subprocess
import sys

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


STORIES = [every_tested_row_says_hello]


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
