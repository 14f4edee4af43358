import type { Work } from './deps.js'

/**
 * Switches one piece of work on and off, any number of times: each time it is begun anew, and never before the last has
 * ended. Ending may take a while (an answer in hand is awaited); what is wanted by then counts.
 */
export class WorkSwitch {
  readonly #begin: () => Work
  readonly #ended: (() => void) | undefined
  readonly #hurry = new AbortController()
  #wanted = false
  #over = false
  #work: Work | undefined
  #busy = false
  #settled: Promise<void> = Promise.resolve()

  /** @param ended called each time when work has ended */
  constructor(begin: () => Work, ended?: () => void) {
    this.#begin = begin
    this.#ended = ended
  }

  /** Whether work is under way, or ending. */
  get on(): boolean {
    return this.#work !== undefined
  }

  set(wanted: boolean): void {
    if (this.#over) return
    this.#want(wanted)
  }

  /** Off for good. Resolves when the work has ended. */
  async stop(hurry?: AbortSignal): Promise<void> {
    const force = (): void => this.#hurry.abort()
    if (hurry?.aborted) force()
    hurry?.addEventListener('abort', force)
    this.#over = true
    this.#want(false)
    await this.#settled
    hurry?.removeEventListener('abort', force)
  }

  #want(wanted: boolean): void {
    this.#wanted = wanted
    if (!this.#busy) this.#settled = this.#settle()
  }

  async #settle(): Promise<void> {
    this.#busy = true
    while (this.#wanted !== this.on) {
      if (this.#work === undefined) {
        this.#work = this.#begin()
        this.#work.start()
      } else {
        await this.#work.stop(this.#hurry.signal)
        this.#work = undefined
        this.#ended?.()
      }
    }
    this.#busy = false
  }
}
