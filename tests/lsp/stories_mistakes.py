"""What an editor must not do, and what may happen to it."""

import os
import signal
import subprocess
import sys
import tempfile
import time

from client import Refused, printed, span
from stories import BINARY, busy_editor, client, containers, equal, gone, story


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
        (b"Content-Length: 24\r\n\r\n{\"jsonrpc\":\"2.0\",\"id\":5}", -32600),
    ]:
        place = len(editor.log)
        editor.raw(data)
        refusal, _ = editor.wait(lambda m: "error" in m, place)
        equal(refusal["error"]["code"], code, repr(data))
    editor.open("file:///work/after.py", "python", "print(1)\n")
    equal(printed(editor.run("runpen.runFile", uri="file:///work/after.py")), "1\n", "the next run")
    equal(editor.leave(), 0, "exit code")


@story
def ends_leave_nothing():
    """Closed stdin, exit without shutdown, SIGTERM, SIGHUP: the server ends with 1 and removes its containers."""
    before = containers()
    for end in ("close", "exit", "terminate", "hangup"):
        editor = busy_editor()
        if end == "close":
            editor.process.stdin.close()
        elif end == "exit":
            editor.notify("exit")
        else:
            editor.process.send_signal(signal.SIGTERM if end == "terminate" else signal.SIGHUP)
        equal(editor.process.wait(20), 1, f"exit code after {end}")
        gone(before)


@story
def a_killed_editor_leaves_nothing():
    """An editor killed with SIGKILL takes its server and its containers with it."""
    before = containers()
    script = (
        "import sys, time; sys.dont_write_bytecode = True; sys.path.insert(0, sys.argv[1]); import stories; stories.BINARY[0] = sys.argv[2]\n"
        "editor = stories.busy_editor(); print(editor.process.pid, flush=True); time.sleep(600)"
    )
    editor = subprocess.Popen(
        [sys.executable, "-c", script, os.path.dirname(os.path.abspath(__file__)), BINARY[0]], stdout=subprocess.PIPE
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
