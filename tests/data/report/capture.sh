#!/bin/sh
# Runs every `<language>/<case>.src` in this folder with the real tools, by the steps of `src/languages.toml`, and keeps
# what they print in `<case>.<variant>.<phase>.err`. Its first line says which tool printed it, where the program lay, and
# how the tool ended; the rest is untouched. `<case>.name` names the program's file; `capture: FLAGS` in a source's first
# line adds flags to its compiler.
#
#   capture.sh [LANGUAGE[/CASE]]...       needs a Docker engine and the images of the test machine (`tests/run.sh --setup-only`)
#   CAPTURE_PYTHONS="3.11=/prefix ..."    also with these interpreters, mounted into the Python image
exec python3 - "$(dirname "$0")" "$@" <<'EOF'
import json, os, pathlib, shlex, subprocess, sys, tempfile, tomllib

here = pathlib.Path(sys.argv[1]).resolve()
wanted = sys.argv[2:]
table = tomllib.loads((here / "../../../src/languages.toml").read_text())
VERSION = {"python": "python3 --version", "node": "node --version", "java": "javac -version", "cpp": "g++ --version",
           "go": "go version", "bash": "bash --version", "dash": "dpkg-query -W dash", "busybox": "busybox | head -1"}
VARIANTS = {
    "python": [("3.13", "runpen-test/python:3.13", {}, [])],
    "node": [("20", "runpen-test/node:20", {}, [])],
    "java": [("21", "runpen-test/java:21", {}, [])],
    "cpp": [("14", "runpen-test/gcc:14", {}, []),
            ("14-json", "runpen-test/gcc:14", {"-fdiagnostics-column-unit=byte": "-fdiagnostics-format=json"}, [])],
    "go": [("1.24", "runpen-test/golang:1.24", {}, [])],
    "shell": [("bash", "runpen-test/shell:13", {"sh": "bash"}, []), ("dash", "runpen-test/shell:13", {"sh": "dash"}, []),
              ("busybox", "runpen-test/alpine:3.23", {}, [])],
}
# One variant each: the tool that tells its version, and the image.
ONE = {
    "typescript": ("deno --version", "2.9", "deno:2.9"), "c": ("gcc --version", "14", "gcc:14"),
    "rust": ("rustc --version", "1.85", "native:13"), "d": ("ldc2 --version", "1.40", "native:13"),
    "fortran": ("gfortran --version", "14", "native:13"), "ruby": ("ruby --version", "3.3", "scripts:13"),
    "php": ("php --version", "8.4", "scripts:13"), "perl": ("dpkg-query -W perl", "5.40", "scripts:13"),
    "lua": ("lua -v", "5.4", "scripts:13"), "sql": ("sqlite3 --version", "3.46", "scripts:13"),
    "prolog": ("swipl --version", "9.2", "scripts:13"), "erlang": ("erl -version", "27", "scripts:13"),
    "elixir": ("elixir --short-version", "1.18", "scripts:13"), "r": ("Rscript --version", "4.5", "r:4.5"),
    "haskell": ("ghc --version", "9.6", "functional:13"), "ocaml": ("ocamlopt -version", "5.3", "functional:13"),
    "nim": ("nim --version", "1.6", "nim:1.6"), "zig": ("zig version", "0.15", "zig:0.15"),
    "csharp": ("mcs --version", "6.12", "mono:6.12"), "kotlin": ("kotlinc -version", "2.4", "kotlin:2.4"),
}
for language, (command, variant, image) in ONE.items():
    VERSION[language] = command
    VARIANTS[language] = [(variant, f"runpen-test/{image}", {}, [])]
VARIANTS["awk"] = [("gawk", "runpen-test/scripts:13", {"awk": "gawk"}, []), ("mawk", "runpen-test/scripts:13", {"awk": "mawk"}, []),
                   ("busybox", "runpen-test/alpine:3.23", {}, [])]
VERSION |= {"gawk": "gawk --version", "mawk": "mawk --version"}
ROW = {"node": "javascript"}
for pair in os.environ.get("CAPTURE_PYTHONS", "").split():
    name, prefix = pair.split("=", 1)
    VARIANTS["python"].append((name, "runpen-test/python:3.13", {"python3": f"{prefix}/bin/python3"}, ["-v", f"{prefix}:{prefix}:ro"]))


def docker(image, extra, script, folder):
    command = ["docker", "run", "--rm", "-i", "--init", "--network", "none", "--memory", "1g", "--tmpfs", "/tmp:exec", "-v", f"{folder}:/runpen",
               *extra, image, "sh", "-c", script]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)


def capture(language, case, variant, image, replaced, extra):
    row = table[ROW.get(language, language)]
    source = here / language / f"{case}.src"
    name_file = source.with_suffix(".name")
    name = name_file.read_text().rstrip("\n") if name_file.exists() else row["file-name"]
    first = source.read_text().split("\n", 1)[0]
    flags = first.split("capture:", 1)[1].split() if "capture:" in first else []
    content = source.read_bytes()
    if row.get("strip-carriage-returns"):
        content = content.replace(b"\r\n", b"\n")
    for old in (here / language).glob(f"{case}.{variant}.*.err"):
        old.unlink()
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        (pathlib.Path(folder) / name).write_bytes(content)
        env = " ".join(f"{key}={shlex.quote(value)}" for key, value in row.get("env", {}).items())
        for phase in ("compile", "run"):
            step = row["steps"].get(phase)
            if step is None:
                continue
            words = []
            for word in step:
                if word == "{args}":
                    continue
                word = word.replace("{file}", name).replace("{files}", name).replace("{class}", "Main")
                words += replaced.get(word, word).split(" ") if word in replaced else [word]
            if phase == "compile":
                words[1:1] = flags
            both = "2>&1" if phase == "compile" else "2>&1 >/dev/null"
            tool = VERSION.get(variant, VERSION.get(language))
            tool = " ".join(replaced.get(word, word) for word in tool.split(" "))
            script = f"cd /runpen; exec 3>&1; ({tool}) 2>&1 | head -1; (export {env} RUNPEN=1; ulimit -c 0; {shlex.join(words)}) {both}; echo; echo \"exit=$?\" "
            # The status must be the command's, not the echo's.
            script = script.replace("; echo; echo \"exit=$?\"", "; e=$?; echo; echo \"exit=$e\"")
            printed = docker(image, extra, script, folder).stdout
            version, rest = printed.split(b"\n", 1)
            rest, status = rest.rsplit(b"\nexit=", 1)
            status = int(status)
            if not rest and status == 0:
                continue
            head = {"tool": version.decode(), "phase": phase, "path": f"/runpen/{name}", "exit": status}
            if 128 < status < 128 + 65:
                head["signal"] = status - 128
            target = here / language / f"{case}.{variant}.{phase}.err"
            target.write_bytes(json.dumps(head, ensure_ascii=False).encode() + b"\n" + rest)
            print(target.relative_to(here), status)
            if phase == "compile" and (status or variant.endswith("json")):
                break


for language, variants in VARIANTS.items():
    for source in sorted((here / language).glob("*.src")):
        case = source.stem
        if wanted and language not in wanted and f"{language}/{case}" not in wanted:
            continue
        for variant in variants:
            capture(language, case, *variant)
EOF
