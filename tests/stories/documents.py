"""Stories of documents, told to the real binary with a real engine, in the standard library alone.

    python3 tests/stories/documents.py path/to/runpen docker|embedded [--only WORD]

RUNPEN_CONFIG names the configuration with the test images. The closing line is `N passed, M failed`.
"""

import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree

sys.dont_write_bytecode = True  # nothing is written into the checkout
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lsp"))

from client import Client, Refused, printed  # noqa: E402
from pages import PAGES  # noqa: E402
from tally import Tally  # noqa: E402

BINARY, ENGINE = os.path.abspath(sys.argv[1]), sys.argv[2]
ONLY = sys.argv[4] if sys.argv[3:4] == ["--only"] else ""
FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="runpen-documents-"))
CACHE = tempfile.mkdtemp(prefix="runpen-documents-cache-")
ENVIRONMENT = dict(os.environ, XDG_CACHE_HOME=CACHE)
STORIES = []


def story(tell):
    STORIES.append(tell)
    return tell


def only(engine):
    """A story for one engine: on the other it would tell the same again."""
    return story if engine == ENGINE else lambda tell: tell


def write(name, text):
    path = FOLDER / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def runpen(*arguments, stdin=b""):
    return subprocess.run(
        [BINARY, *map(str, arguments)], input=stdin, capture_output=True, cwd=FOLDER, timeout=300, env=ENVIRONMENT
    )


def check(*arguments):
    return runpen("check", "--engine", ENGINE, *arguments)


def blocks(*arguments):
    """What `check --format json` says of each block, and the exit code."""
    done = check("--format", "json", *arguments)
    assert done.stdout, done.stderr
    return json.loads(done.stdout)["blocks"], done.returncode


def same(seen, wanted, what=""):
    assert seen == wanted, f"{what}: wanted {wanted!r}, saw {seen!r}"


def place(text, word):
    """Line and column from 1, in characters."""
    before = text[: text.index(word)]
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


@story
def every_format_has_its_errors_at_their_place_and_its_promises_written_anew():
    """13 formats: the mistake at its line and column, the old promise replaced and no other byte touched"""
    for name, text in PAGES.items():
        write(f"formats/{name}", text)
    folder = FOLDER / "formats"
    paths = [folder / name for name in PAGES]
    seen, code = blocks(*paths)
    same(code, 1, "exit code")
    for name, text in PAGES.items():
        own = [block for block in seen if block["path"].endswith(f"/{name}")]
        assert len(own) >= 2, f"{name}: {own}"
        problems = [problem for block in own for problem in block["problems"]]
        wanted = {place(text, "BAD"): "error", place(text, "OLD"): "promise"}
        found = {}
        for problem in problems:
            kind = "promise" if problem["diff"] else "error"
            column = problem["column"] if kind == "error" else place(text, "OLD")[1]
            found[(problem["line"], column)] = kind
        same(found, wanted, name + json.dumps(problems))
        assert any("BAD" in problem["message"] for problem in problems), f"{name}: {problems}"
    seen, code = blocks("--update", *paths)
    for name, text in PAGES.items():
        same((folder / name).read_text(), text.replace("OLD", "42"), name)
        statuses = [block["status"] for block in seen if block["path"].endswith(f"/{name}")]
        assert "updated" in statuses and "failed" in statuses, f"{name}: {statuses}"


@story
def a_page_that_is_true_passes_and_a_folder_is_searched():
    """exit codes 0, 1 and 2; folders, .gitignore, languages that are not known"""
    write("good/a.md", "```py\nprint('é')\n```\n```output\né\n```\n\n```klingon\nx\n```\n\n```\nplain\n```\n")
    write("good/.gitignore", "out/\n")
    write("good/out/b.md", "```py\n1/0\n```\n")
    done = check("good")
    same(done.returncode, 0, done.stdout + done.stderr)
    text = done.stdout.decode()
    assert "good/a.md:8: skipped, its language `klingon` is not known" in text, text
    assert text.endswith("1 passed, 0 failed, 2 skipped\n"), text
    for arguments, words in [
        (["none.md"], "failed to read none.md"),
        ([BINARY], "is no document of a known format"),
        (["good", "--lang", "klingon"], 'unknown language "klingon"'),
        (["good", "--format", "klingon"], "klingon"),
        ([], "required"),
    ]:
        done = check(*arguments)
        same(done.returncode, 2, f"{arguments}: {done.stderr}")
        assert words in done.stderr.decode(), done.stderr
        same(done.stderr.count(b"\n"), 1, f"one line: {done.stderr}")


