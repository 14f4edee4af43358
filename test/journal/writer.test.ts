/** The writer checks each report of lmdb-js about a write against what was committed. */
import { beforeEach, describe, expect, it } from 'vitest'
import type { Capacity } from '../../src/journal/capacity.js'
import { Writer } from '../../src/journal/writer.js'
import { RecordingLog } from '../support/recording-observers.js'

type Root = ConstructorParameters<typeof Writer>[0]

let log: RecordingLog
let attempts: number
let isAlive: boolean
let hasRoom: boolean
let writer: Writer

beforeEach(() => {
  log = new RecordingLog()
  attempts = 0
  isAlive = true
  hasRoom = true
  const root = {
    resetReadTxn: () => undefined,
    useReadTransaction: () => {
      if (!isAlive) throw new Error('MDB_PANIC')
      return { done: () => undefined }
    },
  }
  let isReserveFreed = false
  const capacity = {
    freeReserve: () => {
      const isNew = !isReserveFreed
      isReserveFreed = true
      return isNew
    },
    fitsOnDisk: () => hasRoom,
  }
  writer = new Writer(root as unknown as Root, capacity as unknown as Capacity, log)
})

/** A write whose attempts are reported as done or as failed, in this order. */
const writeReporting =
  (...reports: ('done' | Error)[]) =>
  async (): Promise<unknown> => {
    attempts++
    const report = reports.shift()
    if (report instanceof Error) throw report
    return report
  }
const failed = new Error('Input/output error')

describe('Writer', () => {
  it('resolves a write that is reported as done and can be read back', async () => {
    await writer.write(writeReporting('done'), { isWritten: () => true })
    expect(attempts).toBe(1)
    expect(log.messages).toEqual([])
  })

  it('rejects a write that is reported as done and cannot be read back', async () => {
    const write = writer.write(writeReporting('done'), { retry: false, isWritten: () => false })
    await expect(write).rejects.toMatchObject({ code: 'JOURNAL_WRITE_FAILED' })
    expect(log.messages).toEqual([expect.stringMatching(/^a write of the journal failed/)])
  })

  it('resolves a write that is reported as failed and can be read back', async () => {
    await writer.write(writeReporting(failed), { isWritten: () => true })
    expect(attempts).toBe(1)
  })

  it('repeats a failed write once, unless the caller excludes that', async () => {
    await writer.write(writeReporting(failed, 'done'))
    expect(attempts).toBe(2)
    await expect(writer.write(writeReporting(failed), { retry: false })).rejects.toMatchObject({
      code: 'JOURNAL_WRITE_FAILED',
    })
    attempts = 0
    await expect(writer.write(writeReporting(failed, failed, 'done'))).rejects.toThrow('Input/output error')
    expect(attempts).toBe(2)
    expect(log.messages).toEqual([expect.stringMatching(/^a write of the journal failed/)])
  })

  it('waits for the second promise of a failed commit, so that its rejection is handled', async () => {
    const cause = new Error('No space left on device')
    const commitError = new Promise((_resolve, reject) => setImmediate(() => reject(cause)))
    const both = Object.assign(new Error('Commit failed'), { commitError })
    await expect(writer.write(writeReporting(both), { retry: false })).rejects.toThrow('No space left on device')
  })

  it('does not begin a write that has no room on the disk', async () => {
    hasRoom = false
    await expect(writer.write(writeReporting('done'), { retry: false })).rejects.toThrow(/no space/)
    expect(attempts).toBe(0)
  })
})

describe('Writer with an environment that has failed for good', () => {
  it('rejects the write that finds it, the pending writes and every later write', async () => {
    const never = writer.write(() => new Promise(() => undefined))
    isAlive = false
    const found = writer.write(writeReporting(failed))
    await expect(found).rejects.toMatchObject({ code: 'JOURNAL_UNUSABLE' })
    await expect(never).rejects.toMatchObject({ code: 'JOURNAL_UNUSABLE' })
    await expect(writer.write(writeReporting('done'))).rejects.toMatchObject({ code: 'JOURNAL_UNUSABLE' })
    expect(attempts).toBe(1)
    expect(writer.fatalError?.message).toMatch(/Input\/output error; check the disk, then restart/)
  })
})
