/** Entries that are handed in as JSON, by the admin port or from a file: whatever is accepted can be published. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { OutgoingRecord } from '../../src/kafka/publisher.js'
import { maxEncodedBytes, maxRecordBytes } from '../../src/kafka/record-batch.js'
import { parseEntry } from '../../src/journal/entry-json.js'
import { decode } from '../../src/pipeline/decode.js'
import { decodeDeadLetter } from '../../src/pipeline/replay.js'
import { providers } from '../../src/providers/index.js'
import { createEncoder } from '../encode/support.js'

/** The smallest value of `kafka.maxBatchBytes`. */
const MIN_BATCH_BYTES = 128 * 1024
const LAST_TIME_OF_A_DATE_MS = 8.64e15

const name = fc.oneof(
  fc.constantFrom('mtarget-fr', 'mtarget', 'gone', '__proto__'),
  fc.string({ unit: 'binary', maxLength: 300 }),
)
const receivedAt = fc.oneof(
  fc.constantFrom(0, LAST_TIME_OF_A_DATE_MS, LAST_TIME_OF_A_DATE_MS + 1, Number.MAX_SAFE_INTEGER, -1, 1.5),
  fc.maxSafeNat(),
)
const factName = fc.oneof(
  fc.constantFrom('content-type', 'content-encoding', 'framing-error', 'status', '__proto__'),
  fc.stringMatching(/^[a-z-]{1,100}$/),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 100_000, size: 'max' }),
)
const fact = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.nat(200_000).map((length) => 'x'.repeat(length)),
)
const moreFacts = fc.oneof(
  fc.dictionary(factName, fact, { maxKeys: 8 }),
  fc.nat(5_000).map((count) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`fact-${index}`, 'x']))),
)
const body = fc.oneof(
  fc.constant('Status=3&MsgId=1&Msisdn=33612345678'),
  fc.constant('Msisdn=33612345678&Content=STOP'),
  fc.string({ maxLength: 200 }),
)
const origin = fc.oneof(
  fc.record({ kind: fc.constant('dead-letter'), eventId: name, reason: name }),
  fc.record({ kind: fc.constant('import'), journalId: name, seq: fc.maxSafeNat() }),
)
const submissions = fc.record({
  source: name,
  provider: name,
  via: fc.constantFrom('PULL', 'CALLBACK', 'QUERY'),
  receivedAt,
  facts: moreFacts.map((more) => ({ method: 'POST', path: '/callbacks/mtarget-fr', query: '', ...more })),
  body: body.map((text) => Buffer.from(text).toString('base64')),
  origin,
})

const source = { provider: providers.get('mtarget')!, settings: { textFields: ['Content'], ignoreEvents: [] } }

describe('An entry that is handed in as JSON', () => {
  it(
    'is refused, or every item of it becomes records that fit into the smallest batch',
    { timeout: 60_000 },
    async () => {
      const encoder = await createEncoder(MIN_BATCH_BYTES)
      let accepted = 0
      fc.assert(
        fc.property(submissions, (submission) => {
          const parsed = parseEntry(JSON.parse(JSON.stringify(submission)))
          if ('problem' in parsed) return
          accepted++
          const entry = { ...parsed.entry, seq: 1 }
          const { origin: from, facts } = entry
          const found = entry.source === 'mtarget-fr' ? source : undefined
          const items =
            from.kind === 'dead-letter' ? decodeDeadLetter(entry, from, found) : decode(entry, found, 'journal')
          for (const { event, body: bytes } of items) {
            const { records } = encoder.encode(event, { body: bytes, facts })
            expect(records.map(bytesOver)).toEqual(records.map(() => 0))
          }
        }),
        // What fails here takes long, so that no smaller example is looked for.
        { numRuns: 500, endOnFailure: true },
      )
      expect(accepted).toBeGreaterThan(20)
    },
  )
})

/** The bytes by which a record is too large. */
const bytesOver = (record: OutgoingRecord): number =>
  Math.max(0, maxEncodedBytes(record) - maxRecordBytes(MIN_BATCH_BYTES))
