import type { Registry } from 'prom-client'
import { selectorsOf } from './rule-files.js'

/** The labels that a scrape adds. The last three exist on Kubernetes only. */
const SCRAPE_LABELS = ['job', 'instance', 'namespace', 'service', 'pod']

/**
 * Compares the selectors of an expression with the metrics of the connector.
 *
 * @param recorded the names of recording rules, which carry no labels but those of a scrape
 * @returns each selector whose metric does not exist, or that selects by a label that the metric does not have
 */
export function unknownSelectors(registry: Registry, expr: string, recorded: readonly string[]): string[] {
  const labelsByName = new Map([
    ['up', new Set<string>()],
    ...recorded.map((name) => [name, new Set<string>()] as const),
  ])
  for (const metric of registry.getMetricsAsArray()) {
    const { name, type, labelNames } = metric as unknown as { name: string; type: unknown; labelNames: string[] }
    if (type === 'histogram') {
      for (const part of ['bucket', 'sum', 'count']) {
        labelsByName.set(`${name}_${part}`, new Set(part === 'bucket' ? [...labelNames, 'le'] : labelNames))
      }
    } else {
      labelsByName.set(name, new Set(labelNames))
    }
  }
  return selectorsOf(expr)
    .filter(({ metric, labels }) => {
      const known = labelsByName.get(metric)
      return known === undefined || labels.some((label) => !known.has(label) && !SCRAPE_LABELS.includes(label))
    })
    .map(({ text }) => text)
}
