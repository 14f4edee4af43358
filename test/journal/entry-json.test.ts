/** Entries as JSON, and as the journal stores them. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatEntry, parseEntry } from '../../src/journal/entry-json.js'
import type { EntryWithOrigin } from '../../src/journal/journal.js'
import { isOnlyCopy } from '../../src/journal/journal.js'
import { fromStoredEntry, toStoredEntry } from '../../src/journal/stored-entry.js'

const name = fc.string({ minLength: 1, maxLength: 60, unit: 'grapheme' })
const wholeNumber = fc.maxSafeNat()
const LAST_TIME_OF_A_DATE_MS = 8.64e15

const entries: fc.Arbitrary<EntryWithOrigin> = fc.record({
  source: name,
  provider: name,
  via: fc.constantFrom('PULL', 'CALLBACK', 'QUERY'),
  receivedAt: fc.maxSafeNat().map((time) => Math.min(time, LAST_TIME_OF_A_DATE_MS)),
  facts: fc.record(
    { method: fc.string(), path: fc.string(), query: fc.string(), 'content-type': fc.string(), status: fc.string() },
    { requiredKeys: ['method', 'path', 'query'] },
  ),
  body: fc.uint8Array({ maxLength: 300 }),
  origin: fc.oneof(
    fc.record({ kind: fc.constant('dead-letter' as const), eventId: name, reason: name }),
    fc.record({ kind: fc.constant('import' as const), journalId: name, seq: wholeNumber }),
  ),
})

const withPlainBody = (entry: EntryWithOrigin): object => ({
  ...entry,
  facts: { ...entry.facts },
  body: [...entry.body],
})

describe('An entry as JSON', () => {
  it('is one line, and is read back with every field and byte', () => {
    fc.assert(
      fc.property(entries, (entry) => {
        const line = formatEntry(entry)
        expect(line).not.toContain('\n')
        const parsed = parseEntry(JSON.parse(line))
        expect('entry' in parsed && withPlainBody(parsed.entry)).toEqual(withPlainBody(entry))
      }),
    )
  })

  const valid = {
    source: 'main',
    provider: 'seven',
    via: 'CALLBACK',
    receivedAt: 1,
    facts: { method: 'GET', path: '/', query: '' },
    body: 'YQ==',
    origin: { kind: 'import', journalId: 'j', seq: 1 },
  }

  const MANY_FACTS = Object.fromEntries([...'abcdefghijklmn'].map((fact) => [fact, '']))

  it.each([
    ['an object', 'the entry is not an object', 3],
    ['source', 'source: expected a text', { ...valid, source: '' }],
    ['provider', 'provider: expected a text', { ...valid, provider: undefined }],
    ['via', 'via: expected PULL, CALLBACK, QUERY', { ...valid, via: 'OTHER' }],
    ['receivedAt', 'receivedAt: expected a whole number', { ...valid, receivedAt: 1.5 }],
    ['a time that no date can hold', 'receivedAt: expected', { ...valid, receivedAt: LAST_TIME_OF_A_DATE_MS + 1 }],
    ['facts', 'facts: expected an object of texts', { ...valid, facts: { method: 'GET' } }],
    ['the name of a fact', 'facts: expected', { ...valid, facts: { ...valid.facts, 'Not a name': '' } }],
    ['the number of facts', 'facts: expected', { ...valid, facts: { ...valid.facts, ...MANY_FACTS } }],
    ['body', 'body: expected Base64', { ...valid, body: 'not Base64!' }],
    ['origin', 'origin: expected', { ...valid, origin: { kind: 'import', journalId: 'j', seq: -1 } }],
    ['the length of an id', 'origin: expected', { ...valid, origin: { ...valid.origin, journalId: 'x'.repeat(251) } }],
  ])('is refused with a clause about %s', (_what, problem, value) => {
    expect(parseEntry(valid)).toHaveProperty('entry')
    expect(parseEntry(value)).toMatchObject({ problem: expect.stringContaining(problem) as string })
  })
})

describe('An entry with an origin in the journal', () => {
  it('is stored under a provider that no source has, so that an earlier build makes a dead letter of it, and is read as it was', () => {
    fc.assert(
      fc.property(entries, (entry) => {
        const stored = toStoredEntry(entry, 7)
        expect(stored).toMatchObject({ provider: `handed-in-again:${entry.provider}`, handedInAt: 7 })
        expect(fromStoredEntry(stored)).toEqual(entry)
      }),
    )
  })

  it('is not the only copy there is, even if it came from a queue', () => {
    fc.assert(
      fc.property(entries, ({ origin, ...received }) => {
        expect(isOnlyCopy({ ...received, origin })).toBe(false)
        expect(isOnlyCopy(received)).toBe(received.via === 'PULL')
        expect(toStoredEntry(received, 7)).toBe(received)
      }),
    )
  })
})
