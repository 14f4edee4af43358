/** Generates the reference of every field of the records, `docs/schemas.md`. */
import {
  type AvroEnum,
  type AvroField,
  type AvroRecord,
  formatType,
  nestedTypes,
  type RecordSchema,
  splitNullable,
} from './avro-schema.js'
import { describedFields, type DescribedProvider } from './described-fields.js'

const INTRODUCTION = `# The fields of the records

This page is generated from [\`schemas/\`](../schemas) and [\`config/providers\`](../config/providers) by \`npm run contracts\`.

- A value is Avro in the Confluent wire format. The timestamp of a record is its \`receivedAt\`.
- A field that can be null is null if the provider does not send it.
- "PII" marks a field that holds or may hold personal data. The schemas carry the mark as \`confluent:tags\`, which Confluent's
  catalogue reads and every other tool ignores. [Personal data](personal-data.md) says what can be masked or left out.
- The meaning of a field names what fills it at Mtarget and seven. Aggregators that are
  [described](add-an-aggregator.md) are in the tables "filled by", with the names of the fields at the aggregator.

The same types are in the npm package: \`import type { DeliveryReceipt } from 'dlr-mo-connector/schemas'\`.
`

export const generateReferencePage = (
  schemas: readonly RecordSchema[],
  providers: readonly DescribedProvider[],
): string => {
  const nested = new Map(schemas.flatMap(({ record }) => nestedTypes(record)).map((type) => [type.name, type]))
  return [
    INTRODUCTION,
    ...schemas.map((schema) => recordSection(schema, providers)),
    ...[...nested.values()].map(nestedSection),
  ].join('\n')
}

const recordSection = (schema: RecordSchema, providers: readonly DescribedProvider[]): string => {
  const { record, topic, key, file } = schema
  return [
    `## ${record.name}`,
    `On the topic \`${topic}\`, with the key \`${key}\`. Schema: [\`${file}.avsc\`](../schemas/${file}.avsc), full name sms.events.${record.name}.`,
    record.doc,
    fieldTable(record),
    ...providerTable(schema, providers),
  ]
    .join('\n\n')
    .concat('\n')
}

const nestedSection = (type: AvroEnum | AvroRecord): string =>
  type.type === 'record'
    ? `## ${type.name}\n\n${type.doc}\n\n${fieldTable(type)}\n`
    : `## ${type.name}\n\n${type.doc}\n\nSymbols: ${type.symbols.map((symbol) => `\`${symbol}\``).join(', ')}. ` +
      `A reader with an older schema gets \`${type.default}\` for a symbol that it does not know.\n`

const fieldTable = ({ fields }: AvroRecord): string =>
  [
    '| field | type | null | PII | meaning, unit and example |',
    '| --- | --- | --- | --- | --- |',
    ...fields.map(
      (field) =>
        `| \`${field.name}\` | ${typeCell(field)} | ${splitNullable(field.type).isNullable ? 'yes' : ''} | ` +
        `${field['confluent:tags']?.includes('PII') ? 'PII' : ''} | ${escapeCell(field.doc)} |`,
    ),
  ].join('\n')

const typeCell = ({ type }: AvroField): string => {
  const { type: present } = splitNullable(type)
  const isNamed = typeof present !== 'string' && (present.type === 'enum' || present.type === 'record')
  return isNamed ? `[${present.name}](#${present.name.toLowerCase()})` : formatType(type)
}

/** The kinds of items of a description, by the files of their schemas. */
const ITEM_KINDS: Readonly<Record<string, 'receipt' | 'message'>> = {
  'delivery-receipt': 'receipt',
  'inbound-message': 'message',
}

function providerTable({ file, record }: RecordSchema, providers: readonly DescribedProvider[]): string[] {
  const kind = ITEM_KINDS[file]
  if (kind === undefined) return []
  const filled = providers.map((provider) => ({ provider, fields: describedFields(provider, kind) }))
  const rows = record.fields.flatMap(({ name }) => {
    const cells = filled.flatMap(({ provider, fields }) => {
      const names = fields.get(name)
      return names === undefined ? [] : [`**${provider.provider}**: ${names.join(', ')}`]
    })
    return cells.length === 0 ? [] : [`| \`${name}\` | ${escapeCell(cells.join('; '))} |`]
  })
  return [['| field | filled by |', '| --- | --- |', ...rows].join('\n')]
}

const escapeCell = (text: string): string => text.replaceAll('|', '\\|')
