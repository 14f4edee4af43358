/**
 * The description of an aggregator's wire format: a closed format of YAML, from which `provider.ts` builds a provider.
 *
 * A name of a field is that of `raw`: the name of a form field or query parameter, or of a JSON member, with nested members
 * as `data[id]` and elements of arrays as `data[0]`. Beside rows, a name such as `event[id]` is counted from the root, and
 * the fields of a row from the row.
 *
 * A value is read from the first of several names that is present. Names that are joined by ` + ` give one text with colons
 * in between, and only if all of them are present. A text behind `=` is a constant.
 */
import * as z from 'zod'
import { DELIVERY_STATUSES } from '../../core/event.js'
import { answer } from '../../config/callback.js'
import { signatureScheme } from '../../config/signature-scheme.js'
import { alternativeForm } from '../../config/json-schema.js'
import { PROVIDER_NAME_EXPECTED, PROVIDER_NAME_PATTERN } from '../../config/provider-traits.js'
import { rule, section, type Keys, withDefaults } from '../../config/section.js'
import { boolean, httpUrl, list, oneOf, text, textMatching, wholeNumber } from '../../config/values.js'
import { TIME_FORMATS, ZONELESS_FORMATS } from './time-formats.js'

export const ITEM_KINDS = ['receipt', 'message', 'ignored', 'unsupported', 'subscription'] as const
export const IDENTITY_FIELDS = [
  'messageId',
  'status',
  'recipient',
  'sender',
  'occurredAt',
  'errorCode',
  'part',
] as const
const OPT_OUTS = ['STOP', 'START', 'HELP', 'OTHER'] as const
const TEXT_CODINGS = ['plain', 'percent', 'hex', 'base64'] as const

const names = () =>
  list(text('the name of a field'), { minItems: 1 }).describe(
    'The names of the field; the first that is present counts.',
  )

/** A section that has one main key, whose value may stand in place of the section. */
const orOnly = <T extends z.ZodType>(key: string, whole: T) =>
  z
    .preprocess((given) => (isNames(given) ? { [key]: given } : given), whole)
    .meta(alternativeForm({ anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }] }))

const isNames = (given: unknown): boolean => typeof given === 'string' || Array.isArray(given)

const table = <T extends string>(...targets: T[]) =>
  z
    .record(z.string(), oneOf(...targets), { error: `a section of the provider's words and ${targets.join(', ')}` })
    .check(
      rule({
        holds: (words) =>
          new Set(Object.keys(words).map((word) => word.toUpperCase())).size === Object.keys(words).length,
        problem: 'has a word twice; words are compared without regard to case',
      }),
    )

const condition = () =>
  section({
    field: text('the name of a field').describe('The name of the field.'),
    equals: list(text('a value of the field'), { minItems: 1 })
      .exactOptional()
      .describe('The condition holds if the field has one of these values.'),
    present: boolean()
      .exactOptional()
      .describe('The condition holds if the field has a value (true), or if it is absent, null or empty (false).'),
  }).check(
    rule({
      holds: (keys) => 'equals' in keys !== 'present' in keys,
      problem: 'tests nothing, or two things; set either equals or present',
    }),
  )

const time = () =>
  orOnly(
    'field',
    section({
      field: names(),
      format: oneOf(...TIME_FORMATS)
        .prefault('ISO 8601')
        .describe('How the time is written.'),
      zone: textMatching('^[A-Za-z0-9_+/-]+$', 'a time zone such as UTC or Europe/Paris')
        .exactOptional()
        .describe('The time zone of a time that states none, by its name in the IANA database.'),
    }).check(
      rule({
        at: ['zone'],
        holds: ({ format, zone }) => zone !== undefined || !(ZONELESS_FORMATS as readonly unknown[]).includes(format),
        problem: 'is missing; times of this format state no zone',
      }),
      rule({
        at: ['zone'],
        holds: ({ zone }) => typeof zone !== 'string' || isTimeZone(zone),
        problem: 'is no time zone of the IANA database; write for instance UTC or Europe/Paris',
      }),
    ),
  )

const isTimeZone = (zone: string): boolean => {
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: zone })
    return true
  } catch {
    return false
  }
}

const status = () =>
  section({
    field: names(),
    second: names()
      .exactOptional()
      .describe(
        'A second field. A word of the table may name values of both, separated by a space; such a word goes first.',
      ),
    values: table(...DELIVERY_STATUSES).describe(
      "The provider's words and what they mean in SMPP. A word that is not in the table is UNKNOWN.",
    ),
    final: list(text('a word of the table'), { minItems: 1 })
      .exactOptional()
      .describe('Words after which no further receipt comes, although their SMPP status does not say so.'),
    finalField: names()
      .exactOptional()
      .describe('A field that says whether the status is final: true or false, 1 or 0.'),
  })

