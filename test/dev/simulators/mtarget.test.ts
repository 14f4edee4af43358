import { gunzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ProviderData } from '../../../dev/simulators/provider-data.js'
import type { MtargetRow } from '../../../dev/simulators/provider-data.js'
import { MtargetSimulator } from '../../../dev/simulators/mtarget.js'
import { get, post } from './requests.js'

let mtarget: MtargetSimulator
beforeEach(async () => {
  mtarget = await MtargetSimulator.start()
})
afterEach(() => mtarget.stop())

const rows = new ProviderData(1).mtargetMix(20)
const fetchPage = (form: Record<string, string> = {}, process?: string) =>
  post(
    `${mtarget.url}${process === undefined ? '' : `?process=${process}`}`,
    new URLSearchParams({ username: 'demo', password: 'secret', ...form }).toString(),
  )
const rowsOf = (body: string): MtargetRow[] => (JSON.parse(body) as { results: MtargetRow[] }).results

describe('The queue of the Mtarget simulator', () => {
  it('hands out each row once and in order, and then an empty page', async () => {
    mtarget.enqueue(rows)
    const first = await fetchPage({ max: '15' })
    const second = await fetchPage({ max: '15' })
    const third = await fetchPage({ max: '15' })
    expect([...rowsOf(first.text), ...rowsOf(second.text)]).toEqual(rows)
    expect(third.text).toBe('{"results":[]}')
    expect(mtarget.answers.map((answer) => answer.limit)).toEqual([15, 15, 15])
  })

  it('hands out 50 rows if the page size is missing or not a number', async () => {
    mtarget.enqueue(new ProviderData(2).mtargetReceipts(120))
    expect(rowsOf((await fetchPage()).text)).toHaveLength(50)
    expect(rowsOf((await fetchPage({ max: 'many' })).text)).toHaveLength(50)
  })

  it('hands out the rows of a service to requests for the service and to requests without one', async () => {
    mtarget.enqueue(rows.slice(0, 3), 'one')
    mtarget.enqueue(rows.slice(3, 6), 'two')
    expect(rowsOf((await fetchPage({ serviceid: 'two' })).text)).toEqual(rows.slice(3, 6))
    expect(rowsOf((await fetchPage()).text)).toEqual(rows.slice(0, 3))
  })

  it('answers wrong credentials with an error row, and keeps its rows', async () => {
    mtarget.enqueue(rows)
    const answer = await fetchPage({ password: 'wrong' })
    expect(answer.status).toBe(200)
    expect(rowsOf(answer.text)).toEqual([
      { msisdn: 'null', smscount: '0', code: '-12', reason: 'invalid credential', ticket: 'null' },
    ])
    expect(mtarget.queued).toBe(rows.length)
  })

  it('answers another path with 404 and another method with 405', async () => {
    expect((await get(new URL('/other', mtarget.url).href)).status).toBe(404)
    expect((await get(mtarget.url)).status).toBe(405)
  })
})

describe('The rows that a client of the Mtarget simulator owes', () => {
  it('are those of each page after which the client asked again', async () => {
    mtarget.enqueue(rows)
    await fetchPage({ max: '5' })
    expect(mtarget.owed()).toEqual([])
    await fetchPage({ max: '5' })
    expect(mtarget.owed()).toEqual(rows.slice(0, 5))
  })

  it('do not include a page after which the client was killed and restarted', async () => {
    mtarget.enqueue(rows)
    await fetchPage({ max: '5' })
    mtarget.noteClientRestart()
    await fetchPage({ max: '5' })
    expect(mtarget.owed()).toEqual([])
  })

  it('do not include that page if the last request of the killed process is read late', async () => {
    mtarget.enqueue(rows)
    await fetchPage({ max: '5' }, '1')
    mtarget.noteClientRestart()
    await fetchPage({ max: '5' }, '1')
    await fetchPage({ max: '5' }, '2')
    expect(mtarget.owed()).toEqual([])
    await fetchPage({ max: '5' }, '2')
    expect(mtarget.owed()).toEqual(rows.slice(10, 15))
  })

  it('are counted in a cut answer up to the last whole row', async () => {
    mtarget.enqueue(rows)
    const whole = `{"results":[${rows.map((row) => JSON.stringify(row)).join(',')}]}`
    const endOfThird = `{"results":[${rows
      .slice(0, 3)
      .map((row) => JSON.stringify(row))
      .join(',')}`
    mtarget.fault({ destroyAfterBytes: Buffer.byteLength(endOfThird) + 10 })
    const answer = await fetchPage()
    expect(answer.complete).toBe(false)
    expect(whole.startsWith(answer.text)).toBe(true)
    expect(mtarget.answers[0]).toMatchObject({ rowsSent: 3, delivered: false })
    expect(mtarget.queued).toBe(0)
  })
})

