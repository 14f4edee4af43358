/** Journals that are not the one that was left: wiped, old, held by another instance; clocks that are wrong. */
import { cpSync, existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { KafkaProxy } from '../../fault-injection/kafka-proxy.js'
import type { Scenario } from '../scenario-run.js'

const CLOCK = { NODE_OPTIONS: `--import ${new URL('../preload/clock.mjs', import.meta.url).href}` }
const HOUR = 3_600_000

/**
 * Whoever puts an old journal back undoes what it has forgotten since: what was not published then is published once,
 * what was published since is not published again. What only the newer journal held is gone with it, so it is drained
 * before; and what only it remembered of is not sent again.
 */
export const journals: Scenario = {
  name: 'journals',
  about: 'the journal wiped, or an old copy with unpublished entries put back, also with a clock that went backwards',
  only: 'exactly-once',
  async prepare({ brokers }) {
    const proxy = await KafkaProxy.startInFrontOf(brokers[0]!)
    return { proxy, change: ({ kafka }) => (kafka['brokers'] = [proxy.address]), end: () => proxy.close() }
  },
  async faults(ground) {
    const { trial, load, random } = ground
    const proxy = ground.prepared['proxy'] as KafkaProxy
    const journal = join(trial.folder, 'journal')
    const copy = join(trial.folder, 'copy-of-journal')
    await ground.start()
    load.start()
    await ground.untilPublishingGoesOn()
    for (let round = 0; round < ground.scaled(5); round++) {
      const wiped = random.chance(0.4)
      if (!wiped) {
        // Entries that wait in the old copy.
        proxy.setRule(() => 'lose-request')
        await ground.wait(500, 1_500)
        await ground.kill()
        copyJournal(journal, copy)
        proxy.setRule(() => 'pass')
        await ground.start()
        await ground.wait(200, 1_000)
      }
      await ground.drain()
      await ground.terminate()
      load.forget()
      rmSync(journal, { recursive: true })
      if (!wiped) copyJournal(copy, journal)
      ground.count(wiped ? 'journal wiped' : 'old journal put back')
      const backwards = !wiped && random.chance(0.5)
      if (backwards) ground.count('clock set back')
      load.resume()
      const behind = { env: { ...CLOCK, FAULT_CLOCK: String(-random.integer(1, 48) * HOUR) } }
      if (backwards && random.chance(0.5)) {
        // Entries are taken under numbers that were used, before their position can be read.
        proxy.setRule(() => 'lose-request')
        await ground.start(behind)
        await ground.wait(500, 1_500)
        await ground.kill()
        proxy.setRule(() => 'pass')
      }
      await ground.start(backwards ? behind : {})
      await ground.untilPublishingGoesOn()
    }
  },
}

function copyJournal(from: string, to: string): void {
  if (existsSync(to)) rmSync(to, { recursive: true })
  // Sockets can't be copied, and say nothing.
  cpSync(from, to, { recursive: true, filter: (path) => !/\/lock[.-][^/]*$/.test(path) })
}

export const clocks: Scenario = {
  name: 'clock',
  about: 'a wall clock that jumps by hours twice a second, with kill -9',
  async faults(ground) {
    ground.load.start()
    for (let kill = 0; kill < ground.scaled(10); kill++) {
      await ground.start({ env: { ...CLOCK, FAULT_CLOCK_JUMPS: String(24 * HOUR) } })
      await ground.wait(1_000, 3_000)
      await ground.kill()
      ground.count('clock jump', 4)
    }
  },
}

export const stopped: Scenario = {
  name: 'stopped',
  about: 'SIGSTOP of the connector for longer than requests take; in the long form also than a transaction may',
  async faults(ground) {
    await ground.start()
    ground.load.start()
    const stop = async (from: number, to: number): Promise<void> => {
      ground.signal('SIGSTOP')
      try {
        await ground.wait(from, to)
      } finally {
        ground.signal('SIGCONT')
      }
      ground.count('connector SIGSTOP')
    }
    for (let round = 0; round < ground.scaled(8); round++) {
      await ground.wait(300, 1_500)
      await stop(500, 4_000)
    }
    if (ground.scaled(2) >= 2) {
      await ground.untilPublishingGoesOn()
      await stop(72_000, 75_000) // TRANSACTION_TIMEOUT is a minute, and the broker looks every ten seconds
      ground.count('transaction time-out')
    }
    await ground.untilPublishingGoesOn()
  },
}
