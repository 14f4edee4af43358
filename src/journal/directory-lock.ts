/**
 * Keeps a second process out of a journal directory.
 *
 * LMDB lets two processes write to one environment without an error, and a file with a process id proves nothing where
 * each container has process ids of its own. A Unix socket in the directory serves as the lock: the kernel stops listening
 * on it when its process ends, however it ends, and every container that mounts the directory on the same host can see
 * that.
 *
 * The holder is the process that listens on the socket `lock.<n>` with the highest n. To become the holder, a process
 * 1. listens on a socket under a name of its own, `lock-<random>`;
 * 2. connects to the highest `lock.<n>`, and gives up if a process listens there;
 * 3. links its own socket as `lock.<n+1>`. Only one process succeeds in this, and the link is alive from the first moment;
 * 4. lists the directory again, and removes its link unless its own number is the highest. If much time passes between the
 *    first listing and the link, the number may have been taken and removed by other processes in the meantime.
 * For this the highest `lock.<n>` is never removed, also when no process holds the directory.
 *
 * Somebody else may delete it nevertheless. What keeps a second process out then is the lock on the data file
 * (data-file-lock.ts). The socket is kept, because it names the holder, and works where the other lock does not.
 */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, constants, linkSync, openSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { ConnectorError } from '../core/errors.js'
import { openOwnFile } from '../core/files.js'
import { isDataFileLocked } from './data-file-lock.js'
import { dataFileOf } from './environment.js'

export interface DirectoryLock {
  release(): Promise<void>
}

/** @throws ConnectorError JOURNAL_HELD if another process holds the directory; JOURNAL_UNUSABLE */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  const ownName = `lock-${randomBytes(4).toString('hex')}`
  const server = await listen(directory, ownName)
  try {
    const number = await acquireNumber(directory, ownName)
    removeLeftovers(directory, number)
    return { release: () => release(server, directory, ownName, lockName(number)) }
  } catch (error) {
    await closeServer(server)
    removeFile(directory, ownName)
    throw error
  }
}

/** Returns which process holds the directory, for a message; undefined if none does. It changes nothing. */
export async function findHolder(directory: string): Promise<string | undefined> {
  const last = highestNumber(directory)
  const holder = last === 0 ? undefined : await holderOf(directory, lockName(last))
  // If somebody has deleted the socket, the lock of the data file still tells.
  return holder ?? (isDataFileLocked(dataFileOf(directory)) ? ANOTHER_PROCESS : undefined)
}

/** @returns the number that this process holds now */
async function acquireNumber(directory: string, ownName: string): Promise<number> {
  for (;;) {
    const last = highestNumber(directory)
    const holder = last === 0 ? undefined : await holderOf(directory, lockName(last))
    if (holder !== undefined) throw heldError(directory, holder)
    const next = last + 1
    // If another process has linked this number first, the loop checks whether that process is alive.
    if (!tryLink(directory, ownName, lockName(next))) continue
    if (highestNumber(directory) === next) return next
    removeFile(directory, lockName(next))
  }
}

/** Removes the sockets that processes before this one left behind. */
function removeLeftovers(directory: string, number: number): void {
  for (const name of readdirSync(directory)) {
    const isTemporary = /^lock-[0-9a-f]{8}$/.test(name)
    const isOlder = (numberOf(name) ?? number) < number
    if (isTemporary || isOlder) removeFile(directory, name)
  }
}

const ANOTHER_PROCESS = 'another process'
/** How long the holder has for saying which process it is. */
const HOLDER_TIMEOUT_MS = 500

const lockName = (number: number): string => `lock.${number}`

const numberOf = (name: string): number | undefined => {
  const digits = /^lock\.(\d+)$/.exec(name)?.[1]
  return digits === undefined ? undefined : Number(digits)
}

/** Returns 0 if the directory has never been locked. */
const highestNumber = (directory: string): number =>
  Math.max(0, ...readdirSync(directory).map((name) => numberOf(name) ?? 0))

const removeFile = (directory: string, name: string): void => rmSync(join(directory, name), { force: true })

/** @returns false if the name exists already */
function tryLink(directory: string, from: string, to: string): boolean {
  try {
    linkSync(join(directory, from), join(directory, to))
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return false
    // Only a new holder removes the sockets of others, so another process has become the holder.
    if (code === 'ENOENT') throw heldError(directory)
    throw lockError(directory, error as Error)
  }
}

export const heldError = (directory: string, holder = ANOTHER_PROCESS): ConnectorError =>
  new ConnectorError(
    'JOURNAL_HELD',
    `the journal in ${directory} is held by ${holder}; stop that one, or give this one a journal.directory of its own`,
  )

const lockError = (directory: string, error: Error): ConnectorError =>
  new ConnectorError('JOURNAL_UNUSABLE', `can't lock ${directory}: ${error.message}`, { cause: error })

/** The address of a Unix socket holds 108 bytes, its terminating zero included. */
const MAX_SOCKET_PATH_BYTES = 100

/** Calls `use` with a path of the file that fits into a socket address. Longer ones go by the directory's descriptor. */
async function withSocketPath<T>(directory: string, name: string, use: (path: string) => Promise<T>): Promise<T> {
  const path = join(directory, name)
  if (process.platform !== 'linux' || Buffer.byteLength(path) < MAX_SOCKET_PATH_BYTES) return use(path)
  const descriptor = openSync(directory, 'r')
  try {
    return await use(`/proc/self/fd/${descriptor}/${name}`)
  } finally {
    closeSync(descriptor)
  }
}

const listen = (directory: string, name: string): Promise<Server> =>
  withSocketPath(directory, name, async (path) => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.end(`${ANOTHER_PROCESS} (process id ${process.pid} on host ${hostname()})`)
    })
    try {
      server.listen(path)
      await once(server, 'listening')
    } catch (error) {
      throw lockError(directory, error as Error)
    }
    // The lock is held by listening. A probe that cannot be accepted, for lack of descriptors, must not end the process.
    server.on('error', () => undefined)
    return server.unref()
  })

/**
 * What connecting to a lock fails with if it is certain that nobody listens. EROFS is the error for a file that is no socket, as
 * an orderly end leaves it, on a file system that is mounted read-only. A socket there can be connected to.
 */
const NOBODY_LISTENS: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ENOENT', 'EROFS'])

/**
 * Returns which process listens, as it says itself. Returns undefined only if it is certain that none does: a process that
 * can't be connected to, or is stopped and says nothing, may be alive.
 */
const holderOf = (directory: string, name: string): Promise<string | undefined> =>
  withSocketPath(directory, name, async (path) => {
    const socket = connect(path)
    try {
      await once(socket, 'connect')
      const [answer] = (await once(socket, 'data', { signal: AbortSignal.timeout(HOLDER_TIMEOUT_MS) })) as [Buffer]
      return answer.toString()
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      return code !== undefined && NOBODY_LISTENS.has(code) ? undefined : ANOTHER_PROCESS
    } finally {
      socket.destroy()
    }
  })

const closeServer = (server: Server): Promise<void> => new Promise((resolve) => server.close(() => resolve()))

/** Replaces the socket by an empty file, which keeps the number and, unlike a socket, can be copied by any tool. */
async function release(server: Server, directory: string, ownName: string, name: string): Promise<void> {
  await closeServer(server)
  try {
    closeSync(openOwnFile(join(directory, ownName), constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL))
    renameSync(join(directory, ownName), join(directory, name))
  } catch {
    // The directory was removed, or its disk refuses writes. Nobody listens on the socket, so the directory is free without
    // the file.
  }
}
