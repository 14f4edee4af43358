/** `schemas check` and `schemas register` with a registry that answers on demand what a real one rarely does. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { stringify } from 'yaml'
import { checkSchemas, registerSchemas } from '../../src/commands/schemas.js'
import { loadSchemas } from '../../src/registry/schemas.js'
import { DIALECTS } from '../support/registry-dialects.js'
import { RegistryServer } from '../support/registry-server.js'

const schemas = loadSchemas()
const DLR = 'sms.dlr-value'

let registry: RegistryServer
let folder: string
let printed: string

beforeEach(async () => {
  registry = await RegistryServer.start()
  folder = mkdtempSync(join(tmpdir(), 'schemas-'))
  configure()
  printed = ''
  vi.spyOn(process.stdout, 'write').mockImplementation((text, ...more) => {
    printed += String(text)
    for (const onWritten of more) if (typeof onWritten === 'function') onWritten()
    return true
  })
})
afterEach(async () => {
  vi.restoreAllMocks()
  rmSync(folder, { recursive: true })
  await registry.stop()
})

const configure = (more: object = {}): void =>
  writeFileSync(
    join(folder, 'connector.yaml'),
    stringify({
      kafka: { brokers: ['unused:9092'] },
      registry: { url: registry.url, ...more },
      sources: { any: { provider: 'seven', callback: { open: true } } },
    }),
  )

interface Result {
  readonly ok: boolean
  readonly history: readonly { schema: string; versions: readonly { version: number; reasons: string[] }[] }[]
  readonly subjects: readonly {
    subject: string
    state: string
    level?: string
    id?: number
    detail: string
    versions: readonly { version: number; reasons: string[] }[]
    warnings: string[]
  }[]
}

const runAsJson = async (command: typeof checkSchemas): Promise<{ code: number; result: Result }> => {
  printed = ''
  const code = await command({ config: join(folder, 'connector.yaml'), json: true })
  return { code, result: JSON.parse(printed) as Result }
}

const run = async (command: typeof checkSchemas): Promise<{ code: number; text: string }> => {
  printed = ''
  const code = await command({ config: join(folder, 'connector.yaml'), json: false })
  return { code, text: printed }
}

/** A schema that readers of ours can't read records of, and the other way round. */
const INCOMPATIBLE = JSON.stringify({
  type: 'record',
  name: 'DeliveryReceipt',
  namespace: 'sms.events',
  fields: [{ name: 'eventId', type: 'long' }],
})

const registrations = (): string[] =>
  registry.requests.filter((each) => /^POST \S+\/subjects\/[^/]+\/versions$/.test(each))

