/** `run` with a reader of standard output and standard error that takes nothing. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { stringify } from 'yaml'
import { freePort } from '../../dev/ports.js'
import { until } from '../../dev/wait.js'
import { UnreadPipe } from '../support/unread-pipe.js'

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
/** Node.js needs most of this to start on a busy machine. The waits of the connector itself are configured to be short. */
const ENDS_WITHIN_MS = 60_000
vi.setConfig({ testTimeout: 150_000 })

let folder: string
let pipe: UnreadPipe
let child: ChildProcess | undefined
let callbacksPort: number
let adminPort: number

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dlrmo-unread-'))
  pipe = UnreadPipe.create(folder)
  callbacksPort = await freePort()
  adminPort = await freePort()
})
afterEach(async () => {
  if (child?.exitCode === null && child.signalCode === null) {
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  child = undefined
  pipe.close()
  await rm(folder, { recursive: true, force: true })
})

async function configure(level: string): Promise<void> {
  const configuration = {
    instance: 'unread',
    kafka: { brokers: [`127.0.0.1:${await freePort()}`], requestTimeout: '500ms' },
    registry: { url: `http://127.0.0.1:${await freePort()}` },
    journal: { directory: 'journal' },
    callbacks: { host: '127.0.0.1', port: callbacksPort },
    admin: { port: adminPort },
    shutdownGrace: '500ms',
    log: { level },
    sources: { seven: { provider: 'seven', callback: { token: 'secret-token' } } },
  }
  await writeFile(join(folder, 'connector.yaml'), stringify(configuration))
}

function start(...args: string[]): ChildProcess {
  child = spawn(
    process.execPath,
    ['--import', import.meta.resolve('tsx'), MAIN, 'run', '--config', 'connector.yaml', ...args],
    {
      cwd: folder,
      stdio: ['ignore', pipe.writeEnd, pipe.writeEnd],
    },
  )
  return child
}

/** The exit code, or `running` if the process has not ended within the time that it may take. */
async function exitCode(process: ChildProcess): Promise<unknown> {
  await until(() => process.exitCode !== null || process.signalCode !== null, ENDS_WITHIN_MS).catch(() => undefined)
  return process.exitCode ?? process.signalCode ?? 'running'
}

const isReady = (): Promise<boolean> =>
  fetch(`http://127.0.0.1:${adminPort}/readyz`).then(
    ({ status }) => status === 200,
    () => false,
  )

const linesOf = (text: string): { msg: string; lines?: number }[] =>
  text
    .trim()
    .split('\n')
    .filter((line) => line.trim().startsWith('{'))
    .map((line) => JSON.parse(line) as { msg: string })

describe('run, while nobody reads standard output and standard error', () => {
  it.each(['info', 'debug'])('takes callbacks, is live, and ends on SIGTERM, at level %s', async (level) => {
    await configure(level)
    pipe.fill()
    const process = start()
    await until(isReady)
    for (let number = 0; number < 200; number++) {
      const url = `http://127.0.0.1:${callbacksPort}/callbacks/seven/secret-token?msg_id=m-${number}&status=DELIVERED`
      expect((await fetch(url, { signal: AbortSignal.timeout(5_000) })).status).toBe(200)
    }
    const livez = await fetch(`http://127.0.0.1:${adminPort}/livez`, { signal: AbortSignal.timeout(5_000) })
    expect(livez.status).toBe(200)
    process.kill('SIGTERM')
    expect(await exitCode(process)).toBe(0)
  })

  it('loses no line when the pipe is read again, and writes the last lines before it exits', async () => {
    await configure('info')
    pipe.fill()
    const process = start()
    await until(isReady)
    await pipe.readUntil((text) => text.includes('the connector is running'))
    process.kill('SIGTERM')
    expect(await exitCode(process)).toBe(0)
    const messages = linesOf(await pipe.readUntil(() => true)).map(({ msg }) => msg)
    expect(messages[0]).toBe('the connector is running')
    expect(messages).toContain('received SIGTERM, stopping')
    expect(messages.at(-1)).toBe('the connector has stopped')
  })

  it('exports how many lines were dropped', async () => {
    await configure('info')
    start()
    await until(isReady)
    const metrics = await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text()
    expect(metrics).toMatch(/^dlrmo_log_lines_dropped_total 0$/m)
  })

  it('ends with 2 if its configuration is wrong', async () => {
    await writeFile(join(folder, 'connector.yaml'), 'kafka: {}\n')
    pipe.fill()
    expect(await exitCode(start('--json'))).toBe(2)
  })

  it('ends with 2 if a port is in use', async () => {
    const occupied = createServer().listen(0, '127.0.0.1')
    await once(occupied, 'listening')
    callbacksPort = (occupied.address() as AddressInfo).port
    try {
      await configure('debug')
      pipe.fill()
      expect(await exitCode(start())).toBe(2)
    } finally {
      occupied.close()
    }
  })
})
