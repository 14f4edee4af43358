/** The disk is full, fails, or loses its power; the journal reaches its limit. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { KafkaProxy } from '../../fault-injection/kafka-proxy.js'
import { compileLibrary, FAILING_DISK_SOURCE, removeLibrary } from '../../fault-injection/native-library.js'
import { SmallDisk } from '../../fault-injection/small-disk.js'
import { until } from '../../wait.js'
import { cutPower } from '../power-cut.js'
import { DISK_SOURCE, killAtDiskStep } from '../preload.js'
import type { Scenario } from '../scenario.js'

const MIB = 1024 * 1024
/** Exit code of a process that aborted itself: 128 + SIGABRT. */
const ABORTED = 134
const KILL_TIMEOUT_MS = 40_000
/** This is enough for a page of the load. With the default the journal would reserve more than these disks have. */
const MAX_ANSWER = '256KiB'

export const fullDisk: Scenario = {
  name: 'full-disk',
  description: 'a tmpfs is filled to the last byte and emptied again, with kill -9 in between',
  needs: 'a small disk',
  prepare: () => {
    const disk = new SmallDisk(32 * MIB)
    return {
      configure: ({ journal, sources }) => {
        journal['directory'] = join(disk.path, 'journal')
        sources['mtarget-fr'].pull['maxAnswer'] = MAX_ANSWER
      },
      async injectFaults(run) {
        await run.start()
        run.load.start()
        for (let round = 0; round < run.scaled(10); round++) {
          await run.pause(200, 1_000)
          fillWhileInUse(disk, run.random.pick([0, 0, 4_096, 100_000, MIB]))
          run.countFault('disk full')
          await run.pause(300, 2_000)
          if (run.random.chance(0.3)) await run.kill()
          disk.makeRoom()
          if (!run.isUp) await run.start()
          await run.untilMoreIsPublished()
        }
      },
      cleanUp: () => disk.unmount(),
    }
  },
}

/** The journal may write meanwhile, so that there is less room than was measured. The disk is full then too. */
function fillWhileInUse(disk: SmallDisk, leave: number): void {
  try {
    disk.fill(leave)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
  }
}

export const journalLimit: Scenario = {
  name: 'journal-limit',
  description: 'Kafka is unreachable until journal.maxBytes is reached, and then reachable again',
  async prepare({ stack }) {
    const proxy = await KafkaProxy.startInFrontOf(stack.brokers[0]!)
    return {
      configure: ({ kafka, journal, sources }) => {
        kafka['brokers'] = [proxy.address]
        journal['maxBytes'] = '1MiB'
        sources['mtarget-fr'].pull['maxAnswer'] = MAX_ANSWER
      },
      async injectFaults(run) {
        await run.start()
        run.load.start()
        for (let round = 0; round < run.scaled(3); round++) {
          await run.untilMoreIsPublished()
          proxy.setRule(() => 'lose-request')
          await until(async () => (await run.trial.status()).journal.refusal !== null)
          await run.pause(200, 1_000)
          if (run.random.chance(0.5)) await run.kill()
          // A connector whose journal is full is not ready while Kafka is away, so readiness is not awaited.
          if (!run.isUp) await run.launch()
          proxy.setRule(() => 'pass')
          run.countFault('journal full')
        }
        await run.untilMoreIsPublished()
      },
      cleanUp: () => proxy.close(),
    }
  },
}

export const failingDisk: Scenario = {
  name: 'failing-disk',
  description:
    'writes of pages, fsync and root pages of the journal fail with EIO and ENOSPC, or the disk is read-only',
  needs: 'a C compiler',
  prepare: () => {
    const library = compileLibrary(FAILING_DISK_SOURCE)
    return {
      async injectFaults(run) {
        const flagFile = join(run.trial.folder, 'failing')
        const env = { LD_PRELOAD: library, FAILING_DISK: flagFile }
        // When the root page cannot be written, the process cannot use its journal any more and ends.
        run.expectedExitCodes.add(1)
        // When a page cannot be written although statfs reports room, lmdb 3.5 can corrupt its memory and abort. Everything
        // that was acknowledged must survive that too.
        run.expectedExitCodes.add(ABORTED)
        await run.start({ env })
        run.load.start()
        for (let round = 0; round < run.scaled(12); round++) {
          const picked = run.random.pick(['data', 'sync', 'root'] as const)
          const failure = picked === 'data' && round % 2 === 1 ? 'readonly' : picked
          await run.pause(200, 1_000)
          writeFileSync(`${flagFile}.${failure}`, '')
          run.countFault(`disk fails: ${failure}`)
          await run.pause(100, 1_500)
          if (run.random.chance(0.2)) await run.kill()
          rmSync(`${flagFile}.${failure}`)
          if (failure === 'root') await run.untilKilledFromWithin(KILL_TIMEOUT_MS)
          if (run.trial.connector.exitCode === ABORTED) run.countFault('lmdb aborted')
          if (!run.isUp) await run.start({ env })
          await run.untilMoreIsPublished()
        }
      },
      cleanUp: () => removeLibrary(library),
    }
  },
}

export const power: Scenario = {
  name: 'power',
  description: 'a power cut: of the journal only what was synced is left, and any sectors of what was only written',
  needs: 'a C compiler',
  prepare: () => {
    const library = compileLibrary(DISK_SOURCE)
    return {
      async injectFaults(run) {
        const { random } = run
        const writeLog = join(run.trial.folder, 'writes.log')
        const directory = join(run.trial.folder, 'journal', 'lmdb')
        const file = join(directory, 'data.mdb')
        run.load.start()
        for (let cut = 0; cut < run.scaled(20); cut++) {
          const before = existsSync(file) ? readFileSync(file) : undefined
          if (random.chance(0.6)) {
            // Before an fsync most is written and not yet synced.
            const step = random.pick(['fsync-before', 'fsync-before', 'write-after', 'fsync-after'])
            const passage = random.integer(1, random.chance(0.2) ? 4 : 150)
            await run.launch({ env: { ...killAtDiskStep(library, step, passage), FAULT_DISK_LOG: writeLog } })
            await run.untilKilledFromWithin(KILL_TIMEOUT_MS)
          } else {
            await run.start({ env: { LD_PRELOAD: library, FAULT_DISK_LOG: writeLog } })
            await run.pause(0, 1_500)
            await run.kill()
          }
          const unsyncedWrites = cutPower(file, before, writeLog, random)
          rmSync(join(directory, 'lock.mdb'), { force: true })
          run.countFault('power cut')
          run.countFault('unsynced write', unsyncedWrites)
        }
      },
      cleanUp: () => removeLibrary(library),
    }
  },
}
