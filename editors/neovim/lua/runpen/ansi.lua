--- What a program prints → lines and colours. Of terminal sequences only colours have a meaning: output is untrusted,
--- and a real terminal would let it set titles, ask questions and reach the clipboard. A carriage return begins its
--- line anew, so that progress bars stay on one line.

local M = {}

--- A line longer than this is broken: Neovim draws very long lines slowly.
local LINE_LIMIT = 8192

--- An unfinished sequence longer than this was none.
local SEQUENCE_LIMIT = 4096

--- Groups made of colours that programs chose. A program that chooses more gets the plain colour.
local GROUP_LIMIT = 512

---@class runpen.Span
---@field from integer first byte of the line
---@field to integer byte after the last one
---@field group string

---@class runpen.Line
---@field text string
---@field spans runpen.Span[]

---@class runpen.Style
---@field fg? integer|string number of the palette, or '#rrggbb'
---@field bg? integer|string
---@field bold? boolean
---@field italic? boolean
---@field underline? boolean
---@field strikethrough? boolean
---@field reverse? boolean

---@class runpen.Parser
---@field line runpen.Line the last line, which may grow
---@field private style runpen.Style
---@field private group? string
---@field private rest string an unfinished sequence
---@field private returned boolean a carriage return came last
local Parser = {}
Parser.__index = Parser

---@return runpen.Parser
function M.new()
  return setmetatable({ line = { text = '', spans = {} }, style = {}, rest = '', returned = false }, Parser)
end

--- The 6×6×6 cube and the greys of a palette of 256.
---@param number integer
---@return string
local function palette(number)
  if number >= 232 then
    local grey = 8 + 10 * (number - 232)
    return ('#%02x%02x%02x'):format(grey, grey, grey)
  end
  local function level(value)
    return value == 0 and 0 or 55 + 40 * value
  end
  number = number - 16
  return ('#%02x%02x%02x'):format(level(math.floor(number / 36)), level(math.floor(number / 6) % 6), level(number % 6))
end

-- stylua: ignore
local basic = {
  [0] = '#3b4252', '#bf616a', '#a3be8c', '#d0a65a', '#81a1c1', '#b48ead', '#88c0d0', '#d8dee9',
  '#66708a', '#d0757e', '#b5cfa0', '#ebcb8b', '#94b4d4', '#c7a4c1', '#9bd3e3', '#eceff4',
}

---@param colour integer|string
---@return string gui, integer? cterm
local function resolve(colour)
  if type(colour) == 'string' then
    return colour, nil
  elseif colour < 16 then
    return vim.g['terminal_color_' .. colour] or basic[colour], colour
  end
  return palette(colour), colour
end

---@type table<string, vim.api.keyset.highlight>
local groups = {}
local group_count = 0

vim.api.nvim_create_autocmd('ColorScheme', {
  group = vim.api.nvim_create_augroup('runpen.ansi', {}),
  desc = 'Runpen: a colour scheme clears all groups',
  callback = function()
    for name, definition in pairs(groups) do
      vim.api.nvim_set_hl(0, name, definition)
    end
  end,
})

---@param style runpen.Style
---@return string?
local function group_of(style)
  if next(style) == nil then
    return nil
  end
  local name = 'RunpenAnsi'
  for _, key in ipairs({ 'fg', 'bg' }) do
    if style[key] then
      name = name .. '_' .. key .. tostring(style[key]):gsub('#', 'x')
    end
  end
  for _, key in ipairs({ 'bold', 'italic', 'underline', 'strikethrough', 'reverse' }) do
    name = style[key] and name .. '_' .. key or name
  end
  if not groups[name] then
    if group_count >= GROUP_LIMIT then
      return nil
    end
    group_count = group_count + 1
    local definition = { cterm = {} }
    for key, value in pairs(style) do
      if key == 'fg' or key == 'bg' then
        definition[key], definition['cterm' .. key] = resolve(value)
      else
        definition[key] = true
        definition.cterm[key] = true
      end
    end
    groups[name] = definition
    vim.api.nvim_set_hl(0, name, definition)
  end
  return name
end

local switches = {
  [1] = { 'bold', true },
  [3] = { 'italic', true },
  [4] = { 'underline', true },
  [7] = { 'reverse', true },
  [9] = { 'strikethrough', true },
  [22] = { 'bold' },
  [23] = { 'italic' },
  [24] = { 'underline' },
  [27] = { 'reverse' },
  [29] = { 'strikethrough' },
  [39] = { 'fg' },
  [49] = { 'bg' },
}

