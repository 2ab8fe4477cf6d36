--- What people do with it when all goes well.

local children = require('child')
local equal, story = children.equal, children.story

local MAPS = [[
  vim.keymap.set({ 'n' }, '<F5>', '<Plug>(runpen-file)')
  vim.keymap.set({ 'x' }, '<F5>', '<Plug>(runpen-selection)')
  vim.keymap.set('n', 'gl', '<Plug>(runpen-operator)')
]]

return {
  story('a file runs at a key press, and its result is on the screen', { init = MAPS }, function(child)
    child:edit('hello.py', { '#!/usr/bin/env python3', '', 'print("hello", "world")' })
    child:keys('<F5>')
    equal(child:finished().outcome, 'exited')
    child:wait_screen('hello world')
    child:wait_screen('✓')
    equal(child:output(), { 'hello world' })
    local mark = child:marks()[1]
    equal(mark[1], 3)
    assert(mark[2]:find('✓ %d+ ms · hello world'), mark[2])
  end),

  story('unsaved text is what runs', {}, function(child)
    child:edit('unsaved.py', { 'print("saved")' })
    child:lua([[vim.api.nvim_buf_set_lines(0, 0, -1, false, { 'print("not saved")' })]])
    child:command('Runpen')
    child:finished()
    equal(child:output(), { 'not saved' })
  end),

  story('a buffer without a name runs, and shows its error', {}, function(child)
    child:lua([[vim.bo.filetype = 'python'; vim.api.nvim_buf_set_lines(0, 0, -1, false, { 'x = 1', '1 / 0' })]])
    child:command('Runpen')
    equal(child:finished().exitCode, 1)
    equal(child:lua('return vim.diagnostic.get(0)[1].lnum'), 1)
    child:lua([[vim.api.nvim_buf_set_lines(0, 1, 2, false, { 'print(x)' })]])
    child:command('Runpen')
    child:finished(2)
    equal(child:output(), { '1' })
    equal(child:lua('return #vim.diagnostic.get(0)'), 0)
    equal(child:lua('return #vim.api.nvim_list_bufs()') <= 4, true)
  end),

  story('arguments reach the program', {}, function(child)
    child:edit('args.py', { 'import sys', 'print(sys.argv[1:])' })
    child:command([[Runpen file one two\ words]])
    child:finished()
    equal(child:output(), { "['one', 'two words']" })
  end),

  story('a selection of lines runs, and only that', { init = MAPS }, function(child)
    child:edit('part.py', { 'print("no")', 'if True:', '    x = 20', '    print(x + 1)', 'print("no")' })
    child:keys('3GVj<F5>')
    equal(child:finished().outcome, 'exited')
    equal(child:output(), { '21' })
    equal(child:marks()[1][1], 4)
  end),

  story('a selection inside of a line runs, behind characters of many bytes too', { init = MAPS }, function(child)
    child:edit('inside.py', { '"äöü😀"; print("yes"); print("no")' })
    child:keys('fpvf)<F5>')
    child:finished()
    equal(child:output(), { 'yes' })
  end),

  story('a range and the visual range run', {}, function(child)
    child:edit('range.py', { 'print(1)', 'print(2)', 'print(3)', 'print(4); print(5)' })
    child:command('2,3Runpen')
    child:finished(1)
    equal(child:output(), { '2', '3' })
    child:keys('4G0vf):Runpen<CR>')
    child:finished(2)
    equal(child:output(), { '4' })
  end),

  story('the operator runs a motion', { init = MAPS }, function(child)
    child:edit('motion.py', { 'print(1)', 'print(2)', '', 'print(3)' })
    child:keys('glip')
    child:finished()
    equal(child:output(), { '1', '2' })
  end),

  story('what ran last runs again from anywhere', {}, function(child)
    child:edit('again.py', { 'print("again")' })
    child:command('Runpen')
    child:finished(1)
    child:edit('other.txt', { 'no code' })
    child:command('Runpen last')
    child:finished(2)
    equal(child:output(), { 'again' })
  end),

  story('a program reads what is typed', {}, function(child)
    child:edit('ask.py', { 'name = input("Name? ")', 'print("Hello", name)', 'import sys; print(sys.stdin.read())' })
    child:command('Runpen')
    child:wait_output('Name?')
    child:keys(':Runpen input<CR>')
    child:wait_screen('Input:')
    child:keys('Ada<CR>')
    child:wait_output('Hello Ada')
    child:command('Runpen! input the rest')
    equal(child:finished().outcome, 'exited')
    equal(child:output(), { 'Name? Ada', 'Hello Ada', 'the rest', 'the rest', '' })
  end),

  story('stopping ends a run that would not end', {}, function(child)
    child:edit('endless.py', { 'print("begun")', 'while True: pass' })
    child:command('Runpen')
    child:wait_output('begun')
    child:wait_screen('… running')
    assert(child:lua([[return require('runpen').statusline()]]):find('…'), 'the status line says that it runs')
    child:command('Runpen stop')
    equal(child:finished().outcome, 'cancelled')
    child:wait_screen('■ stopped')
    child:command('Runpen stop')
    child:wait_screen('nothing runs')
  end),

  story('diagnostics and the result stand at their lines after edits above', {}, function(child)
    child:edit('moving.py', { 'x = 1', '', 'def f():', '    return x / 0', 'f()' })
    child:command('Runpen')
    equal(child:finished().exitCode, 1)
    child:wait('a diagnostic', function()
      return child:lua('return #vim.diagnostic.get(0)') > 0
    end)
    local function line()
      return child:lua('local list = vim.diagnostic.get(0); return list[1] and list[1].lnum + 1')
    end
    equal(line(), 4)
    equal(child:marks()[1][1], 1)
    child:lua([[vim.api.nvim_buf_set_lines(0, 0, 0, false, { 'y = 2', 'z = 3' })]])
    child:wait('the diagnostic two lines further down', function()
      return line() == 6
    end)
    equal(child:marks()[1][1], 3)
    -- What the result tells of changes: it goes.
    child:lua([[vim.api.nvim_buf_set_lines(0, 2, 3, false, { 'x = 5' })]])
    equal(child:marks(), {})
  end),

  story('the quickfix list has what went wrong', {}, function(child)
    child:edit('wrong.py', { 'def f():', '    return {}["key"]', 'f()' })
    child:command('Runpen')
    child:finished()
    child:command('Runpen quickfix')
    local items = child:lua([[return vim.fn.getqflist()]])
    equal(items[1].lnum, 2)
    assert(items[1].text:find('KeyError'), items[1].text)
    equal(child:lua('return vim.bo.filetype'), 'qf')
  end),

  story('colours are drawn and nothing else of a terminal is', {}, function(child)
    child:edit('colours.py', {
      [[print("\x1b[1;31mred\x1b[0m plain \x1b[38;5;208morange\x1b[0m")]],
      [[print("\x1b]0;title\x07\x1b]52;c;QUJD\x1b\\safe\x1b[2J")]],
      [[print("10%\r100%")]],
    })
    child:command('Runpen')
    child:finished()
    equal(child:output(), { 'red plain orange', 'safe', '100%' })
    local groups = child:lua([[
      local buf = vim.fn.winbufnr(vim.fn.winnr('$'))
      local found = {}
      for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(buf, -1, 0, { 0, -1 }, { details = true })) do
        table.insert(found, { mark[3], mark[4].end_col, mark[4].hl_group })
      end
      return found
    ]])
    equal(groups, { { 0, 3, 'RunpenAnsi_fg1_bold' }, { 10, 16, 'RunpenAnsi_fg208' } })
  end),

  story('the window follows the end until the user scrolls up', {}, function(child)
    child:edit('long.py', { 'for i in range(200): print("line", i)', 'input()', 'print("the end")' })
    child:command('Runpen')
    child:wait_screen('line 199')
    child:lua([[
      local win = vim.fn.win_getid(vim.fn.winnr('$'))
      vim.api.nvim_win_call(win, function() vim.cmd('normal! gg') end)
    ]])
    child:wait('the end out of sight', function()
      return not child:screen():find('line 199', 1, true)
    end)
    child:command('Runpen input go')
    child:finished()
    child:lua('vim.cmd.redraw()')
    equal(child:lua([[return vim.fn.line('w0', vim.fn.win_getid(vim.fn.winnr('$')))]]), 1)
    equal(#child:output(), 202)
  end),

  story('status, clear, and a word that is none', {}, function(child)
    child:edit('status.py', { '1/0' })
    child:command('Runpen')
    child:finished()
    child:command('Runpen clear')
    equal(child:marks(), {})
    child:wait('no diagnostics', function()
      return child:lua('return #vim.diagnostic.get(0)') == 0
    end)
    child:command('Runpen status')
    child:wait_screen('engine')
    -- More languages than fit on the screen: those below come by scrolling.
    child:wait('the image of Python in the window', function()
      return child:lua([[
        local buffer = vim.fn.winbufnr(vim.fn.winnr('$'))
        local lines = vim.api.nvim_buf_get_lines(buffer, 0, -1, false)
        return vim.iter(lines):any(function(line) return line:match('^image +python') ~= nil end)
      ]])
    end)
    child:command('Runpen nonsense')
    child:wait_screen("no subcommand 'nonsense'")
  end),

  story('vim.lsp.enable is enough, without setup', {
    init = [[vim.lsp.enable('runpen')]],
  }, function(child)
    child:edit('enabled.py', { 'print("enabled")' })
    child:wait('the server attached', function()
      return child:lua([[return #vim.lsp.get_clients({ bufnr = 0, name = 'runpen' })]]) == 1
    end)
    child:command('Runpen')
    child:finished()
    equal(child:output(), { 'enabled' })
    equal(child:lua([[return #vim.lsp.get_clients({ name = 'runpen' })]]), 1)
  end),

  story('a float opens only after a failure, when that is what the user wants', {
    options = { output = { window = 'float', open = 'failure' } },
  }, function(child)
    child:edit('float.py', { 'print("well")' })
    child:command('Runpen')
    child:finished(1)
    equal(child:lua('return #vim.api.nvim_list_wins()'), 1)
    child:lua([[vim.api.nvim_buf_set_lines(0, 0, -1, false, { 'print("ill"); exit(3)' })]])
    child:command('Runpen')
    equal(child:finished(2).exitCode, 3)
    equal(child:output(), { 'ill' })
    child:wait_screen('✗ exit 3')
    equal(child:lua([[return vim.api.nvim_win_get_config(vim.api.nvim_list_wins()[2]).relative]]), 'editor')
    child:command('Runpen output')
    equal(child:lua('return #vim.api.nvim_list_wins()'), 1)
  end),

  story('what cannot be run is refused in one line', {}, function(child)
    child:edit('notes.xyz', { 'nothing to run' })
    child:command('Runpen')
    child:wait_screen('the language of notes.xyz')
    equal(child:marks(), {})
    equal(child:output(), {})
  end),

  story("a server of the user's own configuration is told of in one line too", {}, function(child)
    child:lua([[vim.lsp.config('runpen', { cmd = { 'false' } })]])
    child:edit('own.py', { 'print(1)' })
    child:command('Runpen')
    child:wait_screen('the server ended (exit code 1)')
  end),

  story('two Neovims run side by side and hear only of their own', {}, function(child)
    local other = children.start()
    local ok, problem = pcall(function()
      for index, one in ipairs({ child, other }) do
        one:edit('side.py', { ('print("number %d")'):format(index), 'input()' })
        one:command('Runpen')
      end
      child:wait_output('number 1\n')
      other:wait_output('number 2\n')
      child:command('Runpen stop')
      equal(child:finished().outcome, 'cancelled')
      equal(#other:events('RunpenFinished'), 0)
      other:command('Runpen input x')
      equal(other:finished().outcome, 'exited')
      equal(other:output(), { 'number 2', 'x' })
      other:assert_calm()
    end)
    other:stop()
    assert(ok, problem)
  end),

  story('listeners hear events until they are taken off', {}, function(child)
    child:edit('events.py', { 'print("one")' })
    child:lua([[
      _G.heard = {}
      _G.off = require('runpen').on('output', function(event) table.insert(_G.heard, event.text) end)
    ]])
    child:command('Runpen')
    child:finished(1)
    equal(table.concat(child:lua('return _G.heard')), 'one\n')
    child:lua('_G.off()')
    child:command('Runpen')
    child:finished(2)
    equal(table.concat(child:lua('return _G.heard')), 'one\n')
  end),

  story('completion knows the words', {}, function(child)
    local words = child:lua([[return vim.fn.getcompletion('Runpen s', 'cmdline')]])
    equal(words, { 'selection', 'status', 'stop' })
    equal(child:lua([[return package.loaded['runpen.client'] == nil]]), true)
  end),
}
