/** The schema gate and the encoder with the real registry of a test run, in subjects of their own. */
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import { request } from 'undici'
import { expect, inject, onTestFinished } from 'vitest'
import { systemClock } from '../../src/core/clock.js'
import { AvroEncoder } from '../../src/encode/avro-encoder.js'
import { maxEncodedBytes, maxRecordBytes } from '../../src/kafka/record-batch.js'
import { RegistryClient } from '../../src/registry/registry-client.js'
import { RememberedSchemaIds } from '../../src/registry/remembered-schema-ids.js'
import { SchemaGate } from '../../src/registry/schema-gate.js'
import { type EventKind, forEachKind, loadSchemas, subjectOf, type SubjectNames } from '../../src/registry/schemas.js'

export interface RegistryAnswer {
  readonly status: number
  readonly body: Record<string, unknown>
}

/** Calls the real registry as the owner of a subject does. The body of an answer without JSON is empty. */
export async function callRegistry(
  method: 'GET' | 'POST' | 'PUT',
  path: string,
  body?: object,
): Promise<RegistryAnswer> {
  const answer = await request(`${inject('registryUrl')}${path}`, {
    method,
    headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
    body: body ? JSON.stringify(body) : null,
  })
  const text = await answer.body.text()
  return { status: answer.statusCode, body: (text === '' ? {} : JSON.parse(text)) as Record<string, unknown> }
}

/** Registers a schema as the owner of the subject does. @returns its id */
export async function registerAsOwner(subject: string, schema: string): Promise<number> {
  const { status, body } = await callRegistry('POST', `/subjects/${subject}/versions`, { schema })
  expect(status, `${subject}: ${JSON.stringify(body)}`).toBe(200)
  return body['id'] as number
}

const schemas = loadSchemas()

export interface GateOptions extends Partial<SubjectNames> {
  readonly register?: boolean
}

/** Creates a gate for topics of its own. `restart` creates another one that has the same topics and remembered ids. */
export function createGate({ register = true, subjectNaming = 'topic-name', context }: GateOptions = {}) {
  const name = randomUUID()
  const topics: Readonly<Record<EventKind, string>> = {
    dlr: `${name}.dlr`,
    mo: `${name}.mo`,
    'dead-letter': `${name}.dead-letter`,
  }
  const subjects = forEachKind((kind) => ({
    name: subjectOf({ subjectNaming, context }, topics[kind], schemas[kind]),
    schema: schemas[kind],
  }))
  const directory = mkdtempSync(join(tmpdir(), 'registry-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const restart = (url = inject('registryUrl')): SchemaGate => {
    const client = new RegistryClient({ url, ...(context !== undefined && { context }) })
    onTestFinished(() => client.close())
    const log = pino({ level: 'silent' })
    const rememberedIds = new RememberedSchemaIds(directory)
    return new SchemaGate({ client, register, subjects, rememberedIds, clock: systemClock, log })
  }
  return { gate: restart(), restart, topics, subjects }
}

export const encoderOf = (gate: SchemaGate, topics: Readonly<Record<EventKind, string>>): AvroEncoder =>
  new AvroEncoder({
    gate,
    contents: { dlr: { raw: 'plain' }, mo: { raw: 'plain', text: 'plain' } },
    topics,
    maxRecordBytes: maxRecordBytes(900 * 1024),
    recordBytes: maxEncodedBytes,
  })
