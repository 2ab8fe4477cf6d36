#!/usr/bin/env python3
"""A scripted editor against the real binary and a real engine.

    RUNPEN_CONFIG=... python3 tests/lsp/scripted.py path/to/runpen [STORY...]

Opens documents, runs files and selections of the six languages, breaks every rule that an editor can break. The closing line
is `N passed, M failed`; the exit code is 1 when something failed. Nothing here is built on the project's own code.
"""

import os
import sys

sys.dont_write_bytecode = True  # nothing is written into the checkout

import stories  # noqa: E402
import stories_editing  # noqa: E402, F401
import stories_languages  # noqa: E402, F401
import stories_mistakes  # noqa: E402, F401
import stories_status  # noqa: E402, F401
from tally import Tally  # noqa: E402


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
    tally = Tally()
    for name, tell in stories.STORIES:
        if not wanted or name in wanted:
            tally.tell(tell, name=name)
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
