"""Tells stories one after another, says how each went, and counts: the closing line is `N passed, M failed`."""

import sys
import time
import traceback


class Tally:
    def __init__(self):
        self.passed = self.failed = 0

    def tell(self, story, *arguments, name=None):
        """Tells one; whatever is wrong with it, others can be told after it. Gives whether it went well."""
        name = f"{name or story.__name__}: {story.__doc__}" if story.__doc__ else name or story.__name__
        begun = time.monotonic()
        try:
            story(*arguments)
        except Exception:
            self.failed += 1
            print(f"FAIL  {name}", flush=True)
            traceback.print_exc(limit=-3, file=sys.stdout)
            return False
        self.passed += 1
        print(f"ok    {name} ({time.monotonic() - begun:.1f} s)", flush=True)
        return True

    def close(self):
        """The closing line, and the exit code."""
        print(f"{self.passed} passed, {self.failed} failed")
        return 1 if self.failed else 0
