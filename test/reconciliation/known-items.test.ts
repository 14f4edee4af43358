import { beforeEach, describe, expect, it } from 'vitest'
import { decode } from '../../src/pipeline/decode.js'
import type { NewEntry } from '../../src/journal/journal.js'
import { KnownItems } from '../../src/reconciliation/known-items.js'
import { seven } from '../../src/providers/seven/index.js'
import { MemoryJournal } from '../support/memory-journal.js'

let journal: MemoryJournal
let knownItems: KnownItems

const source = () => ({ provider: seven, settings: { textFields: [], ignoreEvents: [] } })

beforeEach(() => {
  journal = new MemoryJournal()
  knownItems = new KnownItems({ journal, findSource: source })
})

const answer = (path: string, value: unknown): NewEntry => ({
  source: 'seven-main',
  provider: 'seven',
  via: 'QUERY',
  receivedAt: 1,
  facts: { method: 'GET', path, query: '', status: '200' },
  body: Buffer.from(JSON.stringify(value)),
})
const statuses = (...rows: [id: string, status: string | null][]): NewEntry =>
  answer(
    '/api/status',
    rows.map(([id, status]) => ({ id, status })),
  )

/** Releases an entry as the pipeline does after publishing it. */
const release = (entry: NewEntry, seq: number): Promise<void> =>
  journal.release(seq, {
    occurrences: [...decode({ ...entry, seq }, source(), journal.id)].flatMap(({ event, itemIndex, isIdentified }) =>
      isIdentified ? [{ eventId: event.eventId, seq, itemIndex, receivedAt: 1 }] : [],
    ),
    watchChanges: [],
  })

describe('KnownItems', () => {
  it('finds new items in an answer with an item that is neither published nor in the journal', async () => {
    const first = statuses(['1', 'BUFFERED'])
    expect(knownItems.compare(first)).toMatchObject({ items: 1, hasNewItems: true, finalMessageIds: [] })
    await release(first, await journal.append(first))
    expect(knownItems.compare(first)).toMatchObject({ items: 1, hasNewItems: false })
    const second = statuses(['1', 'BUFFERED'], ['1', 'DELIVERED'])
    expect(knownItems.compare(second)).toMatchObject({ items: 2, hasNewItems: true, finalMessageIds: ['1'] })
  })

  it('finds new items in an answer until it is marked as stored, and none from then on', async () => {
    const entry = statuses(['1', 'DELIVERED'])
    const { markStored } = knownItems.compare(entry)
    expect(knownItems.compare(entry).hasNewItems).toBe(true)
    const seq = await journal.append(entry)
    markStored(seq)
    expect(knownItems.compare(entry).hasNewItems).toBe(false)
    await release(entry, seq)
    expect(knownItems.compare(entry).hasNewItems).toBe(false)
  })

  it('finds new items again when a stored answer was released and its event ids are no longer remembered', async () => {
    const entry = statuses(['1', 'DELIVERED'])
    const seq = await journal.append(entry)
    knownItems.compare(entry).markStored(seq)
    await journal.release(seq, { occurrences: [], watchChanges: [] })
    expect(knownItems.compare(entry).hasNewItems).toBe(true)
  })

  it('finds new items in an answer of another source with the same message ids', async () => {
    const entry = statuses(['1', 'DELIVERED'])
    const seq = await journal.append(entry)
    knownItems.compare(entry).markStored(seq)
    expect(knownItems.compare({ ...entry, source: 'seven-other' }).hasNewItems).toBe(true)
  })

  it('finds no new items in an answer without items', () => {
    expect(knownItems.compare(statuses(['1', null]))).toMatchObject({ items: 0, hasNewItems: false })
    expect(knownItems.compare(answer('/api/journal/inbound', []))).toMatchObject({ items: 0, hasNewItems: false })
  })

  it('finds a row that can not be decoded new only the first time', async () => {
    const entry = answer('/api/journal/inbound', [{ id: '1', from: '49176123456789' }])
    const { hasNewItems, markStored } = knownItems.compare(entry)
    expect(hasNewItems).toBe(true)
    const seq = await journal.append(entry)
    markStored(seq)
    expect(knownItems.compare(entry).hasNewItems).toBe(false)
  })
})
