/**
 * The contract suite of the provider port. `describeProvider(name, provider, fixtures)` runs it for one provider.
 * docs/add-a-provider.md says how to write fixtures.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect, isDeepStrictEqual } from 'node:util'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DELIVERY_STATUSES, type Part, type Via } from '../../src/core/event.js'
import type { DecodeSettings, Item, Provider } from '../../src/providers/provider.js'
import type { RequestFacts } from '../../src/core/received.js'
import type { Received } from '../../src/core/received.js'
import { mutations } from './mutations.js'

/** Bytes in a fixture: UTF-8 text, or another form by name. */
export type Bytes = string | { readonly base64: string } | { readonly latin1: string } | { readonly gzip: string }

/** A JSON file with one request or answer, and the items that the decoder must return for it. */
export interface Fixture {
  /** What the fixture shows. It completes the test title "turns … into exactly its items". */
  readonly name: string
  /** The source of the form, and whether that attests it. */
  readonly evidence: string
  readonly via: Via
  readonly facts?: Partial<RequestFacts>
  readonly body?: Bytes
  readonly settings?: Partial<DecodeSettings>
  /**
   * All items, in order. An item without `body` has the body of the request. `detail` is compared only if it is given.
   */
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

export const receivedOf = (fixture: Omit<Fixture, 'items'>): Received => ({
  via: fixture.via,
  receivedAt: 1_795_000_000_000,
  facts: { method: 'POST', path: '/callbacks/some-source', query: '', ...fixture.facts },
  body: bytesOf(fixture.body),
})

/** Loads every JSON file of a folder in test/fixtures. */
export const loadFixtures = (folder: string): Fixture[] => {
  const directory = join(import.meta.dirname, '../fixtures', folder)
  const files = readdirSync(directory).filter((file) => file.endsWith('.json'))
  return files.sort().map((file) => JSON.parse(readFileSync(join(directory, file), 'utf8')) as Fixture)
}

/** The number of random inputs for each property. */
const RUNS = Number(process.env['FUZZ_RUNS'] ?? 2000)
const TIMEOUT = { timeout: 60_000 + RUNS * 20 }

/** @param fixtures without `items`, the items are not compared, because another test does that */
export const describeProvider = (
  name: string,
  provider: Provider,
  fixtures: readonly (Omit<Fixture, 'items'> & Partial<Fixture>)[],
): void => {
  const settingsOf = (fixture: Pick<Fixture, 'settings'>): DecodeSettings => ({ ...SETTINGS, ...fixture.settings })
  const check = (received: Received, settings = SETTINGS): Item[] => {
    const items = [...provider.decode(received, settings)]
    expectWellFormed(items, received)
    // Every callback becomes an event or a dead letter, unless its event type is ignored on purpose.
    if (received.via === 'CALLBACK' && settings.ignoreEvents.length === 0 && items.length === 0) {
      throw new Error(`the decoder returned no item for a callback: ${inspect(received)}`)
    }
    return items
  }

  describe(`The provider ${name}`, () => {
    it('has the name under which it is registered', () => expect(provider.name).toBe(name))

    const compared = fixtures.flatMap(({ items, ...fixture }) => (items === undefined ? [] : [{ ...fixture, items }]))
    describe.runIf(compared.length > 0)('decodes each fixture', () => {
      it.each(compared.map((fixture) => [fixture.name, fixture] as const))(
        'turns %s into exactly its items',
        (_, fixture) => {
          const received = receivedOf(fixture)
          const items = check(received, settingsOf(fixture))
          expect(items.map(comparable)).toEqual(fixture.items.map((item) => expected(item, received.body)))
        },
      )
    })

    it('returns the same items for the same bytes, and does not change the bytes', () => {
      for (const fixture of fixtures) {
        const received = receivedOf(fixture)
        const before = Buffer.from(received.body)
        const first = [...provider.decode(received, settingsOf(fixture))]
        expect([...provider.decode(received, settingsOf(fixture))]).toStrictEqual(first)
        expect([...provider.decode(receivedOf(fixture), settingsOf(fixture))]).toStrictEqual(first)
        expect(before.equals(received.body)).toBe(true)
      }
    })

    it('turns a body that it can not read into dead letters', () => {
      for (const via of ['PULL', 'CALLBACK', 'QUERY', 'OTHER'] as const) {
        for (const body of ['<html>502 Bad Gateway</html>', '\0\u00ff\0', 'nothing', '{"a":', '{"a":1} and more']) {
          const items = check(receivedOf({ name, evidence: '', via, body, facts: { path: '/x' } }))
          expect(Buffer.concat(items.map((item) => item.body)).length, `${via} ${body}`).toBeGreaterThan(0)
          expect(items.every(({ kind }) => kind === 'dead-letter')).toBe(true)
        }
      }
    })

    const anyFacts = factsArbitrary(fixtures)
    const anyVia = fc.constantFrom<Via>('PULL', 'CALLBACK', 'QUERY', 'OTHER')
    const received = (body: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Received> =>
      fc.record({ via: anyVia, receivedAt: fc.constant(1_795_000_000_000), facts: anyFacts, body })
    const expectRepeatable = (each: Received, settings: DecodeSettings, items: Item[]): void => {
      if (!isDeepStrictEqual([...provider.decode(each, settings)], items))
        throw new Error('the decoder returned other items for the same bytes')
      provider.pull?.inspect(each)
      provider.reconcile?.inspect(each)
    }
    const expectContract = (body: fc.Arbitrary<Uint8Array>): void =>
      fc.assert(
        fc.property(received(body), (each) => {
          expectRepeatable(each, SETTINGS, check(each))
        }),
        { numRuns: RUNS },
      )

    it('returns well-formed items for any bytes, and the same ones again', TIMEOUT, () =>
      expectContract(fc.uint8Array({ maxLength: 300 })),
    )

    it('returns well-formed items for any JSON, and the same ones again', TIMEOUT, () =>
      expectContract(fc.json().map((text) => Buffer.from(text))),
    )

    it('returns well-formed items for a fixture with bytes changed, removed, inserted or doubled', TIMEOUT, () => {
      fc.assert(
        fc.property(fc.constantFrom(...fixtures), mutations, (fixture, mutate) => {
          const original = receivedOf(fixture)
          const query = Buffer.from(original.facts.query, 'latin1')
          const changed: Received =
            original.body.length > 0
              ? { ...original, body: mutate(original.body) }
              : { ...original, facts: { ...original.facts, query: Buffer.from(mutate(query)).toString('latin1') } }
          expectRepeatable(changed, settingsOf(fixture), check(changed, settingsOf(fixture)))
        }),
        { numRuns: RUNS },
      )
    })
  })
}

/** Checks what holds for every item of every provider. It does not use `expect`, because it runs a million times. */
const expectWellFormed = (items: readonly Item[], received: Received): void => {
  for (const item of items) {
    const defect = findBodyDefect(item.body, received) ?? findDefect(item)
    if (defect !== undefined) throw new Error(`${defect}: ${inspect(item)}`)
  }
}

const findBodyDefect = (body: Uint8Array, { facts, body: whole }: Received): string | undefined => {
  if (!(body instanceof Uint8Array)) return 'the body is not bytes'
  if (facts['content-encoding'] !== undefined) return undefined
  const start = body.byteOffset - whole.byteOffset
  return body.buffer === whole.buffer && start >= 0 && start + body.length <= whole.length
    ? undefined
    : 'the body is not a part of the bytes received'
}

const isText = (value: unknown): boolean => typeof value === 'string'
const isTextOrNull = (value: unknown): boolean => value === null || isText(value)

const isCount = (value: number): boolean => Number.isInteger(value) && value >= 1 && value < 2 ** 31
const isPart = ({ reference, number, total }: Part): boolean =>
  isText(reference) && isCount(number) && isCount(total) && number <= total

const findDefect = (item: Item): string | undefined => {
  if (item.kind === 'dead-letter') {
    if (!/^[a-z]+(-[a-z]+)*$/.test(item.reason)) return 'the reason is not a code in kebab case'
    if (item.reason === 'decoder-failed') return 'the decoder failed'
    return item.detail === '' ? 'the detail is empty' : undefined
  }
  const { raw, identity, occurredAt, messageId, recipient, sender } = item
  if (occurredAt !== null && !Number.isInteger(occurredAt)) return 'the time is not whole milliseconds'
  if (![messageId, recipient, sender].every(isTextOrNull)) return 'a field is neither a string nor null'
  if (!Object.values(raw).every(isText)) return 'a value of raw is not a string'
  if (identity !== null && !identity.every(isText)) return 'a part of the identity is not a string'
  if (![item.clientReference, item.network].every(isTextOrNull)) return 'an addition is neither a string nor null'
  if (item.part !== null && !isPart(item.part)) return 'the part has no place in its text'
  if (item.kind === 'dlr') {
    if (item.segments !== null && !isCount(item.segments)) return 'the number of segments is not a count'
    if (item.price !== null && !/^-?\d+(\.\d+)?$/.test(item.price.amount)) return 'the price is not a decimal number'
    if (!messageId) return 'the receipt has no message id'
    if (!DELIVERY_STATUSES.includes(item.status)) return 'the status is not one of `DELIVERY_STATUSES`'
    return Object.values(raw).includes(item.providerStatus) ? undefined : 'raw does not have the status as sent'
  }
  if (!sender) return 'the message has no sender'
  return Object.values(raw).includes(item.text) ? undefined : 'raw does not have the text as sent'
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

/** Facts of the fixtures, and others that no fixture has. */
const factsArbitrary = (fixtures: readonly Pick<Fixture, 'facts'>[]): fc.Arbitrary<RequestFacts> => {
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
