"""The editors: how each is configured by its README, and the keys with which a person runs, stops, looks and clears.

What is typed into an editor's own configuration beside the README's words is only what makes the test possible, and is
said where it stands.
"""

import fcntl
import os
import pathlib
import re
import subprocess
import time

from terminal import DEADLINE, Terminal

EDITORS = pathlib.Path(__file__).resolve().parents[3] / "editors"


def readme(editor, language, index=0):
    """A block of the editor's README, as it would be pasted."""
    text = (EDITORS / editor / "README.md").read_text()
    return re.findall(rf"```{language}\n(.*?)```", text, re.S)[index]


class Editor:
    """One editor with one file open, in a home of its own inside of the editors' root file system."""

    file_name = "code.py"
    # Whether a result's hint comes by itself.
    shows_hints = True
    # Whether it opens a document when the server asks it to.
    opens_output = False
    # Whether it has a way to cancel a progress.
    cancels = False
    # Whether it kills a server soon after `shutdown`: what was not removed by then goes with the next sweep.
    kills = False

    def __init__(self, work, text):
        self.work = pathlib.Path(work)
        # A project below the home: lsp-mode warns of one that is the whole home.
        self.project = self.work / "project"
        (self.project / ".git").mkdir(parents=True)
        (self.project / self.file_name).write_text(text)
        # A run that is to be stopped must not run out of time before a slow machine has shown the menu.
        config = pathlib.Path(os.environ["RUNPEN_CONFIG"]).read_text()
        self.write("runpen.toml", f'timeout = "300s"\n{config}')
        self.configure()
        self.terminal = Terminal(self.inside(*self.command()), os.environ)
        self.terminal.see(text.splitlines()[0])
        self.terminal.settle()
        self.ready()

    def inside(self, *command):
        root, work, runpen = os.environ["RUNPEN_TEST_EDITORS"], str(self.work), os.environ["RUNPEN_BINARY"]
        binds = ["--bind", root, "/", "--dev-bind", "/dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp"]
        # The engine's socket.
        binds += ["--bind", "/run", "/run", "--bind", work, work, "--ro-bind", runpen, "/usr/local/bin/runpen"]
        binds += ["--chdir", str(self.project)]
        variables = {"HOME": work, "RUNPEN_CONFIG": work + "/runpen.toml", "PATH": "/usr/local/bin:/usr/bin:/bin"}
        settings = [word for name, value in variables.items() for word in ("--setenv", name, value)]
        unset = [word for name in os.environ if name.startswith("XDG_") for word in ("--unsetenv", name)]
        return ["bwrap", "--die-with-parent", *binds, *settings, *unset, *command]

    def write(self, path, text):
        (self.work / path).parent.mkdir(parents=True, exist_ok=True)
        (self.work / path).write_text(text)

    def press(self, *keys):
        """Keys one after another, each when the screen has taken in the one before."""
        for key in keys:
            self.terminal.press(key)
            self.terminal.settle()

    def until(self, text, look, leave):
        """Looks again and again until a text shows; what is looked at may come later than the keys."""
        deadline = time.monotonic() + DEADLINE
        while True:
            self.press(*look)
            screen = self.terminal.text()
            self.press(*leave)
            if text in screen:
                return screen
            if time.monotonic() > deadline:
                raise AssertionError(f"{text!r} never showed; the screen:\n{screen}")

    def see_gone(self, text):
        self.terminal.see_no(text)

    def open_menu(self, title, look, leave):
        """Leaves the menu of actions open, once it has this one."""
        self.until(title, look, leave)
        self.terminal.see_no(title)
        self.press(*look)
        self.terminal.see(title)
        self.terminal.settle()

    def close(self):
        """Leaves the editor as a person does; its server ends with it and leaves nothing."""
        locks = list(self.work.glob(".cache/runpen/owners/*.lock"))
        assert locks, "no server was ever there"
        self.press(*self.leave)
        self.terminal.end()
        until_none("the server is still there", lambda: [lock for lock in locks if lives(lock)])
        until_none("outputs are left", lambda: list(self.work.glob(".cache/runpen/output/*")))
        if self.kills:
            settings = {"HOME": str(self.work), "RUNPEN_CONFIG": str(self.work / "runpen.toml")}
            without = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
            subprocess.run([os.environ["RUNPEN_BINARY"], "gc"], env={**without, **settings}, check=True, timeout=DEADLINE)
        until_none("containers are left", lambda: [one for lock in locks for one in containers_of(lock.stem)])


