#!/usr/bin/env python3
"""A scripted editor against the real binary and a real engine.

    RUNPEN_CONFIG=... python3 tests/lsp/scripted.py path/to/runpen [STORY...]

Opens documents, runs files and selections of the six languages, breaks every rule that an editor can break. The closing line
is `N passed, M failed`; the exit code is 1 when something failed. Nothing here is built on the project's own code.
"""

import os
import sys
import time
import traceback

sys.dont_write_bytecode = True  # nothing is written into the checkout

import stories  # noqa: E402
import stories_editing  # noqa: E402, F401
import stories_languages  # noqa: E402, F401
import stories_mistakes  # noqa: E402, F401


def main():
    if len(sys.argv) < 2:
        print(__doc__)
        return 2
    stories.BINARY[0] = os.path.abspath(sys.argv[1])
    wanted = sys.argv[2:]
    known = [name for name, _ in stories.STORIES]
    unknown = [name for name in wanted if name not in known]
    if unknown:
        print(f"no story {', '.join(unknown)}; there are {', '.join(known)}")
        return 2
    passed = failed = 0
    for name, tell in stories.STORIES:
        if wanted and name not in wanted:
            continue
        begin = time.monotonic()
        try:
            tell()
            passed += 1
            print(f"ok    {name}: {tell.__doc__} ({time.monotonic() - begin:.1f} s)", flush=True)
        except Exception:  # whatever it is, the other stories are told
            failed += 1
            print(f"FAIL  {name}: {tell.__doc__}", flush=True)
            traceback.print_exc(limit=-3, file=sys.stdout)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
