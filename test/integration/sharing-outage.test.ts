/** Replicas that share the work, without a broker that could assign the sources. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { contentKey } from '../../dev/oracle/content-key.js'
import { OWN_STACK_UNAVAILABLE, startOwnStackIfPossible, type OwnStack } from '../support/own-stack.js'
import { Replicas } from '../support/replicas.js'
import { until } from '../../dev/wait.js'

let stack: OwnStack | undefined
let all: Replicas | undefined
beforeAll(async () => {
  stack = await startOwnStackIfPossible()
})
afterEach(() => all?.stop())
afterAll(() => stack?.stop())

const untilMembership = (membership: string): Promise<void> =>
  until(async () => (await all!.memberships()).every((each) => each === membership))

const owned = async (): Promise<number[]> => [...(await all!.owners()).values()].map((owners) => owners.length)

describe('Without a broker,', { timeout: 240_000 }, () => {
  it('replicas without an assignment poll all sources, and replicas with one keep it', async ({ skip }) => {
    if (stack === undefined) return skip(OWN_STACK_UNAVAILABLE)
    all = await Replicas.start(stack, 3)
    await stack.broker.kill()
    for (const replica of [await all.add(), await all.add()]) await replica.start()
    await untilMembership('standalone')
    expect(await owned()).toEqual([2, 2, 2, 2])
    for (const account of all.accounts.values()) account.enqueue(all.data.mtargetMix(200))
    await all.callBack(100)
    await until(() => [...all!.accounts.values()].every(({ queued }) => queued === 0))
    // Both replicas empty the queue; none queries the provider's message logs.
    expect(all.api.requests).toEqual([])

    await stack.broker.restart()
    await all.untilDivided(60_000)
    await all.untilPublished()
    const before = await all.owners()
    await stack.broker.kill()
    await untilMembership('disconnected')
    expect(await all.owners()).toEqual(before)
    await all.callBack(100)
    await all.untilAllAsked()
    const asked = all.api.requests.length
    // Only time can show that no query is made: a reconciler that must not query does nothing that could be observed. With
    // `log.every: 1s` one that may query would do so three times.
    await new Promise((resolve) => setTimeout(resolve, 3_000))
    expect(all.api.requests.length).toBe(asked)

    await stack.broker.restart()
    await all.untilDivided(60_000)
    await until(() => all!.api.requests.length > asked)
    await all.untilPublished()
    for (const replica of all.replicas) expect(await replica.terminate()).toBe(0)
    const keys = (await all.readAll()).map(({ value }) =>
      value['provider'] === 'seven' ? String(value['messageId']) : contentKey(value['raw'] as Record<string, string>),
    )
    const owed = [...all.accounts.values()].flatMap((account) => account.owed().map((row) => contentKey(row)))
    expect([...new Set(keys)].sort()).toEqual([...owed, ...all.receipts.map(({ msg_id }) => msg_id)].sort())
    expect(keys).toHaveLength(new Set(keys).size)
  })
})
