/** Size limits: what is too large is refused with an answer that reaches the caller; what was accepted is published. */
import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import type { TopicReader, TopicRecord } from '../../dev/oracle/topic-reader.js'
import { ProviderData } from '../../dev/simulators/provider-data.js'
import { renderRow } from '../../dev/simulators/mtarget-page.js'
import { call } from '../support/call.js'
import { RawConnection } from '../support/raw-http.js'
import { startTrial, untilPublished, type Trial } from '../../dev/trial.js'
import { until } from '../../dev/wait.js'

const MIB = 1024 * 1024
const MAX_ANSWER = 2 * MIB

const data = new ProviderData(4)
let trial: Trial
let reader: TopicReader

beforeAll(async () => {
  trial = await startTrial({ brokers: inject('brokers'), registryUrl: inject('registryUrl') }, ({ sources }) => {
    sources['mtarget-fr'].pull['maxAnswer'] = MAX_ANSWER
  })
  await trial.connector.start()
  reader = await trial.follow()
})
afterAll(() => trial?.stop())

const byPart = (one: TopicRecord, other: TopicRecord): number => Number(one.value['part']) - Number(other.value['part'])

/** Waits for all parts of the dead letter whose request has this query, and returns them in order. */
async function lettersOf(query: string): Promise<TopicRecord[]> {
  const parts = (): TopicRecord[] =>
    reader.records.filter(({ value }) => (value['request'] as Record<string, string> | undefined)?.['query'] === query)
  await until(() => parts().length > 0 && parts().length >= Number(parts()[0]!.value['parts']))
  return parts().sort(byPart)
}

const joined = (parts: readonly TopicRecord[]): Buffer =>
  Buffer.concat(parts.map(({ value }) => Buffer.from(value['body'] as Uint8Array)))

const answered = (code: number): Promise<number> =>
  trial.metric(`dlrmo_callbacks_total{source="seven-main",code="${code}"}`)

describe('A callback with a body of 10 MB', () => {
  const large = Buffer.alloc(10_000_000, 'large ')

  it('is refused with 413, which reaches a caller that is still sending', async () => {
    const before = await answered(413)
    expect(await call(trial.callbackUrl, { body: large })).toMatchObject({ status: 413 })
    expect(await answered(413)).toBe(before + 1)
  })

  it('is refused with 413 if its length is not announced', async () => {
    const status = await new Promise<number>((resolve, reject) => {
      const outgoing = request(trial.callbackUrl, { method: 'POST', agent: false }, (incoming) => {
        incoming.resume().once('end', () => resolve(incoming.statusCode ?? 0))
      })
      outgoing.once('error', reject)
      for (let offset = 0; offset < large.length; offset += 100_000) {
        outgoing.write(large.subarray(offset, offset + 100_000))
      }
      outgoing.end()
    })
    expect(status).toBe(413)
  })

  it.each([
    ['sends Expect: 100-continue', []],
    ['sends the body at once', ['-H', 'Expect:']],
    ['sends a chunked body', ['-H', 'Expect:', '-H', 'Transfer-Encoding: chunked']],
  ])('is refused with 413 if curl %s', async (_name, more) => {
    const file = join(trial.folder, 'large.bin')
    await writeFile(file, large)
    const format = ['-s', '-S', '-o', '/dev/null', '-w', '%{http_code}', '--max-time', '50']
    const { stdout } = await promisify(execFile)('curl', [
      ...format,
      ...more,
      '--data-binary',
      `@${file}`,
      trial.callbackUrl,
    ])
    expect(stdout).toBe('413')
  })
})