const textField = () =>
  orOnly(
    'field',
    section({
      field: names(),
      coding: oneOf(...TEXT_CODINGS)
        .prefault('plain')
        .describe('How the text is written in the field.'),
      charset: text('a character set such as UTF-8 or UTF-16BE')
        .prefault('UTF-8')
        .describe('The character set of a coded text.'),
      charsetField: names().exactOptional().describe('A field that names the character set instead.'),
    }),
  )

/** The keys of an item, by the kinds that have them. */
const KEYS_OF_RECEIPT = ['status', 'statusText', 'errorCode', 'segments', 'price']
const KEYS_OF_MESSAGE = ['text', 'keyword', 'inReplyTo', 'optOut']
const KEYS_OF_EVENT = [
  'messageId',
  'recipient',
  'sender',
  'occurredAt',
  'clientReference',
  'network',
  'part',
  'identity',
  'identityFields',
]

const keysOnlyFor = (keys: readonly string[], kinds: readonly string[]) =>
  keys.map((key) =>
    rule({
      at: [key],
      holds: (item) => !(key in item) || !isItemKind(item['kind']) || kinds.includes(item['kind']),
      problem: `has no meaning for an item of this kind; it is for ${kinds.join(' and ')}`,
    }),
  )

const requiredFor = (key: string, kinds: readonly string[], what: string) =>
  rule({
    at: [key],
    holds: (item: Keys) => key in item || !kinds.includes(String(item['kind'])),
    problem: `is missing; ${what} is expected`,
  })

const isItemKind = (value: unknown): value is (typeof ITEM_KINDS)[number] =>
  (ITEM_KINDS as readonly unknown[]).includes(value)

const ROWS_PATTERN = '^(\\[\\]|[^.\\[\\]\\s]+(\\.[^.\\[\\]\\s]+)*\\[\\](\\.[^.\\[\\]\\s]+(\\.[^.\\[\\]\\s]+)*\\[\\])?)$'

const item = () =>
  section({
    kind: oneOf(...ITEM_KINDS).describe(
      'What the item is: a delivery receipt, an inbound message, something that is dropped on purpose, something that becomes a dead letter of its own reason, or a message about a subscription, which is dropped if `callback.topicArns` has the connector handle it, and else becomes a dead letter.',
    ),
    rows: textMatching(ROWS_PATTERN, 'a path to a list such as results[], event.moText[] or statuses[].recipients[]')
      .exactOptional()
      .describe('Where the items of a JSON body are. If left out, the whole request is one item.'),
    json: names()
      .exactOptional()
      .describe('A field whose text is JSON. Its members take the place of the field, under their own names.'),
    when: list(condition(), { minItems: 1 }).exactOptional().describe('Conditions that must all hold.'),
    messageId: names().exactOptional().describe("The provider's id of the message."),
    recipient: names().exactOptional().describe('The number that the message was sent to.'),
    sender: names().exactOptional().describe('The number or name that the message was sent from.'),
    status: status().exactOptional().describe('The status that the receipt reports.'),
    statusText: names().exactOptional().describe("The provider's text about the status."),
    errorCode: names().exactOptional().describe('The code of a failure.'),
    occurredAt: time()
      .exactOptional()
      .describe('When the message reached the status, or when the provider received it.'),
    clientReference: names().exactOptional().describe("The sender's own reference."),
    network: names()
      .exactOptional()
      .describe('The mobile network. Names joined by " + " are the country code and the network code.'),
    segments: names().exactOptional().describe('The number of SMS that the message was sent or charged as.'),
    price: section({
      amount: names(),
      currency: names().exactOptional().describe('The ISO 4217 code.'),
    })
      .exactOptional()
      .describe('What was charged.'),
    part: section({ reference: names(), number: names(), total: names() })
      .exactOptional()
      .describe('Which part of a long text the item is about. Numbers count from 1.'),
    text: textField().exactOptional().describe('The text of an inbound message.'),
    keyword: names().exactOptional().describe('The keyword that the provider found in the text.'),
    inReplyTo: names().exactOptional().describe('The id of the sent message that an inbound message answers.'),
    optOut: section({ field: names(), values: table(...OPT_OUTS) })
      .exactOptional()
      .describe('What the provider took the message for, if it recognises opt-outs.'),
    identity: list(oneOf('none', ...IDENTITY_FIELDS), { minItems: 1 })
      .exactOptional()
      .describe('The fields by which two arrivals are the same item; none if nothing identifies it.'),
    identityFields: names().exactOptional().describe('Further fields of the request that belong to the identity.'),
    detail: text('a sentence').exactOptional().describe('What to tell about an unsupported item.'),
  }).check(
    ...keysOnlyFor(KEYS_OF_RECEIPT, ['receipt']),
    ...keysOnlyFor(KEYS_OF_MESSAGE, ['message']),
    ...keysOnlyFor(KEYS_OF_EVENT, ['receipt', 'message']),
    ...keysOnlyFor(['detail'], ['unsupported']),
    requiredFor('messageId', ['receipt'], 'the field with the id of the message'),
    requiredFor('status', ['receipt'], 'the field with the status, and its table,'),
    requiredFor('sender', ['message'], 'the field with the number of the handset'),
    requiredFor('text', ['message'], 'the field with the text'),
    requiredFor('identity', ['receipt', 'message'], `a list of ${IDENTITY_FIELDS.join(', ')}, or none,`),
    requiredFor('when', ['ignored', 'unsupported', 'subscription'], 'at least one condition'),
    rule({
      at: ['identity'],
      holds: ({ identity }) => !Array.isArray(identity) || !identity.includes('none') || identity.length === 1,
      problem: 'has none beside other fields; remove one or the other',
    }),
  )

