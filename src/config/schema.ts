/**
 * The whole configuration: every key with its default and its meaning.
 *
 * The types of the program, the checks of `load.ts` and `config/connector.schema.json` are derived from it.
 */
import * as z from 'zod'
import { kafka } from './kafka.js'
import { admin, callbacks, duplicates, instance, journal, log, sharing } from './root-sections.js'
import { proxy } from './proxy.js'
import { telemetry } from './telemetry.js'
import { records } from './records.js'
import { registry } from './registry.js'
import { CODED_PROVIDERS, type KnownProviders } from './provider-traits.js'
import { isSection, rule, section, withDefaults } from './section.js'
import { SOURCE_NAME_EXPECTED, SOURCE_NAME_PATTERN, source } from './source.js'
import { duration, text } from './values.js'

const sources = (known: KnownProviders) =>
  z
    .record(z.string(), source(known), { error: 'a section with at least one source' })
    .check(
      rule({
        holds: (given) => Object.keys(given).length > 0,
        problem: 'is empty; at least one source is expected',
      }),
    )
    .superRefine(checkNames, { when: isSection })
    .meta({ minProperties: 1, propertyNames: { type: 'string', pattern: SOURCE_NAME_PATTERN } })
    .transform((given) => new Map(Object.entries(given).map(([name, each]) => [name, { name, ...each }] as const)))

const checkNames = (given: object, context: z.core.$RefinementCtx): void => {
  for (const name of Object.keys(given)) {
    if (new RegExp(SOURCE_NAME_PATTERN).test(name)) continue
    context.addIssue({
      code: 'custom',
      message: `this can't be the name of a source; ${SOURCE_NAME_EXPECTED} is expected`,
      path: [name],
    })
  }
}

interface RootKeys {
  readonly callbacks?: { readonly host?: unknown; readonly port?: unknown }
  readonly admin?: { readonly host?: unknown; readonly port?: unknown }
  readonly kafka?: { readonly topics?: Readonly<Record<string, unknown>> }
  readonly sharing?: { readonly topic?: unknown }
}

const ANY_ADDRESS = ['0.0.0.0', '::']

/** Whether both servers would listen on the same port of the same address. */
const serversCollide = ({ callbacks, admin }: RootKeys): boolean => {
  const port = callbacks?.port
  if (typeof port !== 'number' || port === 0 || port !== admin?.port) return false
  const hosts = [String(callbacks?.host), String(admin.host)]
  return hosts[0] === hosts[1] || hosts.some((host) => ANY_ADDRESS.includes(host))
}

/** @param known the providers that a source can name */
export const createSchema = (known: KnownProviders) =>
  section({
    instance: instance()
      .exactOptional()
      .describe(
        'Name of this process in Kafka. It must be stable across restarts and unique on the cluster, because a second process of the same name takes over. Default: the host name.',
      ),
    kafka: kafka().describe('The Kafka cluster that events are published to.'),
    registry: registry().describe('The schema registry.'),
    proxy: proxy()
      .exactOptional()
      .describe(
        'The HTTP proxy for pulls, reconciliation, the schema registry and token endpoints, but not for Kafka. If left out, HTTPS_PROXY, HTTP_PROXY and NO_PROXY of the environment decide.',
      ),
    journal: withDefaults(journal()).describe(
      'The journal, which holds everything that was received until Kafka has acknowledged it.',
    ),
    callbacks: withDefaults(callbacks()).describe('The server that providers call.'),
    admin: withDefaults(admin()).describe('The server for operators: health, metrics and status.'),
    shutdownGrace: duration({ min: '0s', default: '20s' }).describe(
      'How long publishing continues after SIGTERM. What is left then stays in the journal for the next start.',
    ),
    sharing: sharing()
      .exactOptional()
      .describe(
        'Divides pulling and reconciling among replicas; {} takes the defaults. If left out, this instance does all of it.',
      ),
    duplicates: withDefaults(duplicates()).describe(
      'What is remembered in order to publish each item with an identity once.',
    ),
    records: withDefaults(records()).describe(
      'What the records of receipts and messages hold of people. Identity, order and replays do not depend on it.',
    ),
    log: withDefaults(log()).describe('The log: JSON lines on standard output.'),
    telemetry: telemetry()
      .exactOptional()
      .describe(
        'Export of traces, metrics and log lines by OpenTelemetry. If left out, the OTEL_ variables of the environment decide, and without them nothing is exported.',
      ),
    providers: section({
      directory: text('a path')
        .exactOptional()
        .describe(
          'Directory with descriptions of aggregators, one file <provider>.yaml each, beside those that the connector brings with it. A relative path is relative to the working directory.',
        ),
    })
      .exactOptional()
      .describe('Aggregators that you describe yourself.'),
    sources: sources(known).describe(
      'The accounts at providers that the connector receives from. Their names become part of URLs, keys and metrics.',
    ),
  }).check(
    rule<RootKeys>({
      at: ['admin', 'port'],
      holds: (root) => !serversCollide(root),
      problem: 'is also the port of callbacks; choose another port',
    }),
    rule<RootKeys>({
      at: ['sharing', 'topic'],
      holds: ({ kafka, sharing }) =>
        typeof sharing?.topic !== 'string' || !Object.values(kafka?.topics ?? {}).includes(sharing.topic),
      problem: 'is also one of kafka.topics; it must be a topic of its own',
    }),
  )

/** The schema with the coded providers only. */
export const schema = createSchema(CODED_PROVIDERS)
