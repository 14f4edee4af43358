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

describe('stackFromEnvironment', () => {
  it('returns undefined if neither broker nor registry is named', async () => {
    expect(await stackFromEnvironment({})).toBeUndefined()
  })

  it('rejects an environment that names only one of broker and registry', async () => {
    await expect(stackFromEnvironment({ KAFKA_BROKERS: '127.0.0.1:9' })).rejects.toThrow(
      /SCHEMA_REGISTRY_URL is not\. Set both/,
    )
    await expect(stackFromEnvironment({ SCHEMA_REGISTRY_URL: 'http://127.0.0.1:9' })).rejects.toThrow(
      /KAFKA_BROKERS is not\. Set both/,
    )
  })
})

describe('The cache of downloads', () => {
  beforeEach(() => {
    vi.stubEnv('XDG_CACHE_HOME', folder)
  })
  afterEach(() => {
    vi.unstubAllEnvs()
  })

  it('does not expose an unfinished download', async () => {
    const broken = cached('thing-1', async (unfinished) => {
      await writeFile(join(unfinished, 'half'), '')
      throw new Error('download interrupted')
    })
    await expect(broken).rejects.toThrow('download interrupted')
    expect(await readdir(join(folder, 'dlr-mo-connector'))).toEqual([])
  })

  it('may be filled by two callers at the same time, and is not filled again afterwards', async () => {
    let fills = 0
    const fill = async (unfinished: string): Promise<void> => {
      fills += 1
      await writeFile(join(unfinished, 'whole'), String(fills))
    }
    const [first, second] = await Promise.all([cached('thing-1', fill), cached('thing-1', fill)])
    expect(first).toBe(second)
    await cached('thing-1', fill)
    expect(fills).toBe(2)
    expect(await readdir(join(folder, 'dlr-mo-connector'))).toEqual(['thing-1'])
    expect(await readdir(first)).toEqual(['whole'])
  })
})

describe('A guarded child', () => {
  it('reports its exit code', async () => {
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

  it('ends with its parent, even if the parent is killed', async () => {
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
