/** The gate before a real registry. */
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SchemaRegistry } from '@kafkajs/confluent-schema-registry'
import pino from 'pino'
import { request } from 'undici'
import { describe, expect, inject, it, onTestFinished } from 'vitest'
import { systemClock } from '../../src/core/clock.js'
import { AvroEncoder } from '../../src/encode/avro-encoder.js'
import { RegistryClient } from '../../src/registry/registry-client.js'
import { SchemaGate, type Subject } from '../../src/registry/schema-gate.js'
import { RememberedSchemaIds } from '../../src/registry/remembered-schema-ids.js'
import { type EventKind, EVENT_KINDS, loadSchemas, subjectOf } from '../../src/registry/schemas.js'
import { maxRecordBytes, recordBytes } from '../../src/kafka/record-size.js'
import { receipt } from '../support/events.js'

interface Answer {
  readonly status: number
  readonly body: Record<string, unknown>
}

const call = async (method: 'GET' | 'POST' | 'PUT', path: string, body?: object): Promise<Answer> => {
  const answer = await request(`${inject('registryUrl')}${path}`, {
    method,
    headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
    body: body ? JSON.stringify(body) : null,
  })
  return { status: answer.statusCode, body: (await answer.body.json()) as Record<string, unknown> }
}

const schemas = loadSchemas()
const EARLIER = JSON.stringify({
  type: 'record',
  name: 'DeliveryReceipt',
  namespace: 'sms.events',
  fields: [{ name: 'eventId', type: 'string' }],
})
/** What a subject says of itself, that we must leave alone. */
const configuration = (subject: string): Promise<Answer> => call('GET', `/config/${subject}`)

const setUp = (register = true) => {
  const name = randomUUID()
  const topics: Readonly<Record<EventKind, string>> = {
    dlr: `${name}.dlr`,
    mo: `${name}.mo`,
    'dead-letter': `${name}.dead-letter`,
  }
  const subjects = Object.fromEntries(
    EVENT_KINDS.map((kind) => [
      kind,
      { name: subjectOf('topic-name', topics[kind], schemas[kind]), schema: schemas[kind] },
    ]),
  ) as Record<EventKind, Subject>
  const directory = mkdtempSync(join(tmpdir(), 'registry-'))
  const api = new RegistryClient({ url: inject('registryUrl') })
  onTestFinished(async () => {
    await api.close()
    rmSync(directory, { recursive: true })
  })
  const remembered = new RememberedSchemaIds(directory)
  const gate = new SchemaGate({
    api,
    register,
    subjects,
    remembered,
    clock: systemClock,
    log: pino({ level: 'silent' }),
  })
  return { gate, topics, subject: subjects.dlr.name }
}

describe('with a real registry', () => {
  it('registers schemas that others can read by id', async () => {
    const { gate, topics } = setUp()
    const encoder = new AvroEncoder({ gate, topics, maxRecordBytes: maxRecordBytes(900 * 1024), recordBytes })
    await encoder.ready()
    const event = receipt()
    const facts = { method: 'GET', path: '/', query: '' }
    const { records } = await encoder.encode(event, { body: Buffer.alloc(0), facts })
    const [record] = records
    const reader = new SchemaRegistry({ host: inject('registryUrl') })
    const { kind, ...fields } = event
    expect(kind).toBe('dlr')
    expect({ ...((await reader.decode(record!.value)) as object) }).toEqual(fields)
  })

  it('leaves a new subject without a configuration of its own', async () => {
    const { gate, subject } = setUp()
    await gate.ready()
    const untouched = `${subject}-untouched`
    await call('POST', `/subjects/${untouched}/versions`, { schema: EARLIER })
    expect(await configuration(subject)).toEqual(await configuration(untouched))
  })

  it.each(['FULL_TRANSITIVE', 'BACKWARD', 'NONE'])(
    'registers under a subject at %s, and leaves it at that',
    async (level) => {
      const { gate, subject } = setUp()
      const earlier = JSON.parse(schemas.dlr.text) as { fields: { name: string }[] }
      // What an earlier release might have had: one field less, which has a default now.
      earlier.fields = earlier.fields.filter(({ name }) => name !== 'errorCode')
      await call('POST', `/subjects/${subject}/versions`, { schema: JSON.stringify(earlier) })
      await call('PUT', `/config/${subject}`, { compatibility: level })
      await gate.ready()
      expect((await configuration(subject)).body).toEqual({ compatibilityLevel: level })
      expect((await call('GET', `/subjects/${subject}/versions`)).body).toEqual([1, 2])
    },
  )

  it('is refused with a reason where the subject forbids it, and registers nothing', async () => {
    const { gate, subject } = setUp()
    await call('POST', `/subjects/${subject}/versions`, { schema: EARLIER })
    await call('PUT', `/config/${subject}`, { compatibility: 'BACKWARD' })
    const refused = gate.ready()
    await expect(refused).rejects.toMatchObject({ code: 'SCHEMA_REFUSED' })
    await expect(refused).rejects.toThrow(new RegExp(`${subject} \\(level BACKWARD\\): .+\\. Give it another topic`))
    expect((await call('GET', `/subjects/${subject}/versions`)).body).toEqual([1])
    await call('PUT', `/config/${subject}`, { compatibility: 'NONE' })
    await gate.ready()
  })

  it('finds what is registered without the right to register', async () => {
    const { gate, subject } = setUp(false)
    await expect(gate.ready()).rejects.toThrow(
      `${subject} holds no schema that sms.events.DeliveryReceipt can be written with`,
    )
  })

  it('is told from a server that is none, and from a wrong path of its own', async () => {
    for (const path of ['', '/apis/nonsense']) {
      const api = new RegistryClient({ url: `${new URL(inject('registryUrl')).origin}${path}` })
      onTestFinished(() => api.close())
      if (inject('registryUrl') !== api.url) {
        await expect(api.lookup('any', '"string"')).rejects.toMatchObject({ code: 'REGISTRY_REFUSED' })
      }
    }
  })
})
