"""The six languages: a file that works, a mistake, a selection."""

import os
import pathlib
import tempfile

from client import printed, span
from stories import STORIES, check_events, client, equal

# Each language: a file that works, a file whose second line of code is wrong, a selection, what they print.
# `wrong` is the word that the diagnostic must stand on; a line alone is asked for where the tool knows no more.
LANGUAGES = {
    "python": {
        "id": "python",
        "name": "hello.py",
        "compiled": False,
        "file": "import math\nprint('file', math.floor(6.5) * 7)\n",
        "prints": "file 42\n",
        "broken": "def f():\n    é = 1\n    return é / 0\n\nf()\n",
        "wrong": (2, 11, 16),
        "outcome": "exited",
        "selection": "import math\n\ndef main():\n    x = math.floor(6.9)\n    print('selection', x)\n",
        "range": ((3, 0), (5, 0)),
        "selected": "selection 6\n",
    },
    "javascript": {
        "id": "javascript",
        "name": "hello.js",
        "compiled": False,
        "file": "const os = require('os');\nconsole.log('file', 6 * 7, typeof os.EOL);\n",
        "prints": "file 42 string\n",
        "broken": "function f() {\n  missing(1);\n}\nf();\n",
        "wrong": (1, 2, 9),
        "outcome": "exited",
        "selection": "const path = require('path');\n\nfunction main() {\n    const x = path.basename('/a/b');\n    console.log('selection', x);\n}\n",
        "range": ((3, 0), (5, 0)),
        "selected": "selection b\n",
    },
    "java": {
        "id": "java",
        "name": "Hello.java",
        "compiled": True,
        "file": "public class Hello {\n    public static void main(String[] args) {\n        System.out.println(\"file \" + 6 * 7);\n    }\n}\n",
        "prints": "file 42\n",
        "broken": "public class Hello {\n    public static void main(String[] args) {\n\tint x = missing;\n    }\n}\n",
        "wrong": (2, 9, 16),
        "outcome": "compile_failed",
        "selection": "import java.util.List;\n\nclass Hello {\n    void f() {\n        int x = List.of(1, 2).size();\n        System.out.println(\"selection \" + x);\n    }\n}\n",
        "range": ((4, 0), (6, 0)),
        "selected": "selection 2\n",
    },
    "cpp": {
        "id": "cpp",
        "name": "hello.cpp",
        "compiled": True,
        "file": "#include <iostream>\nint main() { std::cout << \"file \" << 6 * 7 << std::endl; }\n",
        "prints": "file 42\n",
        "broken": "#include <iostream>\nint main() {\n\tint x = missing;\n}\n",
        "wrong": (2, 9, 16),
        "outcome": "compile_failed",
        "selection": "#include <iostream>\n\nvoid f() {\n    int x = 6;\n    std::cout << \"selection \" << x << std::endl;\n}\n",
        "range": ((3, 0), (5, 0)),
        "selected": "selection 6\n",
    },
    "go": {
        "id": "go",
        "name": "hello.go",
        "compiled": True,
        "file": "package main\n\nimport \"fmt\"\n\nfunc main() {\n\tfmt.Println(\"file\", 6*7)\n}\n",
        "prints": "file 42\n",
        "broken": "package main\n\nimport \"fmt\"\n\nfunc main() {\n\tfmt.Println(missing)\n}\n",
        "wrong": (5, 13, 20),
        "outcome": "compile_failed",
        "selection": "package main\n\nimport \"fmt\"\n\nfunc f() {\n\tx := 6\n\tfmt.Println(\"selection\", x)\n}\n",
        "range": ((5, 0), (7, 0)),
        "selected": "selection 6\n",
    },
    "shell": {
        "id": "shellscript",
        "name": "hello.sh",
        "compiled": False,
        "file": "echo file $((6 * 7))\n",
        "prints": "file 42\n",
        "broken": "echo start\nmissing_command --now\nexit 3\n",
        "wrong": (1, None, None),
        "outcome": "exited",
        "selection": "if true; then\n    x=6\n    echo selection $x\nfi\n",
        "range": ((1, 0), (3, 0)),
        "selected": "selection 6\n",
    },
}


