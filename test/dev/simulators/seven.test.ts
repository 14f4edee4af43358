import { createHash, createHmac } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ProviderData } from '../../../dev/simulators/provider-data.js'
import { bodyOf, serve } from '../../../dev/simulators/local-server.js'
import type { LocalServer } from '../../../dev/simulators/local-server.js'
import { SevenSimulator } from '../../../dev/simulators/seven.js'
import { SevenCallbacks } from '../../../dev/simulators/seven-callbacks.js'
import type { SevenEvent } from '../../../dev/simulators/seven-requests.js'
import { get, post } from './requests.js'

const data = new ProviderData(3)
const receipts = data.sevenReceipts(40).map((receipt): SevenEvent => ({ kind: 'dlr', data: receipt }))
const messages = data.sevenInbound(5).map((message): SevenEvent => ({ kind: 'sms_mo', data: message }))

describe('The callbacks of the seven simulator', () => {
  let receiver: LocalServer
  let seen: { method: string; url: string; body: string; headers: IncomingHttpHeaders; socket: unknown }[]
  let answerWith: (url: string) => number | 'hang up'
  let callbacks: SevenCallbacks

  beforeEach(async () => {
    seen = []
    answerWith = () => 200
    receiver = await serve(async (request, response) => {
      const { method = '', url = '', headers, socket } = request
      seen.push({ method, url, body: await bodyOf(request), headers, socket })
      const answer = answerWith(url)
      if (answer === 'hang up') socket.destroy()
      else response.writeHead(answer, { 'content-length': '0' }).end()
    })
    callbacks = new SevenCallbacks({ url: `${receiver.origin}/callbacks/seven-main/t`, concurrency: 4 })
  })
  afterEach(async () => {
    callbacks.stop()
    await receiver.stop()
  })

  it('append message id and status to the URL, and reuse few connections', async () => {
    await callbacks.send(receipts)
    const expected = receipts.map(
      ({ data }) => `/callbacks/seven-main/t?${new URLSearchParams({ ...data }).toString()}`,
    )
    expect(seen.map(({ method, url }) => `${method} ${url}`).sort()).toEqual(expected.map((url) => `GET ${url}`).sort())
    expect(new Set(seen.map(({ socket }) => socket)).size).toBeLessThanOrEqual(4)
    expect(callbacks.owed()).toHaveLength(receipts.length)
  })

  it('are never repeated, and are owed only if they are answered with 200', async () => {
    let count = 0
    answerWith = () => {
      count += 1
      return ([200, 503, 'hang up', 404] as const)[count % 4] ?? 200
    }
    const outcomes = await callbacks.send(receipts)
    expect(seen).toHaveLength(receipts.length)
    expect(outcomes.map(({ event }) => event)).toEqual(receipts)
    const byStatus = (status: number | undefined) => outcomes.filter((outcome) => outcome.status === status).length
    expect([200, 503, undefined, 404].map(byStatus)).toEqual([10, 10, 10, 10])
    expect(callbacks.owed()).toHaveLength(10)
  })

  it('are sent in every form that seven has', async () => {
    const message = messages.slice(0, 1)
    await callbacks.send(message, 'json')
    await callbacks.send(message, 'form-nested')
    await callbacks.send(message, 'form-flat')
    await callbacks.send(message, 'get')
    const fields = message[0]?.data as unknown as Record<string, string>
    const nested = Object.entries(fields).map(([key, value]) => [`data[${key}]`, value])
    const pairs = (query: string) => [...new URLSearchParams(query)].filter(([key]) => key !== 'webhook_timestamp')
    expect(JSON.parse(seen[0]?.body ?? '')).toMatchObject({ webhook_event: 'sms_mo', data: fields })
    expect(pairs(seen[1]?.body ?? '')).toEqual([['webhook_event', 'sms_mo'], ...nested])
    expect(pairs(seen[2]?.body ?? '')).toEqual([['webhook_event', 'sms_mo'], ...Object.entries(fields)])
    expect(pairs(seen[3]?.url.split('?')[1] ?? '')).toEqual([['webhook_event', 'sms_mo'], ...nested])
  })

  it('are signed over timestamp, nonce, method, public URL and body', async () => {
    callbacks.stop()
    callbacks = new SevenCallbacks({
      url: `${receiver.origin}/callbacks/seven-main`,
      signingKey: 'key',
      publicUrl: 'https://sms.example.com/in/',
      now: () => 1_700_000_000_000,
    })
    await callbacks.send(messages.slice(0, 1), 'json')
    const headers = seen[0]?.headers ?? {}
    const body = seen[0]?.body ?? ''
    const url = 'https://sms.example.com/in/callbacks/seven-main'
    const digest = createHash('md5').update(body).digest('hex')
    const signed = ['1700000000', headers['x-nonce'], 'POST', url, digest].join('\n')
    expect(headers['x-signature']).toBe(createHmac('sha256', 'key').update(signed).digest('hex'))
    expect(headers['x-nonce']).toMatch(/^[0-9a-f]{32}$/)
  })
})