@story
def consoles_are_compared_input_by_input():
    """transcripts of a shell and of Python: status, standard error, tracebacks, wildcards, state between inputs"""
    text = (
        "```console\n$ cd /tmp && x=1\n$ pwd; false\n/tmp\n$ echo $? $x\n1 1\n$ echo oops >&2\noops\n$ cat <<E\n> a\n> E\na\n```\n"
        "```py\n>>> def f(x):\n...     return x + 1\n...\n>>> f(1)\n2\n>>> f('')\nTraceback (most recent call last):\n  ...\n"
        'TypeError: can only concatenate str (not "int") to str\n>>> object()\n<object object at 0x...>\n>>> print()\n<BLANKLINE>\n```\n'
    )
    write("console.md", text)
    seen, code = blocks("console.md")
    same(code, 0, json.dumps(seen))
    same([block["status"] for block in seen], ["passed", "passed"])
    write("values.md", "```py\nx = 40  # no value\nx + 2  # => 42\nprint(x)  # => 40\n'a=>b'\n[\n  x,\n]  # => [...]\n```\n")
    seen, code = blocks("values.md")
    same(code, 0, json.dumps(seen))
    write("values.md", "```py\n1 + 1  # => 3\nprint(5)  # => 5\n```\n")
    blocks("--update", "values.md")
    same((FOLDER / "values.md").read_text(), "```py\n1 + 1  # => 2\nprint(5)  # => 5\n```\n")
    write("console.md", text.replace("\n1 1\n", "\n0 1\n").replace("\n2\n", "\n3\n"))
    seen, code = blocks("console.md")
    same([problem["line"] for block in seen for problem in block["problems"]], [6, 19], json.dumps(seen))
    blocks("--update", "console.md")
    same((FOLDER / "console.md").read_text(), text, "only what differed is written")


SESSIONS = {
    "js": ("let n = 20; console.log('noise'); console.error('noise')", "console.log(n * 2 + 2); console.error('own')"),
    "ts": ("let n: number = 20; console.log('noise'); console.error('noise')", "console.log(n * 2 + 2); console.error('own')"),
    "sh": ("n=20; echo noise; echo noise >&2", "echo $((n * 2 + 2)); echo own >&2"),
    "ruby": ("n = 20; puts 'noise'; warn 'noise'", "puts n * 2 + 2; warn 'own'"),
    "perl": ("my $n = 20; print \"noise\\n\"; warn \"noise\\n\";", "print $n * 2 + 2, \"\\n\"; warn \"own\\n\";"),
    "lua": ("n = 20; print('noise'); io.stderr:write('noise\\n')", "print(n * 2 + 2); io.stderr:write('own\\n')"),
    "r": ("n <- 20; cat('noise\\n'); message('noise')", "cat(n * 2 + 2, '\\n', sep = ''); message('own')"),
    "elixir": ("n = 20\nIO.puts('noise'); IO.puts(:stderr, 'noise')", "IO.puts(n * 2 + 2); IO.puts(:stderr, 'own')"),
    "java": ('int n = 20; System.out.println("noise"); System.err.println("noise");', 'System.out.println(n * 2 + 2); System.err.println("own");'),
    "rust": ('let n = 20; println!("noise"); eprintln!("noise");', 'println!("{}", n * 2 + 2); eprintln!("own");'),
    "c": ('#include <stdio.h>\nint n = 20; puts("noise");', 'printf("%d\\n", n * 2 + 2); fprintf(stderr, "own\\n");'),
    "cpp": ('#include <iostream>\nint n = 20; std::cout << "noise" << std::endl;', 'std::cout << n * 2 + 2 << std::endl; std::cerr << "own\\n";'),
}


@only("docker")
def promised_values_are_printed_in_every_language_that_can():
    """JavaScript, Ruby and Lua beside Python"""
    write(
        "values.md",
        "```js\nconst x = 40;\nx + 2; // => 42\n'a'.repeat(2) // => \"aa\"\nif (x) {\n  x // => a comment\n}\n```\n"
        "```rb\nx = [1]\nx.map { |y| y + 1 } # => [2]\n```\n```lua\nlocal x = 1\nx + 1 -- => 2\n```\n",
    )
    seen, _ = blocks("values.md")
    same([block["status"] for block in seen], ["failed", "passed", "passed"], json.dumps(seen))
    same([problem["line"] for problem in seen[0]["problems"]], [6], "the others are true")


