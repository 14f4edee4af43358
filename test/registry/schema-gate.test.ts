import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { RegistryClient, type RegistrySettings } from '../../src/registry/registry-client.js'
import { SchemaGate } from '../../src/registry/schema-gate.js'
import { RememberedSchemaIds } from '../../src/registry/remembered-schema-ids.js'
import { type EventKind, EVENT_KINDS, loadSchemas, type Subject, subjectOf } from '../../src/registry/schemas.js'
import { inspectWriterSchema } from '../../src/registry/writer-schema.js'
import { ManualClock } from '../support/manual-clock.js'
import { RegistryServer } from '../support/registry-server.js'
import { TOPICS } from '../encode/support.js'

const schemas = loadSchemas()
const subjects = Object.fromEntries(
  EVENT_KINDS.map((kind) => [
    kind,
    { name: subjectOf({ subjectNaming: 'topic-name' }, TOPICS[kind], schemas[kind]), schema: schemas[kind] },
  ]),
) as Record<EventKind, Subject>
const NAMES = Object.values(subjects).map(({ name }) => name)

let registry: RegistryServer
let directory: string
let clock: ManualClock
let clients: RegistryClient[]
let warnings: string[]

interface SchemaField {
  readonly name: string
  readonly type: unknown
  readonly default?: unknown
}

beforeEach(async () => {
  registry = await RegistryServer.start()
  directory = mkdtempSync(join(tmpdir(), 'registry-'))
  clock = new ManualClock()
  clients = []
  warnings = []
})
afterEach(async () => {
  for (const client of clients) await client.close()
  await registry.stop()
  rmSync(directory, { recursive: true })
})

const createClient = (settings: Partial<RegistrySettings> = {}): RegistryClient => {
  const client = new RegistryClient({ url: registry.url, ...settings })
  clients.push(client)
  return client
}

/** Creates a gate as a start of the program does. */
const createGate = (more: Partial<RegistrySettings & { register: boolean }> = {}): SchemaGate => {
  const { register = true, ...settings } = more
  const log = pino({ level: 'warn' }, { write: (line) => warnings.push((JSON.parse(line) as { msg: string }).msg) })
  const client = createClient(settings)
  return new SchemaGate({ client, register, subjects, rememberedIds: new RememberedSchemaIds(directory), clock, log })
}
const idsOf = ({ writerSchemas }: SchemaGate): number[] => EVENT_KINDS.map((kind) => writerSchemas[kind].id)

