"""A link that takes its time, for tests: this machine's kernel may have no `netem`.

    with Relay(("10.213.7.2", 2376), delay=0.05) as relay: ... ("127.0.0.1", relay.port) ...

The target may be the path of a socket too. Whatever is sent takes half of `delay` to come to the other end, so a question has its answer after the whole of it. The first
byte of a connection takes one round trip more, which is what making one takes.
"""

import collections
import socket
import threading
import time


class Relay:
    def __init__(self, target, delay):
        self.target, self.delay = target, delay
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._join, args=(near,), daemon=True).start()

    def _join(self, near):
        try:
            if isinstance(self.target, str):
                far = socket.socket(socket.AF_UNIX)
                far.connect(self.target)
            else:
                far = socket.create_connection(self.target, 30)
        except OSError:
            near.close()
            return
        far.settimeout(None)
        for end in (near, far):
            if end.family != socket.AF_UNIX:
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _Way(near, far, self.delay / 2, self.delay)
        _Way(far, near, self.delay / 2, 0)


class _Way:
    """One direction: what comes in goes out when its time has come, in order."""

    def __init__(self, source, sink, delay, first):
        self.source, self.sink, self.delay, self.first = source, sink, delay, first
        self.queue, self.changed = collections.deque(), threading.Condition()
        for work in (self._read, self._write):
            threading.Thread(target=work, daemon=True).start()

    def _read(self):
        extra = self.first
        while True:
            try:
                data = self.source.recv(65536)
            except OSError:
                data = b""
            with self.changed:
                # What is on its way is bounded, as it is on a wire.
                self.changed.wait_for(lambda: len(self.queue) < 64)
                self.queue.append((time.monotonic() + self.delay + extra, data))
                self.changed.notify_all()
            extra = 0
            if not data:
                return

    def _write(self):
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self.queue)
                due, data = self.queue.popleft()
                self.changed.notify_all()
            time.sleep(max(0, due - time.monotonic()))
            try:
                if not data:
                    return self.sink.shutdown(socket.SHUT_WR)
                self.sink.sendall(data)
            except OSError:
                return None
