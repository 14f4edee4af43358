/** Answers of a queue that are framed in odd ways, from the socket to the events: what reached the process is in custody. */
import fc from 'fast-check'
import { readFileSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { createServer as createTlsServer } from 'node:tls'
import { afterEach, describe, expect, it } from 'vitest'
import { ProviderData } from '../../dev/simulators/provider-data.js'
import { until } from '../../dev/wait.js'
import type { Event } from '../../src/core/event.js'
import { decode } from '../../src/pipeline/decode.js'
import { mtarget } from '../../src/providers/mtarget/index.js'
import { turnUntil } from '../support/event-loop.js'
import { isSubsequence, oddlyFramed } from '../support/odd-framing.js'
import { SocketServers } from '../support/socket-servers.js'
import { IDLE_DELAY_MS, PollerFixture, type TestedPoller } from '../support/poller.js'

const fixture = new PollerFixture()
const data = new ProviderData(11)
const servers = new SocketServers()

afterEach(async () => {
  await fixture.stopAll()
  await servers.closeAll()
})

const EMPTY_PAGE = 'HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{"results":[]}'

/** Starts a server that answers the first request by `answer`, and each other one with an empty page. */
const startServer = async (answer: (socket: Socket) => unknown, server?: Server) => {
  const answerRequest = (socket: Socket, request: number): unknown =>
    request === 1 ? answer(socket) : socket.write(EMPTY_PAGE)
  const port = await servers.listen(answerRequest, { ...(server && { server }) })
  return `http://127.0.0.1:${port}/notification`
}

const eventsOf = ({ journal }: TestedPoller): Event[] =>
  journal.entries.flatMap((entry) =>
    [...decode(entry, { provider: mtarget, settings: { textFields: [], ignoreEvents: [] } }, 'j')].map(
      ({ event }) => event,
    ),
  )

const receiptsOf = (tested: TestedPoller) => eventsOf(tested).filter((event) => event.kind === 'dlr')
const deadLettersOf = (tested: TestedPoller) => eventsOf(tested).filter((event) => event.kind === 'dead-letter')

const rows = data.mtargetReceipts(12)
const page = Buffer.from(JSON.stringify({ results: rows }))
const half = page.indexOf('},{', page.length >> 1) + 2
const PAGE = page.toString()
const OTHER_PAGE = JSON.stringify({ results: data.mtargetReceipts(1) })
const PAGE_BEGINNING = page.subarray(0, half).toString()
const PAGE_END = page.subarray(half).toString()
const FIELDS = `Content-Type: application/json\r\nContent-Length: ${page.length}\r\n`
const chunk = (bytes: Buffer): string => `${bytes.length.toString(16)}\r\n${bytes.toString()}\r\n`
const CHUNKS = chunk(page.subarray(0, half)) + chunk(page.subarray(half))

/** Writes pieces in segments of their own. */
const writeApart = async (socket: Socket, ...pieces: readonly (string | Buffer)[]): Promise<void> => {
  for (const piece of pieces) {
    socket.write(piece)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

const pullOnce = async (answer: (socket: Socket) => unknown, options = {}): Promise<TestedPoller> => {
  const tested = fixture.createPoller(await startServer(answer), { timeout: 2_000, ...options })
  tested.poller.start()
  await tested.untilPaused()
  return tested
}

describe('Poller receiving a page with framing that is odd and has one meaning', () => {
  it.each<[string, (socket: Socket) => unknown]>([
    [
      'after 100 Continue',
      (socket) => socket.write(`HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n${FIELDS}\r\n${PAGE}`),
    ],
    [
      'after 100 Continue in a segment of its own',
      (socket) => writeApart(socket, 'HTTP/1.1 100 Continue\r\n\r\n', `HTTP/1.1 200 OK\r\n${FIELDS}\r\n${PAGE}`),
    ],
    [
      'after 102 and 103',
      (socket) =>
        socket.write(
          `HTTP/1.1 102 P\r\n\r\nHTTP/1.1 103 E\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n${FIELDS}\r\n${PAGE}`,
        ),
    ],
    [
      'with a Set-Cookie of 17 KB',
      (socket) => socket.write(`HTTP/1.1 200 OK\r\nSet-Cookie: a=${'b'.repeat(17_000)}\r\n${FIELDS}\r\n${PAGE}`),
    ],
    [
      'with a megabyte of header fields',
      (socket) =>
        socket.write(`HTTP/1.1 200 OK\r\n${`X-Y: ${'z'.repeat(1_000)}\r\n`.repeat(1_000)}${FIELDS}\r\n${PAGE}`),
    ],
    [
      'with the same Content-Length twice',
      (socket) => socket.write(`HTTP/1.1 200 OK\r\n${FIELDS}Content-Length: ${page.length}\r\n\r\n${PAGE}`),
    ],
    ['with bare LF line ends', (socket) => socket.write(`HTTP/1.1 200 OK\n${FIELDS.replaceAll('\r', '')}\n${PAGE}`)],
    ['with a folded field', (socket) => socket.write(`HTTP/1.1 200 OK\r\nX-Folded: a\r\n b\r\n${FIELDS}\r\n${PAGE}`)],
    ['with a space before a colon', (socket) => socket.write(`HTTP/1.1 200 OK\r\nX-Space : a\r\n${FIELDS}\r\n${PAGE}`)],
    [
      'with control characters in a field',
      (socket) => socket.write(`HTTP/1.1 200 OK\r\nX-Nul: \0\x07\r\n${FIELDS}\r\n${PAGE}`),
    ],
    ['by HTTP/1.0 up to the end of the connection', (socket) => socket.end(`HTTP/1.0 200 OK\r\n\r\n${PAGE}`)],
    [
      'by HTTP/1.1 up to the end of the connection',
      (socket) => socket.end(`HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n${PAGE}`),
    ],
    [
      'in chunks with extensions and trailers',
      (socket) =>
        socket.write(
          `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${CHUNKS.replace('\r\n', ';a=b\r\n')}0\r\nX: 1\r\n\r\n`,
        ),
    ],
    [
      'in chunks without the last empty line',
      (socket) => socket.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${CHUNKS}0\r\n`),
    ],
    ['with status 205', (socket) => socket.write(`HTTP/1.1 205 Reset Content\r\n${FIELDS}\r\n${PAGE}`)],
    ['with status 302', (socket) => socket.write(`HTTP/1.1 302 Found\r\nLocation: /other\r\n${FIELDS}\r\n${PAGE}`)],
    ['with status 407', (socket) => socket.write(`HTTP/1.1 407 Proxy Authentication Required\r\n${FIELDS}\r\n${PAGE}`)],
    ['with status 421', (socket) => socket.write(`HTTP/1.1 421 Misdirected Request\r\n${FIELDS}\r\n${PAGE}`)],
  ])('publishes every row of a page %s, and goes on', async (_name, answer) => {
    const tested = await pullOnce(answer)
    expect(tested.observer.outcomes).toEqual(['page', 'empty'])
    expect(tested.bodies).toEqual([PAGE])
    expect(receiptsOf(tested).map(({ messageId }) => messageId)).toEqual(rows.map(({ MsgId }) => MsgId))
    expect(tested.observer.losses).toEqual([])
  })

  it('publishes every row of a page that arrives byte by byte', async () => {
    const tested = await pullOnce((socket) => {
      socket.setNoDelay(true)
      for (const byte of Buffer.from(`HTTP/1.1 200 OK\r\n${FIELDS}\r\n${PAGE}`)) socket.write(Uint8Array.of(byte))
    })
    expect(receiptsOf(tested)).toHaveLength(rows.length)
  })

  it('publishes every row of a page that was sent before the request was read', async () => {
    let connections = 0
    const server = createServer((socket) => {
      connections++
      if (connections === 1) socket.write(`HTTP/1.1 200 OK\r\nConnection: close\r\n${FIELDS}\r\n${PAGE}`)
    })
    const tested = fixture.createPoller(await startServer(() => {}, server), { timeout: 500 })
    tested.poller.start()
    await tested.untilPaused()
    expect(receiptsOf(tested)).toHaveLength(rows.length)
  })

  it('publishes every row of an oddly framed page that comes over TLS', async () => {
    const pem = readFileSync(join(import.meta.dirname, '../config/fixtures/certificate.pem'))
    const server = createTlsServer({
      key: readFileSync(join(import.meta.dirname, '../config/fixtures/private-key.pem')),
      cert: pem,
    })
    const url = await startServer(
      (socket) => socket.write(`HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n${FIELDS}\r\n${PAGE}`),
      server,
    )
    const tested = fixture.createPoller(url.replace('http:', 'https:'))
    const before = process.env['NODE_TLS_REJECT_UNAUTHORIZED']
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'
    try {
      tested.poller.start()
      await tested.untilPaused()
    } finally {
      if (before === undefined) delete process.env['NODE_TLS_REJECT_UNAUTHORIZED']
      else process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = before
    }
    expect(receiptsOf(tested)).toHaveLength(rows.length)
  })
})

describe('Poller receiving an answer with framing that has no certain meaning', () => {
  it.each<[string, string]>([
    ['without a status line', PAGE],
    ['with different Content-Lengths', `HTTP/1.1 200 OK\r\n${FIELDS}Content-Length: 5\r\n\r\n${PAGE}`],
    ['with an invalid Content-Length', `HTTP/1.1 200 OK\r\nContent-Length: all\r\n\r\n${PAGE}`],
    ['with a negative Content-Length', `HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n${PAGE}`],
    ['with a Content-Length that is too small', `HTTP/1.1 200 OK\r\nContent-Length: ${half}\r\n\r\n${PAGE}`],
    [
      'with Content-Length and Transfer-Encoding',
      `HTTP/1.1 200 OK\r\n${FIELDS}Transfer-Encoding: chunked\r\n\r\n${CHUNKS}0\r\n\r\n`,
    ],
    ['with Transfer-Encoding but no chunks', `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${PAGE}`],
    ['with an empty line missing before the body', `HTTP/1.1 200 OK\r\n${FIELDS}${PAGE}`],
    ['with status 204', `HTTP/1.1 204 No Content\r\n\r\n${PAGE}`],
    ['with status 304', `HTTP/1.1 304 Not Modified\r\n\r\n${PAGE}`],
    [
      'that is followed by another answer',
      `HTTP/1.1 200 OK\r\n${FIELDS}\r\n${PAGE}HTTP/1.1 502 Bad\r\nContent-Length: 0\r\n\r\n`,
    ],
  ])('publishes every row of a page %s, and keeps all bytes', async (_name, answer) => {
    const tested = await pullOnce((socket) => socket.end(answer))
    const receipts = receiptsOf(tested).map(({ messageId }) => messageId)
    const [entry] = tested.journal.entries
    expect(Buffer.from(entry?.body ?? []).toString()).toBe(answer)
    expect(entry?.facts['framing-error']).toMatch(/\w/)
    expect(receipts).toEqual(rows.map(({ MsgId }) => MsgId))
  })

  it('publishes the rows before an invalid chunk, and makes a dead letter of what follows', async () => {
    const rest = `nonsense\r\n${PAGE_END}`
    const tested = await pullOnce((socket) =>
      socket.end(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunk(page.subarray(0, half))}${rest}`),
    )
    const letters = deadLettersOf(tested)
    expect(receiptsOf(tested).length).toBeGreaterThan(2)
    expect(letters.map(({ reason }) => reason)).toEqual(['cut-page', 'unreadable-answer'])
    expect(Buffer.from(letters[1]?.body ?? []).toString()).toBe(rest)
    expect(letters[1]?.request['framing-error']).toBe('a chunk has an invalid size or end')
  })

  it.each([
    ['bytes of another protocol', '\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64'],
    ['an alert of TLS', '\x15\x03\x01\x00\x02\x02\x46'],
    ['an interim response alone', 'HTTP/1.1 100 Continue\r\n\r\n'],
    ['half a status line', 'HTTP/1.1 20'],
    ['a page after a line that is no status line', `ICY 200 OK\r\n${FIELDS}\r\n${PAGE}`],
    ['half a header section', 'HTTP/1.1 200 OK\r\ncontent-le'],
    ['a header section without a body', 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n'],
    ['a malformed error', 'HTTP/1.1 500 Oops\r\nContent-Length: x\r\n\r\n<html>'],
  ])('makes one dead letter of %s, with all bytes, and reports the error', async (_name, answer) => {
    const tested = await pullOnce((socket) => socket.end(Buffer.from(answer, 'latin1')))
    const letters = deadLettersOf(tested)
    expect(letters.map(({ body }) => Buffer.from(body).toString('latin1'))).toEqual([answer])
    expect(tested.observer.outcomes.every((outcome) => outcome === 'cut' || outcome === 'not-a-page')).toBe(true)
    expect(tested.observer.lastState?.lastError).toMatch(/\w/)
  })

  it('keeps every byte of any oddly framed page: each row is published or in a dead letter', async () => {
    const few = data.mtargetReceipts(4)
    await fc.assert(
      fc.asyncProperty(oddlyFramed(Buffer.from(JSON.stringify({ results: few }))), async ({ bytes, closes }) => {
        const tested = await pullOnce((socket) => (closes ? socket.end(bytes) : socket.write(bytes)), { timeout: 150 })
        const published = receiptsOf(tested).map(({ messageId }) => messageId)
        const dead = Buffer.concat(deadLettersOf(tested).map(({ body }) => body))
        for (const row of few) {
          const isPublished = published.includes(row['MsgId'] ?? '')
          expect(isPublished || isSubsequence(Buffer.from(JSON.stringify(row)), dead)).toBe(true)
        }
      }),
      { numRuns: 60 },
    )
  }, 60_000)

  it('gives the journal no byte of its own request, and no credentials', async () => {
    const tested = await pullOnce((socket) => socket.end('nonsense'))
    expect(JSON.stringify(tested.journal.entries)).not.toContain('secret')
  })
})

describe('Poller receiving bytes after the end of an answer', () => {
  it('stores them before it sends the next request, and makes dead letters of what they hold', async () => {
    let released = (): void => {}
    const url = await startServer((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${half}\r\n\r\n`)
      socket.write(page.subarray(0, half))
      released = () => socket.write(page.subarray(half))
    })
    const tested = fixture.createPoller(url)
    const release = tested.journal.hold()
    tested.poller.start()
    await turnUntil(() => tested.journal.attempts === 1)
    released()
    expect(tested.observer.outcomes).toEqual([])
    await new Promise((resolve) => setTimeout(resolve, 20))
    release()
    await tested.untilPaused()
    expect(tested.bodies).toEqual([page.subarray(0, half).toString(), page.subarray(half).toString()])
    const kept = Buffer.concat(deadLettersOf(tested).map(({ body }) => body))
    const published = receiptsOf(tested).map(({ messageId }) => messageId)
    for (const row of rows.slice(published.length))
      expect(isSubsequence(Buffer.from(row['MsgId'] ?? ''), kept)).toBe(true)
  })

  const whole = `HTTP/1.1 200 OK\r\n${FIELDS}\r\n${PAGE}`
  const close = 'Connection: close\r\n'
  it.each<[string, string, string]>([
    ['a 304', 'HTTP/1.1 304 Not Modified\r\n\r\n', PAGE],
    ['a 304 with its length', `HTTP/1.1 304 Not Modified\r\n${FIELDS}\r\n`, PAGE],
    ['a 204', 'HTTP/1.1 204 No Content\r\n\r\n', PAGE],
    ['a Content-Length of 0', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', PAGE],
    ['a Content-Length of 0 and Connection: close', `HTTP/1.1 200 OK\r\n${close}Content-Length: 0\r\n\r\n`, PAGE],
    ['an error of a proxy', `HTTP/1.1 502 Bad Gateway\r\n${close}Content-Length: 0\r\n\r\n`, whole],
    ['a request timeout', 'HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n', whole],
    ['an empty page', EMPTY_PAGE, whole],
    ['an empty page and Connection: close', EMPTY_PAGE.replace('\r\n', `\r\n${close}`), whole],
  ])('publishes every row of a page that arrives while it pauses after %s', async (_name, first, second) => {
    const tested = await pullOnce(async (socket) => {
      socket.write(first)
      await new Promise((resolve) => setTimeout(resolve, 50))
      socket.end(second)
    })
    await until(() => receiptsOf(tested).length > 0)
    expect(receiptsOf(tested)).toHaveLength(rows.length)
    expect(await tested.untilNextPause()).toBeGreaterThan(0)
  })

  it('keeps a page that arrives on the connection of the answer before, while it reads the next answer', async () => {
    let requests = 0
    const url = await startServer(
      () => {},
      createServer((socket) => {
        socket.on('data', () => {
          requests++
          if (requests > 1) return setTimeout(() => socket.write(EMPTY_PAGE), 100)
          socket.write(`HTTP/1.1 200 OK\r\n${close}Content-Length: ${OTHER_PAGE.length}\r\n\r\n${OTHER_PAGE}`)
          return setTimeout(() => socket.end(whole), 50)
        })
      }),
    )
    const tested = fixture.createPoller(url)
    tested.poller.start()
    await tested.untilPaused()
    expect(requests).toBe(2)
    expect(receiptsOf(tested)).toHaveLength(1 + rows.length)
  })

  it('stores them before it closes the connection for a pause', async () => {
    const tested = await pullOnce(async (socket) => {
      socket.write(EMPTY_PAGE)
      socket.write('late')
    })
    expect(tested.journal.entries.map(({ body }) => Buffer.from(body).toString())).toHaveLength(1)
    expect(tested.bodies[0]).toContain('late')
  })

  it('ignores empty lines, and goes on using the connection', async () => {
    const tested = await pullOnce((socket) => socket.write(`HTTP/1.1 200 OK\r\n${FIELDS}\r\n${PAGE}\r\n\r\n`))
    expect(tested.bodies).toEqual([PAGE])
    expect(tested.observer.outcomes).toEqual(['page', 'empty'])
  })
})

describe('Poller receiving an error that may hold a page', () => {
  it('keeps it, and reports that it is no page', async () => {
    const body = `<b>Warning</b>: Undefined index<br />\n${PAGE}`
    const tested = await pullOnce((socket) =>
      socket.write(`HTTP/1.1 500 Oops\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`),
    )
    expect(deadLettersOf(tested).map(({ body: bytes }) => Buffer.from(bytes).toString())).toEqual([body])
    expect(tested.observer.outcomes).toEqual(['not-a-page'])
  })
})

describe('Poller losing an answer', () => {
  it.each<[string, (socket: Socket) => unknown, string[]]>([
    ['no byte comes within `timeout`', () => {}, ['timeout']],
    ['the connection is closed before an answer', (socket) => socket.end(), ['network-error']],
    ['the connection is reset before an answer', (socket) => socket.resetAndDestroy(), ['network-error']],
    ['the header section stops', (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-T'), ['cut']],
    ['the body stops', (socket) => socket.write(`HTTP/1.1 200 OK\r\n${FIELDS}\r\n${PAGE_BEGINNING}`), ['cut']],
    [
      'a page ends in the middle by its Content-Length',
      (socket) => socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${half}\r\n\r\n${PAGE_BEGINNING}`),
      ['cut'],
    ],
    [
      'a page ends in the middle by its last chunk',
      (socket) =>
        socket.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunk(page.subarray(0, half))}0\r\n\r\n`),
      ['cut'],
    ],
    [
      'a page ends in the middle with the connection',
      (socket) => socket.end(`HTTP/1.0 200 OK\r\n\r\n${PAGE_BEGINNING}`),
      ['cut'],
    ],
    [
      'an error ends before its rows with the connection',
      (socket) => socket.end('HTTP/1.0 500 Oops\r\n\r\n{"resul'),
      ['cut'],
    ],
    ['a success without a length has no body', (socket) => socket.end('HTTP/1.0 200 OK\r\n\r\n'), ['cut']],
    ['an error without a length has no body', (socket) => socket.end('HTTP/1.0 500 Oops\r\n\r\n'), []],
    ['the connection is closed inside the body', (socket) => socket.end(`HTTP/1.1 200 OK\r\n${FIELDS}\r\n[`), ['cut']],
  ])('reports the loss when %s', async (_name, answer, losses) => {
    const tested = await pullOnce(answer, { timeout: 200 })
    expect(tested.observer.losses).toEqual(losses)
  })

  it('reports the loss when the connection is reset behind the header section, and keeps that', async () => {
    const head = `HTTP/1.1 200 OK\r\n${FIELDS}\r\n`
    const tested = await pullOnce(async (socket) => {
      await writeApart(socket, head)
      socket.resetAndDestroy()
    })
    expect(tested.observer.losses).toEqual(['cut'])
    expect(tested.bodies).toEqual([head])
  })

  it('reports no loss when the request was not sent, or the provider refuses it', async () => {
    const refused = await pullOnce((socket) => socket.write('HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n'))
    expect(refused.observer.losses).toEqual([])
    expect(refused.journal.attempts).toBe(0)
    const unsent = fixture.createPoller('http://127.0.0.1:1/')
    unsent.poller.start()
    await unsent.untilPaused()
    expect(unsent.observer.losses).toEqual([])
  })

  it('reports the loss when a forced shutdown gives up a page that the journal refuses', async () => {
    const url = await startServer((socket) => socket.write(`HTTP/1.1 200 OK\r\n${FIELDS}\r\n${PAGE}`))
    const tested = fixture.createPoller(url)
    tested.poller.start()
    await tested.untilJournalRefuses()
    await tested.poller.stop(AbortSignal.abort())
    expect(tested.observer.losses).toEqual(['journal-refuses'])
  })

  it('goes on after a loss with a pause that is no idle delay', async () => {
    const tested = await pullOnce((socket) => socket.destroy())
    expect(await tested.untilPaused()).toBeLessThan(IDLE_DELAY_MS)
  })
})
