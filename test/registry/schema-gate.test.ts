import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { RegistryClient, type RegistrySettings } from '../../src/registry/registry-client.js'
import { inspectWriterSchema } from '../../src/registry/schema-resolution.js'
import { SchemaGate, type Subject } from '../../src/registry/schema-gate.js'
import { RememberedSchemaIds } from '../../src/registry/remembered-schema-ids.js'
import { type EventKind, EVENT_KINDS, loadSchemas, subjectOf } from '../../src/registry/schemas.js'
import { ManualClock } from '../support/manual-clock.js'
import { RegistryServer } from '../support/registry-server.js'
import { TOPICS } from '../encode/support.js'

const schemas = loadSchemas()
const subjects = Object.fromEntries(
  EVENT_KINDS.map((kind) => [
    kind,
    { name: subjectOf('topic-name', TOPICS[kind], schemas[kind]), schema: schemas[kind] },
  ]),
) as Record<EventKind, Subject>
const NAMES = Object.values(subjects).map(({ name }) => name)

let registry: RegistryServer
let directory: string
let clock: ManualClock
let apis: RegistryClient[]

beforeEach(async () => {
  registry = await RegistryServer.start()
  directory = mkdtempSync(join(tmpdir(), 'registry-'))
  clock = new ManualClock()
  apis = []
})
afterEach(async () => {
  for (const api of apis) await api.close()
  await registry.stop()
  rmSync(directory, { recursive: true })
})

/** A gate as after a start of the program. */
const gate = (more: Partial<RegistrySettings & { register: boolean }> = {}): SchemaGate => {
  const { register = true, ...settings } = more
  const api = new RegistryClient({ url: registry.url, ...settings })
  apis.push(api)
  const log = pino({ level: 'silent' })
  return new SchemaGate({ api, register, subjects, remembered: new RememberedSchemaIds(directory), clock, log })
}
const idsOf = ({ writers }: SchemaGate): number[] => EVENT_KINDS.map((kind) => writers[kind].id)

