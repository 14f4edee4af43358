import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, describe, it } from 'vitest'
import { type BodyProblem, readBody } from '../../src/callbacks/body.js'
import { BodyRoom } from '../../src/callbacks/body-room.js'
import { turnUntil } from '../support/event-loop.js'
import { RawConnection } from '../support/raw-http.js'

let server: Server
let results: (Uint8Array | BodyProblem)[]
/** Each answers one request. */
let answers: (() => void)[]
const connections: RawConnection[] = []

/** Reads bodies of up to 100 bytes, and 150 bytes of all bodies together. */
beforeEach(async () => {
  results = []
  answers = []
  const room = new BodyRoom(150)
  server = createServer((req, res) => {
    readBody(req, res, 100, room.open({ source: 's', address: 'a' }), (body) => {
      results.push(body)
      answers.push(() => res.writeHead(200, { 'content-length': '0' }).end())
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})

afterEach(async () => {
  for (const connection of connections.splice(0)) connection.close()
  await new Promise((resolve) => server.close(resolve))
})

const post = async (length: number): Promise<RawConnection> => {
  const connection = await RawConnection.open((server.address() as AddressInfo).port)
  connections.push(connection)
  connection.send(`POST / HTTP/1.1\r\nhost: x\r\ncontent-length: ${length}\r\n\r\n${'x'.repeat(length)}`)
  return connection
}

describe('readBody', () => {
  it('reads bodies while there is room, and again once earlier requests are answered', async () => {
    const first = await post(100)
    await turnUntil(() => results.length === 1)
    await post(51)
    await turnUntil(() => results.length === 2)
    expect(results[1]).toBe('no-memory')
    answers[0]?.()
    expect((await first.readAnswer()).status).toBe(200)
    answers[1]?.()
    first.send(`POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n${'y'.repeat(100)}`)
    await turnUntil(() => results.length === 3)
    expect(Buffer.from(results[2] as Uint8Array).toString()).toBe('y'.repeat(100))
  })

  it('gives the bytes of a body back when its caller goes away before the answer', async () => {
    const gone = await post(100)
    await turnUntil(() => results.length === 1)
    gone.close()
    let last: unknown
    for (let attempt = 0; attempt < 1_000 && !(last instanceof Uint8Array); attempt++) {
      await post(100)
      await turnUntil(() => results.length === attempt + 2)
      last = results.at(-1)
      answers.at(-1)?.()
    }
    expect(last).toBeInstanceOf(Uint8Array)
  })

  it('distinguishes a body over its limit from a body for which there is no room', async () => {
    await post(101)
    await turnUntil(() => results.length === 1)
    expect(results[0]).toBe('too-large')
  })

  it('joins the chunks of a body that arrives in many tiny pieces', async () => {
    const pieces = Array.from({ length: 90 }, (_, at) => String.fromCharCode(33 + at))
    const connection = await RawConnection.open((server.address() as AddressInfo).port)
    connections.push(connection)
    connection.send('POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n')
    for (const piece of pieces) await connection.sendAndFlush(`1\r\n${piece}\r\n`)
    await connection.sendAndFlush('0\r\n\r\n')
    await turnUntil(() => results.length === 1)
    expect(Buffer.from(results[0] as Uint8Array).toString()).toBe(pieces.join(''))
  })
})
