import { afterEach, describe, expect, it } from 'vitest'
import { request } from 'undici'
import { sign } from '../support/seven-signature.js'
import { RawConnection } from '../support/raw-http.js'
import {
  callbackSource,
  type CallbackKeys,
  closeNow,
  startCallbackServer,
  type TestedCallbackServer,
} from '../support/callback-server.js'

const running: TestedCallbackServer[] = []
const start = async (callback: CallbackKeys, trustProxy = false): Promise<TestedCallbackServer> => {
  const tested = await startCallbackServer([callbackSource('s', callback)], { trustProxy })
  running.push(tested)
  return tested
}

afterEach(async () => {
  for (const tested of running.splice(0)) await closeNow(tested)
})

const basic = (name: string, password: string): string =>
  `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`

describe('A source with Basic credentials', () => {
  it.each([
    [undefined, 401],
    ['', 401],
    ['Basic', 401],
    ['Basic ', 401],
    ['Basic !!!', 401],
    ['Bearer secret', 401],
    [basic('name', 'Secret:1'), 401],
    [basic('Name', 'secret:1'), 401],
    [basic('name:secret', '1'), 200],
    [basic('name', 'secret:1'), 200],
    [basic('name', 'secret:1').replace('Basic', 'BASIC'), 200],
  ])('answers Authorization "%s" with %i', async (authorization, code) => {
    const { origin, journal } = await start({ basic: { username: 'name', password: 'secret:1' } })
    const headers = authorization === undefined ? {} : { authorization }
    const answer = await request(`${origin}/callbacks/s?a=1`, { headers })
    expect(answer.statusCode).toBe(code)
    expect(journal.entries).toHaveLength(code === 200 ? 1 : 0)
    if (code === 401) expect(answer.headers['www-authenticate']).toMatch(/^Basic/)
  })
})

describe('A source with two secrets during a rotation', () => {
  it('accepts a callback with either token, and answers every other one with 401', async () => {
    const { origin, journal } = await start({ token: ['new-token', 'old-token'] })
    const answerTo = async (token: string): Promise<number> =>
      (await request(`${origin}/callbacks/s/${token}`)).statusCode
    expect(await answerTo('new-token')).toBe(200)
    expect(await answerTo('old-token')).toBe(200)
    for (const token of ['', 'new', 'new-tokenold-token', 'new-token,old-token', 'old-token0'])
      expect(await answerTo(token)).toBe(401)
    expect(journal.entries).toHaveLength(2)
  })

  it('accepts either Basic password of its user, and none of another user', async () => {
    const { origin } = await start({ basic: { username: 'name', password: ['new', 'old:1'] } })
    const answerTo = async (authorization: string): Promise<number> =>
      (await request(`${origin}/callbacks/s`, { headers: { authorization } })).statusCode
    expect(await answerTo(basic('name', 'new'))).toBe(200)
    expect(await answerTo(basic('name', 'old:1'))).toBe(200)
    expect(await answerTo(basic('other', 'new'))).toBe(401)
    expect(await answerTo(basic('name', 'old'))).toBe(401)
    expect(await answerTo(basic('name', ''))).toBe(401)
  })
})

describe('A source with allowFrom', () => {
  it('accepts a callback from an address in one of the ranges', async () => {
    const { origin } = await start({ allowFrom: ['127.0.0.0/8'] })
    expect((await request(`${origin}/callbacks/s`)).statusCode).toBe(200)
  })

  it('rejects a callback from any other address, whatever X-Forwarded-For contains', async () => {
    const { origin, journal } = await start({ allowFrom: ['203.0.113.9/32'] })
    const headers = { 'x-forwarded-for': '203.0.113.9' }
    expect((await request(`${origin}/callbacks/s`, { headers })).statusCode).toBe(401)
    expect(journal.attempts).toBe(0)
  })

  it('compares the last address that a trusted proxy sends', async () => {
    const { origin } = await start({ allowFrom: ['203.0.113.9/32'] }, true)
    const answerTo = async (value: string): Promise<number> =>
      (await request(`${origin}/callbacks/s`, { headers: { 'x-forwarded-for': value } })).statusCode
    expect(await answerTo('6.6.6.6, 203.0.113.9')).toBe(200)
    expect(await answerTo('203.0.113.9, 6.6.6.6')).toBe(401)
    expect(await answerTo('nonsense')).toBe(401)
  })
})

