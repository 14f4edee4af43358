/**
 * docs/personal-data.md names every place where the connector keeps or sends something: the databases and files of the journal, the
 * topics, and every option that limits what is there.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { RECORD_FIELD_MODES } from '../src/masking/record-fields.js'
import { PERSONAL_DATA } from '../src/masking/personal-data.js'
import { Journals } from './journal/support/journals.js'

const ROOT = join(import.meta.dirname, '..')
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
const document = read('docs/personal-data.md')
const table = document.slice(document.indexOf('| place |')).split('\n\n')[0]!
const rows = table.split('\n').slice(2)
const places = rows.map((row) => row.split('|')[1]!.trim())

const journals = new Journals()
afterAll(() => journals.dispose())

/** The row of docs/personal-data.md that is about each database of the journal. `meta` holds positions and ids of keys. */
const DATABASES: Readonly<Record<string, string | null>> = {
  entries: 'Journal: entries',
  ids: 'Journal: duplicate index',
  'ids-by-age': 'Journal: duplicate index',
  watch: 'Journal: watch list',
  nonces: 'Journal: nonces',
  'nonces-by-expiry': 'Journal: nonces',
  meta: null,
}
/** The row about each file of the journal's directory. */
const FILES: readonly (readonly [file: RegExp, place: string])[] = [
  [/^lmdb$/, 'Journal: entries'],
  [/^reserve\.bin$/, 'Journal: the reserve `reserve.bin`'],
  [/^(lock|schema-ids)/, 'Journal: remembered schema ids, lock'],
]
const TOPICS: Readonly<Record<string, string>> = {
  dlr: 'Topics of receipts and messages: `raw`, `text`',
  mo: 'Topics of receipts and messages: other fields',
  deadLetter: 'Dead letters',
  deadLetterReplays: 'Replay marks',
}

interface SchemaNode {
  readonly properties: Readonly<Record<string, SchemaNode>>
}

const schema = JSON.parse(read('config/connector.schema.json')) as SchemaNode

describe('docs/personal-data.md', () => {
  it('says for each place what it holds, how long, and what removes it', () => {
    expect(rows.length).toBeGreaterThan(20)
    expect(rows.filter((row) => row.split('|').length !== 6)).toEqual([])
    expect(new Set(places).size).toBe(places.length)
  })

  it('has a row for each database of the journal', () => {
    const databases = [...read('src/journal/environment.ts').matchAll(/openDB<.*>\('([a-z-]+)'/g)].map(
      ([, name]) => name!,
    )
    expect(databases.sort()).toEqual(Object.keys(DATABASES).sort())
    expect(Object.values(DATABASES).filter((place) => place !== null && !places.includes(place))).toEqual([])
  })

  it("has a row for each file in a journal's directory", async () => {
    const directory = journals.directory()
    await journals.open(directory, { reserveBytes: 1_000_000 })
    const files = readdirSync(directory)
    expect(files).toContain('reserve.bin')
    expect(files.filter((name) => !FILES.some(([file]) => file.test(name)))).toEqual([])
    expect(FILES.filter(([, place]) => !places.includes(place))).toEqual([])
  })

  it('has a row for each topic', () => {
    const topics = Object.keys(schema.properties['kafka']!.properties['topics']!.properties)
    expect(topics.sort()).toEqual(Object.keys(TOPICS).sort())
    expect(Object.values(TOPICS).filter((place) => !places.includes(place))).toEqual([])
  })

  it('names each key of the configuration that limits what is held of people, and its values', () => {
    const { records, journal } = schema.properties
    const keys = Object.entries(records!.properties).flatMap(([kind, { properties }]) =>
      Object.keys(properties).map((key) => `records.${kind}.${key}`),
    )
    expect(journal!.properties).toHaveProperty('encryption')
    for (const key of [...keys, 'journal.encryption', 'log.personalData', 'duplicates.remember', 'duplicates.maxIds']) {
      expect(table, key).toContain(`\`${key}\``)
    }
    for (const mode of [...RECORD_FIELD_MODES, ...PERSONAL_DATA]) expect(document).toContain(`\`${mode}\``)
  })

  it('has a row for each way out of the process: records, log, metrics, traces, status, commands', () => {
    for (const place of [
      'Log',
      'Status page',
      'Metrics',
      'Traces',
      'Exports',
      'Standard output',
      'Memory, swap, core',
    ]) {
      expect(
        places.some((each) => each.startsWith(place)),
        place,
      ).toBe(true)
    }
  })
})
