/** What intake reports to, kept for tests to look at. */
import type { Log } from '../../src/core/log.js'
import type { CallbackObserver, PullObserver, PullOutcome, PullState } from '../../src/core/observers.js'

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly facts: object
  readonly message: string
}

export class RecordingLog implements Log {
  readonly lines: LogLine[] = []

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

  linesAt(level: LogLine['level']): LogLine[] {
    return this.lines.filter((line) => line.level === level)
  }
}

export class RecordingCallbackObserver implements CallbackObserver {
  readonly answers: string[] = []
  custodies = 0
  refusals = 0

  answered(source: string, code: number): void {
    this.answers.push(`${source} ${code}`)
  }
  custodyTaken(): void {
    this.custodies++
  }
  taken(): void {}
  refused(): void {
    this.refusals++
  }
}

export class RecordingPullObserver implements PullObserver {
  readonly outcomes: PullOutcome[] = []
  readonly limits: number[] = []
  readonly states: PullState[] = []
  readonly #watchers = new Set<() => void>()

  requestEnded(_source: string, outcome: PullOutcome): void {
    this.outcomes.push(outcome)
    for (const watcher of this.#watchers) watcher()
  }
  pageSizeChanged(_source: string, limit: number): void {
    this.limits.push(limit)
  }
  custodyTaken(): void {}
  stateChanged(_source: string, state: PullState): void {
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
