import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { connectionsWithin, readOpenFilesLimit } from '../../src/app/file-handles.js'
import type { CallbackServerOptions } from '../../src/callbacks/callback-server.js'
import { turnUntil } from '../support/event-loop.js'
import { RawConnection } from '../support/raw-http.js'
import { callbackSource, closeNow, startCallbackServer, type TestedCallbackServer } from '../support/callback-server.js'

const running: TestedCallbackServer[] = []
const connections: RawConnection[] = []

const start = async (options: Partial<CallbackServerOptions> = {}): Promise<TestedCallbackServer> => {
  const tested = await startCallbackServer([callbackSource('guarded', { token: 's3cret' })], {
    maxConnections: 16,
    ...options,
  })
  running.push(tested)
  return tested
}

/** Opens connections, each once the server has taken the one before, from addresses of the loopback network. */
const connect = async (tested: TestedCallbackServer, count: number, from = '127.0.0.1'): Promise<RawConnection[]> => {
  const opened = []
  for (let at = 0; at < count; at++) {
    const accepted = (): number => tested.server.usage().connections + tested.observer.refusals.length
    const before = accepted()
    const connection = await RawConnection.open(tested.port, from)
    connections.push(connection)
    opened.push(connection)
    await turnUntil(() => accepted() > before)
  }
  return opened
}

const GET = 'GET /callbacks/guarded/s3cret HTTP/1.1\r\nhost: x\r\n\r\n'

/** Proves on each connection who its caller is. */
const prove = async (opened: readonly RawConnection[]): Promise<void> => {
  for (const connection of opened) {
    connection.send(GET)
    expect((await connection.readAnswer()).status).toBe(200)
  }
}

afterEach(async () => {
  for (const connection of connections.splice(0)) connection.close()
  for (const tested of running.splice(0)) await closeNow(tested)
})

describe('CallbackServer with as many connections as callbacks.maxConnections', () => {
  it('answers a new caller, and refuses with 429 the oldest connection of the caller who holds the most', async () => {
    const tested = await start({ maxConnections: 64 })
    const [first] = await connect(tested, 4, '127.0.0.3')
    const [stranger] = await connect(tested, 8, '127.0.0.2')
    for (let at = 4; at < 4 + 13; at++) await connect(tested, 4, `127.0.0.${at}`)
    expect(tested.server.usage().connections).toBe(64)
    const [newcomer] = await connect(tested, 1, '127.0.0.99')
    await prove([newcomer!])
    const refused = await stranger!.readAnswer()
    expect(refused).toMatchObject({ status: 429, headers: { 'retry-after': '10', connection: 'close' } })
    await prove([first!])
    expect(tested.observer.refusals).toEqual([' 429 too-many-connections'])
    expect(tested.server.usage().connections).toBe(64)
  })

  it('takes from one address no more than an eighth of them while it proves nothing', async () => {
    const tested = await start({ maxConnections: 64 })
    const opened = await connect(tested, 9)
    expect((await opened[0]!.readAnswer()).status).toBe(429)
    await prove(opened.slice(1))
    expect((await connect(tested, 8)).length).toBe(8)
    expect(tested.observer.refusals).toHaveLength(1)
  })

  it('closes a connection with a proved caller only if it is idle, and else the new one', async () => {
    const tested = await start()
    const proved = []
    for (let at = 0; at < 16; at++) proved.push(...(await connect(tested, 1, `127.0.0.${at + 2}`)))
    await prove(proved)
    const [refused] = await connect(tested, 1, '127.0.0.99')
    expect((await refused!.readAnswer()).status).toBe(429)
    await tested.clock.advance(5_000)
    await prove(proved.slice(1))
    const [newcomer] = await connect(tested, 1, '127.0.0.99')
    await prove([newcomer!])
    await proved[0]!.untilEnded()
    await prove(proved.slice(1))
  })

  it('does not close a connection whose callback is on its way to the disk', async () => {
    const tested = await start()
    const release = tested.journal.hold()
    const waiting = []
    for (let at = 0; at < 16; at++) waiting.push(...(await connect(tested, 1, `127.0.0.${at + 2}`)))
    for (const connection of waiting) connection.send(GET)
    await turnUntil(() => tested.journal.attempts === 16)
    await tested.clock.advance(60_000)
    const [refused] = await connect(tested, 1, '127.0.0.99')
    expect((await refused!.readAnswer()).status).toBe(429)
    release()
    for (const connection of waiting) expect((await connection.readAnswer()).status).toBe(200)
  })

  it('answers a slow sender of headers that gives way', async () => {
    const tested = await start({ maxConnections: 64 })
    const [slow] = await connect(tested, 1)
    await slow!.sendAndFlush('GET /callbacks/guarded/s3cret HTTP/1.1\r\nhost: x\r\nx: ')
    await connect(tested, 8)
    expect((await slow!.readAnswer()).status).toBe(429)
    await slow!.untilEnded()
    expect(tested.journal.attempts).toBe(0)
  })
})

describe('CallbackServer with TLS and as many connections as callbacks.maxConnections', () => {
  let folder: string
  let tls: { cert: string; key: string }

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'callback-connections-'))
    const files = ['-keyout', 'server.key', '-out', 'server.pem', '-subj', '/CN=server']
    const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
    execFileSync('openssl', ['req', '-x509', ...ec, ...files], { cwd: folder, stdio: 'pipe' })
    tls = {
      cert: readFileSync(join(folder, 'server.pem'), 'utf8'),
      key: readFileSync(join(folder, 'server.key'), 'utf8'),
    }
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it('closes connections that never finish the handshake, and keeps the one that has proved something', async () => {
    const tested = await start({ tls, maxConnections: 64 })
    const agentOptions = { ca: tls.cert, checkServerIdentity: () => undefined }
    const call = (): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        request(`${tested.origin}/callbacks/guarded/s3cret`, agentOptions, (answer) => {
          answer.resume().once('end', () => resolve(answer.statusCode))
        })
          .once('error', reject)
          .end()
      })
    expect(await call()).toBe(200)
    const silent = await connect(tested, 12)
    for (const connection of silent.slice(0, 4)) await connection.untilEnded()
    expect(await call()).toBe(200)
  })
})

describe('The connections that the limit of open files allows', () => {
  it('are those of callbacks.maxConnections where enough files may be open, or the limit is not known', () => {
    expect(connectionsWithin(10_000, 1_048_576)).toBe(10_000)
    expect(connectionsWithin(10_000, undefined)).toBe(10_000)
  })

  it('leave file handles for probes, the journal and brokers', () => {
    expect(connectionsWithin(10_000, 4_096)).toBe(3_584)
    expect(connectionsWithin(10_000, 256)).toBe(128)
    expect(connectionsWithin(100, 1_024)).toBe(100)
  })

  it('are read from the limits of this process', () => {
    const limit = readOpenFilesLimit()
    if (process.platform === 'linux') expect(limit).toBeGreaterThan(0)
    expect(readOpenFilesLimit('/does/not/exist')).toBeUndefined()
  })
})
