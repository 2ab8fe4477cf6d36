--- The server: how it is started, found again after a crash, and asked. It must not know what is shown of runs.

local message = require('runpen.message')
local options = require('runpen.options')

local M = {}

local NAME = 'runpen'
local COULD_NOT_START = 'the server could not be started, :checkhealth runpen says more'

--- The languages that Runpen knows, in Neovim's names, and the documents whose snippets it runs.
-- stylua: ignore
local filetypes = {
  'awk', 'bash', 'c', 'cpp', 'cs', 'd', 'elixir', 'erlang', 'fortran', 'go', 'haskell', 'java', 'javascript',
  'javascriptreact', 'julia', 'kotlin', 'lua', 'nim', 'ocaml', 'perl', 'php', 'prolog', 'python', 'r', 'ruby',
  'rust', 'scala', 'sh', 'sql', 'swift', 'typescript', 'typescriptreact', 'zig', 'zsh', 'asciidoc', 'html',
  'markdown', 'mdx', 'org', 'quarto', 'rmd', 'rst', 'typst',
}

--- What waits for the server, by buffer.
---@type table<integer, fun(client: vim.lsp.Client)[]>
local waiting = {}

--- What waits for the server without a buffer of its own: documents without a name, which Neovim cannot attach.
---@type fun(client: vim.lsp.Client)[]
local unattached = {}

--- The text of documents without a name that the server has, by client and buffer.
---@type table<integer, table<integer, { tick: integer, version: integer }>>
local sent = {}

---@return string[]
local function command()
  local configured = vim.lsp.config and vim.lsp.config[NAME]
  local cmd = configured and configured.cmd
  return type(cmd) == 'table' and cmd or assert(options.get().cmd)
end

--- The program, or nil and one line that says how to get it.
---@return string? path
---@return string? hint
function M.binary()
  local name = command()[1]
  if vim.fn.executable(name) == 1 then
    return vim.fn.exepath(name), nil
  end
  return nil, ("not installed: cargo install --path . in a clone of Runpen ('%s' not found)"):format(name)
end

--- A server that went away takes its runs with it. Nothing is started again before it is needed.
---@param code integer
---@param signal integer
local function gone(code, signal)
  waiting, unattached, sent = {}, {}, {}
  -- Called from where the editor must not be touched, not even to load a module.
  vim.schedule(function()
    require('runpen.runs').lost()
    require('runpen.standing').take(nil)
    if vim.v.exiting == vim.NIL and (code ~= 0 or (signal ~= 0 and signal ~= 15)) then
      local how = signal ~= 0 and ('signal %d'):format(signal) or ('exit code %d'):format(code)
      message.warn(('the server ended (%s), the next run starts it again'):format(how))
    end
  end)
end

--- Starts the server's process. A function and not a list of words, because for a list Neovim itself reports a crash,
--- in a message longer than a line of the screen.
---@param cmd string[]
---@return fun(dispatchers: vim.lsp.rpc.Dispatchers, config: vim.lsp.ClientConfig): vim.lsp.rpc.PublicClient
local function launcher(cmd)
  return function(dispatchers, config)
    return vim.lsp.rpc.start(cmd, {
      notification = dispatchers.notification,
      server_request = dispatchers.server_request,
      on_error = dispatchers.on_error,
      on_exit = function(code, signal)
        gone(code, signal)
        dispatchers.on_exit(0, 0)
      end,
    }, { cwd = config.cmd_cwd, env = config.cmd_env, detached = config.detached })
  end
end

---@type boolean
local told_missing = false

---@param bufnr integer
---@param on_dir fun(root?: string)
local function root_dir(bufnr, on_dir)
  local path, hint = M.binary()
  if path then
    told_missing = false
    on_dir(vim.fs.root(bufnr, { '.runpen.toml', '.git' }))
  elseif not told_missing then
    -- Once: this is called for each file that is opened.
    told_missing = true
    message.warn(assert(hint))
  end
end

--- One server for all folders, so that its waiting containers serve them all.
---@param client vim.lsp.Client
---@param config vim.lsp.ClientConfig
---@return boolean
local function reuse(client, config)
  if client.name ~= config.name or client:is_stopped() then
    return false
  end
  local root = config.root_dir
  if type(root) == 'string' then
    local folder = { uri = vim.uri_from_fname(root), name = root }
    local known = vim.iter(client.workspace_folders or {}):any(function(other)
      return other.uri == folder.uri
    end)
    if not known then
      client.workspace_folders = vim.list_extend(client.workspace_folders or {}, { folder })
      client:notify('workspace/didChangeWorkspaceFolders', { event = { added = { folder }, removed = {} } })
    end
  end
  return true
end

--- What `lsp/runpen.lua` says.
---@return vim.lsp.Config
function M.config()
  local handlers = {}
  for _, event in ipairs({ 'started', 'phase', 'output', 'finished' }) do
    handlers['runpen/' .. event] = function(_, params)
      require('runpen.runs')[event](params)
    end
  end
  handlers['runpen/status'] = function(_, params)
    require('runpen.standing').take(params)
  end
  -- Neovim would make a buffer of that name for a document that has none.
  handlers['textDocument/publishDiagnostics'] = function(err, params, ctx)
    if not vim.startswith(params.uri, 'untitled:') then
      vim.lsp.handlers['textDocument/publishDiagnostics'](err, params, ctx)
    end
  end
  -- Neovim 0.11 answers with an error; the plugin asks anew by itself.
  handlers['workspace/codeLens/refresh'] = function()
    return vim.NIL
  end
  local chosen = options.get()
  local presentation = { inlayHints = not chosen.virtual_text, codeLens = chosen.code_lens, output = false }
  return {
    cmd = launcher(assert(chosen.cmd)),
    filetypes = filetypes,
    root_dir = root_dir,
    reuse_client = reuse,
    init_options = vim.tbl_extend('force', { presentation = presentation }, chosen.settings),
    handlers = handlers,
    on_init = function(client)
      local callbacks = unattached
      unattached = {}
      for _, callback in ipairs(callbacks) do
        callback(client)
      end
    end,
  }
