import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { request } from 'undici'
import { turnUntil } from '../support/event-loop.js'
import { RawConnection } from '../support/raw-http.js'
import { callbackSource, closeNow, startCallbackServer, type TestedCallbackServer } from '../support/callback-server.js'

/** `bodyLimit` of the server in these tests. */
const BODY_LIMIT_BYTES = 1024 * 1024
let tested: TestedCallbackServer
const connections: RawConnection[] = []

const connected = async (): Promise<RawConnection> => {
  const connection = await RawConnection.open(tested.port)
  connections.push(connection)
  return connection
}

beforeEach(async () => {
  tested = await startCallbackServer([
    callbackSource('open', { open: true }),
    callbackSource('guarded', { token: 's3cret' }),
  ])
})

afterEach(async () => {
  for (const connection of connections.splice(0)) connection.close()
  await closeNow(tested)
})

describe('CallbackServer limiting bodies', () => {
  it('accepts a body of exactly bodyLimit bytes', async () => {
    const { statusCode } = await request(`${tested.origin}/callbacks/open`, {
      method: 'POST',
      body: Buffer.alloc(BODY_LIMIT_BYTES),
    })
    expect(statusCode).toBe(200)
    expect(tested.journal.entries[0]?.body.byteLength).toBe(BODY_LIMIT_BYTES)
  })

  it.each([
    ['declared', BODY_LIMIT_BYTES + 1],
    ['declared', 10 * BODY_LIMIT_BYTES],
    ['chunked', BODY_LIMIT_BYTES + 1],
    ['chunked', 10 * BODY_LIMIT_BYTES],
  ])(
    'answers a %s body of %i bytes with 413, which reaches a caller that first sends everything',
    async (form, length) => {
      const connection = await connected()
      const head = form === 'declared' ? `content-length: ${length}` : 'transfer-encoding: chunked'
      await connection.sendAndFlush(`POST /callbacks/open HTTP/1.1\r\nhost: x\r\n${head}\r\n\r\n`)
      const piece = Buffer.alloc(64 * 1024 - 1, 'x')
      for (let left = length; left > 0; left -= piece.length) {
        const part = piece.subarray(0, Math.min(left, piece.length))
        if (form === 'chunked') await connection.sendAndFlush(`${part.length.toString(16)}\r\n`)
        await connection.sendAndFlush(part)
        if (form === 'chunked') await connection.sendAndFlush('\r\n')
      }
      if (form === 'chunked') await connection.sendAndFlush('0\r\n\r\n')
      expect(connection.error).toBeUndefined()
      const answer = await connection.readAnswer()
      expect(answer.status).toBe(413)
      expect(answer.headers['content-length']).toBe('0')
      expect(await connection.untilEnded()).toBe('')
      expect(connection.error).toBeUndefined()
      expect(tested.journal.attempts).toBe(0)
    },
  )

  it('refuses a body that is too large before a caller with 100-continue sends it', async () => {
    const connection = await connected()
    connection.send(
      `POST /callbacks/open HTTP/1.1\r\nhost: x\r\ncontent-length: ${10 * BODY_LIMIT_BYTES}\r\nexpect: 100-continue\r\n\r\n`,
    )
    expect((await connection.readAnswer()).status).toBe(413)
  })

  it('counts one answer for a request whose body breaks after it was refused', async () => {
    const connection = await connected()
    const head = 'POST /callbacks/guarded/x HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n'
    await connection.sendAndFlush(head)
    expect((await connection.readAnswer()).status).toBe(401)
    connection.send('no size of a chunk\r\n')
    await connection.untilEnded()
    expect(tested.observer.answers).toEqual(['guarded 401'])
  })

  it('answers a wrong token with 401 although the body is too large', async () => {
    const connection = await connected()
    await connection.sendAndFlush(
      `POST /callbacks/guarded/x HTTP/1.1\r\nhost: x\r\ncontent-length: ${4 * BODY_LIMIT_BYTES}\r\n\r\n`,
    )
    await connection.sendAndFlush(Buffer.alloc(4 * BODY_LIMIT_BYTES))
    expect((await connection.readAnswer()).status).toBe(401)
    expect(connection.error).toBeUndefined()
  })
})

