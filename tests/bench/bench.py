"""Measures request to first byte and request to finished, through the real language server.

    tests/bench/run.sh            40 and 200 runs a row, about ten minutes
    tests/bench/run.sh --quick    15 and 60 runs a row, about two minutes

All rows come from one run, so ratios hold where absolute times do not. `bare` is the interpreter or compiler of this
machine without any sandbox; `docker run` has the flags that Runpen applies to the same program.
"""

import argparse
import json
import os
import pathlib
import platform
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lsp"))
from client import Client  # noqa: E402
from flood import flood  # noqa: E402
sys.path.insert(0, str(HERE.parent / "engines"))
from relay import Relay  # noqa: E402

HELLO = {
    "python": "print(6*7)\n",
    "javascript": "console.log(6*7)\n",
    "shell": "echo 42\n",
    "go": 'package main\n\nimport "fmt"\n\nfunc main() { fmt.Println(6 * 7) }\n',
    "java": "public class Main {\n  public static void main(String[] a) { System.out.println(6 * 7); }\n}\n",
    "cpp": "#include <iostream>\nint main() { std::cout << 6 * 7 << std::endl; }\n",
}
BARE = {
    "python": ["/usr/bin/python3", "-c", HELLO["python"]],
    "javascript": ["node", "-e", HELLO["javascript"]],
    "shell": ["sh", "-c", HELLO["shell"]],
}
INSIDE = {"python": "python3", "javascript": "node", "shell": "sh"}


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, round(share * (len(values) - 1)))]


def row(name, values):
    figures = [percentile(values, share) * 1000 for share in (0.5, 0.95, 0.99)]
    print(f"| {name} | {len(values)} | " + " | ".join(f"{figure:.1f}" for figure in figures) + " |", flush=True)
    return figures[0]


def heading(title):
    print(f"\n### {title}\n\n| what | runs | p50 ms | p95 ms | p99 ms |\n|---|---|---|---|---|", flush=True)


