/** Replayed dead letters and imported entries: what is published of them, and under which event ids. */
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { parseMark } from '../../src/encode/replay-marks.js'
import type { EntryOrigin, NewEntry } from '../../src/journal/journal.js'
import { decodeDeadLetter, type DeadLetterOrigin } from '../../src/pipeline/replay.js'
import { providers } from '../../src/providers/index.js'
import {
  deadLetter,
  deadLetterOf,
  dlr,
  type FaultPlan,
  type ItemSpec,
  mo,
  PipelineProcess,
  TestEnvironment,
  UNENCODABLE,
} from '../support/pipeline-process.js'

vi.setConfig({ testTimeout: 60_000 })

let environment: TestEnvironment
beforeEach(() => {
  environment = new TestEnvironment()
})
afterEach(() => expect(environment.violations).toEqual([]))

const replayOf = (eventId: string, reason = 'unknown-source'): EntryOrigin => ({ kind: 'dead-letter', eventId, reason })

const replay = (eventId: string, items: readonly ItemSpec[]): Promise<number> =>
  environment.append(items, 0, 'plain', { origin: replayOf(eventId) })

const marks = (): string[] => [...environment.broker.markKeys]

describe('A replayed dead letter', () => {
  it('is published with its event id and two marks, in one transaction', async () => {
    await replay('letter-1-0', [mo()])
    const running = await environment.drain()
    expect(environment.broker.ids).toEqual(['letter-1-0'])
    expect(marks()).toEqual([expect.stringMatching(/^letter-1-0\/[0-9a-f]{16}$/), 'letter-1-0'])
    expect(running.observer.reports.filter((report) => report.startsWith('committed'))).toEqual(['committed 3'])
    expect(running.observer.outcomes).toEqual([expect.objectContaining({ kind: 'mo', replay: 'published' })])
    const [mark] = environment.broker.records.filter(({ key }) => key.startsWith('letter-1-0/'))
    expect(parseMark(mark!.value.toString())).toMatchObject({
      deadLetter: 'letter-1-0',
      eventId: 'letter-1-0',
      kind: 'mo',
      outcome: 'published',
    })
  })

  it('gives each of several items an event id that begins with its own, and identified items their own', async () => {
    await replay('letter-1-0', [mo(), mo(), dlr('a')])
    await environment.drain()
    expect(environment.broker.ids).toEqual([
      expect.stringMatching(/^letter-1-0-[0-9a-f]{16}$/),
      expect.stringMatching(/^letter-1-0-[0-9a-f]{16}\.1$/),
      expect.stringMatching(/^[0-9a-f]{32}$/),
    ])
  })

  it('is published once if it is handed in several times, in one batch, one after the other, and by another connector', async () => {
    await replay('letter-1-0', [mo(), mo()])
    await replay('letter-1-0', [mo(), mo()])
    await environment.drain()
    await replay('letter-1-0', [mo(), mo()])
    await environment.drain()
    const other = new TestEnvironment()
    for (const record of environment.broker.records) other.broker.records.push(record)
    await other.append([mo(), mo()], 0, 'plain', { origin: replayOf('letter-1-0') })
    const running = await other.drain()
    expect(other.broker.ids).toHaveLength(2)
    expect(running.observer.outcomes.map(({ replay: outcome }) => outcome)).toEqual(['duplicate', 'duplicate'])
  })

  it('is not published twice while its first replay is being committed', async () => {
    const limits = { entries: 1, bodyBytes: 1, items: 1, recordBytes: 1 }
    await replay('letter-1-0', [mo()])
    await replay('letter-1-0', [mo()])
    await environment.drain(new PipelineProcess(environment, { limits }))
    expect(environment.broker.ids).toEqual(['letter-1-0'])
  })

  it('publishes what can be read, and makes no second dead letter of the rest, which a later replay publishes', async () => {
    await replay('letter-1-0', [mo('a'), deadLetter, dlr(UNENCODABLE)])
    const running = await environment.drain()
    expect(environment.broker.ids).toHaveLength(1)
    expect(marks()).toEqual([expect.stringContaining('letter-1-0/')])
    expect(running.observer.outcomes.map(({ replay: outcome }) => outcome)).toEqual([
      'published',
      'unreadable',
      'unreadable',
    ])
    // The item that was published keeps its place, because its bytes and fields are the same.
    await replay('letter-1-0', [mo('a'), deadLetter, dlr(UNENCODABLE)])
    await environment.drain()
    expect(environment.broker.ids).toHaveLength(1)
  })

  it('is not published if an item with its identity arrived in another way, and is closed', async () => {
    await environment.append([dlr('a')])
    await replay('letter-1-0', [dlr('a')])
    const running = await environment.drain()
    expect(environment.broker.ids).toHaveLength(1)
    expect(marks()).toContain('letter-1-0')
    expect(running.observer.outcomes.at(-1)).toMatchObject({ replay: 'duplicate' })
  })

  it('makes an item that arrives later with the same identity a duplicate', async () => {
    await replay('letter-1-0', [dlr('a')])
    await environment.drain()
    await environment.append([dlr('a')])
    await environment.drain()
    expect(environment.broker.ids).toHaveLength(1)
  })

  it('is closed if it holds nothing that has to be published', async () => {
    await replay('letter-1-0', [])
    await environment.drain()
    expect(marks()).toEqual(['letter-1-0'])
  })

  it('stays on its topic, with a report, if the marks can not be read; everything else is published', async () => {
    await environment.append([mo()])
    await replay('letter-1-0', [mo()])
    await environment.append([mo()])
    const running = await environment.drain(new PipelineProcess(environment, { unavailableMarks: 'no topic' }))
    expect(environment.broker.ids).toEqual(['memory-1-0', 'memory-3-0'])
    expect(running.observer.reports).toContain('the replay of letter-1-0 is given up: no topic')
  })

  it('is begun again after a failure inside it, and each item is published once', async () => {
    const limits = { entries: 1, bodyBytes: 1e6, items: 2, recordBytes: 1e6 }
    await replay('letter-1-0', [mo(), mo(), mo(), mo(), mo()])
    await environment.append([mo('behind')])
    let publishes = 0
    const faultPlan: FaultPlan = (_call, port, method) => {
      if (method !== 'publish' || port !== 'publisher') return undefined
      publishes++
      if (publishes === 2) return { when: 'after', what: new Error('no answer') }
      return publishes === 3 ? { when: 'before', what: new Error('no answer') } : undefined
    }
    await environment.drain(new PipelineProcess(environment, { limits, faultPlan }))
    expect(environment.broker.ids).toHaveLength(6)
    expect(new Set(environment.broker.ids).size).toBe(6)
    expect(marks()).toContain('letter-1-0')
  })

  it('is published once, whatever fails or crashes at any call to a port', async () => {
    for (const what of [new Error('no answer'), 'crash'] as const) {
      for (const when of ['before', 'after'] as const) {
        for (let at = 1; at < 40; at++) {
          environment = new TestEnvironment()
          const limits = { entries: 2, bodyBytes: 1e6, items: 2, recordBytes: 1e6 }
          await replay('letter-1-0', [mo(), mo(), dlr('a'), deadLetter])
          await environment.append([dlr('a')])
          await replay('letter-2-0', [mo()])
          await replay('letter-2-0', [mo()])
          const faultPlan: FaultPlan = (call) => (call === at ? { when, what } : undefined)
          const first = new PipelineProcess(environment, { limits, faultPlan })
          await environment.until(() => first.hasCrashed || environment.journal.entries.length === 0)
          first.stop.abort()
          if (first.hasCrashed) first.ended.catch(() => undefined)
          await environment.drain(new PipelineProcess(environment, { limits }))
          const { ids } = environment.broker
          expect([ids.length, new Set(ids).size], `${String(what)} ${when} call ${at}`).toEqual([4, 4])
          expect(marks().filter((key) => !key.includes('/'))).toEqual(['letter-2-0'])
          expect(environment.violations).toEqual([])
        }
      }
    }
  })
})

