--- Mappings inside of the output window, and nowhere else.

local M = {}

---@param bufnr integer
function M.attach(bufnr)
  if not require('runpen.options').get().output.maps then
    return
  end
  for key, name in pairs({ q = 'output', i = 'input', ['<C-c>'] = 'stop' }) do
    vim.keymap.set('n', key, function()
      require('runpen')[name]()
    end, { buffer = bufnr, nowait = true, desc = 'Runpen: ' .. name })
  end
end

return M
