std = 'luajit'
read_globals = { 'vim' }
-- Options and variables are read through the global and written to.
globals = { 'vim.bo', 'vim.wo', 'vim.o', 'vim.go', 'vim.opt', 'vim.g' }
max_line_length = 120