describe('SchemaGate', () => {
  it('registers missing schemas, and sends no request once they are confirmed', async () => {
    const first = createGate()
    await first.ready()
    expect(idsOf(first)).toEqual(NAMES.map((name) => registry.subjects.get(name)![0]))
    expect(NAMES.map((name) => registry.schemas.get(registry.subjects.get(name)![0]!))).toEqual(
      EVENT_KINDS.map((kind) => schemas[kind].text),
    )
    const requestCount = registry.requests.length
    registry.disconnect()
    await first.ready()
    expect(first.isConfirmed).toBe(true)
    expect(registry.requests).toHaveLength(requestCount)
  })

  it('only reads if every schema is registered already', async () => {
    for (const { name, schema } of Object.values(subjects)) registry.addVersion(name, schema.text)
    await createGate().ready()
    expect(registry.requests).toEqual(
      NAMES.flatMap((name, index) => [
        `POST /apis/ccompat/v7/subjects/${name}`,
        `GET /apis/ccompat/v7/schemas/ids/${index + 1}`,
        `GET /apis/ccompat/v7/subjects/${name}/versions/latest`,
      ]),
    )
  })

  it.each([
    ['looked up', true],
    ['registered', false],
  ])(
    'rejects while an id that was %s stands for another schema, and resolves once it stands for ours',
    async (_how, isRegistered) => {
      for (const { name, schema } of Object.values(subjects)) if (isRegistered) registry.addVersion(name, schema.text)
      const gate = createGate()
      registry.overrideAnswer = (_method, path) =>
        path.endsWith('/schemas/ids/2') ? { body: { schema: schemas.dlr.text } } : undefined
      const refused = gate.ready()
      await expect(refused).rejects.toMatchObject({ code: 'SCHEMA_REFUSED' })
      await expect(refused).rejects.toThrow(
        /gives schema id 2 for subject sms\.mo-value, and another schema for that id/,
      )
      expect(() => gate.writerSchemas).toThrow()
      expect(readdirSync(directory)).toEqual([])
      registry.overrideAnswer = () => undefined
      await gate.ready()
    },
  )

  it.each([
    ['registered', true],
    ['can be written', false],
  ])('makes inspectWriterSchema reject an id that stands for another schema (%s)', async (how, register) => {
    const { name, schema } = subjects.dlr
    const id = registry.addVersion(name, register ? schema.text : schema.text.replaceAll('timestamp-millis', 'no-unit'))
    const client = createClient()
    await expect(inspectWriterSchema(client, subjects.dlr, register)).resolves.toEqual({
      result: `${how} with id ${id}`,
      warnings: [],
      id,
      isTested: true,
    })
    registry.overrideAnswer = (_method, path) =>
      path.includes('/schemas/ids/') ? { body: { schema: schemas.mo.text } } : undefined
    await expect(inspectWriterSchema(client, subjects.dlr, register)).rejects.toMatchObject({ code: 'SCHEMA_REFUSED' })
  })

  it('rejects a schema that differs in a unit of time only', async () => {
    registry.overrideAnswer = (_method, path) =>
      path.endsWith('/schemas/ids/1')
        ? { body: { schema: schemas.dlr.text.replaceAll('timestamp-millis', 'timestamp-micros') } }
        : undefined
    await expect(createGate().ready()).rejects.toMatchObject({ code: 'SCHEMA_REFUSED' })
  })

  it.each([
    [403, { error_code: 40301, message: 'User is denied' }],
    [404, { error_code: 40403, message: 'Schema not found' }],
    [404, 'no such path'],
  ])('trusts a registry that does not return the schema of an id: %i %j', async (status, body) => {
    registry.overrideAnswer = (_method, path) => (path.includes('/schemas/ids/') ? { status, body } : undefined)
    const gate = createGate()
    await gate.ready()
    expect(gate.isConfirmed).toBe(true)
  })

  it('checks compatibility with the latest version, all versions or none, by the level of the subject', async () => {
    for (const [level, checked] of [
      ['BACKWARD', '/versions/latest?verbose=true'],
      ['FULL_TRANSITIVE', '/versions?verbose=true'],
      ['NONE', undefined],
    ] as const) {
      registry.subjects.clear()
      registry.requests.length = 0
      registry.level = level
      await createGate().ready()
      const checks = registry.requests.filter((each) => each.includes('/compatibility/'))
      expect(checks).toEqual(
        checked ? NAMES.map((name) => `POST /apis/ccompat/v7/compatibility/subjects/${name}${checked}`) : [],
      )
      expect(registry.requests.some((each) => each.startsWith('PUT'))).toBe(false)
    }
  })

  it('rejects with subject, level and reason while a schema is incompatible, and resolves afterwards', async () => {
    registry.level = 'FULL'
    registry.compatibility = { is_compatible: false, messages: ['READER_FIELD_MISSING_DEFAULT_VALUE: eventId'] }
    const gate = createGate()
    const refused = gate.ready()
    await expect(refused).rejects.toMatchObject({ code: 'SCHEMA_REFUSED' })
    await expect(refused).rejects.toThrow(
      /DeliveryReceipt.*sms\.dlr-value.*FULL.*READER_FIELD_MISSING_DEFAULT_VALUE: eventId/,
    )
    expect(registry.subjects.size).toBe(0)
    registry.compatibility = { is_compatible: true }
    await gate.ready()
  })

  it('finds the reason itself if the registry gives none', async () => {
    registry.addVersion(
      'sms.dlr-value',
      JSON.stringify({ type: 'record', name: 'DeliveryReceipt', namespace: 'sms.events', fields: [] }),
    )
    registry.compatibility = { is_compatible: false }
    await expect(createGate().ready()).rejects.toThrow(/version 1: .*unreadable.*eventId/)
  })

  it('names field and rule itself where the registry names only the field', async () => {
    const { fields, ...record } = JSON.parse(subjects.dlr.schema.text) as { fields: SchemaField[] }
    const retyped = fields.map((field) => (field.name === 'final' ? { ...field, type: 'string' } : field))
    registry.addVersion('sms.dlr-value', JSON.stringify({ ...record, fields: retyped }))
    registry.compatibility = { is_compatible: false, messages: ['final'] }
    await expect(createGate().ready()).rejects.toThrow(/version 1: .*field final: .*\(TYPE_MISMATCH\)/)
  })

  it.each([
    // Confluent's source, AbstractSchemaRegistry.java of 2026-08; Redpanda's, pandaproxy/schema_registry/errors.h of 24.3;
    // and the answer of a running AxonOps Schema Registry. Each comes with status 422.
    [{ error_code: 42205, message: 'Subject sms.dlr-value in context . is in read-only mode' }],
    [{ error_code: 42205, message: 'Subject sms.dlr-value is in read-only mode' }],
    [{ error_code: 42205, message: "Subject 'sms.dlr-value' is in READONLY mode" }],
  ])(
    'says who can register the schema where a mode forbids it, and looks schemas up nevertheless: %j',
    async (body) => {
      registry.overrideAnswer = (method, path) =>
        method === 'POST' && path.endsWith('/versions') && !path.includes('/compatibility/')
          ? { status: 422, body }
          : undefined
      const refused = createGate().ready()
      await expect(refused).rejects.toMatchObject({ code: 'SCHEMA_REFUSED' })
      await expect(refused).rejects.toThrow(body.message)
      await expect(refused).rejects.toThrow(/Have its owner register the schema .* or set the mode READWRITE/)
      for (const { name, schema } of Object.values(subjects)) registry.addVersion(name, schema.text)
      await createGate().ready()
    },
  )

  it.each([
    // The answers of a running Karapace 6.2.0 to a wrong password and to an account that may only read; Confluent's as in
    // vdesabou/kafka-docker-playground, issue 5693 and, of version 5.4, issue 1494; Redpanda's code as in pandaproxy/error.cc.
    ['a wrong password (Karapace)', 401, { message: 'Unauthorized' }, /401: Unauthorized; check registry\.auth/],
    [
      'no right to write (Karapace)',
      404,
      { error_code: 40401, message: "Subject 'sms.dlr-value' not found." },
      /404 as if there were no such subject.*the rights of this account/,
    ],
    [
      'no right to write (Confluent)',
      403,
      { error_code: 40301, message: 'User is denied operation Write on Subject: sms.dlr-value' },
      /User is denied operation Write.*the rights of this account/,
    ],
    [
      'no right to write (Confluent 5.4)',
      404,
      { error_code: 40403, message: 'User is denied operation Write on Subject: sms.dlr-value' },
      /404 as if there were no such subject.*the rights of this account/,
    ],
    [
      'no right to write (Redpanda)',
      403,
      { error_code: 403, message: 'HTTP 403 Forbidden' },
      /the rights of this account/,
    ],
  ])('names the account where a registration is answered for %s', async (_what, status, body, message) => {
    registry.overrideAnswer = (method, path) =>
      method === 'POST' && path.endsWith('/sms.dlr-value/versions') && !path.includes('/compatibility/')
        ? { status, body }
        : undefined
    const refused = createGate().ready()
    await expect(refused).rejects.toMatchObject({ code: 'REGISTRY_REFUSED' })
    await expect(refused).rejects.toThrow(message)
  })

  it('looks up, registers and asks for ids in the context of its subjects, with colons as they are', async () => {
    const inContext = (kind: EventKind): Subject => ({ ...subjects[kind], name: `:.team:${subjects[kind].name}` })
    const gate = new SchemaGate({
      client: createClient({ context: 'team' }),
      register: true,
      subjects: { dlr: inContext('dlr'), mo: inContext('mo'), 'dead-letter': inContext('dead-letter') },
      rememberedIds: new RememberedSchemaIds(directory),
      clock,
      log: pino({ level: 'silent' }),
    })
    await gate.ready()
    expect([...registry.subjects.keys()]).toEqual(NAMES.map((name) => `:.team:${name}`))
    const ofReceipts = registry.requests.filter((each) => each.includes('sms.dlr-value') || each.includes('/ids/1'))
    expect(ofReceipts).toEqual([
      'POST /apis/ccompat/v7/subjects/:.team:sms.dlr-value',
      'GET /apis/ccompat/v7/config/:.team:sms.dlr-value?defaultToGlobal=true',
      'POST /apis/ccompat/v7/compatibility/subjects/:.team:sms.dlr-value/versions/latest?verbose=true',
      'GET /apis/ccompat/v7/subjects/:.team:sms.dlr-value/versions/latest',
      'POST /apis/ccompat/v7/subjects/:.team:sms.dlr-value/versions',
      'GET /apis/ccompat/v7/schemas/ids/1?subject=%3A.team%3A',
    ])
  })

  it.each<[string, number, unknown, string, RegExp]>([
    [
      'refused credentials',
      401,
      { error_code: 401, message: 'Unauthorized' },
      'REGISTRY_REFUSED',
      /401: Unauthorized.*registry\.auth/,
    ],
    [
      'a forbidden subject',
      403,
      { error_code: 40301, message: 'User is denied' },
      'REGISTRY_REFUSED',
      /User is denied/,
    ],
    [
      'an internal error of the registry',
      500,
      { error_code: 50001, message: 'Error in the backend' },
      'REGISTRY_UNREACHABLE',
      /Error in the backend/,
    ],
    ['a proxy without a registry behind it', 503, '<html>', 'REGISTRY_UNREACHABLE', /503/],
    ['a page of another server', 200, '<html>', 'REGISTRY_REFUSED', /no JSON.*registry\.url/],
    ['a wrong path', 404, { message: 'Not Found' }, 'REGISTRY_REFUSED', /404.*its path included/],
    ['a redirect', 302, '', 'REGISTRY_REFUSED', /302/],
    [
      'a schema refused on registering',
      409,
      { error_code: 409, message: 'Incompatible artifact' },
      'SCHEMA_REFUSED',
      /Incompatible artifact/,
    ],
    ['an answer without an id', 200, {}, 'REGISTRY_REFUSED', /no number "id"/],
    [
      'an id that no record can carry',
      200,
      { id: 2 ** 31 },
      'REGISTRY_REFUSED',
      /schema id 2147483648, which no record/,
    ],
    ['a negative id', 200, { id: -1 }, 'REGISTRY_REFUSED', /schema id -1, which no record/],
    ['a fractional id', 200, { id: 1.5 }, 'REGISTRY_REFUSED', /schema id 1.5, which no record/],
    ['an answer that is too long', 200, ' '.repeat(17 * 1024 * 1024), 'REGISTRY_REFUSED', /more than 16777216 bytes/],
  ])('reports %s with its own error code and reason', async (_what, status, body, code, message) => {
    registry.overrideAnswer = (method, path) =>
      method === 'POST' && path.includes('/subjects/') ? { status, body } : undefined
    const refused = createGate().ready()
    await expect(refused).rejects.toMatchObject({ code })
    await expect(refused).rejects.toThrow(message)
  })

  it('sends credentials from the settings or from the URL', async () => {
    const basic = `Basic ${Buffer.from('me:geheim ü').toString('base64')}`
    await createGate({ auth: { username: 'me', password: 'geheim ü' } }).ready()
    expect(new Set(registry.authorizations)).toEqual(new Set([basic]))
    registry.authorizations.length = 0
    await createGate({ auth: { token: 'abc' } }).ready()
    expect(new Set(registry.authorizations)).toEqual(new Set(['Bearer abc']))
    registry.authorizations.length = 0
    await createGate({ url: registry.url.replace('//', '//me:geheim%20%C3%BC@') }).ready()
    expect(new Set(registry.authorizations)).toEqual(new Set([basic]))
  })

  it('never puts credentials into a message, and accepts a trailing slash in the URL', async () => {
    const client = createClient({ url: 'http://me:secret@127.0.0.1:1/apis/ccompat/v7/' })
    expect(client.url).toBe('http://127.0.0.1:1/apis/ccompat/v7')
    await expect(client.findId('s', '{}')).rejects.not.toThrow('secret')
  })

  it('gives up a request that is not answered within the timeout', async () => {
    const client = createClient()
    registry.overrideAnswer = () => 'silence'
    await expect(client.getSchema(1, 50)).rejects.toMatchObject({ code: 'REGISTRY_UNREACHABLE' })
  })
})