@story
def an_example_of_go_has_the_imports_of_its_file():
    """those that it uses: one more would be an error"""
    write("sum.go", 'package sum\n\nimport (\n\t"fmt"\n\t"os"\n)\n\n// Sum sums.\n//\n//\tfmt.Println(42)\n//\t// Output: 42\nfunc Sum() { os.Exit(fmt.Print()) }\n')
    seen, code = blocks("sum.go")
    same(([block["status"] for block in seen], code), (["passed"], 0), json.dumps(seen))


@only("docker")
def sessions_are_told_apart_in_every_language_that_has_them():
    """Every language whose blocks build on each other shows the output of the block asked for alone."""
    wrong = []
    for label, (first, second) in SESSIONS.items():
        write("many.md", f"```{label} session=a\n{first}\n```\n\n```{label} session=a\n{second}\n```\n")
        done = runpen("run", "--engine", ENGINE, "--block", "2", "many.md")
        if (done.returncode, done.stdout, done.stderr) != (0, b"42\n", b"own\n"):
            wrong.append(f"{label}: {done.returncode} {done.stdout!r} {done.stderr!r}")
    assert not wrong, "\n".join(wrong)


@story
def blocks_of_a_session_build_on_each_other():
    """one program up to the block asked for; only its own output counts; a needed block that fails is said"""
    write(
        "session.md",
        "```py session=a name=one\nn = 20\nprint('noise')\n```\n```py session=a name=two\nn += 1\n```\n"
        "```py session=a name=three\nprint(n * 2)\n```\n```output\n42\n```\n"
        "```sh session=b\nx=1; exit 7\n```\n```sh session=b\necho $x\n```\n```output\n1\n```\n",
    )
    seen, code = blocks("session.md")
    same([block["status"] for block in seen], ["passed", "passed", "passed", "failed", "failed"], json.dumps(seen))
    assert "a block that it builds on did not end well" in seen[4]["problems"][0]["message"], seen[4]
    done = runpen("run", "--engine", ENGINE, "--block", "three", "session.md")
    same((done.stdout, done.returncode), (b"42\n", 0), done.stderr)
    done = runpen("run", "--engine", ENGINE, "--block", "4", "session.md")
    same((done.stdout, done.returncode), (b"", 7), done.stderr)
    done = runpen("run", "--engine", ENGINE, "--block", "nine", "session.md")
    same(done.returncode, 2)
    assert b"session.md has no block nine: it has 5, named one, two, three" in done.stderr, done.stderr
    skipped = "```pycon session=a\n>>> never()  # doctest: +SKIP\n```\n"
    write("session.md", f"{skipped}```pycon session=a\n>>> 40 + 2\n42\n```\n")
    seen, code = blocks("session.md")
    same(([block["status"] for block in seen], code), (["passed", "passed"], 0), json.dumps(seen))


@story
def what_a_block_says_of_itself_holds():
    """stdin, arguments, exit code, time-out, skip; what loosens the sandbox is said and not granted"""
    write(
        "says.md",
        '<!-- runpen: args="a \'b c\'" stdin="in\\n" exit=3 -->\n```py\nimport sys\nprint(sys.argv[1:], input())\nsys.exit(3)\n```\n'
        "```output\n['a', 'b c'] in\n```\n"
        "```py should_panic\n1/0\n```\n"
        "```py timeout=400ms\nimport time; time.sleep(60)\n```\n"
        "```py ignore\n1/0\n```\n"
        "```py network=bridge memory=4G privileged\nimport os, socket\nprint([name for _, name in socket.if_nameindex() if name == 'lo' or os.path.exists(f'/sys/class/net/{name}/device')])\n"
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\ntry:\n    s.connect(('192.0.2.1', 9))\n    print('reached')\nexcept OSError:\n    print('no network')\n```\n"
        "```output\n['lo']\nno network\n```\n",
    )
    begun = time.monotonic()
    seen, _ = blocks("says.md")
    assert time.monotonic() - begun < 55, "the time-out held"
    same([block["status"] for block in seen], ["passed", "passed", "failed", "skipped", "passed"], json.dumps(seen))
    assert "(timeout)" in seen[2]["problems"][0]["message"], seen[2]
    remarks = seen[4]["remarks"]
    same(len(remarks), 3, remarks)
    for remark, words in zip(remarks, ["refused: network=bridge", "refused: memory=4G", "refused: privileged"]):
        assert remark.startswith(words), remarks


@only("embedded")
def what_rustdoc_says_holds_for_every_compiled_language():
    """no_run is compiled and not run, compile_fail is refused, should_panic ends badly"""
    write(
        "compiled.md",
        "```cpp no_run\nint main() { for (;;) {} }\n```\n```cpp compile_fail\nint main() { return x; }\n```\n"
        "```cpp should_panic\n#include <cstdlib>\nint main() { std::abort(); }\n```\n```cpp no_run\nint main() { return y; }\n```\n"
        "```cpp should_panic\nint main() {}\n```\n",
    )
    seen, code = blocks("compiled.md")
    same([block["status"] for block in seen], ["passed", "passed", "passed", "failed", "failed"], json.dumps(seen))
    problem = seen[3]["problems"][0]
    same((problem["line"], problem["column"]), (12, 21), problem)
    assert "should_panic" in seen[4]["problems"][0]["message"], seen[4]


