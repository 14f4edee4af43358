/** Subjects that somebody else governs, in a real registry: names, schemas of others, modes, tags, and requests. */
import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { randomUUID } from 'node:crypto'
import { SchemaRegistry } from '@kafkajs/confluent-schema-registry'
import { describe, expect, inject, it, onTestFinished } from 'vitest'
import { runCommand } from '../../dev/connector/command.js'
import { startTrial, untilPublished } from '../../dev/trial.js'
import { EVENT_KINDS, loadSchemas, type SubjectNaming } from '../../src/registry/schemas.js'
import { receipt } from '../support/events.js'
import { callRegistry, createGate, encoderOf, registerAsOwner } from '../support/real-registry.js'

interface Field {
  name: string
  type: unknown
  default?: unknown
  doc?: string
}
interface RecordSchema {
  name: string
  namespace: string
  fields: Field[]
}

const schemas = loadSchemas()
const changed = (change: (schema: RecordSchema) => void, text = schemas.dlr.text): string => {
  const schema = JSON.parse(text) as RecordSchema
  change(schema)
  return JSON.stringify(schema)
}
const fieldOf = ({ fields }: RecordSchema, name: string): Field => fields.find((field) => field.name === name)!
const remove = (schema: RecordSchema, name: string): void => {
  schema.fields = schema.fields.filter((field) => field.name !== name)
}
const facts = { method: 'GET', path: '/', query: '' }
const origin = { body: Buffer.alloc(0), facts }

/** Creates a gate that registers nothing, in subjects that hold our schemas, and a version of the owner's for receipts. */
async function govern(...receiptSchemas: string[]) {
  const created = createGate({ register: false })
  const { subjects } = created
  for (const kind of ['mo', 'dead-letter'] as const) await registerAsOwner(subjects[kind].name, schemas[kind].text)
  const ids: number[] = []
  for (const schema of receiptSchemas) {
    ids.push(await registerAsOwner(subjects.dlr.name, schema))
    // Levels decide what the owner may register. This test is about what the connector does with it.
    await callRegistry('PUT', `/config/${subjects.dlr.name}`, { compatibility: 'NONE' })
  }
  return { ...created, ids }
}

/** Encodes a receipt, and decodes it as a consumer does that asks the registry. */
async function writeAndRead({ gate, topics }: Awaited<ReturnType<typeof govern>>) {
  const encoder = encoderOf(gate, topics)
  await encoder.ready()
  const { records } = encoder.encode(receipt(), origin)
  expect(records[0]!.topic).toBe(topics.dlr)
  const registry = new SchemaRegistry({ host: inject('registryUrl') })
  return { ...((await registry.decode(records[0]!.value)) as Record<string, unknown>) }
}
const FIELDS = receiptFields()

/** The fields of the record. The kind of an event is none of them. */
function receiptFields(): Record<string, unknown> & { readonly eventId: string } {
  const fields: Record<string, unknown> & { eventId: string } = { ...receipt() }
  delete fields['kind']
  return fields
}

