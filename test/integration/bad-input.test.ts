/** Invalid input from providers: each request is answered, everything in custody is published, and the process survives. */
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import type { TopicReader, TopicRecord } from '../../dev/oracle/topic-reader.js'
import { ProviderData, type MtargetRow } from '../../dev/simulators/provider-data.js'
import type { MtargetFault } from '../../dev/simulators/mtarget.js'
import { renderPage } from '../../dev/simulators/mtarget-page.js'
import { longText } from '../../dev/simulators/texts.js'
import { Random } from '../../dev/simulators/random.js'
import { call } from '../support/call.js'
import { startTrial, untilPublished, type Trial } from '../../dev/trial.js'
import { until } from '../../dev/wait.js'

const data = new ProviderData(3)
const HTML = '<!DOCTYPE html>\n<html><body><h1>Désolé</h1></body></html>\n'
const TRICKY = 'He said "oui" 🚕👨‍👩‍👧‍👦,\r\nthen \\left\\\n\tand \u2028 back; é as e\u0301; {"a":[1]} & 100%+1=2'

let trial: Trial
let reader: TopicReader
let read = 0

beforeAll(async () => {
  trial = await startTrial({ brokers: inject('brokers'), registryUrl: inject('registryUrl') })
  await trial.connector.start()
  reader = await trial.follow()
})
afterAll(() => trial?.stop())

/** Waits for at least this many records since the last call, and returns them. */
async function arrivals(atLeast: number): Promise<TopicRecord[]> {
  await until(() => reader.records.length >= read + atLeast)
  const records = reader.records.slice(read)
  read = reader.records.length
  return records
}

/** Waits for the only record since the last call, which must be a dead letter. */
async function letter(): Promise<TopicRecord> {
  const records = await arrivals(1)
  expect(records.map(({ topic, value }) => [topic, value['reason']])).toHaveLength(1)
  expect(records[0]!.topic).toBe(trial.topics.deadLetter)
  return records[0]!
}

const bodyOf = ({ value }: TopicRecord): Buffer => Buffer.from(value['body'] as Uint8Array)
const lettersAmong = (records: readonly TopicRecord[]): TopicRecord[] =>
  records.filter(({ topic }) => topic === trial.topics.deadLetter)
const eventsAmong = (records: readonly TopicRecord[]): TopicRecord[] =>
  records.filter(({ topic }) => topic !== trial.topics.deadLetter)

const HEADERS = ['ce_id', 'ce_source', 'ce_specversion', 'ce_time', 'ce_type', 'content-type']

