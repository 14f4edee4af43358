/**
 * Lets records be published only when each kind of record has a schema id that the registry has confirmed, in this run
 * or, while the registry is unreachable, in an earlier run.
 *
 *   unknown ──registry answers──────────────────────▶ confirmed   (not asked again in this run)
 *      └─unreachable, ids remembered─▶ remembered ──answers, same schemas──▶ confirmed
 *                                          └────────answers, other schemas─▶ SCHEMA_REFUSED until a restart succeeds
 *
 * While the gate is closed, `ready` rejects, and each call asks the registry again.
 */
import type { Clock } from '../core/clock.js'
import { ConnectorError, hasCode, messageOf } from '../core/errors.js'
import type { Log } from '../core/log.js'
import { OutageLog } from '../core/outage-log.js'
import { isSameSchema } from './compatibility.js'
import type { RegistryClient } from './registry-client.js'
import type { RememberedSchemaId, RememberedSchemaIds } from './remembered-schema-ids.js'
import { type EventKind, EVENT_KINDS, type Subject } from './schemas.js'
import { resolveWriterSchema, type WriterSchema } from './writer-schema.js'

export interface SchemaGateDeps {
  readonly client: RegistryClient
  /** Whether our schemas may be registered. */
  readonly register: boolean
  readonly subjects: Readonly<Record<EventKind, Subject>>
  readonly rememberedIds: RememberedSchemaIds
  readonly clock: Clock
  readonly log: Log
}

export type WriterSchemas = Readonly<Record<EventKind, WriterSchema>>

/** Time between two attempts to reach a registry while remembered ids are used. */
const RECHECK_INTERVAL_MS = 5_000
/** The timeout of a request in such an attempt. */
const RECHECK_TIMEOUT_MS = 1_000

export class SchemaGate {
  readonly #deps: SchemaGateDeps
  readonly #outages: OutageLog
  #state: 'unknown' | 'remembered' | 'confirmed' = 'unknown'
  #writerSchemas: WriterSchemas | undefined
  #warnings: readonly string[] = []
  #recheckAt = 0
  /** Once the registry has refused a schema, remembered ids are not used even if the registry becomes unreachable. */
  #isRefused = false

