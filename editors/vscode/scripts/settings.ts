/**
 * Writes the sandbox's settings into package.json, from the schema that `runpen schema` prints: one source for the file,
 * the command line and this editor.
 *
 *   runpen schema | node scripts/settings.ts            write
 *   runpen schema | node scripts/settings.ts --check    fail when they are not what the schema says
 */

import * as fs from 'node:fs'
import * as path from 'node:path'

interface Schema {
  description?: string
  type?: string | string[]
  properties?: Record<string, Schema>
  additionalProperties?: Schema | boolean
  items?: Schema
  anyOf?: Schema[]
  oneOf?: Schema[]
  const?: string
  default?: unknown
  [key: string]: unknown
}

const camel = (name: string): string => name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())

/** Words for people: no links into the source. */
const words = (text: string): string => text.replace(/: see \[`[^\]]*`\]/g, '').replace(/\[(`[^`]*`)\]/g, '$1')

function convert(schema: Schema): Schema {
  const { anyOf, oneOf, type, properties, additionalProperties, items, description, ...rest } = schema
  const found: Schema = {}
  if (description !== undefined) {
    found['markdownDescription'] = words(description)
  }
  // "Or nothing" is what an absent setting says.
  const real = anyOf?.filter((choice) => choice.type !== 'null')
  if (real?.length === 1 && real[0] !== undefined) {
    return { ...convert(real[0]), ...found }
  }
  if (real !== undefined) {
    found.anyOf = real.map(convert)
  }
  if (oneOf?.every((choice) => typeof choice.const === 'string')) {
    found.type = 'string'
    found['enum'] = oneOf.map((choice) => choice.const)
    found['markdownEnumDescriptions'] = oneOf.map((choice) => words(choice.description ?? ''))
  }
  if (type !== undefined) {
    const types = [type].flat().filter((name) => name !== 'null')
    found.type = types.length === 1 ? (types[0] ?? 'null') : types
  }
  if (properties !== undefined) {
    found.properties = Object.fromEntries(
      Object.entries(properties).map(([name, property]) => [camel(name), convert(property)]),
    )
  }
  if (additionalProperties !== undefined) {
    found.additionalProperties =
      typeof additionalProperties === 'boolean' ? additionalProperties : convert(additionalProperties)
  }
  if (items !== undefined) {
    found.items = convert(items)
  }
  for (const key of ['pattern', 'minimum', 'maximum']) {
    if (rest[key] !== undefined) {
      found[key] = rest[key]
    }
  }
  return found
}

/** Tables of fixed keys become settings of their own; maps stay one. */
function flatten(prefix: string, schema: Schema): [string, Schema][] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, property]): [string, Schema][] => {
    const key = `${prefix}.${camel(name)}`
    return property.properties === undefined
      ? [[key, { ...convert(property), scope: 'window' }]]
      : flatten(key, property)
  })
}

interface Manifest {
  capabilities: { untrustedWorkspaces: { restrictedConfigurations: string[] } }
  contributes: { configuration: { id: string; properties: Record<string, Schema> }[] }
}

const file = path.join(import.meta.dirname, '..', 'package.json')
const before = fs.readFileSync(file, 'utf8')
const manifest = JSON.parse(before) as Manifest
const settings = flatten('runpen', JSON.parse(fs.readFileSync(0, 'utf8')) as Schema)
const section = manifest.contributes.configuration.find(({ id }) => id === 'sandbox')
if (section === undefined || settings.length === 0) {
  throw new Error('there is no place for the settings, or there are none')
}
section.properties = Object.fromEntries(settings.sort(([one], [other]) => (one < other ? -1 : 1)))
manifest.capabilities.untrustedWorkspaces.restrictedConfigurations = Object.keys(section.properties)
const after = JSON.stringify(manifest, null, 2) + '\n'
if (process.argv.includes('--check')) {
  if (after !== before) {
    console.error(
      'package.json: the settings are not those of the schema; run: runpen schema | node scripts/settings.ts',
    )
    process.exitCode = 1
  }
} else {
  fs.writeFileSync(file, after)
}
