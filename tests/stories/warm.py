"""Stories of what waits, when servers are killed, daemons restarted, images exchanged and disks full.

    python3 tests/stories/warm.py path/to/runpen [STORY...]

All containers of its own daemon are Runpen's: what is left is counted there.
"""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lsp"))
from client import Client  # noqa: E402
from tally import Tally  # noqa: E402
from daemon import Daemon, environment  # noqa: E402
from registry import Registry  # noqa: E402

BINARY = os.path.abspath(sys.argv[1])
IMAGE = "runpen-test/alpine:3.23"
STORIES = []


def story(tell):
    STORIES.append(tell)
    return tell


def until(what, holds, patience=120):
    deadline = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < deadline, f"it never came to be that {what}"
        time.sleep(0.05)


class Machine:
    def __init__(self):
        self.daemon = Daemon(megabytes=160)
        self.daemon.bring(IMAGE)
        self.folder = tempfile.TemporaryDirectory(prefix="runpen-warm-")
        self.config = pathlib.Path(self.folder.name, "config.toml")
        self.image = "story/shell:1"
        self.clean()

    def clean(self):
        self.daemon.docker("tag", IMAGE, self.image)
        self.config.write_text(f'engine = "docker"\n[languages.shell]\nimage = "{self.image}"\n')
        self.environment = environment(self.daemon, self.folder.name, RUNPEN_CONFIG=str(self.config))

    def derive(self, command, image):
        """Makes an image of what a command leaves in ours."""
        container = self.daemon.docker("create", IMAGE, "sh", "-c", command)
        self.daemon.docker("start", "--attach", container)
        self.daemon.docker("commit", container, image)
        self.daemon.docker("rm", container)

    def editor(self, text="echo hello\n", **settings):
        editor = Client(BINARY, environment=self.environment)
        editor.initialize(initializationOptions=settings)
        editor.open("file:///w/a.sh", "shellscript", text)
        return editor

    def run(self, editor):
        return editor.command("runpen.runFile", {"uri": "file:///w/a.sh", "wait": True, "stdin": ""})

    def gc(self):
        done = subprocess.run([BINARY, "gc"], capture_output=True, text=True, env=self.environment, timeout=120)
        assert done.returncode == 0, done.stderr

    def close(self):
        self.daemon.close()
        self.folder.cleanup()


def waiting(editor):
    return sum(one["waiting"] for one in editor.command("runpen.status")["pool"])


@story
def a_server_killed_while_its_pool_fills_leaves_nothing_that_runs(machine):
    """SIGKILL as soon as the first container is there; what waits ends by itself; `runpen gc` removes the rest."""
    editor = machine.editor(warm={"perLanguage": 4})
    until("a container is there", lambda: machine.daemon.containers("--all"))
    editor.kill()
    until("nothing runs", lambda: not machine.daemon.containers())
    # One that the daemon was about to make when its client went away may come late.
    until("nothing is left", lambda: machine.gc() or not machine.daemon.containers("--all"))


@story
def a_server_killed_in_a_run_leaves_nothing_after_the_limit_and_the_next_one_sweeps(machine):
    """SIGKILL while a program sleeps: it ends with its own time limit, and the next server removes what is left."""
    editor = machine.editor("echo up\nsleep 600\n", timeout="3s", warm={"perLanguage": 1})
    run = editor.command("runpen.runFile", {"uri": "file:///w/a.sh", "stdin": ""})["runId"]
    editor.says(run, "up")
    left = machine.daemon.containers("--all")
    editor.kill()
    until("nothing runs", lambda: not machine.daemon.containers())
    next_one = machine.editor(warm={"enabled": False})
    until("the next server has swept", lambda: not left & machine.daemon.containers("--all"))
    assert next_one.leave() == 0


@story
def a_server_killed_while_it_bakes_leaves_nothing_that_runs(machine):
    """SIGKILL while a compiler compiles its library: it ends at once, no image is derived, and the next server sweeps."""
    machine.derive("echo 'sleep 3600' >/usr/bin/go && chmod +x /usr/bin/go", "story/go:1")
    editor = machine.editor(languages={"go": {"image": "story/go:1"}})
    editor.open("file:///w/a.go", "go", "package main\n\nfunc main() {}\n")
    busy = lambda: any("sleep" in (machine.daemon.docker("top", one) or "") for one in machine.daemon.containers())
    until("it compiles", busy)
    editor.kill()
    until("nothing runs", lambda: not machine.daemon.containers())
    next_one = machine.editor(warm={"enabled": False})
    until("the next server has swept", lambda: not machine.daemon.containers("--all"))
    assert machine.daemon.docker("images", "--quiet", "runpen-baked/go") == ""
    assert next_one.leave() == 0


