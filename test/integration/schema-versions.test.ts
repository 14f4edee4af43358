/** Producers and consumers of different versions of the record schemas, with a real broker and a real registry. */
import { readFileSync } from 'node:fs'
import { cp, mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { SchemaRegistry, SchemaType } from '@kafkajs/confluent-schema-registry'
import avro from 'avsc'
import { expect, inject, it, describe, onTestFinished } from 'vitest'
import { fromCheckout, type Program } from '../../dev/connector/program.js'
import { readCommitted } from '../../dev/kafka/committed-reader.js'
import { startTrial, untilPublished, type Trial } from '../../dev/trial.js'
import { workDirectory } from '../../dev/work-directory.js'

const stack = { brokers: inject('brokers'), registryUrl: inject('registryUrl') }

/** The texts of a schema by version: the file of the release before, and the file of today. */
const schemaTexts = (name: string): { readonly first: string; readonly current: string } => {
  const read = (path: string): string => readFileSync(new URL(`../../schemas/${path}`, import.meta.url), 'utf8')
  return { first: read(`history/${name}.v1.avsc`), current: read(`${name}.avsc`) }
}
const RECEIPT = schemaTexts('delivery-receipt')
const MESSAGE = schemaTexts('inbound-message')
const DEAD_LETTER = schemaTexts('dead-letter')

const register = async (subject: string, schema: string): Promise<void> => {
  const headers = { 'content-type': 'application/vnd.schemaregistry.v1+json' }
  const url = `${stack.registryUrl}/subjects/${subject}/versions`
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ schema }) })
  expect(response.status, `${subject}: ${await response.text()}`).toBe(200)
}

/** Starts a trial whose subjects hold the first version of each schema, as after an upgrade of the connector. */
const startUpgraded = async (mayRegister: boolean): Promise<Trial> => {
  const trial = await startTrial(stack, (configuration) => {
    configuration.registry['register'] = mayRegister
  })
  onTestFinished(() => trial.stop())
  await register(`${trial.topics.dlr}-value`, RECEIPT.first)
  await register(`${trial.topics.mo}-value`, MESSAGE.first)
  await register(`${trial.topics.deadLetter}-value`, DEAD_LETTER.first)
  return trial
}

/** Publishes a receipt and an inbound message through the connector. */
const publishBoth = async (trial: Trial): Promise<void> => {
  await trial.connector.start()
  const receipt = { msg_id: '4711', status: 'DELIVERED', foreign_id: 'order-17' } as const
  const message = {
    id: '681590',
    sender: '491771783130',
    system: '4915126716517',
    text: 'Hällo',
    time: '1605878104',
    message_type: 'SMS',
  } as const
  await trial.seven.send([
    { kind: 'dlr', data: receipt },
    { kind: 'sms_mo', data: message },
  ])
  await untilPublished(trial)
  expect(await trial.connector.terminate()).toBe(0)
}

/** Decodes the records of a topic as a consumer does that was generated from `reader` and asks the registry for the writer. */
const readWith = async (topic: string, reader: string): Promise<Record<string, unknown>[]> => {
  const registry = new SchemaRegistry({ host: stack.registryUrl })
  const readerSchema = avro.Type.forSchema(JSON.parse(reader) as avro.Schema)
  const records = await readCommitted(stack.brokers, topic)
  return Promise.all(
    records.map(async ({ value }) => {
      const decoded: unknown = await registry.decode(value, { [SchemaType.AVRO]: { readerSchema } })
      return { ...(decoded as object) }
    }),
  )
}

describe('A consumer with the first version of the schemas', () => {
  it('reads records of the second version', async () => {
    const trial = await startUpgraded(true)
    await publishBoth(trial)
    const versions = await fetch(`${stack.registryUrl}/subjects/${trial.topics.dlr}-value/versions`)
    expect(await versions.json()).toEqual([1, 2])
    const [receipt, ...receipts] = await readWith(trial.topics.dlr, RECEIPT.first)
    const [message, ...messages] = await readWith(trial.topics.mo, MESSAGE.first)
    expect([...receipts, ...messages]).toEqual([])
    expect(receipt).toMatchObject({ messageId: '4711', status: 'DELIVERED', raw: { foreign_id: 'order-17' } })
    expect(receipt).not.toHaveProperty('clientReference')
    expect(message).toMatchObject({ sender: '+491771783130', text: 'Hällo' })
    const [current] = await readWith(trial.topics.dlr, RECEIPT.current)
    expect(current).toMatchObject({ messageId: '4711', clientReference: 'order-17', part: null })
  })
})

