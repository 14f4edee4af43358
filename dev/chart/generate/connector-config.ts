type Schema = Record<string, unknown>

/** The keywords that draft 7 has with the same meaning. */
const KEYWORDS = new Set(
  (
    'type properties description pattern anyOf minItems maxItems items minLength maxLength additionalProperties const enum required default ' +
    'minimum maximum propertyNames minProperties'
  ).split(' '),
)

/**
 * Converts the schema of the connector's configuration into a part of the schema of the chart's values, so that
 * `helm install` refuses a misspelt key, instead of a pod that restarts again and again.
 *
 * Nothing is required at the top level, because the chart itself explains what is missing. Helm uses Go's regular
 * expressions, which have no look-ahead and write \x00 for \u0000. The connector still refuses what only a look-ahead refuses.
 *
 * @throws Error if the schema contains a keyword that draft 7 does not have
 */
export function connectorConfig(schema: Schema): Schema {
  return adapt(Object.fromEntries(Object.entries(schema).filter(([key]) => key !== '$schema' && key !== 'required')))
}

function adapt(schema: Schema): Schema {
  return Object.fromEntries(
    Object.entries(schema).map(([keyword, value]) => {
      if (!KEYWORDS.has(keyword)) throw new Error(`config/connector.schema.json: ${keyword} is not known in draft 7`)
      if (keyword === 'pattern') return [keyword, goPattern(String(value))]
      if (keyword === 'properties') return [keyword, mapValues(value as Record<string, Schema>, adapt)]
      if (keyword === 'anyOf') return [keyword, (value as Schema[]).map(adapt)]
      const isSchema = ['items', 'additionalProperties', 'propertyNames'].includes(keyword) && typeof value === 'object'
      return [keyword, isSchema ? adapt(value as Schema) : value]
    }),
  )
}

function goPattern(pattern: string): string {
  return pattern.replace(/\(\?![^()]*(?:\([^()]*\)[^()]*)*\)/g, '').replace(/\\u00([0-9a-f]{2})/gi, '\\x$1')
}

function mapValues<V, W>(record: Record<string, V>, change: (value: V) => W): Record<string, W> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]))
}
