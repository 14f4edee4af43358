/** Imports go one way: main -> commands -> composition -> stages and flow -> ports -> what is for all. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, it } from 'vitest'

const SRC = join(import.meta.dirname, '../src')
const FOR_ALL = ['event.ts', 'errors.ts', 'clock.ts', 'listen.ts']
const PORTS = ['providers/provider.ts', 'journal/journal.ts', 'encode/encoder.ts', 'publish/publisher.ts']
const FLOW = ['pipeline.ts', 'decode.ts']

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))
const sourceOf = (file: string): string => readFileSync(join(SRC, file), 'utf8')

/** Paths from src/, as imported: `.js` is `.ts`. What is not in src/ begins with `..`. */
const importsOf = (file: string): string[] =>
  [...sourceOf(file).matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)].map(([, path = '']) =>
    normalize(join(dirname(file), path)).replace(/\.js$/, '.ts'),
  )

const folderOf = (file: string): string => (file.includes('/') ? file.split('/')[0]! : '')

function mayImport(from: string, to: string): boolean {
  if (!files.includes(to)) return false
  if (FOR_ALL.includes(from)) return FOR_ALL.includes(to)
  if (FOR_ALL.includes(to)) return true
  if (from === 'main.ts') return folderOf(to) === 'commands'
  if (to === 'main.ts' || (folderOf(to) === 'commands' && folderOf(from) !== 'commands')) return false
  if (folderOf(from) === 'commands' || (folderOf(from) === '' && !FLOW.includes(from))) return true
  return PORTS.includes(to) || (FLOW.includes(from) ? FLOW.includes(to) : folderOf(to) === folderOf(from))
}

describe.each(files)('src/%s', (file) => {
  it('imports only what lies below it', () => {
    expect(importsOf(file).filter((to) => !mayImport(file, to))).toEqual([])
  })

  it('is not long', () => {
    expect(sourceOf(file).split('\n').length - 1).toBeLessThanOrEqual(250)
  })
})

it('sees imports at all', () => {
  expect(importsOf('pipeline.ts')).toContain('journal/journal.ts')
  expect(files.flatMap(importsOf).length).toBeGreaterThan(100)
})
