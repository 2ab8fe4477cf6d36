"""One run that prints a gigabyte, through the server to a client that only counts, and what typing feels like meanwhile."""

import json
import os
import subprocess
import threading
import time

URI = "file:///bench/flood.py"
PROGRAM = """import os
piece = (b"x" * 63 + b"\\n") * 1024
for _ in range({count}):
    rest = memoryview(piece)
    while rest:
        rest = rest[os.write(1, rest):]
"""


class Counter:
    """A client that keeps nothing: it counts bytes and looks for what it waits for in them."""

    def __init__(self, binary):
        self.process = subprocess.Popen([binary, "lsp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.bytes, self.seen, self.tail = 0, {}, b""
        self.news = threading.Condition()
        self.wanted = set()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        while chunk := os.read(self.process.stdout.fileno(), 1 << 20):
            now = time.perf_counter()
            self.bytes += len(chunk)
            text = self.tail + chunk
            self.tail = text[-200:]
            with self.news:
                for word in [word for word in self.wanted if word in text]:
                    self.wanted.discard(word)
                    self.seen[word] = now
                self.news.notify_all()

    def send(self, method, params, number=None):
        message = {"jsonrpc": "2.0", "method": method, "params": params}
        if number is not None:
            message["id"] = number
            self.want(b'"id":%d' % number)
        body = json.dumps(message).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self.process.stdin.flush()

    def want(self, word):
        with self.news:
            self.wanted.add(word)

    def wait(self, word, patience=600):
        with self.news:
            assert self.news.wait_for(lambda: word in self.seen, patience), f"{word} did not come"
        return self.seen[word]

    def peak(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            lines = dict(line.split(":", 1) for line in status)
        return int(lines["VmHWM"].split()[0]) / 1024


def flood(binary, engine, megabytes):
    """Rate in MB/s, the server's peak memory in MiB, and seconds of every answer to typing meanwhile."""
    client = Counter(binary)
    options = {"engine": engine, "outputLimit": "2G", "timeout": "10m", "cpus": 2, "warm": {"enabled": False}}
    client.send("initialize", {"processId": os.getpid(), "rootUri": None, "capabilities": {}, "initializationOptions": options}, 1)
    client.wait(b'"id":1')
    client.send("initialized", {})
    total = megabytes * 1_000_000 // 65536 * 65536
    text = PROGRAM.format(count=total // 65536)
    client.send("textDocument/didOpen", {"textDocument": {"uri": URI, "languageId": "python", "version": 1, "text": text}})
    for word in (b'"runpen/finished"', b'"runpen/output"', b'"outcome":"exited"'):
        client.want(word)
    client.send("workspace/executeCommand", {"command": "runpen.runFile", "arguments": [{"uri": URI, "stdin": ""}]}, 2)
    begun = client.wait(b'"runpen/output"')
    before, answers, number = client.bytes, [], 100
    while b'"runpen/finished"' not in client.seen:
        number += 1
        asked = time.perf_counter()
        change = {"range": {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 0}}, "text": "#"}
        client.send("textDocument/didChange", {"textDocument": {"uri": URI, "version": number}, "contentChanges": [change]})
        client.send("textDocument/codeLens", {"textDocument": {"uri": URI}}, number)
        answers.append(client.wait(b'"id":%d' % number) - asked)
        time.sleep(0.02)
    seconds = client.wait(b'"runpen/finished"') - begun
    client.wait(b'"outcome":"exited"')
    assert client.bytes - before > total * 0.95, "not all of it came"
    peak = client.peak()
    client.send("shutdown", None, 3)
    client.wait(b'"id":3')
    client.send("exit", None)
    client.process.wait(60)
    return total / 1e6 / seconds, peak, answers