describe('A source with a signing key', () => {
  const options = { signingKey: 'key', publicUrl: 'https://sms.example.com', signatureMaxAge: 3_600_000 }
  const headersFor = (
    tested: TestedCallbackServer,
    method: string,
    target: string,
    body: string,
    nonce = 'n1',
  ): Record<string, string> => {
    const timestamp = String(Math.floor(tested.clock.now() / 1_000))
    const url = `https://sms.example.com${target}`
    const signature = sign('key', { timestamp, nonce, method, url, body: Buffer.from(body) }).toString('hex')
    return { 'x-signature': signature, 'x-timestamp': timestamp, 'x-nonce': nonce }
  }

  it('accepts a callback with a valid signature and stores only its nonce', async () => {
    const tested = await start(options)
    const get = '/callbacks/s?msg_id=1&status=DELIVERED&text=%C3%A9+%2B'
    expect((await request(tested.origin + get, { headers: headersFor(tested, 'GET', get, '') })).statusCode).toBe(200)
    const post = '/callbacks/s'
    const headers = headersFor(tested, 'POST', post, '{"a":1}', 'n2')
    expect((await request(tested.origin + post, { method: 'POST', body: '{"a":1}', headers })).statusCode).toBe(200)
    expect([...tested.journal.nonces.keys()]).toEqual(['s\nn1', 's\nn2'])
    expect(JSON.stringify(tested.journal.entries)).not.toMatch(/n[12]"|signature/)
  })

  it('rejects a callback with a wrong, missing or late signature and stores nothing', async () => {
    const tested = await start(options)
    const headers = headersFor(tested, 'POST', '/callbacks/s', 'body')
    for (const [body, given] of [
      ['Body', headers],
      ['body', {}],
      ['body', { ...headers, 'x-nonce': 'other' }],
      ['body', { ...headers, 'x-signature': '00'.repeat(32) }],
    ] as const) {
      const answer = await request(`${tested.origin}/callbacks/s`, { method: 'POST', body, headers: given })
      expect(answer.statusCode).toBe(401)
    }
    await tested.clock.advance(3_601_000)
    const late = await request(`${tested.origin}/callbacks/s`, { method: 'POST', body: 'body', headers })
    expect(late.statusCode).toBe(401)
    expect(tested.journal.attempts).toBe(0)
  })

  it('accepts a nonce once, and a refused write does not use it up', async () => {
    const tested = await start(options)
    const headers = headersFor(tested, 'GET', '/callbacks/s', '')
    const send = async (): Promise<number> => (await request(`${tested.origin}/callbacks/s`, { headers })).statusCode
    tested.journal.refuses = 'JOURNAL_FULL'
    expect(await send()).toBe(503)
    tested.journal.refuses = undefined
    expect(await send()).toBe(200)
    expect(await send()).toBe(401)
    expect(tested.journal.entries).toHaveLength(1)
  })
})

describe('A source with several guards', () => {
  const all = {
    token: 't',
    basic: { username: 'u', password: 'p' },
    allowFrom: ['127.0.0.1/32'],
    signingKey: 'key',
    publicUrl: 'http://x',
  }

  it('accepts a callback only if all of them hold', async () => {
    const tested = await start(all)
    const timestamp = String(Math.floor(tested.clock.now() / 1_000))
    const url = 'http://x/callbacks/s/t'
    const signature = sign('key', { timestamp, nonce: 'n', method: 'GET', url, body: Buffer.of() }).toString('hex')
    const good = {
      authorization: basic('u', 'p'),
      'x-signature': signature,
      'x-timestamp': timestamp,
      'x-nonce': 'n',
    }
    for (const missing of ['authorization', 'x-signature', 'x-timestamp', 'x-nonce'] as const) {
      const rest = Object.fromEntries(Object.entries(good).filter(([name]) => name !== missing))
      expect((await request(`${tested.origin}/callbacks/s/t`, { headers: rest })).statusCode).toBe(401)
    }
    expect((await request(`${tested.origin}/callbacks/s/x`, { headers: good })).statusCode).toBe(401)
    expect((await request(`${tested.origin}/callbacks/s/t`, { headers: good })).statusCode).toBe(200)
  })

  it('logs which guard failed, once a minute and without what the caller sent', async () => {
    const tested = await start(all)
    for (let i = 0; i < 5; i++) await request(`${tested.origin}/callbacks/s/wr0ng`)
    await tested.clock.advance(60_000)
    await request(`${tested.origin}/callbacks/s/wr0ng`)
    await request(`${tested.origin}/callbacks/s/t`)
    expect(tested.log.lines.map(({ level, facts }) => [level, facts])).toEqual([
      ['warn', { event: 'callback-rejected', source: 's', reason: 'token', setting: 'sources.s.callback.token' }],
      [
        'warn',
        {
          event: 'callback-rejected',
          source: 's',
          reason: 'token',
          setting: 'sources.s.callback.token',
          sinceLastLine: 4,
        },
      ],
      ['warn', { event: 'callback-rejected', source: 's', reason: 'credentials', setting: 'sources.s.callback.basic' }],
    ])
    expect(JSON.stringify(tested.log.lines)).not.toContain('wr0ng')
  })

  it('logs that a path names no source, once a minute and without the path', async () => {
    const tested = await start(all)
    for (let i = 0; i < 5; i++) await request(`${tested.origin}/callbacks/n0body/wr0ng`)
    expect(tested.log.lines.map(({ level, facts }) => [level, facts])).toEqual([
      ['warn', { event: 'callback-rejected', source: null, reason: 'unknown-source' }],
    ])
    expect(JSON.stringify(tested.log.lines)).not.toMatch(/n0body|wr0ng/)
  })
})

describe('A reload of the callbacks server', () => {
  it('checks later requests by the new secrets, and answers those under way by the old ones', async () => {
    const tested = await start({ token: 'old' })
    const underWay = await RawConnection.open(tested.port)
    const half = 'POST /callbacks/s/old HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nab'
    await underWay.sendAndFlush(half)
    await request(`${tested.origin}/callbacks/s/old`)
    tested.server.reconfigure({
      host: '127.0.0.1',
      port: 0,
      bodyLimit: 3,
      trustProxy: false,
      maxConnections: 10_000,
      maxRefusedPerMinute: 1_000,
      sources: [callbackSource('s', { token: 'new', answer: { body: 'OK' } }), callbackSource('t', { open: true })],
    })
    underWay.send('cd')
    expect((await underWay.readAnswer()).status).toBe(200)
    const answerTo = async (path: string, body = ''): Promise<[number, string]> => {
      const answer = await request(tested.origin + path, { method: 'POST', body })
      return [answer.statusCode, await answer.body.text()]
    }
    expect(await answerTo('/callbacks/s/old')).toEqual([401, ''])
    expect(await answerTo('/callbacks/s/new')).toEqual([200, 'OK'])
    expect(await answerTo('/callbacks/s/new', 'abcd')).toEqual([413, ''])
    expect(await answerTo('/callbacks/t')).toEqual([200, ''])
    underWay.close()
    expect(tested.journal.entries).toHaveLength(4)
  })
})
