/** `schemas` as its users run it, with a real registry and without a broker. */
import { randomUUID } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, inject, it, onTestFinished } from 'vitest'
import { stringify } from 'yaml'
import { type CommandResult, runCommand } from '../../dev/connector/command.js'
import { workDirectory } from '../../dev/work-directory.js'
import { loadSchemas } from '../../src/registry/schemas.js'

const registryUrl = inject('registryUrl')
const schemas = loadSchemas()

const request = async (method: string, path: string, body?: object): Promise<unknown> => {
  const answer = await fetch(`${registryUrl}${path}`, {
    method,
    headers: { 'content-type': 'application/json' },
    ...(body && { body: JSON.stringify(body) }),
  })
  return answer.json()
}

/** A configuration with subjects of its own, whose brokers can't be reached. */
async function setUp(
  url = registryUrl,
  names: object = {},
): Promise<{ dlr: string; topic: string; run: (...args: string[]) => Promise<CommandResult> }> {
  const folder = await workDirectory('trial')
  onTestFinished(() => rm(folder, { recursive: true }))
  const name = `schemas-${randomUUID()}`
  const configuration = {
    kafka: {
      brokers: ['127.0.0.1:1'],
      topics: { dlr: `${name}.dlr`, mo: `${name}.mo`, deadLetter: `${name}.dead-letter` },
    },
    registry: { url, register: false, ...names },
    sources: { any: { provider: 'seven', callback: { open: true } } },
  }
  await writeFile(join(folder, 'connector.yaml'), stringify(configuration))
  const run = (...args: string[]): Promise<CommandResult> =>
    runCommand([...args, '--config', 'connector.yaml'], { cwd: folder })
  return { dlr: `${name}.dlr-value`, topic: `${name}.dlr`, run }
}

/** The first published version of the schema of receipts, with one field of another type. */
const incompatibleSchema = (): string => {
  const schema = JSON.parse(schemas.dlr.publishedVersions[0]!) as { fields: { name: string; type: unknown }[] }
  schema.fields = schema.fields.map((field) => (field.name === 'final' ? { ...field, type: 'string' } : field))
  return JSON.stringify(schema)
}

describe('schemas', () => {
  it('checks, registers once, and leaves the configuration of the subjects as it was', async () => {
    const { dlr, run } = await setUp()
    const untouched = await setUp()
    const before = await run('schemas', 'check')
    expect(before).toMatchObject({ code: 0, stderr: '' })
    // The global level of the registry decides which of the two it is.
    expect(before.stdout).toMatch(new RegExp(`^(ok|untested) +${dlr} .*not registered yet`, 'm'))
    expect(await request('GET', `/subjects/${dlr}/versions`)).toMatchObject({ error_code: 40401 })
    await request('POST', `/subjects/${untouched.dlr}/versions`, { schema: schemas.dlr.text })
    for (let time = 0; time < 2; time++) {
      const registered = await run('schemas', 'register')
      expect(registered).toMatchObject({ code: 0, stderr: '' })
      expect(registered.stdout).toMatch(new RegExp(`^ok +${dlr} .*registered with id \\d+$`, 'm'))
    }
    expect(await request('GET', `/subjects/${dlr}/versions`)).toEqual([1])
    const configurationOf = async (subject: string): Promise<string> =>
      JSON.stringify(await request('GET', `/config/${subject}`)).replaceAll(subject, '')
    expect(await configurationOf(dlr)).toBe(await configurationOf(untouched.dlr))
  })

  it.each(['check', 'register'])(
    '%s ends with 2 and names version, field and rule of what a subject refuses',
    async (command) => {
      const { dlr, run } = await setUp()
      await request('POST', `/subjects/${dlr}/versions`, { schema: incompatibleSchema() })
      await request('PUT', `/config/${dlr}`, { compatibility: 'FULL_TRANSITIVE' })
      const { code, stdout } = await run('schemas', command)
      expect(code).toBe(2)
      expect(stdout).toMatch(new RegExp(`^REFUSED +${dlr} +level FULL_TRANSITIVE`, 'm'))
      expect(stdout).toMatch(/^ +version 1: .*field final: string can't be read as boolean \(TYPE_MISMATCH\)$/m)
      const asJson = await run('schemas', command, '--json')
      expect(asJson.code).toBe(2)
      expect(JSON.parse(asJson.stdout)).toMatchObject({
        ok: false,
        subjects: [{ subject: dlr, state: 'refused', versions: [{ version: 1 }] }, {}, {}],
      })
      expect(await request('GET', `/subjects/${dlr}/versions`)).toEqual([1])
      expect(await request('GET', `/config/${dlr}`)).toEqual({ compatibilityLevel: 'FULL_TRANSITIVE' })
    },
  )

  it('names subjects by the strategy and the context of the configuration', async () => {
    const context = `ctx-${randomUUID()}`
    const { topic, run } = await setUp(registryUrl, { subjectNaming: 'topic-record-name', context })
    const subject = `:.${context}:${topic}-sms.events.DeliveryReceipt`
    const { code, stdout } = await run('schemas', 'register', '--json')
    expect(code).toBe(0)
    const { subjects } = JSON.parse(stdout) as { subjects: { subject: string; id: number }[] }
    expect(subjects.map((each) => each.subject)).toContain(subject)
    const registered = await request('POST', `/subjects/${subject}`, { schema: schemas.dlr.text })
    expect(registered).toMatchObject({ id: subjects.find((each) => each.subject === subject)!.id })
  })

  it('ends with 3 if the registry can not be reached', async () => {
    const { run } = await setUp('http://127.0.0.1:1')
    const { code, stdout } = await run('schemas', 'check')
    expect(code).toBe(3)
    expect(stdout).toMatch(/^FAILED +\S+dlr-value .*127\.0\.0\.1:1/m)
  })
})
