--- What the user chose: `vim.g.runpen`, or `require('runpen').setup()`. It knows nothing of servers and windows.

local M = {}

---@class runpen.OutputOptions
---@field window? 'split'|'vsplit'|'float'|'none' where output shows
---@field size? integer lines of a split, columns of a vsplit
---@field open? 'always'|'output'|'failure'|'never' when the window opens by itself
---@field max_lines? integer lines that are kept of a run; the oldest go first
---@field maps? boolean mappings inside of the output window: q, i, <C-c>

---@class runpen.Options
---@field cmd? string[] the server
---@field settings? table<string, any> settings of Runpen in camelCase; these are the user's and may loosen limits
---@field output? runpen.OutputOptions
---@field virtual_text? boolean the result at the end of the line
---@field quickfix? boolean fill the quickfix list after a run that went wrong
---@field code_lens? boolean show code lenses

---@type runpen.Options
local defaults = {
  cmd = { 'runpen', 'lsp' },
  settings = {},
  output = { window = 'split', size = 12, open = 'always', max_lines = 10000, maps = true },
  virtual_text = true,
  quickfix = false,
  code_lens = false,
}

local choices = {
  window = { 'split', 'vsplit', 'float', 'none' },
  open = { 'always', 'output', 'failure', 'never' },
}

---@type runpen.Options?
local given

--- A mistake in the options is told in one line, and what is wrong falls back to the default.
---@param chosen table
---@param known table
---@param path string
---@return table
local function merge(chosen, known, path)
  local merged = vim.deepcopy(known)
  for key, value in pairs(chosen) do
    local default = known[key]
    local wrong
    if default == nil then
      wrong = 'is not known'
    elseif type(value) ~= type(default) then
      wrong = ('must be a %s'):format(type(default))
    elseif choices[key] and not vim.tbl_contains(choices[key], value) then
      wrong = 'must be one of ' .. table.concat(choices[key], ', ')
    elseif type(value) == 'number' and value < 1 then
      wrong = 'must be at least 1'
    end
    if wrong then
      require('runpen.message').warn(('option %s%s %s'):format(path, key, wrong))
    elseif key == 'output' then
      merged.output = merge(value, default, 'output.')
    else
      merged[key] = vim.deepcopy(value)
    end
  end
  return merged
end

---@param options? runpen.Options
function M.set(options)
  given = merge(options or {}, defaults, '')
end

---@return runpen.Options
function M.get()
  if not given then
    M.set(type(vim.g.runpen) == 'table' and vim.g.runpen or {})
  end
  return assert(given)
end

return M
