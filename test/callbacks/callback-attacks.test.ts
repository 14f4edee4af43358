/** What callers can't do who have proved nothing: take the room of others, learn which sources exist, or be processed unanswered. */
import { afterEach, describe, expect, it } from 'vitest'
import { request } from 'undici'
import { sign } from '../support/seven-signature.js'
import type { CallbackServerOptions } from '../../src/callbacks/callback-server.js'
import type { Tracing } from '../../src/core/tracing.js'
import { turnUntil } from '../support/event-loop.js'
import { type RawAnswer, RawConnection } from '../support/raw-http.js'
import { callbackSource, closeNow, startCallbackServer, type TestedCallbackServer } from '../support/callback-server.js'

const BODY_LIMIT_BYTES = 1024 * 1024
const running: TestedCallbackServer[] = []
const connections: RawConnection[] = []

const start = async (options: Partial<CallbackServerOptions> = {}): Promise<TestedCallbackServer> => {
  const tested = await startCallbackServer(
    [
      callbackSource('signed', { signingKey: 'key', publicUrl: 'http://x' }),
      callbackSource('guarded', { token: 's3cret' }),
      callbackSource('open', { open: true }),
    ],
    options,
  )
  running.push(tested)
  return tested
}

const connect = async ({ port }: TestedCallbackServer): Promise<RawConnection> => {
  const connection = await RawConnection.open(port)
  connections.push(connection)
  return connection
}

afterEach(async () => {
  for (const connection of connections.splice(0)) connection.close()
  for (const tested of running.splice(0)) await closeNow(tested)
})

const seconds = ({ clock }: TestedCallbackServer): string => String(Math.floor(clock.now() / 1_000))

/** Headers of a signature that only the body shows to be forged. */
const forged = (tested: TestedCallbackServer): string =>
  `x-signature: ${'0'.repeat(64)}\r\nx-timestamp: ${seconds(tested)}\r\nx-nonce: n\r\n`

const signedHeaders = (tested: TestedCallbackServer, body: string, nonce: string): Record<string, string> => {
  const timestamp = seconds(tested)
  const url = 'http://x/callbacks/signed'
  const signature = sign('key', { timestamp, nonce, method: 'POST', url, body: Buffer.from(body) }).toString('hex')
  return { 'x-signature': signature, 'x-timestamp': timestamp, 'x-nonce': nonce }
}

/** The answer without its date. */
const comparable = ({ status, headers, body }: RawAnswer): object => ({
  status,
  headers: { ...headers, date: '' },
  body,
})

describe('CallbackServer receiving slow bodies of callers who have proved nothing', () => {
  it('takes the callbacks of other sources, and signed ones of the same source', async () => {
    const tested = await start()
    const head = `POST /callbacks/signed HTTP/1.1\r\nhost: x\r\ncontent-length: ${BODY_LIMIT_BYTES}\r\n${forged(tested)}\r\n`
    const almostAll = Buffer.alloc(BODY_LIMIT_BYTES - 1)
    const slow = await Promise.all(
      Array.from({ length: 70 }, async () => {
        const connection = await connect(tested)
        await connection.sendAndFlush(head)
        await connection.sendAndFlush(almostAll)
        return connection
      }),
    )
    const { body } = await request(`${tested.origin}/callbacks/guarded/s3cret`, { method: 'POST', body: 'x' })
    expect(await body.text()).toBe('')
    const signed = await request(`${tested.origin}/callbacks/signed`, {
      method: 'POST',
      body: 'y'.repeat(100_000),
      headers: signedHeaders(tested, 'y'.repeat(100_000), 'other'),
    })
    expect(signed.statusCode).toBe(200)
    await turnUntil(() => tested.observer.refusals.length > 0)
    expect(new Set(tested.observer.refusals)).toEqual(new Set(['signed 429 no-memory']))
    const displaced = await Promise.any(slow.map((connection) => connection.readAnswer()))
    expect(displaced.status).toBe(429)
    expect(displaced.headers).toMatchObject({ 'retry-after': '60', connection: 'close' })
    expect(tested.server.refusalReason()).toBeNull()
  })

  it('gives the room back when they go away', async () => {
    const tested = await start()
    const head = `POST /callbacks/signed HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n${forged(tested)}\r\nhalf`
    const connection = await connect(tested)
    await connection.sendAndFlush(head)
    await turnUntil(() => tested.server.usage().bodyBytes.unproved === 4)
    connection.close()
    await turnUntil(() => tested.server.usage().bodyBytes.unproved === 0)
  })
})

