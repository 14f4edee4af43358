import { formatMegabytes } from '../../progress.js'
import type { Progress } from '../../progress.js'

const UPDATE_INTERVAL_MS = 500

/** One of several concurrent downloads that share one line of progress. */
export interface Download {
  /** For people: `Apache Kafka 4.1.1`. */
  readonly what: string
  /** @param size returns the number of bytes that have arrived */
  measureBy(size: () => Promise<number>): void
  finish(): Promise<void>
}

/** Shows all downloads in one line: `Apache Kafka 4.1.1 12.3 of about 65 MB, Apicurio Registry … - 14 s`. */
export class Downloads {
  readonly #progress: Progress
  readonly #underWay: Map<string, { expected: number; size: () => Promise<number> }> = new Map()
  #timer: NodeJS.Timeout | undefined
  #startedAt = 0

  constructor(progress: Progress) {
    this.#progress = progress
  }

  /** @param expectedBytes an estimate, which is shown as such */
  begin(what: string, expectedBytes: number): Download {
    this.#progress.step(`Downloading ${what} from Maven Central into the cache, which is needed only once ...`)
    if (this.#timer === undefined) {
      this.#startedAt = Date.now()
      this.#timer = setInterval(() => void this.#show(), UPDATE_INTERVAL_MS)
    }
    return {
      what,
      measureBy: (size) => void this.#underWay.set(what, { expected: expectedBytes, size }),
      finish: async () => {
        const bytes = (await this.#underWay.get(what)?.size()) ?? 0
        this.#underWay.delete(what)
        this.#progress.step(`  ${what}: ${formatMegabytes(bytes)} in ${this.#seconds()} s`)
      },
    }
  }

  /** Stops showing progress. Must be called after a failed download too, because the timer keeps the process alive. */
  end(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  async #show(): Promise<void> {
    const parts = await Promise.all(
      [...this.#underWay].map(
        async ([what, { expected, size }]) =>
          `${what} ${formatMegabytes(await size())} of about ${formatMegabytes(expected)}`,
      ),
    )
    if (parts.length > 0 && this.#timer !== undefined) {
      this.#progress.update(`  ${parts.join(', ')} - ${this.#seconds()} s`)
    }
  }

  #seconds(): number {
    return Math.round((Date.now() - this.#startedAt) / 1_000)
  }
}
