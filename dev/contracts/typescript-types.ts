/** Generates the TypeScript types of the records, `schemas/index.d.ts`. */
import {
  type AvroEnum,
  type AvroField,
  type AvroRecord,
  type AvroType,
  nestedTypes,
  type RecordSchema,
  splitNullable,
} from './avro-schema.js'

const HEADER = `/**
 * The records on the topics of dlr-mo-connector, as a decoder gives them that leaves \`timestamp-millis\` as a number and a union with
 * null as the value or null (avsc, @kafkajs/confluent-schema-registry). Generated from \`schemas/*.avsc\` by \`npm run contracts\`.
 */
`

/** What the primitive types of Avro are in JavaScript. A long is a number, because the schemas use it for milliseconds only. */
const PRIMITIVES: Readonly<Record<string, string>> = {
  string: 'string',
  boolean: 'boolean',
  int: 'number',
  bytes: 'Uint8Array',
}

export function generateTypes(schemas: readonly RecordSchema[]): string {
  const records = schemas.map(({ record }) => record)
  const declarations = new Map<string, string>()
  for (const type of [...records.flatMap(nestedTypes), ...records]) mergeDeclaration(declarations, type)
  return [HEADER, ...declarations.values()].join('\n')
}

/** Types of one name have one declaration, so they must agree in everything but the documentation. */
function mergeDeclaration(declarations: Map<string, string>, type: AvroEnum | AvroRecord): void {
  const declaration = type.type === 'enum' ? declareEnum(type) : declareRecord(type)
  const known = declarations.get(type.name)
  if (known !== undefined && withoutComments(known) !== withoutComments(declaration)) {
    throw new Error(`two schemas have a type ${type.name}, and they differ`)
  }
  declarations.set(type.name, known ?? declaration)
}

const withoutComments = (text: string): string => text.replace(/\/\*\*[^]*?\*\//g, '')

const declareEnum = ({ name, doc, symbols }: AvroEnum): string =>
  `${comment(doc, '')}export type ${name} =\n${symbols.map((symbol) => `  | '${symbol}'\n`).join('')}`

const declareRecord = ({ name, doc, fields }: AvroRecord): string =>
  `${comment(doc, '')}export interface ${name} {\n${fields.map(declareField).join('')}}\n`

const declareField = ({ name, type, doc }: AvroField): string =>
  `${comment(doc, '  ')}  readonly ${name}: ${typeName(type)}\n`

function typeName(type: AvroType): string {
  const { type: present, isNullable } = splitNullable(type)
  return isNullable ? `${presentTypeName(present)} | null` : presentTypeName(present)
}

function presentTypeName(type: ReturnType<typeof splitNullable>['type']): string {
  if (typeof type === 'string') {
    const name = PRIMITIVES[type]
    if (name === undefined) throw new Error(`no TypeScript type for the Avro type ${type}`)
    return name
  }
  switch (type.type) {
    case 'long':
      return 'number'
    case 'map':
      return `Readonly<Record<string, ${typeName(type.values)}>>`
    case 'enum':
    case 'record':
      return type.name
  }
}

const comment = (text: string, indent: string): string => `${indent}/** ${text.replaceAll('*/', '*\\/')} */\n`
