import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, describe, it } from 'vitest'
import { type BodyProblem, BodyRoom, readBody } from '../../src/callbacks/body.js'
import { RawConnection } from '../support/raw-http.js'

let server: Server
let read: (Uint8Array | BodyProblem)[]
let answers: (() => void)[]
const connections: RawConnection[] = []

/** Reads bodies of up to 100 bytes, 150 in all; answers when told to. */
beforeEach(async () => {
  read = []
  answers = []
  const room = new BodyRoom(150)
  server = createServer((req, res) => {
    readBody(req, res, 100, room, (body) => {
      read.push(body)
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
  const connection = await RawConnection.to((server.address() as AddressInfo).port)
  connections.push(connection)
  connection.send(`POST / HTTP/1.1\r\nhost: x\r\ncontent-length: ${length}\r\n\r\n${'x'.repeat(length)}`)
  return connection
}

const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve))
}

describe('bodies that are here at once', () => {
  it('are taken while there is room for them, and again when earlier ones were answered', async () => {
    const first = await post(100)
    await until(() => read.length === 1)
    await post(51)
    await until(() => read.length === 2)
    expect(read[1]).toBe('no-room')
    answers[0]?.()
    expect((await first.answer()).status).toBe(200)
    answers[1]?.()
    first.send(`POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n${'y'.repeat(100)}`)
    await until(() => read.length === 3)
    expect(Buffer.from(read[2] as Uint8Array).toString()).toBe('y'.repeat(100))
  })

  it('give their room back when their caller goes away before the answer', async () => {
    const gone = await post(100)
    await until(() => read.length === 1)
    gone.close()
    let taken: unknown
    for (let tries = 0; tries < 1_000 && !(taken instanceof Uint8Array); tries++) {
      await post(100)
      await until(() => read.length === tries + 2)
      taken = read.at(-1)
      answers.at(-1)?.()
    }
    expect(taken).toBeInstanceOf(Uint8Array)
  })

  it('and are too long are told apart from those for which there is no room now', async () => {
    await post(101)
    await until(() => read.length === 1)
    expect(read[0]).toBe('too-long')
  })
})
