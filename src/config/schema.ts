/**
 * The whole configuration: every key, its default and its meaning.
 *
 * From this come the types that the program works with, the checks of `load.ts`, and `config/connector.schema.json`.
 */
import * as z from 'zod'
import { duration } from './field.js'
import { kafka, registry } from './kafka.js'
import { isSection, rule, section, withDefaults } from './section.js'
import { admin, callbacks, duplicates, instance, journal, log, sharing } from './server.js'
import { SOURCE_NAME, SOURCE_NAME_EXPECTED, source } from './source.js'

const AT_LEAST_ONE = 'at least one source'

const sources = () =>
  z
    .record(z.string(), source(), { error: `a section with ${AT_LEAST_ONE}` })
    .check(rule<object>(`is empty; ${AT_LEAST_ONE} is expected`, [], (given) => Object.keys(given).length > 0))
    .superRefine(nameAll, { when: isSection })
    .meta({ minProperties: 1, propertyNames: { type: 'string', pattern: SOURCE_NAME } })
    .transform((given) => new Map(Object.entries(given).map(([name, each]) => [name, { name, ...each }] as const)))

const nameAll = (given: object, context: z.core.$RefinementCtx): void => {
  for (const name of Object.keys(given)) {
    if (new RegExp(SOURCE_NAME).test(name)) continue
    context.addIssue({
      code: 'custom',
      message: `a source can't be called this; ${SOURCE_NAME_EXPECTED} is expected`,
      path: [name],
    })
  }
}

interface Listeners {
  readonly callbacks?: { readonly host?: unknown; readonly port?: unknown }
  readonly admin?: { readonly host?: unknown; readonly port?: unknown }
}

const EVERYWHERE = ['0.0.0.0', '::']

const meet = ({ callbacks: one, admin: other }: Listeners): boolean => {
  if (one?.port !== other?.port || one?.port === 0 || typeof one?.port !== 'number') return false
  return one.host === other?.host || [one.host, other?.host].some((host) => EVERYWHERE.includes(String(host)))
}

interface Topics {
  readonly kafka?: { readonly topics?: Readonly<Record<string, unknown>> }
  readonly sharing?: { readonly topic?: unknown }
}

export const schema = section({
  instance: instance()
    .exactOptional()
    .describe(
      'Name of this process in Kafka: stable across restarts and unique on the cluster, because a second process of the same name takes over. Default: the host name.',
    ),
  kafka: kafka().describe('Where events are published.'),
  registry: registry().describe('Where schemas are kept.'),
  journal: withDefaults(journal()).describe('What holds everything received until Kafka has it.'),
  callbacks: withDefaults(callbacks()).describe('The port that providers call.'),
  admin: withDefaults(admin()).describe('The port for operation: health, metrics, status.'),
  shutdownGrace: duration('0s')
    .prefault('20s')
    .describe('After SIGTERM: how long publishing goes on. What is left then stays in the journal for the next start.'),
  sharing: sharing()
    .exactOptional()
    .describe(
      'Replicas divide pulling and reconciling among them; {} takes the defaults. Left out: this instance does all of it.',
    ),
  duplicates: withDefaults(duplicates()).describe('What is remembered in order to publish each identified item once.'),
  log: withDefaults(log()).describe('The log, JSON lines on standard output.'),
  sources: sources().describe('The accounts that we take from; their names become part of URLs, keys and metrics.'),
}).check(
  rule<Listeners>('is the port of callbacks too; the two must differ', ['admin', 'port'], (config) => !meet(config)),
  rule<Topics>('is also one of kafka.topics; it must be a topic of its own', ['sharing', 'topic'], (config) => {
    const own = config.sharing?.topic
    return typeof own !== 'string' || !Object.values(config.kafka?.topics ?? {}).includes(own)
  }),
)
