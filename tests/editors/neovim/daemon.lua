--- A socket that stands in front of the machine's own engine: it can end and come back without harm to others.

local M = {}
M.__index = M

local behind = (vim.env.DOCKER_HOST or 'unix:///var/run/docker.sock'):gsub('^unix://', '')

function M.new(path)
  local self = setmetatable({ path = path, links = {} }, M)
  self:start()
  return self
end

--- Passes on what one end says, its end included.
local function pass(from, to)
  from:read_start(function(err, data)
    if data then
      to:write(data)
    elseif err then
      if not to:is_closing() then
        to:close()
      end
    elseif not to:is_closing() then
      to:shutdown()
    end
  end)
end

function M:start()
  vim.uv.fs_unlink(self.path)
  self.server = assert(vim.uv.new_pipe(false))
  assert(self.server:bind(self.path))
  self.server:listen(128, function()
    local near, far = assert(vim.uv.new_pipe(false)), assert(vim.uv.new_pipe(false))
    self.server:accept(near)
    vim.list_extend(self.links, { near, far })
    far:connect(behind, function(err)
      if err then
        near:close()
        return far:close()
      end
      pass(near, far)
      pass(far, near)
    end)
  end)
end

--- All links end with it, as with a daemon.
function M:stop()
  self.server:close()
  for _, link in ipairs(self.links) do
    if not link:is_closing() then
      link:close()
    end
  end
  self.links = {}
end

return M
