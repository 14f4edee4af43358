/**
 * Keeps a second process out of a journal directory.
 *
 * LMDB lets two processes write to one environment without complaint, and a pid file is worthless where every container
 * has its own process numbers. A Unix socket in the directory is released by the kernel when its holder dies, however
 * it dies, and is seen from every container that mounts the directory on the same host.
 *
 * The holder is who listens on the highest `lock.<n>`. To become it, a process listens on a socket of its own first,
 * finds the highest dead, and links its socket under the next number: `link` lets one through, and what it makes is
 * alive from its first moment. Who looked long ago may link a number that was cleaned up since; so everyone looks once
 * more, and steps back unless it is the highest. For this the highest stays, also when nobody holds it any more.
 */
import { randomBytes } from 'node:crypto'
import { closeSync, linkSync, openSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { ConnectorError } from '../core/errors.js'

export interface DirectoryLock {
  release(): Promise<void>
}

/** @throws ConnectorError JOURNAL_HELD when another process holds the directory; JOURNAL_UNUSABLE */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  const own = `lock-${randomBytes(4).toString('hex')}`
  const server = await listen(directory, own)
  try {
    const number = await claim(directory, own)
    const name = nameOf(number)
    for (const other of readdirSync(directory)) {
      if (/^lock-[0-9a-f]{8}$/.test(other) || (numberOf(other) ?? number) < number) remove(directory, other)
    }
    return { release: () => release(server, directory, own, name) }
  } catch (error) {
    await close(server)
    remove(directory, own)
    throw error
  }
}

/** @returns the number that is ours now */
async function claim(directory: string, own: string): Promise<number> {
  for (;;) {
    const last = highest(directory)
    if (last > 0 && (await answers(directory, nameOf(last)))) throw held(directory)
    if (!link(directory, own, nameOf(last + 1))) continue // another process was faster: is it alive?
    if (highest(directory) === last + 1) return last + 1
    remove(directory, nameOf(last + 1))
  }
}

const held = (directory: string): ConnectorError =>
  new ConnectorError(
    'JOURNAL_HELD',
    `the journal in ${directory} is held by another process; stop that one, or give this one a journal.directory of its own`,
  )

const unusable = (directory: string, error: Error): ConnectorError =>
  new ConnectorError('JOURNAL_UNUSABLE', `can't lock ${directory}: ${error.message}`, { cause: error })

const nameOf = (number: number): string => `lock.${number}`

const numberOf = (name: string): number | undefined => {
  const digits = /^lock\.(\d+)$/.exec(name)?.[1]
  return digits === undefined ? undefined : Number(digits)
}

/** 0 when nobody has ever held the directory. */
const highest = (directory: string): number => Math.max(0, ...readdirSync(directory).map((name) => numberOf(name) ?? 0))

const remove = (directory: string, name: string): void => rmSync(join(directory, name), { force: true })

function link(directory: string, from: string, to: string): boolean {
  try {
    linkSync(join(directory, from), join(directory, to))
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return false
    // Only a holder cleans up, so somebody has become it.
    if (code === 'ENOENT') throw held(directory)
    throw unusable(directory, error as Error)
  }
}

/** A socket path holds about 100 bytes; through the directory's descriptor any directory is short enough. */
async function at<T>(directory: string, name: string, use: (path: string) => Promise<T>): Promise<T> {
  const direct = join(directory, name)
  if (process.platform !== 'linux' || Buffer.byteLength(direct) < 100) return use(direct)
  const descriptor = openSync(directory, 'r')
  try {
    return await use(`/proc/self/fd/${descriptor}/${name}`)
  } finally {
    closeSync(descriptor)
  }
}

const listen = (directory: string, name: string): Promise<Server> =>
  at(
    directory,
    name,
    (path) =>
      new Promise((resolve, reject) => {
        const server = createServer((socket) => socket.destroy())
        server.once('error', (error) => reject(unusable(directory, error)))
        server.listen(path, () => {
          server.unref()
          resolve(server)
        })
      }),
  )

/** Whether somebody listens. Only a certain "nobody" counts as one: what can't be asked may be alive. */
const answers = (directory: string, name: string): Promise<boolean> =>
  at(
    directory,
    name,
    (path) =>
      new Promise((resolve) => {
        const socket = connect(path)
        socket.once('connect', () => {
          socket.destroy()
          resolve(true)
        })
        socket.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code !== 'ECONNREFUSED' && code !== 'ENOENT'))
      }),
  )

const close = (server: Server): Promise<void> => new Promise((resolve) => server.close(() => resolve()))

/** Leaves an empty file in the socket's place: it keeps the number, and tools that copy files can copy it. */
async function release(server: Server, directory: string, own: string, name: string): Promise<void> {
  await close(server)
  writeFileSync(join(directory, own), '')
  renameSync(join(directory, own), join(directory, name))
}
