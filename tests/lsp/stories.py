"""What stories have in common: an editor, the checks that every run must pass, the list of all stories."""

import subprocess
import time

from client import Client

BINARY = [""]
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
    editor = Client(BINARY[0], capabilities=CAPABILITIES, **more)
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


