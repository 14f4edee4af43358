import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { hash } from 'node:crypto'
import { request } from 'undici'
import { AdminServer } from '../../src/admin/admin-server.js'
import { Metrics } from '../../src/admin/metrics.js'
import type { StatusReport } from '../../src/admin/problems.js'
import { Status } from '../../src/admin/status.js'
import { call } from '../support/call.js'
import { turnUntilIdle } from '../support/event-loop.js'
import { RawConnection } from '../support/raw-http.js'
import { RecordingLog } from '../support/recording-observers.js'
import { ManualClock } from '../support/manual-clock.js'
import { MemoryJournal } from '../support/memory-journal.js'

const MIB = 1024 * 1024
let origin: string
let journal: MemoryJournal
let clock: ManualClock
let status: Status
let watched: [string, readonly string[]][]
const NO_REPLAYS = {
  handedIn: 0,
  lastHandedInAt: null,
  items: { published: 0, duplicate: 0, unreadable: 0 },
  lastItemAt: null,
}

let watchFails: boolean
let callbackRefusal: string | null
let isWatchListFull: boolean
let log: RecordingLog
const servers: AdminServer[] = []

const start = async (token?: string | readonly string[], port = 0, host = '127.0.0.1'): Promise<number> => {
  const server = new AdminServer(
    { host, port, ...(token !== undefined && { token: [token].flat() }) },
    {
      status,
      metrics: new Metrics(journal, clock),
      log,
      addToWatchList: async (source, ids) => {
        if (watchFails) throw new Error('the disk refuses')
        if (source !== 'seven-main') return 'unknown-source'
        if (isWatchListFull) return 'too-many'
        watched.push([source, ids])
        return 'accepted'
      },
      handInEntries: (entries) => journal.appendAll(entries),
    },
  )
  servers.push(server)
  const { port: actual } = await server.listen()
  origin = `http://127.0.0.1:${actual}`
  return actual
}

beforeEach(() => {
  log = new RecordingLog()
  clock = new ManualClock()
  journal = new MemoryJournal(clock)
  watched = []
  watchFails = false
  callbackRefusal = null
  isWatchListFull = false
  status = new Status({
    instance: 'connector-<0>',
    version: '1.2.3',
    journal,
    journalMaxBytes: 1024 ** 3,
    callbackRefusal: () => callbackRefusal,
    clock,
    sources: [
      { name: 'mtarget-fr', provider: 'mtarget', pull: {} },
      { name: 'seven-main', provider: 'seven', callback: {}, reconcile: {} },
    ],
  })
})

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()))
})

const get = async (path: string, headers: Record<string, string> = {}) => {
  const { statusCode, headers: answered, body } = await request(origin + path, { headers })
  return { code: statusCode, headers: answered, text: await body.text() }
}

describe('/readyz of the admin server', () => {
  it('answers 503 at start, after SIGTERM and while the journal refuses, and 200 whatever Kafka and the registry do', async () => {
    await start()
    expect(await get('/readyz')).toMatchObject({
      code: 503,
      text: 'starting: the callbacks server does not listen yet\n',
    })
    status.phase = 'running'
    status.setPublishing('waiting', 'no broker answers')
    status.setRegistry('waiting', 'no registry answers')
    expect(await get('/readyz')).toMatchObject({ code: 200, text: 'ok\n' })
    journal.refuses = 'JOURNAL_FULL'
    expect(await get('/readyz')).toMatchObject({ code: 503, text: 'the journal refuses: JOURNAL_FULL\n' })
    journal.refuses = undefined
    expect((await get('/readyz')).code).toBe(200)
    callbackRefusal = 'bodies take all memory'
    expect(await get('/readyz')).toMatchObject({ code: 503, text: 'bodies take all memory\n' })
    callbackRefusal = null
    status.phase = 'stopping'
    expect((await get('/readyz')).code).toBe(503)
    expect((await get('/livez')).code).toBe(200)
  })
})