describe('CallbackServer when bodies that wait for the disk take all memory', () => {
  it('answers 503 and says why it is not ready, until a while after the last one', async () => {
    const tested = await start({ bodyLimit: 31 * BODY_LIMIT_BYTES })
    const release = tested.journal.hold()
    const sent = [1, 2].map(() =>
      request(`${tested.origin}/callbacks/open`, { method: 'POST', body: Buffer.alloc(31 * BODY_LIMIT_BYTES) }),
    )
    await turnUntil(() => tested.journal.attempts === 2)
    const refused = await connect(tested)
    await refused.sendAndFlush(
      `POST /callbacks/open HTTP/1.1\r\nhost: x\r\ncontent-length: ${4 * BODY_LIMIT_BYTES}\r\n\r\n`,
    )
    await refused.sendAndFlush(Buffer.alloc(4 * BODY_LIMIT_BYTES))
    expect((await refused.readAnswer()).status).toBe(503)
    expect(tested.server.refusalReason()).toContain('take all memory')
    release()
    await Promise.all(sent)
    await tested.clock.advance(5_000)
    expect(tested.server.refusalReason()).toBeNull()
  })
})

describe('CallbackServer asked about sources by callers who have proved nothing', () => {
  const answerTo = async (tested: TestedCallbackServer, head: string, body = Buffer.of()): Promise<RawAnswer> => {
    const connection = await connect(tested)
    await connection.sendAndFlush(head)
    if (body.length > 0) await connection.sendAndFlush(body)
    return connection.readAnswer()
  }

  it.each([
    ['a body over bodyLimit', `content-length: ${BODY_LIMIT_BYTES + 1}\r\n`],
    ['an endless body', 'transfer-encoding: chunked\r\n'],
    ['a body announced with 100-continue', 'content-length: 10\r\nexpect: 100-continue\r\n'],
    ['no body', ''],
  ])('answers %s without a signature as it answers for an unknown source', async (_name, headers) => {
    const tested = await start()
    const ask = (source: string): Promise<RawAnswer> =>
      answerTo(tested, `POST /callbacks/${source} HTTP/1.1\r\nhost: x\r\n${headers}\r\n`)
    const known = await ask('signed')
    expect(known.status).toBe(401)
    expect(comparable(known)).toEqual(comparable(await ask('unknown')))
  })

  it.each([
    ['declared', `content-length: ${BODY_LIMIT_BYTES + 1}`, Buffer.of()],
    [
      'chunked',
      'transfer-encoding: chunked',
      Buffer.concat([Buffer.from('200000\r\n'), Buffer.alloc(2 * BODY_LIMIT_BYTES), Buffer.from('\r\n0\r\n\r\n')]),
    ],
  ])('answers a %s body over bodyLimit with 401 although the signature looks right', async (_form, length, body) => {
    const tested = await start()
    const ask = (source: string): Promise<RawAnswer> =>
      answerTo(tested, `POST /callbacks/${source} HTTP/1.1\r\nhost: x\r\n${length}\r\n${forged(tested)}\r\n`, body)
    const known = await ask('signed')
    expect(known.status).toBe(401)
    expect(comparable(known)).toEqual(comparable(await ask('unknown')))
    expect(tested.observer.refusals).toContain('signed 401 body-too-large')
  })
})

const GET = 'GET /callbacks/open?a=1 HTTP/1.1\r\nhost: x\r\n\r\n'

