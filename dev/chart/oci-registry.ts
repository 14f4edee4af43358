import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { freePort } from '../ports.js'
import { spawnGuarded } from '../guarded-child.js'
import type { ChartTools } from './tools/index.js'

const START_PATIENCE_MS = 30_000

/** The OCI registry of the Distribution project on 127.0.0.1, over plain HTTP and without credentials. */
export interface OciRegistry {
  /** `127.0.0.1:5000` */
  readonly address: string
  /** Ends the process and deletes what it stored. */
  stop(): Promise<void>
}

/** @throws Error with the end of the registry's log if it does not become ready */
export async function startOciRegistry(tools: Pick<ChartTools, 'ociRegistry'>): Promise<OciRegistry> {
  const folder = await mkdtemp(join(tmpdir(), 'dlrmo-oci-registry-'))
  const address = `127.0.0.1:${await freePort()}`
  const config = join(folder, 'config.yml')
  const log = join(folder, 'registry.log')
  const settings = {
    version: '0.1',
    storage: { filesystem: { rootdirectory: join(folder, 'blobs') } },
    http: { addr: address, secret: 'for one registry only' },
  }
  // JSON is YAML too.
  await writeFile(config, JSON.stringify(settings))
  // Without a backend named here, the registry sends its traces to a collector on this machine.
  const env = { ...process.env, OTEL_TRACES_EXPORTER: 'none' }
  const child = await spawnGuarded(tools.ociRegistry, ['serve', config], { log, env })
  const stop = async (): Promise<void> => {
    child.signal('SIGKILL')
    await child.exited
    await rm(folder, { recursive: true, force: true })
  }

  const deadline = Date.now() + START_PATIENCE_MS
  while (!(await answers(`http://${address}/v2/`))) {
    if (child.exitCode === undefined && Date.now() < deadline) {
      await delay(100)
      continue
    }
    const end = (await readFile(log, 'utf8').catch(() => '')).slice(-3_000)
    await stop()
    throw new Error(`The OCI registry did not start:\n${end}`)
  }
  return { address, stop }
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok
  } catch {
    return false
  }
}