describe('A faulty answer of the Mtarget simulator', () => {
  beforeEach(() => mtarget.enqueue(rows))

  it('can be an error page, for which no rows leave the queue', async () => {
    mtarget.fault({ status: 502 })
    mtarget.fault({ status: 429, headers: { 'retry-after': '7' } })
    expect(await fetchPage()).toMatchObject({ status: 502, text: expect.stringContaining('<!DOCTYPE html>') as string })
    expect((await fetchPage()).headers['retry-after']).toBe('7')
    expect(rowsOf((await fetchPage()).text)).toEqual(rows)
  })

  it('can be complete as HTTP and cut as JSON', async () => {
    mtarget.fault({ cutAfterBytes: 100 })
    const answer = await fetchPage()
    expect(answer).toMatchObject({ status: 200, complete: true })
    expect(Buffer.byteLength(answer.text)).toBe(100)
  })

  it('can be compressed, in pieces, in Latin-1, or with numbers', async () => {
    mtarget.fault({ gzip: true })
    expect(rowsOf(gunzipSync((await fetchPage({ max: '5' })).body).toString())).toEqual(rows.slice(0, 5))
    mtarget.fault({ pieces: { bytes: 7 } })
    expect(rowsOf((await fetchPage({ max: '5' })).text)).toEqual(rows.slice(5, 10))
    mtarget.fault({ latin1: true })
    mtarget.enqueue([{ Status: '5', Content: 'é 🙂' }])
    const latin = (await fetchPage({ max: '50' })).body.toString('latin1')
    expect(latin).toContain('"é ?"')
    mtarget.enqueue([{ Status: '3', MsgId: '12345678901234567890', RSN: '007' }])
    mtarget.fault({ numbers: true })
    expect((await fetchPage()).text).toBe('{"results":[{"Status":3,"MsgId":12345678901234567890,"RSN":"007"}]}')
  })

  it('can be withheld until the simulator is stopped', async () => {
    mtarget.fault({ hang: 'after' })
    const answer = fetchPage()
    await expect.poll(() => mtarget.queued).toBe(0)
    await mtarget.stop()
    expect(await answer).toMatchObject({ complete: false, status: 0 })
  })

  it('can be endless', async () => {
    mtarget.fault({ endless: true })
    const answer = await post(mtarget.url, 'username=demo&password=secret', { giveUpAfterBytes: 1_000_000 })
    expect(answer.body.length).toBeGreaterThanOrEqual(1_000_000)
  })
})

it('The Mtarget simulator is controlled over HTTP by POST /_control', async () => {
  const control = new URL('/_control', mtarget.url).href
  const answer = await post(control, JSON.stringify({ receipts: 8, messages: 2, fault: { status: 500 } }))
  expect(JSON.parse(answer.text)).toMatchObject({ queued: 10, handedOut: 0 })
  expect((await fetchPage()).status).toBe(500)
  await fetchPage()
  expect(JSON.parse((await get(control)).text)).toMatchObject({ queued: 0, handedOut: 10, requests: 2 })
  expect((await post(control, 'not JSON')).status).toBe(400)
})

it('The Mtarget simulator generates messages without Status, and long texts in parts', async () => {
  const control = new URL('/_control', mtarget.url).href
  await post(control, JSON.stringify({ messagesWithoutStatus: 3, longMessages: 2 }))
  const queued = rowsOf((await fetchPage()).text) as Record<string, string>[]
  expect(queued.every((row) => row['Status'] === undefined && row['Msisdn'] !== undefined)).toBe(true)
  const parts = queued.filter((row) => row['msglong.id'] !== undefined)
  expect(queued.length - parts.length).toBe(3)
  const references = new Set(parts.map((row) => row['msglong.id']))
  expect(references.size).toBe(2)
  for (const reference of references) {
    const text = parts.filter((row) => row['msglong.id'] === reference)
    const numbers = text.map((row) => Number(row['msglong.msgref'])).sort()
    expect(numbers).toEqual(Array.from({ length: Number(text[0]!['msglong.msgcount']) }, (_, index) => index + 1))
  }
})
