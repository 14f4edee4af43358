/** One entry of `sources`: an account at a provider, and how the connector receives from it. */
import { callback, sendsBySns, signsCallbacks } from './callback.js'
import { documentedDefault } from './json-schema.js'
import {
  CODED_PROVIDERS,
  type KnownProviders,
  PROVIDERS,
  providersWith,
  type ProviderTraits,
  PROVIDER_NAME_PATTERN,
} from './provider-traits.js'
import { rule, section, withDefaults, type Keys } from './section.js'
import { isEd25519PublicKey } from './signature-scheme.js'
import { MAX_AGE, baseUrl, duration, httpUrl, list, size, text, textMatching, value, wholeNumber } from './values.js'

const isGreater = (a: unknown, b: unknown): boolean => typeof a === 'number' && typeof b === 'number' && a > b

const pageSize = (defaultSize: number) => wholeNumber({ min: 1, max: 1_000_000, default: defaultSize })

const limit = () =>
  section({
    min: pageSize(10).describe('Smallest page size.'),
    start: pageSize(50).describe('Page size of the first request.'),
    max: pageSize(1000).describe(
      'Largest page size. An answer that is lost on the network loses up to this many items.',
    ),
    itemsPerSecond: wholeNumber({ min: 1, max: 1_000_000, default: 1000 }).describe(
      'Rate with which a page must keep up. While a queue is drained, the page size is about this rate multiplied by the round trip, and an answer that is lost costs that many items.',
    ),
  }).check(
    rule({
      at: ['min'],
      holds: ({ min, start }) => !isGreater(min, start),
      problem: 'is greater than start; min <= start <= max is expected',
    }),
    rule({
      at: ['start'],
      holds: ({ start, max }) => !isGreater(start, max),
      problem: 'is greater than max; min <= start <= max is expected',
    }),
  )

const pull = () =>
  section({
    url: httpUrl()
      .exactOptional()
      .describe('Address of the queue. Some providers give each account its own; then there is no default.')
      .meta(documentedDefault(PROVIDERS.mtarget.pull.url)),
    username: text()
      .exactOptional()
      .describe('User name of the account. A provider that takes an API key alone needs none.'),
    password: text().describe('Password of the account, or its API key.'),
    serviceId: text()
      .exactOptional()
      .describe('Pulls only what belongs to this service id. If left out, everything of the account is pulled.'),
    limitParameter: textMatching('^[A-Za-z0-9._-]+$', 'the name of a parameter: letters, digits, ".", "_" and "-"')
      .exactOptional()
      .describe('Name of the request parameter that carries the page size.')
      .meta(documentedDefault(PROVIDERS.mtarget.pull.limitParameter)),
    limit: withDefaults(limit()).describe(
      'Page size: the largest number of items that one request asks for. It starts with `start` and adapts between `min` and `max`: it is the smallest that keeps up with `itemsPerSecond`.',
    ),
    idleDelay: duration({ min: '1ms', default: '3m' }).describe(
      'Delay after an empty answer, and the longest delay after errors.',
    ),
    timeout: duration({ min: '1ms', default: '30s' }).describe(
      'How long the connector waits for the next byte of an answer. There is no limit on the whole answer, because an answer that is given up is lost.',
    ),
    maxAnswer: size({ min: '1KiB', max: '1GiB', default: '64MiB' }).describe(
      'Largest answer. What arrived up to this size is kept, like an answer that was cut off. Keep it below journal.maxBytes.',
    ),
  })

