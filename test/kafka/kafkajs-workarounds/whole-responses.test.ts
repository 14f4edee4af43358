import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import fc from 'fast-check'
import { Kafka, logLevel } from 'kafkajs'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { deliverWholeResponses } from '../../../src/kafka/kafkajs-workarounds/whole-responses.js'

vi.setConfig({ testTimeout: 30_000 })

/** Starts a server that handles each connection with `serve`; the first connection has number 0. */
const serverThat = async (serve: (socket: Socket, number: number) => void): Promise<number> => {
  let number = 0
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    serve(socket, number++)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    sockets.forEach((socket) => socket.destroy())
    server.close()
  })
  return (server.address() as AddressInfo).port
}

const answer = (content: Uint8Array): Buffer => {
  const length = Buffer.alloc(4)
  length.writeInt32BE(content.length)
  return Buffer.concat([length, content])
}

const received = async (bytes: readonly Uint8Array[]): Promise<{ given: Buffer[]; error: Error | undefined }> => {
  const port = await serverThat((socket) => {
    socket.setNoDelay(true)
    void (async () => {
      for (const each of bytes) {
        socket.write(each)
        await new Promise(setImmediate)
      }
      socket.end()
    })()
  })
  const socket = connect(port, '127.0.0.1')
  deliverWholeResponses(socket)
  const given: Buffer[] = []
  let error: Error | undefined
  socket.on('data', (chunk) => given.push(Buffer.from(chunk)))
  socket.on('error', (each) => {
    error = each
  })
  if (!socket.closed) await once(socket, 'close').catch(() => undefined)
  return { given, error }
}

describe('A socket that delivers whole responses', () => {
  it('delivers responses in order and unchanged, however they were split, and never a part of one', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 30 }), { minLength: 1, maxLength: 6 }),
        fc.array(fc.nat(200), { maxLength: 8 }),
        fc.nat(33),
        async (contents, cuts, half) => {
          const all = Buffer.concat(contents.map(answer))
          const places = [0, ...cuts.map((cut) => cut % all.length).sort((a, b) => a - b), all.length]
          const pieces = places.slice(1).map((end, i) => all.subarray(places[i], end))
          const { given } = await received([...pieces, answer(Buffer.alloc(30)).subarray(0, half)])
          expect(Buffer.concat(given).equals(all)).toBe(true)
        },
      ),
      { numRuns: 50 },
    )
  })

  it('is closed with an error by a negative length', async () => {
    const { given, error } = await received([Buffer.from([0xff, 0xff, 0xff, 0xff, 1])])
    expect(given).toEqual([])
    expect(error?.message).toContain('not a Kafka broker')
  })

  it('lets kafkajs reconnect after a connection that died within a response', async () => {
    // ApiVersions v0 with one API (18, versions 0 to 2): the first request of kafkajs on each connection.
    const versions = Buffer.from([0, 0, 0, 0, 0, 1, 0, 18, 0, 0, 0, 2])
    const served: number[] = []
    const port = await serverThat((socket, number) => {
      socket.on('data', (request: Buffer) => {
        served.push(number)
        const bytes = answer(Buffer.concat([request.subarray(8, 12), versions]))
        // After these ten bytes kafkajs, without the workaround, reads the next response out of step: a length of 1 for an id of 4 bytes.
        if (number === 0) socket.write(bytes.subarray(0, 10), () => socket.destroy())
        else socket.write(bytes)
      })
    })
    const kafka = new Kafka({
      brokers: [`127.0.0.1:${port}`],
      logLevel: logLevel.NOTHING,
      requestTimeout: 60_000, // longer than this test: out of step, nothing is ever answered
      connectionTimeout: 1_000,
      retry: { retries: 2, initialRetryTime: 5, maxRetryTime: 5 },
      socketFactory: ({ host, port: to, onConnect }) => {
        const socket = connect({ host, port: to }, onConnect)
        deliverWholeResponses(socket)
        return socket
      },
    })
    const admin = kafka.admin()
    await expect(admin.connect()).resolves.toBeUndefined()
    expect(served).toEqual([0, 1])
    await admin.disconnect()
  })
})