describe('CallbackServer receiving a request behind an answer that announces the end of the connection', () => {
  const refusedBody = (path: string, headers = ''): string =>
    `POST ${path} HTTP/1.1\r\nhost: x\r\n${headers}content-length: 3\r\n\r\n`

  it.each([
    ['a wrong token', refusedBody('/callbacks/guarded/x')],
    ['an unknown source', refusedBody('/callbacks/unknown')],
    ['another path', refusedBody('/')],
    ['another method', 'PUT /callbacks/open HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\n'],
    ['a missing signature', refusedBody('/callbacks/signed')],
  ])('does not process it: %s', async (_name, refused) => {
    const tested = await start()
    const connection = await connect(tested)
    connection.send(`${refused}abc${GET}${GET}`)
    const answer = await connection.readAnswer()
    expect([answer.status >= 400, answer.headers['connection']]).toEqual([true, 'close'])
    expect(await connection.untilEnded()).toBe('')
    expect(tested.journal.attempts).toBe(0)
    expect(tested.observer.answers).toHaveLength(1)
  })

  it('does not process it after a body over bodyLimit', async () => {
    const tested = await start()
    const connection = await connect(tested)
    await connection.sendAndFlush(
      `POST /callbacks/open HTTP/1.1\r\nhost: x\r\ncontent-length: ${BODY_LIMIT_BYTES + 1}\r\n\r\n`,
    )
    await connection.sendAndFlush(Buffer.alloc(BODY_LIMIT_BYTES + 1))
    await connection.sendAndFlush(GET)
    expect((await connection.readAnswer()).status).toBe(413)
    expect(await connection.untilEnded()).toBe('')
    expect(tested.journal.attempts).toBe(0)
  })

  it.each([
    ['HTTP/1.1 with connection: close', 'GET /callbacks/open HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'],
    ['HTTP/1.0', 'GET /callbacks/open HTTP/1.0\r\n\r\n'],
  ])('does not process it after a request that asked for the end: %s', async (_name, last) => {
    const tested = await start()
    const connection = await connect(tested)
    connection.send(`${last}${GET}`)
    const answer = await connection.readAnswer()
    expect([answer.status, answer.headers['connection']]).toEqual([200, 'close'])
    await connection.untilEnded()
    expect(tested.journal.attempts).toBe(1)
  })

  it('processes both requests of an HTTP/1.0 connection that is kept alive', async () => {
    const tested = await start()
    const connection = await connect(tested)
    connection.send('GET /callbacks/open HTTP/1.0\r\nconnection: keep-alive\r\n\r\n'.repeat(2))
    expect((await connection.readAnswer()).status).toBe(200)
    expect((await connection.readAnswer()).status).toBe(200)
    expect(tested.journal.entries).toHaveLength(2)
  })

  it('answers every request that it has journaled while it drains, and journals none after the announcement', async () => {
    const tested = await start()
    const connection = await connect(tested)
    tested.server.drain()
    const release = tested.journal.hold()
    connection.send(GET.repeat(5))
    await turnUntil(() => tested.journal.attempts === 5)
    release()
    const answers = []
    for (let count = 0; count < 5; count++) answers.push(await connection.readAnswer())
    expect(answers.map(({ status, headers }) => [status, headers['connection']])).toEqual([
      ...Array.from({ length: 4 }, () => [200, 'keep-alive']),
      [200, 'close'],
    ])
    await connection.untilEnded()
    expect(tested.journal.entries).toHaveLength(5)
  })

  it('journals exactly what it answers with 200, whatever follows in the same packet while it drains', async () => {
    const tested = await start()
    const connection = await connect(tested)
    tested.server.drain()
    connection.send(`${GET}${refusedBody('/callbacks/guarded/x')}abc${GET}${GET}`)
    const answers = [await connection.readAnswer(), await connection.readAnswer()]
    expect(answers.map(({ status }) => status)).toEqual([200, 401])
    expect(await connection.untilEnded()).toBe('')
    expect(tested.journal.entries).toHaveLength(1)
  })
})

