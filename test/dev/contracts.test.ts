/** What is generated from `schemas/*.avsc` for consumers, for people and for catalogues. */
import { readFileSync } from 'node:fs'
import { relative } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { presentRecord } from '../../src/commands/record-format.js'
import type { TailRecord } from '../../src/commands/record-decoder.js'
import { type AvroField, loadRecordSchemas, nestedTypes } from '../../dev/contracts/avro-schema.js'
import { generateAsyncApi } from '../../dev/contracts/asyncapi.js'
import { generateAsyncApiPage } from '../../dev/contracts/asyncapi-page.js'
import { generateContracts } from '../../dev/contracts/index.js'
import { generateTypes } from '../../dev/contracts/typescript-types.js'
import type * as records from '../../schemas/index.js'
import type * as events from '../../src/core/event.js'

const ROOT = new URL('../..', import.meta.url).pathname

describe('The documents that are generated from the schemas', () => {
  it.each(generateContracts().map(([path, content]) => ({ name: relative(ROOT, path), path, content })))(
    'are up to date: $name (else run npm run contracts)',
    ({ path, content }) => {
      expect(readFileSync(path, 'utf8')).toBe(content)
    },
  )
})

describe('The exported types of the records', () => {
  it('have the fields of the events that the connector encodes', () => {
    // The compiler checks these assignments, in both directions.
    type Equal<One, Other> = [One] extends [Other] ? ([Other] extends [One] ? true : false) : false
    const areEqual: [
      Equal<records.DeliveryReceipt, Omit<events.DeliveryReceipt, 'kind'>>,
      Equal<records.InboundMessage, Omit<events.InboundMessage, 'kind'>>,
      Equal<Omit<records.DeadLetter, 'part' | 'parts'>, Omit<events.DeadLetter, 'kind'>>,
    ] = [true, true, true]
    expect(areEqual).not.toContain(false)
  })

  it('are refused if two schemas have different types of one name', () => {
    const recordWith = (symbol: string): Parameters<typeof generateTypes>[0][number] => ({
      kind: 'dlr',
      file: 'any',
      topic: 'any',
      key: 'any',
      record: {
        type: 'record',
        name: `Record${symbol}`,
        doc: 'Any.',
        fields: [
          {
            name: 'via',
            type: { type: 'enum', name: 'Via', doc: 'Any.', symbols: [symbol], default: symbol },
            doc: 'Any.',
          },
        ],
      },
    })
    expect(() => generateTypes([recordWith('PULL'), recordWith('PUSH')])).toThrow('two schemas have a type Via')
  })
})

describe('The documentation of the fields', () => {
  const records = loadRecordSchemas().map(({ record }) => record)
  const nested = records.flatMap(nestedTypes).filter((type) => type.type === 'record')
  const fields = [...records, ...nested].flatMap((record) =>
    record.fields.map((field) => ({ name: `${record.name}.${field.name}`, field })),
  )

  it.each(fields)('ends with an example: $name', ({ field }) => {
    expect(field.doc).toMatch(/\. Example: `.+`\.$/)
  })

  it.each(fields)('says which provider fills the field, or when it is null: $name', ({ field }) => {
    expect(field.doc).toMatch(/Filled for every provider|null (if|for)|Mtarget: |seven: /)
  })

  it.each(fields.filter(({ field }) => JSON.stringify(field.type).includes('timestamp-millis')))(
    'states unit and epoch of a time: $name',
    ({ field }) => {
      expect(field.doc).toContain('in milliseconds since 1970-01-01T00:00:00Z')
    },
  )

  it('is the same for a type that several schemas have', () => {
    const docs = new Map<string, Set<string>>()
    for (const type of records.flatMap(nestedTypes)) {
      docs.set(type.name, (docs.get(type.name) ?? new Set()).add(JSON.stringify(type)))
    }
    expect([...docs].filter(([, texts]) => texts.size > 1).map(([name]) => name)).toEqual([])
  })
})

describe('The tag PII', () => {
  const isTagged = (field: AvroField): boolean => field['confluent:tags']?.includes('PII') ?? false

  it.each(loadRecordSchemas().map(({ record }) => record))(
    'is on exactly those fields of $name that tail masks',
    ({ fields }) => {
      const value = Object.fromEntries(fields.map(({ name }) => [name, '+33612345678']))
      const record: TailRecord = {
        kind: 'dlr',
        topic: 'sms.dlr',
        partition: 0,
        offset: 0,
        timestamp: 0,
        key: null,
        headers: {},
        schemaId: 1,
        value,
      }
      const shown = presentRecord(record, 'masked').value!
      const masked = fields.map(({ name }) => name).filter((name) => shown[name] !== value[name])
      expect(fields.filter(isTagged).map(({ name }) => name)).toEqual(masked)
    },
  )
})

