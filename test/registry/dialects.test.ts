/** The dialects of the registries, as a stand-in speaks them. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { RegistryClient } from '../../src/registry/registry-client.js'
import { loadSchemas } from '../../src/registry/schemas.js'
import { inspectWriterSchema, resolveWriterSchema } from '../../src/registry/writer-schema.js'
import { DIALECT_NAMES, DIALECTS } from '../support/registry-dialects.js'
import { RegistryServer } from '../support/registry-server.js'

const schema = loadSchemas().dlr
const subject = { name: 'sms.dlr-value', schema }
const EARLIER = ['first', 'second'].map((doc) => JSON.stringify({ ...(JSON.parse(schema.text) as object), doc }))
const LEVELS = ['BACKWARD', 'BACKWARD_TRANSITIVE', 'FORWARD_TRANSITIVE', 'FULL_TRANSITIVE']

let registry: RegistryServer
let clients: RegistryClient[]

beforeEach(async () => {
  registry = await RegistryServer.start()
  clients = []
})
afterEach(async () => {
  for (const client of clients) await client.close()
  await registry.stop()
})

const createClient = (url = registry.url): RegistryClient => {
  const client = new RegistryClient({ url })
  clients.push(client)
  return client
}
const check = (url?: string) => inspectWriterSchema(createClient(url), subject, true)
const run = (url?: string) => resolveWriterSchema(createClient(url), subject, true)
const addEarlierVersions = (): void => EARLIER.forEach((each) => registry.addVersion(subject.name, each))

describe.each(DIALECT_NAMES)('With a registry that answers like %s', (name) => {
  const isTesting = DIALECTS[name].testsOneVersion
  const accepted: unknown = isTesting
    ? 'compatible: run will register it'
    : expect.stringMatching(/no endpoint that tests/)

  beforeEach(() => {
    registry.dialect = DIALECTS[name]
  })

  it.each(LEVELS)('a new subject at level %s gets the schema', async (level) => {
    registry.level = level
    const compatible = { result: 'compatible: run will register it', warnings: [], id: undefined, isTested: true }
    expect(await check()).toEqual(compatible)
    expect(registry.subjects.size).toBe(0)
    expect(await run()).toEqual({ id: 1, schema: schema.text, warnings: [] })
    expect(await check()).toEqual({ result: 'registered with id 1', warnings: [], id: 1, isTested: true })
  })

  it.each(LEVELS)('a subject with compatible versions at level %s gets the schema', async (level) => {
    registry.level = level
    addEarlierVersions()
    expect(await check()).toMatchObject({ result: accepted })
    expect(registry.subjects.get(subject.name)).toEqual([1, 2])
    expect(await run()).toMatchObject({ id: 3 })
  })

  it('a subject at a transitive level refuses a schema that does not fit an older version', async () => {
    registry.level = 'FULL_TRANSITIVE'
    addEarlierVersions()
    registry.incompatibleVersions.add(1)
    if (isTesting) await expect(check()).rejects.toMatchObject({ code: 'SCHEMA_REFUSED' })
    else await check()
    const refused = run()
    await expect(refused).rejects.toMatchObject({ code: 'SCHEMA_REFUSED' })
    const reason = isTesting ? 'TYPE_MISMATCH' : 'is answered with 409: Incompatible schema'
    await expect(refused).rejects.toThrow(
      new RegExp(`DeliveryReceipt can't be registered in subject sms\\.dlr-value .*${reason}.*Use another topic`),
    )
    expect(registry.subjects.get(subject.name)).toEqual([1, 2])
  })

  it('the test of a schema never registers it', async () => {
    registry.level = 'FULL_TRANSITIVE'
    addEarlierVersions()
    await check()
    await inspectWriterSchema(createClient(), subject, false)
    expect(registry.requests.filter((each) => /^POST \S*\/v7\/subjects\/[^/]+\/versions$/.test(each))).toEqual([])
    expect(registry.subjects.get(subject.name)).toHaveLength(2)
  })

  it('a URL that is not the root of the API is told from a missing endpoint', async () => {
    for (const path of ['/v8', '/registry', '/apis']) {
      const wrong = path === '/apis' ? new URL(registry.url).origin : `${registry.url}${path}`
      for (const attempt of [check, run]) {
        const refused = attempt(wrong)
        await expect(refused).rejects.toMatchObject({ code: 'REGISTRY_REFUSED' })
        await expect(refused).rejects.toThrow(/check that registry\.url .* is the root of a Confluent-compatible API/)
      }
    }
    expect(registry.subjects.size).toBe(0)
  })
})

describe('A server that is not a registry', () => {
  it.each([
    ['404 and a web page', 404, '<html>'],
    ['404 and JSON', 404, { message: 'no route' }],
    ['404 and an error code of HTTP', 404, { error_code: 404, message: 'HTTP 404 Not Found' }],
    ['405', 405, ''],
    ['501', 501, ''],
    ['200 and a web page', 200, '<html>'],
    ['200 and JSON without an id', 200, { status: 'ok' }],
  ])('is told by its answers: %s', async (_what, status, body) => {
    registry.overrideAnswer = () => ({ status, body })
    await expect(check()).rejects.toThrow(/check that registry\.url/)
    await expect(run()).rejects.toThrow(/check that registry\.url/)
  })

  it.each([
    [403, 'REGISTRY_REFUSED', /rights of this account/],
    [503, 'REGISTRY_UNREACHABLE', /see the log of the registry/],
  ])('is not assumed where the list of subjects is answered with %i', async (status, code, message) => {
    registry.dialect = DIALECTS.codeless
    registry.overrideAnswer = (_method, path) => (path.endsWith('/subjects') ? { status, body: '' } : undefined)
    const refused = run()
    await expect(refused).rejects.toMatchObject({ code })
    await expect(refused).rejects.toThrow(message)
  })
})