const reconcile = () =>
  section({
    url: baseUrl('an http:// or https:// address')
      .exactOptional()
      .describe('Base address of the API.')
      .meta(documentedDefault(PROVIDERS.seven.reconcileUrl)),
    apiKey: text().describe('API key of the account, sent as X-Api-Key.'),
    after: duration({ min: '0s', max: MAX_AGE, default: '15m' }).describe(
      'Age at which a message without a final receipt is queried for the first time.',
    ),
    every: duration({ min: '1ms', default: '5m' }).describe('Interval at which such messages are queried.'),
    giveUpAfter: duration({ min: '1ms', max: MAX_AGE, default: '72h' }).describe(
      'Age at which a message is no longer queried.',
    ),
    requestsPerSecond: wholeNumber({ min: 1, max: 1000, default: 5 }).describe('Highest rate of requests to this API.'),
    log: withDefaults(
      section({
        every: duration({ min: '1ms' })
          .exactOptional()
          .describe('Interval at which the log is read. If left out, twelve times `every`, but at most 1h.'),
        days: wholeNumber({ min: 1, max: 31, default: 2 }).describe(
          'How many days back the log is read each time, including today.',
        ),
      }),
    ).describe(
      "Reads the provider's own log of sent and received messages, to find receipts and inbound messages whose callback never arrived.",
    ),
  })
    .check(
      rule({
        at: ['giveUpAfter'],
        holds: ({ after, giveUpAfter }) =>
          typeof after !== 'number' || typeof giveUpAfter !== 'number' || giveUpAfter > after,
        problem: 'is not longer than after, so no message would ever be queried; increase it, or decrease after',
      }),
    )
    .transform(({ log, ...rest }) => ({ ...rest, log: { ...log, every: log.every ?? defaultLogInterval(rest.every) } }))

const HOUR_MS = 3_600_000

/** With a short `every` missed items should be found quickly, so the log is then read more often than once an hour. */
const defaultLogInterval = (everyMs: number): number => Math.min(HOUR_MS, 12 * everyMs)

const hasQueue = (traits: ProviderTraits): boolean => traits.pull !== undefined
const hasReconcileApi = (traits: ProviderTraits): boolean => traits.reconcileUrl !== undefined
const needsTextFields = (traits: ProviderTraits): boolean => traits.textFields !== undefined
const namesEventTypes = (traits: ProviderTraits): boolean => traits.namesEventTypes

type FindTraits = (name: unknown) => ProviderTraits | undefined

/**
 * Refuses a key that has no meaning for the provider of the source.
 * @param scope the providers that it has a meaning for, as the end of a sentence
 */
const onlyFor =
  (findTraits: FindTraits) =>
  (path: [string, ...string[]], supports: (traits: ProviderTraits) => boolean, scope: string) =>
    rule({
      at: path,
      holds: (source) => {
        const traits = findTraits(source['provider'])
        return traits === undefined || supports(traits) || !hasPath(source, path)
      },
      problem: `is supported ${scope}`,
    })

const providerName = (known: KnownProviders) =>
  value({
    expected: `one of ${known.names.join(', ')}`,
    // Names of files that only the user has are not known to editors.
    jsonSchema: { anyOf: [{ enum: known.names }, { type: 'string', pattern: `${PROVIDER_NAME_PATTERN}|\\$\\{` }] },
    parse: (given) => (known.names.includes(given) ? given : undefined),
    options: known.names,
  }).superRefine((given, context) => {
    const found = known.find(given)
    if (found !== undefined && 'problem' in found) context.addIssue({ code: 'custom', message: found.problem })
  })

/** Whether a section that is there has the key, or is not there or is refused for another reason. */
const hasKey = (given: unknown, key: string): boolean =>
  typeof given !== 'object' || given === null || Object.hasOwn(given, key)

/** Whether the signing keys are of the kind that the signature of the provider needs. */
const isUsableKey = ({ provider, callback }: Keys, findTraits: FindTraits): boolean => {
  const needsPublicKey = findTraits(provider)?.signature?.ed25519 !== undefined
  const signingKey = needsPublicKey ? (callback as Keys | undefined)?.['signingKey'] : undefined
  return !Array.isArray(signingKey) || signingKey.every(isEd25519PublicKey)
}

const hasPath = (value: unknown, [first, ...rest]: readonly string[]): boolean => {
  if (first === undefined) return true
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, first)) return false
  return hasPath((value as Keys)[first], rest)
}

