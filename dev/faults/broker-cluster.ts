/** A cluster of three brokers, in which leaders and coordinators move and replicas can be too few. */
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

/** The first node is the controller too, and must not be killed. */
const NODE_IDS = [1, 2, 3] as const

const REPLICATION_PROPERTIES = {
  'offsets.topic.replication.factor': '3',
  'transaction.state.log.replication.factor': '3',
  'transaction.state.log.min.isr': '2',
  'default.replication.factor': '3',
  'min.insync.replicas': '2',
  'replica.lag.time.max.ms': '2000',
  'leader.imbalance.check.interval.seconds': '5',
}

export class BrokerCluster {
  readonly addresses: readonly string[]
  readonly #servers: readonly JvmServer[]
  readonly #folder: string

  private constructor(addresses: readonly string[], servers: readonly JvmServer[], folder: string) {
    this.addresses = addresses
    this.#servers = servers
    this.#folder = folder
  }

  /** @throws Error when there is no JVM, or a broker does not start */
  static async start(): Promise<BrokerCluster> {
    const jvm = await findJvm()
    if ('missing' in jvm) throw new Error(`Three brokers need a JVM: ${jvm.missing}.`)
    const downloads = new Downloads(silent)
    const distribution = await kafkaDistribution(jvm.java, downloads)
    downloads.end()
    const folder = await workDirectory('stack')
    const controllerPort = await freePort()
    const ports = await Promise.all(NODE_IDS.map(() => freePort()))
    const servers: JvmServer[] = []
    for (const [index, id] of NODE_IDS.entries()) {
      const brokerFolder = join(folder, `broker-${id}`)
      await mkdir(brokerFolder)
      const plan = { java: jvm.java, distribution, folder: brokerFolder, port: ports[index]!, controllerPort }
      const properties = { ...REPLICATION_PROPERTIES, ...nodeProperties(id, ports[index]!, controllerPort) }
      servers.push(await prepareBroker({ ...plan, properties }))
      await setNodeId(join(brokerFolder, 'kafka-data', 'meta.properties'), id)
    }
    const addresses = ports.map((port) => `127.0.0.1:${port}`)
    const cluster = new BrokerCluster(addresses, servers, folder)
    try {
      for (const server of servers) await server.start()
      return cluster
    } catch (error) {
      await cluster.stop()
      throw error
    }
  }

  /** @param index 1 or 2; the broker with index 0 is the controller */
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

/** The data directory is a copy of one that was formatted for the first node. */
async function setNodeId(metaProperties: string, id: number): Promise<void> {
  const text = await readFile(metaProperties, 'utf8')
  // A directory id is 22 characters of base64, and must be unique in the cluster.
  const changed = text
    .replace(/^node\.id=.*$/m, `node.id=${id}`)
    .replace(/^directory\.id=(.*)..$/m, (_, start: string) => `directory.id=${start}${id}A`)
  await writeFile(metaProperties, changed)
}