@story
def a_server_killed_while_it_pulls_leaves_nothing_and_the_next_one_pulls(machine):
    """SIGKILL in the middle of a layer: no part of the image stays, and the next server fetches it whole."""
    registry = Registry()
    languages = {"python": {"image": registry.image("held")}}
    pull = {"command": "runpen.pullImages", "arguments": [{"languages": ["python"], "wait": True}]}
    editor = machine.editor(languages=languages, warm={"enabled": False})
    editor.ask("workspace/executeCommand", pull)
    until("the layer is half there", registry.was_cut.is_set)
    editor.kill()
    registry.release.set()
    part = lambda: machine.daemon.docker("image", "inspect", registry.image("held")) is not None
    assert not part() and not machine.daemon.containers("--all")
    next_one = machine.editor(languages=languages, warm={"enabled": False})
    answer = next_one.answer(next_one.ask("workspace/executeCommand", pull), patience=180)
    assert "error" not in answer["images"][0] and part(), answer
    assert next_one.leave() == 0
    registry.close()
    machine.daemon.docker("rmi", "--force", registry.image("held"))
    until("nothing is left", lambda: not machine.daemon.containers("--all"))


@story
def two_servers_never_sweep_each_other(machine):
    """What waits for one stays while another starts, runs, collects and leaves."""
    first = machine.editor()
    until("its pool is full", lambda: waiting(first) == 2)
    own = machine.daemon.containers()
    second = machine.editor()
    assert machine.run(second)["stdout"] == "hello\n"
    machine.gc()
    assert second.leave() == 0
    machine.gc()
    assert own <= machine.daemon.containers(), "the first one's are all there"
    assert machine.run(first)["outcome"] == "exited"
    assert first.leave() == 0
    until("nothing is left", lambda: not machine.daemon.containers("--all"))


@story
def a_pool_survives_the_restart_of_its_daemon(machine):
    """The daemon goes and comes back under a full pool: runs meanwhile say so in one line, then all is as before."""
    editor = machine.editor()
    until("its pool is full", lambda: waiting(editor) == 2)
    machine.daemon.stop()
    end = machine.run(editor)
    assert end["outcome"] == "engine_failure" and "\n" not in end["error"], end
    machine.daemon.start()
    end = machine.run(editor)
    assert (end["outcome"], end.get("stdout")) == ("exited", "hello\n"), end
    until("its pool is full again", lambda: waiting(editor) == 2)
    assert editor.leave() == 0
    # What the daemon was too far away to remove is not forgotten.
    machine.gc()
    until("nothing is left", lambda: not machine.daemon.containers("--all"))


def standing(editor, since, fits):
    """What is said of the engine without being asked."""
    message, _ = editor.wait(lambda m: m.get("method") == "runpen/status" and fits(m["params"]), since)
    return message["params"]


@story
def what_the_daemon_does_is_told_without_being_asked(machine):
    """It ends, comes back, hangs and goes on: each is told by itself, and the pool is full again without a run."""
    editor = machine.editor()
    full = lambda now: sum(one["waiting"] for one in now["pool"]) == 2  # noqa: E731
    standing(editor, 0, lambda now: "engine" in now and full(now))
    for _ in range(2):
        since = len(editor.log)
        machine.daemon.stop()
        ended = time.monotonic()
        standing(editor, since, lambda now: "error" in now)
        gone = time.monotonic() - ended
        since = len(editor.log)
        machine.daemon.start()
        started = time.monotonic()
        standing(editor, since, lambda now: "engine" in now)
        back = time.monotonic() - started
        standing(editor, since, full)
        print(f"        gone after {gone * 1000:.0f} ms, back after {back * 1000:.0f} ms")
    since = len(editor.log)
    # It is asked while somebody is there.
    editor.change("file:///w/a.sh", 2, (0, 0), (0, 0), " ")
    machine.daemon.process.send_signal(signal.SIGSTOP)
    try:
        hung = time.monotonic()
        reason = standing(editor, since, lambda now: "error" in now)["error"]
        hung = time.monotonic() - hung
        assert "does not answer" in reason, reason
        since = len(editor.log)
    finally:
        machine.daemon.process.send_signal(signal.SIGCONT)
    standing(editor, since, lambda now: "engine" in now)
    print(f"        hanging after {hung * 1000:.0f} ms")
    assert machine.run(editor)["outcome"] == "exited"
    assert editor.leave() == 0


