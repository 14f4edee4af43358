/** Topics of a test's own, records of every kind on them, and the commands that read them. */
import { randomUUID } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import kafkajs, { type CompressionTypes, type Message } from 'kafkajs'
import { expect, onTestFinished } from 'vitest'
import { stringify } from 'yaml'
import { type CommandResult, runCommand } from '../../dev/connector/command.js'
import { createTopic, kafkaClient, withAdmin } from '../../dev/kafka/topics.js'
import type { TrialStack } from '../../dev/trial.js'
import { workDirectory } from '../../dev/work-directory.js'
import type { Event } from '../../src/core/event.js'
import { CloudEventsHeaders } from '../../src/encode/cloudevents-headers.js'
import { type EventKind, loadSchemas } from '../../src/registry/schemas.js'

const schemas = loadSchemas()
const PARTITIONS = 3

export interface JsonRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly timestamp: number
  readonly key: string
  readonly headers: Record<string, string>
  readonly schemaId: number
  readonly value: Record<string, unknown>
  readonly problem?: string
}

export const toRecords = (lines: string): JsonRecord[] =>
  lines
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as JsonRecord)

/** Topics of a test's own, with a configuration that names them. */
export class EventTopics {
  readonly names: Readonly<Record<EventKind, string>>
  /** The topic of the marks of replays, which the test creates if it needs it. */
  readonly replays: string
  readonly folder: string
  readonly stack: TrialStack
  readonly #ids = new Map<EventKind, number>()

  static async create(
    stack: TrialStack,
    kinds: readonly EventKind[] = ['dlr', 'mo', 'dead-letter'],
  ): Promise<EventTopics> {
    const topics = new EventTopics(stack, await workDirectory('trial'))
    for (const kind of kinds) await createTopic(stack.brokers, topics.names[kind], PARTITIONS)
    await topics.configure()
    const registered = await topics.run('schemas', 'register', '--json')
    expect(registered).toMatchObject({ code: 0, stderr: '' })
    const { subjects } = JSON.parse(registered.stdout) as { subjects: { schema: string; id: number }[] }
    for (const kind of Object.keys(schemas) as EventKind[]) {
      topics.#ids.set(kind, subjects.find(({ schema }) => schema === schemas[kind].name)!.id)
    }
    return topics
  }

  private constructor(stack: TrialStack, folder: string) {
    this.stack = stack
    const name = `tail-${randomUUID()}`
    this.folder = folder
    this.replays = `${name}.replays`
    this.names = { dlr: `${name}.dlr`, mo: `${name}.mo`, 'dead-letter': `${name}.dead-letter` }
  }

  async configure(change: { brokers?: string[]; registryUrl?: string; requestTimeout?: string } = {}): Promise<void> {
    const { dlr, mo, 'dead-letter': letters } = this.names
    const configuration = {
      kafka: {
        brokers: change.brokers ?? [...this.stack.brokers],
        topics: { dlr, mo, deadLetter: letters, deadLetterReplays: this.replays },
        requestTimeout: change.requestTimeout ?? '2s',
      },
      journal: { directory: 'journal' },
      registry: { url: change.registryUrl ?? this.stack.registryUrl },
      sources: { 'seven-main': { provider: 'seven', callback: { token: 'a-token' } } },
    }
    await writeFile(join(this.folder, 'connector.yaml'), stringify(configuration))
  }

  run(...args: string[]): Promise<CommandResult> {
    return runCommand([...args, '--config', 'connector.yaml'], { cwd: this.folder })
  }

  /** The records that `tail --json` prints. */
  async tail(...args: string[]): Promise<JsonRecord[]> {
    const { code, stdout, stderr } = await this.run('tail', ...args, '--json')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    return stdout === '' ? [] : toRecords(stdout)
  }

  encode(event: Event & { part?: unknown; parts?: number }, timestamp?: number): Message {
    const { kind, ...fields } = event
    const header = Buffer.alloc(5)
    header.writeUInt32BE(this.#ids.get(kind)!, 1)
    const key = kind === 'dlr' ? event.messageId : kind === 'mo' ? event.sender : event.source
    return {
      key,
      value: Buffer.concat([header, schemas[kind].type.toBuffer(fields)]),
      headers: new CloudEventsHeaders().of(event, event.eventId),
      ...(timestamp !== undefined && { timestamp: String(timestamp) }),
    }
  }

  /** Publishes in one transaction, which is committed, aborted, or left open until the test has finished. */
  async publish(
    kind: EventKind,
    messages: Message[],
    end: 'commit' | 'abort' | 'open' = 'commit',
    compression: CompressionTypes = kafkajs.CompressionTypes.None,
  ): Promise<void> {
    const producer = kafkaClient(this.stack.brokers).producer({
      transactionalId: randomUUID(),
      idempotent: true,
      maxInFlightRequests: 1,
    })
    await producer.connect()
    const transaction = await producer.transaction()
    await transaction.send({ topic: this.names[kind], messages, compression })
    if (end === 'open') {
      onTestFinished(async () => {
        await transaction.abort()
        await producer.disconnect()
      })
      return
    }
    await transaction[end]()
    await producer.disconnect()
  }

  async remove(): Promise<void> {
    await withAdmin(this.stack.brokers, async (admin) => {
      const existing = await admin.listTopics()
      const topics = [...Object.values<string>(this.names), this.replays].filter((name) => existing.includes(name))
      await admin.deleteTopics({ topics })
    })
    await rm(this.folder, { recursive: true, force: true })
  }
}
