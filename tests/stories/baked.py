"""A program must not notice that its compiler's headers were compiled before it came: each is compiled both ways and compared.

    python3 tests/stories/baked.py path/to/runpen

One server has a derived image, the other compiles in the image as it is; all that is said must be the same, byte for byte.
"""

import json
import os
import pathlib
import subprocess
import sys

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lsp"))
from client import Client  # noqa: E402

DATA = HERE.parent / "data" / "report" / "cpp"
PROGRAMS = {
    "hello": "#include <iostream>\nint main() { std::cout << 6 * 7 << std::endl; }\n",
    # A note in a header that was compiled ahead: its include chain ends in the program.
    "include chain": "#include <iostream>\nstruct S {};\nint main() { std::cout << S{}; }\n",
    "previous declaration": "#include <iostream>\nint printf;\nnamespace std { int cout; }\nint main() {}\n",
    "not included": "#include <string>\nint main() { std::vector<int> v; std::cout << v.size(); }\n",
    "macros": "#include <string>\n#define TEXT(x) #x\n#define T(x) TEXT(x)\n#include <iostream>\nint main() { std::cout << T(__INCLUDE_LEVEL__) << __COUNTER__; }\n",
    "warning": "#include <vector>\nint main(int argc, char **) { int unused; std::vector<int> v(3); return v.size() < argc; }\n",
    "macro before": "#define _GLIBCXX_ASSERTIONS\n#include <vector>\nint main() { std::vector<int> v; return v[1]; }\n",
    "not there": "#include <iostream>\n#include <not_there>\nint main() {}\n",
    "at runtime": (DATA / "vector_at.src").read_text(),
}


def event(client, text):
    uri = "file:///w/story.cpp"
    client.open(uri, "cpp", text)
    events = client.run("runpen.runFile", uri=uri, stdin="")
    client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
    client.log.clear()
    end = events[-1]
    printed = [[e["text"] for e in events if e["event"] == "output" and e["stream"] == stream] for stream in ("stdout", "stderr")]
    same = {key: end.get(key) for key in ("outcome", "exitCode", "signal", "diagnostics")}
    return events[0]["image"], {**same, "stdout": "".join(printed[0]), "stderr": "".join(printed[1])}


def start(binary, **more):
    client = Client(binary)
    client.initialize(initializationOptions={"engine": "docker", "compileTimeout": "120s", "timeout": "30s", **more})
    return client


def main():
    binary = os.path.abspath(sys.argv[1])
    languages = json.loads(subprocess.check_output([binary, "languages", "--json"], text=True))
    steps = next(language for language in languages if language["name"] == "cpp")["steps"]
    # Steps of one's own are compiled in the image as it is.
    plain, baked = start(binary, languages={"cpp": {"steps": {"compile": steps["compile"]}}}), start(binary)
    image = ""
    for _ in range(60):
        image, _ = event(baked, PROGRAMS["hello"])
        if image.startswith("runpen-baked/cpp:"):
            break
    assert image.startswith("runpen-baked/cpp:"), image
    failed = 0
    for name, text in PROGRAMS.items():
        (one, expected), (other, seen) = event(plain, text), event(baked, text)
        assert other == image != one, (one, other)
        if seen != expected:
            failed += 1
            print(f"FAIL  {name}\n  plain: {expected}\n  baked: {seen}", flush=True)
    flags = [word for word in steps["compile"][1:] if word.startswith("-") and word != "-o"]
    for header in ("iostream", "vector", "string"):
        look = f"cd /tmp && echo '#include <{header}>' >a.cpp && g++ -I/opt/runpen/headers {' '.join(flags)} -H -fsyntax-only a.cpp"
        docker = ["docker", "run", "--rm", "--network", "none", "--entrypoint", "sh", image, "-c", look]
        used = subprocess.run(docker, capture_output=True, text=True, timeout=120).stderr
        if not used.startswith(f"! /opt/runpen/headers/{header}.gch"):
            failed += 1
            print(f"FAIL  <{header}> is compiled anew: {used[:300]}", flush=True)
    plain.leave()
    baked.leave()
    print(f"{len(PROGRAMS) + 3 - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
