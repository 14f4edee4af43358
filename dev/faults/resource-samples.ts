/** The memory and disk that a connector uses while it works, sampled from outside. */
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Trial } from '../trial.js'

const SAMPLE_INTERVAL_MS = 1_000
/**
 * The factor by which a later summary may exceed an earlier one. V8 itself takes and returns memory in this order of
 * magnitude.
 */
const GROWTH_TOLERANCE = 1.25

export interface ResourceSample {
  /**
   * Anonymous memory of the process (heaps and stacks) in MiB. The mapped pages of the journal are not included, because
   * the kernel can take them back.
   */
  readonly memoryMiB: number
  /** Size of the journal's data file in MiB. */
  readonly fileMiB: number
  /** Entries in custody. */
  readonly entries: number
  /** Age of the oldest entry in custody. */
  readonly oldestAgeSeconds: number
}

/** @throws Error when the connector does not answer */
export async function sampleResources(trial: Trial): Promise<ResourceSample> {
  const [entries, oldestAgeSeconds] = await Promise.all([
    trial.metric('dlrmo_journal_entries'),
    trial.metric('dlrmo_journal_oldest_age_seconds'),
  ])
  const { size } = statSync(join(trial.folder, 'journal', 'lmdb', 'data.mdb'))
  return { memoryMiB: anonymousMemoryMiB(trial.connector.pid!), fileMiB: size / 1024 ** 2, entries, oldestAgeSeconds }
}

/** Reads the /proc file system, which only Linux has. */
function anonymousMemoryMiB(pid: number): number {
  const kibibytes = /RssAnon:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Number(kibibytes) / 1024
}

/** Takes a sample every second until `stop` is called. */
export class ResourceMonitor {
  readonly samples: ResourceSample[] = []
  readonly #stopped = new AbortController()
  readonly #running: Promise<void>

  constructor(trial: Trial) {
    this.#running = this.#run(trial)
  }

  async stop(): Promise<void> {
    this.#stopped.abort()
    await this.#running
  }

  async #run(trial: Trial): Promise<void> {
    const { signal } = this.#stopped
    while (!signal.aborted) {
      // There is no sample while the connector is down.
      const sample = await sampleResources(trial).catch(() => undefined)
      if (sample) this.samples.push(sample)
      await delay(SAMPLE_INTERVAL_MS, undefined, { signal }).catch(() => undefined)
    }
  }
}

export interface ResourceSummary {
  /** The median of the samples. */
  readonly memoryMiB: number
  readonly maxMemoryMiB: number
  /** The size at the last sample. */
  readonly fileMiB: number
  readonly maxEntries: number
}

export function summarize(samples: readonly ResourceSample[]): ResourceSummary {
  const memories = samples.map(({ memoryMiB }) => memoryMiB).toSorted((a, b) => a - b)
  return {
    memoryMiB: memories[Math.floor(memories.length / 2)] ?? NaN,
    maxMemoryMiB: memories.at(-1) ?? NaN,
    fileMiB: samples.at(-1)?.fileMiB ?? NaN,
    maxEntries: Math.max(...samples.map(({ entries }) => entries)),
  }
}

/**
 * Describes what has grown, one line each. The first third of the summaries is ignored, because a process that has just
 * been started grows for a while. Of the rest the second half is compared with the first.
 */
export function findGrowth(summaries: readonly ResourceSummary[]): string[] {
  const warm = summaries.slice(Math.ceil(summaries.length / 3))
  const middle = Math.floor(warm.length / 2)
  if (middle === 0) return []
  const mean = (part: readonly ResourceSummary[], resource: 'memoryMiB' | 'fileMiB'): number =>
    part.reduce((sum, summary) => sum + summary[resource], 0) / part.length
  const resources = [
    ['memoryMiB', 'The memory'],
    ['fileMiB', 'The file of the journal'],
  ] as const
  return resources.flatMap(([resource, name]) => {
    const before = mean(warm.slice(0, middle), resource)
    const after = mean(warm.slice(middle), resource)
    // The comparison is false for NaN, so that a summary without samples is reported too.
    if (after <= before * GROWTH_TOLERANCE) return []
    return [`${name} grew from ${Math.round(before)} to ${Math.round(after)} MiB`]
  })
}
