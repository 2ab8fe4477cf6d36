"""What an editor does all day."""

import os
import tempfile
import time

from client import Client, Refused, printed, span
from stories import BINARY, check_events, client, containers, equal, gone, story


@story
def initialize_is_quick():
    """Initialize is answered in a few milliseconds, engine or none."""
    times = []
    for _ in range(10):
        editor = Client(BINARY[0], environment={"DOCKER_HOST": "unix:///nowhere/docker.sock"})
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
    # Other work on the machine only ever adds to it: the best of ten is what the server takes.
    assert times[0] < 15, times


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
    editor.says(run, "name? ")
    editor.command("runpen.sendInput", {"runId": run, "text": "Ada\n"})
    editor.says(run, "hello Ada\n")
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