end

--- A list of words in the user's own `vim.lsp.config('runpen', …)` is started our way too.
---@return vim.lsp.Config
local function resolved()
  local config = vim.deepcopy(vim.lsp.config and vim.lsp.config[NAME] or M.config())
  if type(config.cmd) == 'table' then
    config.cmd = launcher(config.cmd --[[@as string[] ]])
  end
  config.name = NAME
  return config
end

--- The server, when it runs.
---@return vim.lsp.Client?
function M.running()
  for _, client in ipairs(vim.lsp.get_clients({ name = NAME })) do
    if not client:is_stopped() then
      return client
    end
  end
end

---@param bufnr integer
local function attached(bufnr)
  local client = vim.lsp.get_clients({ name = NAME, bufnr = bufnr })[1]
  return client and not client:is_stopped() and client or nil
end

--- Calls back with the server once it knows the buffer's text, starting it where it does not run.
---@param bufnr integer
---@param callback fun(client: vim.lsp.Client)
function M.with(bufnr, callback)
  local path, hint = M.binary()
  if not path then
    message.warn(assert(hint))
    return
  end
  local nameless = vim.api.nvim_buf_get_name(bufnr) == ''
  local client = nameless and M.running() or attached(bufnr)
  if client and client.initialized then
    return callback(client)
  end
  local config = resolved()
  if nameless then
    table.insert(unattached, callback)
    if not vim.lsp.start(config, { attach = false, reuse_client = reuse, silent = true }) then
      unattached = {}
      message.warn(COULD_NOT_START)
    end
    return
  end
  if waiting[bufnr] then
    table.insert(waiting[bufnr], callback)
    return
  end
  waiting[bufnr] = { callback }
  vim.api.nvim_create_autocmd('LspAttach', {
    buffer = bufnr,
    callback = function(args)
      local attaching = vim.lsp.get_client_by_id(args.data.client_id)
      if not attaching or attaching.name ~= NAME then
        return
      end
      local callbacks = waiting[bufnr] or {}
      waiting[bufnr] = nil
      for _, waiter in ipairs(callbacks) do
        waiter(attaching)
      end
      return true
    end,
  })
  local start = function(root)
    config.root_dir = root
    if not vim.lsp.start(config, { bufnr = bufnr, reuse_client = config.reuse_client, silent = true }) then
      waiting[bufnr] = nil
      message.warn(COULD_NOT_START)
    end
  end
  if type(config.root_dir) == 'function' then
    config.root_dir(bufnr, start)
  else
    start(config.root_dir or vim.fs.root(bufnr, config.root_markers or { '.runpen.toml', '.git' }))
  end
end

--- The URI of a buffer, whose text the server has afterwards. Neovim keeps documents with a name in step; it has one
--- URI, `file://`, for all that have none, so those are ours.
---@param client vim.lsp.Client
---@param bufnr integer
---@return string
function M.document(client, bufnr)
  if vim.api.nvim_buf_get_name(bufnr) ~= '' then
    return M.uri(bufnr)
  end
  local uri = M.uri(bufnr)
  sent[client.id] = sent[client.id] or {}
  local known = sent[client.id][bufnr]
  local tick = vim.api.nvim_buf_get_changedtick(bufnr)
  local text = table.concat(vim.api.nvim_buf_get_lines(bufnr, 0, -1, false), '\n') .. '\n'
  if not known then
    sent[client.id][bufnr] = { tick = tick, version = 1 }
    local document = { uri = uri, languageId = vim.bo[bufnr].filetype, version = 1, text = text }
    client:notify('textDocument/didOpen', { textDocument = document })
    vim.api.nvim_create_autocmd({ 'BufWipeout', 'BufFilePost' }, {
      buffer = bufnr,
      once = true,
      callback = function()
        if sent[client.id] and sent[client.id][bufnr] then
          sent[client.id][bufnr] = nil
          client:notify('textDocument/didClose', { textDocument = { uri = uri } })
        end
      end,
    })
  elseif known.tick ~= tick then
    known.tick, known.version = tick, known.version + 1
    client:notify('textDocument/didChange', {
      textDocument = { uri = uri, version = known.version },
      contentChanges = { { text = text } },
    })
  end
  return uri
end

---@param bufnr integer
---@return string
function M.uri(bufnr)
  local nameless = vim.api.nvim_buf_get_name(bufnr) == ''
  return nameless and 'untitled:Untitled-' .. bufnr or vim.uri_from_bufnr(bufnr)
end

---@param client vim.lsp.Client
---@param name string
---@return boolean
function M.offers(client, name)
  local provider = client.server_capabilities.executeCommandProvider
  return provider ~= nil and vim.tbl_contains(provider.commands or {}, name)
end

--- Asks the server for a command. A refusal is told in one line.
---@param client vim.lsp.Client
---@param bufnr integer
---@param name string for example `runpen.runFile`
---@param argument? table
---@param callback? fun(result: any)
---@param refused? fun()
---@return boolean
function M.execute(client, bufnr, name, argument, callback, refused)
  if not M.offers(client, name) then
    message.warn(('this server has no %s, a newer runpen may'):format(name))
    return false
  end
  local params = { command = name, arguments = argument and { argument } or {} }
  return (
    client:request('workspace/executeCommand', params, function(err, result)
      if err then
        message.warn(err.message or tostring(err))
        if refused then
          refused()
        end
      elseif callback then
        callback(result)
      end
    end, bufnr)
  )
end

return M
