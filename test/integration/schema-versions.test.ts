/** Producers and consumers of different versions of the record schemas, with a real broker and a real registry. */
import { readFileSync } from 'node:fs'
import { SchemaRegistry, SchemaType } from '@kafkajs/confluent-schema-registry'
import avro from 'avsc'
import { expect, inject, it, describe, onTestFinished } from 'vitest'
import { readCommitted } from '../../dev/kafka/committed-reader.js'
import { startTrial, untilPublished, type Trial } from '../../dev/trial.js'

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
