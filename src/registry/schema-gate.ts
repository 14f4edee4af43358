/**
 * The gate between us and the schema registry: nothing is published before every kind of record has a schema id that
 * the registry confirmed, in this run or, while the registry is away, in an earlier one.
 *
 *   unknown ──answers──────────────────▶ confirmed   (never asked again in this run)
 *      └─away, ids remembered─▶ remembered ──answers, same meaning──▶ confirmed
 *                                   └───────answers, other meaning──▶ SCHEMA_REFUSED until a restart finds it mended
 *
 * While a gate is closed `ready` rejects and every call asks again.
 */
import type { Logger } from 'pino'
import type { Clock } from '../core/clock.js'
import { ConnectorError, hasCode, messageOf } from '../core/errors.js'
import { sameSchema } from './compatibility.js'
import type { RegistryClient } from './registry-client.js'
import type { IdKey, RememberedSchemaId, RememberedSchemaIds } from './remembered-schema-ids.js'
import { resolveWriterSchema, type WriterSchema } from './schema-resolution.js'
import { type EventSchema, type EventKind, EVENT_KINDS } from './schemas.js'

export interface Subject {
  readonly name: string
  readonly schema: EventSchema
}

export interface GateDeps {
  readonly api: RegistryClient
  /** Whether our schemas may be registered. */
  readonly register: boolean
  readonly subjects: Readonly<Record<EventKind, Subject>>
  readonly remembered: RememberedSchemaIds
  readonly clock: Clock
  readonly log: Logger
}

export type WriterSchemas = Readonly<Record<EventKind, WriterSchema>>

/** Milliseconds between two looks for a registry that is away, and what such a look may take. */
const LOOK_AGAIN = 5_000
const LOOK = 1_000

export class SchemaGate {
  readonly #deps: GateDeps
  #state: 'unknown' | 'remembered' | 'confirmed' = 'unknown'
  #writers: WriterSchemas | undefined
  #lookAgainAt = 0
  /** The registry has said no: what is remembered counts no more, even if it goes away again. */
  #barred = false

  constructor(deps: GateDeps) {
    this.#deps = deps
  }

  /** What to write with. Only there after `ready` has resolved once. */
  get writers(): WriterSchemas {
    if (!this.#writers) throw new Error('encode was called before ready() resolved')
    return this.#writers
  }

  /** Whether the registry itself has confirmed the ids in this run. */
  get confirmed(): boolean {
    return this.#state === 'confirmed'
  }

  /** @throws ConnectorError SCHEMA_REFUSED, REGISTRY_UNREACHABLE, REGISTRY_REFUSED, SCHEMA_IDS_CHANGED */
  async ready(): Promise<void> {
    if (this.#state === 'confirmed') return
    if (this.#state === 'remembered' && this.#deps.clock.monotonic() < this.#lookAgainAt) return
    try {
      if (this.#state === 'remembered') await this.#assertMeaningUnchanged()
      await this.#confirm()
    } catch (error) {
      if (hasCode(error, 'SCHEMA_REFUSED')) this.#barred = true
      if (this.#barred || !hasCode(error, 'REGISTRY_UNREACHABLE') || !this.#recall(error)) throw error
    }
  }

  async #confirm(): Promise<void> {
    const { api, subjects, register, log } = this.#deps
    const before = this.#writers
    const writers = {} as Record<EventKind, WriterSchema>
    for (const kind of EVENT_KINDS) {
      writers[kind] = await resolveWriterSchema(api, subjects[kind].name, subjects[kind].schema, register)
    }
    this.#writers = writers
    this.#state = 'confirmed'
    await this.#remember(writers)
    log.info({ ids: describe(this.#deps.subjects, writers) }, 'the schema registry has confirmed our schemas')
    const changed = before && EVENT_KINDS.filter((kind) => before[kind].id !== writers[kind].id)
    if (changed && changed.length > 0) {
      // Records that are already encoded carry the old ids: the rejection makes the caller encode them again.
      throw new ConnectorError(
        'SCHEMA_IDS_CHANGED',
        `the registry at ${api.url} no longer knows the schema ids that were remembered and has given new ones ` +
          `(${describe(this.#deps.subjects, writers)}); records that were prepared with the old ones are made again`,
      )
    }
  }

  /** Ids that were used while the registry was away must still mean what we wrote with them. */
  async #assertMeaningUnchanged(): Promise<void> {
    const { api, subjects, remembered } = this.#deps
    for (const kind of EVENT_KINDS) {
      const { id, schema } = this.writers[kind]
      const there = await api.schemaOf(id, LOOK)
      if (there === undefined || sameSchema(there, schema)) continue
      throw new ConnectorError(
        'SCHEMA_REFUSED',
        `schema id ${id}, remembered for subject ${subjects[kind].name}, stands for another schema in the registry at ` +
          `${api.url}: is it the registry that the topics were written with? Put the right one back; or, if this one is ` +
          `to be used from now on, delete ${remembered.path} and restart`,
      )
    }
  }

  /** @returns whether every id is known from an earlier run */
  #recall(error: unknown): boolean {
    const { clock, log, remembered } = this.#deps
    this.#lookAgainAt = clock.monotonic() + LOOK_AGAIN
    if (this.#state === 'remembered') return true
    const writers = {} as Record<EventKind, WriterSchema>
    for (const kind of EVENT_KINDS) {
      const found = remembered.get(this.#key(kind))
      if (!found) return false
      writers[kind] = { id: found.id, schema: found.schema ?? this.#deps.subjects[kind].schema.text }
    }
    this.#writers = writers
    this.#state = 'remembered'
    log.warn(
      { error: messageOf(error), ids: describe(this.#deps.subjects, writers) },
      'the schema registry is away: publishing with remembered ids',
    )
    return true
  }

  async #remember(writers: WriterSchemas): Promise<void> {
    const { log, remembered, subjects } = this.#deps
    const entries = EVENT_KINDS.map((kind): [IdKey, RememberedSchemaId] => {
      const { id, schema } = writers[kind]
      return [this.#key(kind), schema === subjects[kind].schema.text ? { id } : { id, schema }]
    })
    try {
      await remembered.set(entries)
    } catch (error) {
      log.warn(
        { error: messageOf(error), path: remembered.path },
        'schema ids could not be written down: a start without the registry would wait for it',
      )
    }
  }

  #key(kind: EventKind): IdKey {
    const { name, schema } = this.#deps.subjects[kind]
    return { url: this.#deps.api.url, subject: name, fingerprint: schema.fingerprint }
  }
}

const describe = (subjects: GateDeps['subjects'], writers: WriterSchemas): string =>
  EVENT_KINDS.map((kind) => `${subjects[kind].name}=${writers[kind].id}`).join(', ')