describe('An imported entry', () => {
  const imported = (items: readonly ItemSpec[], seq = 42): Promise<number> =>
    environment.append(items, 0, 'plain', { origin: { kind: 'import', journalId: 'other', seq } })

  it('gives its items the event ids that they have in the journal that it comes from', async () => {
    await imported([mo(), deadLetter, mo('a')])
    await environment.drain()
    expect(environment.broker.ids).toEqual(['other-42-0', 'other-42-1', expect.stringMatching(/^[0-9a-f]{32}$/)])
  })

  it('is published once however often it is imported, also in one batch and after a crash before the release', async () => {
    await imported([mo(), mo()])
    await imported([mo(), mo()])
    await imported([mo()], 43)
    const faultPlan: FaultPlan = (_call, _port, method) =>
      method === 'release' ? { when: 'before', what: 'crash' } : undefined
    const crashing = new PipelineProcess(environment, { faultPlan })
    await environment.until(() => crashing.hasCrashed)
    await environment.drain()
    await imported([mo(), mo()])
    await environment.drain()
    expect(environment.broker.ids).toEqual(['other-42-0', 'other-42-1', 'other-43-0'])
  })

  it('of which a part is published already is published from there on, whatever fails or crashes at any call to a port', async () => {
    const items = [mo(), deadLetterOf(3), mo(), mo('a'), mo()]
    const limits = { entries: 1, bodyBytes: 1, items: 2, recordBytes: 500 }
    for (const transactions of [1, 2, 3]) {
      const left = new TestEnvironment()
      await left.append(items)
      let publishes = 0
      const crashAfter: FaultPlan = (_call, _port, method) => {
        if (method !== 'publish') return undefined
        publishes++
        return publishes === transactions ? { when: 'after', what: 'crash' } : undefined
      }
      const crashed = new PipelineProcess(left, { limits, faultPlan: crashAfter })
      await left.until(() => crashed.hasCrashed)
      const place = left.broker.metadata.get(left.journal.id)!
      expect(place).toContain('items=')
      const origin = { kind: 'import', journalId: left.journal.id, seq: left.journal.entries[0]!.seq, place } as const
      const whole = [0, 1, 2, 4].map((index) => `${left.journal.id}-${origin.seq}-${index}`)
      for (const what of [undefined, new Error('no answer'), 'crash'] as const) {
        for (let at = 1; at < 30; at += 2) {
          environment = new TestEnvironment()
          for (const record of left.broker.records) environment.broker.records.push(record)
          await environment.append(items, 0, 'plain', { origin })
          await environment.append(items, 0, 'plain', { origin: { ...origin, place: '' } })
          const faultPlan: FaultPlan = (call) => (call === at && what ? { when: 'after', what } : undefined)
          const first = new PipelineProcess(environment, { limits, faultPlan })
          await environment.until(() => first.hasCrashed || environment.journal.entries.length === 0)
          first.stop.abort()
          if (first.hasCrashed) first.ended.catch(() => undefined)
          await environment.drain(new PipelineProcess(environment, { limits }))
          const { ids } = environment.broker
          expect(new Set(ids).size, `${transactions} ${String(what)} ${at}`).toBe(ids.length)
          expect(ids).toEqual(expect.arrayContaining(whole))
          expect(environment.violations).toEqual([])
        }
      }
    }
  })

  it('is published as a whole, with a report, if its part that is published does not fit its items', async () => {
    const place = `dlr-mo-connector:1 items=1 parts=0/0 digest=${'0'.repeat(32)}`
    await environment.append([mo(), mo()], 0, 'plain', {
      origin: { kind: 'import', journalId: 'other', seq: 42, place },
    })
    const { observer } = await environment.drain()
    expect(environment.broker.ids).toEqual(['other-42-0', 'other-42-1'])
    expect(observer.reports).toContain('an entry of plain is published again')
  })
})

