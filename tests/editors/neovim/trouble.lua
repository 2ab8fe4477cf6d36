--- When things go wrong: no program, a dead server, a flood.

local with = require('child').with

return {
  {
    'a missing program is one line, not an error',
    function()
      with({ cmd = { 'runpen-that-is-not-there', 'lsp' }, init = [[vim.lsp.enable('runpen')]] }, function(child)
        child:edit('nothing.py', { 'print(1)' })
        child:wait_screen('not installed: cargo install --path . in a clone of Runpen')
        child:command('echo ""')
        child:command('Runpen')
        child:wait_screen('not installed: cargo install --path . in a clone of Runpen')
        child:command('checkhealth runpen')
        child:wait_screen('not installed: cargo')
      end)
    end,
  },
  {
    'a server that is killed is told in one line, and the next run starts it again',
    function()
      with({}, function(child)
        child:edit('killed.py', { 'print("alive")', 'input()' })
        child:command('Runpen')
        child:wait_output('alive')
        local pid = child:server_pid()
        assert(vim.uv.kill(pid, 'sigkill') == 0)
        assert(child:finished(1).outcome == 'engine_failure')
        child:wait_screen('the server ended (signal 9)')
        child:assert_calm()
        child:lua([[vim.api.nvim_buf_set_lines(0, 1, 2, false, {})]])
        child:command('Runpen')
        assert(child:finished(2).outcome == 'exited')
        assert(child:server_pid() ~= pid)
        assert(vim.deep_equal(child:output(), { 'alive' }), vim.inspect(child:output()))
      end)
    end,
  },
  {
    'the status line follows an engine that ends and comes back',
    function()
      local folder = vim.fn.tempname()
      vim.fn.mkdir(folder, 'p')
      local engine = require('daemon').new(folder .. '/engine.sock')
      local line = [[vim.o.laststatus = 2; vim.o.statusline = "<%{v:lua.require'runpen'.statusline()}>"
        vim.api.nvim_create_autocmd('User', { pattern = 'RunpenStatus', callback = function(args)
          _G.standing = args.data
        end })
        vim.lsp.enable('runpen')]]
      local env = { DOCKER_HOST = 'unix://' .. engine.path }
      with({ init = line, env = env, options = { settings = { engine = 'docker' } } }, function(child)
        child:edit('followed.py', { 'print(1)' })
        local function full()
          return child:lua([[return _G.standing and _G.standing.pool[1] and _G.standing.pool[1].waiting]]) == 2
        end
        child:wait('a full pool', full)
        child:wait_screen('<>')
        for _ = 1, 2 do
          engine:stop()
          child:wait_screen('<no engine>')
          child:assert_calm()
          engine:start()
          child:wait_screen('<>')
          child:wait('a full pool again', full)
        end
        child:command('Runpen')
        assert(child:finished().outcome == 'exited')
      end)
      engine:stop()
    end,
  },
  {
    'a server that dies at once is one line',
    function()
      with({ cmd = { 'false' } }, function(child)
        child:edit('dead.py', { 'print(1)' })
        child:command('Runpen')
        child:wait_screen('the server ended (exit code 1)')
      end)
    end,
  },
  {
    'a screen of few columns asks for no ENTER either',
    function()
      with({ cmd = { 'false' }, init = 'vim.o.cmdheight = 1' }, function(child)
        child:edit('narrow.py', { 'print(1)' })
        child:command('vsplit | vsplit')
        child:command('Runpen')
        child:wait_screen('the server ended')
        child:command('Runpen nonsense-' .. ('x'):rep(300))
        child:wait_screen('no subcommand')
      end)
    end,
  },
  {
    'health really asks the program',
    function()
      with({ cmd = { vim.env.RUNPEN_BINARY, 'lsp' } }, function(child)
        child:command('checkhealth runpen')
        local text = child:lua([[return table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), '\n')]])
        for _, part in ipairs({ 'version', 'docker', 'python', 'controls hold inside of a container' }) do
          assert(text:find(part, 1, true), part .. ' is missing in\n' .. text)
        end
        assert(not text:find('ERROR'), text)
      end)
    end,
  },
  {
    'Neovim answers while 100 MB pour in',
    function()
      local options = { settings = { outputLimit = '200M', timeout = '300s', cpus = 1 } }
      with({ options = options }, function(child)
        child:edit('flood.py', {
          'import sys',
          'line = "x" * 99 + "\\n"',
          'for i in range(1000): sys.stdout.write(line * 1000)',
          'time = __import__("time").time',
          'print("after the flood")',
          'sys.exit(0)',
        })
        child:lua([[
          _G.received, _G.worst, _G.last = 0, 0, nil
          require('runpen').on('output', function(event) _G.received = _G.received + #event.text end)
        ]])
        child:command('Runpen')
        -- A key press each time the last one was answered, as someone who goes on working.
        local worst, sum, count, slow = 0, 0, 0, 0
        local finished
        local began = vim.uv.hrtime()
        repeat
          local asked = vim.uv.hrtime()
          finished = #vim.rpcrequest(
            child.channel,
            'nvim_exec_lua',
            [[
            return vim.tbl_filter(function(event) return event.name == 'RunpenFinished' end, _G.events)
          ]],
            {}
          ) > 0
          local took = (vim.uv.hrtime() - asked) / 1e6
          worst, sum, count = math.max(worst, took), sum + took, count + 1
          slow = slow + (took > 100 and 1 or 0)
          assert(vim.uv.hrtime() - began < 320e9, 'the flood does not end')
        until finished
        local event = child:finished()
        local received = child:lua('return _G.received')
        io.stdout:write(
          ('     flood: %.0f MB in %.1f s, %s; answers in %.1f ms on average, %.0f ms at worst (%d)\n'):format(
            received / 1e6,
            (vim.uv.hrtime() - began) / 1e9,
            event.outcome,
            sum / count,
            worst,
            count
          )
        )
        assert(event.outcome == 'exited', vim.inspect(event))
        assert(received >= 100e6, received)
        local lines = child:output()
        assert(lines[#lines] == 'after the flood', lines[#lines])
        assert(#lines <= 10000 and #lines > 5000, #lines)
        -- A busy machine may once be away for a while; what must not be is a Neovim that stutters.
        assert(worst < 10000, ('a request took %.0f ms'):format(worst))
        assert(sum / count < 20 and slow < count / 100, ('%d of %d requests took 100 ms'):format(slow, count))
        child:wait_screen('above are not kept')
        local memory = child:lua([[collectgarbage(); return vim.uv.resident_set_memory()]])
        assert(memory < 300e6, ('Neovim has grown to %.0f MB'):format(memory / 1e6))
      end)
    end,
  },
}
