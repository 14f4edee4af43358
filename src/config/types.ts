/** The configuration as the program works with it: resolved, checked, read-only. Durations in ms, sizes in bytes. */
import type * as z from 'zod'
import type { schema } from './schema.js'

type Deep<T> =
  T extends ReadonlyMap<infer K, infer V>
    ? ReadonlyMap<K, Deep<V>>
    : T extends readonly (infer E)[]
      ? readonly Deep<E>[]
      : T extends object
        ? { readonly [P in keyof T]: Deep<T[P]> }
        : T

type Written = Deep<z.output<typeof schema>>

/** What each key means is told by `.describe()` in the schema, and by `config/connector.schema.json`. */
export type Config = Omit<Written, 'instance'> & { readonly instance: string }

export type KafkaConfig = Config['kafka']
export type KafkaTls = NonNullable<KafkaConfig['tls']>
export type KafkaSasl = NonNullable<KafkaConfig['sasl']>
export type RegistryConfig = Config['registry']
export type JournalConfig = Config['journal']
export type CallbacksConfig = Config['callbacks']
export type AdminConfig = Config['admin']
export type SharingConfig = NonNullable<Config['sharing']>
export type DuplicatesConfig = Config['duplicates']
export type LogConfig = Config['log']

/** Its `name` is its key under `sources`. */
export type SourceConfig = Config['sources'] extends ReadonlyMap<string, infer S> ? S : never
export type PullConfig = NonNullable<SourceConfig['pull']>
export type CallbackConfig = NonNullable<SourceConfig['callback']>
export type ReconcileConfig = NonNullable<SourceConfig['reconcile']>