const FACTS = { method: 'POST', path: '/notification', query: '', 'content-type': 'application/json', status: '200' }

const entryOf = (provider: string, body: string | Uint8Array, more: Partial<NewEntry> = {}): NewEntry => ({
  source: 'main',
  provider,
  via: 'PULL',
  receivedAt: 1,
  facts: FACTS,
  body: typeof body === 'string' ? Buffer.from(body) : body,
  ...more,
})

/** Decodes a dead letter, and names each item by its kind, event id or reason. */
const decoded = (
  entry: NewEntry,
  { eventId = 'journal-1-0', reason = 'unknown-source', textFields = ['Content'], isConfigured = true } = {},
): string[] => {
  const origin: DeadLetterOrigin = { kind: 'dead-letter', eventId, reason }
  const settings = { textFields, ignoreEvents: ['ignored'] }
  const source = isConfigured ? { provider: providers.get(entry.provider)!, settings } : undefined
  return [...decodeDeadLetter(entry, origin, source)].map(({ event }) =>
    event.kind === 'dead-letter' ? event.reason : `${event.kind} ${event.eventId}`,
  )
}

const ROW = '{"Status":"5","Msisdn":"33612345678","Wording":"hi"}'
const RECEIPT = '{"MsgId":"1","DestinationAdress":"33612345678","Status":"3"}'

