/**
 * Random sequences of events, checked against a model of plain lists: appends, batches that are handed in, recoveries, commits, releases, restarts,
 * crashes, jumps of the clock, and old copies that are restored.
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

/** What a journal holds according to the model. */
interface JournalModel {
  /** The names of the entries in order of arrival. */
  custody: string[]
  /** The nonces that were used. */
  nonces: Set<string>
  /** The names of the entries whose event ids are remembered. */
  remembered: Set<string>
}

type Step =
  | { do: 'append'; entries: { via: 'PULL' | 'CALLBACK'; nonce: number | undefined }[] }
  | { do: 'publish' | 'hand-in'; entries: number }
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
  { weight: 2, arbitrary: fc.record({ do: fc.constant('hand-in' as const), entries: fc.integer({ min: 1, max: 6 }) }) },
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

/** A journal, its model, and the broker. */
class ModelledJournal {
  journal!: LmdbJournal
  directory = journals.directory()
  model: JournalModel = { custody: [], nonces: new Set(), remembered: new Set() }
  copied: { directory: string; model: JournalModel } | undefined
  /** The names of the entries that the broker has committed. */
  readonly committed = new Set<string>()
  position = -1
  /** The sequence number up to which this run knows that entries are committed; undefined before `recover`. */
  committedUpTo: number | undefined
  #names = 0

  async open(): Promise<void> {
    this.committedUpTo = undefined
    this.journal = await journals.open(this.directory)
  }

  async perform(step: Step): Promise<void> {
    switch (step.do) {
      case 'append':
        return this.append(step.entries)
      case 'hand-in':
        return this.handIn(step.entries)
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
        // Only a journal that has read the position is copied. Entries under unverified numbers could not be distinguished
        // from those that the broker knows by the same numbers.
        if (this.committedUpTo === undefined) return
        this.copied = { directory: this.copyFiles(), model: structuredClone(this.model) }
        return
      case 'restore':
        if (this.copied === undefined) return
        await journals.close(this.journal)
        this.directory = this.copied.directory
        this.model = this.copied.model
        this.copied = undefined
        return this.open()
    }
  }

  async append(entries: readonly { via: 'PULL' | 'CALLBACK'; nonce: number | undefined }[]): Promise<void> {
    const last = Math.max(this.journal.releasedUpTo, this.journal.read(-1, ALL).at(-1)?.seq ?? -1)
    const admitted: string[] = []
    const writes = entries.map(async ({ via, nonce: key }) => {
      const name = String(this.#names)
      this.#names++
      const nonce = key === undefined ? undefined : { key: String(key), expiresAt: NEVER_EXPIRES }
      const isAdmitted = nonce === undefined || !this.model.nonces.has(nonce.key)
      if (nonce) this.model.nonces.add(nonce.key)
      if (isAdmitted) admitted.push(name)
      const outcome = await this.journal.append(entryOf(name, { via }), nonce).catch((error: { code: string }) => error)
      if (isAdmitted) expect(outcome).toBeGreaterThan(last)
      else expect(outcome).toMatchObject({ code: 'NONCE_SEEN' })
    })
    await Promise.all(writes)
    this.model.custody.push(...admitted)
  }

  /** Hands a batch in between two entries that arrive at the same time. */
  async handIn(count: number): Promise<void> {
    const [before, ...batch] = Array.from({ length: count + 1 }, (_, index) => String(this.#names + index))
    const after = String(this.#names + count + 1)
    this.#names += count + 2
    const origin = (seq: number) => ({ kind: 'import', journalId: 'another', seq }) as const
    await Promise.all([
      this.journal.append(entryOf(before)),
      this.journal.appendAll(batch.map((name) => ({ ...entryOf(name), origin: origin(Number(name)) }))),
      this.journal.append(entryOf(after)),
    ])
    this.model.custody.push(before!, ...batch, after)
  }

  async recover(): Promise<void> {
    this.committedUpTo = await this.journal.recover(this.position)
    const entries = this.journal.read(-1, ALL)
    for (const { seq, body } of entries) {
      expect(seq <= this.committedUpTo, `${Buffer.from(body).toString()} at ${seq}`).toBe(
        this.committed.has(Buffer.from(body).toString()),
      )
    }
  }

  publish(count: number): void {
    if (this.committedUpTo === undefined) return
    for (const { seq, body } of this.journal.read(this.committedUpTo, { entries: count, bytes: 1e9 })) {
      const name = Buffer.from(body).toString()
      expect(this.committed.has(name), `${name} was published before`).toBe(false)
      this.committed.add(name)
      this.position = seq
      this.committedUpTo = seq
    }
  }

  async release(): Promise<void> {
    const { committedUpTo } = this
    if (committedUpTo === undefined) return
    const released = this.journal.read(-1, ALL).filter(({ seq }) => seq <= committedUpTo)
    const last = released.at(-1)
    if (!last) return
    const occurrences = released.map(({ seq, body }) => ({
      eventId: Buffer.from(body).toString(),
      seq,
      itemIndex: 0,
      receivedAt: NEVER_EXPIRES,
    }))
    await this.journal.release(last.seq, { occurrences, watchChanges: [] })
    for (const { eventId } of occurrences) this.model.remembered.add(eventId)
    this.model.custody.splice(0, released.length)
    expect(this.journal.releasedUpTo).toBe(last.seq)
  }

  check(): void {
    const entries = this.journal.read(-1, ALL)
    expect(entries.map(({ body }) => Buffer.from(body).toString())).toEqual(this.model.custody)
    const numbers = entries.map(({ seq }) => seq)
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b))
    if (numbers.length > 0) expect(numbers[0]).toBeGreaterThan(this.journal.releasedUpTo)
    expect(this.journal.stats().entries).toBe(numbers.length)
    for (let name = 0; name < this.#names; name++) {
      const isRemembered = this.journal.findFirstSeen(String(name)) !== undefined
      expect(isRemembered).toBe(this.model.remembered.has(String(name)))
    }
  }

  copyFiles(): string {
    const copy = journals.directory()
    mkdirSync(join(copy, 'lmdb'))
    cpSync(join(this.directory, 'lmdb', 'data.mdb'), join(copy, 'lmdb', 'data.mdb'))
    return copy
  }
}

describe('LmdbJournal', () => {
  it('behaves as its model does over random events, and every entry that it holds is committed once', async () => {
    await fc.assert(
      fc
        .asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
          const modelled = new ModelledJournal()
          await modelled.open()
          for (const step of steps) {
            await modelled.perform(step)
            modelled.check()
          }
          await modelled.recover()
          modelled.publish(1000)
          await modelled.release()
          modelled.check()
          expect(modelled.model.custody).toEqual([])
          expect([...modelled.model.remembered].filter((name) => !modelled.committed.has(name))).toEqual([])
        })
        .afterEach(() => journals.dispose()),
      { numRuns: Number(process.env['MODEL_RUNS'] ?? 40) },
    )
  })
})