def language_story(language):
    row = LANGUAGES[language]

    def tell():
        editor = client()
        uri = f"file:///work/{row['name']}"
        editor.open(uri, row["id"], row["file"])
        events = editor.run("runpen.runFile", uri=uri)
        order = check_events(events)
        equal([p for p in order if p != "pull"], ["compile", "run"] if row["compiled"] else ["run"], "phases")
        equal(events[0]["uri"], uri, "uri")
        equal(events[0]["language"], language, "language")
        equal(printed(events), row["prints"], "output of the file")
        equal(events[-1].get("exitCode"), 0, "exit code")
        equal(events[-1]["diagnostics"], [], "diagnostics of a file that works")
        receipt = events[-1]["sandbox"]
        assert receipt["engine"] and receipt["controls"], "the receipt"
        usage = events[-1]["phases"][-1]
        assert usage["name"] == "run" and usage["wallMs"] > 0, usage

        # A file with a mistake, opened again: the diagnostic stands on the word, with the version.
        editor.open(uri, row["id"], row["broken"], version=7)
        place = len(editor.log)
        events = editor.run("runpen.runFile", uri=uri)
        if row["outcome"] == "compile_failed":
            equal(events[-1]["outcome"], "compile_failed", "outcome")
            assert events[-1]["exitCode"] != 0
        else:
            check_events(events, row["outcome"])
            assert events[-1]["exitCode"] != 0
        line, start, end = row["wrong"]
        published, _ = editor.wait(
            lambda m: m.get("method") == "textDocument/publishDiagnostics" and m["params"]["diagnostics"], place, 5
        )
        equal((published["params"]["uri"], published["params"]["version"]), (uri, 7), "where it is published")
        errors = [d for d in published["params"]["diagnostics"] if d["severity"] == 1]
        at_line = [d for d in errors if d["range"]["start"]["line"] == line]
        assert at_line, f"no error at line {line}: {errors}"
        if start is not None:
            assert span((line, start), (line, end)) in [d["range"] for d in at_line], f"wanted {start}-{end}: {at_line}"
        equal(len(events[-1]["diagnostics"]) >= len(errors), True, "finished has the diagnostics too")

        # An edit above moves it; the next run takes it away.
        place = len(editor.log)
        editor.change(uri, 8, (0, 0), (0, 0), "\n")
        moved, _ = editor.wait(lambda m: m.get("method") == "textDocument/publishDiagnostics", place, 5)
        lines = [d["range"]["start"]["line"] for d in moved["params"]["diagnostics"] if d["severity"] == 1]
        assert line + 1 in lines and moved["params"]["version"] == 8, moved["params"]

        editor.open(uri, row["id"], row["selection"], version=9)
        start, end = row["range"]
        events = editor.run("runpen.runSelection", uri=uri, range=span(start, end))
        check_events(events)
        equal(events[0]["range"], span(start, end), "range")
        equal(printed(events), row["selected"], "output of the selection")
        equal(events[-1].get("exitCode"), 0, "exit code of the selection")
        equal(editor.notifications("textDocument/publishDiagnostics")[-1]["diagnostics"], [], "what is left")
        equal(editor.leave(), 0, "exit code of the server")

    tell.__doc__ = f"{language}: a file, a mistake, a selection"
    return tell


def files_beside_a_file_come_along():
    """folder: true sends what stands beside the file, files the chosen ones; what is open is the text in the editor"""
    with tempfile.TemporaryDirectory(prefix="runpen-beside-") as folder:
        pathlib.Path(folder, "helper.py").write_text("def answer():\n    return 42\n")
        pathlib.Path(folder, ".secret").write_text("secret")
        os.symlink("/etc/hostname", pathlib.Path(folder, "link"))
        main = pathlib.Path(folder, "main.py")
        main.write_text("print('old')\n")
        editor = client()
        uri = main.as_uri()
        editor.open(uri, "python", "import helper, os\nprint(helper.answer(), sorted(os.listdir()))\n")
        events = editor.run("runpen.runFile", uri=uri, folder=True)
        equal(printed(events), "42 ['helper.py', 'main.py']\n", "output")
        pathlib.Path(folder, "unwanted.py").write_text("")
        editor.open(pathlib.Path(folder, "helper.py").as_uri(), "python", "def answer():\n    return 'unsaved'\n")
        events = editor.run("runpen.runFile", uri=uri, files=["helper.py"])
        equal(printed(events), "unsaved ['helper.py', 'main.py']\n", "output with an open file")
        equal(editor.leave(), 0, "exit code of the server")


STORIES.append(("folder", files_beside_a_file_come_along))
for _name in LANGUAGES:
    STORIES.append((_name, language_story(_name)))