@story
def results_of_unchanged_blocks_come_from_the_cache():
    """cached, corrupt, without the cache, changed; 200 snippets where a container is cheap, 30 where it is not"""
    count = 30 if ENGINE == "docker" else 200
    text = "".join(f"```py\nprint({number})\n```\n```output\n{number}\n```\n\n" for number in range(count))
    write("many.md", text)
    begun = time.monotonic()
    seen, code = blocks("many.md")
    first = time.monotonic() - begun
    same((code, len(seen), any(block["cached"] for block in seen)), (0, count, False))
    times = []
    for _ in range(3):
        begun = time.monotonic()
        seen, code = blocks("many.md")
        times.append(time.monotonic() - begun)
        assert all(block["cached"] for block in seen) and code == 0
    print(f"      {count} snippets: {first:.2f} s, {first * 1000 / count:.1f} ms each; with everything cached {min(times):.3f} s", flush=True)
    assert min(times) * 4 < first, (first, times)
    kept = sorted(pathlib.Path(CACHE, "runpen", "check").iterdir())
    assert len(kept) >= count
    for path in kept:
        path.write_bytes(b'{"key":')
    write("many.md", "\n".join(text.split("\n")[:14]))
    seen, code = blocks("many.md")
    same((code, [block["cached"] for block in seen]), (0, [False, False]), "corrupt files are none")
    seen, _ = blocks("many.md")
    same([block["cached"] for block in seen], [True, True])
    seen, _ = blocks("--no-cache", "many.md")
    same([block["cached"] for block in seen], [False, False])
    write("many.md", text.split("\n\n")[0].replace("print(0)", "print(-1)"))
    seen, code = blocks("many.md")
    same((code, seen[0]["cached"], seen[0]["status"]), (1, False, "failed"))


@only("docker")
def a_loop_of_docker_run_is_not_faster():
    """what some blocks take against as many times `docker run --rm` of the same image; both are the daemon's own work in the main"""
    count = 8
    write("loop.md", "".join(f"```py\nprint({number})\n```\n" for number in range(count)))
    begun = time.monotonic()
    seen, code = blocks("--no-cache", "loop.md")
    ours = time.monotonic() - begun
    same((code, len(seen)), (0, count))
    image = json.loads(runpen("languages", "--json").stdout)
    image = next(language["image"] for language in image if language["name"] == "python")
    begun = time.monotonic()
    for number in range(count):
        subprocess.run(
            ["docker", "run", "--rm", "--network", "none", image, "python3", "-c", f"print({number})"],
            check=True, capture_output=True, timeout=120,
        )
    loop = time.monotonic() - begun
    print(f"      {count} blocks: {ours:.2f} s; loop of docker run: {loop:.2f} s; {loop / ours:.1f} times", flush=True)
    assert ours < 1.5 * loop, (ours, loop)


@story
def new_promises_keep_every_other_byte():
    """line ends, byte order mark, mode; a read-only page and an output that cannot be written are left alone"""
    text = "\ufeff# a \t\r\n\r\n> ```py\r\n> print('é')\r\n> print()\r\n> print(1)\r\n> ```\r\n>\r\n> ```output\r\n> OLD\r\n> ```\r\nend"
    path = write("bytes.md", text)
    path.chmod(0o640)
    done = check("--update", "bytes.md")
    same(done.returncode, 0, done.stdout)
    same(path.read_bytes().decode(), text.replace("> OLD\r\n", "> é\r\n>\r\n> 1\r\n"))
    same(path.stat().st_mode & 0o777, 0o640)
    path.write_text("```py\nprint('```')\n```\n```output\nOLD\n```\n")
    before = path.read_bytes()
    done = check("--update", "bytes.md")
    same((done.returncode, path.read_bytes()), (1, before))
    assert b"would mean something else there" in done.stdout, done.stdout
    path.write_text("```py\nprint(1)\n```\n```output\nOLD\n```\n")
    path.chmod(0o440)
    done = check("--update", "bytes.md")
    same((done.returncode, path.read_text().count("OLD")), (1, 1))
    assert b"is read-only" in done.stderr, done.stderr


