import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { Agent, request } from 'undici'
import { RawConnection } from '../support/raw-http.js'
import { OPEN, startCallbacks, type TestedCallbacks } from '../support/callback-server.js'

const running: TestedCallbacks[] = []
const start = async (...given: Parameters<typeof startCallbacks>): Promise<TestedCallbacks> => {
  const tested = await startCallbacks(...given)
  running.push(tested)
  return tested
}

afterEach(async () => {
  for (const { server, clock } of running.splice(0)) {
    const closed = server.close(0).catch(() => {})
    await clock.advance(0)
    await closed
  }
})

const GET = 'GET /callbacks/seven-main?a=1 HTTP/1.1\r\nhost: x\r\n\r\n'

describe('closing', () => {
  it('answers the request that is here, then closes its connection, and takes no new ones', async () => {
    const tested = await start()
    const letGo = tested.journal.hold()
    const connection = await RawConnection.to(tested.port)
    connection.send(GET)
    while (tested.journal.attempts === 0) await new Promise((resolve) => setImmediate(resolve))
    const closed = tested.server.close(10_000)
    await expect(RawConnection.to(tested.port)).rejects.toThrow('ECONNREFUSED')
    letGo()
    const answer = await connection.answer()
    expect(answer.status).toBe(200)
    expect(answer.headers['connection']).toBe('close')
    await connection.ended()
    await closed
    expect(tested.journal.entries).toHaveLength(1)
  })

  it('closes idle connections at once', async () => {
    const tested = await start()
    const connection = await RawConnection.to(tested.port)
    connection.send(GET)
    await connection.answer()
    const closed = tested.server.close(10_000)
    await connection.ended()
    await closed
  })

  it('cuts what is not done after the grace', async () => {
    const tested = await start()
    const connection = await RawConnection.to(tested.port)
    await connection.sent('POST /callbacks/seven-main HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf')
    // The server has the connection once it has answered another one made after it.
    await request(`${tested.origin}/callbacks/seven-main`, { reset: true })
    const closed = tested.server.close(10_000)
    await tested.clock.advance(10_000)
    await closed
    await connection.ended()
    expect(tested.journal.attempts).toBe(1)
  })

  it('begins with sending callers to another connection while all is still taken', async () => {
    const tested = await start()
    const connection = await RawConnection.to(tested.port)
    connection.send(GET)
    expect((await connection.answer()).headers['connection']).toBe('keep-alive')
    tested.server.drain()
    connection.send(GET)
    const answer = await connection.answer()
    expect([answer.status, answer.headers['connection']]).toEqual([200, 'close'])
    await connection.ended()
    expect((await request(`${tested.origin}/callbacks/seven-main`)).statusCode).toBe(200)
  })
})

describe('a port that can not be opened', () => {
  it('is an error that names it and its key', async () => {
    const { port } = await start()
    await expect(start([OPEN], { port })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining(`callbacks.port: can't listen on 127.0.0.1:${port}: it is in use`) as string,
    })
    await expect(start([OPEN], { host: '192.0.2.1' })).rejects.toThrow('callbacks.host')
  })
})

describe('TLS', () => {
  let folder: string
  const pem = (name: string): Buffer => readFileSync(join(folder, name))
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

  it('serves, and with clientCa lets in only callers whose certificate it signed', async () => {
    const server = { cert: pem('server.pem'), key: pem('server.key') }
    const plain = await start([OPEN], { tls: server })
    const mutual = await start([OPEN], { tls: { ...server, clientCa: pem('ca.pem') } })
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
