import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LoadGenerator } from '../../../dev/oracle/load-generator.js'
import { serve, type LocalServer } from '../../../dev/simulators/local-server.js'
import { MtargetSimulator } from '../../../dev/simulators/mtarget.js'
import { SevenCallbacks } from '../../../dev/simulators/seven-callbacks.js'
import { until } from '../../../dev/wait.js'

let receiver: LocalServer
let mtarget: MtargetSimulator
let seven: SevenCallbacks
let load: LoadGenerator
let isReachable: boolean

beforeEach(async () => {
  receiver = await serve(async (_request, response) => void response.writeHead(200).end())
  mtarget = await MtargetSimulator.start()
  seven = new SevenCallbacks({ url: receiver.origin })
  isReachable = true
  load = new LoadGenerator(mtarget, () => (isReachable ? seven : undefined), { seed: 1, maxPauseMs: 1 })
})
afterEach(async () => {
  await load.stop()
  seven.stop()
  await mtarget.stop()
  await receiver.stop()
})

const untilMoreCallbacks = (): Promise<void> => {
  const before = seven.outcomes.length
  return until(() => seven.outcomes.length > before + 20, 10_000)
}

describe('LoadGenerator', () => {
  it('sends receipts, messages and malformed input, repeats some events, and fills the queue', async () => {
    load.start()
    const kinds = (): unknown[] => seven.outcomes.map(({ event }) => event?.kind)
    const events = (): string[] => seven.outcomes.map(({ event }) => JSON.stringify(event))
    await until(() => ['dlr', 'sms_mo', undefined].every((kind) => kinds().includes(kind)), 10_000)
    await until(() => new Set(events()).size < events().length, 10_000)
    expect(seven.outcomes.find(({ event }) => event === undefined)?.rawContent).toMatch(/bad-item-1-\d+/)
    expect(mtarget.queued).toBeGreaterThan(0)
  })

  it('sends no callback while it is paused, and continues when it is resumed', async () => {
    load.start()
    await untilMoreCallbacks()
    await load.pause()
    const sent = seven.outcomes.length
    const queued = mtarget.queued
    load.resume()
    expect(seven.outcomes.length).toBe(sent)
    expect(mtarget.queued).toBe(queued)
    await untilMoreCallbacks()
  })

  it('sends no callback while the connector does not run', async () => {
    isReachable = false
    load.start()
    await until(() => mtarget.queued > 0, 10_000)
    expect(seven.outcomes).toEqual([])
    isReachable = true
    await untilMoreCallbacks()
  })
})
