"""Stories of `runpen run`, told to the real binary with a real engine, in the standard library alone.

    python3 tests/stories/cli.py path/to/runpen docker|embedded [--only WORD]

RUNPEN_CONFIG names the configuration with the test images. The stories are the same for every engine. Each ends with
nothing left: no container of Runpen, and on the embedded engine no process.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

BINARY, ENGINE = os.path.abspath(sys.argv[1]), sys.argv[2]
ONLY = sys.argv[4] if sys.argv[3:4] == ["--only"] else ""
FOLDER = tempfile.TemporaryDirectory(prefix="runpen-stories-")
STORIES = []


def story(tell):
    STORIES.append(tell)
    return tell


class Ran:
    def __init__(self, done, seconds):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr.decode(errors="replace")
        self.seconds = seconds

    def events(self):
        return [json.loads(line) for line in self.out.decode().splitlines()]

    def finished(self):
        return self.events()[-1]

    def says(self):
        return [line for line in self.err.splitlines() if line.startswith("runpen: ")]


def runpen(*arguments, stdin=b"", environment=None, engine=ENGINE):
    flags = ["--engine", engine] if arguments[0] == "run" and engine else []
    begun = time.monotonic()
    done = subprocess.run(
        [BINARY, arguments[0], *flags, *map(str, arguments[1:])],
        input=stdin, capture_output=True, cwd=FOLDER.name, timeout=180, env=dict(os.environ, **(environment or {})),
    )
    return Ran(done, time.monotonic() - begun)


def code(language, text, *flags, stdin=None, **more):
    """Runs a text as code, from stdin or, when the program has input of its own, from a file."""
    if stdin is None:
        return runpen("run", *flags[: flags.index("--") if "--" in flags else None], "--lang", language, "-",
                      *(flags[flags.index("--"):] if "--" in flags else ()), stdin=text.encode(), **more)
    return runpen("run", *flags, "--lang", language, write("code.txt", text), stdin=stdin, **more)


def write(name, content):
    path = pathlib.Path(FOLDER.name, name)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def same(seen, wanted, what=""):
    assert seen == wanted, f"{what}: {seen!r} is not {wanted!r}"


def ended(ran, outcome, exit_code, words=()):
    """A broken limit: its exit code, and one line that says so."""
    same(ran.code, exit_code, f"exit code ({ran.err[-300:]})")
    if words:
        same(len(ran.says()), 1, f"one line: {ran.err[-600:]}")
        for word in words:
            assert word in ran.says()[0], f"{word!r} is not in {ran.says()[0]!r}"


LANGUAGES = {
    "python": 'import sys\nprint("é", sys.argv[1:], sys.stdin.read())\nprint("err", file=sys.stderr)\nsys.exit(3)\n',
    "javascript": 'const input = require("fs").readFileSync(0, "utf8");\nconsole.log("é", JSON.stringify(process.argv.slice(2)), input);\nconsole.error("err");\nprocess.exit(3);\n',
    "shell": 'read -r input\nprintf "é %s|%s %s\\n" "$1" "$2" "$input"\necho err >&2\nexit 3\n',
    "cpp": '#include <iostream>\n#include <string>\nint main(int, char** v) {\n  std::string s;\n  std::getline(std::cin, s);\n  std::cout << "é " << v[1] << "|" << v[2] << " " << s << "\\n";\n  std::cerr << "err\\n";\n  return 3;\n}\n',
    "go": 'package main\n\nimport (\n\t"bufio"\n\t"fmt"\n\t"os"\n)\n\nfunc main() {\n\tline, _ := bufio.NewReader(os.Stdin).ReadString(10)\n\tfmt.Print("é ", os.Args[1], "|", os.Args[2], " ", line)\n\tfmt.Fprintln(os.Stderr, "err")\n\tos.Exit(3)\n}\n',
    "java": 'import java.util.Scanner;\n\npublic class Hello {\n  public static void main(String[] a) {\n    System.out.println("é " + a[0] + "|" + a[1] + " " + new Scanner(System.in).nextLine());\n    System.err.println("err");\n    System.exit(3);\n  }\n}\n',
}
NAMES = {"python": "hello.py", "javascript": "hello.js", "shell": "hello.sh", "cpp": "hello.cpp", "go": "hello.go", "java": "Hello.java"}


@story
def every_language_has_arguments_input_both_streams_and_its_exit_code():
    for language, text in LANGUAGES.items():
        ran = runpen("run", "--timeout", "30s", write(NAMES[language], text), "--", "a b", "c", stdin=b"in\n")
        same(ran.code, 3, f"{language} {ran.err[-600:]}")
        out = ran.out.decode()
        for word in ("é", "a b", "c", "in"):
            assert word in out, f"{language}: {word!r} is not in {out!r}"
        assert "err" in ran.err.splitlines(), f"{language}: {ran.err!r}"


@story
def events_come_in_order_with_one_end_and_a_receipt():
    for language, text in LANGUAGES.items():
        ran = runpen("run", "--json", "--timeout", "30s", write(NAMES[language], text), "--", "a", "b", stdin=b"in\n")
        events = ran.events()
        same(events[0]["event"], "started", language)
        same([event["event"] for event in events].count("finished"), 1, language)
        same([event["seq"] for event in events if event["event"] == "output"], list(range(sum(event["event"] == "output" for event in events))), language)
        end = events[-1]
        same((end["outcome"], end["exitCode"]), ("exited", 3), language)
        same(end["sandbox"]["engine"], ENGINE, language)
        compiled = language in ("cpp", "go", "java")
        same([phase["name"] for phase in end["phases"]], ["compile", "run"] if compiled else ["run"], language)
        for phase in end["phases"]:
            assert phase["wallMs"] > 0 and phase.get("cpuMs", 0) > 0, f"{language}: {phase}"


@story
def output_streams_as_it_is_printed():
    process = subprocess.Popen(
        [BINARY, "run", "--engine", ENGINE, "--lang", "python", "-"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=FOLDER.name,
    )
    process.stdin.write(b"import time\nprint('now')\ntime.sleep(5)\nprint('later')\n")
    process.stdin.close()
    begun = time.monotonic()
    same(process.stdout.readline(), b"now\n")
    first = time.monotonic()
    same(process.stdout.read(), b"later\n")
    assert time.monotonic() - first > 3, "the first line came when it was printed"
    assert first - begun < 60
    same(process.wait(60), 0)


@story
def bytes_come_out_as_they_went_in():
    every = bytes(range(256)) * 500
    ran = code("python", "import sys\nsys.stdout.buffer.write(sys.stdin.buffer.read())\n", stdin=every)
    same((ran.code, ran.out == every), (0, True), ran.err)


@story
def a_refused_program_names_its_line_and_does_not_run():
    for language, text, line in [
        ("cpp", "int main() {\n  return missing;\n}\n", 1),
        ("go", "package main\n\nfunc main() {\n\tmissing()\n}\n", 3),
        ("java", "class Main {\n  public static void main(String[] a) {\n    missing();\n  }\n}\n", 2),
    ]:
        ran = code(language, text, "--json", "--timeout", "30s")
        end = ran.finished()
        same(end["outcome"], "compile_failed", language)
        assert ran.code not in (0, 125), f"{language}: {ran.code}"
        ranges = [one["range"] for one in end["diagnostics"] if one["severity"] == "error"]
        start = text.splitlines()[line].index("missing")
        same(ranges, [{"start": {"line": line, "character": start}, "end": {"line": line, "character": start + 7}}], language)
        plain = code(language, text, "--timeout", "30s")
        assert "missing" in plain.err, f"{language}: {plain.err!r}"


@story
def an_endless_printer_keeps_its_output():
    ran = code("python", "while True: print('x' * 99)\n")
    ended(ran, "output_limit", 137, ["1M", "output-limit"])
    same(len(ran.out), 1024 * 1024)


@story
def an_allocator_is_out_of_memory():
    ended(code("python", "x = []\nwhile True: x.append('a' * 10**6)\n"), "out_of_memory", 137, ["128M", "memory"])
    ended(code("python", "x = []\nwhile True: x.append('a' * 10**6)\n", "--memory", "64M"), "out_of_memory", 137, ["64M"])


@story
def a_child_that_was_killed_for_memory_is_told_too():
    text = "import subprocess, sys\nprint(subprocess.run([sys.executable, '-c', \"x = 'a' * 10**9\"]).returncode, flush=True)\n"
    end = code("python", text, "--json").finished()
    same(end["outcome"], "out_of_memory")


@story
def exit_codes_that_look_like_signals_are_not_signals():
    for status in (124, 137, 139, 255):
        end = code("python", f"import sys\nsys.exit({status})\n", "--json").finished()
        same((end["outcome"], end.get("exitCode"), end.get("signal")), ("exited", status, None))
    for signal in (9, 11, 15):
        ran = code("python", f"import os\nos.kill(os.getpid(), {signal})\n", "--json")
        end = ran.finished()
        same((end["outcome"], end.get("signal"), ran.code), ("signaled", signal, 128 + signal))


@story
def a_sleeper_that_ignores_sigterm_ends_on_time():
    ran = code("shell", "trap '' TERM\necho before\nwhile :; do sleep 1; done\n", "--timeout", "2s")
    ended(ran, "timed_out", 124, ["2s", "timeout"])
    same(ran.out, b"before\n")
    assert ran.seconds < 20, ran.seconds


@story
def a_fork_bomb_is_bounded():
    text = "import os\nwhile True:\n  try:\n    os.fork()\n  except OSError:\n    pass\n"
    ran = code("python", text, "--timeout", "3s")
    ended(ran, "timed_out", 124, ["3s"])
    assert ran.seconds < 40, ran.seconds


@story
def a_double_fork_that_holds_stdout_does_not_hold_the_run():
    text = "import os, time\nprint('main', flush=True)\nif os.fork() == 0:\n  os.setsid()\n  if os.fork() == 0:\n    time.sleep(1000)\n  os._exit(0)\nos.wait()\n"
    ran = code("python", text, "--timeout", "20s")
    same((ran.code, ran.out), (0, b"main\n"), ran.err)
    assert ran.seconds < 15, ran.seconds


@story
def full_folders_say_so_and_kill_nobody():
    text = """
