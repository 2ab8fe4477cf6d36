"""The client of editors/PROTOCOL.md, taken out of the document and run.

usage: client_test.py PROTOCOL.md FOLDER_WITH_RUNPEN
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

document, folder = pathlib.Path(sys.argv.pop(1)), sys.argv.pop(1)


class Client(unittest.TestCase):
    def setUp(self):
        work = tempfile.TemporaryDirectory()
        self.addCleanup(work.cleanup)
        self.work = pathlib.Path(work.name)
        blocks = re.findall(r"```python\n(.*?)```", document.read_text(), re.S)
        self.assertEqual(len(blocks), 1, "the document has one client")
        self.code = blocks[0]
        (self.work / "client.py").write_text(self.code)

    def run_client(self, program, *args):
        (self.work / "program.py").write_text(program)
        environment = dict(os.environ, PATH=folder + os.pathsep + os.environ["PATH"])
        command = [sys.executable, "client.py", "program.py", *args]
        return subprocess.run(command, cwd=self.work, env=environment, capture_output=True, text=True, timeout=120)

    def test_it_has_about_forty_lines_of_code(self):
        lines = [line for line in self.code.splitlines() if line.strip()]
        self.assertLessEqual(len(lines), 44)

    def test_it_prints_both_streams_and_gives_the_exit_code(self):
        program = "import sys\nprint('hello', sys.argv[1:])\nprint('oops', file=sys.stderr)\nsys.exit(3)\n"
        done = self.run_client(program, "a", "b")
        self.assertEqual((done.stdout, done.stderr, done.returncode), ("hello ['a', 'b']\n", "oops\n", 3))

    def test_input_is_empty(self):
        done = self.run_client("import sys\nprint(repr(sys.stdin.read()))\n")
        self.assertEqual((done.stdout, done.returncode), ("''\n", 0))

    def test_a_refusal_is_one_line(self):
        (self.work / "notes.xyz").write_text("nothing to run\n")
        environment = dict(os.environ, PATH=folder + os.pathsep + os.environ["PATH"])
        command = [sys.executable, "client.py", "notes.xyz"]
        done = subprocess.run(command, cwd=self.work, env=environment, capture_output=True, text=True, timeout=120)
        self.assertEqual((done.stdout, done.returncode), ("", 1))
        self.assertRegex(done.stderr, r"^the language of notes.xyz.* is not known; .*\n$")


if __name__ == "__main__":
    result = unittest.main(verbosity=2, exit=False).result
    bad = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - bad} passed, {bad} failed")
    sys.exit(bad != 0 or result.testsRun == 0)
