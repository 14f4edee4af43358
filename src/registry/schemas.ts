/**
 * The Avro schemas of the published records. They are in `schemas/*.avsc`, a folder beside both `src` and `dist`. Every
 * version that was ever published stays in `schemas/history/<name>.v<number>.avsc`.
 */
import { hash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import avro from 'avsc'
import type { Event } from '../core/event.js'

export type EventKind = Event['kind']

export interface EventSchema {
  readonly kind: EventKind
  /** Full name, for example `sms.events.DeliveryReceipt`. */
  readonly name: string
  /** Compact JSON with docs, as it is registered. */
  readonly text: string
  readonly type: avro.Type
  /** SHA-256 of the text in hexadecimal. */
  readonly fingerprint: string
  /** The texts of the published versions, oldest first. */
  readonly publishedVersions: readonly string[]
}

/** A subject of the registry, and our schema for it. */
export interface Subject {
  readonly name: string
  readonly schema: EventSchema
}

const FILE_NAMES: Readonly<Record<EventKind, string>> = {
  dlr: 'delivery-receipt',
  mo: 'inbound-message',
  'dead-letter': 'dead-letter',
}

export const EVENT_KINDS = Object.keys(FILE_NAMES) as EventKind[]

/** The path is relative to this module, so that the files are found from any working directory. */
const DIRECTORY = new URL('../../schemas/', import.meta.url)
const HISTORY = new URL('history/', DIRECTORY)

const loadSchema = (kind: EventKind): EventSchema => {
  const text = readSchema(new URL(`${FILE_NAMES[kind]}.avsc`, DIRECTORY))
  const type = parseSchema(text)
  return { kind, name: type.name!, text, type, fingerprint: hash('sha256', text), publishedVersions: readHistory(kind) }
}

const readSchema = (file: URL): string => JSON.stringify(JSON.parse(readFileSync(file, 'utf8')))

const readHistory = (kind: EventKind): string[] => {
  const pattern = new RegExp(`^${FILE_NAMES[kind]}\\.v(\\d+)\\.avsc$`)
  return readdirSync(HISTORY)
    .flatMap((file) => {
      const [, version] = pattern.exec(file) ?? []
      return version === undefined ? [] : [{ version: Number(version), file }]
    })
    .sort((one, other) => one.version - other.version)
    .map(({ file }) => readSchema(new URL(file, HISTORY)))
}

/** Creates a record with one value for each kind of event. */
export const forEachKind = <T>(create: (kind: EventKind) => T): Readonly<Record<EventKind, T>> =>
  Object.fromEntries(EVENT_KINDS.map((kind) => [kind, create(kind)])) as Record<EventKind, T>

export const loadSchemas = (): Readonly<Record<EventKind, EventSchema>> => forEachKind(loadSchema)

/** Parses the JSON text of a schema. Values of logical types are plain numbers. @throws Error if it is not Avro */
export const parseSchema = (text: string): avro.Type => avro.Type.forSchema(JSON.parse(text) as avro.Schema)

export const isUnion = (type: avro.Type): type is avro.types.UnwrappedUnionType => type.typeName.startsWith('union:')

export type SubjectNaming = 'topic-name' | 'record-name' | 'topic-record-name'

export interface SubjectNames {
  readonly subjectNaming: SubjectNaming
  /** The context that the subjects are in; undefined for the default context. */
  readonly context?: string | undefined
}

/** Names the subject of a schema by one of Confluent's three subject name strategies, in a context. */
export const subjectOf = ({ subjectNaming, context }: SubjectNames, topic: string, schema: EventSchema): string =>
  `${context === undefined ? '' : contextPrefix(context)}${nameInContext(subjectNaming, topic, schema)}`

/** The prefix of the names of the subjects in a context, which also stands for the context as a whole. */
export const contextPrefix = (context: string): string => `:.${context}:`

const nameInContext = (naming: SubjectNaming, topic: string, schema: EventSchema): string => {
  switch (naming) {
    case 'topic-name':
      return `${topic}-value`
    case 'record-name':
      return schema.name
    case 'topic-record-name':
      return `${topic}-${schema.name}`
  }
}