describe('CallbackServer limiting refused requests of an address', () => {
  const options = { maxRefusedPerMinute: 3, trustProxy: true }
  const call = (tested: TestedCallbackServer, path: string, from: string, init: object = {}) =>
    request(tested.origin + path, { headers: { 'x-forwarded-for': from }, ...init })
  const codeOf = async (...given: Parameters<typeof call>): Promise<number> => {
    const { statusCode, body } = await call(...given)
    await body.dump()
    return statusCode
  }
  const exhaust = async (tested: TestedCallbackServer, from: string): Promise<number[]> => {
    const codes = []
    for (const path of ['/callbacks/guarded/x', '/callbacks/unknown', '/', '/callbacks/guarded/y']) {
      codes.push(await codeOf(tested, path, from))
    }
    return codes
  }

  it('answers 429 beyond the limit for whatever proves nothing, and 401 again after a minute', async () => {
    const tested = await start(options)
    expect(await exhaust(tested, '198.51.100.1')).toEqual([401, 401, 404, 429])
    const { statusCode, headers } = await call(tested, '/callbacks/unknown', '198.51.100.1')
    expect([statusCode, headers['retry-after'], headers['connection']]).toEqual([429, '60', 'close'])
    expect(tested.observer.refusals).toContain('guarded 429 too-many-requests')
    await tested.clock.advance(60_000)
    expect(await codeOf(tested, '/callbacks/guarded/x', '198.51.100.1')).toBe(401)
  })

  it('takes callbacks of the same address that prove who they are, and answers others as before', async () => {
    const tested = await start(options)
    await exhaust(tested, '198.51.100.1')
    expect(await codeOf(tested, '/callbacks/guarded/s3cret', '198.51.100.1')).toBe(200)
    expect(await codeOf(tested, '/callbacks/open', '198.51.100.1')).toBe(200)
    const signed = { method: 'POST', body: 'b' }
    const headers = { 'x-forwarded-for': '198.51.100.1', ...signedHeaders(tested, 'b', 'n1') }
    expect(await codeOf(tested, '/callbacks/signed', '', { ...signed, headers })).toBe(200)
    // The nonce was used, which no stranger can know.
    expect(await codeOf(tested, '/callbacks/signed', '', { ...signed, headers })).toBe(401)
    expect(await codeOf(tested, '/callbacks/guarded/x', '198.51.100.2')).toBe(401)
  })

  it('counts the addresses of one IPv6 network of 64 bits together, and not what a caller writes into the header', async () => {
    const tested = await start(options)
    for (const host of ['1', '2', '3']) await codeOf(tested, '/callbacks/unknown', `2001:db8:1:1::${host}`)
    expect(await codeOf(tested, '/callbacks/unknown', '2001:db8:1:1:ffff::1')).toBe(429)
    expect(await codeOf(tested, '/callbacks/unknown', '2001:db8:1:2::1')).toBe(401)
    expect(await codeOf(tested, '/callbacks/unknown', '2001:db8:9::9, 2001:db8:1:1::1')).toBe(429)
  })

  it('drops the rest of a refused request, so that the answer reaches a caller that is still sending', async () => {
    const tested = await start({ maxRefusedPerMinute: 1 })
    await request(`${tested.origin}/callbacks/unknown`)
    const connection = await connect(tested)
    await connection.sendAndFlush('POST /callbacks/unknown HTTP/1.1\r\nhost: x\r\ncontent-length: 4000000\r\n\r\n')
    await connection.sendAndFlush(Buffer.alloc(4_000_000))
    expect((await connection.readAnswer()).status).toBe(429)
    expect(connection.error).toBeUndefined()
  })
})

