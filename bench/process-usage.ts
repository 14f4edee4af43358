/** CPU time and memory of other processes, as the /proc file system of Linux shows them. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

const SAMPLE_INTERVAL_MS = 200
/** Fields of /proc/<pid>/stat behind the name of the program, which may contain blanks: user and system time. */
const USER_TIME_FIELD = 11
const SYSTEM_TIME_FIELD = 12

const ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))

/** Seconds of CPU time that all threads of the process have used since its start. The resolution is 10 ms. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[USER_TIME_FIELD]) + Number(fields[SYSTEM_TIME_FIELD])) / ticksPerSecond
}

export interface MemoryPeak {
  /** Heaps and stacks: memory that the kernel can't take back. */
  readonly anonymousMiB: number
  /** Mapped files: the program itself and the pages of an LMDB file. The kernel can take them back. */
  readonly fileMappedMiB: number
}

/**
 * Samples the memory of processes until `stop` is called. It reads /proc/<pid>/status. smaps_rollup has the same two sums, but
 * holds the memory map of the process while it walks all of its pages.
 */
export class MemorySampler {
  readonly #peaks = new Map<number, { anonymousMiB: number; fileMappedMiB: number }>()
  readonly #timer = setInterval(() => this.#sample(), SAMPLE_INTERVAL_MS)

  watch(pid: number): void {
    this.#peaks.set(pid, { anonymousMiB: 0, fileMappedMiB: 0 })
    this.#sample()
  }

  /** The peaks of each of the two kinds since `watch`. */
  peakOf(pid: number): MemoryPeak {
    return this.#peaks.get(pid) ?? { anonymousMiB: NaN, fileMappedMiB: NaN }
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #sample(): void {
    for (const [pid, peak] of this.#peaks) {
      const memory = memoryOf(pid)
      if (memory === undefined) continue
      peak.anonymousMiB = Math.max(peak.anonymousMiB, memory.anonymousMiB)
      peak.fileMappedMiB = Math.max(peak.fileMappedMiB, memory.fileMappedMiB)
    }
  }
}

/** Undefined after the process has ended. */
export function memoryOf(pid: number): MemoryPeak | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    const mebibytes = (field: string): number =>
      Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? NaN) / 1024
    return { anonymousMiB: mebibytes('RssAnon'), fileMappedMiB: mebibytes('RssFile') }
  } catch {
    return undefined
  }
}
