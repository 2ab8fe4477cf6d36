#!/usr/bin/env python3
"""A scripted editor against the real binary and a real engine.

    RUNPEN_CONFIG=... python3 tests/lsp/scripted.py path/to/runpen [STORY...]

Opens documents, runs files and selections of the six languages, breaks every rule that an editor can break. The closing line
is `N passed, M failed`; the exit code is 1 when something failed. Nothing here is built on the project's own code.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback

from client import Client, Refused, printed, span

BINARY = ""
CAPABILITIES = {
    "window": {"workDoneProgress": True},
    "workspace": {"configuration": True, "codeLens": {"refreshSupport": True}, "inlayHint": {"refreshSupport": True}},
    "textDocument": {"publishDiagnostics": {"relatedInformation": True, "versionSupport": True}},
}
STORIES = []


def story(function):
    STORIES.append((function.__name__, function))
    return function


def equal(seen, wanted, what=""):
    assert seen == wanted, f"{what}: wanted {wanted!r}, saw {seen!r}"


def client(**more):
    editor = Client(BINARY, capabilities=CAPABILITIES, **more)
    editor.initialize()
    return editor


def check_events(events, outcome="exited"):
    """Order, numbers, and one end."""
    names = [event["event"] for event in events]
    equal(names[0], "started", "first event")
    equal(names.count("started"), 1, "started")
    equal(names.count("finished"), 1, "finished")
    equal(names[-1], "finished", "last event")
    equal([e["seq"] for e in events if e["event"] == "output"], list(range(names.count("output"))), "seq")
    open_phase, order = None, []
    for event in events:
        if event["event"] == "phase":
            if event["state"] == "begin":
                equal(open_phase, None, "a phase begins in another")
                open_phase = event["phase"]
                order.append(open_phase)
            else:
                equal(event["phase"], open_phase, "the phase that ends")
                assert event["wallMs"] >= 0
                open_phase = None
        if event["event"] == "output":
            assert open_phase in ("compile", "run"), "output outside of a phase"
    equal(open_phase, None, "a phase without an end")
    equal(order, [p for p in ("pull", "compile", "run") if p in order], "order of phases")
    equal(events[-1]["outcome"], outcome, "outcome")
    return order


# Each language: a file that works, a file whose second line of code is wrong, a selection, what they print.
# `wrong` is the word that the diagnostic must stand on; a line alone is asked for where the tool knows no more.
LANGUAGES = {
    "python": {
        "id": "python",
        "name": "hello.py",
        "compiled": False,
        "file": "import math\nprint('file', math.floor(6.5) * 7)\n",
        "prints": "file 42\n",
        "broken": "def f():\n    é = 1\n    return é / 0\n\nf()\n",
        "wrong": (2, 11, 16),
        "outcome": "exited",
        "selection": "import math\n\ndef main():\n    x = math.floor(6.9)\n    print('selection', x)\n",
        "range": ((3, 0), (5, 0)),
        "selected": "selection 6\n",
    },
    "javascript": {
        "id": "javascript",
        "name": "hello.js",
        "compiled": False,
        "file": "const os = require('os');\nconsole.log('file', 6 * 7, typeof os.EOL);\n",
        "prints": "file 42 string\n",
        "broken": "function f() {\n  return missing + 1;\n}\nf();\n",
        "wrong": (1, 9, 16),
        "outcome": "exited",
        "selection": "const path = require('path');\n\nfunction main() {\n    const x = path.basename('/a/b');\n    console.log('selection', x);\n}\n",
        "range": ((3, 0), (5, 0)),
        "selected": "selection b\n",
    },
    "java": {
        "id": "java",
        "name": "Hello.java",
        "compiled": True,
        "file": "public class Hello {\n    public static void main(String[] args) {\n        System.out.println(\"file \" + 6 * 7);\n    }\n}\n",
        "prints": "file 42\n",
        "broken": "public class Hello {\n    public static void main(String[] args) {\n\tint x = missing;\n    }\n}\n",
        "wrong": (2, 9, 16),
        "outcome": "compile_failed",
        "selection": "import java.util.List;\n\nclass Hello {\n    void f() {\n        int x = List.of(1, 2).size();\n        System.out.println(\"selection \" + x);\n    }\n}\n",
        "range": ((4, 0), (6, 0)),
        "selected": "selection 2\n",
    },
    "cpp": {
        "id": "cpp",
        "name": "hello.cpp",
        "compiled": True,
        "file": "#include <iostream>\nint main() { std::cout << \"file \" << 6 * 7 << std::endl; }\n",
        "prints": "file 42\n",
        "broken": "#include <iostream>\nint main() {\n\tint x = missing;\n}\n",
        "wrong": (2, 9, 16),
        "outcome": "compile_failed",
        "selection": "#include <iostream>\n\nvoid f() {\n    int x = 6;\n    std::cout << \"selection \" << x << std::endl;\n}\n",
        "range": ((3, 0), (5, 0)),
        "selected": "selection 6\n",
    },
    "go": {
        "id": "go",
        "name": "hello.go",
        "compiled": True,
        "file": "package main\n\nimport \"fmt\"\n\nfunc main() {\n\tfmt.Println(\"file\", 6*7)\n}\n",
        "prints": "file 42\n",
        "broken": "package main\n\nimport \"fmt\"\n\nfunc main() {\n\tfmt.Println(missing)\n}\n",
        "wrong": (5, 13, 20),
        "outcome": "compile_failed",
        "selection": "package main\n\nimport \"fmt\"\n\nfunc f() {\n\tx := 6\n\tfmt.Println(\"selection\", x)\n}\n",
        "range": ((5, 0), (7, 0)),
        "selected": "selection 6\n",
    },
    "shell": {
        "id": "shellscript",
        "name": "hello.sh",
        "compiled": False,
        "file": "echo file $((6 * 7))\n",
        "prints": "file 42\n",
        "broken": "echo start\nmissing_command --now\nexit 3\n",
        "wrong": (1, None, None),
        "outcome": "exited",
        "selection": "if true; then\n    x=6\n    echo selection $x\nfi\n",
        "range": ((1, 0), (3, 0)),
        "selected": "selection 6\n",
    },
}


def language_story(language):
    row = LANGUAGES[language]

    def tell():
        editor = client()
        uri = f"file:///work/{row['name']}"
        editor.open(uri, row["id"], row["file"])
        events = editor.run("runpen.runFile", uri=uri)
        order = check_events(events)
        equal([p for p in order if p != "pull"], ["compile", "run"] if row["compiled"] else ["run"], "phases")
        equal(events[0]["uri"], uri, "uri")
        equal(events[0]["language"], language, "language")
        equal(printed(events), row["prints"], "output of the file")
        equal(events[-1].get("exitCode"), 0, "exit code")
        equal(events[-1]["diagnostics"], [], "diagnostics of a file that works")
        receipt = events[-1]["sandbox"]
        assert receipt["engine"] and receipt["controls"], "the receipt"
        usage = events[-1]["phases"][-1]
        assert usage["name"] == "run" and usage["wallMs"] > 0, usage

        # A file with a mistake, opened again: the diagnostic stands on the word, with the version.
        editor.open(uri, row["id"], row["broken"], version=7)
        place = len(editor.log)
        events = editor.run("runpen.runFile", uri=uri)
        if row["outcome"] == "compile_failed":
            equal(events[-1]["outcome"], "compile_failed", "outcome")
            assert events[-1]["exitCode"] != 0
        else:
            check_events(events, row["outcome"])
            assert events[-1]["exitCode"] != 0
        line, start, end = row["wrong"]
        published, _ = editor.wait(
            lambda m: m.get("method") == "textDocument/publishDiagnostics" and m["params"]["diagnostics"], place
        )
        equal((published["params"]["uri"], published["params"]["version"]), (uri, 7), "where it is published")
        errors = [d for d in published["params"]["diagnostics"] if d["severity"] == 1]
        at_line = [d for d in errors if d["range"]["start"]["line"] == line]
        assert at_line, f"no error at line {line}: {errors}"
        if start is not None:
            assert span((line, start), (line, end)) in [d["range"] for d in at_line], f"wanted {start}-{end}: {at_line}"
        equal(len(events[-1]["diagnostics"]) >= len(errors), True, "finished has the diagnostics too")

        # An edit above moves it; the next run takes it away.
        place = len(editor.log)
        editor.change(uri, 8, (0, 0), (0, 0), "\n")
        moved, _ = editor.wait(lambda m: m.get("method") == "textDocument/publishDiagnostics", place)
        lines = [d["range"]["start"]["line"] for d in moved["params"]["diagnostics"] if d["severity"] == 1]
        assert line + 1 in lines and moved["params"]["version"] == 8, moved["params"]

        editor.open(uri, row["id"], row["selection"], version=9)
        start, end = row["range"]
        events = editor.run("runpen.runSelection", uri=uri, range=span(start, end))
        check_events(events)
        equal(events[0]["range"], span(start, end), "range")
        equal(printed(events), row["selected"], "output of the selection")
        equal(events[-1].get("exitCode"), 0, "exit code of the selection")
        equal(editor.notifications("textDocument/publishDiagnostics")[-1]["diagnostics"], [], "what is left")
        equal(editor.leave(), 0, "exit code of the server")

    tell.__doc__ = f"{language}: a file, a mistake, a selection"
    return tell


for _name in LANGUAGES:
    STORIES.append((_name, language_story(_name)))


@story
def initialize_is_quick():
    """Initialize is answered in a few milliseconds, engine or none."""
    times = []
    for _ in range(10):
        editor = Client(BINARY, environment={"DOCKER_HOST": "unix:///nowhere/docker.sock"})
        # The process must be up, which is not what is measured.
        deadline = time.monotonic() + 5
        while not os.path.exists(f"/proc/{editor.process.pid}/exe") and time.monotonic() < deadline:
            time.sleep(0.001)
        begin = time.monotonic()
        answer = editor.initialize()
        times.append((time.monotonic() - begin) * 1000)
        equal(answer["serverInfo"]["name"], "runpen", "name")
        equal(editor.leave(), 0, "exit code")
    times.sort()
    print(f"      initialize, process start included: median {times[5]:.1f} ms, worst {times[-1]:.1f} ms")
    assert times[5] < 15, times


@story
def unsaved_text_runs():
    """The editor's text runs, not the disk's; a document that was never opened is read."""
    editor = client()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "some file.py")
        with open(path, "w", encoding="utf-8") as file:
            file.write("print('disk')\n")
        uri = "file://" + path.replace(" ", "%20")
        equal(printed(editor.run("runpen.runFile", uri=uri)), "disk\n", "never opened")
        editor.open(uri, "python", "print('disk')\n")
        editor.change(uri, 2, (0, 7), (0, 11), "unsaved 😀")
        # Counted in UTF-16: the emoji is two.
        editor.change(uri, 3, (0, 17), (0, 17), "!")
        equal(printed(editor.run("runpen.runFile", uri=uri)), "unsaved 😀!\n", "unsaved")
    equal(editor.leave(), 0, "exit code")


@story
def who_waits_gets_everything():
    """`wait: true` answers with the end and all output; arguments and input reach the program."""
    editor = client()
    uri = "file:///work/wait.py"
    editor.open(uri, "python", "import sys\nprint(sys.argv[1:], input())\nprint('bad', file=sys.stderr)\nsys.exit(4)\n")
    answer = editor.command("runpen.runFile", {"uri": uri, "wait": True, "args": ["a b", "ü"], "stdin": "line\n"})
    equal((answer["outcome"], answer["exitCode"]), ("exited", 4), "end")
    equal((answer["stdout"], answer["stderr"]), ("['a b', 'ü'] line\n", "bad\n"), "output")
    equal(editor.leave(), 0, "exit code")


@story
def input_is_interactive():
    """A program is answered while it runs."""
    editor = client()
    uri = "file:///work/ask.py"
    editor.open(uri, "python", "name = input('name? ')\nprint('hello', name)\nimport sys\nprint(len(sys.stdin.read()))\n")
    run = editor.command("runpen.runFile", {"uri": uri})["runId"]
    editor.wait(lambda m: m.get("method") == "runpen/output" and "name?" in m["params"]["text"])
    editor.command("runpen.sendInput", {"runId": run, "text": "Ada\n"})
    editor.wait(lambda m: m.get("method") == "runpen/output" and "hello Ada" in m["params"]["text"])
    editor.command("runpen.sendInput", {"runId": run, "text": "12345", "eof": True})
    events = editor.events(run)
    check_events(events)
    assert printed(events).endswith("5\n"), printed(events)
    equal(editor.leave(), 0, "exit code")


@story
def cancelling_works():
    """A command, a progress button and `$/cancelRequest` each stop a run, quickly."""
    editor = client()
    uri = "file:///work/hang.py"
    editor.open(uri, "python", "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up')\ntime.sleep(60)\n")

    def started():
        run = editor.command("runpen.runFile", {"uri": uri})["runId"]
        editor.wait(lambda m: m.get("method") == "runpen/output" and m["params"]["runId"] == run)
        return run

    run = started()
    begin = time.monotonic()
    editor.command("runpen.cancel", {"runId": run})
    check_events(editor.events(run), "cancelled")
    assert time.monotonic() - begin < 3, "cancelling took too long"

    run = started()
    token = [p["token"] for p in editor.notifications("$/progress")][-1]
    editor.notify("window/workDoneProgress/cancel", {"token": token})
    check_events(editor.events(run), "cancelled")
    editor.wait(
        lambda m: m.get("method") == "$/progress" and m["params"]["token"] == token and m["params"]["value"]["kind"] == "end"
    )

    place = len(editor.log)
    request = editor.ask("workspace/executeCommand", {"command": "runpen.runFile", "arguments": [{"uri": uri, "wait": True}]})
    output, _ = editor.wait(lambda m: m.get("method") == "runpen/output", place)
    editor.notify("$/cancelRequest", {"id": request})
    try:
        editor.answer(request)
        raise AssertionError("a cancelled request was answered")
    except Refused as refusal:
        equal(refusal.code, -32800, "code")
    check_events(editor.events(output["params"]["runId"]), "cancelled")
    equal(editor.leave(), 0, "exit code")


@story
def broken_limits_are_diagnosed():
    """Time and output: outcome, kept output, and a diagnostic at what was run."""
    editor = client()
    uri = "file:///work/limits.py"
    text = "# a comment\nprint('before', flush=True)\nwhile True:\n    pass\n"
    editor.open(uri, "python", text)
    events = editor.run("runpen.runFile", uri=uri)
    check_events(events, "timed_out")
    equal(printed(events), "before\n", "what it printed")
    equal([d["code"] for d in events[-1]["diagnostics"]], ["timed_out"], "code")
    editor.open(uri, "python", "while True:\n    print('x' * 1000)\n", 2)
    events = editor.run("runpen.runFile", uri=uri)
    check_events(events, "output_limit")
    equal((len(printed(events)), events[-1]["truncated"]), (1 << 20, True), "what is kept")
    editor.open(uri, "python", "x = 1\nwhile True:\n    x = [x, bytearray(1 << 20)]\n", 3)
    events = editor.run("runpen.runSelection", uri=uri, range=span((0, 0), (3, 0)))
    check_events(events, "out_of_memory")
    published = editor.notifications("textDocument/publishDiagnostics")[-1]["diagnostics"]
    assert "out_of_memory" in [d.get("code") for d in published], published
    equal(editor.leave(), 0, "exit code")


@story
def a_plain_client_sees_everything():
    """Lens, action, hint and hover."""
    editor = client()
    uri = "file:///work/plain.py"
    editor.open(uri, "python", "print('```')\nprint(42)\n")
    document = {"textDocument": {"uri": uri}}
    lens = editor.request("textDocument/codeLens", document)[0]["command"]
    equal(lens["title"], "▶ Run in sandbox", "lens")
    action = editor.request("textDocument/codeAction", {**document, "range": span((1, 0), (1, 9)), "context": {"diagnostics": []}})
    equal([a["title"] for a in action], ["Run selection in sandbox", "Run file in sandbox"], "actions")
    answer = editor.request("workspace/executeCommand", {"command": lens["command"], "arguments": lens["arguments"]})
    editor.events(answer["runId"])
    hints = editor.request("textDocument/inlayHint", {**document, "range": span((0, 0), (9, 0))})
    equal(hints[0]["position"], {"line": 0, "character": 12}, "hint")
    assert hints[0]["label"].startswith("✓ "), hints
    hover = editor.request("textDocument/hover", {**document, "position": {"line": 0, "character": 1}})
    assert "````text\n```\n42\n````" in hover["contents"]["value"], hover
    editor.command("runpen.clear", {"uri": uri})
    equal(editor.request("textDocument/inlayHint", {**document, "range": span((0, 0), (9, 0))}), [], "after clear")
    equal(editor.notifications("window/showMessage"), [], "pop-ups")
    equal(editor.leave(), 0, "exit code")


@story
def bad_input_is_refused_with_a_line():
    """Every mistake gives one clear line, and the next run works."""
    editor = client()
    uri = "file:///work/good.py"
    editor.open(uri, "python", "print(1)\n")
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "binary.py"), "wb") as file:
            file.write(bytes(range(256)))
        with open(os.path.join(folder, "huge.py"), "wb") as file:
            file.truncate(50 << 20)
        open(os.path.join(folder, "empty.py"), "wb").close()
        with open(os.path.join(folder, "noextension"), "w", encoding="ascii") as file:
            file.write("print(1)\n")
        os.mkfifo(os.path.join(folder, "pipe.py"))
        files = ["missing.py", "", "binary.py", "huge.py", "empty.py", "noextension", "pipe.py"]
        wrong = [
            ("runpen.nothing", []),
            ("runpen.runFile", []),
            ("runpen.runFile", ["file:///a.py"]),
            ("runpen.runFile", [{"uri": 5}]),
            ("runpen.runFile", [{"uri": "no uri at all"}]),
            ("runpen.runFile", [{"uri": uri, "args": 3}]),
            ("runpen.runSelection", [{"uri": uri}]),
            ("runpen.runSelection", [{"uri": uri, "range": span((50, 0), (51, 0))}]),
            ("runpen.runSelection", [{"uri": uri, "range": span((1, 0), (0, 0))}]),
            ("runpen.sendInput", [{"runId": "none", "text": "x"}]),
            ("runpen.cancel", [{"runId": []}]),
        ] + [("runpen.runFile", [{"uri": f"file://{folder}/{name}"}]) for name in files]
        for command, arguments in wrong:
            try:
                answer = editor.command(command, *arguments)
                raise AssertionError(f"{command} {arguments} was answered with {answer}")
            except Refused as refusal:
                equal(refusal.code, -32602, f"{command} {arguments}")
                assert refusal.message and "\n" not in refusal.message, refusal.message
    equal(printed(editor.run("runpen.runFile", uri=uri)), "1\n", "the next run")
    equal(editor.leave(), 0, "exit code")


@story
def malformed_messages_are_survived():
    """Malformed JSON-RPC is answered, and the next request works."""
    editor = client()
    for data, code in [
        (b"Content-Length: 9\r\n\r\n{\"jsonrpc", -32700),
        (b"Content-Length: 3\r\n\r\n\xff\xfe\xfd", -32700),
        (b"Content-Length: 2\r\n\r\n[]", -32600),
        (b"garbage\r\n", -32700),
        (b"Content-Length: 31\r\n\r\n{\"jsonrpc\": \"2.0\", \"id\": [1, 2]}"[:53], -32600),
    ]:
        place = len(editor.log)
        editor.raw(data)
        refusal, _ = editor.wait(lambda m: "error" in m, place)
        equal(refusal["error"]["code"], code, repr(data))
    editor.open("file:///work/after.py", "python", "print(1)\n")
    equal(printed(editor.run("runpen.runFile", uri="file:///work/after.py")), "1\n", "the next run")
    equal(editor.leave(), 0, "exit code")


def containers():
    """Names of our containers, where there is a Docker to ask."""
    command = ["docker", "ps", "--all", "--format", "{{.Names}}"]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return set()
    return set(listed.stdout.split())


def gone(before, patience=20):
    """Waits until there are no containers but those from before."""
    deadline = time.monotonic() + patience
    while containers() - before:
        assert time.monotonic() < deadline, f"left: {containers() - before}"
        time.sleep(0.2)


def busy_editor():
    editor = client()
    uri = "file:///work/busy.py"
    editor.open(uri, "python", "import time\nprint('up', flush=True)\ntime.sleep(60)\n")
    run = editor.command("runpen.runFile", {"uri": uri})["runId"]
    editor.wait(lambda m: m.get("method") == "runpen/output" and m["params"]["runId"] == run)
    return editor


@story
def ends_leave_nothing():
    """Closed stdin, exit without shutdown, SIGTERM: the server ends with 1 and removes its containers."""
    before = containers()
    for end in ("close", "exit", "terminate"):
        editor = busy_editor()
        if end == "close":
            editor.process.stdin.close()
        elif end == "exit":
            editor.notify("exit")
        else:
            editor.process.terminate()
        equal(editor.process.wait(20), 1, f"exit code after {end}")
        gone(before)


@story
def a_killed_editor_leaves_nothing():
    """An editor killed with SIGKILL takes its server and its containers with it."""
    before = containers()
    script = (
        "import sys, time; sys.path.insert(0, sys.argv[1]); import scripted; scripted.BINARY = sys.argv[2]\n"
        "editor = scripted.busy_editor(); print(editor.process.pid, flush=True); time.sleep(600)"
    )
    editor = subprocess.Popen(
        [sys.executable, "-c", script, os.path.dirname(os.path.abspath(__file__)), BINARY], stdout=subprocess.PIPE
    )
    server = int(editor.stdout.readline())
    editor.send_signal(signal.SIGKILL)
    editor.wait()
    editor.stdout.close()
    deadline = time.monotonic() + 20
    while os.path.exists(f"/proc/{server}") and open(f"/proc/{server}/stat", encoding="ascii").read().split(")")[1].split()[0] != "Z":
        assert time.monotonic() < deadline, "the server outlives its editor"
        time.sleep(0.1)
    gone(before)


@story
def two_runs_of_one_file():
    """Two runs of the same file at once are two runs."""
    editor = client()
    uri = "file:///work/twice.py"
    editor.open(uri, "python", "print(input())\n")
    first, second = (editor.command("runpen.runFile", {"uri": uri})["runId"] for _ in range(2))
    assert first != second
    editor.command("runpen.sendInput", {"runId": second, "text": "two\n"})
    equal(printed(editor.events(second)), "two\n", "second")
    editor.command("runpen.sendInput", {"runId": first, "text": "one\n"})
    equal(printed(editor.events(first)), "one\n", "first")
    equal(editor.leave(), 0, "exit code")


@story
def twenty_runs_at_once():
    """Twenty runs at once all end rightly."""
    before = containers()
    editor = client()
    for number in range(20):
        editor.open(f"file:///work/many{number}.sh", "shellscript", f"echo {number}; exit {number}\n")
    runs = [editor.command("runpen.runFile", {"uri": f"file:///work/many{number}.sh"})["runId"] for number in range(20)]
    for number, run in enumerate(runs):
        events = editor.events(run, 120)
        check_events(events)
        equal((printed(events), events[-1]["exitCode"]), (f"{number}\n", number), "output and exit code")
    equal(editor.leave(), 0, "exit code")
    gone(before)


@story
def a_flood_keeps_memory_flat():
    """A flood of output, read slowly or not at all: the server stays below 60 MB and answers."""
    editor = client()
    uri = "file:///work/flood.sh"
    editor.open(uri, "shellscript", "while :; do echo 0123456789012345678901234567890123456789012345678901234567890; done\n")
    # Not a byte is read while five floods run, and a document is edited meanwhile.
    editor.reading.clear()
    runs = []
    for number in range(5):
        runs.append(editor.ask("workspace/executeCommand", {"command": "runpen.runFile", "arguments": [{"uri": uri}]}))
    editor.open("file:///work/quick.sh", "shellscript", "echo 1\n")
    for version in range(2, 500):
        editor.change("file:///work/quick.sh", version, (0, 5), (0, 6), str(version % 10))
    quick = editor.ask("workspace/executeCommand", {"command": "runpen.runFile", "arguments": [{"uri": "file:///work/quick.sh"}]})
    time.sleep(4)
    editor.reading.set()
    for number in runs:
        events = editor.events(editor.answer(number)["runId"])
        assert events[-1]["outcome"] in ("output_limit", "timed_out"), events[-1]
        if events[-1]["outcome"] == "output_limit":
            equal(len(printed(events)), 1 << 20, "what is kept")
        check_events(events, events[-1]["outcome"])
    equal(printed(editor.events(editor.answer(quick)["runId"])), f"{499 % 10}\n", "the quick one")
    # And one flood after the other, read at full speed.
    for _ in range(10):
        events = editor.run("runpen.runFile", uri=uri)
        check_events(events, "output_limit")
    now, peak = editor.resident()
    print(f"      memory of the server: {now:.1f} MiB now, {peak:.1f} MiB at its peak")
    assert peak < 60, f"{peak:.1f} MiB"
    equal(editor.leave(), 0, "exit code")


@story
def no_engine_is_said_in_one_line():
    """No engine: the run fails with a line that says what was tried; a diagnostic shows it; the server goes on."""
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as config:
        config.write('engine = "docker"\n')
        config.flush()
        editor = client(environment={"DOCKER_HOST": "unix:///nowhere/docker.sock", "RUNPEN_CONFIG": config.name})
        uri = "file:///work/none.py"
        editor.open(uri, "python", "\nprint(1)\n")
        for _ in range(2):
            events = editor.run("runpen.runFile", uri=uri)
            equal([e["event"] for e in events], ["finished"], "events")
            equal(events[-1]["outcome"], "engine_failure", "outcome")
            assert "/nowhere/docker.sock" in events[-1]["error"] and "\n" not in events[-1]["error"], events[-1]["error"]
        published = editor.notifications("textDocument/publishDiagnostics")[-1]["diagnostics"]
        equal(published[0]["range"]["start"], {"line": 1, "character": 0}, "diagnostic")
        status = editor.command("runpen.status", {})
        assert "engine" not in status and "/nowhere/docker.sock" in status["error"], status
        equal(editor.leave(), 0, "exit code")


def main():
    global BINARY
    if len(sys.argv) < 2:
        print(__doc__)
        return 2
    BINARY = os.path.abspath(sys.argv[1])
    wanted = sys.argv[2:]
    known = [name for name, _ in STORIES]
    unknown = [name for name in wanted if name not in known]
    if unknown:
        print(f"no story {', '.join(unknown)}; there are {', '.join(known)}")
        return 2
    passed = failed = 0
    for name, tell in STORIES:
        if wanted and name not in wanted:
            continue
        begin = time.monotonic()
        try:
            tell()
            passed += 1
            print(f"ok    {name}: {tell.__doc__} ({time.monotonic() - begin:.1f} s)", flush=True)
        except Exception:  # whatever it is, the other stories are told
            failed += 1
            print(f"FAIL  {name}: {tell.__doc__}", flush=True)
            traceback.print_exc(limit=-3, file=sys.stdout)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
