--- One line for the user, and never a prompt: what does not fit the command line is cut, because Neovim would stop at
--- "Press ENTER" for the rest.

local M = {}

---@param text string
---@return string
local function fit(text)
  text = vim.trim((text:gsub('%s+', ' ')))
  local room = math.max(20, vim.v.echospace)
  if vim.fn.strdisplaywidth(text) <= room then
    return text
  end
  while vim.fn.strdisplaywidth(text) > room - 1 do
    text = vim.fn.strcharpart(text, 0, vim.fn.strchars(text) - 1)
  end
  return text .. '…'
end

---@param text string
---@param level integer
local function say(text, level)
  text = 'runpen: ' .. text
  vim.schedule(function()
    -- A second message before the screen is drawn would be put below the first, and the two would ask for ENTER.
    vim.cmd.redraw()
    vim.notify(fit(text), level)
  end)
end

---@param text string
function M.info(text)
  say(text, vim.log.levels.INFO)
end

---@param text string
function M.warn(text)
  say(text, vim.log.levels.WARN)
end

return M
