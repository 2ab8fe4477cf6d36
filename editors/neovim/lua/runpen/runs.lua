--- Runs: what the server tells of each, put together and shown. The one place where events meet windows and marks.

local marks = require('runpen.marks')
local options = require('runpen.options')
local screens = require('runpen.screen')
local window = require('runpen.window')

local M = {}

--- A run shorter than this shows nothing of its beginning: what was there stays until the result takes its place.
local QUIET_MS = 150

--- Ended runs whose output is kept.
local KEPT = 5

---@class runpen.Run
---@field id? string once the server has named it
---@field bufnr? integer
---@field name string of the document
---@field language? string
---@field phase? string
---@field began number milliseconds
---@field finished? table what `runpen/finished` says
---@field title? string outcome and time
---@field well? boolean it ended as its author wished
---@field mark? runpen.Mark
---@field screen runpen.Screen

---@type table<string, runpen.Run>
local by_id = {}
---@type runpen.Run[] oldest first
local order = {}
---@type table<string, fun(event: table, run: runpen.Run)[]>
local listeners = {}

local function define_groups()
  for name, link in pairs({
    RunpenStderr = 'DiagnosticError',
    RunpenStdin = 'Comment',
    RunpenOk = 'DiagnosticVirtualTextOk',
    RunpenFailed = 'DiagnosticVirtualTextError',
    RunpenRunning = 'DiagnosticVirtualTextInfo',
    RunpenTitle = 'WinBar',
    RunpenTitleOk = 'DiagnosticOk',
    RunpenTitleFailed = 'DiagnosticError',
  }) do
    vim.api.nvim_set_hl(0, name, { link = link, default = true })
  end
end
define_groups()
vim.api.nvim_create_autocmd('ColorScheme', {
  group = vim.api.nvim_create_augroup('runpen.groups', {}),
  desc = 'Runpen: a colour scheme clears all groups',
  callback = define_groups,
})

---@param ms number
---@return string
local function duration(ms)
  return ms < 1000 and ('%.0f ms'):format(ms) or ('%.1f s'):format(ms / 1000)
end

---@param bytes integer
---@return string
local function size(bytes)
  if bytes < 1024 * 1024 then
    return ('%.0f kB'):format(bytes / 1024)
  end
  return ('%.1f MB'):format(bytes / 1024 / 1024)
end

---@param finished table
---@return string
local function title_of(finished)
  local words = {
    compile_failed = '✗ does not compile',
    timed_out = '✗ timed out',
    out_of_memory = '✗ out of memory',
    output_limit = '✗ printed too much',
    cancelled = '■ stopped',
    engine_failure = '✗ could not run',
  }
  local title = words[finished.outcome]
  if finished.outcome == 'exited' then
    title = (finished.exitCode or 0) == 0 and '✓' or ('✗ exit %d'):format(finished.exitCode)
  elseif finished.outcome == 'signaled' then
    title = ('✗ signal %d'):format(finished.signal or 0)
  end
  local total, any = 0, false
  for _, phase in ipairs(finished.phases or {}) do
    if phase.name ~= 'pull' then
      total, any = total + phase.wallMs, true
    end
  end
  return (title or finished.outcome) .. (any and ' ' .. duration(total) or '')
end

---@param run runpen.Run
local function draw_title(run)
  local parts = { { ' ' .. run.name .. ' ', 'RunpenTitle' } }
  if run.finished then
    table.insert(parts, { run.title .. ' ', run.well and 'RunpenTitleOk' or 'RunpenTitleFailed' })
    if run.finished.error then
      table.insert(parts, { '· ' .. run.finished.error .. ' ', 'RunpenTitle' })
    end
  else
    local doing = ({ pull = 'fetching the image', compile = 'compiling' })[run.phase] or 'running'
    local elapsed = vim.uv.hrtime() / 1e6 - run.began
    table.insert(
      parts,
      { '… ' .. doing .. (elapsed > 1000 and ' ' .. duration(elapsed) or '') .. ' ', 'RunpenTitle' }
    )
  end
  if run.screen.dropped > 0 then
    table.insert(parts, { '· ' .. size(run.screen.dropped) .. ' above are not kept ', 'RunpenTitle' })
  end
  window.title(run.screen.bufnr, parts)
end

---@param run runpen.Run
local function show(run)
  window.show(run.screen.bufnr)
  draw_title(run)
end

