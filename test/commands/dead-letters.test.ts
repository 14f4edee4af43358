import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { toJsonFields, toListLine, toPage } from '../../src/commands/dead-letter-format.js'
import {
  type DeadLetterFilterOptions,
  parseDeadLetterFilter,
  parseListQuery,
  parseReplayFilter,
} from '../../src/commands/dead-letter-query.js'
import {
  type DeadLetterPart,
  type DeadLetterSummary,
  NOT_REPLAYED,
  PartAssembler,
  type StoredDeadLetter,
} from '../../src/commands/dead-letter-reader.js'
import { isShortened, withShortenedTexts } from '../../src/encode/dead-letters.js'
import { deadLetter } from '../support/events.js'

const NOW = Date.parse('2030-01-31T12:00:00Z')
const OPTIONS = { config: 'connector.yaml', json: false }
const LIST = { ...OPTIONS, replayed: false, all: false, personalData: 'masked' }
const REPLAY = { ...OPTIONS, all: false, dryRun: false }
const NUMBER = '+33612345678'

const summary: DeadLetterSummary = {
  eventId: 'journal-1-0',
  source: 'mtarget-fr',
  provider: 'mtarget',
  via: 'PULL',
  receivedAt: NOW - 60_000,
  reason: 'missing-text',
  detail: `the message from ${NUMBER} has no text`,
  request: { method: 'POST', path: '/messages', query: `from=${NUMBER}` },
}
const letter: StoredDeadLetter = {
  ...summary,
  parts: 1,
  missingParts: [],
  bytes: 3,
  places: [{ topic: 'sms.dead-letter', partition: 2, offset: 7 }],
}

describe('The filter of dead-letters', () => {
  const isMatch = (options: Omit<DeadLetterFilterOptions, 'config' | 'json'>): boolean =>
    parseDeadLetterFilter(options, NOW).isMatch(letter)

  it.each([
    [{}, true],
    [{ source: 'mtarget-fr', reason: 'missing-text', eventId: 'journal-1-0' }, true],
    [{ source: 'mtarget' }, false],
    [{ reason: 'not-a-row' }, false],
    [{ eventId: 'journal-1-1' }, false],
    [{ since: '1m' }, true],
    [{ since: '59s' }, false],
    [{ until: '1m' }, true],
    [{ until: '61s' }, false],
    [{ since: '2030-01-31T11:00:00Z', until: '2030-01-31T12:00:00Z' }, true],
    [{ reason: 'missing-text', since: '59s' }, false],
  ])('with %j has the answer %s for a letter that is one minute old', (options, expected) => {
    expect(isMatch(options)).toBe(expected)
  })

  it.each([
    [() => parseDeadLetterFilter({ since: 'yesterday' }, NOW), '--since'],
    [() => parseDeadLetterFilter({ since: '10m', until: '20m' }, NOW), '--until lies before --since'],
    [() => parseListQuery({ ...LIST, all: true, replayed: true }, NOW), '--replayed and --all'],
    [() => parseListQuery({ ...LIST, personalData: 'some' }, NOW), '--personal-data'],
    [() => parseReplayFilter(REPLAY, NOW), 'say which dead letters to replay'],
    [() => parseReplayFilter({ ...REPLAY, all: true, source: 's' }, NOW), '--all and a filter'],
  ])('refuses wrong arguments: %s', (parse, message) => {
    expect(parse).toThrow(message)
  })

  it('lets replay take all dead letters only if --all says so', () => {
    expect(parseReplayFilter({ ...REPLAY, all: true }, NOW).isMatch(letter)).toBe(true)
  })
})

