"""Programs that nobody of this project wrote, run unchanged by the real binary on a real engine, against their known output.

    python3 tests/stories/programs.py path/to/runpen FOLDER [WORD]

FOLDER is what tests/setup/programs.sh printed: collections of pinned versions. What a program should print is

  py2many    what the Python program prints that it was translated from, run by the bare Python of the test image
  camisole   `42`, as its authors' own test of each language demands (camisole/ref.py)
  go         the `.out` file beside it, which holds both streams
  lua, gawk  what the bare interpreter of the test image prints for it, on both streams, and its exit code

RUNPEN_CONFIG names the configuration with the test images. WORD takes only the programs with it in their names.
"""

import ast
import concurrent.futures
import glob
import hashlib
import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "lsp"))
from tally import Tally  # noqa: E402

BINARY = str(pathlib.Path(sys.argv[1]).resolve())
FOLDER = pathlib.Path(sys.argv[2]).resolve()
ONLY = sys.argv[3] if sys.argv[3:] else ""
CASES = FOLDER / "py2many-0.9" / "tests" / "cases"
TRANSLATED = FOLDER / "py2many-0.9" / "tests" / "expected"
CAMISOLE = FOLDER / "camisole-0.5" / "camisole" / "languages"
LUA = FOLDER / "debian/usr/share/doc/lua5.1-doc/test"
GAWK = FOLDER / "debian/usr/share/doc/gawk/examples"
GO = pathlib.Path(next(iter(sorted(glob.glob("/usr/share/go-*/test"))), "/nowhere"))

# By extension of the translation: those that need no package beside their language's own. Compilers that take seconds have a
# few, quick ones many.
PY2MANY = {
    "py": "binit bitops bubble_sort built_ins byte_literals classes cls comb_sort coverage dict fib fstring gen_exp ifexp int_enum "
          "lambda loop nested_dict print rect str_enum sys_argv sys_exit walrus",
    "go": "classes exceptions fib fstring regex_methods stdlib_str sys_exit walrus",
    "cpp": "bitops classes nested_dict sys_exit",
    "d": "binit classes comb_sort",
    "nim": "comb_sort fib",
    "kt": "fib",
}
LANGUAGES = {"py": "python", "cpp": "cpp", "d": "d", "go": "go", "kt": "kotlin", "nim": "nim"}
ARGUMENTS = {"sys_argv": ["arg1"]}

# By module of camisole.
CAMISOLE_LANGUAGES = {
    "c": "c", "csharp": "csharp", "cxx": "cpp", "haskell": "haskell", "java": "java", "javascript": "javascript", "lua": "lua",
    "ocaml": "ocaml", "perl": "perl", "php": "php", "python": "python", "ruby": "ruby", "rust": "rust",
}

# From Debian, where a version of a package is replaced by the next: the programs themselves are pinned, by the first half of
# their SHA-256.
PINNED = {
    "lua": {
        "bisect.lua": "58824d564d6c9881", "cf.lua": "9461ee84cb8b6dc1", "factorial.lua": "0edd4b570544cf35",
        "fibfor.lua": "34735e769e6dd4f7", "hello.lua": "db0488bd676db53b", "sort.lua": "a359ce831d8fffdb",
        # These were written for Lua 5.1, and fail with the same words as in the bare interpreter.
        "readonly.lua": "56f0bf6aed23d4d1", "sieve.lua": "b9cb6757740a6672",
    },
    "awk": {
        "guide.awk": "24d456dfc9d59291", "histsort.awk": "f47959ed6ff07eb3", "testbits.awk": "0363852242da98a7",
        "wordfreq.awk": "ed71a76d164f3aaf", "labels.awk": "ac701b547ae749c1", "dupword.awk": "bafcec0cd059101b",
    },
    "go": {
        "helloworld.go": "c60aab2915331f83", "deferprint.go": "3306f2f34812bde5", "goprint.go": "707e00f08110b8a9",
        "print.go": "f68c785c1bbdff42", "printbig.go": "2dbd556cb54d0c98",
    },
}
FOLDERS = {"lua": LUA, "awk": GAWK / "prog", "go": GO}
MAIL = GAWK / "data" / "mail-list"


