import { beforeEach, describe, expect, it } from 'vitest'
import { decode } from '../../src/pipeline/decode.js'
import type { NewEntry } from '../../src/journal/journal.js'
import { KnownItems } from '../../src/reconciliation/known-items.js'
import { seven } from '../../src/providers/seven/index.js'
import { MemoryJournal } from '../support/memory-journal.js'

let journal: MemoryJournal
let known: KnownItems

const source = () => ({ provider: seven, settings: { textFields: [], ignoreEvents: [] } })

beforeEach(() => {
  journal = new MemoryJournal()
  known = new KnownItems({ journal, source })
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

/** As the pipeline does when it is published. */
const release = (entry: NewEntry, seq: number): Promise<void> =>
  journal.release(seq, {
    occurrences: [...decode({ ...entry, seq }, source(), journal.id)].flatMap(({ event, place, identified }) =>
      identified ? [{ eventId: event.eventId, seq, place, receivedAt: 1 }] : [],
    ),
    watchChanges: [],
  })

describe('an answer holds news', () => {
  it('when an item in it is neither published nor in the journal', async () => {
    const first = statuses(['1', 'BUFFERED'])
    expect(known.recognise(first)).toMatchObject({ items: 1, hasNewItems: true, settled: [] })
    await release(first, await journal.append(first))
    expect(known.recognise(first)).toMatchObject({ items: 1, hasNewItems: false })
    const second = statuses(['1', 'BUFFERED'], ['1', 'DELIVERED'])
    expect(known.recognise(second)).toMatchObject({ items: 2, hasNewItems: true, settled: ['1'] })
  })

  it('until it is said to be in the journal, and not from then on', async () => {
    const entry = statuses(['1', 'DELIVERED'])
    const { markStored: taken } = known.recognise(entry)
    expect(known.recognise(entry).hasNewItems).toBe(true)
    const seq = await journal.append(entry)
    taken(seq)
    expect(known.recognise(entry).hasNewItems).toBe(false)
    await release(entry, seq)
    expect(known.recognise(entry).hasNewItems).toBe(false)
  })

  it('again when what was in the journal is forgotten after its release', async () => {
    const entry = statuses(['1', 'DELIVERED'])
    const seq = await journal.append(entry)
    known.recognise(entry).markStored(seq)
    await journal.release(seq, { occurrences: [], watchChanges: [] })
    expect(known.recognise(entry).hasNewItems).toBe(true)
  })

  it('of another source, whatever the ids', async () => {
    const entry = statuses(['1', 'DELIVERED'])
    known.recognise(entry).markStored(await journal.append(entry))
    expect(known.recognise({ ...entry, source: 'seven-other' }).hasNewItems).toBe(true)
  })

  it('never when there is no item in it', () => {
    expect(known.recognise(statuses(['1', null]))).toMatchObject({ items: 0, hasNewItems: false })
    expect(known.recognise(answer('/api/journal/inbound', []))).toMatchObject({ items: 0, hasNewItems: false })
  })

  it('in what can not be read, the first time', async () => {
    const entry = answer('/api/journal/inbound', [{ id: '1', from: '49176123456789' }])
    const { hasNewItems: news, markStored: taken } = known.recognise(entry)
    expect(news).toBe(true)
    taken(await journal.append(entry))
    expect(known.recognise(entry).hasNewItems).toBe(false)
  })
})