describe('The connector with registry.register: false', () => {
  const addField = (schema: RecordSchema): number =>
    schema.fields.push({ name: 'tenant', type: ['null', 'string'], default: null })

  it.each<[string, string, object]>([
    [
      'a newer version with more optional fields',
      changed((schema) => {
        addField(schema)
        schema.fields.unshift({ name: 'kind', type: ['null', 'long'], default: null })
        schema.fields.push({ name: 'costCentre', type: 'string', default: 'none' })
      }),
      { tenant: null, kind: null, costCentre: 'none' },
    ],
    [
      'wider types and unions in another order',
      changed((schema) => {
        Object.assign(fieldOf(schema, 'messageId'), { type: ['null', 'string'], default: null })
        Object.assign(fieldOf(schema, 'segments'), { type: ['null', 'long'] })
        const recipient = fieldOf(schema, 'recipient')
        delete recipient.default
        recipient.type = ['string', 'null']
      }),
      {},
    ],
    ['fields in another order', changed(({ fields }) => fields.reverse()), {}],
    ['no docs and no tags', changed(({ fields }) => fields.forEach((field) => delete field.doc)), {}],
    ['another namespace', changed((schema) => (schema.namespace = 'com.example.messaging')), {}],
    [
      'another symbol of an enum',
      changed((schema) => (fieldOf(schema, 'via').type as { symbols: string[] }).symbols.push('STREAM')),
      {},
    ],
  ])('writes with the schema of the owner that has %s', async (_what, schema, more) => {
    const governed = await govern(schema)
    const read = await writeAndRead(governed)
    expect(read).toEqual({ ...FIELDS, ...more })
    expect(governed.gate.writerSchemas.dlr.id).toBe(governed.ids[0])
  })

  it('goes back to the newest version that loses nothing', async () => {
    const wrong = changed((schema) => (fieldOf(schema, 'final').type = 'string'))
    const governed = await govern(changed(addField), wrong)
    expect(await writeAndRead(governed)).toMatchObject({ eventId: FIELDS.eventId, tenant: null })
    expect(governed.gate.writerSchemas.dlr.id).toBe(governed.ids[0])
  })

  it('writes with the version of an earlier release, and names the fields that the records lack', async () => {
    const governed = await govern(schemas.dlr.publishedVersions[0]!)
    expect(await writeAndRead(governed)).not.toHaveProperty('clientReference')
    expect(governed.gate.warnings).toContainEqual(
      expect.stringMatching(/only an older schema: clientReference is missing .*\(FIELD_MISSING\)/),
    )
  })

  it.each<[string, (schema: RecordSchema) => void, string]>([
    ['lacks a field of every version', (schema) => remove(schema, 'status'), 'status is missing .* (FIELD_MISSING)'],
    [
      'demands a field that we do not have',
      ({ fields }) => fields.push({ name: 'tenant', type: 'string' }),
      'tenant is required .* (FIELD_REQUIRED)',
    ],
    ['has another type', (schema) => (fieldOf(schema, 'final').type = 'string'), 'final is string .* (TYPE_MISMATCH)'],
    [
      'has another unit of time',
      (schema) => (fieldOf(schema, 'receivedAt').type = { type: 'long', logicalType: 'timestamp-micros' }),
      'receivedAt is logical:timestamp-micros .* (TYPE_MISMATCH)',
    ],
    [
      'forbids null',
      (schema) => Object.assign(fieldOf(schema, 'sender'), { type: 'string', default: '' }),
      "sender can't hold null .* (MISSING_UNION_BRANCH)",
    ],
    [
      'lacks a symbol',
      (schema) => (fieldOf(schema, 'via').type as { symbols: string[] }).symbols.shift(),
      'via has no PULL .* (MISSING_ENUM_SYMBOLS)',
    ],
    ['is another record', (schema) => (schema.name = 'Receipt'), 'the record is named .* (NAME_MISMATCH)'],
  ])(
    'publishes nothing with a schema that %s, until its owner registers a better one',
    async (_what, change, reason) => {
      const governed = await govern(changed(change))
      const { gate, subjects } = governed
      const refused = gate.ready()
      await expect(refused).rejects.toMatchObject({ code: 'SCHEMA_REFUSED' })
      const [before, after] = reason.split('.*').map((part) => part.replace(/[()]/g, '\\$&'))
      await expect(refused).rejects.toThrow(new RegExp(`${subjects.dlr.name} .*version 1: .*${before}.*${after ?? ''}`))
      await registerAsOwner(subjects.dlr.name, schemas.dlr.text)
      expect(await writeAndRead(governed)).toMatchObject({ eventId: FIELDS.eventId })
    },
  )
})

describe('The names of subjects', () => {
  it.each<[SubjectNaming, string | undefined]>([
    ['topic-name', undefined],
    ['record-name', undefined],
    ['topic-record-name', undefined],
    ['topic-name', 'of-its-own'],
    ['record-name', 'of-its-own'],
    ['topic-record-name', 'of-its-own'],
  ])('by strategy %s and in context %s are those that the registry holds', async (subjectNaming, given) => {
    const context = given && `ctx-${randomUUID()}`
    const { gate, restart, subjects, topics } = createGate({ subjectNaming, context })
    await gate.ready()
    for (const kind of EVENT_KINDS) {
      const { name } = subjects[kind]
      expect(name.startsWith(context === undefined ? ':' : `:.${context}:`)).toBe(context !== undefined)
      const { body } = await callRegistry('POST', `/subjects/${name}`, { schema: schemas[kind].text })
      expect(body['id'], name).toBe(gate.writerSchemas[kind].id)
    }
    const again = restart()
    const encoder = encoderOf(again, topics)
    await encoder.ready()
    expect(again.writerSchemas).toEqual(gate.writerSchemas)
  })
})

