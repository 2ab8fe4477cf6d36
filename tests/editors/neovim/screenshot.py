"""The picture of the plugin's README: a real Neovim on a real screen after a real run, drawn as SVG.

usage: RUNPEN_BINARY=… RUNPEN_CONFIG=… PYTHONPATH=PYTE:tests/editors/standard screenshot.py NVIM PLUGIN PICTURE.svg
"""

import os
import pathlib
import sys
import tempfile
from xml.sax.saxutils import escape

import terminal

nvim, plugin, picture = sys.argv[1:]
terminal.COLUMNS, terminal.LINES = 92, 24
WIDTH, HEIGHT = 8.4, 17
FOREGROUND, BACKGROUND = "e0e2ea", "14161b"

PROGRAM = """\
import statistics

def mean(numbers):
    return sum(numbers) / len(numbers)

for numbers in [[1, 2, 3], [4.5], []]:
    print(numbers, "→", mean(numbers))
"""
INIT = f"""
vim.opt.rtp:prepend({plugin!r})
vim.opt.swapfile = false
vim.o.termguicolors = true
vim.diagnostic.config({{ virtual_text = true }})
vim.g.runpen = {{ cmd = {{ {os.environ["RUNPEN_BINARY"]!r}, 'lsp' }} }}
vim.keymap.set('n', '<F5>', '<Plug>(runpen-file)')
"""


def colour(name, default):
    return default if name == "default" or len(name) != 6 else name


def draw(screen):
    size = f'width="{WIDTH * screen.columns:.0f}" height="{HEIGHT * screen.lines + 8}"'
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="monospace" font-size="14">']
    parts.append(f'<rect width="100%" height="100%" rx="6" fill="#{BACKGROUND}"/>')
    for row in range(screen.lines):
        column = 0
        while column < screen.columns:
            cell = screen.buffer[row][column]
            style = (cell.fg, cell.bg, cell.bold, cell.reverse)
            end, text = column, ""
            while end < screen.columns:
                cell = screen.buffer[row][end]
                if (cell.fg, cell.bg, cell.bold, cell.reverse) != style:
                    break
                text, end = text + cell.data, end + 1
            front, back = colour(style[0], FOREGROUND), colour(style[1], BACKGROUND)
            if style[3]:
                front, back = back, front
            left, width = WIDTH * column, WIDTH * (end - column)
            if back != BACKGROUND:
                place = f'x="{left:.1f}" y="{HEIGHT * row + 4}" width="{width:.1f}" height="{HEIGHT}"'
                parts.append(f'<rect {place} fill="#{back}"/>')
            if text.strip():
                bold = ' font-weight="bold"' if style[2] else ""
                place = f'x="{left:.1f}" y="{HEIGHT * row + 17}" textLength="{width:.1f}"'
                parts.append(f'<text {place} xml:space="preserve" fill="#{front}"{bold}>{escape(text)}</text>')
            column = end
    return "\n".join([*parts, "</svg>\n"])


with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as work:
    (pathlib.Path(work) / "init.lua").write_text(INIT)
    (pathlib.Path(work) / "mean.py").write_text(PROGRAM)
    os.chdir(work)
    environment = dict(os.environ, COLORTERM="truecolor", XDG_STATE_HOME=work)
    shown = terminal.Terminal([nvim, "--clean", "-u", "init.lua", "mean.py"], environment)
    shown.see("statistics")
    shown.settle()
    shown.press("\x1b[15~")
    shown.see("✗ exit 1", "ZeroDivisionError: division by zero", "line 4, in mean")
    shown.settle()
    pathlib.Path(picture).write_text(draw(shown.screen))
    shown.press(":qa!\r")
    shown.end()