const credentials = () =>
  section({
    header: textMatching('^[A-Za-z0-9-]+$', 'the name of a header field')
      .exactOptional()
      .describe('The header field that carries the password. If left out, HTTP Basic carries user name and password.'),
    prefix: z.string().exactOptional().describe('A text in front of the password, such as "App ".'),
  })

const QUEUE_ROWS_PATTERN = '^(\\[\\]|[^.\\[\\]\\s]+(\\.[^.\\[\\]\\s]+)*\\[\\])$'

const pull = () =>
  section({
    url: httpUrl()
      .exactOptional()
      .describe('The default address of the queue. It is left out if each account has its own.'),
    limitParameter: textMatching('^[A-Za-z0-9._-]+$', 'the name of a parameter').describe(
      'The query parameter that carries the page size.',
    ),
    credentials: withDefaults(credentials()).describe('How the account is proved.'),
    rows: textMatching(QUEUE_ROWS_PATTERN, 'a path to a list such as results[]').describe(
      'Where the items of a page are. An empty list is an empty queue.',
    ),
  })

const EVIDENCE = ['attested', 'second-hand', 'unknown'] as const

const sample = () =>
  section({
    name: text('a phrase').describe('What the sample shows.'),
    evidence: oneOf(...EVIDENCE).describe("Whether the provider's own document has it."),
    method: oneOf('GET', 'POST', 'PUT').prefault('POST').describe('The method of the request.'),
    query: z.string().prefault('').describe('The query of the request, without its question mark.'),
    contentType: text('a content type').exactOptional().describe('The content type of the body.'),
    body: z.string().prefault('').describe('The body of the request.'),
    items: z
      .array(z.record(z.string(), z.unknown(), { error: 'a section with fields of an item' }), {
        error: 'a list of items',
      })
      .describe('The items that the request gives, in order. Only the fields that are named are compared.'),
  })

/** What `parseDescription` checks a file against. */
export const descriptionSchema = section({
  provider: textMatching(PROVIDER_NAME_PATTERN, PROVIDER_NAME_EXPECTED).describe(
    'The name of the provider: `provider` of a source and of every record.',
  ),
  title: text().describe('The name of the aggregator and of its product.'),
  documents: list(text('an address'), { minItems: 1 }).describe('Where the facts come from.'),
  version: wholeNumber({ min: 1, max: 1, default: 1 }).describe('The version of this format.'),
  attested: text().exactOptional().describe("Which of the facts the provider's own documents or programs attest."),
  unattested: text().exactOptional().describe('Which facts are second-hand or unknown.'),
  verification: signatureScheme()
    .exactOptional()
    .describe(
      'How the provider signs its callbacks. A source with `callback.signingKey`, or with `callback.topicArns`, verifies it.',
    ),
  pull: pull()
    .exactOptional()
    .describe('A queue that the provider empties by handing it out, read by GET. A source with `pull` empties it.'),
  answer: answer()
    .exactOptional()
    .describe('The answer that the provider expects to a callback. If left out, 200 without a body.'),
  items: z
    .array(item(), { error: 'a list of items' })
    .min(1, { error: 'a list of at least one item' })
    .describe('The items, in the order in which they are tried. The first whose conditions hold counts.'),
  samples: z.array(sample(), { error: 'a list of samples' }).prefault([]).describe('Requests, and the items in them.'),
})

export type Description = z.output<typeof descriptionSchema>
export type ItemDescription = Description['items'][number]
export type SampleDescription = Description['samples'][number]
export type QueueDescription = NonNullable<Description['pull']>
export type Condition = NonNullable<ItemDescription['when']>[number]
