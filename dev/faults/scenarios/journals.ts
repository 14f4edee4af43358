/** The journal is not the one that the connector left, or the clock is wrong, or the process was stopped. */
import { cpSync, existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { KafkaProxy } from '../../fault-injection/kafka-proxy.js'
import { jumpingClock, shiftClock } from '../preload.js'
import type { Scenario, ScenarioRun } from '../scenario.js'

const HOUR_MS = 3_600_000

/**
 * An old copy of a journal has forgotten what happened since. What it holds and was not published yet must be published
 * once, and what was published since must not be published again. Entries that only the newer journal held would be lost
 * with it, so it is drained before. Events whose ids only the newer journal remembered are not sent again.
 */
export const journals: Scenario = {
  name: 'journals',
  description: 'the journal is wiped, or replaced by an old copy with unpublished entries, also with a clock set back',
  onlyDelivery: 'exactly-once',
  async prepare({ stack }) {
    const proxy = await KafkaProxy.startInFrontOf(stack.brokers[0]!)
    return {
      configure: ({ kafka }) => {
        kafka['brokers'] = [proxy.address]
      },
      async injectFaults(run) {
        await run.start()
        run.load.start()
        await run.untilMoreIsPublished()
        for (let round = 0; round < run.scaled(5); round++) {
          if (run.random.chance(0.4)) await wipeJournal(run)
          else await restoreOldJournal(run, proxy)
          await run.untilMoreIsPublished()
        }
      },
      cleanUp: () => proxy.close(),
    }
  },
}

async function wipeJournal(run: ScenarioRun): Promise<void> {
  await drainAndDelete(run)
  run.countFault('journal wiped')
  run.load.resume()
  await run.start()
}

async function restoreOldJournal(run: ScenarioRun, proxy: KafkaProxy): Promise<void> {
  const { random } = run
  const copy = join(run.trial.folder, 'copy-of-journal')
  proxy.setRule(() => 'lose-request')
  await takeInAndKill(run)
  copyJournal(journalOf(run), copy)
  proxy.setRule(() => 'pass')
  await run.start()
  await run.pause(200, 1_000)
  await drainAndDelete(run)
  copyJournal(copy, journalOf(run))
  run.countFault('old journal put back')
  const isClockSetBack = random.chance(0.5)
  if (isClockSetBack) run.countFault('clock set back')
  run.load.resume()
  const setBack = { env: shiftClock(-random.integer(1, 48) * HOUR_MS) }
  if (isClockSetBack && random.chance(0.5)) {
    // Entries get sequence numbers that were used before, because the position cannot be read.
    proxy.setRule(() => 'lose-request')
    await run.start(setBack)
    await takeInAndKill(run)
    proxy.setRule(() => 'pass')
  }
  await run.start(isClockSetBack ? setBack : {})
}

/** Lets the running connector take entries, and kills it. */
async function takeInAndKill(run: ScenarioRun): Promise<void> {
  await run.pause(500, 1_500)
  await run.kill()
}

async function drainAndDelete(run: ScenarioRun): Promise<void> {
  await run.drain()
  await run.terminate()
  run.load.forgetSentEvents()
  rmSync(journalOf(run), { recursive: true })
}

const journalOf = ({ trial }: ScenarioRun): string => join(trial.folder, 'journal')

function copyJournal(from: string, to: string): void {
  if (existsSync(to)) rmSync(to, { recursive: true })
  // The files of the lock include a socket, which cannot be copied.
  cpSync(from, to, { recursive: true, filter: (path) => !/\/lock[.-][^/]*$/.test(path) })
}

export const clocks: Scenario = {
  name: 'clock',
  description: 'the wall clock jumps by hours twice a second, with kill -9',
  async injectFaults(run) {
    run.load.start()
    for (let kill = 0; kill < run.scaled(10); kill++) {
      await run.start({ env: jumpingClock(24 * HOUR_MS) })
      await run.pause(1_000, 3_000)
      await run.kill()
      run.countFault('clock jump', 4)
    }
  },
}

export const stopped: Scenario = {
  name: 'stopped',
  description: 'SIGSTOP of the connector for longer than a request, and in the long form than a transaction, may take',
  async injectFaults(run) {
    await run.start()
    run.load.start()
    for (let round = 0; round < run.scaled(8); round++) {
      await run.pause(300, 1_500)
      await stopFor(run, 500, 4_000)
    }
    if (run.scaled(2) >= 2) {
      await run.untilMoreIsPublished()
      // A transaction times out after a minute, and the broker checks every ten seconds.
      await stopFor(run, 72_000, 75_000)
      run.countFault('transaction timeout')
    }
    await run.untilMoreIsPublished()
  },
}

async function stopFor(run: ScenarioRun, fromMs: number, toMs: number): Promise<void> {
  run.signal('SIGSTOP')
  try {
    await run.pause(fromMs, toMs)
  } finally {
    run.signal('SIGCONT')
  }
  run.countFault('connector SIGSTOP')
}