describe('PartAssembler', () => {
  const partOf = (eventId: string, part: number, parts: number, offset: number): DeadLetterPart => {
    return {
      ...summary,
      ...{ eventId, part, parts },
      body: Buffer.from([part]),
      place: { topic: 'sms.dead-letter', partition: 0, offset },
    }
  }

  it('returns each dead letter once, with its places in the order of the parts, however the parts are mixed', () => {
    const counts = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 6 })
    const mixed = counts.chain((parts) => {
      const all = parts.flatMap((count, letterIndex) =>
        Array.from({ length: count }, (_, part) => ({ id: `letter-${letterIndex}`, part, count })),
      )
      return fc.shuffledSubarray(all, { minLength: all.length }).map((order) => ({ parts, order }))
    })
    fc.assert(
      fc.property(mixed, ({ parts, order }) => {
        const assembler = new PartAssembler()
        const letters = order.flatMap(
          ({ id, part, count }, offset) => assembler.add(partOf(id, part, count, offset)) ?? [],
        )
        expect(assembler.incomplete()).toEqual([])
        expect(letters).toHaveLength(parts.length)
        for (const { eventId, places, bytes, missingParts } of letters) {
          const found = places.map(({ offset }) => order[offset])
          expect(found.map((each) => each!.id)).toEqual(found.map(() => eventId))
          expect(found.map((each) => each!.part)).toEqual(found.map((_, index) => index))
          expect(bytes).toBe(found.length)
          expect(missingParts).toEqual([])
        }
      }),
    )
  })

  it('keeps no body of a part, and names the parts that are missing', () => {
    const assembler = new PartAssembler()
    expect(assembler.add(partOf('letter', 1, 4, 0))).toBeUndefined()
    expect(assembler.add(partOf('letter', 3, 4, 1))).toBeUndefined()
    const [incomplete] = assembler.incomplete()
    expect(incomplete).toMatchObject({ missingParts: [1, 3], bytes: 2, parts: 4 })
    expect(incomplete).not.toHaveProperty('body')
    expect(toListLine(incomplete!, NOT_REPLAYED, 'masked')).toContain('2 of its 4 parts are not on the topic (1, 3)')
  })

  it('takes a dead letter that was published twice for one with the parts that came last', () => {
    const assembler = new PartAssembler()
    assembler.add(partOf('letter', 0, 2, 0))
    assembler.add(partOf('letter', 0, 2, 5))
    expect(assembler.add(partOf('letter', 1, 2, 6))?.places.map(({ offset }) => offset)).toEqual([5, 6])
  })

  it('does not report parts of a dead letter as incomplete that was published again with another division', () => {
    for (const parts of [1, 2]) {
      const assembler = new PartAssembler()
      assembler.add(partOf('letter', 0, 3, 0))
      assembler.add(partOf('other letter', 0, 3, 1))
      const added = Array.from({ length: parts }, (_, part) => assembler.add(partOf('letter', part, parts, 2 + part)))
      expect(added.at(-1)).toMatchObject({ eventId: 'letter', missingParts: [] })
      expect(assembler.incomplete()).toMatchObject([{ eventId: 'other letter' }])
    }
  })
})

describe('A dead letter that is printed', () => {
  it('shows no phone number, query or body unless personal data is asked for', () => {
    const body = Buffer.from(`text of ${NUMBER}`)
    for (const text of [
      toListLine(letter, NOT_REPLAYED, 'masked'),
      toPage(letter, NOT_REPLAYED, body, 'masked'),
      JSON.stringify(toJsonFields(letter, NOT_REPLAYED, 'masked')),
    ]) {
      expect(text).not.toContain(NUMBER)
      expect(text).toContain('missing-text')
    }
    expect(toPage(letter, NOT_REPLAYED, body, 'plain')).toContain(`text of ${NUMBER}`)
    expect(toPage(letter, NOT_REPLAYED, body, 'plain')).toContain(`from=${NUMBER}`)
  })

  it('is one line with time, source, reason, event id, bytes and detail', () => {
    expect(toListLine({ ...letter, detail: 'line\nbreak' }, NOT_REPLAYED, 'plain')).toBe(
      '2030-01-31T11:59:00.000Z  mtarget-fr  missing-text  journal-1-0  3 bytes  line\\u000abreak',
    )
    const replayed = { closedAt: NOW, publishedPlaces: new Set(['a']) }
    expect(toListLine(letter, replayed, 'masked')).toContain('Replayed 2030-01-31T12:00:00.000Z.')
    expect(toListLine(letter, { publishedPlaces: new Set(['a']) }, 'masked')).toContain('1 items of it are published.')
  })

  it('shows its body as text where it is text, without control characters, and else in hexadecimal', () => {
    const page = (body: Uint8Array): string => toPage(letter, NOT_REPLAYED, body, 'plain')
    expect(page(Buffer.from('one\r\ntwo \u001b[31mred'))).toMatch(/body: 17 bytes, text\n\none\ntwo \\u001b\[31mred$/)
    expect(page(Buffer.from([0xff, 0x00, 0x41]))).toMatch(/body: 3 bytes, hexadecimal\n\nff0041$/)
  })

  it('has the facts of its request below the line that announces them', () => {
    expect(toPage(letter, NOT_REPLAYED, Buffer.from('abc'), 'masked')).toMatch(
      /^request\n {2}method {2,}POST\n {2}path/m,
    )
  })
})

describe('A shortened fact of a request', () => {
  it('is recognised, and no other text is', () => {
    const shortened = (query: string): string =>
      withShortenedTexts(deadLetter({ request: { query } })).request['query'] ?? ''
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 3_000 }), fc.boolean(), (text, isLong) => {
        const fact = isLong ? text.padEnd(1_100, 'x') : text.slice(0, 1_024)
        expect(isShortened(shortened(fact))).toBe(fact.length > 1_024)
        expect(isShortened(fact)).toBe(false)
      }),
    )
  })
})
