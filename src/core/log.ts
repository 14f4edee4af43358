import type { LogEvent, LogLevel } from './log-events.js'

/**
 * The facts of a line: the name of what has happened, and what is known of it.
 *
 * A line at info and above needs an `event` of `LOG_EVENTS` (core/log-events.ts) whose level there is the level of the line.
 * Someone who adds a line adds its event there and a row to docs/logs.md, which a test compares.
 */
export interface LogFacts<Level extends LogLevel> {
  readonly event: LogEvent<Level>
  readonly [fact: string]: unknown
}

/** The methods of a pino logger that this program uses: an object of facts, then a sentence that explains them. */
export interface Log {
  isLevelEnabled(level: 'trace' | 'debug'): boolean
  trace(facts: object, message: string): void
  debug(facts: object, message: string): void
  info(facts: LogFacts<'info'>, message: string): void
  warn(facts: LogFacts<'warn'>, message: string): void
  error(facts: LogFacts<'error'>, message: string): void
  fatal(facts: LogFacts<'fatal'>, message: string): void
}
