/** The promises of src/journal/journal.ts, tested for every implementation. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type {
  EntryWithOrigin,
  IndexUpdates,
  Journal,
  NewEntry,
  Nonce,
  TopicProgress,
  WatchedMessage,
} from '../../src/journal/journal.js'
import { staysPending } from '../support/event-loop.js'
import type { ManualClock } from '../support/manual-clock.js'

export interface JournalUnderTest {
  readonly journal: Journal
  /** The clock that the journal uses. */
  readonly clock: ManualClock
  /** Takes all room, so that the journal refuses callbacks until `makeRoom` is called. */
  fill(): Promise<void>
  makeRoom(): Promise<void>
  dispose(): Promise<void>
}

const NO_UPDATES: IndexUpdates = { occurrences: [], watchChanges: [] }
const ALL = { entries: 1000, bytes: 1e9 }

export const entryOf = (body: string | Uint8Array = 'body', more: Partial<NewEntry> = {}): NewEntry => ({
  source: 'seven-main',
  provider: 'seven',
  via: 'CALLBACK',
  receivedAt: 1_700_000_000_000,
  facts: { method: 'GET', path: '/callbacks/seven-main', query: 'msg_id=1&status=DELIVERED' },
  body: typeof body === 'string' ? Buffer.from(body) : body,
  ...more,
})

const bodiesOf = (journal: Journal, after = -1, bounds = ALL): string[] =>
  journal.read(after, bounds).map(({ body }) => Buffer.from(body).toString())

const seqsOf = (journal: Journal): number[] => journal.read(-1, ALL).map(({ seq }) => seq)

const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'done',
    (error: { code?: unknown }) => error.code,
  )

