import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parse, stringify } from 'yaml'
import { freePort } from '../../../dev/ports.js'
import { spawnGuarded } from '../../../dev/guarded-child.js'
import type { GuardedChild } from '../../../dev/guarded-child.js'
import { retryFor } from '../../../dev/wait.js'
import { NAMESPACE, allOf, render } from './helm.js'
import type { Values } from './helm.js'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const PATIENCE_MS = 60_000

/**
 * What the chart makes of some values, as one pod has it: its configuration, its environment, its Secret as files, and its
 * volume. What a cluster would mount lies in a folder, and ports are free ones of 127.0.0.1.
 */
export class Installation {
  readonly #folder: string
  readonly #env: NodeJS.ProcessEnv
  readonly callbacks: string
  readonly admin: string

  private constructor(folder: string, env: NodeJS.ProcessEnv, callbacksPort: number, adminPort: number) {
    this.#folder = folder
    this.#env = env
    this.callbacks = `http://127.0.0.1:${callbacksPort}/callbacks`
    this.admin = `http://127.0.0.1:${adminPort}`
  }

  static async make(values: Values, pod = 'pod-0'): Promise<Installation> {
    const objects = await render({ values })
    const folder = await mkdtemp(join(tmpdir(), 'dlrmo-installed-'))
    const here = (text: string): string =>
      text
        .replaceAll('/run/secrets/connector', join(folder, 'secrets'))
        .replaceAll('/var/lib/dlr-mo-connector', join(folder, 'volume'))
    const [callbacksPort, adminPort] = [await freePort(), await freePort()]

    const secret = Object.entries(allOf('Secret', objects)[0]?.data ?? {})
    const secrets = secret.map(([name, value]) => [name, Buffer.from(value, 'base64').toString()] as const)
    await mkdir(join(folder, 'secrets'))
    for (const [name, value] of secrets) await writeFile(join(folder, 'secrets', name), value)

    const config = parse(here(allOf('ConfigMap', objects)[0]?.data['connector.yaml'] ?? '')) as {
      callbacks: object
      admin: object
    }
    Object.assign(config.callbacks, { host: '127.0.0.1', port: callbacksPort, drainDelay: '0s' })
    Object.assign(config.admin, { host: '127.0.0.1', port: adminPort })
    await writeFile(join(folder, 'connector.yaml'), stringify(config))

    const env: NodeJS.ProcessEnv = { PATH: process.env['PATH'], ...Object.fromEntries(secrets) }
    for (const { name, value } of allOf('StatefulSet', objects)[0]?.spec.template.spec.containers[0].env ?? []) {
      if (value !== undefined) env[name] = here(value)
    }
    Object.assign(env, {
      POD_NAME: pod,
      POD_NAMESPACE: NAMESPACE,
      CONNECTOR_CONFIG: join(folder, 'connector.yaml'),
    })
    return new Installation(folder, env, callbacksPort, adminPort)
  }

  /** A process of the connector; its container would have these arguments. */
  async launch(...args: string[]): Promise<GuardedChild> {
    const node = ['--import', 'tsx', join(ROOT, 'src', 'main.ts'), ...args]
    return spawnGuarded(process.execPath, node, { log: join(this.#folder, 'log'), cwd: ROOT, env: this.#env })
  }

  /** Resolves when it takes callbacks. */
  async ready(child: GuardedChild): Promise<void> {
    await retryFor(
      async () => {
        const answer = await fetch(`${this.admin}/readyz`)
        if (answer.status !== 200) throw new Error(`/readyz answered ${answer.status}`)
      },
      PATIENCE_MS,
      () => {
        if (child.exitCode !== undefined) throw new Error(`it ended with code ${child.exitCode}`)
      },
    ).catch(async (error: unknown) => {
      throw new Error(`The connector did not start:\n${(await this.log()).slice(-3_000)}`, { cause: error })
    })
  }

  log(): Promise<string> {
    return readFile(join(this.#folder, 'log'), 'utf8')
  }

  async remove(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true })
  }
}

/** An installation of one pod, and the connector that runs in it. */
export class InstalledConnector {
  readonly #installation: Installation
  readonly #child: GuardedChild
  readonly callbacks: string
  readonly admin: string

  private constructor(installation: Installation, child: GuardedChild) {
    this.#installation = installation
    this.#child = child
    this.callbacks = installation.callbacks
    this.admin = installation.admin
  }

  static async start(values: Values): Promise<InstalledConnector> {
    const installation = await Installation.make(values)
    const connector = new InstalledConnector(installation, await installation.launch('run'))
    try {
      await installation.ready(connector.#child)
    } catch (error) {
      await connector.stop()
      throw error
    }
    return connector
  }

  log(): Promise<string> {
    return this.#installation.log()
  }

  /** Resolves with its exit code. */
  async stop(): Promise<number> {
    this.#child.signal('SIGTERM')
    const code = await this.#child.exited
    await this.#installation.remove()
    return code
  }
}
