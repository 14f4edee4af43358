import { mkdir, rm } from 'node:fs/promises'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { freePort } from '../../../dev/ports.js'
import { apicurioJar } from '../../../dev/stack/jvm/distributions.js'
import { Downloads } from '../../../dev/stack/jvm/downloads.js'
import { findJava } from '../../../dev/stack/jvm/java.js'
import { prepareRegistry } from '../../../dev/stack/jvm/registry.js'
import { silent } from '../../../dev/progress.js'
import { workDirectory } from '../../../dev/work-directory.js'
import type { Identity } from './secure-broker.js'

/** A real registry behind a proxy with TLS that lets nobody in without HTTP Basic credentials, as clusters have it. */
export interface BasicRegistry {
  readonly url: string
  /** The same without TLS and credentials, for the test itself. */
  readonly backDoor: string
  /** Replaces the password, by several while it is rotated. */
  setPasswords(...passwords: readonly string[]): void
  /** Requests that were turned away. */
  readonly turnedAway: () => number
  stop(): Promise<void>
}

/** @param identity key and certificate of the proxy */
export async function startBasicRegistry(
  username: string,
  password: string,
  identity: Identity,
): Promise<BasicRegistry> {
  const java = await findJava()
  if ('missing' in java) throw new Error(`The registry runs on a JVM: ${java.missing}.`)
  const downloads = new Downloads(silent)
  const jar = await apicurioJar(downloads)
  downloads.end()
  const folder = await workDirectory('stack')
  const own = join(folder, 'registry')
  await mkdir(own)
  const registry = prepareRegistry({ java: java.command, jar, folder: own, port: await freePort() })
  const { origin, pathname } = new URL(registry.url)
  const toCredentials = (secret: string): string => `Basic ${Buffer.from(`${username}:${secret}`).toString('base64')}`
  let credentials = [toCredentials(password)]
  let turnedAway = 0

  const proxy = createServer(identity, (request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      if (!credentials.includes(request.headers.authorization ?? '')) {
        turnedAway += 1
        response.writeHead(401, { 'www-authenticate': 'Basic realm="registry"' }).end()
        return
      }
      const { method = 'GET', url = '/' } = request
      const body = method === 'GET' ? null : Buffer.concat(chunks)
      fetch(`${origin}${url}`, { method, body, headers: { 'content-type': 'application/json' } })
        .then(async (answer) => {
          response.writeHead(answer.status, { 'content-type': 'application/json' }).end(await answer.text())
        })
        .catch(() => response.writeHead(502).end())
    })
  })
  const stop = async (): Promise<void> => {
    proxy.closeAllConnections()
    await new Promise((resolve) => proxy.close(resolve))
    await registry.server.kill()
    await rm(folder, { recursive: true, force: true })
  }
  try {
    await registry.server.start()
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  } catch (error) {
    await stop()
    throw error
  }
  const { port } = proxy.address() as AddressInfo
  return {
    url: `https://127.0.0.1:${port}${pathname}`,
    backDoor: registry.url,
    setPasswords: (...passwords) => {
      credentials = passwords.map(toCredentials)
    },
    turnedAway: () => turnedAway,
    stop,
  }
}
