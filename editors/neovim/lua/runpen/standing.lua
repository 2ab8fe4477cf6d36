--- How the engine stands, as the server tells it when that changes. It asks for nothing.

local M = {}

---@type { engine?: table, error?: string, pool: table[] }?
local now

---@return boolean
local function silent()
  return now ~= nil and now.engine == nil
end

--- Takes what the server says; nothing when it is gone.
---@param standing? table
function M.take(standing)
  local before = silent()
  now = standing
  if standing then
    vim.api.nvim_exec_autocmds('User', { pattern = 'RunpenStatus', modeline = false, data = standing })
  end
  if silent() ~= before then
    vim.cmd.redrawstatus({ bang = true })
  end
end

--- For a status line: empty while all is well.
---@return string
function M.statusline()
  return silent() and 'no engine' or ''
end

return M
