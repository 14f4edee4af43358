/** What a connector takes of its machine while it works, looked at from outside. */
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Trial } from '../trial.js'

/** Beyond this a later phase counts as having grown. V8 takes and gives back that much by itself. */
const GROWN = 1.25

/** One look. Sizes are MiB. */
export interface Look {
  /** Heaps and stacks. What is mapped of the journal's file is the system's to take back, and left out. */
  readonly memory: number
  /** The journal's file. */
  readonly file: number
  /** Entries in custody. */
  readonly entries: number
  /** Seconds for which the oldest of them has been. */
  readonly oldest: number
}

/** @throws Error when it does not answer */
export async function look(trial: Trial): Promise<Look> {
  const [entries, oldest] = await Promise.all([
    trial.metric('dlrmo_journal_entries'),
    trial.metric('dlrmo_journal_oldest_age_seconds'),
  ])
  const file = mebibytes(statSync(join(trial.folder, 'journal', 'lmdb', 'data.mdb')).size)
  return { memory: memoryOf(trial.connector.pid!), file, entries, oldest }
}

/** Anonymous memory of a process, MiB. Linux alone tells it. */
function memoryOf(pid: number): number {
  const kibibytes = /RssAnon:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Number(kibibytes) / 1024
}

/** Looks once a second, until `stop`. */
export class Watch {
  readonly looks: Look[] = []
  readonly #ended = new AbortController()
  readonly #running: Promise<void>

  constructor(trial: Trial) {
    this.#running = (async () => {
      while (!this.#ended.signal.aborted) {
        // One that is just dying or starting is not there to be looked at.
        const seen = await look(trial).catch(() => undefined)
        if (seen) this.looks.push(seen)
        await delay(1_000, undefined, { signal: this.#ended.signal }).catch(() => undefined)
      }
    })()
  }

  async stop(): Promise<void> {
    this.#ended.abort()
    await this.#running
  }
}

/** What of some looks a person wants to know. */
export interface Phase {
  /** MiB: what it mostly took. */
  readonly memory: number
  /** MiB: the most it took. */
  readonly mostMemory: number
  /** MiB, at the end. */
  readonly file: number
  readonly mostEntries: number
}

export function phaseOf(looks: readonly Look[]): Phase {
  const memories = looks.map(({ memory }) => memory).toSorted((a, b) => a - b)
  return {
    memory: memories[Math.floor(memories.length / 2)] ?? NaN,
    mostMemory: memories.at(-1) ?? NaN,
    file: looks.at(-1)?.file ?? NaN,
    mostEntries: Math.max(...looks.map(({ entries }) => entries)),
  }
}

/**
 * What has grown, in words. The first third is not looked at: a process that has just been started takes more and more
 * for a while. Of the rest the earlier half is compared with the later.
 */
export function growth(phases: readonly Phase[]): string[] {
  const warm = phases.slice(Math.ceil(phases.length / 3))
  const middle = Math.floor(warm.length / 2)
  if (middle === 0) return []
  const mean = (of: readonly Phase[], what: 'memory' | 'file'): number =>
    of.reduce((sum, phase) => sum + phase[what], 0) / of.length
  return (['memory', 'file'] as const).flatMap((what) => {
    const [before, after] = [mean(warm.slice(0, middle), what), mean(warm.slice(middle), what)]
    // NaN, a phase that was not seen, is a complaint too.
    if (after <= before * GROWN) return []
    return [
      `the ${what === 'file' ? "journal's file" : 'memory'} grew from ${Math.round(before)} to ${Math.round(after)} MiB`,
    ]
  })
}

const mebibytes = (bytes: number): number => bytes / 1024 ** 2