def until_none(what, those):
    deadline = time.monotonic() + DEADLINE
    while left := those():
        assert time.monotonic() < deadline, f"{what}: {left}"
        time.sleep(0.2)


def lives(lock):
    """Whether the server that this file belongs to is there: it holds a lock on it as long as it lives."""
    try:
        with lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def containers_of(owner):
    # By name: Docker 20.10 may go on listing one that it has removed, without a name, and knows nothing of it when asked.
    command = ["docker", "ps", "--all", "--format", "{{.Names}}", "--filter", f"label=dev.runpen.owner={owner}"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


class Helix(Editor):
    kills = True
    opens_output = True
    leave = ["\x1b", ":qa!\r"]
    # It asks for hints when a view changes, and knows no refresh.
    shows_hints = False

    def configure(self):
        self.write(".config/helix/languages.toml", readme("helix", "toml"))
        self.write(".config/helix/config.toml", readme("helix", "toml", 1))

    def command(self):
        return ["hx", self.file_name]

    def menu(self, title):
        self.open_menu(title, [" a"], ["\x1b"])
        rows = [row.strip() for row in self.terminal.text().splitlines()]
        titles = [next(name for name in TITLES if name in row) for row in rows if any(name in row for name in TITLES)]
        self.press(*["\t"] * titles.index(title), "\r")

    def ready(self):
        self.until("Run file in sandbox", [" a"], ["\x1b"])

    def run_file(self):
        self.menu("Run file in sandbox")

    def run_line(self, number):
        self.press(f"{number}Gx")
        self.menu("Run selection in sandbox")

    def add_line(self, text):
        # Pasted: typed, it would be changed by the pairs of brackets and quotes that Helix completes.
        self.press("geo", f"\x1b[200~{text}\x1b[201~", "\x1b")

    def hover(self, line, text):
        self.press(f"{line}G")
        return self.until(text, [" k"], ["\x1b"])

    def diagnosed(self, line, text):
        self.press(f"{line}G")
        return self.until(text, [" d"], ["\x1b"])


TITLES = ["Run selection in sandbox", "Run file in sandbox", "Stop", "Show output", "Clear results"]


class Kakoune(Editor):
    cancels = True
    leave = ["\x1b", ":kill!\r"]

    def configure(self):
        self.write(".config/kak/kakrc", readme("kakoune", "kak") + readme("kakoune", "kak", 1))

    def command(self):
        return ["kak", self.file_name]

    def menu(self, title):
        self.open_menu(title, [":lsp-code-actions\r"], ["\x1b"])
        # The menu is a prompt that completes.
        self.press(title, "\r")

    def ready(self):
        self.until("Run file in sandbox", [":lsp-code-actions\r"], ["\x1b"])

    def run_file(self):
        self.menu("Run file in sandbox")

    def cancel(self):
        # Its token comes with the progress; before that there is nothing to cancel.
        self.until("■ stopped", [":runpen-stop\r"], ["\x1b"])

    def run_line(self, number):
        self.press(f"{number}gx")
        self.menu("Run selection in sandbox")

    def add_line(self, text):
        self.press("geo", text, "\x1b")

    def hover(self, line, text):
        self.press(f"{line}g")
        return self.until(text, [":lsp-hover\r"], ["\x1b"])

    def diagnosed(self, line, text):
        return self.until(f"{self.file_name}:{line}:1: [error]", [":lsp-diagnostics\r"], [f":buffer {self.file_name}\r"])


class Vim(Editor):
    leave = ["\x1b", ":qa!\r"]
    shows_hints = False

    def configure(self):
        self.write(".vimrc", readme("vim", "vim"))

    def command(self):
        # How Debian's package of ALE is switched on, for those who have no manager of plugins.
        return ["vim", "--cmd", "set rtp+=/usr/share/vim-ale", self.file_name]

    def menu(self, title, range=""):
        self.open_menu(title, [f":{range}ALECodeAction\r"], ["\r", "\x0c"])
        number = re.search(rf"(\d)\) {title}", self.terminal.text())[1]
        self.press(number + "\r")

    def ready(self):
        self.until("Run file in sandbox", [":ALECodeAction\r"], ["\r"])

    def run_file(self):
        self.menu("Run file in sandbox")

    def run_line(self, number):
        self.press(f"{number}GV\x1b")
        self.menu("Run selection in sandbox", "'<,'>")

    def add_line(self, text):
        self.press("Go", text, "\x1b")

    def hover(self, line, text):
        self.press(f"{line}G0")
        return self.until(text, [":ALEHover\r"], [":pclose\r"])

    def diagnosed(self, line, text):
        self.press(f"{line}G0")
        return self.until(text, [":ALEDetail\r"], [":pclose\r"])


class Emacs(Editor):
    """What both clients of Emacs share."""

    opens_output = True
    kills = True
    leave = ["\x07", "\x1bx", "kill-emacs\r"]

    def command(self):
        return ["emacs", "-nw", self.file_name]

    def initialize(self, *blocks):
        # No tutorials and questions at the first start.
        self.write(".emacs.d/init.el", "\n".join(["(setq inhibit-startup-screen t)", *blocks]))

    def do(self, command):
        self.press("\x1bx", command, "\r")

    def menu(self, title):
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline:
            self.do(self.actions)
            nothing = "No code actions"
            screen = self.terminal.wait("an answer", lambda screen: (self.prompt in screen or nothing in screen) and screen)
            if self.prompt not in screen:
                continue
            self.press(title, "\r")
            refused = "[No match]"
            screen = self.terminal.wait(title, lambda screen: (self.prompt not in screen or refused in screen) and screen)
            if refused not in screen:
                return
            self.press("\x07")
        raise AssertionError(f"no action {title!r}; the screen:\n{self.terminal.text()}")

    def go(self, line):
        self.press("\x1b<")
        for _ in range(line - 1):
            self.press("\x0e")

    def run_file(self):
        self.menu("Run file in sandbox")

    def run_line(self, number):
        self.go(number)
        self.press("\x00", "\x05")
        self.menu("Run selection in sandbox")

    def add_line(self, text):
        self.press("\x1b>", text, "\r")


class Eglot(Emacs):
    # It asks for hints when text changes, and knows no refresh.
    shows_hints = False
    actions, prompt = "eglot-code-actions", "[eglot] Pick an action"

    def configure(self):
        self.initialize(readme("emacs", "elisp"))

    def ready(self):
        self.do("eglot")
        self.terminal.see("[eglot]")

    def hover(self, line, text):
        self.go(line)
        return self.until(text, ["\x1bx", "eldoc\r", "\x1bx", "eldoc-doc-buffer\r"], ["\x18" + "1"])

    def diagnosed(self, line, text):
        return self.until(f"{line}   0 error", ["\x1bx", "flymake-show-buffer-diagnostics", "\r"], ["\x18" + "1"])


class LspMode(Emacs):
    actions, prompt = "lsp-execute-code-action", "Select code action"

    def configure(self):
        # Without this, an action that is the only one is not asked about, and the keys of the answer would be typed.
        self.initialize("(setq lsp-auto-execute-action nil)", readme("emacs", "elisp", 1))

    def ready(self):
        self.do("lsp")
        # It asks once for each project.
        self.terminal.see("Import project root")
        self.press("i")

    def hover(self, line, text):
        self.go(line)
        return self.until(text, ["\x1bx", "lsp-describe-thing-at-point", "\r"], ["\x18" + "1"])

    def diagnosed(self, line, text):
        return self.until(text, ["\x1bx", "flymake-show-buffer-diagnostics", "\r"], ["\x18" + "1"])
