/**
 * A TCP proxy between a Kafka client and one broker. It knows where requests and answers begin and end, and loses, delays
 * or cuts them. Addresses in answers are replaced by its own, so that the client does not connect to the broker directly.
 */
import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

/** API keys of the Kafka protocol. */
export const API = {
  produce: 0,
  fetch: 1,
  listOffsets: 2,
  metadata: 3,
  offsetFetch: 9,
  findCoordinator: 10,
  initProducerId: 22,
  addPartitionsToTxn: 24,
  addOffsetsToTxn: 25,
  endTxn: 26,
  txnOffsetCommit: 28,
} as const

export type Handling =
  /** Request and answer are passed on. */
  | 'pass'
  /** The broker gets the request, and the client gets no response. */
  | 'lose-answer'
  /** The broker does not get the request. */
  | 'lose-request'
  /** The broker gets the request, and the connection is reset instead of the answer. */
  | 'cut'
  /** The client gets the answer `lateByMs` later, and every answer behind it too. */
  | 'late-answer'
  /** The connection stays open, and nothing passes on it any more in either direction. */
  | 'stall'
  /** The request is kept until `releaseHeld`, even if the client has gone, as if it had lain in a buffer of the network. */
  | 'hold'

/** Decides about each request by its API key. */
export type HandlingRule = (apiKey: number) => Handling

/** A frame begins with its length, which does not include itself. */
const LENGTH_BYTES = 4

export class KafkaProxy {
  readonly #broker: { readonly host: string; readonly port: number }
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #held: (() => void)[] = []
  #rule: HandlingRule = () => 'pass'
  #port = 0
  /** With a request timeout of one second, one late answer is in time and two in a row are not. */
  lateByMs = 700
  /** The number of requests by their handling. */
  readonly counts: Record<Handling, number> = {
    pass: 0,
    'lose-answer': 0,
    'lose-request': 0,
    cut: 0,
    'late-answer': 0,
    stall: 0,
    hold: 0,
  }

  private constructor(broker: string) {
    const [host = '', port] = broker.split(':')
    this.#broker = { host, port: Number(port) }
    this.#server = createServer((socket) => this.#accept(socket))
  }

  static async startInFrontOf(broker: string): Promise<KafkaProxy> {
    const proxy = new KafkaProxy(broker)
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve))
    proxy.#port = (proxy.#server.address() as AddressInfo).port
    return proxy
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`
  }

  /** The number of open sockets, those to clients and those to the broker. */
  get sockets(): number {
    return this.#sockets.size
  }

  /** Applies the rule to every request from now on. */
  setRule(rule: HandlingRule): void {
    this.#rule = rule
  }

  /** Applies the handling to the next request with this API key, and passes all others. Resolves when that has happened. */
  handleNext(apiKey: number, handling: Handling): Promise<void> {
    return new Promise((resolve) => {
      this.#rule = (each) => {
        if (each !== apiKey) return 'pass'
        this.#rule = () => 'pass'
        resolve()
        return handling
      }
    })
  }

  /** Passes on the held requests, in order. */
  releaseHeld(): void {
    for (const pass of this.#held.splice(0)) pass()
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #accept(client: Socket): void {
    const broker = connect(this.#broker)
    /** Correlation ids of requests whose answers are lost or late. */
    const lost = new Set<number>()
    const late = new Set<number>()
    let lateAnswers = 0
    let previousAnswer = Promise.resolve()
    let isStalled = false
    let heldRequests = 0
    let isClosed = false
    const close = (): void => {
      isClosed = true
      client.destroy()
      if (heldRequests === 0) broker.destroy()
    }
    for (const socket of [client, broker]) {
      this.#sockets.add(socket)
      socket.on('error', close)
      socket.on('close', () => {
        this.#sockets.delete(socket)
        close()
      })
    }
    const handleRequest = (frame: Buffer): void => {
      if (isStalled) return
      const correlationId = frame.readInt32BE(8)
      const handling = this.#rule(frame.readInt16BE(4))
      this.counts[handling]++
      switch (handling) {
        case 'lose-request':
          return
        case 'stall':
          isStalled = true
          return
        case 'hold':
          heldRequests++
          this.#held.push(() => {
            heldRequests--
            if (!broker.destroyed) broker.write(frame, () => isClosed && broker.end())
          })
          return
        case 'cut':
          // The first byte of the answer proves that the broker has the request.
          broker.once('data', () => client.resetAndDestroy())
          break
        case 'lose-answer':
          lost.add(correlationId)
          break
        case 'late-answer':
          late.add(correlationId)
          break
        case 'pass':
          break
      }
      broker.write(frame)
    }
    const handleAnswer = (frame: Buffer): void => {
      const correlationId = frame.readInt32BE(4)
      if (isStalled || lost.delete(correlationId)) return
      const waitMs = late.delete(correlationId) ? this.lateByMs : 0
      const pass = (): void => {
        if (!client.destroyed && !isStalled) client.write(this.#withOwnAddress(frame))
      }
      if (waitMs === 0 && lateAnswers === 0) return pass()
      lateAnswers++
      previousAnswer = previousAnswer
        .then(() => delay(waitMs))
        .then(() => {
          lateAnswers--
          pass()
        })
    }
    client.on('data', splitFrames(handleRequest))
    broker.on('data', splitFrames(handleAnswer))
  }

  /** Replaces the address of the broker, which metadata and coordinator answers contain. */
  #withOwnAddress(frame: Buffer): Buffer {
    const brokerAddress = encodeAddress(this.#broker.host, this.#broker.port)
    const ownAddress = encodeAddress(this.#broker.host, this.#port)
    let index = frame.indexOf(brokerAddress)
    while (index !== -1) {
      ownAddress.copy(frame, index)
      index = frame.indexOf(brokerAddress, index + ownAddress.length)
    }
    return frame
  }
}

/** Host (int16 length and text) and port (int32), as the Kafka protocol writes them. */
function encodeAddress(host: string, port: number): Buffer {
  const text = Buffer.from(host)
  const address = Buffer.alloc(text.length + 6)
  address.writeInt16BE(text.length, 0)
  text.copy(address, 2)
  address.writeInt32BE(port, text.length + 2)
  return address
}

/** Returns a function that takes chunks of a stream and calls `onFrame` with each complete frame. */
function splitFrames(onFrame: (frame: Buffer) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0)
  return (chunk) => {
    rest = Buffer.concat([rest, chunk])
    while (rest.length >= LENGTH_BYTES) {
      const end = LENGTH_BYTES + rest.readInt32BE(0)
      if (rest.length < end) return
      onFrame(Buffer.from(rest.subarray(0, end)))
      rest = rest.subarray(end)
    }
  }
}
