/** The configuration as the program uses it: substituted, checked and read-only. Durations are in ms, sizes in bytes. */
import type * as z from 'zod'
import type { ProxySettings } from '../http-client/settings.js'
import type { DeepReadonly } from '../core/deep-readonly.js'
import type { schema } from './schema.js'

type ParsedSchema = DeepReadonly<z.output<typeof schema>>

/** `.describe()` in the schema, and so `config/connector.schema.json`, says what each key means. */
export type Config = Omit<ParsedSchema, 'instance' | 'proxy'> & {
  readonly instance: string
  /** The proxies of the configuration or of the environment. Absent if there are none. */
  readonly proxy?: ProxySettings
}

export type CallbacksConfig = Config['callbacks']

/** `name` is the key under `sources`. */
export type SourceConfig = Config['sources'] extends ReadonlyMap<string, infer S> ? S : never
export type PullConfig = NonNullable<SourceConfig['pull']>
export type CallbackConfig = NonNullable<SourceConfig['callback']>
export type ReconcileConfig = NonNullable<SourceConfig['reconcile']>
