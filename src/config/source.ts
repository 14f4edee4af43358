/** One entry of `sources`: an account at a provider, and the ways in which it hands us something. */
import * as z from 'zod'
import { callback } from './callback.js'
import { LONGEST_AGE, choice, duration, pattern, size, text, wholeNumber } from './field.js'
import { PROVIDERS, PROVIDER_NAMES, providersWith, traitsOf, type ProviderTraits } from './providers.js'
import { baseUrl, list, rule, section, withDefaults, url } from './section.js'

interface Limit {
  readonly min: number
  readonly start: number
  readonly max: number
}

const isMore = (a: unknown, b: unknown): boolean => typeof a === 'number' && typeof b === 'number' && a > b

const limit = () =>
  section({
    min: wholeNumber(1, 1_000_000).prefault(10).describe('Least number of items a page is asked for.'),
    start: wholeNumber(1, 1_000_000).prefault(50).describe('Number of items that the first page is asked for.'),
    max: wholeNumber(1, 1_000_000)
      .prefault(1000)
      .describe('Most items a page is asked for. An answer that dies on the wire loses so many.'),
  }).check(
    rule<Limit>(
      'is more than start; min <= start <= max is expected',
      ['min'],
      ({ min, start }) => !isMore(min, start),
    ),
    rule<Limit>(
      'is more than max; min <= start <= max is expected',
      ['start'],
      ({ start, max }) => !isMore(start, max),
    ),
  )

const pull = () =>
  section({
    url: url().prefault(PROVIDERS.mtarget.pullUrl).describe('Address of the queue.'),
    username: text().describe('User name of the account.'),
    password: text().describe('Password of the account.'),
    serviceId: text().exactOptional().describe('Only what belongs to this service id. Left out: all of the account.'),
    limitParameter: pattern('the name of a parameter: letters, digits, ".", "_" and "-"', '^[A-Za-z0-9._-]+$')
      .prefault('max')
      .describe('Name of the parameter that carries the page size.'),
    limit: withDefaults(limit()).describe('Items a page; follows the pace between min and max, beginning with start.'),
    idleDelay: duration('1ms')
      .prefault('3m')
      .describe('Wait after an empty answer, and the longest wait after errors.'),
    timeout: duration('1ms')
      .prefault('30s')
      .describe(
        'Time without a byte after which an answer is given up; never a total, because giving up on an answer loses it.',
      ),
    maxAnswer: size('1KiB', '1GiB')
      .prefault('64MiB')
      .describe(
        'Most bytes of one answer; what arrived up to there is kept, like an answer that was cut. Keep it below journal.maxBytes.',
      ),
  })

const reconcile = () =>
  section({
    url: baseUrl('an http:// or https:// address')
      .prefault(PROVIDERS.seven.reconcileUrl)
      .describe('Base address of the API.'),
    apiKey: text().describe('API key of the account, sent as X-Api-Key.'),
    after: duration('0s', LONGEST_AGE)
      .prefault('15m')
      .describe('Age at which a message without a final receipt is first asked for.'),
    every: duration('1ms').prefault('5m').describe('How often such messages are asked for.'),
    giveUpAfter: duration('1ms', LONGEST_AGE)
      .prefault('72h')
      .describe('Age at which a message is no longer asked for.'),
    requestsPerSecond: wholeNumber(1, 1000).prefault(5).describe('Most requests a second to this API.'),
    log: withDefaults(
      section({
        every: duration('1ms')
          .exactOptional()
          .describe('How often the log is read. Left out: twelve times `every`, but at most 1h.'),
        days: wholeNumber(1, 31).prefault(2).describe('How many days back the log is read each time, today included.'),
      }),
    ).describe(
      "Reads the provider's own log of messages sent and received, to find receipts and inbound messages whose callback never came.",
    ),
  })
    .check(
      rule<{ after: number; giveUpAfter: number }>(
        'is not more than after: nothing would ever be asked for',
        ['giveUpAfter'],
        ({ after, giveUpAfter }) => typeof after !== 'number' || typeof giveUpAfter !== 'number' || giveUpAfter > after,
      ),
    )
    .transform(({ log, ...rest }) => ({ ...rest, log: { ...log, every: log.every ?? defaultLogInterval(rest.every) } }))

/** A short `every` asks for quick repair, so the log is read more often than each hour then, too. */
const defaultLogInterval = (every: number): number => Math.min(3_600_000, 12 * every)

interface SourceKeys {
  readonly provider?: unknown
  readonly [key: string]: unknown
}

/** A key that the provider of the source can do nothing with. */
const onlyWhere = (path: [string, ...string[]], can: (traits: ProviderTraits) => boolean, why: string) =>
  rule<SourceKeys>(`is for provider ${providersWith(can)}: ${why}`, path, (source) => {
    const traits = traitsOf(source.provider)
    return traits === undefined || can(traits) || !reaches(source, path)
  })

const reaches = (value: unknown, [first, ...rest]: readonly string[]): boolean => {
  if (first === undefined) return true
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, first)) return false
  return reaches((value as Record<string, unknown>)[first], rest)
}

export const source = () =>
  section({
    provider: choice(...PROVIDER_NAMES).describe('The SMS aggregator.'),
    pull: pull().exactOptional().describe('Take from the queue of the provider. Provider mtarget only.'),
    callback: callback().exactOptional().describe('Take callbacks of the provider at /callbacks/<source>.'),
    reconcile: reconcile().exactOptional().describe('Ask the provider for what was missed. Provider seven only.'),
    textFields: list(text('the name of a field'), { least: 1 }).exactOptional().meta({
      default: PROVIDERS.mtarget.textFields,
      description: "Where an inbound message's text is looked for; the first present wins. Provider mtarget only.",
    }),
    ignoreEvents: list(text('an event type'), { least: 0 }).exactOptional().meta({
      default: [],
      description: 'Event types that are dropped on purpose instead of becoming dead letters. Provider seven only.',
    }),
  })
    .check(
      rule<SourceKeys>(
        'has no way in; give it pull, callback or both',
        [],
        (keys) => 'pull' in keys || 'callback' in keys,
      ),
      onlyWhere(['pull'], (traits) => traits.pullUrl !== undefined, 'the others have no queue to pull'),
      onlyWhere(
        ['reconcile'],
        (traits) => traits.reconcileUrl !== undefined,
        "the others can't be asked for what was missed",
      ),
      onlyWhere(['callback', 'signingKey'], (traits) => traits.signs, 'the others sign nothing'),
      onlyWhere(['textFields'], (traits) => traits.textFields !== undefined, 'the others name the field'),
      onlyWhere(['ignoreEvents'], (traits) => traits.namesEvents, 'the others name no event types'),
    )
    .transform((given) => ({
      ...given,
      textFields: given.textFields ?? [...(traitsOf(given.provider)?.textFields ?? [])],
      ignoreEvents: given.ignoreEvents ?? [],
    }))

/** Part of a path and of metrics. */
export const SOURCE_NAME = '^(?!\\.{1,2}$)[A-Za-z0-9._-]{1,100}$'
export const SOURCE_NAME_EXPECTED = 'a name of 1 to 100 letters, digits, ".", "_" and "-"'

export type Source = z.output<ReturnType<typeof source>>