describe('The page of the AsyncAPI document', () => {
  const schemas = loadRecordSchemas()
  const page = generateAsyncApiPage(generateAsyncApi(schemas, '1.0.0'))

  it.each(schemas)('shows the topic $topic, and each field, type and symbol of its records', ({ topic, record }) => {
    const start = page.indexOf(`<section id="${record.name}"`)
    const section = page.slice(start, page.indexOf('</section>', start))
    expect(section).toContain(`<code>${topic}</code>`)
    for (const type of [record, ...nestedTypes(record)]) {
      const names = type.type === 'record' ? type.fields.map(({ name }) => name) : type.symbols
      for (const name of names) expect(section, type.name).toContain(`<code>${name}</code>`)
    }
    expect(section.match(/<strong>PII<\/strong>/g)).toHaveLength(JSON.stringify(record).split('"PII"').length - 1)
  })

  it('shows markup in a doc as text, needs no script, and loads nothing', () => {
    const [first, ...others] = schemas
    const record = { ...first!.record, doc: '<img src=x onerror="alert(1)"> & `<b>`' }
    const hostile = generateAsyncApiPage(generateAsyncApi([{ ...first!, record }, ...others], '1.0.0'))
    expect(hostile).toContain('&lt;img src=x onerror=&quot;alert(1)&quot;&gt; &amp; <code>&lt;b&gt;</code>')
    for (const html of [page, hostile]) expect(html).not.toMatch(/<(script|img|link|iframe)|https?:\/\//)
  })
})

/** test/dev/published-validators.test.ts holds them against the published schemas. */
describe('The documents for catalogues', () => {
  const readDocument = (name: string): unknown =>
    parse(readFileSync(new URL(`../../docs/contracts/${name}`, import.meta.url), 'utf8'))
  const schemas = loadRecordSchemas()

  it('name the default topics of the configuration', () => {
    const example = parse(readFileSync(new URL('../../config/connector.yaml', import.meta.url), 'utf8')) as {
      kafka: { topics: Readonly<Record<string, string>> }
    }
    const { topics } = example.kafka
    expect(schemas.map(({ topic }) => topic)).toEqual([topics['dlr'], topics['mo'], topics['deadLetter']])
  })

  it('lead in the AsyncAPI document from each operation through its channel to the Avro schema', () => {
    const document = readDocument('asyncapi.yaml') as {
      readonly operations: Readonly<Record<string, { readonly channel: { readonly $ref: string } }>>
    }
    const resolve = ({ $ref }: { readonly $ref: string }): unknown =>
      $ref
        .split('/')
        .slice(1)
        .reduce<unknown>((node, key) => (node as Readonly<Record<string, unknown>>)[key], document)
    const found = Object.values(document.operations).map(({ channel }) => {
      const { address, messages } = resolve(channel) as {
        address: string
        messages: Readonly<Record<string, { readonly $ref: string }>>
      }
      const [message] = Object.values(messages).map(
        (reference) => resolve(reference) as { payload: { schema: unknown } },
      )
      return { topic: address, record: message?.payload.schema }
    })
    expect(found).toEqual(schemas.map(({ topic, record }) => ({ topic, record })))
  })

  it('list every field of every record in the data contract, and which may be null', () => {
    const document = readDocument('data-contract.yaml') as {
      readonly schema: readonly {
        readonly name: string
        readonly properties: readonly {
          readonly name: string
          readonly required: boolean
          readonly logicalType: string
        }[]
      }[]
    }
    const listed = document.schema.flatMap(({ name, properties }) =>
      properties.map((property) => `${name}.${property.name}: ${property.required}, ${typeof property.logicalType}`),
    )
    const expected = schemas.flatMap(({ record }) =>
      record.fields.map(({ name, type }) => `${record.name}.${name}: ${!Array.isArray(type)}, string`),
    )
    expect(listed).toEqual(expected)
  })

  it('have a definition in the entity of Backstage that is a file beside it', () => {
    const { spec } = readDocument('catalog-info.yaml') as { readonly spec: { readonly definition: { $text: string } } }
    expect(readDocument(spec.definition.$text)).toHaveProperty('asyncapi')
  })
})
