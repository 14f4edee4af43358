/**
 * Writes the beginning of a description from a captured request. It guesses the meaning of fields from their names and says so:
 * what it writes is to be compared with the document of the aggregator.
 */
import { decodeBody, trimWhiteSpace } from '../wire/body.js'
import type { Field } from '../wire/fields.js'
import { formFields, readFormBody } from '../wire/form-fields.js'
import { jsonFields } from '../wire/json-fields.js'
import { beginsLikeJson } from '../wire/json-rows.js'
import { readMultipart } from '../wire/multipart.js'
import { type CapturedRequest, receivedFromCapture } from './captured-request.js'
import { TIME_FORMATS, timeReader } from './time-formats.js'

/** The usual names of fields, in small letters and digits only. The first ones are the least ambiguous. */
const USUAL_NAMES = {
  messageId: ['messageid', 'msgid', 'messagesid', 'messageuuid', 'smsid', 'smssid', 'batchid', 'id'],
  recipient: [
    'to',
    'recipient',
    'tonumber',
    'destination',
    'destinationaddress',
    'dest',
    'phonenumber',
    'msisdn',
    'receiver',
  ],
  sender: [
    'from',
    'sender',
    'fromnumber',
    'senderid',
    'originator',
    'originatingaddress',
    'source',
    'origin',
    'shortcode',
  ],
  status: [
    'status',
    'messagestatus',
    'msgstatus',
    'deliverystatus',
    'dlrstatus',
    'dlrcode',
    'statuscode',
    'state',
    'resultcode',
  ],
  text: ['text', 'body', 'content', 'message', 'messagebody', 'msg'],
  errorCode: ['errorcode', 'errcode', 'error', 'err', 'reasoncode'],
  occurredAt: [
    'occurredat',
    'doneat',
    'donedate',
    'timestamp',
    'messagetimestamp',
    'receivedat',
    'datetime',
    'date',
    'time',
    'timeutc',
    'createdat',
    'created',
    'received',
    'delivered',
  ],
  clientReference: [
    'clientreference',
    'clientref',
    'clientmessageid',
    'callbackdata',
    'reference',
    'foreignid',
    'customid',
    'ref',
  ],
  network: ['mccmnc', 'networkcode', 'network', 'operator'],
  segments: ['segments', 'smscount', 'messagecount', 'numsegments', 'parts', 'units'],
} as const
type OurField = keyof typeof USUAL_NAMES

/** Members of a section that hold the value which the section is named after, as in `from[number]` and `status[code]`. */
const MEMBERS_WITH_VALUE = ['number', 'phonenumber', 'address', 'value', 'code', 'name']

/** The usual names of fields that tell receipts and messages apart, in small letters and digits only. */
const NAMES_OF_KINDS = ['eventtype', 'event', 'type', 'messagetype', 'direction']

const RECEIPT_FIELDS: readonly OurField[] = [
  'recipient',
  'sender',
  'errorCode',
  'occurredAt',
  'clientReference',
  'network',
  'segments',
]
const MESSAGE_FIELDS: readonly OurField[] = ['recipient', 'occurredAt', 'clientReference', 'network']

