"""Stories of engines elsewhere, told to the real binary, in the standard library alone.

    python3 tests/engines/stories.py path/to/runpen LAB [--only WORD]

LAB is the folder that tests/engines/lab.sh has made. A story that cuts the link mends it again.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True  # nothing is written into the checkout
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lsp"))
from client import Client, printed  # noqa: E402
from relay import Relay  # noqa: E402
from tally import Tally  # noqa: E402

BINARY, LAB = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2])
ONLY = sys.argv[4] if sys.argv[3:4] == ["--only"] else ""
ADDRESS, NAMESPACE = os.environ.get("lab_address", "10.213.7.2"), os.environ.get("lab_namespace", "runpen-far")
NEAR, FAR = os.environ.get("lab_near", "runpen-near0"), os.environ.get("lab_far", "runpen-far0")
FAR_SOCKET = f"unix://{LAB}/far/docker.sock"
STORIES = []
PATIENCE = 120

CONFIG = LAB / "config.toml"
IMAGES = '[languages.python]\nimage = "runpen-test/python:3.13"\n[languages.shell]\nimage = "runpen-test/alpine:3.23"\n'
CONFIG.write_text(IMAGES)

TLS = {"DOCKER_HOST": f"tcp://{ADDRESS}:2376", "DOCKER_CERT_PATH": f"{LAB}/tls/client", "DOCKER_TLS_VERIFY": "1"}
SSH = {"DOCKER_HOST": f"ssh://big{LAB}/far/docker.sock", "PATH": f"{LAB}/bin:{os.environ['PATH']}"}
PODMAN = {"DOCKER_HOST": f"unix://{LAB}/podman.sock"}


def story(tell):
    STORIES.append(tell)
    return tell


def surroundings(more, config=None):
    env = {name: value for name, value in os.environ.items() if not name.startswith("DOCKER_")}
    path = CONFIG
    if config is not None:
        path = LAB / f"config-{abs(hash(config))}.toml"
        path.write_text(config + "\n" + IMAGES)
    return dict(env, RUNPEN_CONFIG=str(path), RUNPEN_CACHE_DIR=f"{LAB}/cache", DOCKER_CONFIG=f"{LAB}/no-docker", **more)


class Ran:
    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    def finished(self):
        lines = self.out.splitlines()
        assert lines, self.err
        return json.loads(lines[-1])


def runpen(*arguments, engine, config=None, stdin=""):
    done = subprocess.run([BINARY, *arguments], input=stdin, capture_output=True, text=True, timeout=PATIENCE,
                          env=surroundings(engine, config))
    return Ran(done)


def python(text, *flags, engine, config=None):
    return runpen("run", *flags, "--engine", "docker", "--lang", "python", "-", engine=engine, config=config, stdin=text)


def docker(*arguments, host=FAR_SOCKET):
    done = subprocess.run(["docker", "-H", host, *arguments], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, f"docker {arguments}: {done.stderr}"
    return done.stdout


def ours(host=FAR_SOCKET):
    """Containers of Runpen at an engine that nobody but this suite uses."""
    return docker("ps", "-a", "--filter", "label=dev.runpen.owner", "--format", "{{.Names}}", host=host).split()


def until(what, condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {PATIENCE} s"
        time.sleep(0.1)


def link(state):
    subprocess.run(["ip", "link", "set", NEAR, state], check=True)


@story
def a_program_runs_over_tls_and_over_ssh():
    for name, engine in [("TLS", TLS), ("SSH", SSH)]:
        ran = python("import sys; print(6*7); print('err', file=sys.stderr); sys.exit(3)", engine=engine)
        assert (ran.code, ran.out, ran.err) == (3, "42\n", "err\n"), (name, ran.code, ran.out, ran.err)
        program = LAB / "echo.py"
        program.write_text("import sys\nfor line in sys.stdin: print(len(line), flush=True)\n")
        ran = runpen("run", "--engine", "docker", str(program), engine=engine, stdin="a\n" + "b" * 100000 + "\n")
        assert (ran.code, ran.out) == (0, "2\n100001\n"), (name, ran.code, ran.out[:200], ran.err)
        assert ours() == [], name


@story
def a_context_brings_its_certificates_and_doctor_says_why_it_was_chosen():
    folder = LAB / "docker-config"
    run = dict(os.environ, DOCKER_CONFIG=str(folder))
    files = ",".join(f"{name}={LAB}/tls/client/{file}" for name, file in
                     [("ca", "ca.pem"), ("cert", "cert.pem"), ("key", "key.pem")])
    run.pop("DOCKER_HOST", None)
    subprocess.run(["docker", "context", "create", "big", "--docker", f"host=tcp://{ADDRESS}:2376,{files}"], env=run,
                   check=True, capture_output=True)
    subprocess.run(["docker", "context", "use", "big"], env=run, check=True, capture_output=True)
    engine = {"DOCKER_CONFIG": str(folder)}
    env = {name: value for name, value in surroundings({}).items() if name != "DOCKER_CONFIG"} | engine
    done = subprocess.run([BINARY, "doctor", "--json"], env=env, capture_output=True, text=True, timeout=PATIENCE)
    report = json.loads(done.stdout)
    assert done.returncode == 0, done.stdout
    used = [row for row in report["candidates"] if row["used"]]
    assert [row["endpoint"] for row in used] == [f"tcp://{ADDRESS}:2376"], used
    assert "context big" in used[0]["reason"] and "config.json" in used[0]["reason"], used
    home = [row for row in report["candidates"] if row["endpoint"] == "unix:///var/run/docker.sock"]
    assert home and home[0]["answers"] and not home[0]["used"] and "names another" in home[0]["reason"], home
    pinned = python("print(1)", engine={"DOCKER_HOST": "unix:///nonexistent.sock"}, config=f'docker-host = "{FAR_SOCKET}"')
    assert (pinned.code, pinned.out) == (0, "1\n"), pinned.err


@story
def a_server_that_the_certificates_do_not_vouch_for_gets_no_code():
    ran = python("print(1)", engine=dict(TLS, DOCKER_CERT_PATH=f"{LAB}/tls/stranger"))
    assert ran.code == 125 and ran.out == "", (ran.code, ran.out)
    assert "certificate" in ran.err and len(ran.err.splitlines()) == 1, ran.err


@story
def a_hostile_address_is_no_option_of_ssh():
    mark = LAB / "marked"
    for host in [f"ssh://-oProxyCommand=touch${{IFS}}{mark}", f"ssh://big/$(touch {mark})", "ssh://nowhere.invalid"]:
        ran = python("print(1)", engine=dict(SSH, DOCKER_HOST=host))
        assert ran.code == 125 and len(ran.err.splitlines()) == 1, (host, ran.code, ran.err)
    assert not mark.exists()


@story
def a_link_that_is_cut_ends_the_run_and_what_is_left_is_swept():
    for name, engine in [("TLS", TLS), ("SSH", SSH)]:
        command = [BINARY, "run", "--json", "--engine", "docker", "--timeout", "10m", "--lang", "python", "-"]
        run = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env=surroundings(engine))
        try:
            run.stdin.write("import time\nprint('up', flush=True)\ntime.sleep(600)\n")
            run.stdin.close()
            while "up" not in (line := run.stdout.readline()):
                assert line, run.stderr.read()
            labels = json.loads(docker("inspect", ours()[0]))[0]["Config"]["Labels"]
            assert labels["dev.runpen.host"] == os.uname().nodename, labels
            link("down")
            cut = time.monotonic()
            rest = run.stdout.read()
            noticed = time.monotonic() - cut
            code = run.wait(PATIENCE)
            ended = time.monotonic() - cut
        finally:
            link("up")
            run.kill()
        finished = json.loads(rest.splitlines()[-1])
        assert (finished["outcome"], code) == ("engine_failure", 125), finished
        print(f"    {name}: noticed after {noticed:.1f} s, ended after {ended:.1f} s")
        # 4.6 s by its own count, and room for a machine that is busy.
        assert ended < 7, ended
        # The wire needs a moment to come up again, and until then nothing is known of the other end.
        until("the link is back", lambda: python("print(1)", engine=engine).code == 0)
        # Once is not enough for what a dead process had sent and the link held back.
        until("nothing is left at the far end", lambda: runpen("gc", engine=engine).code == 0 and ours() == [])


def editor(engine, config=""):
    """A server with a warm pool at an engine, and what waits in it."""
    client = Client(BINARY, surroundings(engine, 'engine = "docker"\n' + config))
    client.initialize()
    return client, lambda: sum(row["waiting"] for row in client.command("runpen.status")["pool"])


def leave(client, name):
    client.process.stdin.close()
    client.process.wait(PATIENCE)
    until(f"{name}: nothing is left", lambda: ours() == [])


@story
def a_link_of_50_ms_costs_one_round_trip_and_everything_works_over_it():
    round_trip = 0.05
    with Relay((ADDRESS, 2376), round_trip) as relay:
        client, waiting = editor(dict(TLS, DOCKER_HOST=f"tcp://127.0.0.1:{relay.port}"))
        uri = "file:///far/main.py"

        def begin(text, **more):
            begun = time.monotonic()
            run = client.command("runpen.runFile", {"uri": uri, **more})["runId"]
            client.says(run, text)
            return run, time.monotonic() - begun

        try:
            client.open(uri, "python", "print('first', flush=True)\n")
            client.events(begin("first")[0])
            firsts = []
            for _ in range(5):
                until("the pool is full", lambda: waiting() == 2)
                run, first = begin("first")
                events = client.events(run)
                assert events[0]["warm"] and events[-1]["outcome"] == "exited", events
                firsts.append(first)
            print(f"    warm first byte: {min(firsts) * 1000:.0f} ms at best, {max(firsts) * 1000:.0f} ms at worst")
            assert round_trip < min(firsts) < 2 * round_trip, firsts

            client.change(uri, 2, (0, 0), (1, 0), "import time\nfor n in range(4): print(n, flush=True); time.sleep(0.3)\n")
            events = client.run("runpen.runFile", uri=uri)
            pieces = [event["text"] for event in events if event["event"] == "output"]
            assert pieces == ["0\n", "1\n", "2\n", "3\n"], pieces

            client.change(uri, 3, (0, 0), (2, 0), "print('ready', flush=True)\nprint(input()[::-1])\n")
            run, _ = begin("ready")
            client.command("runpen.sendInput", {"runId": run, "text": "edoc\n", "eof": True})
            assert printed(client.events(run)) == "ready\ncode\n"

            client.change(uri, 4, (1, 0), (2, 0), "while True: pass\n")
            run, _ = begin("ready")
            begun = time.monotonic()
            client.command("runpen.cancel", {"runId": run})
            assert client.events(run)[-1]["outcome"] == "cancelled"
            assert time.monotonic() - begun < 5
        finally:
            leave(client, "a delayed link")


class Throttle:
    """Bounds the rate of the wire in one direction, by the kernel. `bloat` is how long what is sent may wait in line."""

    def __init__(self, megabits, bloat, towards="near"):
        # What leaves a device is what can be bounded.
        inside = ["nsenter", f"--net=/run/netns/{NAMESPACE}"] if towards == "near" else []
        device = FAR if towards == "near" else NEAR
        self.tc = [*inside, "tc", "qdisc"], ["dev", device, "root"]
        self.rate = ["tbf", "rate", f"{megabits}mbit", "burst", "64kb", "latency", f"{bloat}ms"]

    def __enter__(self):
        subprocess.run([*self.tc[0], "add", *self.tc[1], *self.rate], check=True)

    def __exit__(self, *_):
        subprocess.run([*self.tc[0], "del", *self.tc[1]], check=True)


@story
def twenty_megabytes_over_a_throttled_link_stay_in_order_while_the_editor_is_answered():
    client, _ = editor(TLS, 'output-limit = "32M"\ntimeout = "2m"\n')
    uri, lines, size = "file:///flood/main.py", 20_000, 1000
    try:
        client.open(uri, "python", f"for n in range({lines}): print(str(n).zfill({size - 1}))\n")
        with Throttle(24, 300):
            begun = time.monotonic()
            run = client.command("runpen.runFile", {"uri": uri})["runId"]
            client.says(run, "0" * 100)
            answers = []
            while not client.notifications("runpen/finished"):
                asked = time.monotonic()
                client.request("textDocument/codeLens", {"textDocument": {"uri": uri}})
                answers.append(time.monotonic() - asked)
                time.sleep(0.1)
            took = time.monotonic() - begun
        events = client.events(run)
        assert events[-1]["outcome"] == "exited", events[-1]
        numbers = [event["seq"] for event in events if event["event"] == "output"]
        assert numbers == list(range(len(numbers))), "a gap"
        assert printed(events) == "".join(f"{str(n).zfill(size - 1)}\n" for n in range(lines))
        print(f"    {took:.1f} s; {len(answers)} answers meanwhile, the slowest after {max(answers) * 1000:.0f} ms")
        # Faster than the wire allows would mean that it was not throttled.
        assert took > 4 and max(answers) < 2, (took, max(answers))
    finally:
        leave(client, "a throttled link")


@story
def a_link_so_slow_that_no_question_is_answered_in_time_is_not_taken_for_dead():
    # A question stands in line behind three seconds of output; or behind all that the program is given to read.
    begun = time.monotonic()
    with Throttle(1, 3000):
        ran = python("print('x' * 800_000)", "--json", "--timeout", "1m", engine=TLS)
    took = time.monotonic() - begun
    assert ran.finished()["outcome"] == "exited" and took > 4, (took, ran.finished())
    program = LAB / "count.py"
    program.write_text("import sys\nprint(len(sys.stdin.buffer.read()))\n")
    with Throttle(1, 3000, towards="far"):
        ran = runpen("run", "--engine", "docker", "--timeout", "1m", str(program), engine=TLS, stdin="x" * 800_000)
    assert (ran.code, ran.out) == (0, "800000\n"), (ran.code, ran.out, ran.err)
    until("nothing is left", lambda: ours() == [])


@story
def the_pool_fills_again_after_the_daemon_was_restarted():
    client, waiting = editor({"DOCKER_HOST": FAR_SOCKET})
    command = client.command
    try:
        uri = "file:///pool/main.py"
        client.notify("textDocument/didOpen", {"textDocument": {"uri": uri, "languageId": "python", "version": 1,
                                                                "text": "print('ran')\n"}})
        assert command("runpen.runFile", {"uri": uri, "wait": True})["stdout"] == "ran\n"
        until("the pool is full", lambda: waiting() == 2)
        pid = int((LAB / "far/started").read_text())
        os.kill(pid, signal.SIGTERM)
        until("the daemon is gone", lambda: not pathlib.Path(f"/proc/{pid}").exists()
              or pathlib.Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z")
        until("its containers are seen to be gone", lambda: waiting() == 0)
        with open(LAB / "far/log", "a") as log:
            again = subprocess.Popen([LAB / "far/start"], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                     start_new_session=True)
        (LAB / "far/started").write_text(str(again.pid))
        until("the pool is full again, with nothing asked of it", lambda: waiting() == 2)
        finished = command("runpen.runFile", {"uri": uri, "wait": True})
        assert finished["stdout"] == "ran\n", finished
    finally:
        leave(client, "a daemon that was restarted")


@story
def gvisor_is_used_where_it_is_listed_and_refused_where_it_is_not():
    engine = {"DOCKER_HOST": FAR_SOCKET}
    for isolation in ["gvisor", "auto"]:
        ran = python("import platform; print(platform.version())", "--json", engine=engine, config=f'isolation = "{isolation}"')
        sandbox = ran.finished()["sandbox"]
        assert ran.code == 0 and sandbox["runtime"] == "runsc", (ran.code, ran.out, ran.err)
        assert any(line.startswith("processes: gVisor") for line in sandbox["missing"]), sandbox["missing"]
    report = runpen("doctor", "--json", engine=engine, config='isolation = "gvisor"')
    assert report.code == 0, report.out
    ran = python("x = bytearray(1 << 30)", "--json", engine=engine, config='isolation = "gvisor"')
    assert ran.finished()["outcome"] in ("out_of_memory", "exited") and ran.code != 0, ran.out
    refused = python("print(1)", engine=PODMAN, config='isolation = "kata"')
    assert (refused.code, refused.out) == (125, ""), refused.out
    assert "has no Kata Containers" in refused.err and len(refused.err.splitlines()) == 1, refused.err
    assert ours() == [], ours()


@story
def languages_run_in_gvisor_with_all_of_their_memory():
    config = 'isolation = "gvisor"\n' + "".join(f'[languages.{language}]\nimage = "runpen-test/{image}"\n' for language, image in
                                              [("javascript", "node:20"), ("c", "gcc:14"), ("java", "java:21")])
    programs = {
        # The room of gVisor's kernel is beside the 128 MiB of the program.
        "python": "x = b'x' * (100 << 20); print(6 * 7)",
        "javascript": "const x = Buffer.alloc(60 << 20, 'x'); console.log(6 * 7)",
        "c": '#include <stdio.h>\nint main(void) { printf("%d\\n", 6 * 7); return 0; }\n',
        "java": "public class Main { public static void main(String[] a) { System.out.println(6 * 7); } }\n",
    }
    for language, program in programs.items():
        ran = runpen("run", "--json", "--engine", "docker", "--timeout", "1m", "--lang", language, "-",
                     engine={"DOCKER_HOST": FAR_SOCKET}, config=config, stdin=program)
        events = [json.loads(line) for line in ran.out.splitlines()]
        assert (events[-1]["outcome"], printed(events)) == ("exited", "42\n"), (language, events[-1], printed(events))
        assert events[-1]["sandbox"]["runtime"] == "runsc", (language, events[-1])
    until("nothing is left", lambda: ours() == [])


@story
def podman_encloses_a_program_and_names_what_it_cannot_give():
    report = json.loads(runpen("doctor", "--json", engine=PODMAN).out)
    bad = [row for row in report["probes"] if not row["ok"] and not row.get("missing")]
    assert report["error"] is None if "error" in report else True, report
    assert bad == [] and len(report["probes"]) > 30, bad
    lacking = sorted({line.split(":")[0] for line in report["sandbox"]["missing"]})
    assert lacking == ["/dev/shm files", "/runpen files", "/tmp files", "/var/tmp files", "cgroup namespace"], report["sandbox"]["missing"]
    # /run is what Podman would make writable by itself.
    ran = python("import os\nfor f in ['/run', '/etc', '/']:\n try: open(f + '/x', 'w')\n except OSError: print('refused')",
                 engine=PODMAN)
    assert ran.out == "refused\nrefused\nrefused\n", ran.out
    refused = python("print(1)", engine=PODMAN, config="strict = true")
    assert (refused.code, refused.out) == (125, ""), refused.out
    assert "/tmp files" in refused.err and len(refused.err.splitlines()) == 1, refused.err
    until("nothing is left", lambda: ours(PODMAN["DOCKER_HOST"]) == [])


@story
def an_image_plants_nothing_in_what_is_empty_under_podman():
    socket = PODMAN["DOCKER_HOST"]
    made = subprocess.run(["docker", "build", "--network", "none", "-q", "-t", "runpen-hostile/planted:1", "-"],
                          input="FROM runpen-test/alpine:3.23\nRUN mkdir -p /data && for d in /tmp /var/tmp "
                                "/data /run; do echo planted > $d/planted; done\nVOLUME /data\n",
                          text=True, capture_output=True, timeout=PATIENCE, env=dict(surroundings({}), DOCKER_BUILDKIT="0"))
    assert made.returncode == 0, made.stderr
    tar = LAB / "planted.tar"
    try:
        subprocess.run(["docker", "save", "-o", tar, "runpen-hostile/planted:1"], check=True, env=surroundings({}))
    finally:
        subprocess.run(["docker", "rmi", "-f", "runpen-hostile/planted:1"], env=surroundings({}), capture_output=True)
    docker("load", "-i", str(tar), host=socket)
    config = '[languages.planted]\nimage = "runpen-hostile/planted:1"\nextensions = ["planted"]\nsteps.run = ["sh", "{file}"]\n'
    program = LAB / "main.planted"
    program.write_text("cat /tmp/planted /var/tmp/planted /data/planted /run/planted 2>/dev/null; echo end\n")
    ran = runpen("run", "--engine", "docker", str(program), engine=PODMAN, config=config)
    assert (ran.code, ran.out) == (0, "end\n"), (ran.code, ran.out, ran.err)


def main():
    tally = Tally()
    for tell in STORIES:
        if ONLY in tell.__name__.replace("_", " "):
            tally.tell(tell)
    return tally.close()


sys.exit(main())
