import { describe, expect, it } from 'vitest'
import type { TelemetryObserver } from '../../src/core/observers.js'
import { ExportQueue } from '../../src/telemetry/export-queue.js'
import type { Rejection } from '../../src/telemetry/otlp-exporter.js'
import { ManualClock } from '../support/manual-clock.js'
import { turnUntil } from '../support/event-loop.js'

const DELAY_MS = 1_000

class RecordingObserver implements TelemetryObserver {
  readonly reports: string[] = []
  dropped(signal: string, reason: string, items: number): void {
    this.reports.push(`${items} ${signal} dropped: ${reason}`)
  }
  exportFailed(signal: string, error: unknown): void {
    this.reports.push(`${signal} failed: ${(error as Error).message}`)
  }
  exported(signal: string): void {
    this.reports.push(`${signal} exported`)
  }
}

function createQueue(answer: (batch: number[]) => Promise<Rejection | undefined> = async () => undefined) {
  const clock = new ManualClock()
  const observer = new RecordingObserver()
  const batches: number[][] = []
  const queue = new ExportQueue<number>(
    { signal: 'traces', maxItems: 5, maxBatch: 2, delayMs: DELAY_MS },
    {
      export: (batch) => {
        batches.push(batch)
        return answer(batch)
      },
      clock,
      observer,
    },
  )
  const add = (...items: number[]): void => items.forEach((item) => queue.add(item))
  return { clock, observer, batches, queue, add }
}

describe('ExportQueue', () => {
  it('exports what was added within the delay together, in batches', async () => {
    const { clock, batches, observer, add } = createQueue()
    add(1, 2, 3)
    await clock.advance(DELAY_MS - 1)
    expect(batches).toEqual([])
    await clock.advance(1)
    expect(batches).toEqual([[1, 2]])
    await clock.advance(DELAY_MS)
    expect(batches).toEqual([[1, 2], [3]])
    add(4)
    await clock.advance(2 * DELAY_MS)
    expect(batches).toEqual([[1, 2], [3], [4]])
    expect(observer.reports).toEqual(Array(3).fill('traces exported'))
  })

  it('drops and counts what does not fit while an export hangs, and never waits', async () => {
    const { clock, batches, observer, add } = createQueue(() => new Promise(() => undefined))
    add(1, 2)
    await clock.advance(DELAY_MS)
    add(3, 4, 5, 6, 7, 8, 9)
    expect(batches).toEqual([[1, 2]])
    expect(observer.reports).toEqual(Array(2).fill('1 traces dropped: queue-full'))
  })

  it('drops and reports an export that fails, and goes on with the next', async () => {
    const { clock, batches, observer, add } = createQueue(async ([first]) => {
      if (first === 1) throw new Error('HTTP 401 Unauthorized')
      return undefined
    })
    add(1, 2, 3, 4)
    await clock.advance(DELAY_MS)
    expect(batches).toEqual([
      [1, 2],
      [3, 4],
    ])
    expect(observer.reports).toEqual([
      '2 traces dropped: export-failed',
      'traces failed: HTTP 401 Unauthorized',
      'traces exported',
    ])
  })

  it('counts what the endpoint rejects of an export', async () => {
    const { clock, observer, add } = createQueue(async () => ({ items: 1, message: 'too old' }))
    add(1, 2)
    await clock.advance(DELAY_MS)
    expect(observer.reports).toEqual([
      '1 traces dropped: rejected',
      'traces failed: the endpoint has rejected a part of an export: too old',
    ])
  })

  it('exports everything at once when it is closed', async () => {
    const { batches, queue, add } = createQueue()
    add(1, 2, 3, 4, 5)
    await queue.close(2_000)
    expect(batches).toEqual([[1, 2], [3, 4], [5]])
  })

  it('closes after the time if the endpoint hangs', async () => {
    const { clock, batches, queue, add } = createQueue(() => new Promise(() => undefined))
    add(1, 2, 3, 4, 5)
    const closed = queue.close(2_000)
    await turnUntil(() => batches.length === 1)
    await clock.advance(2_000)
    await closed
    expect(batches).toEqual([[1, 2]])
  })

  it('closes at once if nothing waits', async () => {
    await createQueue().queue.close(2_000)
  })
})