class Server:
    """The language server with its stop watch: messages are timed as they arrive."""

    def __init__(self, binary, engine, environment=None, **settings):
        self.client = Client(binary, environment)
        note = self.client._note
        self.seen = {}

        def timed(message):
            if message and "runId" in (message.get("params") or {}):
                self.seen.setdefault((message["params"]["runId"], message["method"]), time.perf_counter())
            note(message)

        self.client._note = timed
        begun = time.perf_counter()
        self.client.initialize(initializationOptions={"engine": engine, **settings})
        self.initialized = time.perf_counter() - begun

    def open(self, language):
        uri = f"file:///bench/hello.{language}"
        self.client.open(uri, language, HELLO[language])
        return uri

    def pool(self, language):
        status = self.client.command("runpen.status")
        return sum(one["waiting"] for one in status["pool"] if one["language"] == language)

    def full(self, language, least=2):
        deadline = time.monotonic() + 180
        while self.pool(language) < least:
            if time.monotonic() > deadline:
                raise SystemExit(f"no {language} container came to wait within 180 s")
            time.sleep(0.05)

    def run(self, uri):
        """First byte and end of one run, in seconds, and whether it was warm."""
        begun = time.perf_counter()
        run = self.client.command("runpen.runFile", {"uri": uri, "stdin": ""})["runId"]
        events = self.client.events(run)
        end = events[-1]
        if end["outcome"] != "exited" or end["exitCode"] != 0:
            raise SystemExit(f"a run failed: {json.dumps(end)}")
        self.client.log.clear()
        return self.seen[run, "runpen/output"] - begun, self.seen[run, "runpen/finished"] - begun, events[0]["warm"]

    def burst(self, uri, total, at_once):
        """Runs so many with so many at once; gives the rate and every first byte."""
        firsts, pending, started = [], {}, 0
        begun = time.perf_counter()
        place = len(self.client.log)
        while started < total or pending:
            while started < total and len(pending) < at_once:
                at = time.perf_counter()
                number = self.client.ask(
                    "workspace/executeCommand", {"command": "runpen.runFile", "arguments": [{"uri": uri, "stdin": ""}]}
                )
                pending[self.client.answer(number)["runId"]] = at
                started += 1
            message, place = self.client.wait(
                lambda m: m.get("method") == "runpen/finished" and m["params"]["runId"] in pending, place
            )
            run = message["params"]["runId"]
            if message["params"]["outcome"] != "exited":
                raise SystemExit(f"a run failed: {json.dumps(message['params'])}")
            firsts.append(self.seen[run, "runpen/output"] - pending.pop(run))
        return total / (time.perf_counter() - begun), firsts

    def cpu(self):
        with open(f"/proc/{self.client.process.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def timed(command, runs):
    values = []
    for _ in range(runs + 1):
        begun = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        values.append(time.perf_counter() - begun)
    return values[1:]


def bare_rate(total, at_once):
    """Runs a second of the bare interpreter, so many at once, with next to nothing beside it: what the machine can do at most."""
    begun = time.perf_counter()
    lines = "\n".join(map(str, range(total)))
    command = ["xargs", "-P", str(at_once), "-I", "LINE", *BARE["python"]]
    subprocess.run(command, input=lines, check=True, stdout=subprocess.DEVNULL, text=True)
    return total / (time.perf_counter() - begun)


def docker_run(language, image):
    limits = {"python": "128m", "javascript": "128m", "shell": "64m"}[language]
    flags = "--rm --network none --user 65534:65534 --cap-drop ALL --security-opt no-new-privileges --read-only "
    flags += "--tmpfs /tmp:rw,noexec,nosuid,nodev,size=32m --cpus 0.5 --pids-limit 64 --log-driver none --ulimit core=0 "
    flags += f"--memory {limits} --memory-swap {limits}"
    option = "-e" if language == "javascript" else "-c"
    return ["docker", "run", *flags.split(), image, INSIDE[language], option, HELLO[language]]


def images(config):
    import tomllib

    with open(config, "rb") as file:
        return {name: language["image"] for name, language in tomllib.load(file)["languages"].items()}


def main():
    options = argparse.ArgumentParser()
    options.add_argument("binary")
    options.add_argument("--quick", action="store_true")
    options = options.parse_args()
    runs, few, total = (15, 5, 60) if options.quick else (40, 10, 200)
    image = images(os.environ["RUNPEN_CONFIG"])
    print(f"{os.cpu_count()} cores, {platform.machine()}, Linux {platform.release()}, load {os.getloadavg()[0]:.1f}, "
          f"Docker {subprocess.check_output(['docker', 'version', '-f', '{{.Server.Version}}'], text=True).strip()}")
    found = {}

    heading("Request → first byte")
    for language in ("python", "javascript", "shell"):
        found["bare", language] = row(f"{language}, bare (whole run)", timed(BARE[language], runs))
        found["run", language] = row(f"{language}, `docker run --rm` (whole run)", timed(docker_run(language, image[language]), few))
    for engine in ("docker", "embedded"):
        for language in ("python", "javascript", "shell"):
            server = Server(options.binary, engine, warm={"perLanguage": 2})
            uri = server.open(language)
            warm, finished = [], []
            for _ in range(runs):
                server.full(language)
                first, end, was_warm = server.run(uri)
                if was_warm:
                    warm.append(first)
                    finished.append(end)
            if len(warm) < runs:
                print(f"{language}, {engine}: only {len(warm)} of {runs} runs were warm", file=sys.stderr)
            found[engine, language] = row(f"{language}, {engine}, warm", warm)
            row(f"{language}, {engine}, warm, finished", finished)
            server.client.leave()
            server = Server(options.binary, engine, warm={"enabled": False})
            uri = server.open(language)
            server.run(uri)
            found[engine, language, "cold"] = row(f"{language}, {engine}, cold", [server.run(uri)[0] for _ in range(few)])
            server.client.leave()

    # The daemon's socket behind a link that takes its time.
    with Relay("/var/run/docker.sock", 0.05) as relay:
        server = Server(options.binary, "docker", {"DOCKER_HOST": f"tcp://127.0.0.1:{relay.port}"}, warm={"perLanguage": 2})
        uri = server.open("python")
        warm = []
        while len(warm) < runs:
            server.full("python")
            first, _, was_warm = server.run(uri)
            warm += [first] if was_warm else []
        row("python, docker behind 50 ms of delay, warm", warm)
        server.client.leave()

    heading("Compiled languages, request → finished, warm")
    for language in ("go", "java", "cpp"):
        server = Server(options.binary, "docker", timeout="30s", compileTimeout="120s")
        uri = server.open(language)
        server.run(uri)
        ends = []
        for _ in range(few):
            server.full(language)
            ends.append(server.run(uri)[1])
        row(f"{language}, docker", ends)
        server.client.leave()

    heading(f"Python under load, request → first byte, {total} runs")
    rates = {}
    begun = time.perf_counter()
    timed(docker_run("python", image["python"]), few)
    rates["docker run --rm"] = (few + 1) / (time.perf_counter() - begun)
    server = None
    for at_once in (1, 16):
        rates[f"bare, {at_once} at once"] = bare_rate(total, at_once)
    for engine in ("docker", "embedded"):
        for at_once in (1, 4, 16):
            server = Server(options.binary, engine)
            uri = server.open("python")
            server.full("python")
            before, begun = server.cpu(), time.perf_counter()
            rate, firsts = server.burst(uri, total, at_once)
            cpu = (server.cpu() - before) / (time.perf_counter() - begun)
            row(f"{engine}, {at_once} at once", firsts)
            rates[f"{engine}, {at_once} at once"] = rate
            memory = server.client.resident()[1]
            print(f"{engine}, {at_once} at once: server peak {memory:.0f} MiB, {cpu * 100:.0f} % of a core", file=sys.stderr)
            server.client.leave()
    print("\n| runs a second | |\n|---|---|")
    for name, rate in rates.items():
        print(f"| {name} | {rate:.1f} |")

    heading("One run that prints 1 GB, and typing meanwhile")
    floods = {}
    for engine in ("docker", "embedded"):
        rate, peak, answers = flood(options.binary, engine, 200 if options.quick else 1000)
        row(f"{engine}: `didChange` and its answer", answers)
        floods[engine] = (rate, peak)
    print("\n| engine | MB/s | server peak MiB |\n|---|---|---|")
    for engine, (rate, peak) in floods.items():
        print(f"| {engine} | {rate:.0f} | {peak:.0f} |")

    starts = []
    for _ in range(runs):
        begun = time.perf_counter()
        server = Server(options.binary, "auto")
        starts.append(time.perf_counter() - begun)
        server.client.leave()
    heading("Server")
    row("start → `initialize` answered", starts)
    size = os.path.getsize(options.binary) / 1e6
    print(f"\nBinary: {size:.1f} MB")

    print("\n| ratio | reached |\n|---|---|")
    for language in ("python", "javascript", "shell"):
        for engine in ("docker", "embedded"):
            print(f"| {language}, {engine}: warm first byte / bare | {found[engine, language] / found['bare', language]:.2f} |")
        print(f"| {language}: `docker run` / warm first byte | {found['run', language] / found['docker', language]:.1f} |")
        print(f"| {language}: cold / `docker run` | {found['docker', language, 'cold'] / found['run', language]:.2f} |")
    for at_once in (1, 16):
        ratio = rates[f"embedded, {at_once} at once"] / rates[f"bare, {at_once} at once"]
        print(f"| Python, embedded, {at_once} at once: rate / rate of the bare interpreter | {ratio:.2f} |")
    print(f"| Python, 1 at once: rate / rate of `docker run` | {rates['docker, 1 at once'] / rates['docker run --rm']:.1f} |")


if __name__ == "__main__":
    main()
