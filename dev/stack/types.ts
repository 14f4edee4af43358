import type { Progress } from '../progress.js'

/** Where broker and registry come from. */
export type Origin = 'environment' | 'docker' | 'jvm'

/** What a test can do to the broker. */
export interface BrokerHandle {
  /** Ends the broker by SIGKILL. Its data and its port are kept for `restart`. */
  kill(): Promise<void>
  /** Starts the broker with the same port and data; kills it before if it runs. Resolves when it answers requests. */
  restart(): Promise<void>
  /** Stops the process (SIGSTOP): connections stay open, and nothing is answered. */
  pause(): Promise<void>
  resume(): Promise<void>
}

/** What a test can do to the schema registry. */
export interface RegistryHandle {
  /** Ends the registry by SIGKILL. Its schemas are kept for the next `start`. */
  stop(): Promise<void>
  /** Starts the registry on the same port. With `empty` it has no schemas, and assigns ids from the beginning. */
  start(options?: { empty?: boolean }): Promise<void>
}

export interface Stack {
  /** At least one address, as `host:port`. */
  readonly brokers: string[]
  /** Base of the API of Confluent's registry, without a slash at the end: `${registryUrl}/subjects` answers. */
  readonly registryUrl: string
  readonly origin: Origin
  /** Undefined when `origin` is `environment`. */
  readonly broker?: BrokerHandle
  /** Undefined when `origin` is `environment`. */
  readonly registry?: RegistryHandle
  /** Ends what was started and deletes its data. Safe to call twice. */
  stop(): Promise<void>
}

export interface StackOptions {
  /** Shows what is downloaded and started. Default: nothing is shown. */
  progress?: Progress
  /** More Kafka server properties. Ignored when broker and registry come from the environment. */
  brokerProperties?: Readonly<Record<string, string>>
  /** Ignores KAFKA_BROKERS and SCHEMA_REGISTRY_URL, so that the caller may kill what is started. */
  own?: boolean
}

/** Broker and registry are not available, or did not start. The message is for people. */
export class StackError extends Error {
  override readonly name = 'StackError'
}
