--- A Neovim under test: a real one, with its own terminal user interface on a terminal of ours, so that what a person
--- would see is there to be read, and an RPC channel beside it, so that nothing has to be guessed from the screen.

local M = {}

--- Milliseconds. A machine under load starts containers slowly; nothing waits this long when it works.
local DEADLINE = 60000

---@class Child
---@field name string
---@field folder string
---@field channel integer
---@field terminal integer
---@field job integer
local Child = {}
Child.__index = Child

--- Looking for a Python of its own takes Neovim seconds on some machines, and is not what is tested.
local INIT = [[
vim.g.loaded_python3_provider = 0
vim.opt.swapfile = false
vim.opt.rtp:prepend(%q)
vim.g.runpen = %s
]]

local count = 0

---@param options? { cmd?: string[], options?: table, config?: string, env?: table<string, string>, init?: string }
---@return Child
function M.start(options)
  options = options or {}
  count = count + 1
  local name = 'child' .. count
  local folder = vim.fs.joinpath(vim.env.RUNPEN_TEST_WORK, name)
  vim.fn.mkdir(folder, 'p')
  local child = setmetatable({ name = name, folder = folder }, Child)
  child.pid_file = vim.fs.joinpath(folder, 'server.pid')
  -- The shell becomes the server: the number it writes is the server's.
  local server = { 'sh', '-c', 'echo $$ >>"$0"; exec "$1" lsp', child.pid_file, vim.env.RUNPEN_BINARY }
  local chosen = vim.tbl_extend('force', { cmd = options.cmd or server }, options.options or {})
  local init = vim.fs.joinpath(folder, 'init.lua')
  vim.fn.writefile(
    vim.split((INIT .. '%s'):format(vim.env.RUNPEN_TEST_PLUGIN, vim.inspect(chosen), options.init or ''), '\n'),
    init
  )
  local socket = vim.fs.joinpath(folder, 'rpc')
  local env = vim.tbl_extend('force', {
    XDG_STATE_HOME = folder .. '/state',
    XDG_DATA_HOME = folder .. '/data',
    XDG_CONFIG_HOME = folder .. '/config',
    NVIM_LOG_FILE = folder .. '/nvim.log',
    TERM = 'xterm-256color',
    COLORTERM = 'truecolor',
  }, options.env or {})
  child.terminal = vim.api.nvim_create_buf(false, true)
  vim.api.nvim_win_set_buf(0, child.terminal)
  child.job = vim.fn.jobstart({ vim.v.progpath, '--clean', '-u', init, '--listen', socket }, {
    term = true,
    cwd = folder,
    env = env,
    on_exit = function(_, code)
      child.code = code
    end,
  })
  vim.wait(DEADLINE, function()
    local ok, channel = pcall(vim.fn.sockconnect, 'pipe', socket, { rpc = true })
    child.channel = ok and channel or nil
    return child.channel ~= nil
  end, 5)
  assert(child.channel, 'Neovim did not start')
  -- It listens before it has read its configuration.
  child:wait('the end of the start', function()
    return child:lua('return vim.v.vim_did_enter') == 1
  end)
  -- A request is never answered while a prompt stands on the screen: then the story fails, not the whole suite.
  local pid = vim.fn.jobpid(child.job)
  child.watchdog = assert(vim.uv.new_timer())
  child.watchdog:start(10 * DEADLINE, 0, function()
    vim.uv.kill(pid, 'sigkill')
  end)
  child:lua([[
    _G.events = {}
    for _, name in ipairs({ 'RunpenStarted', 'RunpenFinished' }) do
      vim.api.nvim_create_autocmd('User', { pattern = name, callback = function(args)
        table.insert(_G.events, { name = name, data = args.data })
      end })
    end
  ]])
  return child
end

--- Runs Lua inside, gives what it returns.
function Child:lua(code, ...)
  return vim.rpcrequest(self.channel, 'nvim_exec_lua', code, { ... })
end

--- Keys as a person presses them: through the terminal, in a terminal's own code.
function Child:keys(keys)
  local codes = { ['<F5>'] = '\27[15~', ['<CR>'] = '\r', ['<Esc>'] = '\27' }
  vim.api.nvim_chan_send(vim.bo[self.terminal].channel, (keys:gsub('<%w+>', codes)))
end

--- What a person sees.
function Child:screen()
  return table.concat(vim.api.nvim_buf_get_lines(self.terminal, 0, -1, false), '\n')
