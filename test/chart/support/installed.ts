import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parse, stringify } from 'yaml'
import { freePort } from '../../../dev/ports.js'
import { spawnGuarded } from '../../../dev/guarded-child.js'
import type { GuardedChild } from '../../../dev/guarded-child.js'
import { until } from '../../../dev/stack/ready.js'
import { NAMESPACE, allOf, render } from './helm.js'
import type { Values } from './helm.js'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const PATIENCE_MS = 30_000

/**
 * The connector with what the chart makes of some values, as the first pod would have it: its configuration, its
 * environment, and its Secret as files. What a cluster would mount lies in a folder, and ports are free ones of 127.0.0.1.
 */
export class InstalledConnector {
  readonly #folder: string
  readonly #child: GuardedChild
  readonly callbacks: string
  readonly admin: string

  private constructor(folder: string, child: GuardedChild, callbacksPort: number, adminPort: number) {
    this.#folder = folder
    this.#child = child
    this.callbacks = `http://127.0.0.1:${callbacksPort}/callbacks`
    this.admin = `http://127.0.0.1:${adminPort}`
  }

  static async start(values: Values): Promise<InstalledConnector> {
    const objects = await render({ values })
    const folder = await mkdtemp(join(tmpdir(), 'dlrmo-installed-'))
    const [callbacksPort, adminPort] = [await freePort(), await freePort()]

    const secret = Object.entries(allOf('Secret', objects)[0]?.data ?? {})
    const secrets = secret.map(([name, value]) => [name, Buffer.from(value, 'base64').toString()] as const)
    await mkdir(join(folder, 'secrets'))
    for (const [name, value] of secrets) await writeFile(join(folder, 'secrets', name), value)

    const text = (allOf('ConfigMap', objects)[0]?.data['connector.yaml'] ?? '')
      .replaceAll('/run/secrets/connector', join(folder, 'secrets'))
      .replaceAll('/var/lib/dlr-mo-connector', folder)
    const config = parse(text) as { callbacks: object; admin: object }
    Object.assign(config.callbacks, { host: '127.0.0.1', port: callbacksPort, drainDelay: '0s' })
    Object.assign(config.admin, { host: '127.0.0.1', port: adminPort })
    await writeFile(join(folder, 'connector.yaml'), stringify(config))

    const env: NodeJS.ProcessEnv = { PATH: process.env['PATH'], ...Object.fromEntries(secrets) }
    for (const { name, value } of allOf('StatefulSet', objects)[0]?.spec.template.spec.containers[0].env ?? []) {
      if (value !== undefined) env[name] = value
    }
    Object.assign(env, {
      POD_NAME: 'pod-0',
      POD_NAMESPACE: NAMESPACE,
      CONNECTOR_CONFIG: join(folder, 'connector.yaml'),
    })
    const args = ['--import', 'tsx', join(ROOT, 'src', 'main.ts'), 'run']
    const child = await spawnGuarded(process.execPath, args, { log: join(folder, 'log'), cwd: ROOT, env })
    const connector = new InstalledConnector(folder, child, callbacksPort, adminPort)
    try {
      await until(
        () => connector.#isReady(),
        PATIENCE_MS,
        () => {
          if (child.exitCode !== undefined) throw new Error(`it ended with code ${child.exitCode}`)
        },
      )
    } catch (error) {
      const log = await connector.log()
      await connector.stop()
      throw new Error(`The connector did not start:\n${log.slice(-3_000)}`, { cause: error })
    }
    return connector
  }

  async #isReady(): Promise<void> {
    const answer = await fetch(`${this.admin}/readyz`)
    if (answer.status !== 200) throw new Error(`/readyz answered ${answer.status}`)
  }

  log(): Promise<string> {
    return readFile(join(this.#folder, 'log'), 'utf8')
  }

  /** Resolves with its exit code. */
  async stop(): Promise<number> {
    this.#child.signal('SIGTERM')
    const code = await this.#child.exited
    await rm(this.#folder, { recursive: true, force: true })
    return code
  }
}