export function describeJournal(name: string, open: () => Promise<JournalUnderTest>): void {
  describe(name, () => {
    let tested: JournalUnderTest
    let journal: Journal

    beforeEach(async () => {
      tested = await open()
      journal = tested.journal
    })
    afterEach(() => tested.dispose())

    const append = (...bodies: string[]): Promise<number[]> =>
      Promise.all(bodies.map((body) => journal.append(entryOf(body))))

    describe('append', () => {
      it('keeps every field and every byte', async () => {
        const entry = entryOf(Buffer.from([0, 255, 10, 13, 128, 0]), {
          source: 'mtarget-fr',
          provider: 'mtarget',
          via: 'PULL',
          receivedAt: 1_763_000_123_456,
          facts: {
            method: 'POST',
            path: '/notification',
            query: '',
            'content-type': 'application/json; charset=utf-8',
            'content-encoding': 'gzip',
            status: '200',
            complete: 'false',
          },
        })
        const seq = await journal.append(entry)
        const [read] = journal.read(-1, ALL)
        expect({ ...read, body: [...(read?.body ?? [])] }).toEqual({ ...entry, seq, body: [...entry.body] })
      })

      it('keeps the origin of an entry that was in custody before', async () => {
        const origin = { kind: 'import', journalId: 'another', seq: 1_763_000_123_456_789 } as const
        await journal.append(entryOf('imported', { via: 'PULL', origin }))
        await journal.append(entryOf('received'))
        const [imported, received] = journal.read(-1, ALL)
        expect(imported).toMatchObject({ provider: 'seven', via: 'PULL', origin })
        expect(received).not.toHaveProperty('origin')
      })

      it('takes a batch in its order, behind what arrived before it, or refuses all of it', async () => {
        const batch = ['b', 'c', 'd'].map((body, seq) =>
          entryOf(body, { origin: { kind: 'import', journalId: 'another', seq } }),
        ) as EntryWithOrigin[]
        await Promise.all([journal.append(entryOf('a')), journal.appendAll(batch), journal.append(entryOf('e'))])
        await journal.appendAll([])
        expect(bodiesOf(journal)).toEqual(['a', 'b', 'c', 'd', 'e'])
        expect(journal.read(-1, ALL)[2]?.origin).toEqual({ kind: 'import', journalId: 'another', seq: 1 })
        await tested.fill()
        const before = seqsOf(journal)
        expect(await codeOf(journal.appendAll(batch))).toBe('JOURNAL_FULL')
        expect(seqsOf(journal)).toEqual(before)
      })

      it('refuses an imported page while it is full, unlike one that was just pulled', async () => {
        await tested.fill()
        const origin = { kind: 'import', journalId: 'another', seq: 1 } as const
        expect(await codeOf(journal.append(entryOf('imported', { via: 'PULL', origin })))).toBe('JOURNAL_FULL')
      })

      it('keeps an empty body, and one of several megabytes', async () => {
        const large = Buffer.alloc(5 * 1024 * 1024, 'déjà vu 🚀')
        await journal.append(entryOf(new Uint8Array()))
        await journal.append(entryOf(large))
        const [first, second] = journal.read(-1, ALL)
        expect(first?.body.byteLength).toBe(0)
        expect(Buffer.compare(Buffer.from(second?.body ?? []), large)).toBe(0)
      })

      it('numbers entries in the order of their arrival, also when many arrive at once', async () => {
        const numbers = await append('a', 'b', 'c', 'd', 'e')
        numbers.push(await journal.append(entryOf('f')))
        expect(numbers).toEqual([...numbers].sort((a, b) => a - b))
        expect(new Set(numbers).size).toBe(6)
        expect(bodiesOf(journal)).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
        expect(seqsOf(journal)).toEqual(numbers)
      })

      it('never uses a number twice, also after the journal was emptied', async () => {
        const [first] = await append('a')
        await journal.recover(-1)
        await journal.release(first!, NO_UPDATES)
        const [second] = await append('b')
        expect(second).toBeGreaterThan(first!)
      })

      it('rejects an entry without room, and stores nothing of it', async () => {
        await tested.fill()
        const before = seqsOf(journal)
        expect(await codeOf(journal.append(entryOf('late')))).toBe('JOURNAL_FULL')
        expect(seqsOf(journal)).toEqual(before)
        await tested.makeRoom()
        await journal.append(entryOf('in time'))
        expect(bodiesOf(journal).at(-1)).toBe('in time')
      })
    })

    describe('a nonce', () => {
      const nonce = (key = 'n1'): Nonce => ({ key, expiresAt: tested.clock.now() + 60_000 })

      it('admits one entry and rejects the second', async () => {
        await journal.append(entryOf('first'), nonce())
        expect(await codeOf(journal.append(entryOf('second'), nonce()))).toBe('NONCE_SEEN')
        await journal.append(entryOf('third'), nonce('n2'))
        expect(bodiesOf(journal)).toEqual(['first', 'third'])
      })

      it('admits one of several entries that arrive at once', async () => {
        const outcomes = await Promise.all([1, 2, 3].map(() => codeOf(journal.append(entryOf(), nonce()))))
        expect(outcomes).toEqual(['done', 'NONCE_SEEN', 'NONCE_SEEN'])
        expect(bodiesOf(journal)).toHaveLength(1)
      })

      it('is not reported as used to those who waited for a write that was refused', async () => {
        await tested.fill()
        const outcomes = await Promise.all([1, 2, 3].map(() => codeOf(journal.append(entryOf(), nonce()))))
        expect(outcomes).toEqual(['JOURNAL_FULL', 'JOURNAL_FULL', 'JOURNAL_FULL'])
      })

      it('can be used after a write that was refused', async () => {
        await tested.fill()
        expect(await codeOf(journal.append(entryOf(), nonce()))).toBe('JOURNAL_FULL')
        await tested.makeRoom()
        expect(await codeOf(journal.append(entryOf(), nonce()))).toBe('done')
      })

      it('stays used after the release of its entry, until it expires', async () => {
        const seq = await journal.append(entryOf(), nonce())
        await journal.recover(-1)
        await journal.release(seq, NO_UPDATES)
        expect(await codeOf(journal.append(entryOf(), nonce()))).toBe('NONCE_SEEN')
        await tested.clock.advance(60_000)
        expect(await codeOf(journal.append(entryOf(), nonce()))).toBe('done')
      })

      it('is accepted at any length', async () => {
        const long = 'x'.repeat(60_000)
        expect(await codeOf(journal.append(entryOf(), nonce(`${long}1`)))).toBe('done')
        expect(await codeOf(journal.append(entryOf(), nonce(`${long}2`)))).toBe('done')
        expect(await codeOf(journal.append(entryOf(), nonce(`${long}1`)))).toBe('NONCE_SEEN')
      })
    })

    describe('refusalReason and hasRoomFor', () => {
      it('agree with append: they give a sentence and no room exactly while entries are refused', async () => {
        expect(journal.refusalReason()).toBeNull()
        expect(journal.hasRoomFor(1000)).toBe(true)
        await tested.fill()
        expect(journal.refusalReason()).toMatch(/\w+ \w+/)
        expect(journal.hasRoomFor(1000)).toBe(false)
        await tested.makeRoom()
        expect(journal.refusalReason()).toBeNull()
        expect(journal.hasRoomFor(1000)).toBe(true)
      })
    })

    describe('read', () => {
      it('returns the entries above a number in order, and none if there are none', async () => {
        expect(journal.read(-1, ALL)).toEqual([])
        const [a, , c] = await append('a', 'b', 'c')
        expect(bodiesOf(journal, a)).toEqual(['b', 'c'])
        expect(bodiesOf(journal, c)).toEqual([])
        expect(bodiesOf(journal, c! + 1_000)).toEqual([])
      })

      it('returns at most the given number of entries', async () => {
        await append('a', 'b', 'c')
        expect(bodiesOf(journal, -1, { entries: 2, bytes: 1e9 })).toEqual(['a', 'b'])
      })

      it('returns at most the given number of bytes', async () => {
        await append('aaaa', 'bbbb', 'cccc')
        expect(bodiesOf(journal, -1, { entries: 10, bytes: 8 })).toEqual(['aaaa', 'bbbb'])
        expect(bodiesOf(journal, -1, { entries: 10, bytes: 11 })).toEqual(['aaaa', 'bbbb'])
      })

      it('returns at least one entry, however large it is', async () => {
        await append('aaaa', 'bbbb')
        expect(bodiesOf(journal, -1, { entries: 10, bytes: 3 })).toEqual(['aaaa'])
        expect(bodiesOf(journal, -1, { entries: 10, bytes: 0 })).toEqual(['aaaa'])
      })

      it('changes nothing', async () => {
        await append('a', 'b')
        expect(bodiesOf(journal)).toEqual(bodiesOf(journal))
      })
    })

    describe('waitForEntry', () => {
      const never = new AbortController().signal

      it('resolves at once if there is an entry', async () => {
        const [a] = await append('a', 'b')
        await journal.waitForEntry(-1, never)
        await journal.waitForEntry(a!, never)
      })

      it('resolves when an entry becomes durable, and not before', async () => {
        const [a] = await append('a')
        const waits = [journal.waitForEntry(a!, never), journal.waitForEntry(a!, never)]
        expect(await staysPending(Promise.race(waits))).toBe(true)
        const [b] = await append('b')
        await Promise.all(waits)
        expect(journal.read(a!, ALL).map(({ seq }) => seq)).toEqual([b])
      })

      it('does not resolve for an entry that was released', async () => {
        const [a] = await append('a')
        await journal.recover(-1)
        await journal.release(a!, NO_UPDATES)
        const wait = journal.waitForEntry(-1, never)
        expect(await staysPending(wait)).toBe(true)
        await append('b')
        await wait
      })

      it('resolves when the signal aborts, or has aborted', async () => {
        const stop = new AbortController()
        const wait = journal.waitForEntry(-1, stop.signal)
        expect(await staysPending(wait)).toBe(true)
        stop.abort()
        await wait
        await journal.waitForEntry(-1, stop.signal)
      })
    })

    describe('recover', () => {
      it('returns -1 if the broker holds no position and nothing was released', async () => {
        await append('a', 'b')
        expect(await journal.recover(-1)).toBe(-1)
        expect(bodiesOf(journal)).toEqual(['a', 'b'])
      })

      it('returns the position and leaves the entries that it covers in place after an earlier recovery', async () => {
        await journal.recover(-1)
        const [, b] = await append('a', 'b', 'c')
        expect(await journal.recover(b!)).toBe(b)
        expect(bodiesOf(journal)).toEqual(['a', 'b', 'c'])
        expect(bodiesOf(journal, b)).toEqual(['c'])
      })

      it('returns the last released number if that is higher than the position', async () => {
        const [a] = await append('a', 'b')
        await journal.recover(-1)
        await journal.release(a!, NO_UPDATES)
        expect(await journal.recover(-1)).toBe(a)
        expect(await journal.recover(a! - 1)).toBe(a)
      })

      it('renumbers entries that were appended before, in their order, above a position that covers them', async () => {
        const [, , c] = await append('a', 'b', 'c')
        const position = c! + 5_000_000
        expect(await journal.recover(position)).toBe(position)
        expect(bodiesOf(journal, position)).toEqual(['a', 'b', 'c'])
        expect(bodiesOf(journal)).toEqual(['a', 'b', 'c'])
        await journal.waitForEntry(position, new AbortController().signal)
      })

      it('renumbers all of these entries if the position covers some, so that their order stays', async () => {
        const [, b] = await append('a', 'b', 'c')
        await journal.recover(b!)
        expect(bodiesOf(journal, b)).toEqual(['a', 'b', 'c'])
        expect(bodiesOf(journal)).toEqual(['a', 'b', 'c'])
      })

      it('numbers later entries above the position and above the renumbered entries', async () => {
        const [, b] = await append('a', 'b')
        const position = b! + 5_000_000
        await journal.recover(position)
        const [c] = await append('c')
        expect(c).toBeGreaterThan(position)
        expect(bodiesOf(journal, position)).toEqual(['a', 'b', 'c'])
      })

      it('keeps the entries that are appended during the recovery, and their order', async () => {
        const earlier = ['a1', 'a2', 'a3']
        const [, , last] = await append(...earlier)
        const position = last! + 5_000_000
        const before = ['b1', 'b2', 'b3'].map((body) => journal.append(entryOf(body)))
        const recovery = journal.recover(position)
        const after = ['c1', 'c2', 'c3'].map((body) => journal.append(entryOf(body)))
        await Promise.all([...before, recovery, ...after])
        await append('d')
        const expected = [...earlier, 'b1', 'b2', 'b3', 'c1', 'c2', 'c3', 'd']
        expect(bodiesOf(journal, position)).toEqual(expected)
        expect(bodiesOf(journal)).toEqual(expected)
      })

      it('renumbers nothing when it is called again', async () => {
        await journal.recover(-1)
        const [a, b] = await append('a', 'b')
        expect(await journal.recover(a!)).toBe(a)
        expect(seqsOf(journal)).toEqual([a, b])
      })
    })

    describe('release', () => {
      it('deletes every entry up to and including a number, and no other', async () => {
        const [, b] = await append('a', 'b', 'c')
        await journal.recover(-1)
        await journal.release(b!, NO_UPDATES)
        expect(bodiesOf(journal)).toEqual(['c'])
        expect(journal.releasedUpTo).toBe(b)
      })

      it('has released nothing at first: releasedUpTo is -1', () => {
        expect(journal.releasedUpTo).toBe(-1)
      })

      it('remembers first occurrences', async () => {
        const [a] = await append('a')
        await journal.recover(-1)
        expect(journal.findFirstSeen('id-1')).toBeUndefined()
        const seen = [
          { eventId: 'id-1', seq: a!, itemIndex: 0, receivedAt: tested.clock.now() },
          { eventId: 'id-2', seq: a!, itemIndex: 7, receivedAt: tested.clock.now() },
        ]
        await journal.release(a!, { occurrences: seen, watchChanges: [] })
        expect(journal.findFirstSeen('id-1')).toEqual({ seq: a, itemIndex: 0 })
        expect(journal.findFirstSeen('id-2')).toEqual({ seq: a, itemIndex: 7 })
        expect(journal.findFirstSeen('id-3')).toBeUndefined()
      })

      it('applies changes of the watch list in their order', async () => {
        const [a] = await append('a')
        await journal.recover(-1)
        const change = (messageId: string, state: 'open' | 'closed', receivedAt = 1) => ({
          source: 's',
          messageId,
          receivedAt,
          state,
        })
        await journal.watchList.add('s', ['was open', 'stays'], 5)
        await journal.release(a!, {
          occurrences: [],
          watchChanges: [
            change('m1', 'open', 11),
            change('m2', 'open'),
            change('m2', 'closed'),
            change('m3', 'closed'),
            change('m1', 'open', 12),
            change('was open', 'closed'),
            change('stays', 'open', 99),
            change('again', 'closed'),
            change('again', 'open', 13),
          ],
        })
        expect(watched(journal, 's')).toEqual([
          { messageId: 'again', since: 13, lastAskedAt: 0 },
          { messageId: 'm1', since: 11, lastAskedAt: 0 },
          { messageId: 'stays', since: 5, lastAskedAt: 0 },
        ])
      })
    })

    describe('recordPublished', () => {
      const publishedEvent = (eventId: string) => ({ eventId, receivedAt: tested.clock.now() })

      it('places published events before every entry of the journal', async () => {
        await journal.recordPublished([publishedEvent('there'), publishedEvent('there')], [])
        const [a] = await append('a')
        expect(journal.findFirstSeen('there')?.seq).toBeLessThan(a!)
        expect(journal.findFirstSeen('there')?.seq).toBeLessThan(0)
      })

      it('keeps the first occurrence of an event that the journal knows', async () => {
        const [a] = await append('a')
        await journal.recover(-1)
        const seen = [{ eventId: 'own', seq: a!, itemIndex: 3, receivedAt: tested.clock.now() }]
        await journal.release(a!, { occurrences: seen, watchChanges: [] })
        await journal.recordPublished([publishedEvent('own')], [])
        expect(journal.findFirstSeen('own')).toEqual({ seq: a, itemIndex: 3 })
      })

      it('applies changes of the watch list, and changes no entry', async () => {
        await append('a')
        const change = { source: 's', messageId: 'm', receivedAt: 5 }
        await journal.recordPublished([], [{ ...change, state: 'open' }])
        expect([...journal.watchList.list('s')]).toEqual([{ messageId: 'm', since: 5, lastAskedAt: 0 }])
        await journal.recordPublished([], [{ ...change, state: 'closed' }])
        expect([...journal.watchList.list('s')]).toEqual([])
        expect(bodiesOf(journal)).toEqual(['a'])
      })
    })

    describe('watchList', () => {
      it('holds messages by source, with the time at which they were first added', async () => {
        await journal.watchList.add('s', ['b', 'a'], 1)
        await journal.watchList.add('s', ['a', 'c'], 2)
        await journal.watchList.add('t', ['a'], 3)
        expect(watched(journal, 's')).toEqual([
          { messageId: 'a', since: 1, lastAskedAt: 0 },
          { messageId: 'b', since: 1, lastAskedAt: 0 },
          { messageId: 'c', since: 2, lastAskedAt: 0 },
        ])
        expect(watched(journal, 't')).toEqual([{ messageId: 'a', since: 3, lastAskedAt: 0 }])
        expect(watched(journal, 'u')).toEqual([])
      })

      it('stores when a message was last asked for, and adds no message by that', async () => {
        await journal.watchList.add('s', ['a', 'b'], 1)
        await journal.watchList.markAsked('s', ['a', 'gone'], 50)
        await journal.watchList.markAsked('s', ['a'], 60)
        expect(watched(journal, 's')).toEqual([
          { messageId: 'a', since: 1, lastAskedAt: 60 },
          { messageId: 'b', since: 1, lastAskedAt: 0 },
        ])
      })

      it('does not bring back a message that is removed while it is marked as asked for', async () => {
        await journal.watchList.add('s', ['a'], 1)
        await Promise.all([journal.watchList.remove('s', ['a']), journal.watchList.markAsked('s', ['a'], 50)])
        expect(watched(journal, 's')).toEqual([])
      })

      it('removes messages of one source only', async () => {
        await journal.watchList.add('s', ['a', 'b'], 1)
        await journal.watchList.add('t', ['a'], 1)
        await journal.watchList.remove('s', ['a', 'never there'])
        expect(watched(journal, 's').map(({ messageId }) => messageId)).toEqual(['b'])
        expect(watched(journal, 't').map(({ messageId }) => messageId)).toEqual(['a'])
      })

      it('takes any text as a message id', async () => {
        const ids = ['', '0', 'ünï', '🚀', 'a\u0000b', 'line\nbreak', '\u{10fffe}']
        await journal.watchList.add('s', ids, 1)
        expect(
          watched(journal, 's')
            .map(({ messageId }) => messageId)
            .sort(),
        ).toEqual([...ids].sort())
      })

      it('lists the messages behind a message id, whether or not that is on the list', async () => {
        const { watchList } = journal
        await watchList.add('s', ['a', 'a\u0000', 'b', 'c', '🚀'], 1)
        await watchList.add('t', ['z'], 1)
        const idsAfter = (after?: string): string[] => [...watchList.list('s', after)].map(({ messageId }) => messageId)
        const all = idsAfter()
        expect(all).toHaveLength(5)
        for (const [i, id] of all.entries()) expect(idsAfter(id)).toEqual(all.slice(i + 1))
        await watchList.remove('s', ['b'])
        expect(idsAfter('b')).toEqual(['c', '🚀'])
      })

      it('reports whether a message is on the list of a source', async () => {
        const { watchList } = journal
        await watchList.add('s', ['a'], 1)
        expect(watchList.has('s', 'a')).toBe(true)
        expect(watchList.has('s', 'b')).toBe(false)
        expect(watchList.has('s', 'x'.repeat(5_000))).toBe(false)
        expect(watchList.has('t', 'a')).toBe(false)
        await watchList.remove('s', ['a'])
        expect(watchList.has('s', 'a')).toBe(false)
      })

      it('stores when the last scan of each message log of each source began', async () => {
        const { watchList } = journal
        expect(watchList.lastScanStartedAt('s', 'inbound')).toBe(0)
        await watchList.recordScan('s', 'inbound', 5)
        await watchList.recordScan('s', 'inbound', 7)
        await watchList.recordScan('t', 'outbound', 9)
        expect([watchList.lastScanStartedAt('s', 'inbound'), watchList.lastScanStartedAt('s', 'outbound')]).toEqual([
          7, 0,
        ])
        expect([watchList.lastScanStartedAt('t', 'inbound'), watchList.lastScanStartedAt('t', 'outbound')]).toEqual([
          0, 9,
        ])
      })
    })

    describe('topicProgress', () => {
      const progressTo = (offset: number): TopicProgress => ({
        dlr: { topicId: 'an-id', offsets: [offset, 2 ** 52] },
        mo: { topicId: null, offsets: [] },
      })

      it('stores for each source how far the topics were read', async () => {
        expect(journal.topicProgress('s')).toBeUndefined()
        await journal.recordTopicProgress(['s', 't'], progressTo(7))
        await journal.recordTopicProgress(['s'], progressTo(8))
        expect(journal.topicProgress('s')).toEqual(progressTo(8))
        expect(journal.topicProgress('t')).toEqual(progressTo(7))
        expect(journal.topicProgress('u')).toBeUndefined()
      })

      it('is independent of the scans of message logs and of what an earlier build stored', async () => {
        await journal.watchList.recordScan('s', 'inbound', 5)
        expect(journal.topicProgress('s')).toBeUndefined()
        await journal.recordTopicProgress(['s'], progressTo(7))
        expect(journal.watchList.lastScanStartedAt('s', 'inbound')).toBe(5)
        expect(journal.followedUpTo('s')).toBe(0)
      })
    })

    describe('custodyRoom', () => {
      it('says how many bytes entries can still take, and why none can', async () => {
        const empty = journal.custodyRoom()
        expect(empty).toMatchObject({ refusal: null, refusalCause: null })
        expect(empty.freeBytes).toBeLessThanOrEqual(empty.maxBytes)
        await journal.append(entryOf(Buffer.alloc(100_000)))
        expect(journal.custodyRoom().freeBytes).toBeLessThanOrEqual(empty.freeBytes - 100_000)
        await tested.fill()
        expect(journal.refusalReason()).not.toBeNull()
        const { refusalCause, ...room } = journal.custodyRoom()
        expect(room).toEqual({ maxBytes: empty.maxBytes, freeBytes: 0, refusal: journal.refusalReason() })
        expect(['full', 'disk']).toContain(refusalCause)
        await tested.makeRoom()
        expect(journal.custodyRoom().freeBytes).toBeGreaterThan(0)
      })
    })

    describe('stats', () => {
      it('count the entries in custody and give the time of the oldest', async () => {
        expect(journal.stats()).toMatchObject({ entries: 0, oldestReceivedAt: null })
        const a = await journal.append(entryOf('a', { receivedAt: 111 }))
        await journal.append(entryOf('b', { receivedAt: 222 }))
        expect(journal.stats()).toMatchObject({ entries: 2, oldestReceivedAt: 111 })
        expect(journal.stats().bytes).toBeGreaterThan(0)
        await journal.recover(-1)
        await journal.release(a, NO_UPDATES)
        expect(journal.stats()).toMatchObject({ entries: 1, oldestReceivedAt: 222 })
      })
    })
  })
}

const watched = (journal: Journal, source: string): WatchedMessage[] =>
  [...journal.watchList.list(source)].sort((a, b) => (a.messageId < b.messageId ? -1 : 1))
