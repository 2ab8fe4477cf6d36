"""From the key press to the result on the screen, in a real Neovim on a real terminal; what the plugin costs at start;
and the first use in a fresh Neovim. Prints one line for each, in milliseconds.

What is promised is promised of a machine with nothing else to do. Here each number is held against one of the same
moment: the bare interpreter, which prints and has no sandbox, and the engine's own way to run it.

usage: RUNPEN_BINARY=… RUNPEN_CONFIG=… latency.py NVIM PLUGIN [RUNS]
"""

import os
import pathlib
import pty
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import time

nvim, plugin = sys.argv[1], sys.argv[2]
runs = int(sys.argv[3]) if len(sys.argv) > 3 else 50
DEADLINE = 60.0

INIT = """
vim.opt.rtp:prepend({plugin!r})
vim.opt.swapfile = false
vim.o.termsync = false
vim.g.runpen = {{ cmd = {{ {binary!r}, 'lsp' }} }}
vim.keymap.set('n', '<F5>', '<Plug>(runpen-file)')
-- The next text is ready before the key is pressed: typing it is not what is measured.
vim.keymap.set('n', '<F6>', function()
  _G.number = (_G.number or 0) + 1
  vim.api.nvim_buf_set_lines(0, 0, -1, false, {{ ('print("res" + "ult" + str(%d * 7))'):format(_G.number) }})
  vim.o.titlestring = 'typed' .. _G.number
end)
vim.o.title = true
"""


class Screen:
    """What a terminal gets."""

    def __init__(self, folder, init):
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            environment = dict(os.environ, TERM="xterm-256color", COLUMNS="100", LINES="40", XDG_STATE_HOME=folder)
            os.execve(nvim, [nvim, "--clean", "-u", init, "code.py"], environment)
        self.seen = b""

    def press(self, keys):
        self.seen = b""
        os.write(self.descriptor, keys)

    def wait(self, *texts):
        deadline = time.monotonic() + DEADLINE
        while not all(text in self.seen for text in texts):
            left = deadline - time.monotonic()
            if left <= 0:
                sys.exit(f"waited in vain for {texts}; the screen got {self.seen[-2000:]!r}")
            if select.select([self.descriptor], [], [], left)[0]:
                self.seen += os.read(self.descriptor, 65536)

    def close(self):
        os.kill(self.pid, signal.SIGTERM)
        while True:
            try:
                if not os.read(self.descriptor, 65536):
                    break
            except OSError:
                break
        os.waitpid(self.pid, 0)
        os.close(self.descriptor)


def line(name, values):
    values = sorted(values)
    at = lambda share: values[min(len(values) - 1, int(len(values) * share))]
    print(f"{name}: p50 {statistics.median(values):.1f}, p95 {at(0.95):.1f}, best {values[0]:.1f} ms (n={len(values)})")


def milliseconds(command):
    """One whole run of a program."""
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - began) * 1000


def bare():
    # The system's own: one of a version manager may take several times as long to start.
    python = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
    return milliseconds([python, "-c", "print('result')"])


def engine():
    image = "runpen-test/python:3.13"
    return milliseconds(["docker", "run", "--rm", "--network", "none", image, "python3", "-c", "print('result')"])


def hold(name, values, promised, beside, times):
    """The promise, or not much more than what something else takes at the same time on a machine that is busy."""
    value, other = statistics.median(values), statistics.median(beside)
    bound = max(promised, times * other)
    verdict = "holds" if value <= promised else f"is {value / other:.1f} x the {other:.1f} ms of what runs beside it"
    print(f"    the promise of {promised} ms {verdict}")
    if value > bound:
        failures.append(f"{name}: {value:.1f} ms, more than {bound:.1f}")


def key_to_result(folder, init):
    first, warm, beside, engines = [], [], [], []
    for _ in range(3):
        engines.append(engine())
        screen = Screen(folder, init)
        screen.wait(b"code.py")
        number = 1
        screen.press(b"\x1b[17~")
        screen.wait(b"typed1")
        began = time.perf_counter()
        screen.press(b"\x1b[15~")
        screen.wait(b"result7")
        first.append((time.perf_counter() - began) * 1000)
        screen.wait("✓".encode())
        if len(first) == 3:
            for number in range(2, runs + 2):
                screen.press(b"\x1b[17~")
                screen.wait(f"typed{number}".encode())
                # The next container has to stand ready, as it does when a person presses the key again.
                pool_is_full(screen)
                beside.append(bare())
                began = time.perf_counter()
                screen.press(b"\x1b[15~")
                screen.wait(f"result{number * 7}".encode())
                warm.append((time.perf_counter() - began) * 1000)
                screen.wait("✓".encode())
        screen.close()
    line("the bare interpreter, whole run", beside)
    line("first use in a fresh Neovim, key press to result", first)
    hold("first use", first, 300, engines, 4)
    line("warm Python, key press to result", warm)
    hold("warm Python", warm, 20, beside, 4)


def pool_is_full(screen):
    """Asks the server until a container waits; the answer becomes the title."""
    ask = (
        b":lua local function ask() vim.lsp.get_clients({name='runpen'})[1]:request('workspace/executeCommand',"
        b"{command='runpen.status',arguments={}},function(_,s) for _,p in ipairs(s.pool) do"
        b" if p.language=='python' and p.waiting>0 then vim.o.titlestring='po'..'ol full' return end end ask() end)"
        b" end ask()\r"
    )
    screen.press(ask)
    screen.wait(b"pool full")


def start_cost(folder):
    """The time that Neovim itself notes for sourcing the plugin."""
    values = []
    for _ in range(20):
        log = pathlib.Path(folder) / "startup.log"
        log.unlink(missing_ok=True)
        command = [nvim, "--clean", "--cmd", f"set rtp^={plugin}", "--startuptime", log, "--headless", "-c", "qall!"]
        subprocess.run(command, check=True, capture_output=True)
        words = [entry.split() for entry in log.read_text().splitlines() if "plugin/runpen.lua" in entry]
        values.append(float(words[0][1]))
    line("the plugin at Neovim's start", values)
    hold("start", values, 2, [bare() for _ in range(5)], 1)


failures = []
with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as work:
    start = pathlib.Path(work) / "init.lua"
    start.write_text(INIT.format(plugin=plugin, binary=os.environ["RUNPEN_BINARY"]))
    (pathlib.Path(work) / "code.py").write_text("print('nothing yet')\n")
    start_cost(work)
    key_to_result(work, str(start))
sys.exit("\n".join(failures) or None)
