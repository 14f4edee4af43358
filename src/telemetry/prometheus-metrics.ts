/**
 * Converts the metrics of prom-client's registry into those of OTLP, by the same names and with the labels as attributes. So
 * there is one place in which metrics are defined, and a dashboard finds them whichever way they came.
 *
 * Counters become monotonic sums, gauges gauges, and histograms histograms with the same bounds, all of them cumulative from
 * the start of the process. A value that could not be read (NaN) is left out, because not every backend accepts it.
 */
import { type Attributes, type HrTime, ValueType } from '@opentelemetry/api'
import type { Resource } from '@opentelemetry/resources'
import {
  AggregationTemporality,
  type DataPoint,
  DataPointType,
  type MetricData,
  type ResourceMetrics,
} from '@opentelemetry/sdk-metrics'
import type { MetricObjectWithValues, MetricValue, MetricValueWithName, Registry } from 'prom-client'

type ExportedMetric = MetricObjectWithValues<MetricValue<string>>
type Histogram = Extract<MetricData, { dataPointType: DataPointType.HISTOGRAM }>['dataPoints'][number]['value']

export interface Instrumentation {
  readonly name: string
  readonly version: string
}

/** @param startedAt when the counters were zero, in milliseconds since the epoch; `now` likewise */
export async function collectMetrics(
  registry: Pick<Registry, 'getMetricsAsJSON'>,
  resource: Resource,
  scope: Instrumentation,
  startedAt: number,
  now: number,
): Promise<ResourceMetrics> {
  const exported = (await registry.getMetricsAsJSON()) as unknown as ExportedMetric[]
  const times = { startTime: toHrTime(startedAt), endTime: toHrTime(now) }
  const metrics = exported.map((metric) => toMetricData(metric, times)).filter((metric) => metric !== undefined)
  return { resource, scopeMetrics: [{ scope, metrics }] }
}

type Times = Pick<DataPoint<unknown>, 'startTime' | 'endTime'>

/** @returns undefined for a metric without a value, and for a summary, of which there is none */
function toMetricData(metric: ExportedMetric, times: Times): MetricData | undefined {
  const descriptor = { name: metric.name, description: metric.help, unit: '', valueType: ValueType.DOUBLE }
  const common = { descriptor, aggregationTemporality: AggregationTemporality.CUMULATIVE }
  // prom-client gives the type as text, although its types declare an enumeration of numbers.
  const type = metric.type as unknown as string
  if (type === 'histogram') {
    const dataPoints = toHistograms(metric.values, times)
    return dataPoints.length === 0 ? undefined : { ...common, dataPointType: DataPointType.HISTOGRAM, dataPoints }
  }
  if (type !== 'counter' && type !== 'gauge') return undefined
  const dataPoints = metric.values
    .filter(({ value }) => !Number.isNaN(value))
    .map(({ labels, value }) => ({ ...times, attributes: toAttributes(labels), value }))
  if (dataPoints.length === 0) return undefined
  return type === 'counter'
    ? { ...common, dataPointType: DataPointType.SUM, isMonotonic: true, dataPoints }
    : { ...common, dataPointType: DataPointType.GAUGE, dataPoints }
}

/** Builds a histogram for each set of labels from the series `_bucket`, `_sum` and `_count`. */
function toHistograms(values: readonly MetricValueWithName<string>[], times: Times): DataPoint<Histogram>[] {
  const histograms = new Map<string, { attributes: Attributes; value: Histogram; below: number }>()
  for (const { metricName = '', labels, value } of values) {
    const { le, ...attributes } = labels as Attributes
    const key = JSON.stringify(attributes)
    const found = histograms.get(key) ?? {
      attributes,
      value: { buckets: { boundaries: [], counts: [] }, sum: 0, count: 0 },
      below: 0,
    }
    histograms.set(key, found)
    if (metricName.endsWith('_sum')) found.value.sum = value
    else if (metricName.endsWith('_count')) found.value.count = value
    else {
      // The buckets of Prometheus include all those below them. They are given in ascending order.
      found.value.buckets.counts.push(value - found.below)
      found.below = value
      if (le !== '+Inf') found.value.buckets.boundaries.push(Number(le))
    }
  }
  return [...histograms.values()].map(({ attributes, value }) => ({ ...times, attributes, value }))
}

const toAttributes = (labels: Readonly<Partial<Record<string, string | number>>>): Attributes => ({ ...labels })

const toHrTime = (ms: number): HrTime => [Math.floor(ms / 1_000), Math.trunc((ms % 1_000) * 1e6)]
