import { execFileSync } from 'node:child_process'
import { tmpdir } from 'node:os'
import { describe, expect, it } from 'vitest'
import { loadSchemas, subjectOf } from '../../src/registry/schemas.js'
import { DELIVERY_STATUSES } from '../../src/core/event.js'

interface Field {
  readonly name: string
  readonly type: unknown
  readonly doc?: string
  readonly default?: string | number | null
}
interface Record {
  readonly name: string
  readonly namespace: string
  readonly fields: readonly Field[]
}

const schemas = loadSchemas()
const parsed = (kind: keyof typeof schemas): Record => JSON.parse(schemas[kind].text) as Record

/** Formats the type of a field in a short form. */
const formatType = (type: unknown): string => {
  if (Array.isArray(type)) return type.map(formatType).join('|')
  if (typeof type === 'string') return type
  if (isRecord(type)) return `${type.name}{${type.fields.map(formatField).join(', ')}}`
  const { type: base, logicalType, values, symbols, default: fallback } = type as { [key: string]: string | undefined }
  if (logicalType) return logicalType
  if (base === 'map') return `map<${formatType(values)}>`
  if (base === 'enum') return `enum{${String(symbols)}} ${String(fallback)}`
  return String(base)
}
const isRecord = (type: unknown): type is Record => (type as { type?: unknown }).type === 'record'
const formatField = ({ name, type, default: fallback }: Field): string =>
  `${name}: ${formatType(type)}${fallback === undefined ? '' : ` = ${String(fallback)}`}`
const listFields = (kind: keyof typeof schemas): string[] => parsed(kind).fields.map(formatField)

const PART = 'Part{reference: string, number: int, total: int}'
const VIA = 'enum{PULL,CALLBACK,QUERY,OTHER} OTHER'

// Consumers depend on these fields. A change here is a change for every consumer.
describe('The record schemas', () => {
  it('have the documented fields of a delivery receipt', () => {
    expect(listFields('dlr')).toEqual([
      'eventId: string',
      'source: string',
      'provider: string',
      'messageId: string',
      'recipient: null|string = null',
      'sender: null|string = null',
      `status: enum{${DELIVERY_STATUSES.join(',')}} UNKNOWN`,
      'final: boolean',
      'providerStatus: string',
      'providerStatusText: null|string = null',
      'errorCode: null|string = null',
      'occurredAt: null|timestamp-millis = null',
      'receivedAt: timestamp-millis',
      `via: ${VIA}`,
      'raw: map<string>',
      'clientReference: null|string = null',
      'network: null|string = null',
      'segments: null|int = null',
      'price: null|Price{amount: string, currency: null|string = null} = null',
      `part: null|${PART} = null`,
    ])
  })

  it('have the documented fields of an inbound message', () => {
    expect(listFields('mo')).toEqual([
      'eventId: string',
      'source: string',
      'provider: string',
      'messageId: null|string = null',
      'sender: string',
      'recipient: null|string = null',
      'text: string',
      'keyword: null|string = null',
      'inReplyTo: null|string = null',
      'occurredAt: null|timestamp-millis = null',
      'receivedAt: timestamp-millis',
      `via: ${VIA}`,
      'raw: map<string>',
      `part: null|${PART} = null`,
      'clientReference: null|string = null',
      'network: null|string = null',
      'optOut: null|enum{STOP,START,HELP,OTHER} OTHER = null',
    ])
  })

  it('have the documented fields of a dead letter', () => {
    expect(listFields('dead-letter')).toEqual([
      'eventId: string',
      'source: string',
      'provider: string',
      `via: ${VIA}`,
      'reason: string',
      'detail: string',
      'receivedAt: timestamp-millis',
      'request: map<string>',
      'body: bytes',
      'part: int = 0',
      'parts: int = 1',
    ])
  })

  it('are in one namespace and have a doc for every field', () => {
    expect(Object.values(schemas).map(({ name }) => name)).toEqual([
      'sms.events.DeliveryReceipt',
      'sms.events.InboundMessage',
      'sms.events.DeadLetter',
    ])
    for (const kind of ['dlr', 'mo', 'dead-letter'] as const) {
      for (const { name, doc } of parsed(kind).fields) expect(doc, `${kind}.${name}`).toMatch(/^\w.{15,}\.$/s)
    }
  })

  it('are loaded from any working directory', () => {
    const script = `import { loadSchemas } from ${JSON.stringify(new URL('../../src/registry/schemas.ts', import.meta.url).href)}; console.log(loadSchemas().dlr.name)`
    const loader = import.meta.resolve('tsx')
    const printed = execFileSync(process.execPath, ['--import', loader, '--input-type=module', '-e', script], {
      cwd: tmpdir(),
      encoding: 'utf8',
    })
    expect(printed.trim()).toBe('sms.events.DeliveryReceipt')
  })
})

describe('subjectOf', () => {
  it.each([
    ['topic-name', 'sms.dlr-value'],
    ['record-name', 'sms.events.DeliveryReceipt'],
    ['topic-record-name', 'sms.dlr-sms.events.DeliveryReceipt'],
  ] as const)('names the subject by strategy %s: %s', (naming, expected) => {
    expect(subjectOf({ subjectNaming: naming }, 'sms.dlr', schemas.dlr)).toBe(expected)
    expect(subjectOf({ subjectNaming: naming, context: 'team' }, 'sms.dlr', schemas.dlr)).toBe(`:.team:${expected}`)
  })
})