describe('The server of the seven simulator', () => {
  let seven: SevenSimulator
  const ask = (query: string, key = 'demo-key') => get(`${seven.url}${query}`, { 'x-api-key': key })

  afterEach(() => seven.stop())

  it('answers a status query with a row for each known id, including ids without a status', async () => {
    seven = await SevenSimulator.start()
    seven.setStatus('1', 'DELIVERED')
    seven.setStatus('2', null)
    expect(JSON.parse((await ask('/status?msg_id=1,2,3')).text)).toEqual([
      { id: '1', status: 'DELIVERED', status_time: '2026-01-01 12:00:00' },
      { id: '2', status: null, status_time: null },
    ])
  })

  it('answers a status query for one id in plain text if it is started for the older form', async () => {
    seven = await SevenSimulator.start({ statusAnswer: 'text' })
    seven.setStatus('1', 'BUFFERED', '1970-01-01 00:01:40')
    const answer = await ask('/status?msg_id=1')
    expect(answer.headers['content-type']).toBe('text/plain')
    expect(answer.text).toBe('BUFFERED\n100')
  })

  it('answers a wrong API key with HTTP 200 and "900", and records every request', async () => {
    seven = await SevenSimulator.start()
    expect(await ask('/status?msg_id=1', 'wrong')).toMatchObject({ status: 200, text: '"900"' })
    seven.refuseRequests(1, 3)
    const refused = await ask('/status?msg_id=1')
    expect([refused.status, refused.headers['retry-after']]).toEqual([429, '3'])
    expect((await ask('/status?msg_id=1')).status).toBe(200)
    expect(seven.requests.map(({ status }) => status)).toEqual([200, 429, 200])
  })

  it('returns pages of its message log for whole days, with at most 100 rows', async () => {
    seven = await SevenSimulator.start()
    for (let index = 0; index < 250; index += 1) {
      const day = index < 200 ? '2026-02-01' : '2026-02-02'
      const row = { id: String(index), to: '49', from: '36', text: 'x', price: '0', reply_to_message_id: null }
      seven.inbound.push({ ...row, timestamp: `${day} 10:00:00` })
    }
    const page = async (query: string) => JSON.parse((await ask(`/journal/inbound?${query}`)).text) as unknown[]
    const day = 'date_from=2026-02-01&date_to=2026-02-01'
    expect(await page(`${day}&limit=1000`)).toHaveLength(100)
    expect(await page(`${day}&limit=100&offset=150`)).toHaveLength(50)
    expect(await page('date_from=2026-02-02&limit=100')).toHaveLength(50)
  })

  it('sends callbacks that POST /_control demands', async () => {
    seven = await SevenSimulator.start()
    const receiver = await serve(async (_request, response) => void response.writeHead(200).end())
    const control = new URL('/_control', seven.url).href
    const callbacks = { url: receiver.origin, receipts: 5, messages: 2 }
    expect(JSON.parse((await post(control, JSON.stringify({ callbacks }))).text)).toMatchObject({
      callbacks: { 200: 7 },
    })
    await receiver.stop()
  })

  it('keeps events in its message log whose callbacks are not taken', async () => {
    seven = await SevenSimulator.start()
    const stoppedServer = await serve(async () => undefined)
    await stoppedServer.stop()
    const callbacks = { url: stoppedServer.origin, receipts: 5, messages: 2 }
    const { text } = await post(new URL('/_control', seven.url).href, JSON.stringify({ callbacks }))
    expect(JSON.parse(text)).toMatchObject({ callbacks: { 'no answer': 7 } })
    expect(seven.outbound.map(({ dlr }) => dlr)).toHaveLength(5)
    expect(seven.outbound.every(({ id, dlr }) => seven.messages.get(id)?.status === dlr)).toBe(true)
    expect(seven.inbound).toHaveLength(2)
  })
})
