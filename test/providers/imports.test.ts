import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { expect, it } from 'vitest'

const ROOT = join(import.meta.dirname, '../../src/providers')
const files = readdirSync(ROOT, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))

/** Nothing that opens a connection, a file or a clock. */
const BUILT_IN = ['node:buffer', 'node:util', 'node:zlib']

it.each(files)(
  'src/providers/%s imports only the provider port, the events, the wire formats and its own folder',
  (file) => {
    const [folder] = file.split('/')
    const imports = [...readFileSync(join(ROOT, file), 'utf8').matchAll(/^\s*(?:import|export|\}) .*from '(.+)'$/gm)]
    for (const [, name = ''] of imports) {
      if (!name.startsWith('.')) expect(BUILT_IN).toContain(name)
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
