-- What `vim.lsp.enable('runpen')` starts. `vim.lsp.config('runpen', {…})` changes it; no `setup` is needed.

return require('runpen.client').config()
