/**
 * The sandbox's settings as the server wants them: the user's, and apart from them the workspace's, which may only tighten.
 * VS Code would merge the two, and a repository cloned a minute ago would loosen its own sandbox. Pure.
 */

export interface Inspected {
  globalValue?: unknown
  workspaceValue?: unknown
}

export interface Layers {
  user: Record<string, unknown>
  workspace: Record<string, unknown>
}

/** `keys` are those below `runpen`, dotted; in a workspace that is not trusted only the user's count. */
export function layers(
  keys: Iterable<string>,
  inspect: (key: string) => Inspected | undefined,
  trusted: boolean,
): Layers {
  const found: Layers = { user: {}, workspace: {} }
  for (const key of keys) {
    const values = inspect(key)
    put(found.user, key, values?.globalValue)
    if (trusted) {
      put(found.workspace, key, values?.workspaceValue)
    }
  }
  return found
}

function put(into: Record<string, unknown>, key: string, value: unknown): void {
  if (value === undefined || value === null) {
    return
  }
  const path = key.split('.')
  const last = path.pop() ?? key
  let table = into
  for (const name of path) {
    table = (table[name] ??= {}) as Record<string, unknown>
  }
  table[last] = value
}