describe('SchemaGate with a subject whose latest version does not fit', () => {
  const level = 'NONE'
  /** Another schema of the subject: one field has another type, and one more is required. */
  const theirs = JSON.stringify({
    type: 'record',
    name: 'DeliveryReceipt',
    namespace: 'sms.events',
    fields: [
      { name: 'eventId', type: 'long' },
      { name: 'tenant', type: 'string' },
    ],
  })
  const forConsumers =
    /sms\.dlr-value \(compatibility level NONE\): consumers that read with version \d, the latest, can't read the records that the connector writes: field eventId: string can't be read as long \(TYPE_MISMATCH\); field tenant is missing .*READER_FIELD_MISSING_DEFAULT_VALUE/
  const forOlderRecords =
    /consumers that read with the connector's schema can't read records of version \d, the latest: field eventId: long can't be read as string \(TYPE_MISMATCH\); fields source, provider, .* are missing/

  const warningsOf = async (gate: SchemaGate): Promise<readonly string[]> => {
    await gate.ready()
    return gate.warnings
  }

  beforeEach(() => {
    registry.level = level
  })

  it('warns what consumers can not read, in the log and in the result of the check', async () => {
    registry.addVersion('sms.dlr-value', theirs)
    const inspected = await inspectWriterSchema(createClient(), subjects.dlr, true)
    expect(inspected.result).toBe('accepted without a test (level NONE): run will register it')
    expect(inspected.warnings).toEqual([expect.stringMatching(forConsumers), expect.stringMatching(forOlderRecords)])
    expect(await warningsOf(createGate())).toEqual(inspected.warnings)
    expect(warnings).toEqual(inspected.warnings)
    // From now on the latest version is the connector's own.
    expect(await warningsOf(createGate())).toEqual([])
  })

  it('warns when somebody has registered another version after the connector', async () => {
    await createGate().ready()
    registry.addVersion('sms.dlr-value', theirs)
    const found = await warningsOf(createGate())
    expect(found).toEqual([expect.stringMatching(forConsumers), expect.stringMatching(forOlderRecords)])
    expect((await inspectWriterSchema(createClient(), subjects.dlr, true)).warnings).toEqual(found)
  })

  it('warns of the latest version where an older one is written with (register: false)', async () => {
    for (const { name, schema } of Object.values(subjects)) registry.addVersion(name, schema.text)
    registry.addVersion('sms.dlr-value', theirs)
    expect(await warningsOf(createGate({ register: false }))).toEqual([
      expect.stringMatching(forConsumers),
      expect.stringMatching(forOlderRecords),
    ])
  })

  it('warns of the direction that the level leaves out', async () => {
    registry.level = 'BACKWARD'
    const schema = JSON.parse(schemas.dlr.text) as { fields: object[] }
    // The connector's schema reads these records. Consumers with this schema do not read the connector's.
    registry.addVersion(
      'sms.dlr-value',
      JSON.stringify({ ...schema, fields: [...schema.fields, { name: 'tenant', type: 'string' }] }),
    )
    expect(await warningsOf(createGate())).toEqual([
      expect.stringMatching(/level BACKWARD\): consumers that read with version 1, .*field tenant is missing/),
    ])
  })

  it('does not warn of a latest version that is compatible in both directions', async () => {
    const schema = JSON.parse(schemas.dlr.text) as { fields: object[] }
    const newer = { ...schema, fields: [...schema.fields, { name: 'tenant', type: 'string', default: '' }] }
    registry.addVersion('sms.dlr-value', JSON.stringify(newer))
    expect(await warningsOf(createGate())).toEqual([])
  })

  it('publishes without warnings if the latest version may not be read', async () => {
    registry.addVersion('sms.dlr-value', theirs)
    registry.overrideAnswer = (_method, path) =>
      path.includes('/versions/latest') ? { status: 403, body: { error_code: 40301, message: 'denied' } } : undefined
    expect(await warningsOf(createGate())).toEqual([])
  })
})