describe('A connector with subjects in a context', () => {
  it('publishes records that tail decodes, also after a restart', async () => {
    const context = `ctx-${randomUUID()}`
    const stack = { brokers: inject('brokers'), registryUrl: inject('registryUrl') }
    const trial = await startTrial(stack, ({ registry }) => {
      Object.assign(registry, { context, subjectNaming: 'topic-record-name' })
    })
    onTestFinished(() => trial.stop())
    for (const id of ['in-context-1', 'in-context-2']) {
      await trial.connector.start()
      await trial.seven.send([{ kind: 'dlr', data: { msg_id: id, status: 'DELIVERED' } }])
      await untilPublished(trial)
      expect(await trial.connector.terminate()).toBe(0)
    }
    const { body } = await callRegistry(
      'GET',
      `/subjects/:.${context}:${trial.topics.dlr}-${schemas.dlr.name}/versions`,
    )
    expect(body).toEqual([1])
    const tail = ['tail', 'dlr', '--json', '--config', join(trial.folder, 'connector.yaml')]
    const { code, stdout } = await runCommand(tail, { cwd: trial.folder })
    expect(code).toBe(0)
    for (const id of ['in-context-1', 'in-context-2']) expect(stdout).toContain(`"messageId":"${id}"`)
  })
})

describe('A registry in READONLY mode', () => {
  it('answers lookups, and says who can register what is missing', async ({ skip }) => {
    const { gate, subjects, restart } = createGate()
    const setMode = (mode: string) => callRegistry('PUT', `/mode/${subjects.dlr.name}`, { mode })
    await registerAsOwner(subjects.dlr.name, schemas.dlr.publishedVersions[0]!)
    if ((await setMode('READONLY').catch(() => undefined))?.body['mode'] !== 'READONLY')
      skip('this registry has no modes')
    await expect(gate.ready()).rejects.toThrow(/READONLY|read-only.*Have its owner register the schema/)
    await setMode('READWRITE')
    await gate.ready()
    await setMode('READONLY')
    const again = restart()
    await again.ready()
    expect(again.writerSchemas).toEqual(gate.writerSchemas)
  })
})

describe('Tagged schemas', () => {
  it('are accepted with their tags, and looked up with the same id', async () => {
    const { gate, restart, subjects } = createGate()
    await gate.ready()
    const tagsIn = (text: string): number => text.split('"confluent:tags":["PII"]').length - 1
    for (const kind of EVENT_KINDS) {
      const { name, schema } = subjects[kind]
      const { body } = await callRegistry('GET', `/subjects/${name}/versions/latest`)
      expect(body['id']).toBe(gate.writerSchemas[kind].id)
      expect(tagsIn(body['schema'] as string), name).toBe(tagsIn(schema.text))
    }
    expect(tagsIn(schemas.mo.text)).toBeGreaterThan(1)
    const again = restart()
    await again.ready()
    expect(again.writerSchemas).toEqual(gate.writerSchemas)
  })
})

/** Counts the requests to the real registry, and can go away. */
async function startCountingProxy() {
  const target = inject('registryUrl')
  const { pathname } = new URL(target)
  const state = { count: 0, isAway: false }
  const server = createServer((request, response) => {
    state.count++
    if (state.isAway) return void response.destroy()
    const body: Buffer[] = []
    request.on('data', (chunk: Buffer) => body.push(chunk))
    request.on('end', () => {
      const headers = { 'content-type': 'application/vnd.schemaregistry.v1+json' }
      const init = { method: request.method!, headers, ...(body.length > 0 && { body: Buffer.concat(body) }) }
      fetch(`${new URL(target).origin}${request.url}`, init).then(
        async (answer) => response.writeHead(answer.status, headers).end(await answer.text()),
        () => response.destroy(),
      )
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  })
  const { port } = server.address() as AddressInfo
  return { state, url: `http://127.0.0.1:${port}${pathname.replace(/\/$/, '')}` }
}

describe('Requests to the registry', () => {
  it('are a handful for a subject at the start, none for a record, and none are needed for a restart', async () => {
    const { state, url } = await startCountingProxy()
    const { restart, topics } = createGate()
    const first = restart(url)
    await first.ready()
    expect(state.count).toBeLessThanOrEqual(EVENT_KINDS.length * 8)
    state.count = 0
    const second = restart(url)
    const encoder = encoderOf(second, topics)
    await encoder.ready()
    expect(state.count).toBe(EVENT_KINDS.length * 3)
    for (let record = 0; record < 1_000; record++) {
      await encoder.ready()
      expect(encoder.encode(receipt(), origin).records).toHaveLength(1)
    }
    expect(state.count).toBe(EVENT_KINDS.length * 3)
    state.isAway = true
    const third = restart(url)
    await third.ready()
    expect(third.isConfirmed).toBe(false)
    expect(third.writerSchemas).toEqual(second.writerSchemas)
  })
})
