/**
 * The rooms of `src/` and which of them may import which. A room imports the rooms below it, never one above it, and one
 * beside it only where `BESIDE` lists the pair. `docs/adr/0006-layout-by-concern.md` gives the reasons.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, it } from 'vitest'

/** From top to bottom; the rooms of one line lie beside each other. */
const ORDER = [
  ['main'],
  ['commands'],
  ['app'],
  ['reconciliation'],
  ['callbacks', 'polling', 'replicas', 'pipeline', 'admin', 'telemetry'],
  ['journal', 'encode'],
  ['providers', 'kafka', 'registry', 'config'],
  ['http-client', 'http-server', 'masking', 'yaml'],
  ['core'],
] as const

/** Imports between rooms that lie beside each other. */
const BESIDE: readonly (readonly [from: string, to: string])[] = [
  ['kafka', 'config'],
  ['registry', 'config'],
  ['providers', 'config'],
  ['masking', 'yaml'],
  ['http-client', 'masking'],
  ['http-client', 'masking'],
]

/** Rooms without a folder in test/, and the tests that cover them. */
const TESTED_ELSEWHERE: Readonly<Record<string, string>> = {
  main: 'test/integration/exit-codes.test.ts runs the program',
  'http-server': 'test/admin and test/callbacks open and close both servers that are built on it',
}
/** Folders of test/ that test no single room. */
const OUTSIDE_ROOMS = ['bench', 'chart', 'dev', 'examples', 'fixtures', 'image', 'integration', 'monitoring', 'support']

const SRC = join(import.meta.dirname, '../src')
const DEV = join(import.meta.dirname, '../dev')

const filesOf = (root: string): string[] =>
  readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))

const files = filesOf(SRC)

const testFolders = readdirSync(import.meta.dirname, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name)

/** Paths from `root` as they are imported, with `.ts` for `.js`. A path outside `root` begins with `..`. */
const importsOf = (file: string, root = SRC): string[] =>
  [...readFileSync(join(root, file), 'utf8').matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)].map(([, path = '']) =>
    normalize(join(dirname(file), path)).replace(/\.js$/, '.ts'),
  )

const roomOf = (file: string): string =>
  file.includes('/') ? file.slice(0, file.indexOf('/')) : file.replace(/\.ts$/, '')

const levelOf = (room: string): number => ORDER.findIndex((rooms) => (rooms as readonly string[]).includes(room))

const mayImport = (from: string, to: string): boolean =>
  from === to ||
  levelOf(to) > levelOf(from) ||
  BESIDE.some(([importer, imported]) => importer === from && imported === to)

describe('The layout of src/', () => {
  it('has exactly the rooms that the table names', () => {
    expect([...new Set(files.map(roomOf))].sort()).toEqual(ORDER.flat().sort())
  })

  it.each(files)('lets src/%s import only from its own room and the rooms below it', (file) => {
    const imports = importsOf(file)
    expect(imports.filter((path) => !files.includes(path))).toEqual([])
    expect(imports.filter((path) => !mayImport(roomOf(file), roomOf(path)))).toEqual([])
  })

  it('is read from the imports that the files really have', () => {
    expect(importsOf('pipeline/batches.ts')).toContain('journal/journal.ts')
    expect(files.flatMap((file) => importsOf(file)).length).toBeGreaterThan(100)
  })

  it('has a room for each folder of test/, except those that test no single room', () => {
    expect(testFolders.filter((name) => levelOf(name) < 0 && !OUTSIDE_ROOMS.includes(name))).toEqual([])
  })

  it('has a folder in test/ for each room, except those that are tested elsewhere', () => {
    const withoutFolder = ORDER.flat().filter((room) => !testFolders.includes(room))
    expect(withoutFolder.sort()).toEqual(Object.keys(TESTED_ELSEWHERE).sort())
  })
})

/** The first import cycle that a search from each file finds, as the list of its files; undefined if there is none. */
function findCycle(imports: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const finished = new Set<string>()
  const visit = (file: string, path: readonly string[]): string[] | undefined => {
    if (finished.has(file)) return undefined
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file]
    for (const imported of imports.get(file) ?? []) {
      const cycle = visit(imported, [...path, file])
      if (cycle) return cycle
    }
    finished.add(file)
    return undefined
  }
  for (const file of imports.keys()) {
    const cycle = visit(file, [])
    if (cycle) return cycle
  }
  return undefined
}

describe('The imports of src/ and dev/', () => {
  it.each([
    ['src/', SRC],
    ['dev/', DEV],
  ])('have no cycle in %s, type imports included', (_name, root) => {
    expect(findCycle(new Map(filesOf(root).map((file) => [file, importsOf(file, root)])))).toBeUndefined()
  })

  it('are searched by a function that finds a cycle', () => {
    const imports = { a: ['b', 'c'], b: ['d'], c: ['d', 'e'], d: [], e: ['a'] }
    expect(findCycle(new Map(Object.entries(imports)))).toEqual(['a', 'c', 'e', 'a'])
  })

  it('never lead from dev/ or src/ into test/', () => {
    const leaving = (root: string): string[] => filesOf(root).flatMap((file) => importsOf(file, root))
    expect([...leaving(DEV), ...leaving(SRC)].filter((path) => /^(\.\.\/)+test\//.test(path))).toEqual([])
  })
})
