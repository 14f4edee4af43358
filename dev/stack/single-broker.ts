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
  /** A second listener, which asks for this user and password, and for them again before `sessionMs` have passed. */
  readonly saslPlain?: { readonly user: string; readonly password: string; readonly sessionMs: number }
}

export class SingleBroker {
  readonly address: string
  /** The listener that asks for user and password, if there is one. */
  readonly saslAddress: string | undefined
  readonly #server: JvmServer
  readonly #folder: string

  private constructor(address: string, saslAddress: string | undefined, server: JvmServer, folder: string) {
    this.address = address
    this.saslAddress = saslAddress
    this.#server = server
    this.#folder = folder
  }

  /** @throws Error when there is no JVM, or the broker does not start */
  static async start({
    version = KAFKA_VERSION,
    properties: given = {},
    saslPlain,
  }: SingleBrokerOptions = {}): Promise<SingleBroker> {
    const jvm = await findJvm()
    if ('missing' in jvm) throw new Error(`A broker of version ${version} needs a JVM: ${jvm.missing}.`)
    const downloads = new Downloads(silent)
    const distribution = await kafkaDistribution(jvm.java, downloads, version)
    downloads.end()
    const folder = await workDirectory('stack')
    const [port, controllerPort] = [await freePort(), await freePort()]
    const saslPort = saslPlain && (await freePort())
    const sasl = saslPlain && saslProperties({ ...saslPlain, port, saslPort: saslPort!, controllerPort })
    const properties = { ...sasl, ...given }
    const server = await prepareBroker({ java: jvm.java, distribution, folder, port, controllerPort, properties })
    await server.start()
    return new SingleBroker(
      `127.0.0.1:${port}`,
      saslPort === undefined ? undefined : `127.0.0.1:${saslPort}`,
      server,
      folder,
    )
  }

  async stop(): Promise<void> {
    await this.#server.kill()
    await rm(this.#folder, { recursive: true, force: true })
  }
}

interface SaslListener {
  readonly user: string
  readonly password: string
  readonly sessionMs: number
  readonly port: number
  readonly saslPort: number
  readonly controllerPort: number
}

const saslProperties = ({ user, password, sessionMs, port, saslPort, controllerPort }: SaslListener) => ({
  listeners: `PLAINTEXT://127.0.0.1:${port},SASL_PLAINTEXT://127.0.0.1:${saslPort},CONTROLLER://127.0.0.1:${controllerPort}`,
  'advertised.listeners': `PLAINTEXT://127.0.0.1:${port},SASL_PLAINTEXT://127.0.0.1:${saslPort}`,
  'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT',
  'inter.broker.listener.name': 'PLAINTEXT',
  'sasl.enabled.mechanisms': 'PLAIN',
  'connections.max.reauth.ms': String(sessionMs),
  'listener.name.sasl_plaintext.plain.sasl.jaas.config': `org.apache.kafka.common.security.plain.PlainLoginModule required user_${user}="${password}";`,
})
