/** Three connectors that share six accounts and one reconciled source. */
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest'
import { contentKey } from '../../dev/oracle/content-key.js'
import { Random } from '../../dev/simulators/random.js'
import { call } from '../support/call.js'
import { Replicas, SESSION_TIMEOUT, type ReplicaProcess } from '../support/replicas.js'
import { until } from '../../dev/wait.js'

let all: Replicas
beforeEach(async () => {
  all = await Replicas.start({ brokers: inject('brokers'), registryUrl: inject('registryUrl') }, 6)
})
afterEach(() => all.stop())

/** A page under way is lost with a process that is killed; the next request of another process does not acknowledge it. */
const beginRun = (): void => all.accounts.forEach((account) => account.noteClientRestart())

const fill = (rows: number): void => all.accounts.forEach((account) => account.enqueue(all.data.mtargetMix(rows)))

/** Fills queues and makes callbacks until it is stopped. */
function load(): () => Promise<void> {
  let isRunning = true
  const ended = (async () => {
    while (isRunning) {
      fill(5)
      await all.callBack(6)
      // This paces the load; nothing is expected after it.
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  })()
  return () => {
    isRunning = false
    return ended
  }
}

const expectOnceEach = async (): Promise<void> => {
  const reader = await all.follow()
  const found = new Map<string, number>()
  try {
    // A query finds callbacks that no replica took, some time after the owner has settled.
    const isThere = (): boolean => {
      const seen = new Set(reader.records.map(keyOf))
      return [...wanted()].every((key) => seen.has(key))
    }
    await until(isThere, 60_000).catch(() => undefined)
    await all.untilPublished()
    await reader.readToTheEnd()
    for (const seen of reader.records) found.set(keyOf(seen), (found.get(keyOf(seen)) ?? 0) + 1)
  } finally {
    await reader.stop()
  }
  expect([...wanted()].filter((key) => !found.has(key))).toEqual([])
  expect([...found].filter(([, times]) => times > 1)).toEqual([])
}

const keyOf = ({ value }: { value: Record<string, unknown> }): string =>
  value['provider'] === 'seven'
    ? `${value['messageId'] as string} ${value['providerStatus'] as string}`
    : contentKey(value['raw'] as Record<string, string>)

const wanted = (): Set<string> =>
  new Set([
    ...[...all.accounts.values()].flatMap((account) => account.owed().map((row) => contentKey(row))),
    ...all.receipts.map(({ msg_id, status }) => `${msg_id} ${status}`),
  ])

const three = async (): Promise<ReplicaProcess[]> => {
  const replicas = [await all.add(), await all.add(), await all.add()]
  await Promise.all(replicas.map((replica) => replica.start()))
  return replicas
}

describe('Three replicas', { timeout: 240_000 }, () => {
  it('divide the sources again whenever one starts, stops, dies or is suspended, and lose and double nothing', async () => {
    const [a, b, c] = (await three()) as [ReplicaProcess, ReplicaProcess, ReplicaProcess]
    const took: Record<string, number> = { start: await all.untilDivided() }
    const stop = load()
    const replicas = [a, b, c]

    const d = await all.add()
    await d.start()
    took['add'] = await all.untilDivided()

    expect(await d.terminate()).toBe(0)
    took['remove'] = await all.untilDivided()
    all.replicas.pop()

    await all.untilHandedOver()
    const owner = (await all.owners()).get('seven-main')![0]!
    await owner.kill()
    beginRun()
    took['kill -9'] = await all.untilDivided()
    took['kill -9, all asked'] = await all.untilAllAsked()
    await owner.start()
    took['back'] = await all.untilDivided()

    const sleeper = (await all.owners()).get('seven-main')![0]!
    sleeper.freeze(true)
    took['SIGSTOP'] = await all.untilDivided()
    sleeper.freeze(false)
    took['SIGCONT'] = await all.untilDivided()

    for (const replica of replicas) {
      expect(await replica.terminate()).toBe(0)
      await replica.start()
      took[`restart ${replica.name.slice(-1)}`] = await all.untilDivided()
    }
    await stop()
    if (process.env['SHARING_FIGURES']) console.log(took)
    for (const time of Object.values(took)) expect(time).toBeLessThan(2 * SESSION_TIMEOUT + 5_000)
    await expectOnceEach()
    for (const replica of replicas) expect(await replica.terminate()).toBe(0)
  })

  it('take over added and removed accounts and another API key, each by itself, and lose and double nothing', async () => {
    const replicas = await three()
    await all.untilDivided()
    const stop = load()
    all.api.setApiKeys('api-key', 'next-key')
    all.apiKey = 'next-key'
    const added = await all.addAccount('added')
    // The replicas have different configurations for a while, as when a ConfigMap reaches one node after the other.
    for (const replica of replicas) {
      await all.reconfigure(replica)
      await delay(700)
    }
    added.enqueue(all.data.mtargetReceipts(500))
    await all.untilDivided()
    await until(() => added.owed().length >= 500, 30_000)
    all.api.setApiKeys('next-key')
    await all.untilAllAsked()
    const refusals = await Promise.all(
      replicas.map(async ({ adminUrl }) =>
        (await (await fetch(`${adminUrl}/metrics`)).text()).match(
          /^dlrmo_reconcile_requests_total\{.*"refused"\} [1-9].*/gm,
        ),
      ),
    )
    expect(refusals).toEqual([null, null, null])
    await stop()

    const [removed] = all.accounts.keys()
    const account = all.accounts.get(removed!)!
    await all.untilPublished()
    const owed = account.owed().length
    all.accounts.delete(removed!)
    for (const replica of replicas) await all.reconfigure(replica)
    await until(async () => {
      const statuses = await Promise.all(replicas.map((replica) => replica.status()))
      return statuses.every(({ sources }) => !sources.some(({ source }) => source === removed))
    }, 30_000)
    const asked = account.answers.length
    await delay(1_500)
    expect(account.answers.length).toBeLessThanOrEqual(asked + 1)
    expect(account.owed().length).toBeGreaterThanOrEqual(owed)
    const owned = await Promise.all(replicas.map((replica) => replica.sum('dlrmo_source_owned')))
    expect(owned.reduce((sum, count) => sum + count)).toBe(all.accounts.size + 1)
    all.accounts.set(removed!, account)
    await expectOnceEach()
    for (const replica of replicas) expect(await replica.terminate()).toBe(0)
  })

  it('send watch requests to the replica that reconciles the source', async () => {
    const replicas = await three()
    await all.untilDivided()
    const owner = (await all.owners()).get('seven-main')![0]!
    const other = replicas.find((replica) => replica !== owner)!
    const ids = Array.from({ length: 1_200 }, (_, i) => String(55_000 + i))
    const url = `${other.adminUrl}/sources/seven-main/watch`
    expect(
      (await call(url, { headers: { 'content-type': 'application/json' }, body: JSON.stringify({ messageIds: ids }) }))
        .status,
    ).toBe(202)
    await other.calls.send([{ kind: 'dlr', data: { msg_id: '66001', status: 'BUFFERED' } }])
    await until(async () => (await owner.sum('dlrmo_watched_messages')) === 1_201)

    for (const id of [...ids, '66001']) all.api.setStatus(id, 'DELIVERED')
    const reader = await all.follow()
    try {
      await until(() => reader.records.length >= 1_202)
      await until(async () => (await owner.sum('dlrmo_watched_messages')) === 0)
      await reader.readToTheEnd()
      const found = reader.records.map(keyOf).sort()
      expect(found).toEqual([...ids.map((id) => `${id} DELIVERED`), '66001 BUFFERED', '66001 DELIVERED'].sort())
    } finally {
      await reader.stop()
    }
    expect(await other.sum('dlrmo_watched_messages')).toBe(0)
  })
})

/** Repeats such events in random order: `SHARING_ROUNDS=20`, ten seconds each. */
const ROUNDS = Number(process.env['SHARING_ROUNDS'] ?? 0)

describe.skipIf(ROUNDS === 0)(
  'Three replicas in many rounds of random faults',
  { timeout: 60_000 + ROUNDS * 40_000 },
  () => {
    it('lose nothing and double nothing', async () => {
      const random = new Random(Number(process.env['SHARING_SEED'] ?? 1))
      const replicas = await three()
      await all.untilDivided()
      await all.untilHandedOver()
      const stop = load()
      for (let round = 0; round < ROUNDS; round++) {
        const replica = random.pick(replicas)
        const what = random.pick(['kill', 'freeze', 'suspend briefly', 'terminate', 'kill two'] as const)
        switch (what) {
          case 'kill':
          case 'kill two': {
            const killed =
              what === 'kill' ? [replica] : [replica, random.pick(replicas.filter((each) => each !== replica))]
            for (const each of killed) await each.kill()
            beginRun()
            // The random length of the absence is part of the load, not a wait for a condition.
            await new Promise((resolve) => setTimeout(resolve, random.integer(0, 2 * SESSION_TIMEOUT)))
            for (const each of killed) await each.start()
            break
          }
          case 'freeze':
          case 'suspend briefly':
            replica.freeze(true)
            // The length of the suspension, below or above the session timeout, is what the round tests.
            await new Promise((resolve) =>
              setTimeout(resolve, what === 'suspend briefly' ? 2_000 : 2 * SESSION_TIMEOUT),
            )
            replica.freeze(false)
            break
          case 'terminate':
            expect(await replica.terminate()).toBe(0)
            await replica.start()
        }
        const took = await all.untilDivided()
        await all.untilHandedOver()
        if (process.env['SHARING_FIGURES']) console.log(round, what, replica.name.slice(-1), took)
      }
      await stop()
      await expectOnceEach()
    })
  },
)
