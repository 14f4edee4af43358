/** Compares what a description makes of its samples with what the samples say. */
import { isDeepStrictEqual } from 'node:util'
import type { Item, Provider } from '../provider.js'
import { receivedFromCapture } from './captured-request.js'
import type { Description, SampleDescription } from './description.js'

export interface SampleResult {
  readonly sample: SampleDescription
  readonly items: readonly Item[]
  /** A clause for each difference between the items and the sample. */
  readonly differences: readonly string[]
}

export const checkSamples = ({ samples }: Description, provider: Provider): SampleResult[] =>
  samples.map((sample) => {
    const items = [
      ...provider.decode(receivedFromCapture({ ...sample, body: Buffer.from(sample.body) }), {
        textFields: [],
        ignoreEvents: [],
      }),
    ]
    return { sample, items, differences: differencesBetween(items, sample.items) }
  })

const differencesBetween = (
  items: readonly Item[],
  expected: readonly Readonly<Record<string, unknown>>[],
): string[] => {
  const differences =
    items.length === expected.length ? [] : [`there are ${items.length} items, and ${expected.length} are expected`]
  for (const [index, fields] of expected.entries()) {
    const item: Readonly<Record<string, unknown>> = items[index] === undefined ? {} : { ...items[index] }
    const known = [...Object.keys(item), ...(item.kind === 'dlr' ? ['isFinal'] : [])].filter(
      (name) => !UNCOMPARED.has(name),
    )
    for (const [name, value] of Object.entries(fields)) {
      if (items[index] !== undefined && !(name in item) && !known.includes(name)) {
        differences.push(
          `item ${index + 1}: ${name} is no field of an item of the kind ${String(item.kind)}; known here: ${known.join(', ')}`,
        )
        continue
      }
      const found = asWritten(item[name], name)
      if (isDeepStrictEqual(found, value)) continue
      const shown = found === undefined ? 'nothing' : JSON.stringify(found)
      differences.push(`item ${index + 1}: ${name} is ${shown}, and ${JSON.stringify(value)} is expected`)
    }
  }
  return differences
}

/** Fields that a sample has no use for: the bytes of the item, and all its fields under the provider's names. */
const UNCOMPARED = new Set(['body', 'raw'])

/** Writes a value of an item as a YAML file without types has it. */
const asWritten = (value: unknown, name: string): unknown => {
  if (name === 'occurredAt' && typeof value === 'number') return new Date(value).toISOString()
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (Array.isArray(value)) return value.map((each) => asWritten(each, ''))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, asWritten(each, key)]))
}