describe('A consumer with the second version of the schemas', () => {
  it('reads records of the first version, which the connector writes until the owner of the subject registers the second', async () => {
    const trial = await startUpgraded(false)
    await publishBoth(trial)
    const messages = (await trial.log()).map(({ msg }) => msg)
    expect(messages).toContainEqual(expect.stringMatching(/only an older schema: clientReference is missing/))
    const [receipt] = await readWith(trial.topics.dlr, RECEIPT.current)
    expect(receipt).toMatchObject({
      messageId: '4711',
      clientReference: null,
      price: null,
      raw: { foreign_id: 'order-17' },
    })
    const [message] = await readWith(trial.topics.mo, MESSAGE.current)
    expect(message).toMatchObject({ text: 'Hällo', optOut: null, part: null })

    await register(`${trial.topics.dlr}-value`, RECEIPT.current)
    await trial.connector.start()
    await trial.seven.send([{ kind: 'dlr', data: { msg_id: '4712', status: 'DELIVERED', foreign_id: 'order-18' } }])
    await untilPublished(trial)
    const references = (await readWith(trial.topics.dlr, RECEIPT.current)).map(({ clientReference }) => clientReference)
    expect(new Set(references)).toEqual(new Set([null, 'order-18']))
    expect(references).toHaveLength(2)
  })
})

interface RecordSchema {
  fields: { name: string; type: unknown; default?: unknown }[]
}

/** The version of a schema that a later release may have: a field that can be null, one with a value, and another symbol. */
const nextVersion = (text: string): string => {
  const schema = JSON.parse(text) as RecordSchema
  const via = schema.fields.find(({ name }) => name === 'via')!.type as { symbols: string[] }
  via.symbols.push('STREAM')
  schema.fields.push({ name: 'tenant', type: ['null', 'string'], default: null })
  schema.fields.push({ name: 'attempts', type: 'int', default: 1 })
  return JSON.stringify(schema)
}
const NEXT_RECEIPT = nextVersion(RECEIPT.current)
const NEXT_MESSAGE = nextVersion(MESSAGE.current)

/** The connector as built in this checkout, with the next version of the schemas. */
const nextRelease = async (): Promise<Program> => {
  const root = fileURLToPath(new URL('../../', import.meta.url))
  const folder = await workDirectory('trial')
  onTestFinished(() => rm(folder, { recursive: true }))
  const isCopied = (name: string): boolean => name === 'dist' || name === 'schemas'
  for (const name of await readdir(root)) {
    if (isCopied(name)) await cp(join(root, name), join(folder, name), { recursive: true })
    else await symlink(join(root, name), join(folder, name))
  }
  const schemas = join(folder, 'schemas')
  await mkdir(join(schemas, 'history'), { recursive: true })
  for (const [name, current, next] of [
    ['delivery-receipt', RECEIPT.current, NEXT_RECEIPT],
    ['inbound-message', MESSAGE.current, NEXT_MESSAGE],
  ] as const) {
    await writeFile(join(schemas, 'history', `${name}.v2.avsc`), current)
    await writeFile(join(schemas, `${name}.avsc`), next)
  }
  const main = join(folder, 'dist', 'main.js')
  return {
    ...fromCheckout,
    launch: (work) => [process.execPath, [main, 'run', '--config', join(work, 'connector.yaml')]],
  }
}

describe('Records from before, during and after an upgrade to newer schemas, and after the way back', () => {
  it('are read by consumers of either version', async () => {
    const current = await startTrial(stack)
    onTestFinished(() => current.stop())
    const next = await startTrial(stack, undefined, { topics: current.topics, program: await nextRelease() })
    onTestFinished(() => next.stop())
    const sent: string[] = []
    const publish = async ({ seven }: Trial): Promise<void> => {
      const id = `upgrade-${sent.length}`
      sent.push(id)
      const message = { id, sender: '491771783130', system: '4915126716517', text: id, time: '1605878104' } as const
      await seven.send([
        { kind: 'dlr', data: { msg_id: id, status: 'DELIVERED', foreign_id: 'order-17' } },
        { kind: 'sms_mo', data: { ...message, message_type: 'SMS' } },
      ])
    }
    await current.connector.start()
    await publish(current)
    await untilPublished(current)
    await next.connector.start()
    for (const each of [next, current, next, current]) {
      await publish(each)
      await untilPublished(each)
    }
    expect(await current.connector.terminate()).toBe(0)
    await publish(next)
    await untilPublished(next)
    expect(await next.connector.terminate()).toBe(0)
    await current.connector.start()
    await publish(current)
    await untilPublished(current)

    const versions = await fetch(`${stack.registryUrl}/subjects/${current.topics.dlr}-value/versions`)
    expect(await versions.json()).toEqual([1, 2])
    const values = (await readCommitted(stack.brokers, current.topics.dlr)).map(({ value }) => value)
    expect(new Set(values.map((value) => value.readInt32BE(1))).size).toBe(2)
    const added = { tenant: null, attempts: 1 }
    for (const [topic, today, later, key] of [
      [current.topics.dlr, RECEIPT.current, NEXT_RECEIPT, 'messageId'],
      [current.topics.mo, MESSAGE.current, NEXT_MESSAGE, 'text'],
    ] as const) {
      const byToday = await readWith(topic, today)
      const byLater = await readWith(topic, later)
      expect(byToday.map((record) => record[key]).sort()).toEqual(sent.toSorted())
      expect(byLater).toEqual(byToday.map((record) => ({ ...record, ...added })))
    }
  })
})
