-- Fails on help tags that are there twice and on references to tags that are not there.

local folder = _G.arg[1]
local work = vim.fn.tempname()
vim.fn.mkdir(work .. '/doc', 'p')
vim.uv.fs_copyfile(folder .. '/runpen.txt', work .. '/doc/runpen.txt')
vim.cmd.helptags(work .. '/doc')
vim.opt.rtp:prepend(work)
local wrong = 0
for line in io.lines(folder .. '/runpen.txt') do
  if vim.fn.strdisplaywidth(line) > 78 then
    io.stderr:write('longer than 78 columns: ', line, '\n')
    wrong = wrong + 1
  end
  for tag in line:gmatch('|([^|%s]+)|') do
    if not vim.list_contains(vim.fn.getcompletion(tag, 'help'), tag) then
      io.stderr:write('no such tag: ', tag, '\n')
      wrong = wrong + 1
    end
  end
end
vim.fn.delete(work, 'rf')
vim.cmd(wrong == 0 and 'qall!' or 'cquit! 1')
