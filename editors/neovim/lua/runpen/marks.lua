--- The result of a run at the end of its line. It follows edits, and goes when what it tells of is edited: the
--- selection that ran or, of a file, the line that shows it, because a result that went with every letter typed
--- anywhere would be read by nobody.

local M = {}

local namespace = vim.api.nvim_create_namespace('runpen.marks')

---@class runpen.Mark
---@field id integer extmark of the lines that ran
---@field label? integer extmark of the text at the end of the last one
---@field bufnr integer
---@field text string what was there when it ran

---@type table<integer, table<integer, runpen.Mark>>
local marks = {}

---@param bufnr integer
---@param first integer
---@param last integer
---@return string
local function text_of(bufnr, first, last)
  return table.concat(vim.api.nvim_buf_get_lines(bufnr, first, last + 1, false), '\n')
end

---@param mark runpen.Mark
---@return integer? first, integer? last
local function place(mark)
  local found = vim.api.nvim_buf_get_extmark_by_id(mark.bufnr, namespace, mark.id, { details = true })
  if found[1] and not found[3].invalid then
    return found[1], found[3].end_row or found[1]
  end
end

---@param bufnr integer
local function watch(bufnr)
  if marks[bufnr] then
    return
  end
  marks[bufnr] = {}
  vim.api.nvim_buf_attach(bufnr, false, {
    on_lines = function(_, _, _, first, _, last)
      for _, mark in pairs(marks[bufnr] or {}) do
        local from, to = place(mark)
        if not from or (first <= to and last >= from and text_of(bufnr, from, to) ~= mark.text) then
          M.remove(mark)
        end
      end
    end,
    on_reload = function()
      M.clear(bufnr)
    end,
    on_detach = function()
      marks[bufnr] = nil
    end,
  })
end

--- The line of a whole file that shows its result: the first one with code.
---@param bufnr integer
---@return integer
local function code_line(bufnr)
  for index, line in ipairs(vim.api.nvim_buf_get_lines(bufnr, 0, 200, false)) do
    local text = vim.trim(line)
    local comment = text:find('^#!') or text:find('^# ') or text:find('^//') or text:find('^/?%*') or text == '#'
    if text ~= '' and not comment then
      return index - 1
    end
  end
  return 0
end

--- Marks the lines that run. Nothing shows before `set`.
---@param bufnr integer
---@param first? integer zero-based; the whole document without it
---@param last? integer
---@return runpen.Mark
function M.new(bufnr, first, last)
  watch(bufnr)
  local line_count = vim.api.nvim_buf_line_count(bufnr)
  first = math.min(first or code_line(bufnr), line_count - 1)
  last = math.max(first, math.min(last or first, line_count - 1))
  local id = vim.api.nvim_buf_set_extmark(bufnr, namespace, first, 0, {
    end_row = last,
    end_col = #vim.api.nvim_buf_get_lines(bufnr, last, last + 1, false)[1],
    invalidate = true,
    undo_restore = false,
  })
  local mark = { id = id, bufnr = bufnr, text = text_of(bufnr, first, last) }
  marks[bufnr][id] = mark
  return mark
end

--- Shows text at the end of the mark's last line, in place of what showed there.
---@param mark runpen.Mark
---@param text string
---@param group string
function M.set(mark, text, group)
  if not vim.api.nvim_buf_is_valid(mark.bufnr) or not (marks[mark.bufnr] or {})[mark.id] then
    return
  end
  local _, last = place(mark)
  if not last then
    return
  end
  -- One result a line: the newest.
  for _, other in pairs(marks[mark.bufnr]) do
    local _, other_last = place(other)
    if other ~= mark and other.label and other_last == last then
      M.remove(other)
    end
  end
  mark.label = vim.api.nvim_buf_set_extmark(mark.bufnr, namespace, last, 0, {
    id = mark.label,
    virt_text = { { '  ' .. text, group } },
    virt_text_pos = 'eol',
    hl_mode = 'combine',
    invalidate = true,
    undo_restore = false,
  })
end

---@param mark runpen.Mark
function M.remove(mark)
  if marks[mark.bufnr] then
    marks[mark.bufnr][mark.id] = nil
  end
  if vim.api.nvim_buf_is_valid(mark.bufnr) then
    vim.api.nvim_buf_del_extmark(mark.bufnr, namespace, mark.id)
    if mark.label then
      vim.api.nvim_buf_del_extmark(mark.bufnr, namespace, mark.label)
    end
  end
end

--- Takes all results of a buffer away, or of all buffers.
---@param bufnr? integer
function M.clear(bufnr)
  for _, number in ipairs(bufnr and { bufnr } or vim.tbl_keys(marks)) do
    if vim.api.nvim_buf_is_valid(number) then
      vim.api.nvim_buf_clear_namespace(number, namespace, 0, -1)
    end
    marks[number] = marks[number] and {}
  end
end

return M
