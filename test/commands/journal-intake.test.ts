/** Handing entries in at the admin port of the process that holds the journal, whatever answers there. */
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import pino from 'pino'
import { openJournal } from '../../src/app/open-journal.js'
import { openJournalIntake } from '../../src/commands/journal-intake.js'
import type { Config } from '../../src/config/types.js'
import { systemClock } from '../../src/core/clock.js'
import type { EntryWithOrigin } from '../../src/journal/journal.js'
import type { LmdbJournal } from '../../src/journal/lmdb-journal.js'
import { load, REQUIRED } from '../config/support.js'

const ENTRY: EntryWithOrigin = {
  ...{ source: 'seven-main', provider: 'seven', via: 'CALLBACK', receivedAt: 1 },
  facts: { method: 'POST', path: '/callbacks/seven-main', query: '' },
  body: Buffer.from('a=b'),
  origin: { kind: 'dead-letter', eventId: 'j-1-0', reason: 'unknown-source' },
}

let folder: string
let config: Config
let journal: LmdbJournal
let server: Server
let answer: (res: ServerResponse) => void
let posts: IncomingHttpHeaders[]
let statusCode: number
let shownJournal: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dlrmo-intake-'))
  posts = []
  statusCode = 200
  server = createServer((req, res) => {
    if (req.method === 'POST') posts.push(req.headers)
    req.resume().once('end', () => {
      if (req.method === 'POST') answer(res)
      else res.writeHead(statusCode).end(JSON.stringify({ journal: { id: shownJournal } }))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  config = load(`${REQUIRED}
admin: {port: ${port}, token: a-token}
journal: {directory: '${join(folder, 'journal')}'}`)
  journal = await openJournal(config, { clock: systemClock, log: pino({ level: 'silent' }) })
  shownJournal = journal.id
})
afterEach(async () => {
  await journal.close()
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  await rm(folder, { recursive: true, force: true })
})

const answerWith = (code: number, error: string) => (res: ServerResponse) => {
  res.writeHead(code).end(JSON.stringify({ error }))
}

const open = () => openJournalIntake(config, { canCreate: false })

describe('The intake at an admin port', () => {
  it('sends the token and the id of the journal with each entry, which is durable when it is answered with 202', async () => {
    answer = answerWith(202, '')
    const intake = await open()
    expect(await intake.handIn(ENTRY)).toEqual({})
    expect(posts).toMatchObject([{ authorization: 'Bearer a-token', 'dlr-mo-connector-journal': journal.id }])
  })

  it.each([400, 413])('returns the reason of an entry that is refused with %s, and goes on', async (code) => {
    answer = answerWith(code, 'it has too many bytes')
    const intake = await open()
    expect(await intake.handIn(ENTRY)).toEqual({ problem: 'it has too many bytes' })
    answer = answerWith(202, '')
    expect(await intake.handIn(ENTRY)).toEqual({})
  })

  it.each([
    [503, 'JOURNAL_WRITE_FAILED', 'the disk is full'],
    [401, 'CONFIG_INVALID', 'refuses the request with 401'],
    [403, 'CONFIG_INVALID', 'refuses the request with 403'],
    [404, 'CONFIG_INVALID', 'refuses the request with 404'],
    [409, 'JOURNAL_HELD', 'admin.port'],
    [500, 'CONFIG_INVALID', 'refuses the request with 500'],
  ])('ends with its code where an entry is answered with %s', async (code, errorCode, text) => {
    answer = answerWith(code, 'the disk is full')
    const intake = await open()
    await expect(intake.handIn(ENTRY)).rejects.toMatchObject({
      code: errorCode,
      message: expect.stringContaining(text) as string,
    })
  })

  it('sends a batch in one request, and one by one where the connector does not take all of it', async () => {
    const bodies: unknown[] = []
    answer = answerWith(202, '')
    server.prependListener('request', (req) => {
      if (req.method === 'POST') void json(req).then((body) => bodies.push(body))
    })
    const intake = await open()
    const batch = [1, 2, 3].map((receivedAt) => ({ ...ENTRY, receivedAt }))
    expect(await intake.handInAll(batch)).toEqual([{}, {}, {}])
    expect(bodies).toMatchObject([[{ receivedAt: 1 }, { receivedAt: 2 }, { receivedAt: 3 }]])

    bodies.length = 0
    const codes = [400, 202, 413, 202]
    answer = (res) => answerWith(codes.shift()!, 'it has too many bytes')(res)
    expect(await intake.handInAll(batch)).toEqual([{}, { problem: 'it has too many bytes' }, {}])
    expect(bodies.slice(1)).toMatchObject([{ receivedAt: 1 }, { receivedAt: 2 }, { receivedAt: 3 }])
  })

  it('ends a batch at the first entry for which the connector has no room, so that the order stays', async () => {
    const codes = [503, 202, 503]
    answer = (res) => answerWith(codes.shift()!, 'the journal is full')(res)
    const intake = await open()
    await expect(intake.handInAll([ENTRY, ENTRY, ENTRY])).rejects.toMatchObject({ code: 'JOURNAL_WRITE_FAILED' })
    expect(codes).toEqual([])
  })

  it('sends an entry again that the connector has no room for at the moment', async () => {
    answer = answerWith(429, 'other requests have more bytes; send it again')
    const intake = await open()
    const handingIn = intake.handIn(ENTRY)
    await expect.poll(() => posts.length, { timeout: 10_000 }).toBeGreaterThan(1)
    answer = answerWith(202, '')
    expect(await handingIn).toEqual({})
  })

  it('says that an entry is in doubt if the connector ends before it answers', async () => {
    answer = (res) => res.destroy()
    const intake = await open()
    await expect(intake.handIn(ENTRY)).rejects.toMatchObject({
      code: 'JOURNAL_HELD',
      message: expect.stringContaining('hand it in again, it is published once') as string,
    })
  })

  it('is not opened where the connector that answers holds another journal, or refuses the token', async () => {
    shownJournal = 'another'
    await expect(open()).rejects.toMatchObject({ code: 'JOURNAL_HELD' })
    statusCode = 401
    await expect(open()).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
    expect(posts).toEqual([])
  })
})
