"""A program must not notice that its interpreter was up before it came: each is run both ways and compared byte for byte.

    python3 tests/stories/waiting.py path/to/runpen docker|embedded [LANGUAGE]

One server has interpreters that wait, the other starts them plainly; output, errors, exit code and signal must be the same.
What is random must differ from run to run on both.
"""

import concurrent.futures
import os
import pathlib
import re
import sys
import time
import urllib.parse

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lsp"))
import waiting_programs as programs  # noqa: E402
from client import Client  # noqa: E402

INPUT = "first line\nsecond line\nno end"
LANGUAGES = {
    "python": ("py", programs.PYTHON, programs.PYTHON_RANDOM),
    "javascript": ("js", programs.NODE, programs.NODE_RANDOM),
    "ruby": ("rb", programs.RUBY, programs.RUBY_RANDOM),
}
# Addresses and process numbers differ in any two runs.
NOISE = [(re.compile(r"0x[0-9a-f]{6,}"), "0x…"), (re.compile(r"\(node:\d+\)"), "(node:…)"), (re.compile(r"Thread-\d+"), "Thread-…"),
         (re.compile(r"\b1[0-9]{14}\b"), "…")]


class Side:
    def __init__(self, binary, engine, warm, **more):
        self.warm = warm
        self.client = Client(binary)
        settings = {"engine": engine, "warm": {"enabled": warm, "perLanguage": 4, "memory": "1G"}, "timeout": "30s", **more}
        self.client.initialize(initializationOptions=settings)

    def full(self, language):
        deadline = time.monotonic() + 120
        while True:
            pool = self.client.command("runpen.status")["pool"]
            if sum(one["waiting"] for one in pool if one["language"] == language) > 0:
                return
            if time.monotonic() > deadline:
                raise SystemExit(f"no {language} came to wait; {''.join(self.client.errors)[-2000:]}")
            time.sleep(0.02)

    def run(self, language, name, text, args):
        uri = "file:///w/" + urllib.parse.quote(name)
        self.client.open(uri, language, text)
        if self.warm:
            self.full(language)
        events = self.client.run("runpen.runFile", uri=uri, args=args, stdin=INPUT)
        self.client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
        warm = events[0].get("warm")
        if warm != self.warm:
            raise AssertionError(f"{name}: warm is {warm}: {events[-1]}")
        end = events[-1]
        printed = {stream: "".join(e["text"] for e in events if e["event"] == "output" and e["stream"] == stream)
                   for stream in ("stdout", "stderr")}
        self.client.log.clear()
        return {"outcome": end["outcome"], "exitCode": end.get("exitCode"), "signal": end.get("signal"), **printed}


def later_ruby(binary, engine):
    """One that has read its program before anything could wait in it: the shell waits, and starts it as it is."""
    later = """case "$*" in -v) echo 'ruby 3.4.1 (2024-12-25) +PRISM' ;; *) exec ruby "$@" ;; esac"""
    row = {"boot": "ruby", "steps": {"run": ["sh", "-c", later, "ruby", "{file}", "{args}"]}}
    side = Side(binary, engine, True, languages={"ruby": row})
    seen = side.run("ruby", "later.rb", "p 6*7, ENV['RUBYOPT'], ARGV, STDIN.read.size\n", ["a"])
    side.client.leave()
    return seen["stdout"] == f'42\nnil\n["a"]\n{len(INPUT)}\n', seen


def clean(text):
    for pattern, word in NOISE:
        text = pattern.sub(word, text)
    return text


def main():
    binary, engine = os.path.abspath(sys.argv[1]), sys.argv[2]
    chosen = sys.argv[3:] or list(LANGUAGES)
    plain, waiting = Side(binary, engine, False), Side(binary, engine, True)
    passed = failed = 0
    pool = concurrent.futures.ThreadPoolExecutor(2)
    for language in chosen:
        extension, same, random = LANGUAGES[language]
        for name, text in same.items():
            args = ["a", "b c", "é"] if "argv" in name else []
            file = f"my story.{extension}"
            seen = list(pool.map(lambda side, run=(language, file, text, args): side.run(*run), (plain, waiting)))
            one, other = ({key: clean(str(value)) for key, value in side.items()} for side in seen)
            if one == other:
                passed += 1
                continue
            failed += 1
            print(f"FAIL  {language} {name}", flush=True)
            for key in one:
                if one[key] != other[key]:
                    print(f"  {key}\n    plain:   {one[key]!r}\n    waiting: {other[key]!r}", flush=True)
        for name, text in random.items():
            values = {waiting.run(language, f"my story.{extension}", text, [])["stdout"] for _ in range(3)}
            if len(values) == 3:
                passed += 1
            else:
                failed += 1
                print(f"FAIL  {language} {name}: {values}", flush=True)
    plain.client.leave()
    waiting.client.leave()
    if "ruby" in chosen:
        right, seen = later_ruby(binary, engine)
        passed, failed = passed + right, failed + (not right)
        if not right:
            print(f"FAIL  ruby that cannot wait: {seen}", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
