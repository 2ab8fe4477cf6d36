--- What other code may call. Everything that `:Runpen` does is a function here.

local M = {}

---@return table
local function client()
  return require('runpen.client')
end

---@return table
local function runs()
  return require('runpen.runs')
end

--- Options, for those who like a call better than `vim.g.runpen`. Nothing else needs it.
---@param options? runpen.Options
function M.setup(options)
  require('runpen.options').set(options)
end

--- What ran last, to run it again.
---@type fun()?
local again

---@class runpen.Request
---@field command string
---@field args? string[] of the program
---@field first? integer zero-based line, for a selection
---@field last? integer
---@field range? fun(server: vim.lsp.Client): table of a selection, in the server's units
---@field position? fun(server: vim.lsp.Client): table of the cursor

---@param request runpen.Request
---@param bufnr? integer
local function ask(request, bufnr)
  bufnr = vim._resolve_bufnr(bufnr)
  again = function()
    -- The buffer may be gone; then there is nothing to run again.
    if vim.api.nvim_buf_is_loaded(bufnr) then
      ask(request, bufnr)
    else
      require('runpen.message').info('what ran last is closed')
    end
  end
  client().with(bufnr, function(server)
    if not client().offers(server, request.command) then
      return client().execute(server, bufnr, request.command)
    end
    local argument = { uri = client().document(server, bufnr) }
    argument.args = request.args and #request.args > 0 and request.args or nil
    argument.range = request.range and request.range(server) or nil
    argument.position = request.position and request.position(server) or nil
    ---@type runpen.Run?
    local run
    local asked = client().execute(server, bufnr, request.command, argument, function(answer)
      if run and type(answer) == 'table' and answer.runId then
        runs().named(run, answer.runId)
      elseif run then
        runs().refused(run)
      end
    end, function()
      if run then
        runs().refused(run)
      end
    end)
    -- After the request, so that the server works while we make a buffer; its answer comes in a later turn of the loop.
    -- Of many snippets, each tells of itself.
    if asked and request.command ~= 'runpen.runAllBlocks' then
      run = runs().begin(bufnr, request.first, request.last)
    end
  end)
end

--- Runs a buffer's text, saved or not.
---@param args? string[]
---@param bufnr? integer
function M.file(args, bufnr)
  ask({ command = 'runpen.runFile', args = args }, bufnr)
end

