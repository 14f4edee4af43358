import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ReloadTrigger } from '../../src/app/app.js'
import { ConfigWatcher } from '../../src/app/config-watcher.js'
import { collectFiles, type FileDigests, hasChanged, readConfigFile } from '../../src/config/read-file.js'
import { until } from '../../dev/wait.js'
import { turnUntilIdle } from '../support/event-loop.js'
import { ManualClock } from '../support/manual-clock.js'

let folder: string
let clock: ManualClock
let watcher: ConfigWatcher
let files: FileDigests
let reloads: ReloadTrigger[]
/** Resolves to let a reload end. */
let held: Promise<void>

/** What a loading reads: the file, and what it finds there does not matter. */
const load = (path: string): void => {
  files = new Map()
  collectFiles(files, () => readConfigFile(path))
}

const watch = (path: string): void => {
  load(path)
  watcher = new ConfigWatcher({
    configFile: {
      get paths() {
        return [...files.keys()]
      },
      hasChanged: () => hasChanged(files),
    },
    reload: async (trigger) => {
      reloads.push(trigger)
      load(path)
      await held
    },
    clock,
  })
  watcher.start()
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'watch-'))
  clock = new ManualClock()
  reloads = []
  held = Promise.resolve()
})
afterEach(async () => {
  await watcher.stop()
  rmSync(folder, { recursive: true })
})

/** Resolves when an event has arrived, and the time in which further ones are awaited has passed. */
const untilReloaded = (count: number): Promise<void> =>
  until(async () => {
    await clock.advance(500)
    return reloads.length === count
  })

describe('ConfigWatcher', () => {
  it('notices a file that is written, and one that replaces it', async () => {
    const file = join(folder, 'connector.yaml')
    writeFileSync(file, 'a')
    watch(file)
    await turnUntilIdle()
    writeFileSync(file, 'b')
    await untilReloaded(1)
    writeFileSync(join(folder, 'next'), 'c')
    renameSync(join(folder, 'next'), file)
    await untilReloaded(2)
    expect(reloads).toEqual(['file', 'file'])
  })

  it('notices the swap of a folder that a symbolic link leads to, as in a volume of Kubernetes', async () => {
    for (const name of ['..1', '..2']) {
      mkdirSync(join(folder, name))
      writeFileSync(join(folder, name, 'token'), name)
    }
    symlinkSync('..1', join(folder, '..data'))
    symlinkSync('..data/token', join(folder, 'token'))
    watch(join(folder, 'token'))
    await turnUntilIdle()
    symlinkSync('..2', join(folder, '..next'))
    renameSync(join(folder, '..next'), join(folder, '..data'))
    await untilReloaded(1)
  })

  it('does nothing when a file is written with the same content, or another file beside it is', async () => {
    const file = join(folder, 'connector.yaml')
    writeFileSync(file, 'a')
    watch(file)
    await turnUntilIdle()
    writeFileSync(file, 'a')
    writeFileSync(join(folder, 'other'), 'b')
    for (let second = 0; second < 60; second++) {
      await clock.advance(1_000)
      await turnUntilIdle()
    }
    expect(reloads).toEqual([])
  })

  it('compares contents every ten seconds where the file system reports nothing', async () => {
    const linked = join(folder, 'releases')
    for (const name of ['1', '2']) {
      mkdirSync(join(linked, name), { recursive: true })
      writeFileSync(join(linked, name, 'connector.yaml'), name)
    }
    symlinkSync('1', join(linked, 'current'))
    // The link that is swapped lies in a folder that holds no file of the configuration.
    watch(join(linked, 'current', 'connector.yaml'))
    await turnUntilIdle()
    symlinkSync('2', join(linked, 'next'))
    renameSync(join(linked, 'next'), join(linked, 'current'))
    await clock.advance(9_999)
    await turnUntilIdle()
    expect(reloads).toEqual([])
    await clock.advance(1)
    await turnUntilIdle()
    expect(reloads).toEqual(['file'])
  })

  it('reloads at a request without a change, one after the other, and once for requests during a reload', async () => {
    const file = join(folder, 'connector.yaml')
    writeFileSync(file, 'a')
    let release = (): void => undefined
    held = new Promise((resolve) => {
      release = resolve
    })
    watch(file)
    watcher.request()
    await turnUntilIdle()
    watcher.request()
    watcher.request()
    await turnUntilIdle()
    expect(reloads).toEqual(['SIGHUP'])
    release()
    await turnUntilIdle()
    expect(reloads).toEqual(['SIGHUP', 'SIGHUP'])
  })

  it('notices a file that appears after it was missing', async () => {
    const file = join(folder, 'connector.yaml')
    expect(() => watch(file)).toThrow()
    files = new Map([[file, null]])
    watcher = new ConfigWatcher({
      configFile: { paths: [file], hasChanged: () => hasChanged(files) },
      reload: async (trigger) => {
        reloads.push(trigger)
        load(file)
      },
      clock,
    })
    watcher.start()
    await turnUntilIdle()
    writeFileSync(file, 'a')
    await untilReloaded(1)
  })
})