export const source = (known: KnownProviders = CODED_PROVIDERS) => {
  const findTraits: FindTraits = (name) => {
    const found = typeof name === 'string' ? known.find(name) : undefined
    return found === undefined || 'problem' in found ? undefined : found
  }
  const refuseOthers = onlyFor(findTraits)
  const refuseUnless = (path: [string, ...string[]], supports: (traits: ProviderTraits) => boolean, reason: string) =>
    refuseOthers(path, supports, `for provider ${providersWith(supports)} only: ${reason}`)
  return section({
    provider: providerName(known).describe('The SMS aggregator that the account belongs to.'),
    pull: pull()
      .exactOptional()
      .describe(`Pulls from the queue of the provider. Provider ${providersWith(hasQueue)} only.`),
    callback: callback().exactOptional().describe('Accepts callbacks of the provider at /callbacks/<source>.'),
    reconcile: reconcile()
      .exactOptional()
      .describe(
        `Queries the provider for items that the connector missed. Provider ${providersWith(hasReconcileApi)} only.`,
      ),
    textFields: list(text('the name of a field'), { minItems: 1 })
      .exactOptional()
      .describe(
        `Names of the fields that may hold the text of an inbound message; the first one that is present is used. Provider ${providersWith(needsTextFields)} only.`,
      ),
    ignoreEvents: list(text('an event type'), { minItems: 0 })
      .exactOptional()
      .describe(
        `Event types that are dropped instead of becoming dead letters. Provider ${providersWith(namesEventTypes)} only.`,
      ),
  })
    .check(
      rule({
        holds: (keys) => 'pull' in keys || 'callback' in keys,
        problem: 'receives nothing; add pull, callback or both',
      }),
      refuseUnless(['pull'], hasQueue, 'other providers have no queue'),
      rule({
        at: ['pull', 'url'],
        holds: ({ provider, pull }) => {
          const queue = findTraits(provider)?.pull
          return hasKey(pull, 'url') || queue === undefined || queue.url !== undefined
        },
        problem: 'is missing; the provider gives each account an address of its own',
      }),
      rule({
        at: ['pull', 'username'],
        holds: ({ provider, pull }) => {
          const queue = findTraits(provider)?.pull
          return hasKey(pull, 'username') || queue === undefined || !queue.needsUsername
        },
        problem: 'is missing; a text of at least one character and without line breaks is expected',
      }),
      refuseUnless(['reconcile'], hasReconcileApi, 'other providers have no such API'),
      refuseUnless(['callback', 'signingKey'], signsCallbacks, 'other providers sign nothing'),
      refuseOthers(
        ['callback', 'topicArns'],
        sendsBySns,
        'only for a provider whose callbacks come by Amazon SNS, such as aws-sns',
      ),
      rule({
        at: ['callback', 'signingKey'],
        holds: (keys) => isUsableKey(keys, findTraits),
        problem: 'is no public key of Ed25519; 32 bytes in Base64 are expected',
      }),
      refuseUnless(['textFields'], needsTextFields, 'other providers document the field'),
      refuseUnless(['ignoreEvents'], namesEventTypes, 'other providers name no event types'),
    )
    .transform(({ pull, reconcile, callback, ...given }) => {
      // The addresses depend on the provider: the credentials of one provider must never be sent to another.
      const { pull: queue, reconcileUrl, textFields = [], answer, signature, digest } = findTraits(given.provider) ?? {}
      return {
        ...given,
        ...(digest !== undefined && { descriptionDigest: digest }),
        ...(callback && {
          callback: {
            ...(answer !== undefined && { answer }),
            ...(signature !== undefined && (callback.signingKey ?? callback.topicArns) !== undefined && { signature }),
            ...callback,
          },
        }),
        ...(pull && {
          pull: {
            ...pull,
            url: pull.url ?? queue!.url!,
            username: pull.username ?? '',
            limitParameter: pull.limitParameter ?? queue!.limitParameter,
          },
        }),
        ...(reconcile && { reconcile: { ...reconcile, url: reconcile.url ?? reconcileUrl! } }),
        textFields: given.textFields ?? [...textFields],
        ignoreEvents: given.ignoreEvents ?? [],
      }
    })
}

/** The name of a source is part of paths and of metrics. */
export const SOURCE_NAME_PATTERN = '^(?!\\.{1,2}$)[A-Za-z0-9._-]{1,100}$'
export const SOURCE_NAME_EXPECTED = 'a name of 1 to 100 letters, digits, ".", "_" and "-"'
