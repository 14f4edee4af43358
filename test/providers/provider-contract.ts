/**
 * What every provider must hold, whoever wrote it: `describeProvider(name, provider, fixtures)` in a test file of its
 * own runs all of it. docs/add-a-provider.md says how to write fixtures.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect, isDeepStrictEqual } from 'node:util'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DELIVERY_STATUSES, type Via } from '../../src/core/event.js'
import type { DecodeSettings, Item, Provider } from '../../src/providers/provider.js'
import type { RequestFacts } from '../../src/core/received.js'
import type { Received } from '../../src/core/received.js'
import { mutations } from './mutations.js'

/** Bytes in a fixture: UTF-8 text, or another form by name. */
export type Bytes = string | { readonly base64: string } | { readonly latin1: string } | { readonly gzip: string }

/** One request or answer and what must become of it, as a JSON file. */
export interface Fixture {
  /** What it shows, as a sentence. */
  readonly name: string
  /** Where the form comes from, and how sure that is. */
  readonly evidence: string
  readonly via: Via
  readonly facts?: Partial<RequestFacts>
  readonly body?: Bytes
  readonly settings?: Partial<DecodeSettings>
  /** Exactly, in order. An item without `body` has that of the request; `detail` is compared where it is given. */
  readonly items: readonly (Record<string, unknown> & { readonly body?: Bytes })[]
}

export const SETTINGS: DecodeSettings = {
  textFields: ['Content', 'Msg', 'Text', 'text', 'Message'],
  ignoreEvents: [],
}

export const bytesOf = (bytes: Bytes | undefined): Buffer => {
  if (bytes === undefined) return Buffer.alloc(0)
  if (typeof bytes === 'string') return Buffer.from(bytes)
  if ('base64' in bytes) return Buffer.from(bytes.base64, 'base64')
  if ('latin1' in bytes) return Buffer.from(bytes.latin1, 'latin1')
  return gzipSync(bytes.gzip)
}

export const receivedOf = (fixture: Fixture): Received => ({
  via: fixture.via,
  receivedAt: 1_795_000_000_000,
  facts: { method: 'POST', path: '/callbacks/some-source', query: '', ...fixture.facts },
  body: bytesOf(fixture.body),
})

/** Every `*.json` of a folder below test/fixtures. */
export const loadFixtures = (folder: string): Fixture[] => {
  const directory = join(import.meta.dirname, '../fixtures', folder)
  const files = readdirSync(directory).filter((file) => file.endsWith('.json'))
  return files.sort().map((file) => JSON.parse(readFileSync(join(directory, file), 'utf8')) as Fixture)
}

/** How many random inputs each property is tried with. */
const RUNS = Number(process.env['FUZZ_RUNS'] ?? 2000)
const TIME = { timeout: 60_000 + RUNS * 20 }