describe('The connector', () => {
  it('accepts a body of exactly bodyLimit, and refuses one byte more', async () => {
    const body = Buffer.alloc(MIB, 'x')
    expect(await call(`${trial.callbackUrl}?exact`, { body })).toMatchObject({ status: 200 })
    expect(await call(`${trial.callbackUrl}?over`, { body: Buffer.alloc(MIB + 1, 'x') })).toMatchObject({ status: 413 })
    const parts = await lettersOf('exact')
    expect(joined(parts).equals(body)).toBe(true)
    expect(reader.records.filter(({ value }) => JSON.stringify(value['request'])?.includes('over'))).toEqual([])
  })

  it('accepts request line and headers up to 64 KiB, and refuses more with 413', async () => {
    const query = (length: number): string => `note=${'n'.repeat(length)}`
    expect(await call(`${trial.callbackUrl}?${query(60_000)}`)).toMatchObject({ status: 200 })
    expect(await call(`${trial.callbackUrl}?${query(66_000)}`)).toMatchObject({ status: 413 })
    expect(await call(trial.callbackUrl, { headers: { 'x-note': 'n'.repeat(66_000) } })).toMatchObject({ status: 413 })
    const many = Object.fromEntries(Array.from({ length: 700 }, (_, index) => [`x-${index}`, 'n'.repeat(100)]))
    expect(await call(trial.callbackUrl, { headers: many })).toMatchObject({ status: 413 })
    const [letter] = await lettersOf(query(60_000))
    expect(letter!.value).toMatchObject({ reason: 'not-a-report', parts: 1 })
    expect(await trial.metric('dlrmo_callbacks_total{source="",code="413"}')).toBe(3)
  })

  it('cuts a dead letter over 512 KiB into records whose bodies joined in order are the original body', async () => {
    const body = Buffer.from(Array.from({ length: 1_000_003 }, (_, index) => (index * 7919) % 251))
    const headers = { 'content-type': 'application/octet-stream' }
    expect(await call(`${trial.callbackUrl}?in-parts`, { body, headers })).toMatchObject({ status: 200 })
    const parts = await lettersOf('in-parts')
    expect(joined(parts).equals(body)).toBe(true)
    expect(parts).toHaveLength(2)
    const first = { ...parts[0]!.value, body: undefined }
    const id = String(parts[0]!.value['eventId'])
    for (const [index, { key, value, headers }] of parts.entries()) {
      expect(key).toBe('seven-main')
      expect({ ...value, body: undefined }).toEqual({ ...first, part: index, parts: 2 })
      expect((value['body'] as Uint8Array).length).toBeLessThanOrEqual(512 * 1024)
      expect(headers['ce_id']).toBe(index === 0 ? id : `${id}/${index}`)
    }
  })

  it('turns an inbound message that fits into no record into a dead letter with all of its bytes', async () => {
    const [message] = data.sevenInbound(1)
    const text = 'Ü'.repeat(450_000) // 900,000 bytes
    const body = JSON.stringify({ webhook_event: 'sms_mo', data: { ...message!, text } })
    const headers = { 'content-type': 'application/json' }
    expect(await call(`${trial.callbackUrl}?large-text`, { body, headers })).toMatchObject({ status: 200 })
    const parts = await lettersOf('large-text')
    expect(parts[0]!.value).toMatchObject({ reason: 'too-large' })
    expect(String(parts[0]!.value['detail'])).toMatch(/inbound message.*maxBatchBytes/)
    const kept = joined(parts).toString('utf8')
    expect(JSON.parse(kept)).toMatchObject({ data: { text } })
  })

  it('publishes an inbound message of 400 KB as a message', async () => {
    const [message] = data.sevenInbound(1)
    const text = 'é🚕"\n'.repeat(45_000)
    await trial.seven.send([{ kind: 'sms_mo', data: { ...message!, text } }], 'json')
    await until(() => reader.records.some(({ value }) => value['text'] === text))
  })

  it('publishes every row of a page that is much larger than the requested size', async () => {
    const rows = data.mtargetMix(5_000)
    const before = reader.records.length
    trial.mtarget.fault({ body: JSON.stringify({ results: rows }) })
    await until(() => reader.records.length >= before + rows.length)
    await untilPublished(trial)
    const found = reader.records.slice(before).map(({ value }) => JSON.stringify(value['raw']))
    expect(found).toHaveLength(rows.length)
    expect(new Set(found).size).toBe(new Set(rows.map((row) => JSON.stringify(row))).size)
  })

  it('keeps maxAnswer bytes of an endless answer: complete rows as events, the rest as a dead letter', async () => {
    const rows = data.mtargetMessages(50)
    const before = reader.records.length
    const form = { encoding: 'utf8' } as const
    let whole = 0
    for (let size = '{"results":['.length; ; whole++) {
      size += renderRow(rows[whole % rows.length]!, whole === 0, form).length
      if (size > MAX_ANSWER) break
    }
    trial.mtarget.fault({ endless: true })
    trial.mtarget.enqueue(rows)
    await until(() => reader.records.length >= before + whole + 1)
    await untilPublished(trial)
    const seen = reader.records.slice(before)
    expect(seen.filter(({ topic }) => topic === trial.topics.mo)).toHaveLength(whole)
    const [letter, ...more] = seen.filter(({ topic }) => topic === trial.topics.deadLetter)
    expect(more).toEqual([])
    expect(letter!.value).toMatchObject({ reason: 'cut-page' })
    expect(letter!.value['request']).toMatchObject({ complete: 'false' })
  })

  it('serves other callers while 200 callers have begun a request and send no more', async () => {
    const port = trial.connector.addresses.callbacksPort
    const idlers = await Promise.all(Array.from({ length: 200 }, () => RawConnection.open(port)))
    try {
      for (const idler of idlers)
        idler.send('POST /callbacks/seven-main/secret-token HTTP/1.1\r\ncontent-length: 9\r\n\r\n')
      const outcomes = await trial.seven.send(data.sevenReceipts(100).map((each) => ({ kind: 'dlr', data: each })))
      expect(outcomes.map(({ status }) => status)).toEqual(outcomes.map(() => 200))
    } finally {
      for (const idler of idlers) idler.close()
    }
  })

  it('still runs after input at all limits, and its counters add up', async () => {
    await untilPublished(trial)
    const received = await trial.sum('dlrmo_items_received_total')
    const out = (await trial.sum('dlrmo_events_published_total')) + (await trial.sum('dlrmo_dead_letters_total'))
    expect(received).toBe(out + (await trial.sum('dlrmo_duplicates_suppressed_total')))
    expect(await trial.connector.terminate()).toBe(0)
  })
})