describe('the gate to the registry', () => {
  it('registers what is not there, and asks no more once it is confirmed', async () => {
    const first = gate()
    await first.ready()
    expect(idsOf(first)).toEqual(NAMES.map((name) => registry.subjects.get(name)![0]))
    expect(NAMES.map((name) => registry.schemas.get(registry.subjects.get(name)![0]!))).toEqual(
      EVENT_KINDS.map((kind) => schemas[kind].text),
    )
    const asked = registry.requests.length
    registry.leave()
    await first.ready()
    expect(first.confirmed).toBe(true)
    expect(registry.requests).toHaveLength(asked)
  })

  it('only looks, where everything is there', async () => {
    for (const { name, schema } of Object.values(subjects)) registry.add(name, schema.text)
    await gate().ready()
    expect(registry.requests).toEqual(
      NAMES.flatMap((name, index) => [
        `POST /apis/ccompat/v7/subjects/${name}`,
        `GET /apis/ccompat/v7/schemas/ids/${index + 1}`,
      ]),
    )
  })

  it.each([
    ['looked up', true],
    ['registered', false],
  ])('stays shut while an id that was %s stands for another schema, and opens when it is ours', async (_how, there) => {
    for (const { name, schema } of Object.values(subjects)) if (there) registry.add(name, schema.text)
    const shut = gate()
    registry.instead = (_method, path) =>
      path.endsWith('/schemas/ids/2') ? { body: { schema: schemas.dlr.text } } : undefined
    const refused = shut.ready()
    await expect(refused).rejects.toMatchObject({ code: 'SCHEMA_REFUSED' })
    await expect(refused).rejects.toThrow(/gives schema id 2 for subject sms\.mo-value, and another schema for that id/)
    expect(() => shut.writers).toThrow()
    expect(readdirSync(directory)).toEqual([])
    registry.instead = () => undefined
    await shut.ready()
  })

  it.each([
    ['registered', true],
    ['can be written', false],
  ])('is not believed by check either, when an id stands for another schema: %s', async (how, register) => {
    const { name, schema } = subjects.dlr
    const id = registry.add(name, register ? schema.text : schema.text.replaceAll('timestamp-millis', 'no-unit'))
    const api = new RegistryClient({ url: registry.url })
    apis.push(api)
    await expect(inspectWriterSchema(api, name, schema, register)).resolves.toBe(`${how} with id ${id}`)
    registry.instead = (_method, path) =>
      path.includes('/schemas/ids/') ? { body: { schema: schemas.mo.text } } : undefined
    await expect(inspectWriterSchema(api, name, schema, register)).rejects.toMatchObject({ code: 'SCHEMA_REFUSED' })
  })

  it('tells units of time apart where nothing else differs', async () => {
    registry.instead = (_method, path) =>
      path.endsWith('/schemas/ids/1')
        ? { body: { schema: schemas.dlr.text.replaceAll('timestamp-millis', 'timestamp-micros') } }
        : undefined
    await expect(gate().ready()).rejects.toMatchObject({ code: 'SCHEMA_REFUSED' })
  })

  it.each([
    [403, { error_code: 40301, message: 'User is denied' }],
    [404, { error_code: 40403, message: 'Schema not found' }],
    [404, 'no such path'],
  ])('believes a registry that does not say what an id stands for: %i %j', async (status, body) => {
    registry.instead = (_method, path) => (path.includes('/schemas/ids/') ? { status, body } : undefined)
    const open = gate()
    await open.ready()
    expect(open.confirmed).toBe(true)
  })

  it('asks by the level that applies: the latest version, all of them, or not at all', async () => {
    for (const [level, asked] of [
      ['BACKWARD', '/versions/latest?verbose=true'],
      ['FULL_TRANSITIVE', '/versions?verbose=true'],
      ['NONE', undefined],
    ] as const) {
      registry.subjects.clear()
      registry.requests.length = 0
      registry.level = level
      await gate().ready()
      const checks = registry.requests.filter((each) => each.includes('/compatibility/'))
      expect(checks).toEqual(
        asked ? NAMES.map((name) => `POST /apis/ccompat/v7/compatibility/subjects/${name}${asked}`) : [],
      )
      expect(registry.requests.some((each) => each.startsWith('PUT'))).toBe(false)
    }
  })

  it('stays shut while a schema is incompatible, with subject, level and reason, and opens when it is no more', async () => {
    registry.level = 'FULL'
    registry.compatible = { is_compatible: false, messages: ['READER_FIELD_MISSING_DEFAULT_VALUE: eventId'] }
    const shut = gate()
    const refused = shut.ready()
    await expect(refused).rejects.toMatchObject({ code: 'SCHEMA_REFUSED' })
    await expect(refused).rejects.toThrow(
      /DeliveryReceipt.*sms\.dlr-value.*FULL.*READER_FIELD_MISSING_DEFAULT_VALUE: eventId/,
    )
    expect(registry.subjects.size).toBe(0)
    registry.compatible = { is_compatible: true }
    await shut.ready()
  })

  it('finds the reason itself where the registry gives none', async () => {
    registry.add(
      'sms.dlr-value',
      JSON.stringify({ type: 'record', name: 'DeliveryReceipt', namespace: 'sms.events', fields: [] }),
    )
    registry.compatible = { is_compatible: false }
    await expect(gate().ready()).rejects.toThrow(/version 1: .*unreadable.*eventId/)
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
      'an error of the registry',
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
    ['nonsense', 200, {}, 'REGISTRY_REFUSED', /no number "id"/],
    [
      'an id that no record can carry',
      200,
      { id: 2 ** 31 },
      'REGISTRY_REFUSED',
      /schema id 2147483648, which no record/,
    ],
    ['a negative id', 200, { id: -1 }, 'REGISTRY_REFUSED', /schema id -1, which no record/],
    ['half an id', 200, { id: 1.5 }, 'REGISTRY_REFUSED', /schema id 1.5, which no record/],
    ['an answer without an end', 200, ' '.repeat(17 * 1024 * 1024), 'REGISTRY_REFUSED', /more than 16777216 bytes/],
  ])('tells %s for what it is', async (_what, status, body, code, message) => {
    registry.instead = (method, path) =>
      method === 'POST' && path.includes('/subjects/') ? { status, body } : undefined
    const refused = gate().ready()
    await expect(refused).rejects.toMatchObject({ code })
    await expect(refused).rejects.toThrow(message)
  })

  it('shows who it is', async () => {
    const basic = `Basic ${Buffer.from('me:geheim ü').toString('base64')}`
    await gate({ auth: { username: 'me', password: 'geheim ü' } }).ready()
    expect(new Set(registry.authorizations)).toEqual(new Set([basic]))
    registry.authorizations.length = 0
    await gate({ auth: { token: 'abc' } }).ready()
    expect(new Set(registry.authorizations)).toEqual(new Set(['Bearer abc']))
    registry.authorizations.length = 0
    await gate({ url: registry.url.replace('//', '//me:geheim%20%C3%BC@') }).ready()
    expect(new Set(registry.authorizations)).toEqual(new Set([basic]))
  })

  it('never puts credentials into a message, and takes a slash at the end', async () => {
    const api = new RegistryClient({ url: 'http://me:secret@127.0.0.1:1/apis/ccompat/v7/' })
    apis.push(api)
    expect(api.url).toBe('http://127.0.0.1:1/apis/ccompat/v7')
    await expect(api.lookup('s', '{}')).rejects.not.toThrow('secret')
  })

  it('does not wait long for a registry that never answers', async () => {
    const api = new RegistryClient({ url: registry.url })
    apis.push(api)
    registry.instead = () => 'silence'
    await expect(api.schemaOf(1, 50)).rejects.toMatchObject({ code: 'REGISTRY_UNREACHABLE' })
  })
})

