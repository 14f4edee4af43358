/**
 * Opens the sockets of one kafkajs client, so that they can be closed at any time.
 *
 * Defect: kafkajs 2.2.4 cannot be stopped at once. `disconnect()` waits for responses that may never come, a connection that the
 * other side closes while it is being established never settles, and an operation under way may connect again. Effect: a producer
 * that was given up could still send. Remedy: only an error of its socket makes kafkajs reject the pending calls of a connection
 * and clear its timers, so the sockets are destroyed with an error.
 *
 * This file can go when kafkajs has a disconnect that aborts, or when the client no longer is kafkajs.
 */
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { ISocketFactory } from 'kafkajs'
import type { Clock } from '../../core/clock.js'
import { restoreHost } from './ipv6-brokers.js'
import { deliverWholeResponses } from './whole-responses.js'

const KEEP_ALIVE_MS = 10_000

export class OwnedSockets {
  readonly #clock: Clock
  readonly #open = new Set<Socket>()
  #isDestroyed = false
  #lastReceivedAt = -Infinity

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** When a byte last arrived from any broker, in monotonic milliseconds; -Infinity if none has. */
  get lastReceivedAt(): number {
    return this.#lastReceivedAt
  }

  /** The `socketFactory` of the kafkajs client. */
  readonly factory: ISocketFactory = ({ host: givenHost, port, ssl, onConnect }) => {
    if (this.#isDestroyed) throw new Error('this client is destroyed')
    const host = restoreHost(givenHost)
    const socket = ssl
      ? connectTls({ host, port, ...(isIP(host) ? {} : { servername: host }), ...ssl }, onConnect)
      : connectTcp({ host, port, noDelay: true }, onConnect)
    socket.on('data', () => {
      this.#lastReceivedAt = this.#clock.monotonic()
    })
    deliverWholeResponses(socket)
    socket.setKeepAlive(true, KEEP_ALIVE_MS)
    this.#open.add(socket)
    socket.once('close', () => this.#open.delete(socket))
    return socket
  }

  /** Closes every socket. kafkajs opens new ones with its next call. */
  closeAll(reason: string): void {
    for (const socket of this.#open) socket.destroy(new Error(reason))
  }

  /** Closes every socket and refuses new ones. */
  destroy(): void {
    this.#isDestroyed = true
    this.closeAll('this client is destroyed')
  }
}
