/** Loggers and observers that record their calls, for tests to inspect. */
import type { LogLevel } from '../../src/core/log-events.js'
import type { Log } from '../../src/core/log.js'
import type {
  CallbackObserver,
  CallbackRefusalReason,
  LostAnswerReason,
  PullObserver,
  PullOutcome,
  PullState,
} from '../../src/core/observers.js'

export interface LogLine {
  readonly level: 'trace' | 'debug' | LogLevel
  readonly facts: object
  readonly message: string
}

export class RecordingLog implements Log {
  readonly lines: LogLine[] = []

  isLevelEnabled(): boolean {
    return true
  }
  trace(facts: object, message: string): void {
    this.lines.push({ level: 'trace', facts, message })
  }
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
  fatal(facts: object, message: string): void {
    this.lines.push({ level: 'fatal', facts, message })
  }

  /** The messages of all lines, in their order. */
  get messages(): string[] {
    return this.lines.map(({ message }) => message)
  }

  linesAt(level: LogLine['level']): LogLine[] {
    return this.lines.filter((line) => line.level === level)
  }
}

export class RecordingCallbackObserver implements CallbackObserver {
  /** Source and status of each answer, as in `seven-main 200`. */
  readonly answers: string[] = []
  /** Source, status and reason of each refusal, as in `seven-main 401 token`. */
  readonly refusals: string[] = []

  answered(source: string, code: number, refusal?: CallbackRefusalReason): void {
    this.answers.push(`${source} ${code}`)
    if (refusal !== undefined) this.refusals.push(`${source} ${code} ${refusal}`)
  }
  custodyTaken(): void {}
}

export class RecordingPullObserver implements PullObserver {
  readonly outcomes: PullOutcome[] = []
  readonly pageSizes: number[] = []
  readonly states: PullState[] = []
  readonly losses: LostAnswerReason[] = []
  readonly #watchers = new Set<() => void>()

  requestEnded(_source: string, outcome: PullOutcome): void {
    this.outcomes.push(outcome)
    for (const watcher of this.#watchers) watcher()
  }
  pageSizeChanged(_source: string, pageSize: number): void {
    this.pageSizes.push(pageSize)
  }
  custodyTaken(): void {}
  answerLost(_source: string, reason: LostAnswerReason): void {
    this.losses.push(reason)
  }
  stateChanged(_source: string, state: PullState): void {
    this.states.push(state)
    for (const watcher of this.#watchers) watcher()
  }

  get lastState(): PullState | undefined {
    return this.states.at(-1)
  }

  /** Resolves once the condition holds. It is checked after each event. */
  until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (!condition()) return
        this.#watchers.delete(check)
        resolve()
      }
      this.#watchers.add(check)
      check()
    })
  }
}
