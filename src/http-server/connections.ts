/**
 * Limits how many connections a server holds, so that those who only connect take neither its memory nor the file handles of the
 * process from those who call.
 *
 * A connection beyond the limit is not the one that is refused. Another one that has proved nothing gives way, so that a caller
 * always gets in whose request arrives at once. Of the oldest ones it is that of the caller who holds the most.
 */
import type { Server as HttpServer, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { Server as TlsServer } from 'node:tls'
import { callerKey, clientAddress } from './addresses.js'

export interface ConnectionLimits {
  readonly maxConnections: number
  /** How many connections one caller may have on which nothing was proved: an address, or the first 64 bits of one of IPv6. */
  readonly maxUnprovedPerCaller: number
}

export interface ConnectionTableDeps {
  /** Returns monotonic milliseconds. */
  readonly monotonic: () => number
  /** Called for each connection that gives way. */
  readonly onDisplaced?: () => void
}

/** How many of the oldest connections are compared in order to find the one that gives way. */
const COMPARED_CONNECTIONS = 64
/**
 * A connection that is closed while its caller begins a request costs that caller a request. It is therefore closed for another
 * one only if it has been idle for so long.
 */
const MIN_IDLE_MS = 5_000

const TOO_MANY_CONNECTIONS =
  'HTTP/1.1 429 Too Many Requests\r\nretry-after: 10\r\nconnection: close\r\ncontent-length: 0\r\n\r\n'

/** What is known of one connection. */
export class Connection {
  readonly caller: string
  /** What is written to: of an encrypted connection the decrypted stream, undefined before the handshake. */
  stream: Socket | undefined
  /** Whether a request of this connection has proved who its caller is. */
  hasProved = false
  /** Whether an answer has announced that the connection will be closed. What arrives after that is not processed. */
  isClosing = false
  /** Whether the parser has given up. */
  isUnparsable = false
  /** The responses that are not closed, in the order of their requests. */
  readonly openResponses = new Set<ServerResponse>()
  /** When the connection was opened, or its last request ended, in monotonic milliseconds. */
  usedAt: number
  readonly #socket: Socket
  readonly #monotonic: () => number

  constructor(socket: Socket, caller: string, monotonic: () => number) {
    this.#socket = socket
    this.#monotonic = monotonic
    this.caller = caller
    this.usedAt = monotonic()
  }

  /** Notes a request, from when its headers have arrived. */
  track(res: ServerResponse): void {
    this.openResponses.add(res)
    res.once('close', () => {
      this.openResponses.delete(res)
      this.usedAt = this.#monotonic()
    })
  }

  /** Whether no later request of the connection has been tracked. */
  isLast(res: ServerResponse): boolean {
    let last: ServerResponse | undefined
    for (const each of this.openResponses) last = each
    return last === res
  }

  /** Closes the connection at once, and says why if no answer is being sent. */
  refuse(): void {
    this.isClosing = true
    const isAnswerBegun = [...this.openResponses].some(({ headersSent }) => headersSent)
    if (this.stream?.writable && !isAnswerBegun) this.stream.end(TOO_MANY_CONNECTIONS)
    this.stream?.destroy()
    this.#socket.destroy()
  }
}

export class ConnectionTable {
  #limits: ConnectionLimits
  readonly #deps: ConnectionTableDeps
  readonly #bySocket = new WeakMap<Socket, Connection>()
  /** The raw sockets of connections whose TLS handshake is under way, by address and port of the client. */
  readonly #inHandshake = new Map<string, Connection>()
  /** The oldest first. */
  readonly #unproved = new Set<Connection>()
  readonly #proved = new Set<Connection>()
  readonly #unprovedByCaller = new Map<string, number>()

  constructor(limits: ConnectionLimits, deps: ConnectionTableDeps) {
    this.#limits = limits
    this.#deps = deps
  }

  /** The number of open connections. */
  get size(): number {
    return this.#unproved.size + this.#proved.size
  }

  /** Changes the limits for connections that are opened from now on. */
  resize(limits: ConnectionLimits): void {
    this.#limits = limits
  }

  /** Takes in every connection of the server. */
  watch(server: HttpServer): void {
    const isEncrypted = server instanceof TlsServer
    server.on('connection', (socket: Socket) => this.#open(socket, isEncrypted))
    if (!isEncrypted) return
    server.on('secureConnection', (stream: Socket) => {
      const connection = this.#inHandshake.get(clientOf(stream))
      if (connection === undefined) return
      connection.stream = stream
      this.#bySocket.set(stream, connection)
    })
  }

  /** @param socket `req.socket` of a request */
  connectionOf(socket: Socket): Connection {
    const connection = this.#bySocket.get(socket)
    if (connection !== undefined) return connection
    // The client was gone before its address could be read.
    const unknown = this.#createConnection(socket, '')
    this.#bySocket.set(socket, unknown)
    return unknown
  }

  /** Notes that a request of the connection has proved who its caller is. */
  markProved(connection: Connection): void {
    if (connection.hasProved || !this.#remove(connection)) return
    connection.hasProved = true
    this.#proved.add(connection)
  }

  #open(socket: Socket, isEncrypted: boolean): void {
    const connection = this.#createConnection(socket, callerKey(clientAddress(socket.remoteAddress, undefined, false)))
    const client = clientOf(socket)
    if (isEncrypted) this.#inHandshake.set(client, connection)
    else connection.stream = socket
    this.#bySocket.set(socket, connection)
    this.#add(connection)
    socket.once('close', () => {
      if (this.#inHandshake.get(client) === connection) this.#inHandshake.delete(client)
      this.#remove(connection)
    })
    const ofCaller = this.#unprovedByCaller.get(connection.caller) ?? 0
    if (ofCaller > this.#limits.maxUnprovedPerCaller) this.#displace(this.#oldestOf(connection.caller) ?? connection)
    else if (this.size > this.#limits.maxConnections) this.#displace(this.#leastUseful(connection))
  }

  #createConnection(socket: Socket, caller: string): Connection {
    return new Connection(socket, caller, this.#deps.monotonic)
  }

  #displace(connection: Connection): void {
    this.#remove(connection)
    connection.refuse()
    this.#deps.onDisplaced?.()
  }

  #oldestOf(caller: string): Connection | undefined {
    for (const each of this.#unproved) if (each.caller === caller) return each
    return undefined
  }

  /** Returns what gives way to the newest connection: an unproved one, else one that is idle, else the newest itself. */
  #leastUseful(newest: Connection): Connection {
    let found: Connection | undefined
    let most = 0
    let compared = 0
    for (const each of this.#unproved) {
      const ofCaller = this.#unprovedByCaller.get(each.caller) ?? 0
      if (each !== newest && ofCaller > most) {
        found = each
        most = ofCaller
      }
      compared++
      if (compared === COMPARED_CONNECTIONS) break
    }
    return found ?? this.#longestIdle() ?? newest
  }

  #longestIdle(): Connection | undefined {
    let found: Connection | undefined
    let idleSince = this.#deps.monotonic() - MIN_IDLE_MS
    for (const each of this.#proved) {
      if (each.openResponses.size > 0 || each.usedAt > idleSince) continue
      found = each
      idleSince = each.usedAt
    }
    return found
  }

  #add(connection: Connection): void {
    this.#unproved.add(connection)
    this.#unprovedByCaller.set(connection.caller, (this.#unprovedByCaller.get(connection.caller) ?? 0) + 1)
  }

  /** Returns false if it was removed before. */
  #remove(connection: Connection): boolean {
    if (this.#proved.delete(connection)) return true
    if (!this.#unproved.delete(connection)) return false
    const left = (this.#unprovedByCaller.get(connection.caller) ?? 1) - 1
    if (left === 0) this.#unprovedByCaller.delete(connection.caller)
    else this.#unprovedByCaller.set(connection.caller, left)
    return true
  }
}

const clientOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`
