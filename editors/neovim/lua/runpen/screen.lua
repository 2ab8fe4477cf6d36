--- The output of one run as a buffer: bounded, drawn in batches, coloured. It must not know windows or servers.
---
--- # A flood
---
--- Text that came since the last drawing waits, at most `WAITING_LIMIT` bytes of it: the oldest goes first, and is
--- counted. A drawing takes what waits, at most as many lines as are kept. After each, nothing is drawn for at least
--- four times as long as it took, so that four fifths of the time are left for the person at the keyboard.

local ansi = require('runpen.ansi')

local M = {}

local WAITING_LIMIT = 1024 * 1024

--- Milliseconds between drawings, at least.
local INTERVAL = 25

--- Only so many lines of one drawing get their colours; nobody has seen those above.
local COLOURED_LINES = 1000

local namespace = vim.api.nvim_create_namespace('runpen.screen')

---@class runpen.Screen
---@field bufnr integer
---@field dropped integer bytes that are not kept
---@field private beginning string of stdout
---@field private ending string of stderr
---@field on_change fun(screen: runpen.Screen, draw: fun()) called around each drawing
---@field private max_lines integer
---@field private parser runpen.Parser
---@field private waiting { text: string, group?: string }[]
---@field private head integer index of the oldest that waits
---@field private tail integer index of the newest
---@field private bytes integer that wait
---@field private cut boolean something that waited was dropped
---@field private timer? uv.uv_timer_t
---@field private drawn_at number
---@field private pause number milliseconds
---@field private closed boolean
---@field private stream? string whose line is the last one
---@field private unfinished table<string, boolean> streams whose line another stream has ended
local Screen = {}
Screen.__index = Screen

---@param max_lines integer
---@param on_change fun(screen: runpen.Screen, draw: fun())
---@return runpen.Screen
function M.new(max_lines, on_change)
  local bufnr = vim.api.nvim_create_buf(false, true)
  local settings = { bufhidden = 'hide', swapfile = false, undolevels = -1, modifiable = false, filetype = 'runpen' }
  for name, value in pairs(settings) do
    vim.api.nvim_set_option_value(name, value, { buf = bufnr })
  end
  return setmetatable({
    bufnr = bufnr,
    dropped = 0,
    on_change = on_change,
    max_lines = max_lines,
    parser = ansi.new(),
    waiting = {},
    head = 1,
    tail = 0,
    bytes = 0,
    cut = false,
    drawn_at = -math.huge,
    pause = INTERVAL,
    closed = false,
    unfinished = {},
    beginning = '',
    ending = '',
  }, Screen)
end

---@return number milliseconds
local function now()
  return vim.uv.hrtime() / 1e6
end

--- Bytes of each stream's end that are kept to sum up the run with one line of it.
local SUMMED_UP = 4096

--- A text without colours and control characters, or nil when nothing is left.
---@param line? string
---@return string?
local function plain(line)
  line = vim.trim(((line or ''):gsub('\27%[[0-?]*[ -/]*[@-~]', ''):gsub('%c', ' ')))
  return line ~= '' and line or nil
end

--- The first line of stdout that says something.
---@return string?
function Screen:first_line()
  return plain(self.beginning:match('%S[^\r\n]*'))
end

--- The last line of stderr that does.
---@return string?
function Screen:last_error()
  return plain(self.ending:gsub('%s+$', ''):match('[^\r\n]*$'))
end

---@param text string
---@param stream? 'stdout'|'stderr'|'stdin'
function Screen:append(text, stream)
  if self.closed or text == '' then
    return
  end
  if stream == 'stderr' then
    self.ending = (self.ending .. text:sub(-SUMMED_UP)):sub(-SUMMED_UP)
  elseif stream ~= 'stdin' and #self.beginning < SUMMED_UP then
    -- In pieces: an unbuffered program sends each word by itself.
    self.beginning = self.beginning .. text:sub(1, SUMMED_UP)
  end
  local group = stream == 'stderr' and 'RunpenStderr' or stream == 'stdin' and 'RunpenStdin' or nil
  text = self:untangle(text, stream)
  self.tail = self.tail + 1
  self.waiting[self.tail] = { text = text, group = group }
  self.bytes = self.bytes + #text
  while self.bytes > WAITING_LIMIT and self.head < self.tail do
    local oldest = self.waiting[self.head]
    self.waiting[self.head] = nil
    self.head = self.head + 1
    self.bytes = self.bytes - #oldest.text
    self.dropped = self.dropped + #oldest.text
    self.cut = true
  end
  -- What comes after a pause is drawn at once: that is every short run.
  local since = now() - self.drawn_at
  if since >= self.pause then
    self:draw()
  elseif not self.timer then
    self.timer = vim.defer_fn(function()
      self.timer = nil
      self:draw()
    end, math.ceil(self.pause - since))
  end
end

