import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { request } from 'undici'
import { RawConnection } from '../support/raw-http.js'
import { startCallbacks, type TestedCallbacks } from '../support/callback-server.js'

const LIMIT = 1024 * 1024
let tested: TestedCallbacks
const connections: RawConnection[] = []

const connected = async (): Promise<RawConnection> => {
  const connection = await RawConnection.to(tested.port)
  connections.push(connection)
  return connection
}

beforeEach(async () => {
  tested = await startCallbacks([
    { source: 'open', provider: 'seven', open: true },
    { source: 'guarded', provider: 'seven', token: 's3cret' },
  ])
})

afterEach(async () => {
  for (const connection of connections.splice(0)) connection.close()
  const closed = tested.server.close(0)
  await tested.clock.advance(0)
  await closed
})

describe('a body over bodyLimit', () => {
  it('of exactly the limit is taken', async () => {
    const { statusCode } = await request(`${tested.origin}/callbacks/open`, {
      method: 'POST',
      body: Buffer.alloc(LIMIT),
    })
    expect(statusCode).toBe(200)
    expect(tested.journal.entries[0]?.body.byteLength).toBe(LIMIT)
  })

  it.each([
    ['declared', LIMIT + 1],
    ['declared', 10 * LIMIT],
    ['chunked', LIMIT + 1],
    ['chunked', 10 * LIMIT],
  ])('%s, %i bytes, gets 413, and the caller reads it although it sends everything first', async (form, length) => {
    const connection = await connected()
    const head = form === 'declared' ? `content-length: ${length}` : 'transfer-encoding: chunked'
    await connection.sent(`POST /callbacks/open HTTP/1.1\r\nhost: x\r\n${head}\r\n\r\n`)
    const piece = Buffer.alloc(64 * 1024 - 1, 'x')
    for (let left = length; left > 0; left -= piece.length) {
      const part = piece.subarray(0, Math.min(left, piece.length))
      if (form === 'chunked') await connection.sent(`${part.length.toString(16)}\r\n`)
      await connection.sent(part)
      if (form === 'chunked') await connection.sent('\r\n')
    }
    if (form === 'chunked') await connection.sent('0\r\n\r\n')
    expect(connection.failed).toBeUndefined()
    const answer = await connection.answer()
    expect(answer.status).toBe(413)
    expect(answer.headers['content-length']).toBe('0')
    expect(await connection.ended()).toBe('')
    expect(connection.failed).toBeUndefined()
    expect(tested.journal.attempts).toBe(0)
  })

  it('is refused before it is sent to a caller that asks with 100-continue', async () => {
    const connection = await connected()
    connection.send(
      `POST /callbacks/open HTTP/1.1\r\nhost: x\r\ncontent-length: ${10 * LIMIT}\r\nexpect: 100-continue\r\n\r\n`,
    )
    expect((await connection.answer()).status).toBe(413)
  })

  it('is no way to keep a wrong token from its 401', async () => {
    const connection = await connected()
    await connection.sent(`POST /callbacks/guarded/x HTTP/1.1\r\nhost: x\r\ncontent-length: ${4 * LIMIT}\r\n\r\n`)
    await connection.sent(Buffer.alloc(4 * LIMIT))
    expect((await connection.answer()).status).toBe(401)
    expect(connection.failed).toBeUndefined()
  })
})

describe('request line and headers over 64 KiB', () => {
  it.each([
    ['a long target', () => `GET /callbacks/open?a=${'x'.repeat(70_000)} HTTP/1.1\r\nhost: x\r\n\r\n`],
    ['one long header', () => `GET /callbacks/open HTTP/1.1\r\nhost: x\r\nlong: ${'x'.repeat(70_000)}\r\n\r\n`],
    [
      'many headers',
      () => `GET /callbacks/open HTTP/1.1\r\nhost: x\r\n${'header: 0123456789abcdef\r\n'.repeat(4_000)}\r\n`,
    ],
    ['a megabyte of them', () => `GET /callbacks/open HTTP/1.1\r\nhost: x\r\nlong: ${'x'.repeat(1_000_000)}\r\n\r\n`],
    ['no end to them', () => `GET /callbacks/open HTTP/1.1\r\nhost: x\r\nlong: ${'x'.repeat(500_000)}`],
  ])('get 413: %s', async (_name, sent) => {
    const connection = await connected()
    await connection.sent(sent())
    const answer = await connection.answer()
    expect(answer.status).toBe(413)
    expect(answer.headers['connection']).toBe('close')
    await connection.ended()
    expect(connection.failed).toBeUndefined()
    expect(tested.observer.answers).toEqual([' 413'])
    expect(tested.journal.attempts).toBe(0)
  })

  it('are taken up to nearly that', async () => {
    const connection = await connected()
    connection.send(`GET /callbacks/open?a=${'x'.repeat(60_000)} HTTP/1.1\r\nhost: x\r\n\r\n`)
    expect((await connection.answer()).status).toBe(200)
  })
})

describe('what is not HTTP', () => {
  it.each([
    ['a greeting', 'HELO there\r\n\r\n'],
    ['two lengths', 'POST /callbacks/open HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab'],
    [
      'a length and chunks',
      'POST /callbacks/open HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['a broken chunk', 'POST /callbacks/open HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nab'],
  ])('gets 400, and the connection is closed: %s', async (_name, sent) => {
    const connection = await connected()
    connection.send(sent)
    expect((await connection.answer()).status).toBe(400)
    await connection.ended()
    expect(tested.journal.attempts).toBe(0)
    expect(tested.observer.answers).toEqual([' 400'])
  })

  it('does not overtake the answer to a request before it on the same connection', async () => {
    const letGo = tested.journal.hold()
    const connection = await connected()
    connection.send('GET /callbacks/open?a=1 HTTP/1.1\r\nhost: x\r\n\r\n' + 'HELO there\r\n\r\n')
    while (tested.journal.attempts === 0) await new Promise((resolve) => setImmediate(resolve))
    letGo()
    expect((await connection.answer()).status).toBe(200)
    expect((await connection.answer()).status).toBe(400)
  })

  it('leaves the server at work', async () => {
    for (let i = 0; i < 20; i++) {
      const connection = await connected()
      connection.send(Buffer.from([i, 255, 22, 3, 1]))
      connection.socket.resetAndDestroy()
    }
    expect((await request(`${tested.origin}/callbacks/open`)).statusCode).toBe(200)
  })
})
