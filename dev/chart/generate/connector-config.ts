type Schema = Record<string, unknown>

/** What may stand in draft 7 and means the same there. */
const KEYWORDS = new Set(
  (
    'type properties description pattern anyOf minItems items minLength additionalProperties const enum required default ' +
    'minimum maximum propertyNames minProperties'
  ).split(' '),
)

/**
 * The schema of the connector's configuration as part of that of the chart's values: what is misspelt is refused at
 * `helm install`, not in a pod that starts over and over.
 *
 * Nothing is required at the top, because the chart says in a sentence what is missing. Helm's regular expressions are
 * Go's, which have no look-ahead (the connector itself still refuses what only that keeps out) and write \x00 for \u0000.
 *
 * @throws Error at a keyword that draft 7 doesn't have
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
