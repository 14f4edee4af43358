import { createRequire } from 'node:module'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { repairRequestQueues } from '../../../src/kafka/kafkajs-workarounds/request-queue-timer.js'

interface Queue {
  pending: unknown[]
  throttledUntil: number
  checkPendingRequests(): void
  push(request: { readonly entry: object; readonly expectResponse: boolean; sendRequest(): void }): void
  fulfillRequest(response: object): void
  maybeThrottle(ms: number): void
  destroy(): void
}

const require = createRequire(import.meta.url)
const RequestQueue = require('kafkajs/src/network/requestQueue/index.js') as new (options: object) => Queue

let queue: Queue

beforeEach(() => {
  repairRequestQueues()
  vi.useFakeTimers({ now: Date.UTC(2026, 0, 15) })
  vi.spyOn(globalThis, 'setTimeout')
  const logger = { debug: () => {}, error: () => {}, info: () => {}, warn: () => {}, namespace: () => logger }
  queue = new RequestQueue({
    maxInFlightRequests: 1,
    requestTimeout: 1_000,
    enforceRequestTimeout: false,
    clientId: 'test',
    broker: 'localhost:9092',
    logger,
  })
})

afterEach(() => {
  queue.destroy()
  vi.useRealTimers()
  vi.restoreAllMocks()
})

const delays = (): (number | undefined)[] => vi.mocked(setTimeout).mock.calls.map(([, delay]) => delay)

const push = (correlationId: number, sent: number[]): void =>
  queue.push({
    entry: { correlationId, apiName: 'Metadata', apiKey: 3, apiVersion: 0, resolve: () => {}, reject: () => {} },
    expectResponse: true,
    sendRequest: () => sent.push(correlationId),
  })

describe('repairRequestQueues', () => {
  it('lets a queue without a waiting request start no timer', () => {
    const sent: number[] = []
    push(1, sent)
    queue.fulfillRequest({ correlationId: 1, payload: {}, size: 1 })
    queue.checkPendingRequests()
    expect(sent).toEqual([1])
    expect(vi.getTimerCount()).toBe(0)
    expect(delays()).toEqual([])
  })

  it('keeps the timer that sends a request when the throttle time of the broker is over', () => {
    const sent: number[] = []
    queue.maybeThrottle(500)
    push(1, sent)
    expect(sent).toEqual([])
    vi.advanceTimersByTime(510)
    expect(sent).toEqual([1])
    expect(delays().every((delay) => delay !== undefined && delay >= 0)).toBe(true)
  })

  it('keeps the order and the limit of requests in flight', () => {
    const sent: number[] = []
    push(1, sent)
    push(2, sent)
    expect(sent).toEqual([1])
    queue.fulfillRequest({ correlationId: 1, payload: {}, size: 1 })
    expect(sent).toEqual([1, 2])
    expect(delays().every((delay) => delay !== undefined && delay >= 0)).toBe(true)
  })
})