describe('CallbackServer limiting request line and headers to 64 KiB', () => {
  it.each([
    ['a long target', () => `GET /callbacks/open?a=${'x'.repeat(70_000)} HTTP/1.1\r\nhost: x\r\n\r\n`],
    ['one long header', () => `GET /callbacks/open HTTP/1.1\r\nhost: x\r\nlong: ${'x'.repeat(70_000)}\r\n\r\n`],
    [
      'many headers',
      () => `GET /callbacks/open HTTP/1.1\r\nhost: x\r\n${'header: 0123456789abcdef\r\n'.repeat(4_000)}\r\n`,
    ],
    [
      'a megabyte of headers',
      () => `GET /callbacks/open HTTP/1.1\r\nhost: x\r\nlong: ${'x'.repeat(1_000_000)}\r\n\r\n`,
    ],
    ['headers without an end', () => `GET /callbacks/open HTTP/1.1\r\nhost: x\r\nlong: ${'x'.repeat(500_000)}`],
  ])('answers with 413: %s', async (_name, sent) => {
    const connection = await connected()
    await connection.sendAndFlush(sent())
    const answer = await connection.readAnswer()
    expect(answer.status).toBe(413)
    expect(answer.headers['connection']).toBe('close')
    await connection.untilEnded()
    expect(connection.error).toBeUndefined()
    expect(tested.observer.answers).toEqual([' 413'])
    expect(tested.journal.attempts).toBe(0)
  })

  it('accepts a request that is a little shorter', async () => {
    const connection = await connected()
    connection.send(`GET /callbacks/open?a=${'x'.repeat(60_000)} HTTP/1.1\r\nhost: x\r\n\r\n`)
    expect((await connection.readAnswer()).status).toBe(200)
  })
})

describe('CallbackServer receiving bytes that are not HTTP', () => {
  it.each([
    ['a greeting', 'HELO there\r\n\r\n'],
    ['two lengths', 'POST /callbacks/open HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab'],
    [
      'a length and chunks',
      'POST /callbacks/open HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['a broken chunk', 'POST /callbacks/open HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nab'],
  ])('answers with 400 and closes the connection: %s', async (_name, sent) => {
    const connection = await connected()
    connection.send(sent)
    expect((await connection.readAnswer()).status).toBe(400)
    await connection.untilEnded()
    expect(tested.journal.attempts).toBe(0)
    expect(tested.observer.answers).toEqual([' 400'])
  })

  it('sends the 400 after the answers to all earlier requests of the connection', async () => {
    const connection = await connected()
    const acceptFirst = tested.journal.hold()
    connection.send('GET /callbacks/open?n=1 HTTP/1.1\r\nhost: x\r\n\r\n')
    await turnUntil(() => tested.journal.attempts === 1)
    const acceptSecond = tested.journal.hold()
    connection.send('GET /callbacks/open?n=2 HTTP/1.1\r\nhost: x\r\n\r\nHELO there\r\n\r\n')
    await turnUntil(() => tested.journal.attempts === 2)
    acceptFirst()
    expect((await connection.readAnswer()).status).toBe(200)
    acceptSecond()
    expect((await connection.readAnswer()).status).toBe(200)
    expect((await connection.readAnswer()).status).toBe(400)
  })

  it('goes on serving other connections', async () => {
    for (let i = 0; i < 20; i++) {
      const connection = await connected()
      connection.send(Buffer.from([i, 255, 22, 3, 1]))
      connection.socket.resetAndDestroy()
    }
    expect((await request(`${tested.origin}/callbacks/open`)).statusCode).toBe(200)
  })
})
