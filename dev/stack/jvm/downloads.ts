import { megabytes } from '../../progress.js'
import type { Progress } from '../../progress.js'

const LOOK_EVERY_MS = 500

/** One of several downloads that run side by side and share a progress line. */
export interface Download {
  /** For people: `Apache Kafka 4.1.1`. */
  readonly what: string
  /** Resolves to the bytes that have arrived. */
  measureBy(size: () => Promise<number>): void
  finish(): Promise<void>
}

/** Shows one line for all of them: `Apache Kafka 4.1.1 12.3 of about 65 MB, Apicurio Registry … - 14 s`. */
export class Downloads {
  readonly #progress: Progress
  readonly #under: Map<string, { expected: number; size: () => Promise<number> }> = new Map()
  #timer: NodeJS.Timeout | undefined
  #startedAt = 0

  constructor(progress: Progress) {
    this.#progress = progress
  }

  /** @param expectedBytes roughly; shown as such */
  begin(what: string, expectedBytes: number): Download {
    this.#progress.step(`Downloading ${what} from Maven Central into the cache, once ...`)
    if (this.#timer === undefined) {
      this.#startedAt = Date.now()
      this.#timer = setInterval(() => void this.#show(), LOOK_EVERY_MS)
    }
    return {
      what,
      measureBy: (size) => void this.#under.set(what, { expected: expectedBytes, size }),
      finish: async () => {
        const bytes = (await this.#under.get(what)?.size()) ?? 0
        this.#under.delete(what)
        this.#progress.step(`  ${what}: ${megabytes(bytes)} in ${this.#seconds()} s`)
      },
    }
  }

  /** Ends the line; needed after a failed download too, or the timer keeps the process alive. */
  end(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  async #show(): Promise<void> {
    const parts = await Promise.all(
      [...this.#under].map(
        async ([what, { expected, size }]) => `${what} ${megabytes(await size())} of about ${megabytes(expected)}`,
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
