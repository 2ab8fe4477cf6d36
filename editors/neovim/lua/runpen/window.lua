--- The one window for output, and whether it follows the end.

local options = require('runpen.options')

local M = {}

---@type integer?
local window

---@return boolean
function M.is_open()
  return window ~= nil and vim.api.nvim_win_is_valid(window)
end

---@param bufnr integer
---@return integer
local function open(bufnr)
  local output = assert(options.get().output)
  local kind, size = output.window, assert(output.size)
  ---@type vim.api.keyset.win_config
  local config
  if kind == 'float' then
    local width = math.max(20, math.floor(vim.o.columns * 0.8))
    local height = math.max(1, math.min(size, vim.o.lines - 4))
    config = {
      relative = 'editor',
      width = width,
      height = height,
      row = vim.o.lines - height - 4,
      col = math.floor((vim.o.columns - width) / 2),
      border = 'rounded',
    }
  elseif kind == 'vsplit' then
    config = { split = 'right', win = -1, width = math.min(size, vim.o.columns - 10) }
  else
    config = { split = 'below', win = -1, height = math.max(1, math.min(size, vim.o.lines - 6)) }
  end
  local win = vim.api.nvim_open_win(bufnr, false, config)
  local settings = {
    number = false,
    relativenumber = false,
    signcolumn = 'no',
    foldcolumn = '0',
    spell = false,
    list = false,
    wrap = true,
    winfixheight = kind == 'split',
    winfixwidth = kind == 'vsplit',
    scrolloff = 0,
  }
  for name, value in pairs(settings) do
    vim.api.nvim_set_option_value(name, value, { win = win, scope = 'local' })
  end
  return win
end

--- Shows a buffer in the window, and makes the window where there is none. Does not take the cursor there.
---@param bufnr integer
---@param from_top? boolean what is read from its beginning, and does not grow
function M.show(bufnr, from_top)
  if options.get().output.window == 'none' then
    return
  end
  if not M.is_open() then
    window = open(bufnr)
  elseif vim.api.nvim_win_get_buf(assert(window)) ~= bufnr then
    vim.api.nvim_win_set_buf(assert(window), bufnr)
  end
  if from_top then
    vim.api.nvim_win_set_cursor(assert(window), { 1, 0 })
  else
    M.to_end(assert(window))
  end
end

--- Puts the last line at the bottom. The cursor alone would leave a gap below it when lines were taken away.
---@param win integer
function M.to_end(win)
  local count = vim.api.nvim_buf_line_count(vim.api.nvim_win_get_buf(win))
  vim.api.nvim_win_set_cursor(win, { count, 0 })
  if count > 1 then
    vim.api.nvim_win_call(win, function()
      vim.cmd.normal({ 'zb', bang = true })
    end)
  end
end

function M.hide()
  if M.is_open() then
    -- The last window cannot be closed; there it stays.
    pcall(vim.api.nvim_win_close, assert(window), true)
  end
  window = nil
end

--- Whether the window shows this buffer.
---@param bufnr integer
---@return boolean
function M.shows(bufnr)
  return M.is_open() and vim.api.nvim_win_get_buf(assert(window)) == bufnr
end

--- A change of a buffer: each window that shows its end before shows its end afterwards. A window that was scrolled up
--- stays where it is.
---@param bufnr integer
---@param change fun()
function M.following(bufnr, change)
  local count = vim.api.nvim_buf_line_count(bufnr)
  local followers = {}
  for _, win in ipairs(vim.fn.win_findbuf(bufnr)) do
    if vim.fn.line('w$', win) >= count then
      table.insert(followers, win)
    end
  end
  change()
  for _, win in ipairs(followers) do
    if vim.api.nvim_win_is_valid(win) then
      M.to_end(win)
    end
  end
end

--- The line above the output.
---@param bufnr integer
---@param parts { [1]: string, [2]: string }[] text and group
function M.title(bufnr, parts)
  if not M.shows(bufnr) then
    return
  end
  local bar = ''
  for _, part in ipairs(parts) do
    -- A file's name may hold what the bar takes for an instruction.
    bar = bar .. '%#' .. part[2] .. '#' .. part[1]:gsub('%%', '%%%%'):gsub('%c', ' ')
  end
  vim.api.nvim_set_option_value('winbar', bar, { win = window, scope = 'local' })
end

return M