@story
def bad_files_are_refused_by_a_line():
    """a pipe, 100 MB, bytes that are no text, links that lead out; the rest is checked all the same"""
    write("bad/good.md", "```py\nprint('good')\n```\n")
    write("bad/binary.md", b"\xff\xfe")
    os.mkfifo(FOLDER / "bad/pipe.md")
    with open(FOLDER / "bad/large.md", "wb") as large:
        large.truncate(100 << 20)
    (FOLDER / "bad/link.md").symlink_to("/etc/passwd")
    write("bad/e\x1b[2J.md", "```py\n1/0\n```\n")
    done = check("bad")
    same(done.returncode, 1)
    same(len(done.stderr.splitlines()), 3, done.stderr)
    assert b"\x1b" not in done.stdout + done.stderr, done
    assert done.stdout.endswith(b"1 passed, 1 failed, 0 skipped\n"), done.stdout
    for name, words in [("pipe.md", b"is not a regular file"), ("large.md", b"is larger than 8M"), ("binary.md", b"UTF-8")]:
        done = check(f"bad/{name}")
        same(done.returncode, 2)
        assert words in done.stderr, done.stderr


@story
def differences_are_written_for_machines():
    """JUnit and GitHub's annotations, with output that tries to break out of them"""
    write("machine.md", "```py\nprint(']]></failure><x>\\n::error::evil\\x1b[2J')\n```\n```output\nOLD\n```\n")
    done = check("--format", "junit", "machine.md")
    root = xml.etree.ElementTree.fromstring(done.stdout)
    same((root.attrib["failures"], len(root.findall(".//failure"))), ("1", 1), done.stdout)
    done = check("--format", "github", "machine.md")
    lines = done.stdout.decode().splitlines()
    same(len(lines), 2, lines)
    assert lines[0].startswith("::error file=machine.md,line=5,"), lines
    done = check("machine.md")
    assert b"\x1b" not in done.stdout and b"      5 - OLD" in done.stdout, done.stdout


@story
def a_check_shows_its_progress_from_the_start_and_can_be_stopped():
    """0 % on a terminal before anything has run; an interrupt ends it with 130 and writes nothing"""
    path = write("slow.md", "```py\nprint(1)\n```\n```output\nOLD\n```\n```py\nimport time; time.sleep(9)\n```\n" * 3)
    before = path.read_bytes()
    terminal, screen = os.openpty()
    command = [BINARY, "check", "--engine", ENGINE, "--update", "--no-cache", "--jobs", "1", "slow.md"]
    # A machine without a person has no kind of terminal set, and nothing is drawn on one that is not known.
    env = dict(ENVIRONMENT, TERM="xterm")
    running = subprocess.Popen(command, cwd=FOLDER, env=env, stderr=screen, stdout=subprocess.PIPE)
    os.close(screen)
    seen = b""
    while b" 0 %" not in seen:
        piece = os.read(terminal, 4096)
        assert piece, seen
        seen += piece
    status = pathlib.Path(f"/proc/{running.pid}/status")
    deadline = time.monotonic() + 60
    # Until it listens for the signal.
    while not int(status.read_text().split("SigCgt:")[1].split()[0], 16) & 1 << signal.SIGINT - 1:
        assert time.monotonic() < deadline, "it never listens"
        time.sleep(0.01)
    running.send_signal(signal.SIGINT)
    while True:
        try:
            piece = os.read(terminal, 4096)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        seen += piece
    same(running.wait(60), 130, seen)
    assert b"stopped; nothing was written" in seen, seen
    same((running.stdout.read(), path.read_bytes()), (b"", before))
    running.stdout.close()
    os.close(terminal)