export const describeProvider = (name: string, provider: Provider, fixtures: readonly Fixture[]): void => {
  const settingsOf = (fixture: Fixture): DecodeSettings => ({ ...SETTINGS, ...fixture.settings })
  const check = (received: Received, settings = SETTINGS): Item[] => {
    const items = [...provider.decode(received, settings)]
    expectWellFormed(items, received)
    // Who calls has something to say: it becomes an event or a dead letter, unless it was to be ignored.
    if (received.via === 'CALLBACK' && settings.ignoreEvents.length === 0 && items.length === 0) {
      throw new Error(`nothing came of a callback: ${inspect(received)}`)
    }
    return items
  }

  describe(`${name} keeps the promise of a provider`, () => {
    it('goes by the name under which it is registered', () => expect(provider.name).toBe(name))

    describe('makes of each fixture exactly the items written beside it', () => {
      it.each(fixtures.map((fixture) => [fixture.name, fixture] as const))('%s', (_, fixture) => {
        const received = receivedOf(fixture)
        const items = check(received, settingsOf(fixture))
        expect(items.map(comparable)).toEqual(fixture.items.map((item) => expected(item, received.body)))
      })
    })

    it('gives the same items for the same bytes, and leaves the bytes as they are', () => {
      for (const fixture of fixtures) {
        const received = receivedOf(fixture)
        const before = Buffer.from(received.body)
        const first = [...provider.decode(received, settingsOf(fixture))]
        expect([...provider.decode(received, settingsOf(fixture))]).toStrictEqual(first)
        expect([...provider.decode(receivedOf(fixture), settingsOf(fixture))]).toStrictEqual(first)
        expect(before.equals(received.body)).toBe(true)
      }
    })

    it('loses no byte of a body that means nothing to it', () => {
      for (const via of ['PULL', 'CALLBACK', 'QUERY', 'OTHER'] as const) {
        for (const body of ['<html>502 Bad Gateway</html>', '\0\u00ff\0', 'nothing', '{"a":', '{"a":1} and more']) {
          const items = check(receivedOf({ name, evidence: '', via, body, facts: { path: '/x' }, items: [] }))
          expect(Buffer.concat(items.map((item) => item.body)).length, `${via} ${body}`).toBeGreaterThan(0)
          expect(items.every(({ kind }) => kind === 'dead-letter')).toBe(true)
        }
      }
    })

    const anyFacts = factsArbitrary(fixtures)
    const anyVia = fc.constantFrom<Via>('PULL', 'CALLBACK', 'QUERY', 'OTHER')
    const received = (body: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Received> =>
      fc.record({ via: anyVia, receivedAt: fc.constant(1_795_000_000_000), facts: anyFacts, body })
    const again = (each: Received, settings: DecodeSettings, items: Item[]): void => {
      if (!isDeepStrictEqual([...provider.decode(each, settings)], items))
        throw new Error('the same bytes, other items')
      provider.pull?.inspect(each)
      provider.reconcile?.inspect(each)
    }
    const holds = (body: fc.Arbitrary<Uint8Array>): void =>
      fc.assert(
        fc.property(received(body), (each) => {
          again(each, SETTINGS, check(each))
        }),
        { numRuns: RUNS },
      )

    it('takes any bytes', TIME, () => holds(fc.uint8Array({ maxLength: 300 })))

    it('takes any JSON', TIME, () => holds(fc.json().map((text) => Buffer.from(text))))

    it('takes every fixture with bytes changed, cut out, put in or doubled', TIME, () => {
      fc.assert(
        fc.property(fc.constantFrom(...fixtures), mutations, (fixture, mutate) => {
          const original = receivedOf(fixture)
          const query = Buffer.from(original.facts.query, 'latin1')
          const changed: Received =
            original.body.length > 0
              ? { ...original, body: mutate(original.body) }
              : { ...original, facts: { ...original.facts, query: Buffer.from(mutate(query)).toString('latin1') } }
          again(changed, settingsOf(fixture), check(changed, settingsOf(fixture)))
        }),
        { numRuns: RUNS },
      )
    })
  })
}

/** What holds of every item of every provider, whatever was received. Plain code: it runs a million times. */
const expectWellFormed = (items: readonly Item[], received: Received): void => {
  for (const item of items) {
    const wrong = partOf(item.body, received) ?? wrongIn(item)
    if (wrong !== undefined) throw new Error(`${wrong}: ${inspect(item)}`)
  }
}

const partOf = (body: Uint8Array, { facts, body: whole }: Received): string | undefined => {
  if (!(body instanceof Uint8Array)) return 'a body is bytes'
  if (facts['content-encoding'] !== undefined) return undefined
  const start = body.byteOffset - whole.byteOffset
  return body.buffer === whole.buffer && start >= 0 && start + body.length <= whole.length
    ? undefined
    : 'a body is a part of the bytes received'
}

const isText = (value: unknown): boolean => typeof value === 'string'
const isTextOrNull = (value: unknown): boolean => value === null || isText(value)

const wrongIn = (item: Item): string | undefined => {
  if (item.kind === 'dead-letter') {
    if (!/^[a-z]+(-[a-z]+)*$/.test(item.reason)) return 'a reason is a code in kebab case'
    if (item.reason === 'decoder-failed') return 'the decoder failed'
    return item.detail === '' ? 'a dead letter says what was found' : undefined
  }
  const { raw, identity, occurredAt, messageId, recipient, sender } = item
  if (occurredAt !== null && !Number.isInteger(occurredAt)) return 'a time is whole milliseconds'
  if (![messageId, recipient, sender].every(isTextOrNull)) return 'a field is a string or null'
  if (!Object.values(raw).every(isText)) return 'raw holds strings'
  if (identity !== null && !identity.every(isText)) return 'an identity is made of strings'
  if (item.kind === 'dlr') {
    if (!messageId) return 'a receipt is about a message'
    if (!DELIVERY_STATUSES.includes(item.status)) return 'a status is one of ours'
    return Object.values(raw).includes(item.providerStatus) ? undefined : 'the status is in raw as sent'
  }
  if (!sender) return 'a message has a sender'
  return Object.values(raw).includes(item.text) ? undefined : 'the text is in raw as sent'
}

const comparable = (item: Item): Record<string, unknown> => ({
  ...item,
  body: Buffer.from(item.body).toString('latin1'),
})

const expected = (item: Fixture['items'][number], whole: Uint8Array): Record<string, unknown> => ({
  ...item,
  ...(item['kind'] === 'dead-letter' && item['detail'] === undefined ? { detail: expect.any(String) as unknown } : {}),
  body: (item.body === undefined ? Buffer.from(whole) : bytesOf(item.body)).toString('latin1'),
})

/** Facts as the fixtures have them, and some that no fixture has. */
const factsArbitrary = (fixtures: readonly Fixture[]): fc.Arbitrary<RequestFacts> => {
  const some = <T>(key: keyof RequestFacts, others: T[]): fc.Arbitrary<T> =>
    fc.constantFrom(...others, ...(fixtures.flatMap(({ facts }) => facts?.[key] ?? []) as T[]))
  return fc
    .record({
      method: fc.constantFrom('GET', 'POST'),
      path: some('path', ['/callbacks/a', '/']),
      query: fc.oneof(some('query', ['']), fc.string()),
      'content-type': fc.option(some('content-type', ['text/plain', 'x; charset=utf-16le', 'x; charset=koi8-r']), {
        nil: undefined,
      }),
      'content-encoding': fc.option(fc.constantFrom('gzip', 'deflate', 'br', 'zstd', 'gzip, br', ''), {
        nil: undefined,
        freq: 10,
      }),
      status: fc.option(fc.constantFrom('200', '204', '302', '401', '500'), { nil: undefined }),
    })
    .map((facts) => Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined)) as never)
}
