/**
 * Stands between a Kafka client and one broker, understands where requests and answers begin and end, and does to them
 * what a bad network does. Addresses in answers are changed to its own, so that a client stays with it.
 */
import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net'

/** Numbers of requests in the protocol. */
export const API = {
  produce: 0,
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
  /** Passed on. */
  | 'pass'
  /** The broker gets the request and answers; the client never hears of it. */
  | 'lose-answer'
  /** The broker never gets the request. */
  | 'lose-request'
  /** The broker gets the request; the connection is reset instead of an answer. */
  | 'cut'
  /** The client hears of it `lateness` ms later, and of everything behind it. */
  | 'late-answer'
  /** From now on nothing passes on this connection, either way, and it stays open. */
  | 'stall'
  /** Kept back until `release`, even if the client has gone by then: as if it had lain in a buffer on the way. */
  | 'hold'

/** Decides for each request. */
export type HandlingRule = (apiKey: number) => Handling

export class KafkaProxy {
  readonly #broker: { readonly host: string; readonly port: number }
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #held: (() => void)[] = []
  #judge: HandlingRule = () => 'pass'
  #port = 0
  /** Milliseconds: within a time-out of a second once, beyond it twice in a row. */
  lateByMs = 700
  /** How often what was done. */
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

  /** Sockets to the client and to the broker, together. */
  get sockets(): number {
    return this.#sockets.size
  }

  /** From now on. */
  setRule(judge: HandlingRule): void {
    this.#judge = judge
  }

  /** Once for the next request of this kind; everything else passes. Resolves when it has happened. */
  handleNext(apiKey: number, fate: Handling): Promise<void> {
    return new Promise((resolve) => {
      this.#judge = (each) => {
        if (each !== apiKey) return 'pass'
        this.#judge = () => 'pass'
        resolve()
        return fate
      }
    })
  }

  /** Passes on what was held, in order. */
  releaseHeld(): void {
    for (const pass of this.#held.splice(0)) pass()
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #accept(client: Socket): void {
    const broker = connect(this.#broker)
    const unheard = new Set<number>()
    const late = new Set<number>()
    let waiting = 0
    let answered = Promise.resolve()
    let stalled = false
    let held = 0
    let gone = false
    const end = (): void => {
      gone = true
      client.destroy()
      if (held === 0) broker.destroy()
    }
    for (const socket of [client, broker]) {
      this.#sockets.add(socket)
      socket.on('error', end)
      socket.on('close', () => {
        this.#sockets.delete(socket)
        end()
      })
    }
    client.on(
      'data',
      frames((frame) => {
        if (stalled) return
        const correlation = frame.readInt32BE(8)
        const fate = this.#judge(frame.readInt16BE(4))
        this.counts[fate]++
        if (fate === 'stall') stalled = true
        if (fate === 'lose-request' || fate === 'stall') return
        if (fate === 'lose-answer') unheard.add(correlation)
        if (fate === 'late-answer') late.add(correlation)
        if (fate === 'hold') {
          held++
          this.#held.push(() => {
            held--
            if (!broker.destroyed) broker.write(frame, () => gone && broker.end())
          })
          return
        }
        broker.write(frame)
        // The broker has it before the connection goes.
        if (fate === 'cut') broker.once('data', () => client.resetAndDestroy())
      }),
    )
    broker.on(
      'data',
      frames((frame) => {
        const correlation = frame.readInt32BE(4)
        if (stalled || unheard.delete(correlation)) return
        const wait = late.delete(correlation) ? this.lateByMs : 0
        const pass = (): void => void (client.destroyed || stalled || client.write(this.#readdressed(frame)))
        if (wait === 0 && waiting === 0) return pass()
        waiting++
        answered = answered
          .then(() => new Promise<void>((resolve) => setTimeout(resolve, wait)))
          .then(() => {
            waiting--
            pass()
          })
      }),
    )
  }

  /** Host (int16 length, text) and port (int32) as they stand in metadata and coordinator answers. */
  #readdressed(frame: Buffer): Buffer {
    const address = (host: string, port: number): Buffer => {
      const text = Buffer.from(host)
      const out = Buffer.alloc(text.length + 6)
      out.writeInt16BE(text.length, 0)
      text.copy(out, 2)
      out.writeInt32BE(port, text.length + 2)
      return out
    }
    const theirs = address(this.#broker.host, this.#broker.port)
    const ours = address(this.#broker.host, this.#port)
    for (let at = frame.indexOf(theirs); at !== -1; at = frame.indexOf(theirs, at + ours.length)) ours.copy(frame, at)
    return frame
  }
}

/** Whole frames (int32 length, bytes) from chunks as they come. */
function frames(onFrame: (frame: Buffer) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0)
  return (chunk) => {
    rest = Buffer.concat([rest, chunk])
    while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
      const end = 4 + rest.readInt32BE(0)
      onFrame(Buffer.from(rest.subarray(0, end)))
      rest = rest.subarray(end)
    }
  }
}
