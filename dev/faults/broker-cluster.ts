/** Three brokers, for what one can't show: leaders and coordinators that move, replicas that are not enough. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '../ports.js'
import { silent } from '../progress.js'
import { prepareBroker } from '../stack/jvm/broker.js'
import { kafkaDistribution } from '../stack/jvm/distributions.js'
import { Downloads } from '../stack/jvm/downloads.js'
import { findJvm } from '../stack/jvm/jvm-stack.js'
import type { JvmServer } from '../stack/jvm/server.js'
import { workDirectory } from '../work-directory.js'

/** The first is the controller too, and is not killed. */
const NODES = [1, 2, 3] as const

const REPLICATED = {
  'offsets.topic.replication.factor': '3',
  'transaction.state.log.replication.factor': '3',
  'transaction.state.log.min.isr': '2',
  'default.replication.factor': '3',
  'min.insync.replicas': '2',
  'replica.lag.time.max.ms': '2000',
  'leader.imbalance.check.interval.seconds': '5',
}

export class Cluster {
  readonly addresses: readonly string[]
  readonly #servers: readonly JvmServer[]
  readonly #folder: string

  private constructor(addresses: readonly string[], servers: readonly JvmServer[], folder: string) {
    this.addresses = addresses
    this.#servers = servers
    this.#folder = folder
  }

  /** @throws Error where there is no JVM */
  static async start(): Promise<Cluster> {
    const jvm = await findJvm()
    if ('missing' in jvm) throw new Error(`three brokers take a JVM: ${jvm.missing}`)
    const downloads = new Downloads(silent)
    const distribution = await kafkaDistribution(jvm.java, downloads)
    downloads.end()
    const folder = await workDirectory('stack')
    const controllerPort = await freePort()
    const ports = await Promise.all(NODES.map(() => freePort()))
    const servers: JvmServer[] = []
    for (const [index, id] of NODES.entries()) {
      const own = join(folder, `broker-${id}`)
      await mkdir(own)
      const plan = { java: jvm.java, distribution, folder: own, port: ports[index]!, controllerPort }
      const properties = { ...REPLICATED, ...nodeProperties(id, ports[index]!, controllerPort) }
      servers.push(await prepareBroker({ ...plan, properties }))
      await becomeNode(join(own, 'kafka-data', 'meta.properties'), id)
    }
    const cluster = new Cluster(
      ports.map((port) => `127.0.0.1:${port}`),
      servers,
      folder,
    )
    try {
      for (const server of servers) await server.start()
      return cluster
    } catch (error) {
      await cluster.stop()
      throw error
    }
  }

  /** @param index 1 or 2: not the controller */
  kill(index: number): Promise<void> {
    return this.#servers[index]!.kill()
  }

  restart(index: number): Promise<void> {
    return this.#servers[index]!.start()
  }

  signal(index: number, name: 'SIGSTOP' | 'SIGCONT'): void {
    this.#servers[index]!.signal(name)
  }

  async stop(): Promise<void> {
    for (const server of this.#servers) await server.kill()
    await rm(this.#folder, { recursive: true, force: true })
  }
}

function nodeProperties(id: number, port: number, controllerPort: number): Record<string, string> {
  if (id === 1) return {}
  return {
    'process.roles': 'broker',
    'node.id': String(id),
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    listeners: `PLAINTEXT://127.0.0.1:${port}`,
  }
}

/** What was formatted was so for the first node. */
async function becomeNode(file: string, id: number): Promise<void> {
  const text = await readFile(file, 'utf8')
  // 22 characters of base64: a directory's id must be its own.
  const changed = text
    .replace(/^node\.id=.*$/m, `node.id=${id}`)
    .replace(/^directory\.id=(.*)..$/m, (_, start: string) => `directory.id=${start}${id}A`)
  await writeFile(file, changed)
}
