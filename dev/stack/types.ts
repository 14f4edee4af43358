import type { Progress } from '../progress.js'

/** Where the broker and the registry came from. */
export type Origin = 'environment' | 'docker' | 'jvm'

/** What a fault test does to the broker. Absent where the broker isn't ours (`origin: 'environment'`). */
export interface BrokerHandle {
  /** Ends the broker as a power cut would (SIGKILL). Its data and its port stay reserved for `restart`. */
  kill(): Promise<void>
  /** Starts the broker again, same port, same data (killing it first if it runs); resolves when it serves requests. */
  restart(): Promise<void>
  /** Stops the broker's clock (SIGSTOP): connections stay open, nothing is answered. */
  pause(): Promise<void>
  resume(): Promise<void>
}

/** What a fault test does to the schema registry. */
export interface RegistryHandle {
  /** Ends the registry (SIGKILL). What was registered is kept for the next `start`. */
  stop(): Promise<void>
  /** Starts it again on the same port; with `empty: true` it has forgotten every schema and gives ids anew. */
  start(options?: { empty?: boolean }): Promise<void>
}

export interface Stack {
  /** `host:port`, at least one. */
  readonly brokers: string[]
  /** Base of the Confluent-compatible API: `${registryUrl}/subjects` answers. No slash at the end. */
  readonly registryUrl: string
  readonly origin: Origin
  /** Undefined when `origin` is `environment`. */
  readonly broker?: BrokerHandle
  /** Undefined when `origin` is `environment`. */
  readonly registry?: RegistryHandle
  /** Ends what this stack started and deletes its data. Safe to call twice. */
  stop(): Promise<void>
}

export interface StackOptions {
  /** Says what is being downloaded and started; nothing is said by default. */
  progress?: Progress
  /**
   * Kafka server properties on top of the defaults, e.g. `{'message.max.bytes': '2000000'}`.
   * Unused when broker and registry come from the environment.
   */
  brokerProperties?: Readonly<Record<string, string>>
  /** Ignore KAFKA_BROKERS and SCHEMA_REGISTRY_URL: fault tests need a broker that they may kill. */
  own?: boolean
}

/** No broker and registry can be had, or they did not start. The message is a sentence for people. */
export class StackError extends Error {
  override readonly name = 'StackError'
}