describe('SchemaGate with register: false', () => {
  it('uses the version that is our schema', async () => {
    for (const { name, schema } of Object.values(subjects)) registry.addVersion(name, schema.text)
    const gate = createGate({ register: false })
    await gate.ready()
    expect(idsOf(gate)).toEqual(NAMES.map((name) => registry.subjects.get(name)![0]))
  })

  it('uses our schema in the normal form of the registry, by one request more', async () => {
    const { name, schema } = subjects.dlr
    const { fields, ...record } = JSON.parse(schema.text) as { fields: SchemaField[] }
    const reordered = JSON.stringify({ fields, ...record })
    for (const each of [subjects.mo, subjects['dead-letter']]) registry.addVersion(each.name, each.schema.text)
    const id = registry.addVersion(name, reordered)
    registry.overrideAnswer = (_method, path) =>
      path.endsWith('/subjects/sms.dlr-value?normalize=true') ? { body: { subject: name, id, version: 1 } } : undefined
    const gate = createGate({ register: false })
    await gate.ready()
    expect(gate.writerSchemas.dlr).toEqual({ id, schema: reordered })
    expect(registry.requests.filter((each) => each.includes('sms.dlr-value') || each.endsWith(`/ids/${id}`))).toEqual([
      'POST /apis/ccompat/v7/subjects/sms.dlr-value',
      'POST /apis/ccompat/v7/subjects/sms.dlr-value?normalize=true',
      `GET /apis/ccompat/v7/schemas/ids/${id}`,
      'GET /apis/ccompat/v7/subjects/sms.dlr-value/versions/latest',
    ])
  })

  it('does not trust a normal form in which the registry takes another schema for ours', async () => {
    const micros = subjects.dlr.schema.text.replaceAll('timestamp-millis', 'timestamp-micros')
    const id = registry.addVersion('sms.dlr-value', micros)
    registry.overrideAnswer = (_method, path) =>
      path.endsWith('?normalize=true') ? { body: { subject: 'sms.dlr-value', id, version: 1 } } : undefined
    await expect(createGate({ register: false }).ready()).rejects.toThrow(/receivedAt is logical:timestamp-micros/)
  })

  it('uses the newest version that our events can be written with, and registers nothing', async () => {
    for (const { name, schema } of Object.values(subjects)) {
      registry.addVersion(name, JSON.stringify({ ...(JSON.parse(schema.text) as object), doc: 'older' }))
      registry.addVersion(name, JSON.stringify({ ...(JSON.parse(schema.text) as object), doc: 'newer' }))
      registry.addVersion(name, JSON.stringify({ ...(JSON.parse(schema.text) as object), fields: [] }))
    }
    const gate = createGate({ register: false })
    await gate.ready()
    expect(idsOf(gate)).toEqual(NAMES.map((name) => registry.subjects.get(name)![1]))
    expect(gate.writerSchemas.dlr.schema).toContain('newer')
    expect(registry.requests.some((each) => each.endsWith('/versions') && each.startsWith('POST'))).toBe(false)
  })

  it('goes on with the schema of an earlier release, and warns, until the new one is registered', async () => {
    for (const { name, schema } of Object.values(subjects)) registry.addVersion(name, schema.publishedVersions[0]!)
    const gate = createGate({ register: false })
    await gate.ready()
    expect(idsOf(gate)).toEqual(NAMES.map((name) => registry.subjects.get(name)![0]))
    expect(gate.writerSchemas.dlr.losses?.join()).toMatch(/clientReference is missing.*network is missing/)
    expect(gate.writerSchemas['dead-letter'].losses).toBeUndefined()
    expect(warnings).toEqual([
      expect.stringMatching(/older schema: clientReference is missing.*field raw\. Register/),
      expect.stringMatching(/older schema: part is missing/),
    ])
    await expect(inspectWriterSchema(createClient(), subjects.dlr, false)).resolves.toEqual({
      result: 'can be written with id 1',
      warnings: [expect.stringMatching(/older schema: clientReference is missing/)],
      id: 1,
      isTested: true,
    })
    registry.addVersion(subjects.dlr.name, subjects.dlr.schema.text)
    registry.addVersion(subjects.mo.name, subjects.mo.schema.text)
    const next = createGate({ register: false })
    await next.ready()
    expect(EVENT_KINDS.map((kind) => next.writerSchemas[kind].losses)).toEqual([undefined, undefined, undefined])
  })

  it.each<[string, (fields: SchemaField[]) => SchemaField[]]>([
    ['lacks a field of the first version', (fields) => fields.filter(({ name }) => name !== 'raw')],
    [
      'has a new field with another type',
      (fields) => [...fields, { name: 'price', type: ['null', 'string'], default: null }],
    ],
  ])('rejects an older schema that %s', async (_what, change) => {
    const first = JSON.parse(subjects.dlr.schema.publishedVersions[0]!) as { fields: SchemaField[] }
    registry.addVersion(subjects.dlr.name, JSON.stringify({ ...first, fields: change(first.fields) }))
    await expect(createGate({ register: false }).ready()).rejects.toMatchObject({ code: 'SCHEMA_REFUSED' })
  })

  it('rejects with the reason of each version if none can be used', async () => {
    await expect(createGate({ register: false }).ready()).rejects.toThrow(
      /sms\.dlr-value holds no schema.*there is no such subject/,
    )
    registry.addVersion(
      'sms.dlr-value',
      JSON.stringify({ type: 'record', name: 'sms.events.DeliveryReceipt', fields: [] }),
    )
    registry.addVersion('sms.dlr-value', 'no JSON')
    const refused = createGate({ register: false }).ready()
    await expect(refused).rejects.toMatchObject({ code: 'SCHEMA_REFUSED' })
    await expect(refused).rejects.toThrow(/version 2: its schema can't be read; version 1: eventId is missing/)
  })
})

describe('SchemaGate while the registry is unreachable', () => {
  const RECHECK_INTERVAL = 5_000

  it('rejects if no id is remembered', async () => {
    registry.disconnect()
    await expect(createGate().ready()).rejects.toMatchObject({ code: 'REGISTRY_UNREACHABLE' })
  })

  it('uses the ids of an earlier run, and confirms them when the registry is back', async () => {
    const before = createGate()
    await before.ready()
    registry.disconnect()
    const after = createGate()
    await after.ready()
    expect([idsOf(after), after.isConfirmed]).toEqual([idsOf(before), false])

    registry.reconnect()
    registry.requests.length = 0
    await after.ready()
    expect([registry.requests.length, after.isConfirmed]).toEqual([0, false]) // the registry is not asked in every call
    await clock.advance(RECHECK_INTERVAL)
    await after.ready()
    expect(after.isConfirmed).toBe(true)
  })

  it('does not use ids of another registry, subject or schema', async () => {
    await createGate().ready()
    const known = new RememberedSchemaIds(directory)
    const subject = { name: 'sms.dlr-value', schema: schemas.dlr }
    expect(known.get(registry.url, subject)).toEqual({ id: 1 })
    expect(known.get('http://other', subject)).toBeUndefined()
    expect(known.get(registry.url, { ...subject, name: 'other-value' })).toBeUndefined()
    expect(known.get(registry.url, { ...subject, schema: schemas.mo })).toBeUndefined()
  })

  it('uses a schema of another owner that was found in an earlier run', async () => {
    for (const { name, schema } of Object.values(subjects)) {
      registry.addVersion(name, JSON.stringify({ ...(JSON.parse(schema.text) as object), doc: 'theirs' }))
    }
    await createGate({ register: false }).ready()
    registry.disconnect()
    const after = createGate({ register: false })
    await after.ready()
    expect(after.writerSchemas.dlr.schema).toContain('theirs')
  })

  it('rejects for good once a remembered id stands for another schema, even if the registry becomes unreachable again', async () => {
    await createGate().ready()
    registry.disconnect()
    const after = createGate()
    await after.ready()
    registry.reset()
    registry.addVersion('somebody-elses', '"string"') // id 1
    registry.reconnect()
    await clock.advance(RECHECK_INTERVAL)
    const refused = after.ready()
    await expect(refused).rejects.toMatchObject({ code: 'SCHEMA_REFUSED' })
    await expect(refused).rejects.toThrow(/id 1.*sms\.dlr-value.*another schema.*schema-ids\.json/)
    expect([...registry.subjects.keys()]).toEqual(['somebody-elses'])
    registry.disconnect()
    await clock.advance(RECHECK_INTERVAL)
    await expect(after.ready()).rejects.toMatchObject({ code: 'REGISTRY_UNREACHABLE' })
  })

  it('registers again in a registry that has lost its data, and rejects once so that records are encoded again', async () => {
    await createGate().ready()
    registry.disconnect()
    const after = createGate()
    await after.ready()
    registry.reset()
    registry.nextId = 40
    registry.reconnect()
    await clock.advance(RECHECK_INTERVAL)
    await expect(after.ready()).rejects.toThrow(/sms\.dlr-value=40.*encoded again/)
    await after.ready()
    expect([idsOf(after), after.isConfirmed]).toEqual([[40, 41, 42], true])
    const later = createGate()
    await later.ready()
    expect(idsOf(later)).toEqual([40, 41, 42])
  })

  it('does not use remembered ids if the registry refuses the credentials', async () => {
    await createGate().ready()
    registry.overrideAnswer = () => ({ status: 401, body: { message: 'Unauthorized' } })
    await expect(createGate().ready()).rejects.toMatchObject({ code: 'REGISTRY_REFUSED' })
  })

  it('treats a corrupt file as empty and replaces it', async () => {
    const first = createGate()
    await first.ready()
    const { path } = new RememberedSchemaIds(directory)
    writeFileSync(path, readFileSync(path).subarray(0, 40))
    await createGate().ready()
    expect(JSON.parse(readFileSync(path, 'utf8'))).toBeTypeOf('object')
    expect(readdirSync(directory)).toEqual(['schema-ids.json'])
  })

  it('resolves even if ids can not be saved', async () => {
    rmSync(directory, { recursive: true })
    writeFileSync(directory, 'a file where the folder should be')
    const gate = createGate()
    await gate.ready()
    expect(gate.isConfirmed).toBe(true)
  })
})