describe('CallbackServer receiving odd requests', () => {
  const post = (headers: string, body: string): string =>
    `POST /callbacks/open HTTP/1.1\r\nhost: x\r\n${headers}\r\n${body}`

  it.each([
    ['the same length twice', post('content-length: 1\r\ncontent-length: 1\r\n', 'a')],
    ['a list of lengths', post('content-length: 1, 1\r\n', 'a')],
    ['a length with a sign', post('content-length: +1\r\n', 'a')],
    ['a hexadecimal length', post('content-length: 0x1\r\n', 'a')],
    ['a length beyond 64 bits', post('content-length: 18446744073709551617\r\n', 'a')],
    ['a length and chunks', post('content-length: 5\r\ntransfer-encoding: chunked\r\n', '0\r\n\r\n')],
    ['chunks that are not the last coding', post('transfer-encoding: chunked, identity\r\n', '0\r\n\r\n')],
    ['an unknown transfer coding', post('transfer-encoding: xchunked\r\n', '0\r\n\r\n')],
    ['a space before the colon', post('content-length : 1\r\n', 'a')],
    ['a folded header', post('x: a\r\n b\r\ntransfer-encoding:\r\n chunked\r\n', '0\r\n\r\n')],
    ['a header line that ends with LF', 'POST /callbacks/open HTTP/1.1\nhost: x\ncontent-length: 1\n\na'],
    ['a NUL in a header', post('x: a\0b\r\ncontent-length: 1\r\n', 'a')],
    ['a chunk size that overflows', post('transfer-encoding: chunked\r\n', '10000000000000000\r\na\r\n0\r\n\r\n')],
    ['chunk data without its line end', post('transfer-encoding: chunked\r\n', '1\r\nab0\r\n\r\n')],
    ['a megabyte of chunk extensions', post('transfer-encoding: chunked\r\n', `1;${'x'.repeat(1_000_000)}\r\na\r\n`)],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ])('refuses or closes the connection, and processes nothing behind it: %s', async (_name, sent) => {
    const tested = await start()
    const connection = await connect(tested)
    await connection.sendAndFlush(`${sent}${GET}`)
    const answered = await connection.untilEnded()
    expect(answered).not.toContain('HTTP/1.1 200')
    expect(answered.match(/HTTP\/1\.1 /g) ?? []).toHaveLength(1)
    expect(tested.journal.attempts).toBe(0)
    expect((await request(`${tested.origin}/callbacks/open`)).statusCode).toBe(200)
  })

  it.each([
    ['an absolute target', 'GET http://evil.example/callbacks/guarded/s3cret HTTP/1.1\r\nhost: x\r\n\r\n', 200],
    ['a target with the token in a fragment', 'GET /callbacks/guarded#/s3cret HTTP/1.1\r\nhost: x\r\n\r\n', 401],
    ['dot segments', 'GET /callbacks/open/../guarded/s3cret HTTP/1.1\r\nhost: x\r\n\r\n', 404],
    ['an unknown expectation', 'POST /callbacks/open HTTP/1.1\r\nhost: x\r\nexpect: 200-ok\r\n\r\n', 200],
    ['an upgrade', 'GET /callbacks/open HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n', 200],
    ['two hosts', 'GET /callbacks/open HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n', 200],
    ['TRACE', 'TRACE /callbacks/open HTTP/1.1\r\nhost: x\r\n\r\n', 405],
    ['OPTIONS *', 'OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n', 404],
  ])('answers once and serves the next request: %s', async (_name, sent, status) => {
    const tested = await start()
    const connection = await connect(tested)
    connection.send(sent)
    expect((await connection.readAnswer()).status).toBe(status)
    connection.send(GET)
    expect((await connection.readAnswer()).status).toBe(200)
  })

  it('answers a caller that closes its sending side behind the request', async () => {
    const tested = await start()
    const connection = await connect(tested)
    connection.socket.end(GET)
    expect((await connection.readAnswer()).status).toBe(200)
    await connection.untilEnded()
    expect(tested.journal.entries).toHaveLength(1)
  })

  it('stores nothing of a body that ends with the sending side of the caller', async () => {
    const tested = await start()
    const connection = await connect(tested)
    connection.socket.end('POST /callbacks/open HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf')
    await connection.untilEnded()
    await turnUntil(() => tested.server.usage().bodyBytes.unproved === 0)
    expect(tested.journal.attempts).toBe(0)
  })

  it('closes a connection on which CONNECT is sent', async () => {
    const tested = await start()
    const connection = await connect(tested)
    connection.send('CONNECT example.org:443 HTTP/1.1\r\nhost: example.org:443\r\n\r\n')
    await connection.untilEnded()
    expect(tested.journal.attempts).toBe(0)
  })
})

describe('CallbackServer meeting a fault of its own', () => {
  it('answers 503, logs the fault once a minute, and goes on', async () => {
    let isFaulty = true
    const startCallback = (): never | undefined => {
      if (isFaulty) throw new Error('a fault')
    }
    const sources = [callbackSource('guarded', { token: 's3cret' })]
    const tested = await startCallbackServer(sources, {}, { startCallback } as unknown as Tracing)
    running.push(tested)
    const send = async (method: 'GET' | 'POST'): Promise<number> => {
      const answer = await request(`${tested.origin}/callbacks/guarded/s3cret`, {
        method,
        ...(method === 'POST' && { body: 'x' }),
      })
      expect(await answer.body.text()).toBe('')
      return answer.statusCode
    }
    expect([await send('GET'), await send('POST')]).toEqual([503, 503])
    expect(tested.observer.refusals).toEqual(['guarded 503 internal-error', 'guarded 503 internal-error'])
    expect(tested.log.linesAt('error').map(({ facts }) => facts)).toEqual([
      { event: 'callback-internal-error', source: 'guarded', err: new Error('a fault') },
    ])
    expect(tested.journal.entries).toEqual([])
    isFaulty = false
    expect([await send('GET'), await send('POST')]).toEqual([200, 200])
  })
})
