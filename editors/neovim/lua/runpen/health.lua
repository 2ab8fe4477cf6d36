--- `:checkhealth runpen`: asks the program itself, which tries each control of the sandbox.

local M = {}

--- The oldest server this plugin works with.
local OLDEST = '0.1.0'

--- The probes start a container; on a machine under load that takes a while.
local DEADLINE_MS = 60000

---@param report table what `runpen doctor --json` says
local function engine(report)
  local health = vim.health
  health.start('runpen: engine')
  local found = report.engine
  if found then
    health.ok(('%s %s, runtime %s, at %s'):format(found.name, found.version, found.runtime, found.endpoint))
  else
    health.error('no engine answers: ' .. (report.error or 'no reason given'), 'start Docker, or see `runpen doctor`')
  end
  for _, candidate in ipairs(report.candidates or {}) do
    if not candidate.used then
      health.info(('also asked: %s at %s: %s'):format(candidate.engine, candidate.endpoint, candidate.answer))
    end
  end

  health.start('runpen: images')
  for _, image in ipairs(report.images or {}) do
    if image.present then
      health.ok(('%s: %s'):format(image.language, image.image))
    else
      health.warn(('%s: %s is not there yet'):format(image.language, image.image), 'the first run fetches it')
    end
  end

  health.start('runpen: sandbox')
  local good = {}
  for _, probe in ipairs(report.probes or {}) do
    if probe.ok then
      table.insert(good, probe.control)
    else
      health.error(('%s: expected %s, seen %s'):format(probe.control, probe.expected, probe.seen))
    end
  end
  if #good > 0 then
    health.ok(('%d controls hold inside of a container: %s'):format(#good, table.concat(good, ', ')))
  else
    health.warn('no control could be tried')
  end
end

function M.check()
  local health = vim.health
  health.start('runpen: program')
  if vim.fn.has('nvim-0.11') == 0 then
    health.error('Neovim 0.11 or newer is needed')
    return
  end
  local path, hint = require('runpen.client').binary()
  if not path then
    health.error(assert(hint), { 'cargo install --path .', "vim.g.runpen = { cmd = { '/path/to/runpen', 'lsp' } }" })
    return
  end
  health.ok(path)
  local asked = vim.system({ path, '--version' }, { text = true }):wait(DEADLINE_MS)
  local version = vim.version.parse(asked.stdout or '')
  if not version then
    health.error(('`%s --version` answers: %s'):format(path, vim.trim((asked.stdout or '') .. (asked.stderr or ''))))
    return
  elseif vim.version.lt(version, OLDEST) then
    health.error(('version %s, the plugin needs %s'):format(tostring(version), OLDEST))
  else
    health.ok('version ' .. tostring(version))
  end
  local client = require('runpen.client').running()
  health.info(client and 'the server runs' or 'the server does not run yet; the first run starts it')

  local answer = vim.system({ path, 'doctor', '--json' }, { text = true }):wait(DEADLINE_MS)
  local ok, report = pcall(vim.json.decode, answer.stdout or '', { luanil = { object = true, array = true } })
  if not ok or type(report) ~= 'table' then
    local said = vim.trim((answer.stderr or '') .. (answer.stdout or ''))
    health.error('`runpen doctor --json` failed: ' .. (said ~= '' and said or 'it said nothing'))
    return
  end
  engine(report)
end

return M