/** @param provider the name of the provider, which is also that of the file */
export function writeSkeleton(provider: string, request: CapturedRequest): string {
  const { rows, fields } = findItemFields(request)
  const names = fields.map(({ name }) => name).filter(canBeNamed)
  const anchor = findUsualName(USUAL_NAMES.status, names) ?? findUsualName(USUAL_NAMES.text, names)
  // The envelope of an event has an id and a time of its own, so the fields beside status or text come first.
  const surroundings = sectionsAround(anchor ?? '').map((section) =>
    names.filter((name) => name.startsWith(`${section}[`)),
  )
  const nameOf = (our: OurField): string | undefined =>
    [...surroundings, names].map((some) => findUsualName(USUAL_NAMES[our], some)).find((name) => name !== undefined)
  const isReceipt = nameOf('status') !== undefined
  const lines = [
    `provider: ${provider}`,
    `title: ${provider}`,
    '# The addresses of the documents that the facts come from.',
    'documents: [https://provider.example/docs]',
    '# Which facts the documents attest, and which are guesses. Every line below is a guess from the name of a field.',
    'unattested: Everything. It was guessed from one captured request.',
    '',
    'items:',
    `  - kind: ${isReceipt ? 'receipt' : 'message'}`,
    ...(rows === undefined ? [] : [`    rows: ${quote(rows)}`]),
    ...conditionLines(
      fields.filter(({ name }) => canBeNamed(name)),
      nameOf(isReceipt ? 'status' : 'text'),
    ),
    ...(isReceipt ? receiptLines(fields, nameOf) : messageLines(fields, nameOf)),
    '',
    '# The fields of the request:',
    ...fields.map(({ name, value }) => `#   ${quote(name)} = ${JSON.stringify(value.slice(0, 60))}`),
    '',
    'samples:',
    '  - name: the captured request',
    '    evidence: unknown',
    `    method: ${request.method}`,
    ...(request.query === '' ? [] : [`    query: ${quote(request.query)}`]),
    ...(request.contentType === undefined ? [] : [`    contentType: ${quote(request.contentType)}`]),
    `    body: ${quote(Buffer.from(request.body).toString('utf8').trimEnd())}`,
    '    # What the request must give. Replace numbers and texts of people before you pass this file on.',
    '    items:',
    `      - { kind: ${isReceipt ? 'dlr' : 'mo'} }`,
  ]
  return `${lines.join('\n')}\n`
}

/** A comma separates names, `=` begins a constant, and ` + ` joins names. No key of a description takes a control character. */
// eslint-disable-next-line no-control-regex -- the expression matches exactly these characters
const canBeNamed = (name: string): boolean => name !== '' && !/[,\u0000-\u001f\u007f]|^=| \+ /.test(name)

type NameOf = (our: OurField) => string | undefined

/** Finds what tells an item of this kind from the others: a field that names the kind, or else the field that only this kind has. */
const conditionLines = (fields: readonly Field[], ownField: string | undefined): string[] => {
  const kind = fields.find(
    ({ name, value }) => NAMES_OF_KINDS.includes(wholeName(name)) && /^[\w.:-]{1,40}$/.test(value),
  )
  const event = fields.find(({ name, value }) => name === 'name' && /^\w+(\.\w+)+$/.test(value))
  const found = kind ?? event
  if (found !== undefined) return [`    when: [{ field: ${quote(found.name)}, equals: [${quote(found.value)}] }]`]
  return ownField === undefined ? [] : [`    when: [{ field: ${quote(ownField)}, present: true }]`]
}

const receiptLines = (fields: readonly Field[], nameOf: NameOf): string[] => {
  const status = nameOf('status')
  const word = fields.find(({ name }) => name === status)?.value ?? 'delivered'
  return [
    ...requiredLines('messageId', nameOf),
    ...optionalLines(RECEIPT_FIELDS, fields, nameOf),
    '    status:',
    `      field: ${quote(status ?? 'TODO')}`,
    "      # The provider's words, and one of SCHEDULED, ENROUTE, DELIVERED, EXPIRED, DELETED, UNDELIVERABLE, ACCEPTED, UNKNOWN,",
    '      # REJECTED, SKIPPED for each.',
    `      values: { ${quote(word)}: UNKNOWN }`,
    '    identity: [messageId, status]',
  ]
}

const messageLines = (fields: readonly Field[], nameOf: NameOf): string[] => {
  const messageId = nameOf('messageId')
  return [
    ...(messageId === undefined ? [] : [`    messageId: ${quote(messageId)}`]),
    ...requiredLines('sender', nameOf),
    ...optionalLines(MESSAGE_FIELDS, fields, nameOf),
    ...requiredLines('text', nameOf),
    `    identity: ${messageId === undefined ? 'none' : '[messageId]'}`,
  ]
}

const requiredLines = (our: OurField, nameOf: NameOf): string[] => {
  const name = nameOf(our)
  if (name !== undefined) return [`    ${our}: ${quote(name)}`]
  return [`    # No field has a usual name for ${our}. Replace TODO by one of the fields below.`, `    ${our}: TODO`]
}

const optionalLines = (ours: readonly OurField[], fields: readonly Field[], nameOf: NameOf): string[] =>
  ours.flatMap((our) => {
    const name = nameOf(our)
    if (name === undefined) return []
    if (our !== 'occurredAt') return [`    ${our}: ${quote(name)}`]
    return timeLines(name, fields.find((field) => field.name === name)?.value)
  })