describe('/status.json of the admin server', () => {
  it('shows what the parts of the process reported', async () => {
    await start()
    status.phase = 'running'
    await clock.advance(5_000)
    status.setPublishing('waiting', 'no broker answers')
    status.setRegistry('ok')
    const since = clock.now()
    await clock.advance(60_000)
    status.setPublishing('waiting', 'no broker answers at all')
    status.recordPull('mtarget-fr', {
      state: 'backing-off',
      since,
      limit: 25,
      inFlightItems: 0,
      nextAt: clock.now() + 30_000,
      lastError: 'invalid credential',
      lastErrorOutcome: 'account-error',
      lastPageAt: null,
    })
    status.recordReconciling('seven-main', {
      state: 'failing',
      since,
      watched: 3,
      lastAnswerAt: null,
      lastWalkAt: { outbound: since, inbound: null },
      lastError: 'no <answer>',
    })
    const { text, headers } = await get('/status.json')
    expect(headers['content-type']).toContain('application/json')
    const shown = JSON.parse(text) as StatusReport
    expect(shown).toMatchObject({
      instance: 'connector-<0>',
      version: '1.2.3',
      uptimeSeconds: 65,
      ready: true,
      reason: null,
      publishing: { state: 'waiting', reason: 'no broker answers at all', since: new Date(since).toISOString() },
      registry: { state: 'ok', reason: null },
      journal: { id: 'memory', entries: 0, bytes: 0, maxBytes: 1024 ** 3, oldestAgeSeconds: 0, refusal: null },
    })
    expect(shown.sharing).toBeNull()
    expect(shown.sources).toEqual([
      {
        source: 'mtarget-fr',
        provider: 'mtarget',
        owned: true,
        callback: false,
        reconcile: false,
        pull: {
          state: 'backing-off',
          since: new Date(since).toISOString(),
          limit: 25,
          inFlightItems: 0,
          nextAt: new Date(clock.now() + 30_000).toISOString(),
          lastError: 'invalid credential',
          lastErrorOutcome: 'account-error',
          lastPageAt: null,
          failingSince: new Date(clock.now()).toISOString(),
        },
        lostAnswers: { count: 0, lastAt: null, lastReason: null, lastDetail: null },
        reconciling: null,
        callbacks: null,
        lastReceivedAt: null,
        lastPublishedAt: null,
        replays: NO_REPLAYS,
      },
      {
        source: 'seven-main',
        provider: 'seven',
        owned: true,
        callback: true,
        reconcile: true,
        pull: null,
        lostAnswers: null,
        reconciling: {
          state: 'failing',
          since: new Date(since).toISOString(),
          watched: 3,
          lastAnswerAt: null,
          lastWalkAt: { outbound: new Date(since).toISOString(), inbound: null },
          lastError: 'no <answer>',
          failingSince: new Date(clock.now()).toISOString(),
        },
        callbacks: {
          accepted: 0,
          lastAcceptedAt: null,
          refused: 0,
          lastRefused: null,
          refusedInARow: 0,
          refusedSince: null,
        },
        lastReceivedAt: null,
        lastPublishedAt: null,
        replays: NO_REPLAYS,
      },
    ])
    expect(shown.severity).toBe('critical')
    expect(shown.problems.map(({ source, title }) => [source, title])).toEqual([
      ['mtarget-fr', 'Pulling fails'],
      [null, 'Nothing is published'],
      ['seven-main', 'Reconciling fails'],
    ])
    expect(shown.wrongSince).toBe(new Date(since).toISOString())
  })

  it('shows lost answers as long as the process lives, whatever succeeds after them', async () => {
    await start()
    status.recordLostAnswer('mtarget-fr', {
      at: clock.now(),
      reason: 'timeout',
      detail: 'no byte arrived for 30000 ms',
    })
    await clock.advance(60_000)
    status.recordLostAnswer('mtarget-fr', { at: clock.now(), reason: 'cut', detail: 'read <ECONNRESET>' })
    const lastAt = new Date(clock.now()).toISOString()
    await clock.advance(60_000)
    const since = clock.now()
    status.recordPull('mtarget-fr', {
      state: 'idle',
      since,
      limit: 50,
      inFlightItems: 0,
      nextAt: null,
      lastError: null,
      lastErrorOutcome: null,
      lastPageAt: since,
    })
    const shown = JSON.parse((await get('/status.json')).text) as StatusReport
    const lostAnswers = { count: 2, lastAt, lastReason: 'cut', lastDetail: 'read <ECONNRESET>' }
    expect(shown.sources[0]).toMatchObject({ pull: { lastError: null }, lostAnswers })
    expect((await get('/')).text).toContain('The last one: read &#60;ECONNRESET&#62;.')
    status.recordPullingHandedOver('mtarget-fr')
    expect((JSON.parse((await get('/status.json')).text) as StatusReport).sources[0]).toMatchObject({ lostAnswers })
  })

  it('shows the state not-here for a source whose poller has not reported', async () => {
    await start()
    const shown = JSON.parse((await get('/status.json')).text) as StatusReport
    expect(shown.sources[0]?.pull?.state).toBe('not-here')
  })
})

