import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { request } from 'undici'
import { turnUntil } from '../support/event-loop.js'
import { RawConnection } from '../support/raw-http.js'
import { callbackSource, closeNow, startCallbackServer, type TestedCallbackServer } from '../support/callback-server.js'

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
    callbackSource('guarded', { token: 's3cret' }, 'mtarget'),
  ])
})

afterEach(async () => {
  for (const connection of connections.splice(0)) connection.close()
  await closeNow(tested)
})

describe('CallbackServer answers', () => {
  it('200 with content-length 0 once the request is durable, and not before', async () => {
    const release = tested.journal.hold()
    let isAnswered = false
    const answer = request(`${tested.origin}/callbacks/open?msg_id=1&status=DELIVERED`).then((got) => {
      isAnswered = true
      return got
    })
    await turnUntil(() => tested.journal.attempts > 0)
    const onAnotherConnection = await request(`${tested.origin}/callbacks/nobody`)
    expect(onAnotherConnection.statusCode).toBe(401)
    expect(isAnswered).toBe(false)
    release()
    const { statusCode, headers } = await answer
    expect(statusCode).toBe(200)
    expect(headers['content-length']).toBe('0')
    expect(tested.journal.entries).toHaveLength(1)
  })

  it('200 for any body and any content type', async () => {
    for (const [body, type] of [
      ['', 'text/plain'],
      ['{"half":', 'application/json'],
      [Buffer.from([0, 255, 254, 13, 10]), 'application/x-nonsense; charset="'],
    ] as const) {
      const { statusCode } = await request(`${tested.origin}/callbacks/open`, {
        method: 'POST',
        body,
        headers: { 'content-type': type },
      })
      expect(statusCode).toBe(200)
      expect(Buffer.from(tested.journal.entries.at(-1)?.body ?? [])).toEqual(Buffer.from(body))
      expect(tested.journal.entries.at(-1)?.facts['content-type']).toBe(type)
    }
  })

  it.each([
    [{ body: 'OK' }, 200, 'text/plain; charset=utf-8', 'OK'],
    [{ status: 202, contentType: 'application/xml', body: '<r>é</r>\n' }, 202, 'application/xml', '<r>é</r>\n'],
    [{ status: 201 }, 201, undefined, ''],
    [{ status: 204 }, 204, undefined, ''],
  ] as const)('what callback.answer says: %j', async (answer, status, contentType, body) => {
    const own = await startCallbackServer([
      callbackSource('own', { token: 't', answer }),
      callbackSource('plain', { open: true }),
    ])
    try {
      for (const method of ['GET', 'POST'] as const) {
        const response = await request(`${own.origin}/callbacks/own/t`, {
          method,
          body: method === 'POST' ? 'x' : null,
        })
        expect([response.statusCode, response.headers['content-type']]).toEqual([status, contentType])
        expect(await response.body.text()).toBe(body)
        const length = status === 204 ? undefined : String(Buffer.byteLength(body))
        expect(response.headers['content-length']).toBe(length)
      }
      // What is refused, and another source, have the answers of today.
      const refused = await request(`${own.origin}/callbacks/own/wrong`)
      const head = await request(`${own.origin}/callbacks/own/t`, { method: 'HEAD' })
      const other = await request(`${own.origin}/callbacks/plain`)
      expect([refused.statusCode, head.statusCode, other.statusCode]).toEqual([401, 405, 200])
      for (const each of [refused, head, other]) {
        expect(each.headers['content-type']).toBeUndefined()
        expect(await each.body.text()).toBe('')
      }
      own.journal.refuses = 'JOURNAL_FULL'
      const full = await request(`${own.origin}/callbacks/own/t`)
      expect([full.statusCode, await full.body.text()]).toEqual([503, ''])
      expect(own.journal.entries).toHaveLength(3)
      expect(own.observer.refusals).toHaveLength(3)
    } finally {
      await closeNow(own)
    }
  })

  it('what callback.answer says only once the request is durable', async () => {
    const own = await startCallbackServer([callbackSource('own', { open: true, answer: { body: 'OK' } })])
    try {
      const release = own.journal.hold()
      let isAnswered = false
      const answer = request(`${own.origin}/callbacks/own?a=1`).then((got) => {
        isAnswered = true
        return got.body.text()
      })
      await turnUntil(() => own.journal.attempts > 0)
      expect((await request(`${own.origin}/callbacks/nobody`)).statusCode).toBe(401)
      expect(isAnswered).toBe(false)
      release()
      expect(await answer).toBe('OK')
    } finally {
      await closeNow(own)
    }
  })

  it('503 with Retry-After while the journal refuses entries, and 200 afterwards', async () => {
    for (const code of ['JOURNAL_FULL', 'JOURNAL_WRITE_FAILED'] as const) {
      tested.journal.refuses = code
      const { statusCode, headers } = await request(`${tested.origin}/callbacks/open?a=b`)
      expect(statusCode).toBe(503)
      expect(Number(headers['retry-after'])).toBeGreaterThan(0)
    }
    // Near its limit a journal accepts small entries and refuses large ones. The log gets one line for each cause.
    for (const refusal of [undefined, 'JOURNAL_FULL', undefined] as const) {
      tested.journal.refuses = refusal
      await request(`${tested.origin}/callbacks/open?a=b`)
    }
    expect(tested.log.linesAt('info')).toEqual([])
    await tested.clock.advance(5_000)
    expect((await request(`${tested.origin}/callbacks/open?a=b`)).statusCode).toBe(200)
    expect(tested.journal.entries).toHaveLength(3)
    expect(tested.log.linesAt('error')).toHaveLength(2)
    expect(tested.log.linesAt('info').map((line) => line.message)).toEqual([
      'callbacks get 200 again because the journal accepts entries',
    ])
  })

  it.each([
    ['/', 404],
    ['/callbacks', 404],
    ['/callbacks/', 404],
    ['/callbacks?source=open', 404],
    ['/Callbacks/open', 404],
    ['/callbacks/open/a/b', 404],
    ['//callbacks/open', 404],
    ['/callbacks/nobody', 401],
    ['/callbacks/nobody/s3cret', 401],
    ['/callbacks/guarded', 401],
    ['/callbacks/guarded/', 401],
    ['/callbacks/guarded/S3cret', 401],
    ['/callbacks/guarded/s3cre', 401],
    ['/callbacks/guarded/s3crett', 401],
    ['/callbacks/guarded/%zz', 401],
    ['/callbacks/%zz/s3cret', 401],
    ['/callbacks/open/anything', 401],
    ['/callbacks//s3cret', 404],
    ['/callbacks/guarded/s3cret', 200],
    ['/callbacks/guarded/s%33cret', 200],
    ['/callbacks/%67uarded/s3cret', 200],
    ['/callbacks/open', 200],
    ['/callbacks/open/', 200],
  ])('GET %s with %i', async (path, code) => {
    const connection = await connected()
    connection.send(`GET ${path}${path.includes('?') ? '' : '?a=b'} HTTP/1.1\r\nhost: x\r\n\r\n`)
    const answer = await connection.readAnswer()
    expect(answer.status).toBe(code)
    expect(answer.headers['content-length']).toBe('0')
    expect(tested.journal.entries).toHaveLength(code === 200 ? 1 : 0)
    expect(tested.observer.refusals).toHaveLength(code === 200 ? 0 : 1)
  })

  it('405 with Allow for another method, on the paths of callbacks only', async () => {
    for (const method of ['HEAD', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'] as const) {
      const { statusCode, headers } = await request(`${tested.origin}/callbacks/open`, { method })
      expect(statusCode).toBe(405)
      expect(headers['allow']).toBe('GET, POST')
    }
    expect((await request(`${tested.origin}/elsewhere`, { method: 'PUT', body: 'x' })).statusCode).toBe(404)
    expect(tested.journal.entries).toHaveLength(0)
  })

  it('a request to an unknown source exactly like one with a wrong token', async () => {
    const answerTo = async (path: string): Promise<string> => {
      const { statusCode, headers } = await request(`${tested.origin}${path}`)
      return JSON.stringify([statusCode, { ...headers, date: '' }])
    }
    expect(await answerTo('/callbacks/nobody/x')).toBe(await answerTo('/callbacks/guarded/x'))
    expect(tested.observer.answers).toEqual([' 401', 'guarded 401'])
    expect(tested.observer.refusals).toEqual([' 401 unknown-source', 'guarded 401 token'])
  })

  it('pipelined requests in their order', async () => {
    const connection = await connected()
    connection.send(
      'GET /callbacks/open?n=1 HTTP/1.1\r\nhost: x\r\n\r\n' +
        'GET /callbacks/nobody HTTP/1.1\r\nhost: x\r\n\r\n' +
        'POST /callbacks/open HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nab',
    )
    expect([(await connection.readAnswer()).status, (await connection.readAnswer()).status]).toEqual([200, 401])
    expect((await connection.readAnswer()).status).toBe(200)
    expect(tested.journal.entries).toHaveLength(2)
  })
})

describe('CallbackServer stores', () => {
  it('the request as sent with its facts, and none of its credentials', async () => {
    await request(`${tested.origin}/callbacks/guarded/s3cret?b=%C3%A9&a=1&&a=+2%`, {
      method: 'POST',
      body: 'Status=3',
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        'content-encoding': 'identity',
        authorization: 'Basic czNjcmV0Og==',
        'x-signature': 'ffff',
        'x-nonce': 's3cret',
      },
    })
    const [entry] = tested.journal.entries
    expect(entry).toMatchObject({ source: 'guarded', provider: 'mtarget', via: 'CALLBACK' })
    expect(entry?.receivedAt).toBe(tested.clock.now())
    expect(entry?.facts).toEqual({
      method: 'POST',
      path: '/callbacks/guarded',
      query: 'b=%C3%A9&a=1&&a=+2%',
      'content-type': 'application/x-www-form-urlencoded',
      'content-encoding': 'identity',
    })
    expect(JSON.stringify(entry)).not.toContain('s3cret')
  })

  it('the body of a GET, a chunked body, and a body that follows 100-continue', async () => {
    const connection = await connected()
    connection.send('GET /callbacks/open HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nget')
    expect((await connection.readAnswer()).status).toBe(200)
    connection.send(
      'POST /callbacks/open HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n2\r\nch\r\n4\r\nunks\r\n0\r\n\r\n',
    )
    expect((await connection.readAnswer()).status).toBe(200)
    connection.send('POST /callbacks/open HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\nexpect: 100-continue\r\n\r\n')
    expect((await connection.readAnswer()).status).toBe(100)
    connection.send('yes')
    expect((await connection.readAnswer()).status).toBe(200)
    expect(tested.journal.entries.map((entry) => Buffer.from(entry.body).toString())).toEqual(['get', 'chunks', 'yes'])
  })

  it('a request with an absolute target, and a request of HTTP/1.0', async () => {
    const connection = await connected()
    connection.send('GET http://sms.example.com/callbacks/open?a=1 HTTP/1.0\r\n\r\n')
    expect((await connection.readAnswer()).status).toBe(200)
    expect(tested.journal.entries[0]?.facts.query).toBe('a=1')
  })

  it('the request of a client that offers an upgrade to HTTP/2', async () => {
    const connection = await connected()
    connection.send(
      'POST /callbacks/open HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nconnection: Upgrade, HTTP2-Settings\r\n' +
        'upgrade: h2c\r\nhttp2-settings: AAEAAEAAAAIAAAAA\r\nexpect: nothing-known\r\n\r\nab',
    )
    expect((await connection.readAnswer()).status).toBe(200)
    expect(tested.journal.entries[0]?.body).toEqual(Uint8Array.from(Buffer.from('ab')))
  })

  it('nothing if the caller goes away before the whole body has arrived', async () => {
    const connection = await connected()
    await connection.sendAndFlush('POST /callbacks/open HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf')
    connection.close()
    const chunked = await connected()
    await chunked.sendAndFlush(
      'POST /callbacks/open HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n',
    )
    chunked.socket.end()
    await chunked.untilEnded()
    expect((await request(`${tested.origin}/callbacks/open`)).statusCode).toBe(200)
    expect(tested.journal.attempts).toBe(1)
  })

  it('the request of a caller that closes its side of the connection after sending it', async () => {
    const connection = await connected()
    connection.socket.end('POST /callbacks/open HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nab')
    expect((await connection.readAnswer()).status).toBe(200)
    expect(tested.journal.entries).toHaveLength(1)
  })
})