describe('An answer of the queue of Mtarget', () => {
  const outcomes = (outcome: string): Promise<number> =>
    trial.metric(`dlrmo_pull_requests_total{source="mtarget-fr",outcome="${outcome}"}`)

  /** Sets the fault and the rows without a request in between. */
  const answerWith = (fault: MtargetFault, rows: readonly MtargetRow[] = []): void => {
    trial.mtarget.fault(fault)
    trial.mtarget.enqueue(rows)
  }

  /** Waits until the next request to the account has found an empty queue. */
  const untilWellAgain = async (): Promise<void> => {
    const empty = await outcomes('empty')
    await until(async () => (await outcomes('empty')) > empty)
  }

  it('that is an HTML page with 200 becomes a dead letter with everything that was received', async () => {
    answerWith({ status: 200, body: HTML, headers: { 'content-type': 'text/html; charset=utf-8' } })
    const { key, value, headers } = await letter()
    expect(key).toBe('mtarget-fr')
    expect(value).toMatchObject({
      source: 'mtarget-fr',
      provider: 'mtarget',
      via: 'PULL',
      reason: 'not-a-page',
      part: 0,
      parts: 1,
      request: {
        method: 'POST',
        path: '/notification',
        query: 'process=1',
        'content-type': 'text/html; charset=utf-8',
        status: '200',
      },
    })
    expect(String(value['detail'])).toMatch(/200.*text\/html.*results/)
    expect(Buffer.from(value['body'] as Uint8Array).toString()).toBe(HTML)
    expect(Object.keys(headers).sort()).toEqual(HEADERS)
    expect(headers).toMatchObject({
      ce_specversion: '1.0',
      ce_id: value['eventId'],
      ce_source: '/mtarget/mtarget-fr',
      ce_type: 'sms.dead-letter.v1',
      'content-type': 'application/avro',
    })
  })

  it.each([502, 503, 404, 429])(
    'that is an HTML page with %i counts as an account error and is not kept',
    async (status) => {
      const before = await outcomes('account-error')
      answerWith({ status, body: HTML, headers: { 'content-type': 'text/html', 'retry-after': '1' } })
      await until(async () => (await outcomes('account-error')) === before + 1)
      await untilWellAgain()
      expect(await trial.metric('dlrmo_journal_entries')).toBe(0)
      expect(reader.records).toHaveLength(read)
    },
  )

  it('that is an empty body becomes a dead letter', async () => {
    answerWith({ status: 200, body: '' })
    const { value } = await letter()
    expect(value).toMatchObject({ reason: 'not-a-page' })
    expect(Buffer.from(value['body'] as Uint8Array)).toHaveLength(0)
  })

  const cutIn = (rows: readonly MtargetRow[], row: number): { at: number; from: number; bytes: Buffer } => {
    const { bytes, rowEnds } = renderPage(rows, { encoding: 'utf8' })
    const from = rowEnds[row - 1]! + 1 // after the comma
    return { at: from + 20, from, bytes }
  }

  it.each([
    ['whose JSON ends early', (at: number): MtargetFault => ({ cutAfterBytes: at }), undefined],
    ['whose connection breaks', (at: number): MtargetFault => ({ destroyAfterBytes: at }), 'false'],
  ] as const)('%s gives the complete rows as events and the rest as a dead letter', async (_name, fault, complete) => {
    const rows = data.mtargetReceipts(8)
    const { at, from, bytes } = cutIn(rows, 5)
    answerWith(fault(at), rows)
    const records = await arrivals(6)
    expect(eventsAmong(records).map(({ value }) => value['raw'])).toHaveLength(5)
    for (const row of rows.slice(0, 5)) {
      expect(records).toContainEqual(
        expect.objectContaining({ key: row['MsgId'], value: expect.objectContaining({ raw: row }) as object }),
      )
    }
    const [rest, ...more] = lettersAmong(records)
    expect(more).toEqual([])
    expect(rest!.value).toMatchObject({ reason: 'cut-page' })
    expect((rest!.value['request'] as Record<string, string>)['complete']).toBe(complete)
    expect(bodyOf(rest!).equals(bytes.subarray(from, at))).toBe(true)
  })

  it('that is compressed without being requested so is read', async () => {
    const rows = data.mtargetMix(20)
    answerWith({ gzip: true }, rows)
    const records = await arrivals(20)
    expect(lettersAmong(records)).toEqual([])
    expect(records.map(({ value }) => value['raw'])).toEqual(expect.arrayContaining(rows))
  })

  it('that declares Latin-1 is read', async () => {
    const [row] = data.mtargetMessages(1)
    answerWith({ latin1: true }, [{ ...row!, Content: 'Déjà reçu à Besançon, çà va £§' }])
    const [seen, ...more] = await arrivals(1)
    expect(more).toEqual([])
    expect(seen!.value['text']).toBe('Déjà reçu à Besançon, çà va £§')
  })

  it('with numbers in place of strings is read with every digit', async () => {
    const [row] = data.mtargetReceipts(1)
    const sent = { ...row!, MsgId: '12345678901234567890123', Status: '3', DestinationAdress: '33612345678' }
    answerWith({ numbers: true }, [sent])
    const [seen, ...more] = await arrivals(1)
    expect(more).toEqual([])
    expect(seen!.key).toBe('12345678901234567890123')
    expect(seen!.value).toMatchObject({
      messageId: '12345678901234567890123',
      recipient: '+33612345678',
      status: 'DELIVERED',
      providerStatus: '3',
      raw: sent,
    })
  })

  it.each([
    ['{}', 'missing-status'],
    ['{"Foo":"bar"}', 'missing-status'],
    ['{"Status":"","MsgId":"a-1"}', 'missing-status'],
    ['{"Status":"3"}', 'missing-id'],
    ['{"Status":"5","Content":"Bonjour","MsgId":"a-2"}', 'missing-sender'],
    ['{"Status":"5","OriginatedAddress":"33612345678","MsgId":"a-3"}', 'missing-text'],
    ['null', 'not-a-row'],
    ['"a row"', 'not-a-row'],
    ['[{"Status":"3","MsgId":"a-4"}]', 'not-a-row'],
    ['{"Status":"3","Status":"4","MsgId":"a-5"}', 'conflicting-fields'],
  ])('with the row %s gives a dead letter %s for that row, and events for the other rows', async (bad, reason) => {
    const [first, last] = data.mtargetReceipts(2)
    answerWith({ body: `{"results":[${JSON.stringify(first)},${bad},${JSON.stringify(last)}]}` })
    const records = await arrivals(3)
    expect(eventsAmong(records).map(({ value }) => value['raw'])).toEqual(expect.arrayContaining([first, last]))
    const letters = lettersAmong(records)
    expect(letters.map(({ value }) => value['reason'])).toEqual([reason])
    expect(bodyOf(letters[0]!).toString()).toBe(bad)
  })

  it.each(['7', '99', '-1', 'DELIVERED', '3x'])(
    'with the unknown status %s gives a receipt UNKNOWN that is not final',
    async (status) => {
      const [row] = data.mtargetReceipts(1)
      answerWith({}, [{ ...row!, Status: status }])
      const [seen, ...more] = await arrivals(1)
      expect(more).toEqual([])
      expect(seen!.topic).toBe(trial.topics.dlr)
      expect(seen!.value).toMatchObject({ status: 'UNKNOWN', final: false, providerStatus: status })
    },
  )

  const REFUSAL = { msisdn: 'null', smscount: '0', code: '-12', reason: 'invalid credential', ticket: 'null' }

  it.each([200, 401])(
    'that refuses the credentials with %i is logged and retried, and never becomes an event',
    async (status) => {
      const before = await outcomes('account-error')
      trial.mtarget.fault({ status, body: JSON.stringify({ results: [REFUSAL] }) }, 3)
      await until(async () => (await outcomes('account-error')) === before + 3)
      await untilWellAgain()
      expect(reader.records).toHaveLength(read)
      expect(await trial.log()).toContainEqual(
        expect.objectContaining({
          source: 'mtarget-fr',
          outcome: 'account-error',
          detail:
            'invalid credential (code -12); check sources.mtarget-fr.pull.username and sources.mtarget-fr.pull.password',
        }),
      )
    },
  )

  it('with an account error among the rows gives the other rows', async () => {
    const rows = data.mtargetReceipts(2)
    answerWith({ body: JSON.stringify({ results: [rows[0], REFUSAL, rows[1]] }) })
    const records = await arrivals(2)
    expect(records.map(({ value }) => value['raw'])).toHaveLength(2)
    expect(records.map(({ value }) => value['raw'])).toEqual(expect.arrayContaining(rows))
  })

  it('with an error status and a page in the body is a page', async () => {
    const rows = data.mtargetReceipts(3)
    answerWith({ status: 500, keepPage: true }, rows)
    expect((await arrivals(3)).map(({ value }) => value['raw'])).toEqual(expect.arrayContaining(rows))
  })

  it('with texts of 1,500 characters, emoji, quotes and line breaks gives the exact texts', async () => {
    const texts = [TRICKY, longText(new Random(5), 1500), '', ' ', 'null', '"']
    const rows = data.mtargetMessages(texts.length).map((row, index) => ({ ...row, Content: texts[index]! }))
    answerWith({}, rows)
    const records = await arrivals(texts.length)
    expect(records.map(({ topic }) => topic)).toEqual(texts.map(() => trial.topics.mo))
    expect(records.map(({ value }) => value['text']).sort()).toEqual([...texts].sort())
    for (const { key, value } of records) expect(key).toBe(value['sender'])
  })
})