@story
def an_image_that_is_exchanged_under_a_full_pool_is_noticed(machine):
    """The tag moves to another image: what waited is replaced, and runs say the new digest. Then the image goes away."""
    editor = machine.editor()
    until("its pool is full", lambda: waiting(editor) == 2)
    old = machine.run(editor)["sandbox"]["digest"]
    container = machine.daemon.docker("create", IMAGE, "true")
    machine.daemon.docker("commit", "--message", "another", container, machine.image)
    machine.daemon.docker("rm", container)
    until("runs are in the new image", lambda: machine.run(editor)["sandbox"]["digest"] != old)
    machine.daemon.docker("rmi", "--force", machine.image)

    def refused():
        end = machine.run(editor)
        assert end["outcome"] in ("exited", "engine_failure"), end
        return end["outcome"] == "engine_failure" and machine.image in end["error"] and "\n" not in end["error"]

    until("runs say that the image is gone", refused)
    assert editor.leave() == 0
    machine.clean()
    until("nothing is left", lambda: not machine.daemon.containers("--all"))


@story
def an_image_without_tar_or_shell_is_said_in_one_line(machine):
    """What an image lacks is named; the pool that cannot fill does not disturb."""
    machine.derive("rm -f /bin/tar /usr/bin/tar", "story/no-tar:1")
    empty = machine.daemon.docker("import", "-", "story/no-shell:1", stdin=subprocess.DEVNULL)
    assert empty, "an empty image"
    for image, word in (("story/no-tar:1", "its image needs sh, dd and tar"), ("story/no-shell:1", "it has no /bin/sh")):
        editor = machine.editor(languages={"shell": {"image": image}})
        for _ in range(2):
            end = machine.run(editor)
            assert end["outcome"] == "engine_failure" and word in end["error"] and "\n" not in end["error"], end
        assert editor.leave() == 0
    until("nothing is left", lambda: not machine.daemon.containers("--all"))


@story
def a_full_disk_is_said_in_one_line_and_runs_go_on(machine):
    """An image that does not fit: the reason and what to do; the editor answers, what is here still runs, nothing is left."""
    registry = Registry(size=100_000_000)
    editor = machine.editor(languages={"python": {"image": registry.image("good")}})
    answer = editor.answer(
        editor.ask("workspace/executeCommand", {"command": "runpen.pullImages", "arguments": [{"languages": ["python"], "wait": True}]}),
        patience=180,
    )
    error = answer["images"][0]["error"]
    assert "disk is full" in error and "prune" in error and "\n" not in error, error
    assert machine.run(editor)["stdout"] == "hello\n"
    assert editor.leave() == 0
    assert machine.daemon.docker("image", "inspect", registry.image("good")) is None
    until("nothing is left", lambda: not machine.daemon.containers("--all"))


@story
def a_removal_that_fails_is_tried_again(machine):
    """A daemon that cannot remove a container just now, as Docker 20.10 sometimes says by itself, is asked once more."""
    editor = machine.editor(warm={"perLanguage": 1})
    until("its pool is full", lambda: waiting(editor) == 1)
    (container,) = machine.daemon.containers()
    hold = machine.daemon.disk / "data" / "containers" / container / "hold"
    hold.touch()
    subprocess.run(["chattr", "+i", hold], check=True)
    try:
        editor.process.stdin.close()
        dead = lambda: machine.daemon.docker("inspect", "--format", "{{.State.Dead}}", container) == "true"
        until("the daemon has failed to remove it", dead)
    finally:
        subprocess.run(["chattr", "-i", hold], check=True)
    assert editor.process.wait(60) == 1
    assert not machine.daemon.containers("--all"), "the server itself has removed it"


def main():
    wanted = sys.argv[2:]
    machine = Machine()
    tally = Tally()
    try:
        for tell in STORIES:
            if wanted and tell.__name__ not in wanted:
                continue
            if not tally.tell(tell, machine):
                for left in machine.daemon.containers("--all"):
                    machine.daemon.docker("rm", "--force", left)
    finally:
        machine.close()
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
