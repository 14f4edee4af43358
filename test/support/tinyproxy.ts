/** tinyproxy, a real HTTP proxy: of the PATH, or from the package of Debian, which is unpacked and not installed. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { spawnGuarded } from '../../dev/guarded-child.js'
import { freePort } from '../../dev/ports.js'
import { cached } from '../../dev/stack/jvm/cache.js'
import { until } from '../../dev/wait.js'
import { workDirectory } from '../../dev/work-directory.js'

const run = promisify(execFile)

/** Returns the path of the program; undefined where there is none and no package of Debian to unpack. */
export async function findTinyproxy(): Promise<string | undefined> {
  const installed = (process.env['PATH'] ?? '').split(':').map((folder) => join(folder, 'tinyproxy'))
  const found = installed.find((path) => existsSync(path))
  if (found !== undefined) return found
  try {
    const home = await cached('tinyproxy-1', async (folder) => {
      await run('apt-get', ['download', 'tinyproxy-bin'], { cwd: folder })
      const [archive] = (await readdir(folder)).filter((name) => name.endsWith('.deb'))
      if (archive === undefined) throw new Error('apt-get has downloaded no package')
      await run('dpkg-deb', ['-x', archive, '.'], { cwd: folder })
      await rm(join(folder, archive))
    })
    return join(home, 'usr/bin/tinyproxy')
  } catch {
    return undefined
  }
}

export interface Tinyproxy {
  readonly port: number
  readonly url: string
  /** What the proxy has logged. */
  log(): Promise<string>
  stop(): Promise<void>
}

/** @param user whom the proxy lets in */
export async function startTinyproxy(
  program: string,
  user: { readonly name: string; readonly password: string },
): Promise<Tinyproxy> {
  const folder = await workDirectory('stack')
  const port = await freePort()
  const configuration = join(folder, 'tinyproxy.conf')
  const log = join(folder, 'tinyproxy.log')
  const lines = [`Port ${port}`, 'Listen 127.0.0.1', 'Timeout 600', 'MaxClients 50', 'LogLevel Connect']
  await writeFile(configuration, `${[...lines, `BasicAuth ${user.name} ${user.password}`].join('\n')}\n`)
  const child = await spawnGuarded(program, ['-d', '-c', configuration], { log })
  await until(() => isOpen(port), 10_000)
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    log: () => readFile(log, 'utf8'),
    stop: async () => {
      child.signal('SIGKILL')
      await child.exited
      await rm(folder, { recursive: true, force: true })
    },
  }
}

const isOpen = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
