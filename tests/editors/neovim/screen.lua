--- The screen of one run by itself, without a server: pieces of text that arrive in awkward ways.

vim.opt.rtp:prepend(vim.env.RUNPEN_TEST_PLUGIN)

local function lines_of(pieces, max_lines)
  local screen = require('runpen.screen').new(max_lines or 100, function(_, draw)
    draw()
  end)
  for _, piece in ipairs(pieces) do
    screen:append(piece[1], piece[2] or 'stdout')
  end
  screen:finish()
  local lines = vim.api.nvim_buf_get_lines(screen.bufnr, 0, -1, false)
  screen:close()
  return lines, screen
end

local function story(name, pieces, expected, max_lines)
  return {
    'screen: ' .. name,
    function()
      local lines = lines_of(pieces, max_lines)
      assert(vim.deep_equal(lines, expected), vim.inspect(lines))
    end,
  }
end

return {
  story('a line in pieces is one line', { { 'a' }, { 'b\nc' }, { '\n' } }, { 'ab', 'c' }),
  story('a sequence in pieces is one sequence', { { 'a\27' }, { '[3' }, { '1mb\27[0' }, { 'm' } }, { 'ab' }),
  story('line ends of Windows are line ends', { { 'a\r' }, { '\nb\r\n' } }, { 'a', 'b' }),
  story('a backspace takes a character, of many bytes too', { { 'aä\bb' } }, { 'ab' }),
  story('streams do not run into each other', {
    { 'out' },
    { 'err\n', 'stderr' },
    { '\n' },
    { 'more\n' },
  }, { 'out', 'err', 'more' }),
  story('the oldest lines go', { { '1\n2\n3\n4\n5\n' } }, { '4', '5' }, 3),
  {
    'screen: a line without end is broken between characters',
    function()
      local lines = lines_of({ { ('ä'):rep(10000) } })
      assert(#lines == 3 and #lines[1] <= 8192, #lines)
      assert(table.concat(lines) == ('ä'):rep(10000))
    end,
  },
  {
    'screen: a run is summed up by whole lines',
    function()
      local pieces = {
        { '\n' },
        { 'a' },
        { ' \27[1mb' },
        { '\nc\n' },
        { 'x\n', 'stderr' },
        { 'y', 'stderr' },
        { 'z\n\n', 'stderr' },
      }
      local _, screen = lines_of(pieces)
      assert(screen:first_line() == 'a b', screen:first_line())
      assert(screen:last_error() == 'yz', screen:last_error())
    end,
  },
  {
    'screen: what is dropped is counted to the byte',
    function()
      local text = ('x'):rep(99) .. '\n'
      local pieces = {}
      for _ = 1, 300 do
        table.insert(pieces, { text:rep(100) })
      end
      local lines, screen = lines_of(pieces, 1000)
      assert(#lines <= 1000)
      assert(screen.dropped + #lines * 100 == 300 * 100 * 100, screen.dropped .. ' ' .. #lines)
    end,
  },
}