--- The two streams reach us on two ways, and an unbuffered Python writes a line and its end apart. So a stream that
--- finds the other's line unfinished begins a new one, and the line end that comes later is not drawn a second time.
---@private
---@param text string
---@param stream? string
---@return string
function Screen:untangle(text, stream)
  if stream ~= 'stdout' and stream ~= 'stderr' then
    -- What is typed stands behind the question, as on a terminal.
    self.stream = text:sub(-1) ~= '\n' and self.stream or nil
    return text
  end
  local ended = text:sub(-1) == '\n'
  if self.stream and self.stream ~= stream then
    self.unfinished[self.stream] = true
    self.stream = stream
    self.unfinished[stream] = nil
    text = '\n' .. text
  elseif self.unfinished[stream] then
    self.unfinished[stream] = nil
    text = text:sub(1, 1) == '\n' and text:sub(2) or text
  end
  self.stream = not ended and stream or nil
  return text
end

--- Where the last `count` lines of a text begin.
---@param text string
---@param count integer
---@return integer
local function tail_start(text, count)
  for at = #text - 1, 1, -1 do
    if text:byte(at) == 10 then
      count = count - 1
      if count == 0 then
        return at + 1
      end
    end
  end
  return 1
end

--- Draws what waits.
function Screen:draw()
  if self.timer then
    self.timer:stop()
    if not self.timer:is_closing() then
      self.timer:close()
    end
    self.timer = nil
  end
  if self.closed or self.head > self.tail or not vim.api.nvim_buf_is_valid(self.bufnr) then
    return
  end
  local began = now()
  self.on_change(self, function()
    self:write()
  end)
  self.drawn_at = now()
  self.pause = math.max(INTERVAL, 4 * (self.drawn_at - began))
end

---@private
function Screen:write()
  local waiting, cut = self.waiting, self.cut
  local first, newest = self.head, self.tail
  self.waiting, self.head, self.tail, self.bytes, self.cut = {}, 1, 0, 0, false
  -- From the end, only as many lines as are kept; what is above them is not even looked at.
  local room = self.max_lines
  local from = 1
  local start = newest
  while start >= first do
    local text = waiting[start].text
    from = tail_start(text, room)
    local _, lines = text:sub(from):gsub('\n', '')
    room = room - lines
    if from > 1 or room <= 0 then
      break
    end
    start = start - 1
  end
  start = math.max(start, first)
  if start > first or from > 1 then
    for index = first, start - 1 do
      self.dropped = self.dropped + #waiting[index].text
    end
    self.dropped = self.dropped + from - 1
    cut = true
  end
  local replace_last = not cut
  if cut then
    self.parser:reset()
    waiting[start] = { text = waiting[start].text:sub(from), group = waiting[start].group }
    -- What was drawn goes with what never was. The last line has no end yet, and the offset counts one.
    local drawn = vim.api.nvim_buf_get_offset(self.bufnr, vim.api.nvim_buf_line_count(self.bufnr))
    self.dropped = self.dropped + math.max(0, drawn - 1)
  end
  ---@type runpen.Line[]
  local lines = {}
  for index = start, newest do
    vim.list_extend(lines, self.parser:feed(waiting[index].text, waiting[index].group))
  end
  table.insert(lines, self.parser.line)

  local bufnr = self.bufnr
  local texts = {}
  for index, line in ipairs(lines) do
    texts[index] = line.text
  end
  vim.bo[bufnr].modifiable = true
  local count = vim.api.nvim_buf_line_count(bufnr)
  local at = replace_last and count - 1 or 0
  vim.api.nvim_buf_clear_namespace(bufnr, namespace, at, -1)
  vim.api.nvim_buf_set_lines(bufnr, at, -1, false, texts)
  for index = math.max(1, #lines - COLOURED_LINES), #lines do
    for _, span in ipairs(lines[index].spans) do
      vim.api.nvim_buf_set_extmark(bufnr, namespace, at + index - 1, span.from, {
        end_col = span.to,
        hl_group = span.group,
        strict = false,
      })
    end
  end
  local excess = vim.api.nvim_buf_line_count(bufnr) - self.max_lines
  if excess > 0 then
    local gone = vim.api.nvim_buf_get_offset(bufnr, excess)
    self.dropped = self.dropped + gone
    vim.api.nvim_buf_clear_namespace(bufnr, namespace, 0, excess)
    vim.api.nvim_buf_set_lines(bufnr, 0, excess, false, {})
  end
  vim.bo[bufnr].modifiable = false
end

--- Everything that came is drawn, and the empty line after the last line end is taken away.
function Screen:finish()
  self:draw()
  if self.closed or not vim.api.nvim_buf_is_valid(self.bufnr) then
    return
  end
  local count = vim.api.nvim_buf_line_count(self.bufnr)
  if count > 1 and vim.api.nvim_buf_get_lines(self.bufnr, count - 1, count, false)[1] == '' then
    self.on_change(self, function()
      vim.bo[self.bufnr].modifiable = true
      vim.api.nvim_buf_set_lines(self.bufnr, count - 1, count, false, {})
      vim.bo[self.bufnr].modifiable = false
    end)
  end
end

function Screen:close()
  self.closed = true
  if self.timer then
    self.timer:stop()
    if not self.timer:is_closing() then
      self.timer:close()
    end
    self.timer = nil
  end
  if vim.api.nvim_buf_is_valid(self.bufnr) then
    vim.api.nvim_buf_delete(self.bufnr, { force = true })
  end
end

return M