  constructor(deps: SchemaGateDeps) {
    this.#deps = deps
    this.#outages = new OutageLog(
      {
        failureEvent: 'registry-unreachable',
        recoveryEvent: 'registry-recovered',
        formatFailure: () => 'the schema registry is unreachable: publishing with remembered schema ids',
        recovery: 'the schema registry is reachable again',
      },
      deps,
    )
  }

  /** The schemas to write with. Available once `ready` has resolved. */
  get writerSchemas(): WriterSchemas {
    if (!this.#writerSchemas) throw new Error('writerSchemas was read before ready() resolved')
    return this.#writerSchemas
  }

  /** Whether the registry has confirmed the ids in this run. */
  get isConfirmed(): boolean {
    return this.#state === 'confirmed'
  }

  /** Sentences on what consumers can't read although the registry permits it. They are complete once it has confirmed. */
  get warnings(): readonly string[] {
    return this.#warnings
  }

  /**
   * Resolves when records may be published with `writerSchemas`.
   * @throws ConnectorError SCHEMA_REFUSED, REGISTRY_UNREACHABLE, REGISTRY_REFUSED: publishing must wait;
   *   SCHEMA_IDS_CHANGED: records that are encoded already must be encoded again
   */
  async ready(): Promise<void> {
    if (this.#state === 'confirmed') return
    if (this.#state === 'remembered' && this.#deps.clock.monotonic() < this.#recheckAt) return
    try {
      if (this.#state === 'remembered') await this.#assertRememberedIdsUnchanged()
      await this.#confirm()
    } catch (error) {
      if (hasCode(error, 'SCHEMA_REFUSED')) this.#isRefused = true
      if (this.#isRefused || !hasCode(error, 'REGISTRY_UNREACHABLE') || !this.#useRememberedIds(error)) throw error
    }
  }

  async #confirm(): Promise<void> {
    const { client, subjects, register, log } = this.#deps
    const previous = this.#writerSchemas
    const current = {} as Record<EventKind, WriterSchema>
    const allWarnings: string[] = []
    for (const kind of EVENT_KINDS) {
      const { warnings, ...writer } = await resolveWriterSchema(client, subjects[kind], register)
      current[kind] = writer
      allWarnings.push(...warnings)
    }
    this.#writerSchemas = current
    this.#warnings = allWarnings
    this.#state = 'confirmed'
    this.#outages.recovered()
    await this.#rememberIds(current)
    const ids = this.#formatIds(current)
    log.info({ event: 'schemas-confirmed', ids }, 'the schema registry has confirmed the schemas')
    for (const warning of allWarnings) log.warn({ event: 'schema-warning' }, warning)
    const isChanged = previous && EVENT_KINDS.some((kind) => previous[kind].id !== current[kind].id)
    if (isChanged) {
      // Records that are encoded already carry the old ids. This error makes the caller encode them again.
      throw new ConnectorError(
        'SCHEMA_IDS_CHANGED',
        `the registry at ${client.url} no longer knows the remembered schema ids and has given new ones (${ids}); ` +
          'records with the old ids are encoded again',
      )
    }
  }

  /** Records may have been written with remembered ids, so these must still stand for the same schemas. */
  async #assertRememberedIdsUnchanged(): Promise<void> {
    const { client, subjects, rememberedIds } = this.#deps
    for (const kind of EVENT_KINDS) {
      const { id, schema } = this.writerSchemas[kind]
      const registered = await client.getSchema(id, RECHECK_TIMEOUT_MS)
      if (registered === undefined || isSameSchema(registered, schema)) continue
      throw new ConnectorError(
        'SCHEMA_REFUSED',
        `schema id ${id}, remembered for subject ${subjects[kind].name}, stands for another schema in the registry at ` +
          `${client.url}. Check that it is the registry that the topics were written with, and restore that one; or, if ` +
          `this one is to be used from now on, delete ${rememberedIds.path} and restart`,
      )
    }
  }

  /** @returns whether an id is remembered for each kind of record */
  #useRememberedIds(error: unknown): boolean {
    const { client, clock, rememberedIds, subjects } = this.#deps
    this.#recheckAt = clock.monotonic() + RECHECK_INTERVAL_MS
    if (this.#state === 'remembered') {
      this.#reportUnreachable(error)
      return true
    }
    const remembered = {} as Record<EventKind, WriterSchema>
    for (const kind of EVENT_KINDS) {
      const found = rememberedIds.get(client.url, subjects[kind])
      if (!found) return false
      remembered[kind] = { id: found.id, schema: found.schema ?? subjects[kind].schema.text }
    }
    this.#writerSchemas = remembered
    this.#state = 'remembered'
    this.#reportUnreachable(error)
    return true
  }

  #reportUnreachable(error: unknown): void {
    const message = messageOf(error)
    this.#outages.failed(message, message, { error: message, ids: this.#formatIds(this.writerSchemas) })
  }

  async #rememberIds(writerSchemas: WriterSchemas): Promise<void> {
    const { client, log, rememberedIds, subjects } = this.#deps
    const entries = EVENT_KINDS.map((kind): [Subject, RememberedSchemaId] => {
      const { id, schema } = writerSchemas[kind]
      return [subjects[kind], schema === subjects[kind].schema.text ? { id } : { id, schema }]
    })
    try {
      await rememberedIds.set(client.url, entries)
    } catch (error) {
      log.warn(
        { event: 'schema-ids-not-saved', error: messageOf(error), path: rememberedIds.path },
        'schema ids could not be saved: after a restart, publishing waits until the registry is reachable',
      )
    }
  }

  #formatIds(writerSchemas: WriterSchemas): string {
    return EVENT_KINDS.map((kind) => `${this.#deps.subjects[kind].name}=${writerSchemas[kind].id}`).join(', ')
  }
}
