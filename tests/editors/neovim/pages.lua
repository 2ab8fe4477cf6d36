--- Snippets of documents, and the subcommands that ask the program about itself.

local children = require('child')
local equal, story = children.equal, children.story

local PAGE = {
  '# Notes',
  '',
  '```python',
  'print("first", 6 * 7)',
  '```',
  '',
  '```sh',
  'echo "second"; exit 3',
  '```',
  '',
  '```text',
  'no code',
  '```',
}

--- The program itself, and not the shell that otherwise notes its number: it is asked beside the server.
local PLAIN = { cmd = { vim.env.RUNPEN_BINARY, 'lsp' } }

--- The text of the mark at a line.
local function mark_at(child, line)
  for _, mark in ipairs(child:marks()) do
    if mark[1] == line then
      return mark[2]
    end
  end
end

return {
  story('the block under the cursor runs, and shows its result', {}, function(child)
    child:edit('page.md', PAGE)
    child:command('8')
    child:command('Runpen block')
    equal(child:finished().exitCode, 3)
    equal(child:output(), { 'second' })
    local mark = child:wait('the result at the block', function()
      return child:marks()[1]
    end)
    equal(mark[1], 8)
    assert(mark[2]:find('✗ exit 3'), mark[2])
  end),

  story('where there is no block, one line says so', {}, function(child)
    child:edit('page.md', PAGE)
    child:command('1')
    child:command('Runpen block')
    child:wait_screen('runpen: ')
    child:wait('nothing that runs', function()
      return child:lua([[return #require('runpen.runs').running()]]) == 0
    end)
    equal(child:marks(), {})
  end),

  story('all blocks run, each with its own result', {}, function(child)
    child:edit('page.md', PAGE)
    child:command('Runpen all')
    child:finished(2)
    local first = child:wait('the first result', function()
      return mark_at(child, 5)
    end)
    assert(first:find('✓ %d+ ms · first 42'), first)
    local second = child:wait('the second result', function()
      return mark_at(child, 9)
    end)
    assert(second:find('✗ exit 3'), second)
    equal(#child:events('RunpenFinished'), 2)
  end),

  story('images are fetched on request, and what comes of it is told', PLAIN, function(child)
    child:edit('any.py', { 'print(1)' })
    equal(child:lua([[return vim.fn.getcompletion('Runpen pull pyth', 'cmdline')]]), { 'python' })
    child:command('Runpen pull python')
    child:wait_screen('images are there: python')
  end),

  story('the doctor reports in the window', PLAIN, function(child)
    child:edit('any.py', { 'print(1)' })
    child:command('Runpen doctor')
    child:wait_output('docker')
    child:wait_output('network')
  end),

  story('the log of the server opens', {}, function(child)
    child:edit('any.py', { 'print(1)' })
    child:command('Runpen')
    child:finished()
    child:command('Runpen log')
    assert(vim.endswith(child:lua('return vim.api.nvim_buf_get_name(0)'), 'runpen/runpen.log'))
  end),

  story('nothing is mapped and nothing is loaded before it is used', {}, function(child)
    child:edit('any.py', { 'print(1)' })
    local found = child:lua([[
      local loaded, mapped = {}, {}
      for name in pairs(package.loaded) do
        if vim.startswith(name, 'runpen') then table.insert(loaded, name) end
      end
      for _, mode in ipairs({ 'n', 'x', 'o', 'i' }) do
        for _, map in ipairs(vim.api.nvim_get_keymap(mode)) do
          local ours = (map.desc or ''):find('Runpen') or (map.rhs or ''):find('runpen')
          if ours and not vim.startswith(map.lhs, '<Plug>(runpen-') then table.insert(mapped, map.lhs) end
        end
      end
      return { loaded, mapped, #vim.lsp.get_clients() }
    ]])
    equal(found, { {}, {}, 0 })
  end),

  story(
    'the output may stand at the side',
    { options = { output = { window = 'vsplit', size = 40 } } },
    function(child)
      child:edit('side.py', { 'print("at the side")' })
      child:command('Runpen')
      child:finished()
      equal(child:output(), { 'at the side' })
      equal(child:lua([[return vim.api.nvim_win_get_width(vim.fn.win_getid(vim.fn.winnr('$')))]]), 40)
    end
  ),

  {
    'every language has a filetype for which the server starts',
    function()
      local asked = vim.system({ vim.env.RUNPEN_BINARY, 'languages', '--json' }, { text = true }):wait()
      vim.opt.rtp:prepend(vim.env.RUNPEN_TEST_PLUGIN)
      local filetypes = require('runpen.client').config().filetypes
      local languages = vim.json.decode(asked.stdout)
      assert(#languages >= 6, #languages)
      for _, language in ipairs(languages) do
        local known = vim.iter(language.extensions):any(function(extension)
          local filetype = vim.filetype.match({ filename = 'a.' .. extension, buf = 0 })
          return filetype ~= nil and vim.list_contains(filetypes, filetype)
        end)
        known = known or vim.list_contains(filetypes, language.name)
        assert(known, language.name .. ' is not among the filetypes of the server')
      end
    end,
  },
}