def bare(image, folder, command, stdin=None):
    """A command in the test image with nothing of Runpen around it: both streams, and the exit code."""
    done = subprocess.run(
        ["docker", "run", "--rm", "-i", "--network", "none", "-v", f"{folder}:/programs:ro", "-w", "/programs", image, *command],
        stdin=stdin or subprocess.DEVNULL, capture_output=True, timeout=120,
    )
    return done.stdout.decode(), done.stderr.decode(), done.returncode


def run(path, language, args=(), stdin=None):
    done = subprocess.run(
        [BINARY, "run", "--engine", "docker", "--cold", "--timeout", "30s", "--lang", language, str(path), "--", *args],
        stdin=stdin or subprocess.DEVNULL, capture_output=True, timeout=400,
    )
    return done.stdout.decode(), done.stderr.decode(), done.returncode


def translated(extension, case):
    """What the original prints, the translation prints."""
    args = ARGUMENTS.get(case, [])
    path = (CASES if extension == "py" else TRANSLATED) / f"{case}.{extension}"
    wanted, _, code = bare("runpen-test/python:3.13", CASES, ["python3", f"{case}.py", *args])
    assert wanted, "the original says nothing"
    said, errors, status = run(path, LANGUAGES[extension], args)
    assert (said.splitlines(), status) == (wanted.splitlines(), code), (said[-300:], errors[-300:], status, wanted[-300:], code)


def answer(module, language):
    """The program that camisole tries a language with."""
    tree = ast.parse((CAMISOLE / f"{module}.py").read_text())
    named = [node for node in ast.walk(tree) if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)]
    found = [node.value for node in named if node.targets[0].id == "reference_source"]
    with tempfile.NamedTemporaryFile("w", prefix="camisole-", suffix=".txt") as file:
        file.write(ast.literal_eval(found[0]))
        file.flush()
        said, errors, status = run(file.name, language)
    assert (said, status) == ("42\n", 0), (said, errors, status)


def pinned(language, name):
    """A program of a Debian package."""
    path = FOLDERS[language] / name
    seen = hashlib.sha256(path.read_bytes()).hexdigest()
    assert seen.startswith(PINNED[language][name]), f"{path} is not the program that was pinned: {seen}"
    with open(MAIL if language == "awk" else os.devnull) as stdin:
        said, errors, status = run(path, language, stdin=stdin)
    if language == "go":
        wanted = path.with_suffix(".out").read_text()
        assert (said + errors, status) == (wanted, 0), (said, errors, status)
        return
    command = {"lua": ["lua", name], "awk": ["awk", "-f", name]}[language]
    with open(MAIL if language == "awk" else os.devnull) as stdin:
        wanted = bare("runpen-test/scripts:13", path.parent, command, stdin)
    assert (said, errors, status) == wanted, ((said, errors, status), wanted)


def programs():
    """Name, language, and what tells it."""
    for extension, cases in PY2MANY.items():
        for case in cases.split():
            yield f"py2many {case}.{extension}", LANGUAGES[extension], (translated, extension, case)
    for module, language in CAMISOLE_LANGUAGES.items():
        yield f"camisole {module}", language, (answer, module, language)
    for language, names in PINNED.items():
        for name in names:
            yield f"debian {name}", language, (pinned, language, name)


def main():
    tally = Tally()
    chosen = [program for program in programs() if ONLY in program[0]]
    begun = time.monotonic()
    # A compiler that shares a loaded machine with two others is not what is looked at here.
    own = pathlib.Path(os.environ["RUNPEN_CONFIG"]).read_text()
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as config, concurrent.futures.ThreadPoolExecutor(3) as pool:
        config.write(f'compile-timeout = "150s"\n{own}')
        config.flush()
        os.environ["RUNPEN_CONFIG"] = config.name
        told = [(program[0], pool.submit(*program[2])) for program in chosen]
        for name, future in told:
            tally.tell(lambda: future.result(), name=name)  # noqa: B023
    languages = {language for _, language, _ in chosen}
    print(f"{len(chosen)} programs in {len(languages)} languages, {time.monotonic() - begun:.0f} s")
    if not ONLY:
        tally.tell(lambda: enough(len(chosen), len(languages)), name="there are enough programs")
    return tally.close()


def enough(count, languages):
    assert count >= 60 and languages >= 15, (count, languages)


if __name__ == "__main__":
    sys.exit(main())
