import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { Agent, request } from 'undici'
import { turnUntil } from '../support/event-loop.js'
import { RawConnection } from '../support/raw-http.js'
import { closeNow, OPEN_SOURCE, startCallbackServer, type TestedCallbackServer } from '../support/callback-server.js'

const running: TestedCallbackServer[] = []
const start = async (...given: Parameters<typeof startCallbackServer>): Promise<TestedCallbackServer> => {
  const tested = await startCallbackServer(...given)
  running.push(tested)
  return tested
}

afterEach(async () => {
  for (const tested of running.splice(0)) await closeNow(tested)
})

const GET = 'GET /callbacks/seven-main?a=1 HTTP/1.1\r\nhost: x\r\n\r\n'

describe('CallbackServer.close', () => {
  it('answers the request that has arrived, closes its connection, and accepts no new one', async () => {
    const tested = await start()
    const release = tested.journal.hold()
    const connection = await RawConnection.open(tested.port)
    connection.send(GET)
    await turnUntil(() => tested.journal.attempts > 0)
    const closed = tested.server.close(10_000)
    await expect(RawConnection.open(tested.port)).rejects.toThrow('ECONNREFUSED')
    release()
    const answer = await connection.readAnswer()
    expect(answer.status).toBe(200)
    expect(answer.headers['connection']).toBe('close')
    await connection.untilEnded()
    await closed
    expect(tested.journal.entries).toHaveLength(1)
  })

  it('closes idle connections at once', async () => {
    const tested = await start()
    const connection = await RawConnection.open(tested.port)
    connection.send(GET)
    await connection.readAnswer()
    const closed = tested.server.close(10_000)
    await connection.untilEnded()
    await closed
  })

  it('closes connections with unfinished requests after the grace period', async () => {
    const tested = await start()
    const connection = await RawConnection.open(tested.port)
    await connection.sendAndFlush('POST /callbacks/seven-main HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf')
    // The server has accepted the connection once it has answered on one that was opened after it.
    await request(`${tested.origin}/callbacks/seven-main`, { reset: true })
    const closed = tested.server.close(10_000)
    await tested.clock.advance(10_000)
    await closed
    await connection.untilEnded()
    expect(tested.journal.attempts).toBe(1)
  })

  it('still accepts callbacks after drain(), and closes each connection after its next answer', async () => {
    const tested = await start()
    const connection = await RawConnection.open(tested.port)
    connection.send(GET)
    expect((await connection.readAnswer()).headers['connection']).toBe('keep-alive')
    tested.server.drain()
    connection.send(GET)
    const answer = await connection.readAnswer()
    expect([answer.status, answer.headers['connection']]).toEqual([200, 'close'])
    await connection.untilEnded()
    expect((await request(`${tested.origin}/callbacks/seven-main`)).statusCode).toBe(200)
  })
})

describe('CallbackServer.listen', () => {
  it('rejects with the port, the cause and the configuration key if the port can not be opened', async () => {
    const { port } = await start()
    await expect(start([OPEN_SOURCE], { port })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining(`callbacks.port: can't listen on 127.0.0.1:${port}: it is in use`) as string,
    })
    await expect(start([OPEN_SOURCE], { host: '192.0.2.1' })).rejects.toThrow('callbacks.host')
  })
})

describe('CallbackServer with TLS', () => {
  let folder: string
  const pem = (name: string): string => readFileSync(join(folder, name), 'utf8')
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' })
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'callback-tls-'))
    openssl('req', '-x509', ...ec, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=ca')
    for (const name of ['server', 'client']) {
      openssl('req', ...ec, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`)
      openssl(
        'x509',
        '-req',
        '-in',
        `${name}.csr`,
        '-CA',
        'ca.pem',
        '-CAkey',
        'ca.key',
        '-CAcreateserial',
        '-days',
        '2',
        '-out',
        `${name}.pem`,
      )
    }
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it('serves HTTPS, and with clientCa accepts only callers with a certificate of that authority', async () => {
    const server = { cert: pem('server.pem'), key: pem('server.key') }
    const plain = await start([OPEN_SOURCE], { tls: server })
    const mutual = await start([OPEN_SOURCE], { tls: { ...server, clientCa: pem('ca.pem') } })
    const agent = (connect: object): Agent =>
      new Agent({ connect: { ca: pem('ca.pem'), checkServerIdentity: () => undefined, ...connect } })
    const stranger = agent({})
    const known = agent({ cert: pem('client.pem'), key: pem('client.key') })
    const path = '/callbacks/seven-main'
    expect((await request(plain.origin + path, { dispatcher: stranger })).statusCode).toBe(200)
    expect((await request(mutual.origin + path, { dispatcher: known })).statusCode).toBe(200)
    await expect(request(mutual.origin + path, { dispatcher: stranger })).rejects.toThrow()
    expect(mutual.journal.attempts).toBe(1)
    await Promise.all([stranger.destroy(), known.destroy()])
  })
})
