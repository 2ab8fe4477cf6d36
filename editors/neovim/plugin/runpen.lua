-- What every start of Neovim pays for: one command and a few mappings. The rest loads when it is used.

if vim.g.loaded_runpen then
  return
end
vim.g.loaded_runpen = true

vim.api.nvim_create_user_command('Runpen', function(command)
  require('runpen.command').run(command)
end, {
  nargs = '*',
  bang = true,
  range = true,
  complete = function(lead, line)
    return require('runpen.command').complete(lead, line)
  end,
  desc = 'Run code in a sandbox',
})

local function map(modes, name, action, desc, options)
  options = vim.tbl_extend('force', { desc = 'Runpen: ' .. desc }, options or {})
  vim.keymap.set(modes, '<Plug>(runpen-' .. name .. ')', action, options)
end

for name, desc in pairs({
  file = 'run the file',
  block = 'run the snippet under the cursor',
  all = 'run all snippets',
  last = 'run again what ran last',
  stop = 'stop',
  clear = 'clear results',
  output = 'show or hide the output',
  input = 'send a line of input',
}) do
  map('n', name, function()
    require('runpen')[name]()
  end, desc)
end
map('x', 'selection', function()
  require('runpen').visual()
end, 'run the selection')
map('n', 'operator', function()
  return require('runpen').operator()
end, 'run a motion', { expr = true })
map('n', 'line', function()
  return require('runpen').operator() .. '_'
end, 'run the line', { expr = true })