end

--- Waits until something is so.
---@param what string
---@param condition fun(): any
function Child:wait(what, condition)
  local last
  local ok = vim.wait(DEADLINE, function()
    last = condition()
    return last
  end, 5)
  if not ok then
    error(('%s: waited in vain for: %s\n%s'):format(self.name, what, self:screen()), 2)
  end
  return last
end

function Child:wait_screen(text)
  return self:wait('"' .. text .. '" on the screen', function()
    return self:screen():find(text, 1, true)
  end)
end

--- Writes a file and opens it.
function Child:edit(name, lines)
  local path = vim.fs.joinpath(self.folder, name)
  vim.fn.writefile(lines, path)
  vim.rpcrequest(self.channel, 'nvim_cmd', { cmd = 'edit', args = { path } }, {})
  return path
end

function Child:command(text)
  vim.rpcrequest(self.channel, 'nvim_command', text)
end

--- The events so far of one name.
function Child:events(name)
  return vim.tbl_filter(function(event)
    return event.name == name
  end, self:lua('return _G.events'))
end

--- Waits for the end of the n-th run, gives its event.
function Child:finished(n)
  return self:wait('the end of run ' .. (n or 1), function()
    return self:events('RunpenFinished')[n or 1]
  end).data
end

--- Lines of the output on show.
function Child:output()
  return self:lua([[
    for _, win in ipairs(vim.api.nvim_list_wins()) do
      local buf = vim.api.nvim_win_get_buf(win)
      if vim.bo[buf].filetype == 'runpen' then return vim.api.nvim_buf_get_lines(buf, 0, -1, false) end
    end
    return {}
  ]])
end

--- Waits until the output on show has a line with this text. The screen will not do: it shows the program too.
function Child:wait_output(text)
  return self:wait('"' .. text .. '" in the output', function()
    return table.concat(self:output(), '\n'):find(text, 1, true)
  end)
end

--- Virtual texts of the current buffer: { line, text } each.
function Child:marks()
  return self:lua([[
    local found = {}
    local namespace = vim.api.nvim_create_namespace('runpen.marks')
    for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(0, namespace, 0, -1, { details = true })) do
      if mark[4].virt_text and not mark[4].invalid then
        table.insert(found, { mark[2] + 1, mark[4].virt_text[1][1] })
      end
    end
    return found
  ]])
end

--- The server's pid: the last one that was started.
function Child:server_pid()
  return self:wait('the pid of the server', function()
    local ok, lines = pcall(vim.fn.readfile, self.pid_file)
    return ok and tonumber(lines[#lines])
  end)
end

--- Neovim waits for no ENTER, has shown no error, and still takes keys.
function Child:assert_calm()
  local mode = vim.rpcrequest(self.channel, 'nvim_get_mode')
  assert(mode.mode == 'n' and not mode.blocking, 'not in normal mode: ' .. vim.inspect(mode) .. '\n' .. self:screen())
  assert(not self:screen():find('Press ENTER', 1, true), 'Press ENTER:\n' .. self:screen())
  local errmsg = self:lua('return vim.v.errmsg')
  assert(errmsg == '', 'v:errmsg: ' .. errmsg)
  local messages = self:lua("return vim.api.nvim_exec2('messages', { output = true }).output")
  assert(not messages:find('[Ee]rror'), 'messages: ' .. messages)
end

function Child:stop()
  self.watchdog:close()
  pcall(vim.rpcrequest, self.channel, 'nvim_command', 'qall!')
  vim.wait(DEADLINE, function()
    return self.code ~= nil
  end, 5)
  vim.api.nvim_buf_delete(self.terminal, { force = true })
end

--- Tells of a Neovim of its own, which is calm at the end.
function M.with(options, body)
  local child = M.start(options)
  local ok, problem = xpcall(body, function(err)
    return debug.traceback(tostring(err), 2)
  end, child)
  if ok then
    ok, problem = pcall(child.assert_calm, child)
  end
  child:stop()
  assert(ok, problem)
end

--- A story with a name.
function M.story(name, options, body)
  return {
    name,
    function()
      M.with(options, body)
    end,
  }
end

function M.equal(actual, expected)
  if not vim.deep_equal(actual, expected) then
    error(('expected %s, got %s'):format(vim.inspect(expected), vim.inspect(actual)), 2)
  end
end

return M
