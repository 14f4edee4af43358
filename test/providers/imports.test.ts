import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { expect, it } from 'vitest'

const ROOT = join(import.meta.dirname, '../../src/providers')
const files = readdirSync(ROOT, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))

/** The modules of Node that a provider may use. None of them opens a connection or a file, or reads a clock. */
const ALLOWED_NODE_MODULES = ['node:buffer', 'node:util', 'node:zlib']

/** What reads and checks descriptions before any provider exists. It decodes nothing. */
const READ_DESCRIPTIONS = ['catalog.ts', 'described/description.ts', 'described/load.ts']

it.each(files.filter((file) => !READ_DESCRIPTIONS.includes(file)))(
  'The file src/providers/%s imports only the provider port, the events, the wire formats and its own folder',
  (file) => {
    const [folder] = file.split('/')
    const imports = [...readFileSync(join(ROOT, file), 'utf8').matchAll(/^\s*(?:import|export|\}) .*from '(.+)'$/gm)]
    for (const [, name = ''] of imports) {
      if (!name.startsWith('.')) expect(ALLOWED_NODE_MODULES).toContain(name)
      else {
        const target = relative(ROOT, join(ROOT, dirname(file), name))
        const allowed =
          file === 'index.ts'
            ? /^(\w+\/index|provider)\.js$/
            : new RegExp(
                `^(wire/|${folder}/|provider\\.js|\\.\\./core/(event|received)\\.js|\\.\\./http-client/connection\\.js)`,
              )
        expect(target).toMatch(allowed)
      }
    }
  },
)

const GUIDE = readFileSync(join(import.meta.dirname, '../../docs/add-a-provider.md'), 'utf8')
/** The rows of the guide's table of wire formats: a file, and the functions in it. */
const guideRows = [...GUIDE.matchAll(/^\| \[`([\w-]+)\.ts`\]\(\.\.\/src\/providers\/wire\/[^|]+\| ([^|]+) \|/gm)]

it.each(guideRows.map(([, file = '', functions = '']) => [file, functions.match(/\w+/g) ?? []] as const))(
  'docs/add-a-provider.md names functions that src/providers/wire/%s.ts exports: %s',
  async (file, functions) => {
    const exported = (await import(`${ROOT}/wire/${file}.ts`)) as object
    expect(Object.keys(exported)).toEqual(expect.arrayContaining(functions))
  },
)