import os
for folder in ("/tmp", "/var/tmp", "/dev/shm", os.getcwd()):
    try:
        with open(folder + "/fill", "wb") as file:
            while True:
                file.write(b"x" * 65536)
    except OSError as error:
        print(folder, error.strerror)
"""
    ran = code("python", text)
    same(ran.code, 0, ran.err)
    same(ran.out.count(b"No space left on device"), 4, ran.out.decode())


@story
def nothing_of_the_machine_is_seen():
    secret = write("secret.txt", "the secret of this machine")
    text = f"""
import glob, os, socket
print([os.environ.get(name) for name in ("RUNPEN_CONFIG", "SECRET", "USER")])
print(os.path.exists({str(secret)!r}), os.path.exists("/root/.cargo"), os.path.exists("/var/run/docker.sock"))
print(os.getuid(), os.getgid(), sorted(os.listdir("/sys/class/net")) if os.path.exists("/sys/class/net") else ["lo"])
print(len(open("/proc/net/route").readlines()))
probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
try:
    probe.connect(("192.0.2.1", 9))
    print("routed")
except OSError as error:
    print("no route")
print([line.split()[1] for line in open("/proc/self/status") if line.startswith(("CapEff", "NoNewPrivs", "Seccomp:"))])
"""
    ran = code("python", text, environment={"SECRET": "x"})
    same(ran.code, 0, ran.err)
    same(ran.out.decode().splitlines(), [
        "[None, None, None]", "False False False", "65534 65534 ['lo']", "1", "no route", "['0000000000000000', '1', '2']",
    ])


@story
def bad_input_is_one_line_with_its_exit_code():
    folder = pathlib.Path(FOLDER.name)
    ok = write("ok.py", "print(1)\n")
    cases = [
        (2, ["run", folder / "missing.py"], ["missing.py"]),
        (2, ["run", folder], ["folder"]),
        (2, ["run", write("large.py", b"#" * 50_000_000)], ["8M"]),
        (2, ["run", write("binary.py", b"a\0b")], ["NUL"]),
        (2, ["run", write("latin.py", "é".encode("latin-1"))], ["UTF-8"]),
        (2, ["run", write("empty.py", "")], ["empty"]),
        (2, ["run", write("page.xyz", "x")], ["--lang"]),
        (2, ["run", "--lang", "cobol", ok], ["cobol", "python"]),
        (2, ["run", "--timeout", "0", ok], ["--timeout"]),
        (2, ["run", "--memory", "5x", ok], ["--memory", "64M"]),
        (2, ["run", "--memory", "1K", ok], ["--memory"]),
        (2, ["run", "--cpus", "0", ok], ["--cpus"]),
        (2, ["run", "--lines", "9-12", ok], ["line 9"]),
        (2, ["run", "--network", "host", ok], ["bridge"]),
        (2, ["run", "--stdin", folder / "none.txt", ok], ["none.txt"]),
        (2, ["rum"], ["rum"]),
    ]
    for exit_code, arguments, words in cases:
        ran = runpen(*arguments)
        same(ran.code, exit_code, f"{arguments} {ran.err}")
        same((len(ran.err.strip().splitlines()), ran.out), (1, b""), f"{arguments} {ran.err}")
        for word in words:
            assert word in ran.err, f"{arguments}: {word!r} is not in {ran.err!r}"
    gone = runpen("run", ok, engine="docker", environment={"DOCKER_HOST": "unix:///nowhere/docker.sock"})
    ended(gone, "engine_failure", 125, ["/nowhere/docker.sock", "start"])


@story
def a_shebang_names_the_language():
    ran = runpen("run", write("tool", "#!/usr/bin/env -S python3 -u\nprint(6 * 7)\n"))
    same((ran.code, ran.out), (0, b"42\n"), ran.err)


@story
def lines_of_a_file_run_with_its_imports_and_errors_at_its_lines():
    path = write("part.py", "import math\n\ndef f():\n    x = math.pi\n    print(int(x) + 39)\n    print(undefined)\n")
    end = runpen("run", "--json", "--lines", "4-6", path)
    said = [event["text"] for event in end.events() if event["event"] == "output" and event["stream"] == "stdout"]
    # Python writes the text and its line end apart: two events where the machine is busy between them.
    same("".join(said), "42\n")
    same([one["range"]["start"] for one in end.finished()["diagnostics"]], [{"line": 5, "character": 10}])


@story
def a_project_tightens_and_cannot_loosen():
    project = pathlib.Path(FOLDER.name, "project")
    project.mkdir(exist_ok=True)
    (project / ".runpen.toml").write_text('timeout = "1s"\nnetwork = "bridge"\nmemory = "4G"\n[languages.python]\nimage = "evil:1"\n')
    (project / "sleep.py").write_text("import time\ntime.sleep(60)\n")
    ran = runpen("run", project / "sleep.py")
    same(ran.code, 124, ran.err)
    assert "network" in ran.err and "languages" in ran.err, ran.err


@story
def an_interrupted_run_leaves_nothing():
    import signal

    process = subprocess.Popen(
        [BINARY, "run", "--engine", ENGINE, "--lang", "python", "-"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=FOLDER.name,
    )
    process.stdin.write(b"import time\nprint('up')\ntime.sleep(1000)\n")
    process.stdin.close()
    same(process.stdout.readline(), b"up\n")
    process.send_signal(signal.SIGINT)
    same(process.wait(60), 130)


@story
def a_killed_runpen_leaves_nothing_that_the_next_does_not_remove():
    process = subprocess.Popen(
        [BINARY, "run", "--engine", ENGINE, "--timeout", "2s", "--lang", "python", "-"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=FOLDER.name,
    )
    process.stdin.write(b"print('up')\nwhile True: pass\n")
    process.stdin.close()
    same(process.stdout.readline(), b"up\n")
    process.kill()
    process.wait(60)
    deadline = time.monotonic() + 30
    while running():
        assert time.monotonic() < deadline, f"still running after its limit: {running()}"
        time.sleep(0.2)
    same(runpen("gc").code, 0)


@story
def twenty_at_once_all_end_rightly():
    processes = []
    for number in range(20):
        path = write(f"n{number}.py", f"print({number})\nraise SystemExit({number})\n")
        processes.append(subprocess.Popen(
            [BINARY, "run", "--engine", ENGINE, "--timeout", "30s", path],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        ))
    for number, process in enumerate(processes):
        out, err = process.communicate(timeout=180)
        same((process.returncode, out), (number, f"{number}\n".encode()), err.decode())


def containers(*flags):
    if ENGINE != "docker":
        return []
    listed = subprocess.run(
        ["docker", "ps", *flags, "--filter", "label=dev.runpen.owner", "--format", "{{.Names}} {{.Status}}"],
        check=True, capture_output=True, text=True,
    )
    # Docker 20.10 may go on listing one that it has removed, without a name, and knows nothing of it when asked.
    return [line for line in listed.stdout.splitlines() if not line.startswith(" ")]


def running():
    return containers()


def main():
    failed = passed = 0
    before = containers("-a")
    for tell in STORIES:
        name = tell.__name__.replace("_", " ")
        if ONLY not in name:
            continue
        begun = time.monotonic()
        try:
            tell()
            left = [one for one in containers("-a") if one.split()[0] not in {line.split()[0] for line in before}]
            assert not left, f"left behind: {left}"
        except (AssertionError, subprocess.TimeoutExpired, KeyError, ValueError, IndexError) as error:
            failed += 1
            print(f"FAILED {name}\n    {type(error).__name__}: {error}", flush=True)
        else:
            passed += 1
            print(f"ok     {name} ({time.monotonic() - begun:.1f} s)", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
