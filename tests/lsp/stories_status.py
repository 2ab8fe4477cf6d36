"""What servers tell beside the editor: `runpen status`, and a Prometheus."""

import json
import os
import subprocess
import tempfile
import urllib.error
import urllib.request

from client import Client
from prometheus_client.parser import text_string_to_metric_families
from stories import BINARY, equal, story

URI = "file:///w/counted.py"


def status(environment, *words):
    done = subprocess.run([BINARY[0], "status", *words], capture_output=True, text=True, timeout=60,
                          env=dict(os.environ, **environment))
    equal((done.returncode, done.stderr), (0, ""), "runpen status")
    return done.stdout


def servers(environment):
    return json.loads(status(environment, "--json"))["servers"]


def samples(endpoint):
    """What a Prometheus reads, by name and labels."""
    with urllib.request.urlopen(endpoint, timeout=60) as answer:
        equal(answer.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8", "type")
        page = answer.read().decode()
    families = list(text_string_to_metric_families(page))
    kinds = {family.name: family.type for family in families}
    assert set(kinds.values()) == {"counter", "gauge", "histogram"}, kinds
    return {(sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in families for sample in family.samples}


@story
def what_a_server_counts_is_told_to_its_user_and_to_prometheus():
    """Two servers, three runs: `runpen status` and a scrape say the same; a killed server is no longer listed."""
    with tempfile.TemporaryDirectory() as cache:
        environment = {"RUNPEN_CACHE_DIR": cache}
        equal(status(environment), "no server runs\n", "with no server")
        editor, other = Client(BINARY[0], environment=environment), Client(BINARY[0], environment=environment)
        editor.initialize(initializationOptions={"metrics": {"listen": "127.0.0.1:0"}})
        other.initialize()
        editor.open(URI, "python", "import sys\nprint('x' * 99)\nsys.exit(3)\n")
        for _ in range(2):
            editor.run("runpen.runFile", uri=URI, stdin="")
        editor.change(URI, 2, (0, 0), (3, 0), "while True: pass\n")
        endless = editor.command("runpen.runFile", {"uri": URI, "stdin": ""})["runId"]
        [counted] = [server for server in servers(environment) if server["pid"] == editor.process.pid]
        equal([run["runId"] for run in counted["runs"]], [endless], "runs in flight")
        editor.command("runpen.cancel", {"runId": endless})
        editor.events(endless)
        known = {server["pid"]: server for server in servers(environment)}
        equal(set(known), {editor.process.pid, other.process.pid}, "servers")
        assert "engine" not in known[other.process.pid] and known[other.process.pid]["metrics"]["languages"] == {}
        counted = known[editor.process.pid]
        assert counted["engine"]["version"] and counted["runs"] == [], counted
        python = counted["metrics"]["languages"]["python"]
        equal(python["runs"], {"exited": 2, "cancelled": 1}, "runs by outcome")
        equal((python["duration"]["count"], python["firstByte"]["count"]), (3, 2), "latencies")
        equal(python["poolHits"] + python["poolMisses"], 3, "hits and misses")
        equal(python["stdoutBytes"], 200, "bytes")
        seen = samples(counted["metricsEndpoint"])
        language = ("language", "python")
        equal(seen["runpen_runs_total", (language, ("outcome", "exited"))], 2, "a counter")
        equal(seen["runpen_run_first_byte_seconds_count", (language,)], 2, "a histogram")
        equal(seen["runpen_run_duration_seconds_bucket", (language, ("le", "+Inf"))], 3, "its last bucket")
        equal(seen["runpen_output_bytes_total", (language, ("stream", "stdout"))], 200, "bytes")
        equal(seen["runpen_engine_up", ()], 1, "the engine")
        assert abs(seen["runpen_run_duration_seconds_sum", (language,)] - python["duration"]["sumSeconds"]) < 1e-6
        rebound = urllib.request.Request(counted["metricsEndpoint"], headers={"Host": "evil.example"})
        try:
            raise AssertionError(urllib.request.urlopen(rebound, timeout=60).read())
        except urllib.error.HTTPError as refused:
            equal(refused.code, 403, "another name for the loopback")
        other.kill()
        equal([server["pid"] for server in servers(environment)], [editor.process.pid], "after a kill")
        assert f"server {editor.process.pid}, runpen" in status(environment)
        equal(editor.leave(), 0, "exit code")
        equal(status(environment), "no server runs\n", "in the end")
