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

/** The usual names of fields, in small letters and digits only. The first ones are the least ambiguous. */
const USUAL_NAMES = {
  messageId: ['messageid', 'msgid', 'messagesid', 'messageuuid', 'smsid', 'smssid', 'batchid', 'id'],
  recipient: ['to', 'recipient', 'destination', 'destinationaddress', 'dest', 'phonenumber', 'msisdn', 'receiver'],
  sender: ['from', 'sender', 'originator', 'originatingaddress', 'source', 'origin', 'shortcode'],
  status: ['status', 'messagestatus', 'msgstatus', 'deliverystatus', 'dlrstatus', 'statuscode', 'state', 'resultcode'],
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
  const nameOf = (our: OurField): string | undefined => findUsualName(USUAL_NAMES[our], names)
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
    ...(isReceipt ? receiptLines(fields, nameOf) : messageLines(nameOf)),
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
    `    body: ${quote(Buffer.from(request.body).toString('utf8'))}`,
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

const receiptLines = (fields: readonly Field[], nameOf: NameOf): string[] => {
  const status = nameOf('status')
  const word = fields.find(({ name }) => name === status)?.value ?? 'delivered'
  return [
    `    messageId: ${quote(nameOf('messageId') ?? 'TODO')}`,
    ...optionalLines(RECEIPT_FIELDS, nameOf),
    '    status:',
    `      field: ${quote(status ?? 'TODO')}`,
    "      # The provider's words, and one of SCHEDULED, ENROUTE, DELIVERED, EXPIRED, DELETED, UNDELIVERABLE, ACCEPTED, UNKNOWN,",
    '      # REJECTED, SKIPPED for each.',
    `      values: { ${quote(word)}: UNKNOWN }`,
    '    identity: [messageId, status]',
  ]
}

const messageLines = (nameOf: NameOf): string[] => {
  const messageId = nameOf('messageId')
  return [
    ...(messageId === undefined ? [] : [`    messageId: ${quote(messageId)}`]),
    `    sender: ${quote(nameOf('sender') ?? 'TODO')}`,
    ...optionalLines(MESSAGE_FIELDS, nameOf),
    `    text: ${quote(nameOf('text') ?? 'TODO')}`,
    `    identity: ${messageId === undefined ? 'none' : '[messageId]'}`,
  ]
}

const optionalLines = (ours: readonly OurField[], nameOf: NameOf): string[] =>
  ours.flatMap((our) => {
    const name = nameOf(our)
    return name === undefined ? [] : [`    ${our}: ${quote(name)}`]
  })

/** Writes a text as YAML, which reads JSON strings. The word null would be no text. */
const quote = (text: string): string =>
  /^[A-Za-z][\w-]*$/.test(text) && !/^null$/i.test(text) ? text : JSON.stringify(text)

/** Finds the field whose name is usual for a meaning: by its whole name, or by the innermost part of it. */
const findUsualName = (usual: readonly string[], names: readonly string[]): string | undefined => {
  for (const simplify of [wholeName, innermostName]) {
    for (const each of usual) {
      const found = names.find((name) => simplify(name) === each)
      if (found !== undefined) return found
    }
  }
  return undefined
}

const wholeName = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, '')
const innermostName = (name: string): string => wholeName(/\[([^[\]]+)\]$/.exec(name)?.[1] ?? name)

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