--- "Select graphic rendition", `ESC [ … m`.
---@param parameters string
function Parser:render(parameters)
  local codes = {}
  for code in (parameters .. ';'):gmatch('(%d*)[;:]') do
    table.insert(codes, tonumber(code) or 0)
  end
  local at = 1
  while at <= #codes do
    local code = codes[at]
    local switch = switches[code]
    if code == 0 then
      self.style = {}
    elseif switch then
      self.style[switch[1]] = switch[2]
    elseif code >= 30 and code <= 37 then
      self.style.fg = code - 30
    elseif code >= 40 and code <= 47 then
      self.style.bg = code - 40
    elseif code >= 90 and code <= 97 then
      self.style.fg = code - 82
    elseif code >= 100 and code <= 107 then
      self.style.bg = code - 92
    elseif code == 38 or code == 48 then
      local key = code == 38 and 'fg' or 'bg'
      if codes[at + 1] == 5 and (codes[at + 2] or 256) < 256 then
        self.style[key] = codes[at + 2]
        at = at + 2
      elseif codes[at + 1] == 2 and codes[at + 4] then
        local red, green, blue = unpack(codes, at + 2, at + 4)
        self.style[key] = ('#%02x%02x%02x'):format(math.min(red, 255), math.min(green, 255), math.min(blue, 255))
        at = at + 4
      end
    end
    at = at + 1
  end
  self.group = group_of(self.style)
end

--- Back to no colour, at a gap in the output.
function Parser:reset()
  self.line = { text = '', spans = {} }
  self.style, self.group, self.rest, self.returned = {}, nil, '', false
end

--- Adds printable text, without line ends, to the last line.
---@param text string
---@param group? string
---@param done runpen.Line[]
function Parser:put(text, group, done)
  if text == '' then
    return
  end
  if self.returned then
    self.line = { text = '', spans = {} }
    self.returned = false
  end
  repeat
    local line = self.line
    local room = LINE_LIMIT - #line.text
    local part = text
    if #text > room then
      -- Never inside of a character.
      while room > 0 and (text:byte(room + 1) or 0) >= 0x80 and (text:byte(room + 1) or 0) < 0xC0 do
        room = room - 1
      end
      part = text:sub(1, room)
    end
    text = text:sub(#part + 1)
    local from = #line.text
    line.text = line.text .. part
    if group and part ~= '' then
      local last = line.spans[#line.spans]
      if last and last.group == group and last.to == from then
        last.to = #line.text
      else
        table.insert(line.spans, { from = from, to = #line.text, group = group })
      end
    end
    if text ~= '' then
      table.insert(done, line)
      self.line = { text = '', spans = {} }
    end
  until text == ''
end

--- Takes what was printed and gives the lines that are complete; the last one is `parser.line`.
---@param text string
---@param base? string group of text that has no colour of its own
---@return runpen.Line[]
function Parser:feed(text, base)
  ---@type runpen.Line[]
  local done = {}
  if self.rest ~= '' then
    text = self.rest .. text
    self.rest = ''
  end
  local at, length = 1, #text
  while at <= length do
    local special = text:find('[\n\r\b\27]', at)
    if not special then
      self:put(text:sub(at), self.group or base, done)
      break
    end
    if special > at then
      self:put(text:sub(at, special - 1), self.group or base, done)
    end
    local byte = text:byte(special)
    at = special + 1
    if byte == 10 then
      table.insert(done, self.line)
      self.line = { text = '', spans = {} }
      self.returned = false
    elseif byte == 13 then
      self.returned = true
    elseif byte == 8 then
      self.line.text = self.line.text:gsub('[^\128-\191][\128-\191]*$', '')
      for index = #self.line.spans, 1, -1 do
        local span = self.line.spans[index]
        span.to = math.min(span.to, #self.line.text)
        if span.from >= span.to then
          table.remove(self.line.spans, index)
        end
      end
    else
      at = self:sequence(text, special)
    end
  end
  return done
end

--- A sequence that begins at `at`; the place after it.
---@param text string
---@param at integer
---@return integer
function Parser:sequence(text, at)
  local kind = text:sub(at + 1, at + 1)
  local stop
  if kind == '[' then
    local _, last, parameters, final = text:find('^([0-?]*)[ -/]*([@-~])', at + 2)
    stop = last
    if final == 'm' and not parameters:find('[<-?]') then
      self:render(parameters)
    elseif not last and text:find('^[ -?]*[^ -?]', at + 2) then
      -- Not a sequence after all: only its beginning goes.
      stop = at + 1
    end
  elseif kind ~= '' and kind:find('[%]PX^_]') then
    -- A string for the terminal, up to BEL or ESC \.
    local bell = text:find('\7', at + 2, true)
    local _, terminator = text:find('\27\\', at + 2, true)
    stop = math.min(bell or math.huge, terminator or math.huge)
    stop = stop ~= math.huge and stop or nil
  elseif kind ~= '' then
    stop = at + 1
  end
  if stop then
    return stop + 1
  end
  if #text - at < SEQUENCE_LIMIT then
    self.rest = text:sub(at)
    return #text + 1
  end
  return at + 1
end

return M
