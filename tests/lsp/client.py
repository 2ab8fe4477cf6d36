"""A language client in the standard library alone: it shares no code with what it tests.

Client starts the server, reads everything it says in a thread, and lets tests wait for messages. Requests of the server
(progress, refresh, configuration) are answered as an editor would answer them.
"""

import json
import os
import queue
import subprocess
import threading
import time

PATIENCE = 60.0


class Refused(Exception):
    """The server answered with an error."""

    def __init__(self, error):
        super().__init__(error.get("message", ""))
        self.code = error["code"]
        self.message = error["message"]


class Client:
    """One editor with one server."""

    def __init__(self, binary, environment=None, capabilities=None, arguments=("lsp", "--stdio")):
        env = dict(os.environ, **(environment or {}))
        self.process = subprocess.Popen(
            [binary, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env
        )
        self.capabilities = capabilities or {}
        self.log = []  # every message of the server, in the order in which it came
        self.errors = []
        self.answered = threading.Condition()
        self.next_id = 0
        self.outgoing = threading.Lock()
        self.reading = threading.Event()
        self.reading.set()
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=self._read_errors, daemon=True).start()

    # --- what the server says ---

    def _read(self):
        stream = self.process.stdout
        while True:
            self.reading.wait()
            length = None
            while True:
                line = stream.readline()
                if not line:
                    return self._note(None)
                line = line.strip()
                if not line:
                    break
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            message = json.loads(stream.read(length))
            if "method" in message and "id" in message:
                self._oblige(message)
            self._note(message)

    def _read_errors(self):
        for line in self.process.stderr:
            self.errors.append(line.decode(errors="replace"))

    def _note(self, message):
        with self.answered:
            self.log.append(message)
            self.answered.notify_all()

    def _oblige(self, request):
        result = [None] if request["method"] == "workspace/configuration" else None
        self.send({"jsonrpc": "2.0", "id": request["id"], "result": result})

    def wait(self, fits, since=0, patience=PATIENCE):
        """The first message from `since` on that fits, and the place after it."""
        deadline = time.monotonic() + patience
        place = since
        with self.answered:
            while True:
                while place < len(self.log):
                    message = self.log[place]
                    place += 1
                    if message is not None and fits(message):
                        return message, place
                    if message is None:
                        raise AssertionError("the server ended: " + "".join(self.errors)[-2000:])
                left = deadline - time.monotonic()
                if left <= 0:
                    raise AssertionError(f"a message did not come; the last ones: {self.log[-5:]}")
                self.answered.wait(left)

    def notifications(self, method):
        with self.answered:
            return [message["params"] for message in self.log if message and message.get("method") == method]

    # --- what the client says ---

    def raw(self, data):
        with self.outgoing:
            self.process.stdin.write(data)
            self.process.stdin.flush()

    def send(self, message):
        body = json.dumps(message).encode()
        self.raw(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

    def notify(self, method, params=None):
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def ask(self, method, params=None):
        self.next_id += 1
        message = {"jsonrpc": "2.0", "id": self.next_id, "method": method}
        if params is not None:
            message["params"] = params
        self.send(message)
        return self.next_id

    def answer(self, number, patience=PATIENCE):
        message, _ = self.wait(lambda m: m.get("id") == number and "method" not in m, patience=patience)
        if "error" in message:
            raise Refused(message["error"])
        return message["result"]

    def request(self, method, params=None):
        return self.answer(self.ask(method, params))

    def command(self, name, *arguments):
        return self.request("workspace/executeCommand", {"command": name, "arguments": list(arguments)})

    # --- what an editor does ---

    def initialize(self, **more):
        params = {"processId": os.getpid(), "rootUri": None, "capabilities": self.capabilities, **more}
        answer = self.request("initialize", params)
        self.notify("initialized", {})
        return answer

    def open(self, uri, language, text, version=1):
        document = {"uri": uri, "languageId": language, "version": version, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": document})

    def change(self, uri, version, start, end, text):
        change = {"range": span(start, end), "text": text}
        document = {"uri": uri, "version": version}
        self.notify("textDocument/didChange", {"textDocument": document, "contentChanges": [change]})

    def events(self, run_id, patience=PATIENCE):
        """All events of a run up to its end, in the order in which they came."""
        events, place = [], 0
        while True:
            message, place = self.wait(
                lambda m: m.get("method", "").startswith("runpen/") and m["params"].get("runId") == run_id, place, patience
            )
            events.append(message["params"])
            if message["method"] == "runpen/finished":
                return events

    def says(self, run_id, text):
        """Waits until what a run has printed contains a text, in however many pieces it comes."""
        said, place = "", 0
        while text not in said:
            message, place = self.wait(
                lambda m: m.get("method") == "runpen/output" and m["params"]["runId"] == run_id, place
            )
            said += message["params"]["text"]

    def run(self, command, **argument):
        """Runs and gives the events."""
        return self.events(self.command(command, argument)["runId"])

    def leave(self):
        """Ends politely and gives the exit code."""
        self.request("shutdown")
        self.notify("exit")
        return self.process.wait(PATIENCE)

    def kill(self):
        self.process.kill()
        self.process.wait(PATIENCE)

    def resident(self):
        """Memory of the server in MiB, now and at its peak."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            lines = dict(line.split(":", 1) for line in status)
        return tuple(int(lines[key].split()[0]) / 1024 for key in ("VmRSS", "VmHWM"))


def span(start, end):
    return {
        "start": {"line": start[0], "character": start[1]},
        "end": {"line": end[0], "character": end[1]},
    }


def printed(events, stream="stdout"):
    return "".join(event["text"] for event in events if event["event"] == "output" and event["stream"] == stream)
