/** Prints the attributes of CloudEvents and their data, read by the CloudEvents SDK, one JSON object in a line, until SIGTERM or SIGINT. */
import { Kafka as CloudEventsKafka } from 'cloudevents'
import { Kafka, logLevel } from 'kafkajs'

const env = (name, fallback) => process.env[name] ?? fallback
const kafka = new Kafka({ brokers: env('KAFKA_BROKERS', 'localhost:9092').split(','), logLevel: logLevel.WARN })
const consumer = kafka.consumer({ groupId: env('GROUP_ID', 'sms-example-cloudevents-javascript') })
const topics = [env('DLR_TOPIC', 'sms.dlr'), env('MO_TOPIC', 'sms.mo'), env('DEAD_LETTER_TOPIC', 'sms.dead-letter')]

/** The SDK expects texts, and kafkajs gives bytes. */
const textsOf = (headers) => Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))

for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => void consumer.disconnect())
await consumer.connect()
await consumer.subscribe({ topics, fromBeginning: true })
await consumer.run({
  eachMessage: async ({ message }) => {
    const { key, value, headers } = message
    const event = CloudEventsKafka.toEvent({ key: String(key), value, body: value, headers: textsOf(headers) })
    event.validate()
    const { specversion, id, source, type, time, datacontenttype } = event
    const data = event.data.toString('base64')
    console.log(JSON.stringify({ specversion, id, source, type, time: Date.parse(time), datacontenttype, data }))
  },
})
