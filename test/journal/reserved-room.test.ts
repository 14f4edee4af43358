/** The two decisions on room for an answer: before it is requested, and when it is written. */
import { existsSync } from 'node:fs'
import fc from 'fast-check'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { Capacity } from '../../src/journal/capacity.js'
import type { NewEntry } from '../../src/journal/journal.js'
import { ManualClock } from '../support/manual-clock.js'
import { entryOf } from './journal-contract.js'
import { MIB } from './support/journals.js'

const disk = vi.hoisted(() => ({ free: 0, total: 0 }))
vi.mock('../../src/journal/disk-reserve.js', async (importOriginal) => ({
  ...(await importOriginal<object>()),
  diskSpace: () => ({ ...disk }),
}))

const GIB = 1024 * MIB

beforeEach(() => {
  // On a disk of less than four times the answer, a part of the answer must do. This one is larger.
  disk.total = 1024 * GIB
})

const capacityWith = (unusedBytes: number): Capacity =>
  new Capacity(
    { directory: '.', maxBytes: 1024 * GIB, reserveBytes: 0, clock: new ManualClock() },
    { entries: () => 0, unused: () => unusedBytes },
  )

/** An answer of a queue. Only its size counts, so that no memory is taken. */
const answerOf = (byteLength: number): NewEntry => ({
  ...entryOf('', { via: 'PULL' }),
  body: { byteLength } as Buffer,
})

/** Requests an answer for each account that has room, and returns whether all of them can be written at the same time. */
function canWriteWhatWasRequested(capacity: Capacity, largestAnswers: readonly number[]): boolean {
  const requested = largestAnswers.filter((bytes) => {
    if (!capacity.hasRoomFor(bytes)) return false
    capacity.reserveRoom(bytes)
    return true
  })
  for (const bytes of requested) capacity.admit(answerOf(bytes))
  return requested.length === 0 || capacity.fitsOnDisk(0)
}

it('Capacity makes no file where nothing is to be reserved', () => {
  capacityWith(0)
  expect(existsSync('reserve.bin')).toBe(false)
})

describe('The answers of several accounts', () => {
  it('fit on the disk when they arrive together, if there was room for each when it was requested', () => {
    const bytes = (max: number) => fc.integer({ min: 0, max: max / MIB }).map((mib) => mib * MIB)
    fc.assert(
      fc.property(
        bytes(2 * GIB),
        bytes(4 * GIB),
        fc.array(bytes(64 * MIB), { minLength: 2, maxLength: 20 }),
        (free, unused, largestAnswers) => {
          disk.free = free
          expect(canWriteWhatWasRequested(capacityWith(unused), largestAnswers)).toBe(true)
        },
      ),
      { numRuns: 2_000 },
    )
  })

  it('find room in unused pages of the data file on a full disk, one after the other if need be', () => {
    disk.free = 0
    const capacity = capacityWith(500 * MIB)
    expect(capacity.hasRoomFor(64 * MIB)).toBe(true)
    const endReservation = capacity.reserveRoom(64 * MIB)
    expect(capacity.hasRoomFor(64 * MIB)).toBe(false)
    endReservation()
    expect(capacity.hasRoomFor(64 * MIB)).toBe(true)
  })
})