--- A place of the buffer in the server's units.
---@param server vim.lsp.Client
---@param bufnr integer
---@param line integer zero-based
---@param byte integer
local function position(server, bufnr, line, byte)
  local text = vim.api.nvim_buf_get_lines(bufnr, line, line + 1, false)[1] or ''
  local character = vim.str_utfindex(text, server.offset_encoding, math.min(byte, #text), false)
  return { line = line, character = character }
end

--- Runs whole lines.
---@param first integer one-based
---@param last integer
---@param args? string[]
---@param bufnr? integer
function M.lines(first, last, args, bufnr)
  bufnr = vim._resolve_bufnr(bufnr)
  ask({
    command = 'runpen.runSelection',
    args = args,
    first = first - 1,
    last = last - 1,
    range = function(server)
      local text = vim.api.nvim_buf_get_lines(bufnr, last - 1, last, false)[1] or ''
      return { start = { line = first - 1, character = 0 }, ['end'] = position(server, bufnr, last - 1, #text) }
    end,
  }, bufnr)
end

--- Runs what lies between two places, given as `getpos()` gives them. A block runs as its lines.
---@param from integer[]
---@param to integer[]
---@param kind string 'v', 'V' or CTRL-V
---@param args? string[]
local function region(from, to, kind, args)
  local bufnr = vim.api.nvim_get_current_buf()
  local found = kind == 'v' and vim.fn.getregionpos(from, to, { type = 'v', eol = false }) or {}
  if #found == 0 then
    local first, last = math.min(from[2], to[2]), math.max(from[2], to[2])
    return M.lines(first, last, args, bufnr)
  end
  local start, stop = found[1][1], found[#found][2]
  local text = vim.api.nvim_buf_get_lines(bufnr, stop[2] - 1, stop[2], false)[1] or ''
  -- The end is the last character's first byte: all of that character belongs to it.
  local stop_byte = math.min(stop[3], #text)
  if stop_byte > 0 then
    stop_byte = stop_byte + vim.str_utf_end(text, stop_byte)
  end
  ask({
    command = 'runpen.runSelection',
    args = args,
    first = start[2] - 1,
    last = stop[2] - 1,
    range = function(server)
      return {
        start = position(server, bufnr, start[2] - 1, math.max(start[3] - 1, 0)),
        ['end'] = position(server, bufnr, stop[2] - 1, stop_byte),
      }
    end,
  }, bufnr)
end

--- Runs the selection that is being made, and leaves it.
function M.visual()
  local kind, from, to = vim.fn.mode(), vim.fn.getpos('v'), vim.fn.getpos('.')
  vim.api.nvim_feedkeys(vim.keycode('<Esc>'), 'nx', false)
  region(from, to, kind)
end

--- Runs the last selection as it was made, in whole lines or not.
---@param args? string[]
function M.selection(args)
  local from, to = vim.fn.getpos("'<"), vim.fn.getpos("'>")
  if from[2] == 0 then
    return require('runpen.message').info('nothing was selected yet')
  end
  region(from, to, vim.fn.visualmode(), args)
end

--- Keys of an operator: `vim.keymap.set('n', 'gr', require('runpen').operator, { expr = true })`.
---@return string
function M.operator()
  vim.go.operatorfunc = "v:lua.require'runpen'.operatorfunc"
  return 'g@'
end

--- What the operator calls after the motion.
---@param kind 'line'|'char'|'block'
function M.operatorfunc(kind)
  region(vim.fn.getpos("'["), vim.fn.getpos("']"), kind == 'char' and 'v' or 'V')
end

--- Runs the snippet under the cursor.
function M.block()
  local bufnr = vim.api.nvim_get_current_buf()
  local cursor = vim.api.nvim_win_get_cursor(0)
  ask({
    command = 'runpen.runBlock',
    first = cursor[1] - 1,
    last = cursor[1] - 1,
    position = function(server)
      return position(server, bufnr, cursor[1] - 1, cursor[2])
    end,
  }, bufnr)
end

--- Runs all snippets of the document.
function M.all()
  ask({ command = 'runpen.runAllBlocks' })
end

--- Runs again what ran last, wherever the cursor is.
function M.last()
  if again then
    return again()
  end
  require('runpen.message').info('nothing ran yet')
end

---@param what string
---@param argument? table
local function command_of_running(what, argument)
  local server = client().running()
  if server then
    client().execute(server, vim.api.nvim_get_current_buf(), what, argument)
  end
  return server ~= nil
end

--- Stops all runs of this Neovim.
function M.stop()
  if #runs().running() == 0 then
    return require('runpen.message').info('nothing runs')
  end
  command_of_running('runpen.cancel')
end

---@param text? string a line; asked for without it
---@param eof? boolean end the input
function M.input(text, eof)
  local running = runs().running()
  local run = running[#running]
  if not run or not run.id then
    return require('runpen.message').info('nothing runs that could read')
  end
  local function send(line)
    if not line and not eof then
      return
    end
    local sent = line and line .. '\n' or ''
    local argument = { runId = run.id, text = sent, eof = eof or false }
    if command_of_running('runpen.sendInput', argument) then
      run.screen:append(sent, 'stdin')
    end
  end
  if text or eof then
    return send(text)
  end
  vim.ui.input({ prompt = 'Input: ' }, send)
end

--- Takes results away: of the buffer, or of all.
---@param everything? boolean
function M.clear(everything)
  local bufnr = vim.api.nvim_get_current_buf()
  runs().clear(not everything and bufnr or nil)
  local server = client().running()
  if server then
    local argument = not everything and { uri = client().uri(bufnr) } or {}
    client().execute(server, bufnr, 'runpen.clear', next(argument) and argument or vim.empty_dict())
  end
end

--- Shows the output, or hides it.
function M.output()
  if not runs().toggle() then
    require('runpen.message').info('nothing ran yet')
  end
end

--- Opens the quickfix list with what the last run found wrong.
function M.quickfix()
  if runs().quickfix() then
    vim.cmd('botright copen')
  else
    require('runpen.message').info('the last run found nothing wrong')
  end
end

--- Fetches images, of these languages or of those in use, and tells what came of it.
---@param languages? string[]
function M.pull(languages)
  local bufnr = vim.api.nvim_get_current_buf()
  local message = require('runpen.message')
  client().with(bufnr, function(server)
    local argument = { wait = true, languages = languages and #languages > 0 and languages or nil }
    local asked = client().execute(server, bufnr, 'runpen.pullImages', argument, function(answer)
      local names = {}
      for _, image in ipairs(answer.images or {}) do
        if not image.present then
          return message.warn(('%s: %s'):format(image.image, image.error or 'could not be fetched'))
        end
        table.insert(names, image.language)
      end
      message.info(#names > 0 and 'images are there: ' .. table.concat(names, ', ') or 'no image is needed')
    end)
    if asked then
      message.info('fetching images')
    end
  end)
end

--- Calls a function for each event of a name. The answer takes the function off again.
---@param name 'started'|'phase'|'output'|'finished'
---@param listener fun(event: table, run: runpen.Run)
---@return fun() off
function M.on(name, listener)
  return runs().on(name, listener)
end

--- For a status line. Loads nothing: it is empty until something ran, or there is no engine to run it.
---@return string
function M.statusline()
  local ran = package.loaded['runpen.runs'] and runs().statusline() or ''
  local standing = package.loaded['runpen.standing'] and require('runpen.standing').statusline() or ''
  return standing ~= '' and standing or ran
end

return M