def editor():
    client = Client(BINARY, environment={"XDG_CACHE_HOME": CACHE}, capabilities={
        "workspace": {"workspaceEdit": {"documentChanges": True}},
        "textDocument": {"codeAction": {"codeActionLiteralSupport": {"codeActionKind": {"valueSet": []}}}},
    })
    client.initialize(initializationOptions={"engine": ENGINE})
    return client


@story
def an_editor_sees_errors_promises_and_fixes_at_their_place():
    """runBlock, runAllBlocks, right-to-left text and astral characters, the fix"""
    client, uri = editor(), "file:///work/page.md"
    text = "> - ```py\n>   s = 'שלום😀'; bad\n>   ```\n>\n>   ```py\n>   print(1)\n>   ```\n>\n>   ```output\n>   OLD\n>   ```\n"
    client.open(uri, "markdown", text)
    lenses = client.request("textDocument/codeLens", {"textDocument": {"uri": uri}})
    same([lens["command"]["title"] for lens in lenses], ["▶ Run", "▶ Run all blocks", "▶ Run"])
    same(client.command("runpen.status")["runs"], [], "opening runs nothing")
    events = client.events(client.command("runpen.runBlock", {"uri": uri, "position": {"line": 1, "character": 0}})["runId"])
    error = events[-1]["diagnostics"][0]
    # UTF-16: the emoji is two.
    column = len(text.split("\n")[1].split("bad")[0]) + 1
    same(error["range"], {"start": {"line": 1, "character": column}, "end": {"line": 1, "character": column + 3}}, error)
    answer = client.command("runpen.runAllBlocks", {"uri": uri, "wait": True})
    same([end["outcome"] for end in answer["finished"]], ["exited", "exited"])
    same(answer["finished"][1]["stdout"], "1\n")
    at = {"start": {"line": 9, "character": 0}, "end": {"line": 9, "character": 0}}
    params = {"textDocument": {"uri": uri}, "range": at, "context": {"diagnostics": []}}
    fixes = [action for action in client.request("textDocument/codeAction", params) if "edit" in action]
    same([fix["title"] for fix in fixes], ["Update the expected output"])
    same(fixes[0]["edit"]["documentChanges"][0]["edits"][0]["newText"], ">   1")
    same(client.leave(), 0)


@only("embedded")
def a_page_of_a_hundred_megabytes_is_refused_and_the_server_lives():
    """one clear line, and the next page runs"""
    client, uri = editor(), "file:///work/large.md"
    client.open(uri, "markdown", "```py\nprint(1)\n```\n" * (100 * 1024 * 1024 // 18))
    argument = {"uri": uri, "position": {"line": 1, "character": 0}}
    try:
        asked = client.ask("workspace/executeCommand", {"command": "runpen.runBlock", "arguments": [argument]})
        client.answer(asked, patience=300)
        raise AssertionError("a hundred megabytes were taken")
    except Refused as refused:
        assert "is larger than 8 MiB" in refused.message, refused.message
    client.open("file:///work/small.md", "markdown", "```py\nprint(1)\n```\n")
    argument["uri"] = "file:///work/small.md"
    same(printed(client.run("runpen.runBlock", **argument)), "1\n")
    same(client.leave(), 0)


@story
def a_thousand_fences_have_lenses_after_an_edit():
    """against a bare start of Python, which takes 11 ms where the target of 20 ms was set"""
    client, uri = editor(), "file:///work/thousand.md"
    client.open(uri, "markdown", "".join(f"## {n}\n\n```py\nprint({n})\n```\n\nwords\n\n" for n in range(1000)))
    bare, ours = [], []
    for version in range(2, 17):
        begun = time.perf_counter()
        subprocess.run(["/usr/bin/python3", "-c", "pass"], check=True)
        bare.append(time.perf_counter() - begun)
        client.change(uri, version, (6, 0), (6, 0), "x")
        begun = time.perf_counter()
        lenses = client.request("textDocument/codeLens", {"textDocument": {"uri": uri}})
        ours.append(time.perf_counter() - begun)
        same(len(lenses), 1001)
    line = f"1,000 lenses: {min(ours) * 1000:.1f} ms (median {statistics.median(ours) * 1000:.1f}); a start of Python: {min(bare) * 1000:.1f} ms"
    print(f"      {line}", flush=True)
    assert min(ours) < 6 * min(bare), line
    same(client.leave(), 0)


def main():
    tally = Tally()
    for tell in STORIES:
        if ONLY in tell.__name__ or ONLY in tell.__doc__:
            tally.tell(tell)
    for folder in FOLDER, CACHE:
        shutil.rmtree(folder)
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
