import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { spawnGuarded } from '../../dev/guarded-child.js'
import { stackFromEnvironment } from '../../dev/stack/environment-stack.js'
import { cached } from '../../dev/stack/jvm/cache.js'
import { isAlive } from '../../dev/work-directory.js'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dlrmo-test-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

describe('the environment', () => {
  it('is left alone when it names neither broker nor registry', async () => {
    expect(await stackFromEnvironment({})).toBeUndefined()
  })

  it('must name both, and be right', async () => {
    await expect(stackFromEnvironment({ KAFKA_BROKERS: '127.0.0.1:9' })).rejects.toThrow(
      /SCHEMA_REGISTRY_URL is not: set both/,
    )
    await expect(stackFromEnvironment({ SCHEMA_REGISTRY_URL: 'http://127.0.0.1:9' })).rejects.toThrow(
      /KAFKA_BROKERS is not/,
    )
  })
})

describe('the cache', () => {
  beforeEach(() => {
    vi.stubEnv('XDG_CACHE_HOME', folder)
  })
  afterEach(() => {
    vi.unstubAllEnvs()
  })

  it('never shows what was not finished', async () => {
    const broken = cached('thing-1', async (unfinished) => {
      await writeFile(join(unfinished, 'half'), '')
      throw new Error('the line went dead')
    })
    await expect(broken).rejects.toThrow('the line went dead')
    expect(await readdir(join(folder, 'dlr-mo-connector'))).toEqual([])
  })

  it('may be filled by two at once, and is filled once for all who come later', async () => {
    let fills = 0
    const fill = async (unfinished: string): Promise<void> => {
      fills += 1
      await writeFile(join(unfinished, 'whole'), String(fills))
    }
    const [one, other] = await Promise.all([cached('thing-1', fill), cached('thing-1', fill)])
    expect(one).toBe(other)
    await cached('thing-1', fill)
    expect(fills).toBe(2)
    expect(await readdir(join(folder, 'dlr-mo-connector'))).toEqual(['thing-1'])
    expect(await readdir(one)).toEqual(['whole'])
  })
})

describe('a guarded child', () => {
  it('tells its exit code', async () => {
    const child = await spawnGuarded('sh', ['-c', 'exit 7'], { log: join(folder, 'log') })
    expect(await child.exited).toBe(7)
    expect(child.exitCode).toBe(7)
  })

  it('can be killed', async () => {
    const child = await spawnGuarded('sleep', ['600'], { log: join(folder, 'log') })
    child.signal('SIGKILL')
    expect(await child.exited).toBe(137)
    expect(isAlive(child.pid)).toBe(false)
  })

  it('ends with its parent, even when that is killed', async () => {
    const program = `
      import { spawnGuarded } from ${JSON.stringify(fileURLToPath(new URL('../../dev/guarded-child.ts', import.meta.url)))}
      const child = await spawnGuarded('sleep', ['600'], { log: ${JSON.stringify(join(folder, 'log'))} })
      console.log(child.pid)`
    const arguments_ = ['--import', 'tsx', '--input-type=module', '--eval', program]
    const parent = spawn(process.execPath, arguments_, { stdio: ['ignore', 'pipe', 'inherit'] })
    const pid = await new Promise<number>((resolve) =>
      createInterface({ input: parent.stdout }).once('line', (line) => resolve(Number(line))),
    )
    expect(isAlive(pid)).toBe(true)
    parent.kill('SIGKILL')
    await expect.poll(() => isAlive(pid), { timeout: 10_000 }).toBe(false)
  })
})
