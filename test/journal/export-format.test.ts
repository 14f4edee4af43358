import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Via } from '../../src/core/event.js'
import { parseEntry } from '../../src/journal/entry-json.js'
import { formatExportedEntry } from '../../src/journal/export-format.js'
import type { Entry } from '../../src/journal/journal.js'

const entry: fc.Arbitrary<Entry> = fc.record({
  seq: fc.maxSafeNat(),
  source: fc.string({ unit: 'binary' }),
  provider: fc.string({ unit: 'binary' }),
  via: fc.constantFrom<Via>('PULL', 'CALLBACK', 'QUERY'),
  receivedAt: fc.nat({ max: 8.64e15 }),
  facts: fc.record(
    {
      method: fc.string({ unit: 'binary' }),
      path: fc.string({ unit: 'binary' }),
      query: fc.string({ unit: 'binary' }),
      'content-type': fc.string({ unit: 'binary' }),
      'framing-error': fc.string(),
    },
    { requiredKeys: ['method', 'path', 'query'] },
  ),
  body: fc.uint8Array({ maxLength: 2_000 }),
})

describe('An exported entry', () => {
  it('is one line that holds everything of the entry to the byte, and where it comes from', () => {
    fc.assert(
      fc.property(entry, fc.stringMatching(/^[0-9a-f]{18}$/), (exported, journalId) => {
        const line = formatExportedEntry(exported, journalId)
        expect(line).not.toContain('\n')
        const { body, origin, ...rest } = JSON.parse(line) as Omit<Entry, 'body'> & { body: string; origin: object }
        expect({ ...rest, body: new Uint8Array(Buffer.from(body, 'base64')) }).toEqual(exported)
        expect(origin).toEqual({ kind: 'import', journalId, seq: exported.seq })
      }),
    )
  })

  it('keeps the origin of an entry that was in custody before', () => {
    const origin = { kind: 'dead-letter', eventId: 'a-1-0', reason: 'undecodable' } as const
    fc.assert(
      fc.property(entry, (exported) => {
        const line = formatExportedEntry({ ...exported, origin }, 'b')
        expect(JSON.parse(line)).toMatchObject({ seq: exported.seq, origin })
      }),
    )
  })

  it('is read by the parser of entries that are handed in, and is the same to the byte', () => {
    const name = fc.string({ minLength: 1 })
    fc.assert(
      fc.property(entry, name, name, (generated, source, provider) => {
        const { seq, ...exported } = { ...generated, source, provider }
        const parsed = parseEntry(JSON.parse(formatExportedEntry({ seq, ...exported }, 'b')))
        if ('problem' in parsed) throw new Error(parsed.problem)
        const { body, ...rest } = parsed.entry
        const origin = { kind: 'import', journalId: 'b', seq }
        expect({ ...rest, body: new Uint8Array(body) }).toEqual({ ...exported, origin })
      }),
    )
  })
})