describe('without the right to register', () => {
  it('takes the version that is ours', async () => {
    for (const { name, schema } of Object.values(subjects)) registry.add(name, schema.text)
    const looking = gate({ register: false })
    await looking.ready()
    expect(idsOf(looking)).toEqual(NAMES.map((name) => registry.subjects.get(name)![0]))
  })

  it('takes the newest that our events can be written with, and registers nothing', async () => {
    for (const { name, schema } of Object.values(subjects)) {
      registry.add(name, JSON.stringify({ ...(JSON.parse(schema.text) as object), doc: 'older' }))
      registry.add(name, JSON.stringify({ ...(JSON.parse(schema.text) as object), doc: 'newer' }))
      registry.add(name, JSON.stringify({ ...(JSON.parse(schema.text) as object), fields: [] }))
    }
    const looking = gate({ register: false })
    await looking.ready()
    expect(idsOf(looking)).toEqual(NAMES.map((name) => registry.subjects.get(name)![1]))
    expect(looking.writers.dlr.schema).toContain('newer')
    expect(registry.requests.some((each) => each.endsWith('/versions') && each.startsWith('POST'))).toBe(false)
  })

  it('stays shut with reasons where there is none', async () => {
    await expect(gate({ register: false }).ready()).rejects.toThrow(
      /sms\.dlr-value holds no schema.*there is no such subject/,
    )
    registry.add('sms.dlr-value', JSON.stringify({ type: 'record', name: 'sms.events.DeliveryReceipt', fields: [] }))
    registry.add('sms.dlr-value', 'no JSON')
    const refused = gate({ register: false }).ready()
    await expect(refused).rejects.toMatchObject({ code: 'SCHEMA_REFUSED' })
    await expect(refused).rejects.toThrow(/version 2: its schema can't be read; version 1: eventId is missing/)
  })
})

describe('while the registry is away', () => {
  const LOOK_AGAIN = 5_000

  it('stays shut if no id is known', async () => {
    registry.leave()
    await expect(gate().ready()).rejects.toMatchObject({ code: 'REGISTRY_UNREACHABLE' })
  })

  it('opens with the ids of an earlier run, and has them confirmed as soon as it is back', async () => {
    const before = gate()
    await before.ready()
    registry.leave()
    const after = gate()
    await after.ready()
    expect([idsOf(after), after.confirmed]).toEqual([idsOf(before), false])

    registry.comeBack()
    registry.requests.length = 0
    await after.ready()
    expect([registry.requests.length, after.confirmed]).toEqual([0, false]) // not asked every time
    await clock.advance(LOOK_AGAIN)
    await after.ready()
    expect(after.confirmed).toBe(true)
  })

  it('does not open with ids of another registry, subject or schema', async () => {
    await gate().ready()
    const known = new RememberedSchemaIds(directory)
    const key = { url: registry.url, subject: 'sms.dlr-value', fingerprint: schemas.dlr.fingerprint }
    expect(known.get(key)).toEqual({ id: 1 })
    expect(known.get({ ...key, url: 'http://other' })).toBeUndefined()
    expect(known.get({ ...key, subject: 'other-value' })).toBeUndefined()
    expect(known.get({ ...key, fingerprint: schemas.mo.fingerprint })).toBeUndefined()
  })

  it('opens with a foreign schema that was found in an earlier run', async () => {
    for (const { name, schema } of Object.values(subjects)) {
      registry.add(name, JSON.stringify({ ...(JSON.parse(schema.text) as object), doc: 'theirs' }))
    }
    await gate({ register: false }).ready()
    registry.leave()
    const after = gate({ register: false })
    await after.ready()
    expect(after.writers.dlr.schema).toContain('theirs')
  })

  it('shuts for good when an id turns out to mean something else, even if the registry goes away again', async () => {
    await gate().ready()
    registry.leave()
    const after = gate()
    await after.ready()
    registry.forget()
    registry.add('somebody-elses', '"string"') // id 1
    registry.comeBack()
    await clock.advance(LOOK_AGAIN)
    const refused = after.ready()
    await expect(refused).rejects.toMatchObject({ code: 'SCHEMA_REFUSED' })
    await expect(refused).rejects.toThrow(/id 1.*sms\.dlr-value.*another schema.*schema-ids\.json/)
    expect([...registry.subjects.keys()]).toEqual(['somebody-elses'])
    registry.leave()
    await clock.advance(LOOK_AGAIN)
    await expect(after.ready()).rejects.toMatchObject({ code: 'REGISTRY_UNREACHABLE' })
  })

  it('registers anew in a registry that has forgotten everything, and has what was encoded before thrown away', async () => {
    await gate().ready()
    registry.leave()
    const after = gate()
    await after.ready()
    registry.forget()
    registry.nextId = 40
    registry.comeBack()
    await clock.advance(LOOK_AGAIN)
    await expect(after.ready()).rejects.toThrow(/sms\.dlr-value=40.*made again/)
    await after.ready()
    expect([idsOf(after), after.confirmed]).toEqual([[40, 41, 42], true])
    const later = gate()
    await later.ready()
    expect(idsOf(later)).toEqual([40, 41, 42])
  })

  it('does not use what is remembered when it refuses us', async () => {
    await gate().ready()
    registry.instead = () => ({ status: 401, body: { message: 'Unauthorized' } })
    await expect(gate().ready()).rejects.toMatchObject({ code: 'REGISTRY_REFUSED' })
  })

  it('takes a spoilt file for an empty one, and mends it', async () => {
    const first = gate()
    await first.ready()
    const { path } = new RememberedSchemaIds(directory)
    writeFileSync(path, readFileSync(path).subarray(0, 40))
    await gate().ready()
    expect(JSON.parse(readFileSync(path, 'utf8'))).toBeTypeOf('object')
    expect(readdirSync(directory)).toEqual(['schema-ids.json'])
  })

  it('publishes even if ids can not be written down', async () => {
    rmSync(directory, { recursive: true })
    writeFileSync(directory, 'a file where the folder should be')
    const open = gate()
    await open.ready()
    expect(open.confirmed).toBe(true)
  })
})
