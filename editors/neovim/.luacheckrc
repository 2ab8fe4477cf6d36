std = 'luajit'
read_globals = { 'vim' }
-- `vim.bo`, `vim.wo` and `vim.g` are read through the global and written to.
globals = { 'vim.bo', 'vim.wo', 'vim.g' }
max_line_length = 120
