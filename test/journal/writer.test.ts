/** What lmdb-js says of a write is not taken for what happened to it. */
import { beforeEach, describe, expect, it } from 'vitest'
import type { Capacity } from '../../src/journal/capacity.js'
import { Writer } from '../../src/journal/writer.js'

type Root = ConstructorParameters<typeof Writer>[0]

let trouble: string[]
let attempts: number
let alive: boolean
let room: boolean
let writer: Writer

beforeEach(() => {
  trouble = []
  attempts = 0
  alive = true
  room = true
  const root = {
    resetReadTxn: () => undefined,
    useReadTransaction: () => {
      if (!alive) throw new Error('MDB_PANIC')
      return { done: () => undefined }
    },
  }
  let emergency = false
  const capacity = { enterEmergency: () => !emergency && (emergency = true), fitsOnDisk: () => room }
  writer = new Writer(root as unknown as Root, capacity as unknown as Capacity, (message) => trouble.push(message))
})

const says = (...answers: (Error | true)[]) => {
  return async (): Promise<unknown> => {
    attempts++
    const answer = answers.shift()
    if (answer instanceof Error) throw answer
    return answer
  }
}
const failed = new Error('Input/output error')

describe('a write', () => {
  it('that is said to be done, and is there, is done', async () => {
    await writer.write(says(true), { isWritten: () => true })
    expect(attempts).toBe(1)
    expect(trouble).toEqual([])
  })

  it('that is said to be done, and is not there, has failed', async () => {
    const write = writer.write(says(true), { retry: false, isWritten: () => false })
    await expect(write).rejects.toMatchObject({ code: 'JOURNAL_WRITE_FAILED' })
    expect(trouble).toEqual(['a journal write failed'])
  })

  it('that is said to have failed, and is there, is done', async () => {
    await writer.write(says(failed), { isWritten: () => true })
    expect(attempts).toBe(1)
  })

  it('that failed is tried once more, unless it may not be', async () => {
    await writer.write(says(failed, true))
    expect(attempts).toBe(2)
    await expect(writer.write(says(failed), { retry: false })).rejects.toMatchObject({ code: 'JOURNAL_WRITE_FAILED' })
    attempts = 0
    await expect(writer.write(says(failed, failed, true))).rejects.toThrow('Input/output error')
    expect(attempts).toBe(2)
    expect(trouble).toEqual(['a journal write failed'])
  })

  it('whose failure comes with a promise of its own waits for that, and leaves nothing unhandled', async () => {
    const cause = new Error('No space left on device')
    const commitError = new Promise((_resolve, reject) => setImmediate(() => reject(cause)))
    const both = Object.assign(new Error('Commit failed'), { commitError })
    await expect(writer.write(says(both), { retry: false })).rejects.toThrow('No space left on device')
  })

  it('is not begun when the disk has no room for it', async () => {
    room = false
    await expect(writer.write(says(true), { retry: false })).rejects.toThrow(/no space/)
    expect(attempts).toBe(0)
  })
})

describe('a dead environment', () => {
  it('ends the write that found it, those under way, and those to come', async () => {
    const never = writer.write(() => new Promise(() => undefined))
    alive = false
    const found = writer.write(says(failed))
    await expect(found).rejects.toMatchObject({ code: 'JOURNAL_UNUSABLE' })
    await expect(never).rejects.toMatchObject({ code: 'JOURNAL_UNUSABLE' })
    await expect(writer.write(says(true))).rejects.toMatchObject({ code: 'JOURNAL_UNUSABLE' })
    expect(attempts).toBe(1)
    expect(writer.fatalError?.message).toMatch(/Input\/output error; check the disk, then restart/)
  })
})
