/** A broker without a registry, of a version of its own, for tests of the client alone. */
import { rm } from 'node:fs/promises'
import { freePort } from '../ports.js'
import { silent } from '../progress.js'
import { workDirectory } from '../work-directory.js'
import { prepareBroker } from './jvm/broker.js'
import { kafkaDistribution, KAFKA_VERSION } from './jvm/distributions.js'
import { Downloads } from './jvm/downloads.js'
import { findJvm } from './jvm/jvm-stack.js'
import type { JvmServer } from './jvm/server.js'

export interface SingleBrokerOptions {
  readonly version?: string
  /** More Kafka server properties. */
  readonly properties?: Readonly<Record<string, string>>
}

export class SingleBroker {
  readonly address: string
  readonly #server: JvmServer
  readonly #folder: string

  private constructor(address: string, server: JvmServer, folder: string) {
    this.address = address
    this.#server = server
    this.#folder = folder
  }

  /** @throws Error when there is no JVM, or the broker does not start */
  static async start({ version = KAFKA_VERSION, properties = {} }: SingleBrokerOptions = {}): Promise<SingleBroker> {
    const jvm = await findJvm()
    if ('missing' in jvm) throw new Error(`A broker of version ${version} needs a JVM: ${jvm.missing}.`)
    const downloads = new Downloads(silent)
    const distribution = await kafkaDistribution(jvm.java, downloads, version)
    downloads.end()
    const folder = await workDirectory('stack')
    const [port, controllerPort] = [await freePort(), await freePort()]
    const server = await prepareBroker({ java: jvm.java, distribution, folder, port, controllerPort, properties })
    await server.start()
    return new SingleBroker(`127.0.0.1:${port}`, server, folder)
  }

  async stop(): Promise<void> {
    await this.#server.kill()
    await rm(this.#folder, { recursive: true, force: true })
  }
}
