/** How publishing grows: through the publisher port, with records that were encoded before. */
import type { Stack } from '../../dev/stack/index.js'
import { BenchChild } from '../child.js'
import { cpuSeconds } from '../process-usage.js'
import type { PublishPlan } from '../publisher-process.js'
import { type Dimension, type GrowthPoint, MICROSECONDS } from './dimension.js'

const MIN_SECONDS = 2
const MAX_RECORDS_PER_REQUEST = 20_000
/** Large records are sent in transactions of about this size. */
const TRANSACTION_BYTES = 4_000_000

type Variant = Omit<PublishPlan, 'brokers' | 'registryUrl' | 'name'>

async function measurePublisher(stack: Stack, variant: Variant): Promise<Record<string, number>> {
  const { brokers, registryUrl } = stack
  const plan: PublishPlan = { brokers, registryUrl, name: `growth-${Date.now()}`, ...variant }
  const { child } = await BenchChild.start<number, number>('publisher-process.ts', plan)
  try {
    const perRequest = Math.max(1, Math.min(MAX_RECORDS_PER_REQUEST, 10 * (variant.recordsPerTransaction ?? 1)))
    await child.request(perRequest)
    const cpuBefore = cpuSeconds(child.pid)
    let records = 0
    let seconds = 0
    while (seconds < MIN_SECONDS) {
      seconds += await child.request(perRequest)
      records += perRequest
    }
    const cpu = cpuSeconds(child.pid) - cpuBefore
    return { 'records/s': records / seconds, 'CPU us per record': (MICROSECONDS * cpu) / records }
  } finally {
    await child.stop()
  }
}

function publishing(
  dimension: Pick<Dimension, 'name' | 'title' | 'xLabel' | 'xs'>,
  variantOf: (x: number) => Variant,
): Dimension {
  return {
    ...dimension,
    plotted: 'CPU us per record',
    async *measure(stack, xs, isLate): AsyncGenerator<GrowthPoint> {
      for (const x of xs) {
        if (isLate()) return
        yield { x, figures: await measurePublisher(stack, variantOf(x)) }
      }
    },
  }
}

export const batch = publishing(
  {
    name: 'batch',
    title: 'Items a batch',
    xLabel: 'records of a transaction',
    xs: [1, 10, 100, 1_000, 5_000, 20_000],
  },
  (recordsPerTransaction) => ({ recordsPerTransaction }),
)

export const partitions = publishing(
  {
    name: 'partitions',
    title: 'Partitions',
    xLabel: 'partitions of each topic',
    xs: [1, 3, 6, 12, 24, 48, 96],
  },
  (count) => ({ partitions: count, recordsPerTransaction: 1_000 }),
)

export const recordSize = publishing(
  {
    name: 'record-size',
    title: 'Record size',
    xLabel: 'bytes of a record value',
    xs: [100, 1_000, 10_000, 100_000, 800_000, 1_000_000],
  },
  (valueBytes) => ({
    valueBytes,
    recordsPerTransaction: Math.max(1, Math.min(1_000, Math.round(TRANSACTION_BYTES / valueBytes))),
  }),
)