describe('A callback of seven', () => {
  const url = (query: string): string => `${trial.callbackUrl}${query}`
  const OK = { status: 200, headers: expect.objectContaining({ 'content-length': '0' }) as object }

  it.each([
    ['without msg_id', '?status=DELIVERED', 'missing-id'],
    ['without status', '?msg_id=4711', 'missing-status'],
    ['without anything', '', 'not-a-report'],
    ['with two msg_id in one query', '?msg_id=1&msg_id=2&status=DELIVERED', 'unequal-counts'],
    ['of an unsupported event', '?webhook_event=voice_call&id=1', 'unsupported-event'],
  ])('%s is answered 200 and becomes a dead letter', async (_name, query, reason) => {
    expect(await call(url(query))).toMatchObject(OK)
    const seen = await letter()
    expect(seen.key).toBe('seven-main')
    expect(seen.value).toMatchObject({
      source: 'seven-main',
      provider: 'seven',
      via: 'CALLBACK',
      reason,
      request: { method: 'GET', path: '/callbacks/seven-main', query: query.slice(1) },
    })
    expect(seen.value['request']).not.toHaveProperty('content-type')
    expect(bodyOf(seen)).toHaveLength(0)
    expect(seen.headers).toMatchObject({ ce_source: '/seven/seven-main', ce_type: 'sms.dead-letter.v1' })
  })

  it.each(['FOO', 'delivered?', '0'])(
    'with the unknown status %s gives a receipt UNKNOWN with the status as sent',
    async (status) => {
      const id = `unknown-${status}`
      expect(await call(url(`?msg_id=${encodeURIComponent(id)}&status=${encodeURIComponent(status)}`))).toMatchObject(
        OK,
      )
      const [seen] = await arrivals(1)
      expect(seen).toMatchObject({
        topic: trial.topics.dlr,
        key: id,
        value: { status: 'UNKNOWN', final: false, providerStatus: status },
      })
    },
  )

  const binary = Buffer.from(Array.from({ length: 70_000 }, (_, index) => (index * 131) % 256))

  it.each([
    ['a binary body', binary, 'application/octet-stream'],
    ['an HTML body', Buffer.from(HTML), 'text/html'],
    ['truncated JSON', Buffer.from('{"webhook_event":"dlr","data":{"msg_id":"12'), 'application/json'],
    ['JSON that is no object', Buffer.from('[1,2,"three"]'), 'application/json'],
    ['a gzip body without Content-Encoding', gzipSync(HTML), 'text/plain'],
  ])('with %s is answered 200 and becomes a dead letter with its bytes', async (_name, body, type) => {
    expect(await call(url(''), { body, headers: { 'content-type': type } })).toMatchObject(OK)
    const seen = await letter()
    expect(seen.value['request']).toEqual({
      method: 'POST',
      path: '/callbacks/seven-main',
      query: '',
      'content-type': type,
    })
    expect(bodyOf(seen).equals(body)).toBe(true)
    expect(String(seen.value['detail'])).not.toBe('')
  })

  it('with a message id and a status is a receipt in every form and method', async () => {
    expect(await call(url(''), { body: 'msg_id=form-1&status=FAILED' })).toMatchObject(OK)
    expect(await call(url('?msg_id=get-with-body&status=EXPIRED'), { method: 'GET', body: 'x' })).toMatchObject(OK)
    expect(await call(url('?msg_id=post-with-query&status=REJECTED'), { method: 'POST', body: '' })).toMatchObject(OK)
    const records = await arrivals(3)
    expect(records.map(({ topic, key, value }) => [topic, key, value['status']]).sort()).toEqual([
      [trial.topics.dlr, 'form-1', 'UNDELIVERABLE'],
      [trial.topics.dlr, 'get-with-body', 'EXPIRED'],
      [trial.topics.dlr, 'post-with-query', 'REJECTED'],
    ])
  })

  it('with an inbound message gives its exact text in every form', async () => {
    const texts = [TRICKY, longText(new Random(6), 1500), '', 'null']
    const events = data.sevenInbound(texts.length).map((each, index) => ({ ...each, text: texts[index]! }))
    for (const [index, shape] of (['json', 'form-nested', 'form-flat', 'get'] as const).entries()) {
      const [outcome] = await trial.seven.send([{ kind: 'sms_mo', data: events[index]! }], shape)
      expect(outcome!.status).toBe(200)
    }
    const records = await arrivals(texts.length)
    expect(records.map(({ topic }) => topic)).toEqual(texts.map(() => trial.topics.mo))
    expect(records.map(({ value }) => value['text']).sort()).toEqual([...texts].sort())
  })

  it.each([
    ['a wrong token', '/callbacks/seven-main/wrong'],
    ['no token', '/callbacks/seven-main'],
    ['a token that only begins like the configured one', '/callbacks/seven-main/secret-token-and-more'],
    ['a source that does not exist', '/callbacks/nobody/secret-token'],
    ['a source that is only pulled', '/callbacks/mtarget-fr/secret-token'],
  ])('with %s is answered 401, and nothing is stored', async (_name, path) => {
    const answer = await call(new URL(`${path}?msg_id=1&status=DELIVERED`, trial.callbackUrl).href)
    expect(answer).toMatchObject({ status: 401, body: '' })
    expect(await trial.metric('dlrmo_journal_entries')).toBe(0)
  })

  it.each(['PUT', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD'])('with %s is answered 405', async (method) => {
    const answer = await call(url('?msg_id=1&status=DELIVERED'), { method })
    expect(answer).toMatchObject({ status: 405, headers: { allow: 'GET, POST' } })
  })

  it.each([
    '/',
    '/callbacks',
    '/callbacks/',
    '/callback/seven-main/secret-token',
    '/metrics',
    '/readyz',
    '//',
    '/callbacks/seven-main/secret-token/more',
  ])('at %s is answered 404', async (path) => {
    expect(await call(new URL(trial.callbackUrl).origin + path)).toMatchObject({ status: 404 })
  })
})

describe('The connector after all kinds of bad input', () => {
  it('still runs, and has published every item that it received', async () => {
    const receipt = { kind: 'dlr', data: { msg_id: 'twice', status: 'DELIVERED' } } as const
    await trial.seven.send([receipt, receipt, receipt])
    await untilPublished(trial)
    const received = await trial.sum('dlrmo_items_received_total')
    const published = await trial.sum('dlrmo_events_published_total')
    const dead = await trial.sum('dlrmo_dead_letters_total')
    const duplicates = await trial.sum('dlrmo_duplicates_suppressed_total')
    expect(duplicates).toBe(2)
    expect(received).toBe(published + dead + duplicates)
    expect(trial.connector.exitCode).toBeUndefined()
    expect(await trial.connector.terminate()).toBe(0)
    const seen = await trial.readAll()
    expect(eventsAmong(seen)).toHaveLength(published)
    expect(lettersAmong(seen)).toHaveLength(dead)
    expect(new Set(seen.map(({ headers }) => headers['ce_id'])).size).toBe(seen.length)
  })
})
