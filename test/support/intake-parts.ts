/** What intake reports to, kept for tests to look at. */
import type { Log } from '../../src/core/log.js'
import type { CallbackObserver, PullObserver, PullOutcome, PullState } from '../../src/core/observers.js'

export interface Line {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly facts: object
  readonly message: string
}

export class KeptLog implements Log {
  readonly lines: Line[] = []

  debug(facts: object, message: string): void {
    this.lines.push({ level: 'debug', facts, message })
  }
  info(facts: object, message: string): void {
    this.lines.push({ level: 'info', facts, message })
  }
  warn(facts: object, message: string): void {
    this.lines.push({ level: 'warn', facts, message })
  }
  error(facts: object, message: string): void {
    this.lines.push({ level: 'error', facts, message })
  }

  at(level: Line['level']): Line[] {
    return this.lines.filter((line) => line.level === level)
  }
}

export class KeptCallbacks implements CallbackObserver {
  readonly answers: string[] = []
  custodies = 0
  refusals = 0

  answered(source: string, code: number): void {
    this.answers.push(`${source} ${code}`)
  }
  custody(): void {
    this.custodies++
  }
  taken(): void {}
  refused(): void {
    this.refusals++
  }
}

export class KeptPulls implements PullObserver {
  readonly outcomes: PullOutcome[] = []
  readonly limits: number[] = []
  readonly states: PullState[] = []
  readonly #watchers = new Set<() => void>()

  requested(_source: string, outcome: PullOutcome): void {
    this.outcomes.push(outcome)
    for (const watcher of this.#watchers) watcher()
  }
  limit(_source: string, limit: number): void {
    this.limits.push(limit)
  }
  custody(): void {}
  state(_source: string, state: PullState): void {
    this.states.push(state)
    for (const watcher of this.#watchers) watcher()
  }

  get last(): PullState | undefined {
    return this.states.at(-1)
  }

  /** Resolves once it holds. */
  until(holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!holds()) return
        this.#watchers.delete(look)
        resolve()
      }
      this.#watchers.add(look)
      look()
    })
  }
}
