/** A callback handler as one writes it first: fastify, one `producer.send` per callback, `acks=all`. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import avsc from 'avsc'
import fastify from 'fastify'
import { CompressionTypes } from 'kafkajs'
import { kafkaClient } from '../dev/kafka/topics.js'
import { serveParent, settingsFromParent } from './child.js'
import type { RegisteredSchema } from './schemas.js'

interface Settings {
  readonly brokers: readonly string[]
  readonly topic: string
  readonly schema: RegisteredSchema
}

const SOURCE = 'seven-main'
const NOT_FINAL = ['BUFFERED', 'TRANSMITTED', 'ACCEPTED']
const WIRE_FORMAT_BYTES = 5

const { brokers, topic, schema } = settingsFromParent<Settings>()
const type = avsc.Type.forSchema(JSON.parse(readFileSync(schema.file, 'utf8')) as avsc.Schema)
const producer = kafkaClient(brokers).producer({ allowAutoTopicCreation: false })
await producer.connect()

function encode(event: object): Buffer {
  const wireFormat = Buffer.alloc(WIRE_FORMAT_BYTES)
  wireFormat.writeInt32BE(schema.id, 1)
  return Buffer.concat([wireFormat, type.toBuffer(event)])
}

const app = fastify()
app.get<{ Querystring: { msg_id: string; status: string } }>(`/callbacks/${SOURCE}`, async ({ query }, reply) => {
  const { msg_id: messageId, status } = query
  const isFinal = !NOT_FINAL.includes(status)
  const receivedAt = Date.now()
  const eventId = createHash('sha256').update(`${SOURCE}\n${messageId}\n${status}`).digest('hex').slice(0, 32)
  const value = encode({
    eventId,
    source: SOURCE,
    provider: 'seven',
    messageId,
    status: isFinal ? 'DELIVERED' : 'ENROUTE',
    final: isFinal,
    providerStatus: status,
    receivedAt,
    via: 'CALLBACK',
    raw: { msg_id: messageId, status },
  })
  const headers = {
    ce_specversion: '1.0',
    ce_id: eventId,
    ce_source: `/seven/${SOURCE}`,
    ce_type: 'sms.delivery-receipt.v1',
    ce_time: new Date(receivedAt).toISOString(),
    'content-type': 'application/avro',
  }
  await producer.send({
    topic,
    acks: -1,
    compression: CompressionTypes.None,
    messages: [{ key: messageId, value, headers }],
  })
  return reply.code(200).send()
})
serveParent(await app.listen({ host: '127.0.0.1', port: 0 }), async () => undefined)
