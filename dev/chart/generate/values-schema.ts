import { connectorConfig } from './connector-config.js'
import type { Section, Value } from './values-file.js'

type Schema = Record<string, unknown>

/**
 * Returns the JSON Schema of `values.yaml`, by which Helm validates values. Unknown keys are refused.
 *
 * The schema is draft 7, because older versions of Helm support no later draft.
 *
 * @param connectorSchema `config/connector.schema.json`, the schema of `config`
 */
export function valuesSchema(sections: readonly Section[], connectorSchema: Schema): Schema {
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Values of the chart dlr-mo-connector',
    ...section(
      sections.flatMap(({ values }) => values),
      connectorSchema,
    ),
  }
}

function section(values: readonly Value[], connectorSchema: Schema): Schema {
  const properties = Object.fromEntries(values.map((value) => [value.name, schemaOf(value, connectorSchema)]))
  return { type: 'object', properties, additionalProperties: false }
}

function schemaOf(value: Value, connectorSchema: Schema): Schema {
  const described = value.description === '' ? {} : { description: value.description }
  if (value.keywords['connectorConfig'] === true) return { ...connectorConfig(connectorSchema), ...described }
  if (value.children !== undefined) return { ...described, ...section(value.children, connectorSchema) }
  const closed = 'properties' in value.keywords ? { additionalProperties: false } : {}
  return { ...described, type: typeOf(value.default), ...closed, ...value.keywords, default: value.default }
}

function typeOf(value: unknown): string {
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'number') return 'integer'
  return typeof value
}
