/** The schema gate with a real registry. */
import { SchemaRegistry } from '@kafkajs/confluent-schema-registry'
import { describe, expect, inject, it, onTestFinished } from 'vitest'
import { RegistryClient } from '../../src/registry/registry-client.js'
import { loadSchemas } from '../../src/registry/schemas.js'
import { receipt } from '../support/events.js'
import { BREAKING_CHANGES, changeSchema, PERMITTED_CHANGES } from '../support/schema-changes.js'
import { callRegistry as call, createGate, encoderOf, type RegistryAnswer } from '../support/real-registry.js'

const schemas = loadSchemas()
const EARLIER = JSON.stringify({
  type: 'record',
  name: 'DeliveryReceipt',
  namespace: 'sms.events',
  fields: [{ name: 'eventId', type: 'string' }],
})
/** Reads the configuration of a subject, which the connector must not change. The name of the subject is left out. */
const readConfiguration = async (subject: string): Promise<RegistryAnswer> => {
  const { status, body } = await call('GET', `/config/${subject}`)
  return { status, body: JSON.parse(JSON.stringify(body).replaceAll(subject, '')) as Record<string, unknown> }
}

const setUp = (register = true) => {
  const { gate, topics, subjects } = createGate({ register })
  return { gate, topics, subject: subjects.dlr.name }
}

describe('SchemaGate with a real registry', () => {
  it('registers schemas by whose ids another client decodes records', async () => {
    const { gate, topics } = setUp()
    const encoder = encoderOf(gate, topics)
    await encoder.ready()
    const event = receipt()
    const facts = { method: 'GET', path: '/', query: '' }
    const { records } = encoder.encode(event, { body: Buffer.alloc(0), facts })
    const [record] = records
    const reader = new SchemaRegistry({ host: inject('registryUrl') })
    const { kind, ...fields } = event
    expect(kind).toBe('dlr')
    expect({ ...((await reader.decode(record!.value)) as object) }).toEqual(fields)
  })

  it('does not configure a new subject', async () => {
    const { gate, subject } = setUp()
    await gate.ready()
    const untouched = `${subject}-untouched`
    await call('POST', `/subjects/${untouched}/versions`, { schema: EARLIER })
    expect(await readConfiguration(subject)).toEqual(await readConfiguration(untouched))
  })

  it.each(['FULL_TRANSITIVE', 'BACKWARD', 'NONE'])(
    'registers a new version in a subject at level %s without changing the level',
    async (level) => {
      const { gate, subject } = setUp()
      const earlier = JSON.parse(schemas.dlr.text) as { fields: { name: string }[] }
      // A schema of an earlier release without one field. The field has a default now.
      earlier.fields = earlier.fields.filter(({ name }) => name !== 'errorCode')
      await call('POST', `/subjects/${subject}/versions`, { schema: JSON.stringify(earlier) })
      await call('PUT', `/config/${subject}`, { compatibility: level })
      await gate.ready()
      expect((await readConfiguration(subject)).body).toEqual({ compatibilityLevel: level })
      expect((await call('GET', `/subjects/${subject}/versions`)).body).toEqual([1, 2])
    },
  )

  it('refuses with a reason and registers nothing if the subject forbids the schema', async () => {
    const { gate, subject } = setUp()
    await call('POST', `/subjects/${subject}/versions`, { schema: EARLIER })
    await call('PUT', `/config/${subject}`, { compatibility: 'BACKWARD' })
    const refused = gate.ready()
    await expect(refused).rejects.toMatchObject({ code: 'SCHEMA_REFUSED' })
    await expect(refused).rejects.toThrow(new RegExp(`${subject} \\(level BACKWARD\\): .+\\. Use another topic`))
    expect((await call('GET', `/subjects/${subject}/versions`)).body).toEqual([1])
    await call('PUT', `/config/${subject}`, { compatibility: 'NONE' })
    await gate.ready()
    expect(gate.warnings).toEqual([
      expect.stringMatching(
        /level NONE\): consumers that read with the connector's schema .* version 1, .*fields source,/,
      ),
    ])
  })

  it('refuses with the version and the reason at a transitive level', async () => {
    const { gate, subject } = setUp()
    for (const schema of [EARLIER, schemas.dlr.text.replace('"doc":', '"note":')]) {
      await call('POST', `/subjects/${subject}/versions`, { schema })
      await call('PUT', `/config/${subject}`, { compatibility: 'NONE' })
    }
    await call('PUT', `/config/${subject}`, { compatibility: 'FULL_TRANSITIVE' })
    await expect(gate.ready()).rejects.toThrow(/\(level FULL_TRANSITIVE\): version 1: .*fields source,/)
    expect((await call('GET', `/subjects/${subject}/versions`)).body).toEqual([1, 2])
  })

  it('refuses if it may not register and the subject holds no usable schema', async () => {
    const { gate, subject } = setUp(false)
    await expect(gate.ready()).rejects.toThrow(
      `${subject} holds no schema that sms.events.DeliveryReceipt can be written with`,
    )
  })

  it('reports an address that is not the root of a registry API', async () => {
    for (const path of ['', '/apis/nonsense']) {
      const wrong = new RegistryClient({ url: `${new URL(inject('registryUrl')).origin}${path}` })
      onTestFinished(() => wrong.close())
      if (inject('registryUrl') !== wrong.url) {
        await expect(wrong.findId('any', '"string"')).rejects.toMatchObject({ code: 'REGISTRY_REFUSED' })
      }
    }
  })
})

describe("The registry's own test of compatibility", () => {
  it('refuses what `schemas check` finds incompatible by the rules of Avro, and accepts what the policy permits', async () => {
    const { subjects } = createGate()
    const { name } = subjects.dlr
    await call('POST', `/subjects/${name}/versions`, { schema: schemas.dlr.text })
    await call('PUT', `/config/${name}`, { compatibility: 'FULL_TRANSITIVE' })
    const client = new RegistryClient({ url: inject('registryUrl') })
    onTestFinished(() => client.close())
    const verdicts = new Map<string, boolean | undefined>()
    for (const { what, change } of [...BREAKING_CHANGES, ...PERMITTED_CHANGES]) {
      const result = await client.checkCompatibility(name, changeSchema(schemas.dlr.text, change), 'all')
      verdicts.set(what, result?.isCompatible)
    }
    const incompatible = BREAKING_CHANGES.filter(({ isIncompatible }) => isIncompatible)
    const expected = [
      ...incompatible.map(({ what }): [string, boolean] => [what, false]),
      ...PERMITTED_CHANGES.map(({ what }): [string, boolean] => [what, true]),
    ]
    expect(Object.fromEntries(verdicts)).toMatchObject(Object.fromEntries(expected))
  })
})
