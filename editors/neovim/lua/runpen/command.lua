--- `:Runpen`: its words and their completion.

local message = require('runpen.message')

local M = {}

--- The server's log, or nil: `runpen.log` in the cache folder of the user.
---@return string?
local function server_log()
  local home = vim.uv.os_homedir() or ''
  local folders = {
    vim.env.RUNPEN_CACHE_DIR or vim.env.XDG_CACHE_HOME or (home .. '/.cache'),
    home .. '/Library/Caches',
    vim.env.LOCALAPPDATA or '',
  }
  for _, folder in ipairs(folders) do
    local path = vim.fs.joinpath(folder, 'runpen', 'runpen.log')
    if vim.uv.fs_stat(path) then
      return path
    end
  end
end

--- Text of ours in the output window.
---@param title string
---@param text string
local function show(title, text)
  local window = require('runpen.window')
  local screen = require('runpen.screen').new(10000, function(_, draw)
    draw()
  end)
  vim.bo[screen.bufnr].bufhidden = 'wipe'
  screen:append(text)
  screen:finish()
  require('runpen.keys').attach(screen.bufnr)
  window.show(screen.bufnr, true)
  window.title(screen.bufnr, { { ' ' .. title .. ' ', 'WinBar' } })
end

---@param status table
---@return string
local function status_text(status)
  local lines = { 'runpen ' .. status.version }
  local engine = status.engine
  if engine then
    table.insert(
      lines,
      ('engine  %s %s, %s, at %s'):format(engine.name, engine.version, engine.runtime, engine.endpoint)
    )
  else
    table.insert(lines, 'engine  none: ' .. (status.error or 'no reason given'))
  end
  local waiting = {}
  for _, pool in ipairs(status.pool or {}) do
    waiting[pool.language] = pool.waiting
  end
  local missing = {}
  for _, image in ipairs(status.images or {}) do
    if image.present then
      local pool = waiting[image.language] and (', %d waiting'):format(waiting[image.language]) or ''
      table.insert(lines, ('image   %-12s %s%s'):format(image.language, image.image, pool))
    else
      table.insert(missing, image.language)
    end
  end
  if #missing > 0 then
    table.insert(lines, 'fetched when needed: ' .. table.concat(missing, ', '))
  end
  for _, run in ipairs(status.runs or {}) do
    local name = run.uri and vim.fs.basename(run.uri) or run.runId
    table.insert(lines, ('run     %s, %s, %.1f s'):format(name, run.language, run.elapsedMs / 1000))
  end
  return table.concat(lines, '\n') .. '\n'
end

local function status()
  local bufnr = vim.api.nvim_get_current_buf()
  local client = require('runpen.client')
  client.with(bufnr, function(server)
    client.execute(server, bufnr, 'runpen.status', nil, function(answer)
      show('status', status_text(answer))
    end)
  end)
end

local function doctor()
  local path, hint = require('runpen.client').binary()
  if not path then
    return message.warn(assert(hint))
  end
  message.info('asking runpen doctor')
  vim.system({ path, 'doctor' }, { text = true }, function(done)
    vim.schedule(function()
      show('doctor', (done.stdout or '') .. (done.stderr or ''))
    end)
  end)
end

local function log()
  local path = server_log()
  if not path then
    return message.info('the server has written no log yet')
  end
  vim.cmd.split({ args = { vim.fn.fnameescape(path) } })
  vim.cmd.normal({ 'G', bang = true })
end

--- Names of languages, which the program itself knows best.
---@param word string
---@return string[]
local function languages(word)
  local path = require('runpen.client').binary()
  local asked = path and vim.system({ path, 'languages', '--json' }, { text = true }):wait(3000) or {}
  local ok, known = pcall(vim.json.decode, asked.stdout or '')
  local names = {}
  for _, language in ipairs(ok and known or {}) do
    if vim.startswith(language.name, word) then
      table.insert(names, language.name)
    end
  end
  return names
end

---@class runpen.Subcommand
---@field run fun(args: string[], command: vim.api.keyset.create_user_command.command_args)
---@field complete? fun(word: string): string[]

---@type table<string, runpen.Subcommand>
local subcommands = {
  file = {
    run = function(args)
      require('runpen').file(args)
    end,
    complete = function(word)
      return vim.fn.getcompletion(word, 'file')
    end,
  },
  selection = {
    run = function(args, command)
      if command.range == 0 then
        return require('runpen').selection(args)
      end
      -- A command gets whole lines only. From visual mode the selection is known exactly: the command line says so.
      local selected = command.line1 == vim.fn.line("'<") and command.line2 == vim.fn.line("'>")
      if selected and vim.startswith(vim.fn.histget('cmd', -1), "'<,'>") then
        return require('runpen').selection(args)
      end
      require('runpen').lines(command.line1, command.line2, args)
    end,
  },
  input = {
    run = function(args, command)
      require('runpen').input(#args > 0 and table.concat(args, ' ') or nil, command.bang)
    end,
  },
  clear = {
    run = function(_, command)
      require('runpen').clear(command.bang)
    end,
  },
  pull = {
    run = function(args)
      require('runpen').pull(args)
    end,
    complete = languages,
  },
  status = { run = status },
  doctor = { run = doctor },
  log = { run = log },
}
for _, name in ipairs({ 'block', 'all', 'last', 'stop', 'output', 'quickfix' }) do
  subcommands[name] = {
    run = function()
      require('runpen')[name]()
    end,
  }
end

---@param command vim.api.keyset.create_user_command.command_args
function M.run(command)
  local args = vim.list_extend({}, command.fargs)
  local name = table.remove(args, 1) or (command.range > 0 and 'selection' or 'file')
  local subcommand = subcommands[name]
  if not subcommand then
    return message.warn(("no subcommand '%s', <Tab> after :Runpen lists them"):format(name))
  end
  subcommand.run(args, command)
end

---@param lead string
---@param line string
---@return string[]
function M.complete(lead, line)
  local before = line:sub(1, #line - #lead)
  local name = before:match('Runpen!?%s+(%S+)%s')
  if name then
    local subcommand = subcommands[name]
    return subcommand and subcommand.complete and subcommand.complete(lead) or {}
  end
  local names = vim.tbl_filter(function(candidate)
    return vim.startswith(candidate, lead)
  end, vim.tbl_keys(subcommands))
  table.sort(names)
  return names
end

return M