--- The run that is on show, or would be.
---@return runpen.Run?
function M.last()
  return order[#order]
end

---@return runpen.Run[]
function M.running()
  return vim.tbl_filter(function(run)
    return not run.finished
  end, order)
end

---@param run runpen.Run
local function forget(run)
  run.screen:close()
  if run.id then
    by_id[run.id] = nil
  end
  order = vim.tbl_filter(function(other)
    return other ~= run
  end, order)
end

--- A run that is about to be asked for.
---@param bufnr? integer
---@param first? integer zero-based; the whole document without it
---@param last? integer
---@return runpen.Run
function M.begin(bufnr, first, last)
  local chosen = options.get()
  ---@type runpen.Run
  local run
  local path = bufnr and vim.api.nvim_buf_get_name(bufnr) or ''
  run = {
    bufnr = bufnr,
    name = path ~= '' and vim.fs.basename(path) or '[No Name]',
    began = vim.uv.hrtime() / 1e6,
    mark = bufnr and chosen.virtual_text and marks.new(bufnr, first, last) or nil,
    screen = screens.new(assert(chosen.output.max_lines), function(screen, draw)
      window.following(screen.bufnr, draw)
      -- Only the newest takes the window; those that run beside it are drawn unseen.
      if run == M.last() then
        if run.opens and not window.shows(screen.bufnr) then
          run.opens = false
          window.show(screen.bufnr)
        end
        draw_title(run)
      end
    end),
  }
  local open = chosen.output.open
  -- Output shows in a window that is open, whatever opened it.
  run.opens = open == 'always' or open == 'output' or window.is_open()
  -- A name for lists of buffers and for the status line; a strange file name must not stop a run.
  pcall(vim.api.nvim_buf_set_name, run.screen.bufnr, ('runpen://%d/%s'):format(run.screen.bufnr, run.name))
  require('runpen.keys').attach(run.screen.bufnr)
  table.insert(order, run)
  vim.defer_fn(function()
    if run.finished or not vim.list_contains(order, run) then
      return
    end
    if run.mark then
      marks.set(run.mark, '… running', 'RunpenRunning')
    end
    if run == M.last() and run.opens and (open == 'always' or window.is_open()) then
      run.opens = false
      show(run)
    end
    M.tick()
  end, QUIET_MS)
  return run
end

---@type uv.uv_timer_t?
local ticking

--- The seconds in the title and in the status line, while something runs.
function M.tick()
  if ticking then
    return
  end
  ticking = assert(vim.uv.new_timer())
  ticking:start(
    1000,
    1000,
    vim.schedule_wrap(function()
      if #M.running() == 0 then
        if ticking then
          ticking:close()
          ticking = nil
        end
        return
      end
      draw_title(assert(M.last()))
      vim.cmd.redrawstatus({ bang = true })
    end)
  )
end

--- The server has named it.
---@param run runpen.Run
---@param id string
function M.named(run, id)
  run.id = id
  by_id[id] = run
end

--- It was refused, there will be no event.
---@param run runpen.Run
function M.refused(run)
  if run.mark then
    marks.remove(run.mark)
  end
  forget(run)
end

---@param event table
---@param run runpen.Run
local function tell(event, run)
  for _, listener in ipairs(vim.list_extend({}, listeners[event.event] or {})) do
    local ok, problem = pcall(listener, event, run)
    if not ok then
      require('runpen.message').warn('a listener failed: ' .. tostring(problem))
    end
  end
  -- Output comes too often for an autocommand.
  if event.event ~= 'output' then
    vim.api.nvim_exec_autocmds('User', {
      pattern = 'Runpen' .. event.event:gsub('^%l', string.upper),
      modeline = false,
      data = event,
    })
  end
end

--- Calls a function for each event of a name. The answer takes the function off again.
---@param name 'started'|'phase'|'output'|'finished'
---@param listener fun(event: table, run: runpen.Run)
---@return fun() off
function M.on(name, listener)
  listeners[name] = listeners[name] or {}
  table.insert(listeners[name], listener)
  return function()
    listeners[name] = vim.tbl_filter(function(other)
      return other ~= listener
    end, listeners[name])
  end
end

---@param uri? string
---@return integer?
local function buffer_of(uri)
  local nameless = uri and uri:match('^untitled:Untitled%-(%d+)$')
  local bufnr = nameless and tonumber(nameless) or uri and vim.fn.bufnr(vim.uri_to_fname(uri)) or -1
  return bufnr > 0 and vim.api.nvim_buf_is_valid(bufnr) and bufnr or nil
end

---@param event table
---@return runpen.Run
local function run_of(event)
  local run = by_id[event.runId]
  if not run then
    -- A code lens, a code action or another plugin asked for it.
    local range = event.range
    local last = range and (range['end'].character == 0 and range['end'].line - 1 or range['end'].line)
    run = M.begin(buffer_of(event.uri), range and range.start.line, last)
    M.named(run, event.runId)
  end
  return run
end

---@param event table
function M.started(event)
  local run = run_of(event)
  run.language = event.language
  tell(event, run)
end

---@param event table
function M.phase(event)
  local run = run_of(event)
  if event.state == 'begin' then
    run.phase = event.phase
  end
  tell(event, run)
end

---@param event table
function M.output(event)
  local run = run_of(event)
  run.screen:append(event.text, event.stream)
  tell(event, run)
end

--- Diagnostics of a document without a name: the server's own go to a URI that Neovim would make a buffer of.
---@param run runpen.Run
local function nameless_diagnostics(run)
  local bufnr = run.bufnr
  if not bufnr or not vim.api.nvim_buf_is_valid(bufnr) or vim.api.nvim_buf_get_name(bufnr) ~= '' then
    return
  end
  local severities = { error = 1, warning = 2, information = 3, hint = 4 }
  local list = {}
  for _, found in ipairs(run.finished.diagnostics or {}) do
    table.insert(list, {
      lnum = found.range.start.line,
      col = found.range.start.character,
      end_lnum = found.range['end'].line,
      end_col = found.range['end'].character,
      severity = severities[found.severity],
      message = found.message,
      source = found.source,
      code = found.code,
    })
  end
  vim.diagnostic.set(M.namespace, bufnr, list)
end

M.namespace = vim.api.nvim_create_namespace('runpen')

---@param event table
function M.finished(event)
  local run = run_of(event)
  run.finished = event
  run.title = title_of(event)
  run.well = event.outcome == 'exited' and (event.exitCode or 0) == 0
  local open = options.get().output.open
  run.screen:finish()
  if run == M.last() then
    if (open == 'always' and run.opens) or (open == 'failure' and not run.well) or (run.opens and window.is_open()) then
      run.opens = false
      show(run)
    end
    draw_title(run)
  end
  if run.mark then
    local said = run.well and run.screen:first_line()
      or run.screen:last_error()
      or event.error
      or run.screen:first_line()
    local text = said and run.title .. ' · ' .. vim.fn.strcharpart(said, 0, 100) or run.title
    marks.set(run.mark, text, run.well and 'RunpenOk' or 'RunpenFailed')
  end
  nameless_diagnostics(run)
  if options.get().quickfix and not run.well then
    M.quickfix(run)
  end
  local ended = vim.tbl_filter(function(other)
    return other.finished and other ~= M.last()
  end, order)
  for index = 1, #ended - KEPT do
    forget(ended[index])
  end
  vim.cmd.redrawstatus({ bang = true })
  tell(event, run)
end

--- The server is gone, and all runs with it.
function M.lost()
  for _, run in ipairs(M.running()) do
    M.finished({
      event = 'finished',
      runId = run.id or '',
      outcome = 'engine_failure',
      error = 'the server ended',
      phases = {},
      truncated = true,
      diagnostics = {},
    })
  end
end

--- What a run found wrong, as a quickfix list. True when there was something.
---@param run? runpen.Run
---@return boolean
function M.quickfix(run)
  run = run or M.last()
  local found = run and run.finished and run.finished.diagnostics or {}
  local items = {}
  local types = { error = 'E', warning = 'W', information = 'I', hint = 'N' }
  local function add(place, text, kind)
    table.insert(items, {
      bufnr = run and run.bufnr,
      lnum = place.start.line + 1,
      col = place.start.character + 1,
      end_lnum = place['end'].line + 1,
      end_col = place['end'].character + 1,
      text = text,
      type = kind,
    })
  end
  for _, diagnostic in ipairs(found) do
    add(diagnostic.range, diagnostic.message, types[diagnostic.severity])
    for _, related in ipairs(diagnostic.related or {}) do
      add(related.range, related.message, 'I')
    end
  end
  vim.fn.setqflist({}, ' ', { title = 'Runpen' .. (run and ' ' .. run.name or ''), items = items })
  return #items > 0
end

--- Takes results away, of one buffer or of all. What runs goes on.
---@param bufnr? integer
function M.clear(bufnr)
  marks.clear(bufnr)
  vim.diagnostic.reset(M.namespace, bufnr)
  for _, run in ipairs(vim.list_extend({}, order)) do
    if run.finished and (not bufnr or run.bufnr == bufnr) then
      if window.shows(run.screen.bufnr) then
        window.hide()
      end
      forget(run)
    end
  end
end

--- Shows the newest output, or hides it. True when there is some.
---@return boolean
function M.toggle()
  local run = M.last()
  if run and window.shows(run.screen.bufnr) then
    window.hide()
  elseif run then
    show(run)
  end
  return run ~= nil
end

--- For a status line: nothing, what runs, or what came of the last run.
---@return string
function M.statusline()
  local running = M.running()
  if #running > 0 then
    local elapsed = vim.uv.hrtime() / 1e6 - running[1].began
    return ('… %s'):format(duration(elapsed)) .. (#running > 1 and (' (%d)'):format(#running) or '')
  end
  local run = M.last()
  return run and run.title or ''
end

return M