describe('The status page', () => {
  it('loads no resource, runs no script but its own, and escapes what providers wrote', async () => {
    await start()
    status.recordPull('mtarget-fr', {
      state: 'backing-off',
      since: 0,
      limit: 25,
      inFlightItems: 0,
      nextAt: clock.now() + 90_000,
      lastError: '<script>alert("1")</script>',
      lastErrorOutcome: 'account-error',
      lastPageAt: clock.now() - 3_700_000,
    })
    const { code, headers, text } = await get('/')
    expect(code).toBe(200)
    expect(headers['content-type']).toBe('text/html; charset=utf-8')
    expect(text).not.toMatch(/<script[^>]|src=|@import|url\(/)
    expect(text.match(/<script/g)).toHaveLength(1)
    expect(text).toContain('&#60;script&#62;alert(&#34;1&#34;)')
    expect(text).toContain('connector-&#60;0&#62;')
    expect(text).toContain('in 1 min 30 s')
    expect(text).toContain('1 h 1 min ago')
    expect(text).toContain('http-equiv="refresh"')
    const style = /<style>(?<css>[^]*)<\/style>/.exec(text)?.groups?.['css'] ?? ''
    expect(headers['content-security-policy']).toContain("default-src 'none'")
    expect(headers['content-security-policy']).toContain(`'sha256-${hash('sha256', style, 'base64')}'`)
    const script = /<script>(?<code>[^]*)<\/script>/.exec(text)?.groups?.['code'] ?? ''
    expect(headers['content-security-policy']).toContain(`script-src 'sha256-${hash('sha256', script, 'base64')}'`)
  })
})

describe('/runbook of the admin server', () => {
  it('has an anchor for each heading of docs/runbook.md', async () => {
    await start()
    const { code, headers, text } = await get('/runbook')
    expect(code).toBe(200)
    expect(headers['content-security-policy']).toContain("default-src 'none'")
    expect(text).toContain('<h3 id="dlrmoconnectorrefusescustody">DlrMoConnectorRefusesCustody</h3>')
    expect(text).toContain('<a href="#page-refused">page-refused</a>')
  })
})

describe('POST /sources/<source>/watch', () => {
  const JSON_HEADERS = { 'content-type': 'application/json' }
  const post = async (path: string, body: string, headers: Record<string, string> = JSON_HEADERS) => {
    const answer = await request(origin + path, { method: 'POST', body, headers })
    return { code: answer.statusCode, text: await answer.body.text() }
  }

  it('adds each id once to the watch list, and answers 202 when they are durable', async () => {
    await start()
    const { code, text } = await post('/sources/seven-main/watch', '{"messageIds": ["1", "2", "1"]}')
    expect([code, text]).toEqual([202, '{"accepted":2}\n'])
    expect(watched).toEqual([['seven-main', ['1', '2']]])
  })

  it.each([
    ['an empty body', ''],
    ['a body that is not JSON', 'ids'],
    ['null', 'null'],
    ['a list', '[]'],
    ['an object without messageIds', '{}'],
    ['an empty list of ids', '{"messageIds": []}'],
    ['a text in place of the list', '{"messageIds": "1"}'],
    ['a number as an id', '{"messageIds": [1]}'],
    ['an empty id', '{"messageIds": [""]}'],
    ['an id that is too long', `{"messageIds": ["${'x'.repeat(600)}"]}`],
  ])('answers 400 to %s', async (_, body) => {
    await start()
    const { code, text } = await post('/sources/seven-main/watch', body)
    expect(code).toBe(400)
    expect(text).toMatch(/expected|at most/)
    expect(watched).toEqual([])
  })

  it.each([
    ['a body of 5 MB', `{"messageIds": ["${'x'.repeat(5_000_000)}"]}`],
    ['100,001 ids', JSON.stringify({ messageIds: Array.from({ length: 100_001 }, (_, id) => String(id)) })],
  ])('answers 413 to %s', async (_, body) => {
    await start()
    const { code, text } = await post('/sources/seven-main/watch', body)
    expect(code).toBe(413)
    expect(text).toContain('at most')
    expect(watched).toEqual([])
  })

  it('answers 429 with Retry-After while the watch list is full', async () => {
    await start()
    isWatchListFull = true
    const answer = await request(`${origin}/sources/seven-main/watch`, {
      method: 'POST',
      body: '{"messageIds": ["1"]}',
      headers: JSON_HEADERS,
    })
    expect([answer.statusCode, answer.headers['retry-after']]).toEqual([429, '10'])
    expect(await answer.body.text()).toContain('journal.maxWatchedMessages')
  })

  it('answers 404 for a source that does not exist, and 503 when the watch list can not be written', async () => {
    await start()
    expect((await post('/sources/other/watch', '{"messageIds": ["1"]}')).code).toBe(404)
    expect((await post('/sources/%zz/watch', '{"messageIds": ["1"]}')).code).toBe(404)
    watchFails = true
    expect((await post('/sources/seven-main/watch', '{"messageIds": ["1"]}')).code).toBe(503)
  })
})

describe('The admin server', () => {
  it('answers 404 to other paths and 405 to other methods', async () => {
    await start()
    expect((await get('/elsewhere')).code).toBe(404)
    expect((await get('/sources/seven-main/watch')).code).toBe(405)
    const { statusCode, headers } = await request(`${origin}/metrics`, { method: 'POST' })
    expect([statusCode, headers['allow']]).toEqual([405, 'GET, HEAD'])
    expect((await request(`${origin}/livez`, { method: 'HEAD' })).statusCode).toBe(200)
  })

  it('serves metrics in the text format of Prometheus', async () => {
    await start()
    const { code, headers, text } = await get('/metrics')
    expect(code).toBe(200)
    expect(headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/)
    expect(text).toContain('dlrmo_journal_entries 0')
  })

  it('accepts either of two tokens during a rotation, and after a reload only the new one', async () => {
    await start(['new-token', 'old-token'])
    const codeOf = async (token: string): Promise<number> =>
      (await get('/metrics', { authorization: `Bearer ${token}` })).code
    const codes = async (): Promise<number[]> => [
      await codeOf('new-token'),
      await codeOf('old-token'),
      await codeOf('new'),
    ]
    expect(await codes()).toEqual([200, 200, 401])
    servers.at(-1)!.reconfigure({ host: '127.0.0.1', port: 0, token: ['new-token'] })
    expect(await codes()).toEqual([200, 401, 401])
  })

  it('requires its token on every path but the probes', async () => {
    status.phase = 'running'
    await start('s3cret')
    const basic = (pair: string): string => `Basic ${Buffer.from(pair).toString('base64')}`
    for (const path of ['/', '/metrics', '/status.json', '/sources/seven-main/watch']) {
      for (const authorization of [
        '',
        'Bearer',
        'Bearer wrong',
        'Bearer s3cret2',
        's3cret',
        basic('s3cret:'),
        basic('s3cret'),
      ]) {
        const answer = await get(path, { authorization })
        expect(answer.code, `${path} ${authorization}`).toBe(401)
        expect(answer.headers['www-authenticate']).toContain('Bearer')
      }
    }
    for (const path of ['/', '/metrics', '/status.json']) {
      expect((await get(path, { authorization: 'Bearer s3cret' })).code).toBe(200)
      expect((await get(path, { authorization: basic('anybody:s3cret') })).code).toBe(200)
    }
    expect((await get('/livez')).code).toBe(200)
    expect((await get('/readyz')).code).toBe(200)
  })

  it('fails with the key of the configuration when its port can not be opened', async () => {
    const port = await start()
    await expect(start(undefined, port)).rejects.toThrow(`admin.port: can't listen on 127.0.0.1:${port}`)
  })
})

describe('The admin server while the journal can not be read', () => {
  it('answers every page with what it knows, and says what is wrong, each time', async () => {
    await start()
    status.phase = 'running'
    const fail = (): never => {
      throw new Error('MDB_CORRUPTED: page <1> is damaged')
    }
    Object.assign(journal, { stats: fail, refusalReason: fail })
    const reason = "the journal can't be read: MDB_CORRUPTED: page <1> is damaged; check its disk, then restart"
    for (let attempt = 0; attempt < 3; attempt++) {
      await clock.advance(3_000)
      expect(await get('/readyz')).toMatchObject({ code: 503, text: `${reason}\n` })
      expect((await get('/livez')).code).toBe(200)
      const { code, text } = await get('/status.json')
      expect(code).toBe(200)
      expect(JSON.parse(text)).toMatchObject({
        ready: false,
        reason,
        journal: { id: 'memory', entries: null, bytes: null, refusal: reason },
      })
      const page = await get('/')
      expect(page.code).toBe(200)
      expect(page.text).toMatch(/<dt>Waiting<\/dt>\s*<dd>unknown<\/dd>/)
      expect(page.text).toContain('MDB_CORRUPTED: page &#60;1&#62; is damaged')
      const metrics = await get('/metrics')
      expect(metrics.code).toBe(200)
      expect(metrics.text).toContain('dlrmo_journal_entries Nan')
      expect(metrics.text).toContain('dlrmo_publishing ')
    }
  })
})

describe('POST /journal/entries', () => {
  const ENTRY = {
    source: 'seven-main',
    provider: 'seven',
    via: 'CALLBACK',
    receivedAt: 1,
    facts: { method: 'GET', path: '/callbacks/seven-main', query: 'a=b' },
    body: 'YQ==',
    origin: { kind: 'dead-letter', eventId: 'j-1-0', reason: 'missing-id' },
  }
  const JSON_HEADERS = { 'content-type': 'application/json' }
  const post = (body: string, headers: Readonly<Record<string, string>> = JSON_HEADERS) =>
    call(`${origin}/journal/entries`, { body, headers })

  it('answers 202 once the journal has the entry, with its origin', async () => {
    await start()
    expect(await post(JSON.stringify(ENTRY))).toMatchObject({ status: 202, body: '{"accepted":1}\n' })
    expect(journal.entries).toEqual([expect.objectContaining({ source: 'seven-main', origin: ENTRY.origin })])
  })

  it('takes an array of entries, all of them or none', async () => {
    await start()
    const more = Array.from({ length: 3 }, (_, seq) => ({ ...ENTRY, receivedAt: seq }))
    expect(await post(JSON.stringify(more))).toMatchObject({ status: 202, body: '{"accepted":3}\n' })
    expect(journal.entries.map(({ receivedAt }) => receivedAt)).toEqual([0, 1, 2])
    const notAll = await post(JSON.stringify([ENTRY, { ...ENTRY, body: '?' }, ENTRY]))
    expect(notAll).toMatchObject({ status: 400, body: expect.stringContaining('entry 2 of 3: body') as string })
    expect((await post('[]')).status).toBe(400)
    expect((await post(JSON.stringify(Array(1_001).fill(ENTRY)))).status).toBe(400)
    expect(journal.entries).toHaveLength(3)
  })

  it('answers 503 with Retry-After while the journal refuses it', async () => {
    await start()
    journal.refuses = 'JOURNAL_FULL'
    const answer = await post(JSON.stringify(ENTRY))
    expect(answer).toMatchObject({ status: 503, headers: { 'retry-after': '10' } })
    expect(journal.entries).toEqual([])
  })

  it('answers 409 to an entry that is meant for the journal of another connector', async () => {
    await start()
    const answerTo = (id: string) => post(JSON.stringify(ENTRY), { ...JSON_HEADERS, 'dlr-mo-connector-journal': id })
    expect(await answerTo('another')).toMatchObject({
      status: 409,
      body: expect.stringContaining(journal.id) as string,
    })
    expect(journal.entries).toEqual([])
    expect((await answerTo(journal.id)).status).toBe(202)
  })

  it('answers 400 to what is no entry, and 401 without the token', async () => {
    await start('secret')
    const headers = { ...JSON_HEADERS, authorization: 'Bearer secret' }
    expect((await post(JSON.stringify(ENTRY))).status).toBe(401)
    expect((await post('no JSON', headers)).status).toBe(400)
    expect(await post('{}', headers)).toMatchObject({ status: 400, body: expect.stringContaining('source') as string })
    expect(journal.entries).toEqual([])
  })

  it('answers 429 while the bodies of other requests take all memory for them, and takes entries again afterwards', async () => {
    await start()
    const large = await RawConnection.open(Number(new URL(origin).port))
    const head = `POST /journal/entries HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: ${80 * MIB}\r\n\r\n`
    await large.sendAndFlush(head)
    await large.sendAndFlush(Buffer.alloc(80 * MIB - 1, ' '))
    const refused = await post(' '.repeat(20 * MIB))
    expect(refused).toMatchObject({ status: 429, headers: { 'retry-after': '10' } })
    expect(await post(JSON.stringify(ENTRY))).toMatchObject({ status: 202 })
    await large.sendAndFlush(' ')
    expect((await large.readAnswer()).status).toBe(400)
    large.close()
    expect((await post(`${' '.repeat(20 * MIB)}${JSON.stringify(ENTRY)}`)).status).toBe(202)
  })

  it('answers 415 or 403 to what a page in a browser could have sent', async () => {
    await start()
    const body = JSON.stringify(ENTRY)
    expect((await post(body, { 'content-type': 'text/plain' })).status).toBe(415)
    expect((await post(body, { ...JSON_HEADERS, origin: 'http://evil.example' })).status).toBe(403)
    expect((await post(body, { ...JSON_HEADERS, 'sec-fetch-site': 'same-origin' })).status).toBe(403)
    expect(journal.entries).toEqual([])
  })
})

describe('The admin server called from a browser', () => {
  const WATCH = { body: '{"messageIds": ["1"]}' }
  const JSON_HEADERS = { 'content-type': 'application/json' }
  const watch = async (headers: Readonly<Record<string, string>>): Promise<number> =>
    (await call(`${origin}/sources/seven-main/watch`, { ...WATCH, headers })).status

  it.each([
    ['text/plain', { 'content-type': 'text/plain' }, 415],
    ['a form', { 'content-type': 'application/x-www-form-urlencoded' }, 415],
    ['text/plain that names JSON in a parameter', { 'content-type': 'text/plain; a=application/json' }, 415],
    ['no content type', {}, 415],
    ['JSON of another origin', { ...JSON_HEADERS, origin: 'http://evil.example' }, 403],
    ['JSON of the origin null', { ...JSON_HEADERS, origin: 'null' }, 403],
    [
      'JSON of a page of the same origin after DNS rebinding',
      { ...JSON_HEADERS, 'sec-fetch-site': 'same-origin' },
      403,
    ],
  ])('changes nothing, with a token and without: %s', async (_, headers, status) => {
    await start()
    expect(await watch(headers)).toBe(status)
    await start('a-token-of-the-operator')
    const login = `Basic ${Buffer.from('x:a-token-of-the-operator').toString('base64')}`
    expect(await watch({ ...headers, authorization: login })).toBe(status)
    expect(watched).toEqual([])
  })

  it.each(['evil.example', 'evil.example:9464', '127.0.0.1.evil.example', 'localhost.evil.example', '[evil]', 'a b'])(
    'reveals and changes nothing on a loopback address without a token where the host is "%s"',
    async (host) => {
      await start()
      for (const path of ['/', '/metrics', '/status.json', '/runbook']) {
        expect((await call(origin + path, { headers: { host } })).status).toBe(403)
      }
      expect(await watch({ ...JSON_HEADERS, host })).toBe(403)
      expect(watched).toEqual([])
      expect((await call(`${origin}/livez`, { headers: { host } })).status).toBe(200)
    },
  )

  it.each(['127.0.0.1:9464', 'localhost', 'LOCALHOST:9464', '[::1]:9464', '10.1.2.3:9464', 'dlr.localhost'])(
    'answers a program that names the host %s',
    async (host) => {
      await start()
      expect((await call(`${origin}/metrics`, { headers: { host } })).status).toBe(200)
      expect(await watch({ ...JSON_HEADERS, host })).toBe(202)
    },
  )

  it.each([
    ['with a token', 'a-token-of-the-operator', '127.0.0.1'],
    ['on all addresses', undefined, '0.0.0.0'],
  ])('answers probes, Prometheus and programs %s whatever the host is', async (_, token, host) => {
    await start(token, 0, host)
    const headers = { host: 'connector.sms.svc:9464', ...(token && { authorization: `Bearer ${token}` }) }
    for (const path of ['/livez', '/metrics', '/status.json']) {
      expect((await call(origin + path, { headers })).status).toBe(200)
    }
    expect(await watch({ ...headers, ...JSON_HEADERS })).toBe(202)
  })
})

describe('The admin server with more connections than it takes', () => {
  it('answers probes on new connections, beside connections that send nothing or a part of a request', async () => {
    const port = await start()
    const idle: RawConnection[] = []
    for (let at = 0; at < 200; at++) {
      const connection = await RawConnection.open(port, `127.0.0.${1 + (at % 50)}`)
      if (at % 2 === 0) connection.send('GET /livez HTTP/1.1\r\n')
      idle.push(connection)
    }
    for (let probe = 0; probe < 5; probe++) expect((await call(`${origin}/livez`)).status).toBe(200)
    const ended = idle.filter(({ socket }) => socket.readableEnded || socket.destroyed)
    expect(ended.length).toBeGreaterThan(100)
    for (const connection of idle) connection.close()
  })
})

describe('The admin server losing a client', () => {
  it('logs nothing if the client goes before it has sent the whole body, and answers others', async () => {
    const port = await start()
    const connection = await RawConnection.open(port)
    const headers = 'content-type: application/json\r\ncontent-length: 100\r\n'
    await connection.sendAndFlush(`POST /sources/seven-main/watch HTTP/1.1\r\nhost: localhost\r\n${headers}\r\n{"mess`)
    connection.socket.resetAndDestroy()
    expect((await call(`${origin}/livez`)).status).toBe(200)
    await turnUntilIdle()
    expect(log.lines).toEqual([])
  })
})
