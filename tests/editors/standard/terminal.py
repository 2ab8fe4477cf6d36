"""A program on a terminal of ours: keys go in as a person presses them, and the screen is read as a person sees it."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time

import pyte

# Seconds. Nothing waits this long when it works; a busy machine starts editors and containers slowly.
DEADLINE = 90

COLUMNS, LINES = 110, 40


class _Screen(pyte.Screen):
    def report_device_status(self, mode, **_):
        super().report_device_status(mode)

    def select_graphic_rendition(self, *attributes, **_):
        # Extended forms that pyte does not know (`CSI > 4 ; 2 m`) are not colours.
        super().select_graphic_rendition(*attributes)


class Terminal:
    def __init__(self, command, environment):
        controller, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        self.screen = _Screen(COLUMNS, LINES)
        self.screen.write_process_input = lambda answer: os.write(controller, answer.encode())
        self.stream = pyte.ByteStream(self.screen)
        self.controller = controller
        environment = dict(environment, TERM="xterm-256color", LC_ALL="C.UTF-8")
        # It becomes the leader of a session whose terminal this is; in Python that would take code between fork and exec,
        # which is not safe beside threads.
        command = ["setsid", "--ctty", *command]
        self.process = subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal, env=environment)
        os.close(terminal)

    def take(self, seconds):
        """Takes what comes within some time; false at the end."""
        if not select.select([self.controller], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.controller, 65536)
        except OSError:
            return False
        self.stream.feed(data)
        return bool(data)

    def text(self):
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip()

    def wait(self, what, condition):
        """Waits until something is so; `condition` gets the screen's text."""
        deadline = time.monotonic() + DEADLINE
        alive = True
        while not (found := condition(self.text())):
            if time.monotonic() > deadline or not alive:
                raise AssertionError(f"waited in vain for {what}; the screen:\n{self.text()}")
            alive = self.take(0.1)
        return found

    def see(self, *texts):
        return self.wait(texts, lambda screen: all(text in screen for text in texts))

    def see_no(self, text):
        return self.wait(f"no {text!r}", lambda screen: text not in screen)

    def press(self, *keys):
        for key in keys:
            os.write(self.controller, key.encode())

    def settle(self):
        """Until the program has nothing more to say for the moment: a prompt that is half drawn takes no keys."""
        deadline = time.monotonic() + DEADLINE
        while select.select([self.controller], [], [], 0.3)[0] and time.monotonic() < deadline:
            if not self.take(0):
                return

    def end(self):
        """Until the program has ended by itself."""
        deadline = time.monotonic() + DEADLINE
        # What it still prints has to be taken, or it would wait for us.
        while self.take(0.1) and time.monotonic() < deadline:
            pass
        try:
            self.process.wait(max(1.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            raise AssertionError(f"it did not end; the screen:\n{self.text()}") from None
        finally:
            os.close(self.controller)