describe('decodeDeadLetter', () => {
  it('reads a row of a queue, although the facts are those of its page', () => {
    const gzipped = { ...FACTS, 'content-encoding': 'gzip' }
    const options = { reason: 'missing-text', textFields: ['Wording'] }
    expect(decoded(entryOf('mtarget', ROW), options)).toEqual(['mo journal-1-0'])
    expect(decoded(entryOf('mtarget', ROW, { facts: gzipped }), options)).toEqual(['mo journal-1-0'])
    const framed = { ...FACTS, 'framing-error': 'two lengths' }
    expect(decoded(entryOf('mtarget', ROW, { facts: framed }), options)).toEqual(['mo journal-1-0'])
    expect(decoded(entryOf('mtarget', ROW), { reason: 'missing-text' })).toEqual(['missing-text'])
  })

  it('reads a page of a queue as a page, with its account errors and its empty list', () => {
    const error = '{"code":"-12","reason":"wrong"}'
    expect(decoded(entryOf('mtarget', `{"results":[${RECEIPT},${error}]}`))).toEqual([
      expect.stringMatching(/^dlr [0-9a-f]{32}$/),
    ])
    expect(decoded(entryOf('mtarget', '{"results":[]}'))).toEqual([])
  })

  it('reads an answer whose framing is damaged by the responses in it', () => {
    const page = `{"results":[${RECEIPT}]}`
    const answer = `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${page.length}\r\n\r\n${page}`
    const facts = { ...FACTS, 'framing-error': 'two lengths' }
    expect(decoded(entryOf('mtarget', answer, { facts }))).toEqual([expect.stringMatching(/^dlr /)])
  })

  it('skips the items that were decoded before the decoder failed', () => {
    const page = `{"results":[${RECEIPT},${ROW},${ROW}]}`
    const options = { reason: 'decoder-failed', eventId: 'journal-1-2', textFields: ['Wording'] }
    expect(decoded(entryOf('mtarget', page), options)).toEqual(['mo journal-1-2'])
  })

  it('stays open if fewer items are found today than were published before the decoder failed', () => {
    const page = `{"results":[${RECEIPT},${ROW}]}`
    const textFields = ['Wording']
    const decodedFrom = (eventId: string) =>
      decoded(entryOf('mtarget', page), { reason: 'decoder-failed', eventId, textFields })
    expect(decodedFrom('journal-1-3')).toEqual(['decoder-failed'])
    expect(decodedFrom('journal-1-2')).toEqual([])
  })

  it('refuses a body of which an unknown part was published', () => {
    const page = `{"results":[${RECEIPT}]}`
    expect(decoded(entryOf('mtarget', page), { reason: 'too-many-unreadable' })).toEqual(['too-many-unreadable'])
    const form = 'webhook_event=sms_mo&a[sender]=1&a[text]=x&b[sender]=2&b[text]=y'
    const callback = entryOf('seven', form, {
      via: 'CALLBACK',
      facts: { method: 'POST', path: '/callbacks/main', query: '' },
    })
    expect(decoded(callback, { reason: 'missing-text' })).toEqual(['inseparable', 'inseparable'])
    expect(decoded(callback, { reason: 'unknown-source' })).toEqual([
      expect.stringMatching(/^mo journal-1-0-/),
      expect.stringMatching(/^mo journal-1-0-/),
    ])
  })

  it('says so if the source is not configured any more, or has another provider', () => {
    expect(decoded(entryOf('mtarget', ROW), { isConfigured: false })).toEqual(['unknown-source'])
  })

  it('finds nothing to publish in an event that is ignored today', () => {
    const callback = entryOf('seven', '{"webhook_event":"ignored"}', { via: 'CALLBACK' })
    expect(decoded(callback, { reason: 'unsupported-event' })).toEqual([])
  })

  it('never throws, gives the same ids each time, and gives different items different ids', () => {
    const row = fc.constantFrom(ROW, RECEIPT, '{"Status":"5","Msisdn":"1","Wording":"other"}', '{"x":1}', '3')
    const body = fc.oneof(
      fc.array(row).map((rows) => Buffer.from(`{"results":[${rows.join(',')}]}`)),
      fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    )
    fc.assert(
      fc.property(body, fc.constantFrom('mtarget', 'seven'), (bytes, provider) => {
        const entry = entryOf(provider, bytes)
        const options = { textFields: ['Wording'] }
        const items = decoded(entry, options)
        expect(decoded(entry, options)).toEqual(items)
        const messages = items.filter((item) => item.startsWith('mo '))
        expect(new Set(messages).size).toBe(messages.length)
      }),
    )
  })

  it('gives an item the same place after other items of its page became readable', () => {
    const page = `{"results":[{"Status":"5","Msisdn":"1","Later":"x"},${ROW}]}`
    const placesWith = (textFields: string[]): string[] =>
      [
        ...decodeDeadLetter(
          entryOf('mtarget', page),
          { kind: 'dead-letter', eventId: 'j-1-0', reason: 'unknown-source' },
          { provider: providers.get('mtarget')!, settings: { textFields, ignoreEvents: [] } },
        ),
      ].map(({ place }) => place)
    const [, before] = placesWith(['Wording'])
    const [first, after] = placesWith(['Wording', 'Later'])
    expect(after).toBe(before)
    expect(first).not.toBe(after)
  })
})
