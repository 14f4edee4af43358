/**
 * Any sequence of what can happen to a journal, against a model that is plain lists: appends, positions read, commits,
 * releases, clean ends, crashes, clocks that jump, and old copies put back.
 */
import { cpSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { LmdbJournal } from '../../src/journal/lmdb-journal.js'
import { entryOf } from './journal-contract.js'
import { Journals } from './support/journals.js'

vi.setConfig({ testTimeout: 300_000 })

const HOUR = 3_600_000
const NEVER_EXPIRES = Number.MAX_SAFE_INTEGER
const ALL = { entries: 1000, bytes: 1e9 }
const journals = new Journals()
afterEach(() => journals.dispose())

/** What a journal holds. `custody`: names in order of arrival; `committed`: those of them that the broker has. */
interface Lineage {
  custody: string[]
  nonces: Set<string>
  remembered: Set<string>
}

type Step =
  | { do: 'append'; entries: { via: 'PULL' | 'CALLBACK'; nonce: number | undefined }[] }
  | { do: 'publish'; entries: number }
  | { do: 'recover' | 'release' | 'close' | 'crash' | 'copy' | 'restore' }
  | { do: 'jump'; hours: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      entries: fc.array(
        fc.record({
          via: fc.constantFrom('PULL' as const, 'CALLBACK' as const),
          nonce: fc.option(fc.nat(4), { nil: undefined }),
        }),
        { minLength: 1, maxLength: 5 },
      ),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('publish' as const), entries: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('recover' as const, 'release' as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom('close' as const, 'crash' as const, 'copy' as const, 'restore' as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('jump' as const), hours: fc.integer({ min: -30, max: 30 }) }),
  },
)

class World {
  journal!: LmdbJournal
  directory = journals.directory()
  lineage: Lineage = { custody: [], nonces: new Set(), remembered: new Set() }
  copied: { directory: string; lineage: Lineage } | undefined
  /** What the broker has. */
  readonly committed = new Set<string>()
  position = -1
  /** Up to where this run knows of commits; undefined before `recover`. */
  after: number | undefined
  #names = 0

  async open(): Promise<void> {
    this.after = undefined
    this.journal = await journals.open(this.directory)
  }

  async take(step: Step): Promise<void> {
    switch (step.do) {
      case 'append':
        return this.append(step.entries)
      case 'recover':
        return this.recover()
      case 'publish':
        return this.publish(step.entries)
      case 'release':
        return this.release()
      case 'jump':
        return journals.clock.jumpTo(journals.clock.now() + step.hours * HOUR)
      case 'close':
        await journals.close(this.journal)
        return this.open()
      case 'crash':
        this.directory = this.copyFiles()
        await journals.close(this.journal)
        return this.open()
      case 'copy':
        // Of one whose position was read. What an unread one holds can't be told from what it got under the same numbers.
        if (this.after === undefined) return
        this.copied = { directory: this.copyFiles(), lineage: structuredClone(this.lineage) }
        return
      case 'restore':
        if (this.copied === undefined) return
        await journals.close(this.journal)
        ;({ directory: this.directory, lineage: this.lineage } = this.copied)
        this.copied = undefined
        return this.open()
    }
  }

  async append(entries: readonly { via: 'PULL' | 'CALLBACK'; nonce: number | undefined }[]): Promise<void> {
    const last = Math.max(this.journal.releasedUpTo, this.journal.read(-1, ALL).at(-1)?.seq ?? -1)
    const taken: string[] = []
    const writes = entries.map(async ({ via, nonce: key }) => {
      const name = String(this.#names++)
      const nonce = key === undefined ? undefined : { key: String(key), expiresAt: NEVER_EXPIRES }
      const mayPass = nonce === undefined || !this.lineage.nonces.has(nonce.key)
      if (nonce) this.lineage.nonces.add(nonce.key)
      if (mayPass) taken.push(name)
      const outcome = await this.journal.append(entryOf(name, { via }), nonce).catch((error: { code: string }) => error)
      if (mayPass) expect(outcome).toBeGreaterThan(last)
      else expect(outcome).toMatchObject({ code: 'NONCE_SEEN' })
    })
    await Promise.all(writes)
    this.lineage.custody.push(...taken)
  }

  async recover(): Promise<void> {
    this.after = await this.journal.recover(this.position)
    const entries = this.journal.read(-1, ALL)
    for (const { seq, body } of entries) {
      expect(seq <= this.after, `${Buffer.from(body).toString()} at ${seq}`).toBe(
        this.committed.has(Buffer.from(body).toString()),
      )
    }
  }

  publish(count: number): void {
    if (this.after === undefined) return
    for (const { seq, body } of this.journal.read(this.after, { entries: count, bytes: 1e9 })) {
      const name = Buffer.from(body).toString()
      expect(this.committed.has(name), `${name} was published before`).toBe(false)
      this.committed.add(name)
      this.after = this.position = seq
    }
  }

  async release(): Promise<void> {
    const { after } = this
    if (after === undefined) return
    const gone = this.journal.read(-1, ALL).filter(({ seq }) => seq <= after)
    const last = gone.at(-1)
    if (!last) return
    const seen = gone.map(({ seq, body }) => ({
      eventId: Buffer.from(body).toString(),
      seq,
      place: 0,
      receivedAt: NEVER_EXPIRES,
    }))
    await this.journal.release(last.seq, { occurrences: seen, watchChanges: [] })
    for (const { eventId } of seen) this.lineage.remembered.add(eventId)
    this.lineage.custody.splice(0, gone.length)
    expect(this.journal.releasedUpTo).toBe(last.seq)
  }

  check(): void {
    const entries = this.journal.read(-1, ALL)
    expect(entries.map(({ body }) => Buffer.from(body).toString())).toEqual(this.lineage.custody)
    const numbers = entries.map(({ seq }) => seq)
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b))
    if (numbers.length > 0) expect(numbers[0]).toBeGreaterThan(this.journal.releasedUpTo)
    expect(this.journal.stats().entries).toBe(numbers.length)
    for (let name = 0; name < this.#names; name++) {
      const arrival = this.journal.findFirstSeen(String(name))
      expect(arrival !== undefined).toBe(this.lineage.remembered.has(String(name)))
    }
  }

  copyFiles(): string {
    const to = journals.directory()
    mkdirSync(join(to, 'lmdb'))
    cpSync(join(this.directory, 'lmdb', 'data.mdb'), join(to, 'lmdb', 'data.mdb'))
    return to
  }
}

describe('a journal', () => {
  it('does what its model does, and at the end everything that it holds is committed once', async () => {
    await fc.assert(
      fc
        .asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
          const world = new World()
          await world.open()
          for (const step of steps) {
            await world.take(step)
            world.check()
          }
          await world.recover()
          world.publish(1000)
          await world.release()
          world.check()
          expect(world.lineage.custody).toEqual([])
          expect([...world.lineage.remembered].filter((name) => !world.committed.has(name))).toEqual([])
        })
        .afterEach(() => journals.dispose()),
      { numRuns: Number(process.env['MODEL_RUNS'] ?? 40) },
    )
  })
})