describe('schemas check', () => {
  it('ends with 0 for an empty registry, registers nothing, and compares with every published version', async () => {
    const { code, result } = await runAsJson(checkSchemas)
    expect({ code, ok: result.ok }).toEqual({ code: 0, ok: true })
    expect(result.subjects.map(({ subject, state, level }) => [subject, state, level])).toEqual([
      [DLR, 'compatible', 'BACKWARD'],
      ['sms.mo-value', 'compatible', 'BACKWARD'],
      ['sms.dead-letter-value', 'compatible', 'BACKWARD'],
    ])
    expect(result.history.map(({ schema, versions }) => [schema, versions.map(({ version }) => version)])).toEqual(
      Object.values(schemas).map(({ name, publishedVersions }) => [
        name,
        publishedVersions.map((_, index) => index + 1),
      ]),
    )
    expect(result.history.flatMap(({ versions }) => versions.flatMap(({ reasons }) => reasons))).toEqual([])
    expect(registrations()).toEqual([])
    expect(registry.requests.filter((each) => each.startsWith('PUT'))).toEqual([])
  })

  it('ends with 2 and names version, field and rule where a subject refuses the schema', async () => {
    registry.addVersion(DLR, INCOMPATIBLE)
    registry.incompatibleVersions.add(1)
    const { code, result } = await runAsJson(checkSchemas)
    expect({ code, ok: result.ok }).toEqual({ code: 2, ok: false })
    const [dlr, mo] = result.subjects
    expect(dlr).toMatchObject({ state: 'refused', versions: [{ version: 1, level: 'BACKWARD' }] })
    expect(dlr!.versions[0]!.reasons).toContainEqual(
      expect.stringMatching(/field eventId: long can't be read as string \(TYPE_MISMATCH\)/),
    )
    expect(mo!.state).toBe('compatible')
    const { text } = await run(checkSchemas)
    expect(text).toMatch(/^REFUSED {2}sms.dlr-value {2}level BACKWARD/m)
    expect(text).toMatch(/^ +version 1: .*source.* missing .*\(READER_FIELD_MISSING_DEFAULT_VALUE\)$/m)
  })

  it('names every version that is broken at a transitive level, and only the latest at others', async () => {
    registry.addVersion(DLR, INCOMPATIBLE)
    registry.addVersion(DLR, schemas.dlr.publishedVersions[0]!)
    registry.incompatibleVersions.add(1).add(2)
    const versionsAt = async (level: string): Promise<number[]> => {
      registry.level = level
      const { result } = await runAsJson(checkSchemas)
      expect(result.subjects[0]!.state).toBe('refused')
      return result.subjects[0]!.versions.map(({ version }) => version)
    }
    expect(await versionsAt('FULL_TRANSITIVE')).toEqual([1])
    expect(await versionsAt('FULL')).toEqual([])
  })

  it('warns at level NONE of what consumers can not read, and ends with 0', async () => {
    registry.level = 'NONE'
    registry.addVersion(DLR, INCOMPATIBLE)
    const { code, result } = await runAsJson(checkSchemas)
    expect(code).toBe(0)
    expect(result.subjects[0]).toMatchObject({ state: 'untested' })
    expect(result.subjects[0]!.warnings).toContainEqual(expect.stringMatching(/consumers .*field eventId/))
  })

  it('says that a registry without an endpoint for tests decides when the schema is registered', async () => {
    registry.dialect = DIALECTS.codeless
    registry.addVersion(DLR, schemas.dlr.publishedVersions[0]!)
    const { code, result } = await runAsJson(checkSchemas)
    expect(code).toBe(0)
    expect(result.subjects[0]).toMatchObject({
      state: 'untested',
      detail: expect.stringMatching(/no endpoint/) as string,
    })
  })

  it('says what a connector writes that must not register', async () => {
    configure({ register: false })
    const id = registry.addVersion(DLR, schemas.dlr.publishedVersions[0]!)
    const { code, result } = await runAsJson(checkSchemas)
    expect(code).toBe(0)
    expect(result.subjects.map(({ detail }) => detail)).toEqual([
      expect.stringMatching(new RegExp(`compatible; until then connectors .* write with schema id ${id}$`)),
      expect.stringMatching(/register: false publish nothing$/),
      expect.stringMatching(/register: false publish nothing$/),
    ])
  })

  it('ends with 3 if the registry can not be reached or refuses the account', async () => {
    registry.overrideAnswer = () => ({ status: 403, body: { message: 'forbidden' } })
    const refused = await runAsJson(checkSchemas)
    expect(refused.code).toBe(3)
    expect(refused.result.subjects.map(({ state }) => state)).toEqual(['unknown', 'unknown', 'unknown'])
    expect((await run(checkSchemas)).text).toMatch(/^FAILED {3}sms.dlr-value .*403: forbidden; check registry.auth/m)
    registry.disconnect()
    expect((await runAsJson(checkSchemas)).code).toBe(3)
  })

  it('ends with 2 if one schema is refused and another could not be tested', async () => {
    registry.addVersion(DLR, INCOMPATIBLE)
    registry.incompatibleVersions.add(1)
    registry.overrideAnswer = (_method, path) => (path.includes('sms.mo') ? { status: 500, body: {} } : undefined)
    expect((await runAsJson(checkSchemas)).code).toBe(2)
  })
})

describe('schemas register', () => {
  it('registers what is missing, once, also if the connector must not', async () => {
    configure({ register: false })
    const first = await runAsJson(registerSchemas)
    expect(first.code).toBe(0)
    expect(first.result.subjects.map(({ state, id }) => [state, id])).toEqual([
      ['registered', 1],
      ['registered', 2],
      ['registered', 3],
    ])
    expect(registry.schemas.get(1)).toBe(schemas.dlr.text)
    expect(registrations()).toHaveLength(3)
    expect(await runAsJson(registerSchemas)).toEqual(first)
    expect(registrations()).toHaveLength(3)
    expect(registry.requests.filter((each) => /^(PUT|DELETE)/.test(each))).toEqual([])
    const { result } = await runAsJson(checkSchemas)
    expect(result.subjects.map(({ state, id }) => [state, id])).toEqual(
      first.result.subjects.map(({ state, id }) => [state, id]),
    )
  })

  it('registers what is compatible beside a schema that is refused, and ends with 2', async () => {
    registry.addVersion(DLR, INCOMPATIBLE)
    registry.incompatibleVersions.add(1)
    const { code, result } = await runAsJson(registerSchemas)
    expect(code).toBe(2)
    expect(result.subjects.map(({ state }) => state)).toEqual(['refused', 'registered', 'registered'])
    expect(registry.subjects.get(DLR)).toHaveLength(1)
  })

  it('ends with 3 if the account may not register', async () => {
    registry.overrideAnswer = (method, path) =>
      method === 'POST' && path.endsWith('/versions') ? { status: 403, body: { message: 'read only' } } : undefined
    expect((await runAsJson(registerSchemas)).code).toBe(3)
  })
})
