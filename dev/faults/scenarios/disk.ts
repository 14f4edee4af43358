/** The disk is full, fails, or loses its power; the journal reaches its limit. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { KafkaProxy } from '../../fault-injection/kafka-proxy.js'
import { SmallDisk } from '../../fault-injection/small-disk.js'
import type { ScenarioRun, Scenario } from '../scenario-run.js'
import { compile, remove } from '../../fault-injection/native-library.js'
import { cutPower } from '../power-cut.js'

const MIB = 1024 * 1024
/** 128 + SIGABRT */
const ABORTED = 134
/** A page of the load; the default would reserve more than these disks have. */
const SMALL_ANSWER = '256KiB'

export const fullDisk: Scenario = {
  name: 'full-disk',
  about: 'a tmpfs filled to the last byte and cleared again, with kill -9 in between',
  needs: 'a small disk',
  prepare: () => {
    const disk = new SmallDisk(32 * MIB)
    return Promise.resolve({
      disk,
      change: ({ journal, sources }) => {
        journal['directory'] = join(disk.path, 'journal')
        sources['mtarget-fr'].pull['maxAnswer'] = SMALL_ANSWER
      },
      end: () => disk.unmount(),
    })
  },
  async faults(ground) {
    const disk = ground.prepared['disk'] as SmallDisk
    await ground.start()
    ground.load.start()
    for (let round = 0; round < ground.scaled(10); round++) {
      await ground.wait(200, 1_000)
      fill(disk, ground.random.pick([0, 0, 4_096, 100_000, MIB]))
      ground.count('disk full')
      await ground.wait(300, 2_000)
      if (ground.random.chance(0.3)) await ground.kill()
      disk.makeRoom()
      if (!ground.isUp) await ground.start()
      await ground.untilPublishingGoesOn()
    }
  },
}

/** What the journal takes meanwhile is not there any more: then the disk is full all the same. */
function fill(disk: SmallDisk, leave: number): void {
  try {
    disk.fill(leave)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
  }
}

export const journalLimit: Scenario = {
  name: 'journal-limit',
  about: 'Kafka out of reach until journal.maxBytes is reached, then back',
  async prepare({ brokers }) {
    const proxy = await KafkaProxy.startInFrontOf(brokers[0]!)
    return {
      proxy,
      change: ({ kafka, journal, sources }) => {
        kafka['brokers'] = [proxy.address]
        journal['maxBytes'] = '1MiB'
        sources['mtarget-fr'].pull['maxAnswer'] = SMALL_ANSWER
      },
      end: () => proxy.close(),
    }
  },
  async faults(ground) {
    const proxy = ground.prepared['proxy'] as KafkaProxy
    await ground.start()
    ground.load.start()
    for (let round = 0; round < ground.scaled(3); round++) {
      await ground.untilPublishingGoesOn()
      proxy.setRule(() => 'lose-request')
      await untilRefused(ground)
      await ground.wait(200, 1_000)
      if (ground.random.chance(0.5)) await ground.kill()
      if (!ground.isUp) await ground.start()
      proxy.setRule(() => 'pass')
      ground.count('journal full')
    }
    await ground.untilPublishingGoesOn()
  },
}

export const failingDisk: Scenario = {
  name: 'failing-disk',
  about: 'EIO and ENOSPC on the pages, the fsync and the root pages of the journal; read-only',
  needs: 'a C compiler',
  prepare: () => {
    const library = compile('failing')
    return Promise.resolve({ library, end: () => remove(library) })
  },
  async faults(ground) {
    const flag = join(ground.trial.folder, 'failing')
    const env = { LD_PRELOAD: ground.prepared['library'] as string, FAILING_DISK: flag }
    // Its root page can't be written: for this process the journal is lost, and it says so by its end.
    ground.expectedCodes.add(1)
    // When a write of a page fails that statfs has room for, lmdb 3.5 can corrupt its memory and abort. What was
    // acknowledged must have survived that, too.
    ground.expectedCodes.add(ABORTED)
    await ground.start({ env })
    ground.load.start()
    for (let round = 0; round < ground.scaled(12); round++) {
      const picked = ground.random.pick(['data', 'sync', 'root'] as const)
      const what = picked === 'data' && round % 2 === 1 ? 'readonly' : picked
      await ground.wait(200, 1_000)
      writeFileSync(`${flag}.${what}`, '')
      ground.count(`disk fails: ${what}`)
      await ground.wait(100, 1_500)
      if (ground.random.chance(0.2)) await ground.kill()
      rmSync(`${flag}.${what}`)
      if (what === 'root') await ground.untilDead(40_000)
      if (ground.trial.connector.exitCode === ABORTED) ground.count('lmdb aborted')
      if (!ground.isUp) await ground.start({ env })
      await ground.untilPublishingGoesOn()
    }
  },
}

export const power: Scenario = {
  name: 'power',
  about: 'the power cut: what was synced is left of the journal, and any sectors of what was only written',
  needs: 'a C compiler',
  prepare: () => {
    const library = compile('disk')
    return Promise.resolve({ library, end: () => remove(library) })
  },
  async faults(ground) {
    const notes = join(ground.trial.folder, 'disk.notes')
    const journal = join(ground.trial.folder, 'journal', 'lmdb')
    const file = join(journal, 'data.mdb')
    const env = { LD_PRELOAD: ground.prepared['library'] as string, FAULT_DISK_LOG: notes }
    ground.load.start()
    for (let cut = 0; cut < ground.scaled(20); cut++) {
      const before = existsSync(file) ? readFileSync(file) : undefined
      if (ground.random.chance(0.6)) {
        // Where most is written and not yet synced.
        const step = ground.random.pick(['fsync-before', 'fsync-before', 'write-after', 'fsync-after'])
        const at = String(ground.random.integer(1, ground.random.chance(0.2) ? 4 : 150))
        await ground.launch({ env: { ...env, FAULT_STEP: step, FAULT_AT: at } })
        await ground.untilDead(40_000)
      } else {
        await ground.start({ env })
        await ground.wait(0, 1_500)
        await ground.kill()
      }
      const lost = cutPower(file, before, notes, ground.random)
      rmSync(join(journal, 'lock.mdb'), { force: true })
      ground.count('power cut')
      ground.count('unsynced write', lost)
    }
  },
}

async function untilRefused(ground: ScenarioRun): Promise<void> {
  for (const giveUpAt = Date.now() + 60_000; Date.now() < giveUpAt;) {
    if ((await ground.trial.status()).journal.refusal !== null) return
    await ground.wait(100, 100)
  }
  throw new Error('the journal did not become full within 60 s')
}
