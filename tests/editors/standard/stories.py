"""What a person does in an editor that has no plugin for Runpen, in each of the editors: real ones, on a real screen,
against the real server and engine.

usage: stories.py [EDITOR...]
"""

import concurrent.futures
import re
import sys
import tempfile
import time
import traceback

import editors


def a_file_runs_and_its_error_and_output_are_shown(open_file):
    editor = open_file("x = 1\nprint('before', 6 * 7)\nx / 0\n")
    editor.run_file()
    editor.diagnosed(3, "ZeroDivisionError")
    editor.hover(1, "before 42")
    if editor.shows_hints:
        editor.terminal.wait("the hint", re.compile(r"x = 1.*✗ exit 1 \d+ ms · ZeroDivisionError").search)
    editor.menu("Clear results")
    # The diagnostic and the hint, which ends with it.
    editor.see_gone("ZeroDivisionError")


def unsaved_text_runs_and_a_selection_by_itself(open_file):
    editor = open_file("print('a' * 3)\nprint('b' * 3)\n")
    editor.add_line("print('ü'*3)")
    editor.run_file()
    assert "aaa" in editor.hover(1, "üüü"), "the whole file runs"
    editor.run_line(2)
    seen = editor.hover(2, "bbb")
    assert "aaa" not in seen and "üüü" not in seen, seen


def a_run_that_would_not_end_is_stopped(open_file):
    editor = open_file("while True: pass\n")
    editor.run_file()
    editor.menu("Stop")
    editor.hover(1, "■ stopped")


def all_that_a_run_printed_is_opened(open_file):
    # More than a hover shows, and what would steer a terminal. None of it stands in the code, which may be shown beside it.
    code = "print(f'\\33[{30 + 1}m' + 'FIRST'.lower())\nprint('LAST'.lower().ljust(20000, '.'), 'the end')\n"
    editor = open_file(code)
    editor.run_file()
    editor.menu("Show output")
    shown = re.compile(r"Runpen · Python · ✓ \d+ ms.*first.*last\.\.\.", re.S)
    editor.terminal.wait("the output", shown.search)
    editor.see_gone("31m")


def the_cancel_button_of_the_progress_stops_a_run(open_file):
    editor = open_file("while True: pass\n")
    editor.run_file()
    editor.cancel()


STORIES = [
    a_file_runs_and_its_error_and_output_are_shown,
    unsaved_text_runs_and_a_selection_by_itself,
    a_run_that_would_not_end_is_stopped,
]
EDITORS = [editors.Helix, editors.Kakoune, editors.Vim, editors.Eglot, editors.LspMode]


def run(story, kind):
    opened = []
    with tempfile.TemporaryDirectory() as work:

        def open_file(text):
            opened.append(kind(work, text))
            return opened[0]

        try:
            story(open_file)
        finally:
            for editor in opened:
                editor.close()


def all_stories(kind):
    """Whether each went well. The editors are waited for most of the time, so they run side by side."""
    more = {all_that_a_run_printed_is_opened: kind.opens_output, the_cancel_button_of_the_progress_stops_a_run: kind.cancels}
    return [tell(story, kind) for story in [*STORIES, *(story for story, can in more.items() if can)]]


def tell(story, kind):
    name, began = f"{kind.__name__}: {story.__name__.replace('_', ' ')}", time.monotonic()
    try:
        run(story, kind)
    except Exception:
        print(f"FAIL {name} ({time.monotonic() - began:.1f} s)\n{traceback.format_exc()}", flush=True)
        return False
    print(f"ok   {name} ({time.monotonic() - began:.1f} s)", flush=True)
    return True


chosen = [kind for kind in EDITORS if kind.__name__ in (sys.argv[1:] or kind.__name__)]
with concurrent.futures.ThreadPoolExecutor(len(EDITORS)) as pool:
    went_well = [well for stories in pool.map(all_stories, chosen) for well in stories]
print(f"{went_well.count(True)} passed, {went_well.count(False)} failed")
sys.exit(not went_well or not all(went_well))
