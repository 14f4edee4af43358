import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Via } from '../../src/core/event.js'
import { formatExportedEntry } from '../../src/journal/export-format.js'
import type { Entry } from '../../src/journal/journal.js'

const entry: fc.Arbitrary<Entry> = fc.record({
  seq: fc.maxSafeNat(),
  source: fc.string({ unit: 'binary' }),
  provider: fc.string({ unit: 'binary' }),
  via: fc.constantFrom<Via>('PULL', 'CALLBACK', 'QUERY'),
  receivedAt: fc.maxSafeNat(),
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
})