/** Names the format of a time after its value. A default that can't read the value would leave the time out without notice. */
const timeLines = (name: string, value: string | undefined): string[] => {
  for (const zone of [undefined, 'UTC']) {
    const format = TIME_FORMATS.find((each) => timeReader(each, zone)(value) !== null)
    if (format === undefined) continue
    const settings = [
      `field: ${quote(name)}`,
      ...(format === 'ISO 8601' ? [] : [`format: ${format}`]),
      ...(zone === undefined ? [] : [`zone: ${zone}`]),
    ]
    return [
      ...(zone === undefined ? [] : ['    # The time states no zone. Look up which one the provider means.']),
      `    occurredAt: { ${settings.join(', ')} }`,
    ]
  }
  return [
    `    # No format reads the time of the request: ${TIME_FORMATS.join(', ')}.`,
    `    occurredAt: ${quote(name)}`,
  ]
}

/** Writes a text as YAML, which reads JSON strings. The word null would be no text. */
const quote = (text: string): string =>
  /^[A-Za-z][\w-]*$/.test(text) && !/^null$/i.test(text) ? text : JSON.stringify(text)

/** Finds the field whose name is usual for a meaning: by its whole name, or by the innermost part of it. */
const findUsualName = (usual: readonly string[], names: readonly string[]): string | undefined => {
  for (const simplify of [wholeName, innermostName, nameOfSection]) {
    for (const each of usual) {
      const found = names.find((name) => simplify(name) === each)
      if (found !== undefined) return found
    }
  }
  return undefined
}

const wholeName = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, '')
const innermostName = (name: string): string => wholeName(/\[([^[\]]+)\]$/.exec(name)?.[1] ?? name)
/** The sections that a field lies in, from the innermost. One that the field is the value of is not among them. */
const sectionsAround = (name: string): string[] => {
  const sections: string[] = []
  let section = nameOfSection(name) === '' ? name : withoutMember(name)
  for (;;) {
    section = withoutMember(section)
    if (section === '') return sections
    sections.push(section)
  }
}

const withoutMember = (name: string): string => /^(.+)\[[^[\]]*\]$/.exec(name)?.[1] ?? ''

/** The name of the section whose value a member holds, such as `from` for `from[number]`; otherwise an empty text. */
const nameOfSection = (name: string): string => {
  const [, section, member] = /^(.+)\[([^[\]]+)\]$/.exec(name) ?? []
  return section !== undefined && MEMBERS_WITH_VALUE.includes(wholeName(member ?? '')) ? innermostName(section) : ''
}

interface ItemFields {
  /** The path of the list that the item stands in; undefined if the whole request is the item. */
  readonly rows: string | undefined
  readonly fields: readonly Field[]
}

const findItemFields = (request: CapturedRequest): ItemFields => {
  const received = receivedFromCapture(request)
  const query = formFields(request.query)
  const decoded = decodeBody(received)
  if ('kind' in decoded) return { rows: undefined, fields: query }
  const content = trimWhiteSpace(decoded.bytes)
  if (!beginsLikeJson(content)) {
    const form = readMultipart(received, decoded) ?? readFormBody(content, decoded.readText, received.body)
    return { rows: undefined, fields: 'kind' in form ? query : [...form, ...query] }
  }
  const list = findList(parseJson(decoded.readText(content)), '')
  const text = list === undefined ? decoded.readText(content) : JSON.stringify(list.first)
  const fields = jsonFields(text)
  return { rows: list?.path, fields: [...(Array.isArray(fields) ? fields : []), ...query] }
}

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Lists lie at most so deep. */
const MAX_LIST_DEPTH = 4

/** Finds the first list of objects, with its path as in the key `rows`. */
const findList = (value: unknown, path: string): { path: string; first: object } | undefined => {
  if (Array.isArray(value)) {
    const first: unknown = value[0]
    return isObject(first) ? { path: `${path}[]`, first } : undefined
  }
  if (!isObject(value) || path.split('.').length > MAX_LIST_DEPTH) return undefined
  for (const [key, member] of Object.entries(value)) {
    if (/[.[\]\s]/.test(key)) continue
    const found = findList(member, path === '' ? key : `${path}.${key}`)
    if (found !== undefined) return found
  }
  return undefined
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
