-- Runs the stories: `nvim -l run.lua [PATTERN]`. Each gets its own Neovim. The last line is `N passed, M failed`.

local here = vim.fs.dirname(debug.getinfo(1, 'S').source:sub(2))
package.path = here .. '/?.lua;' .. package.path
vim.o.columns, vim.o.lines = 100, 40

local pattern = _G.arg[1] or ''
local passed, failed = 0, 0
for _, file in ipairs({ 'stories', 'pages', 'trouble', 'screen' }) do
  local stories = require(file)
  for _, story in ipairs(stories) do
    local name, run = story[1], story[2]
    if name:find(pattern) then
      local began = vim.uv.hrtime()
      local ok, problem = xpcall(run, function(err)
        return debug.traceback(tostring(err), 2)
      end)
      passed, failed = passed + (ok and 1 or 0), failed + (ok and 0 or 1)
      local took = (vim.uv.hrtime() - began) / 1e9
      io.stdout:write(('%s %s (%.1f s)\n'):format(ok and 'ok  ' or 'FAIL', name, took))
      if not ok then
        io.stdout:write(tostring(problem), '\n')
      end
      io.stdout:flush()
    end
  end
end
io.stdout:write(('%d passed, %d failed\n'):format(passed, failed))
vim.cmd(failed == 0 and passed > 0 and 'qall!' or 'cquit! 1')
