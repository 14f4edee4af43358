/** An external system that the connector depends on. */
export type Dependency = 'kafka' | 'registry'

interface CodeTraits {
  /** The exit code of the process when an error with this code ends it. The README lists the exit codes. */
  readonly exitCode: number
  /** The external system that is unavailable or refuses the connector, if it is one. */
  readonly dependency?: Dependency
}

/** The codes of all errors that the connector raises on purpose. */
const CODES = {
  CONFIG_INVALID: { exitCode: 2 },
  USAGE: { exitCode: 2 },
  JOURNAL_HELD: { exitCode: 4 },
  JOURNAL_FULL: { exitCode: 1 },
  JOURNAL_WRITE_FAILED: { exitCode: 1 },
  JOURNAL_UNUSABLE: { exitCode: 1 },
  NONCE_SEEN: { exitCode: 1 },
  REGISTRY_UNREACHABLE: { exitCode: 3, dependency: 'registry' },
  REGISTRY_REFUSED: { exitCode: 3, dependency: 'registry' },
  SCHEMA_REFUSED: { exitCode: 2, dependency: 'registry' },
  SCHEMA_IDS_CHANGED: { exitCode: 1, dependency: 'registry' },
  KAFKA_UNREACHABLE: { exitCode: 3, dependency: 'kafka' },
  KAFKA_REFUSED: { exitCode: 3, dependency: 'kafka' },
  TOPIC_MISSING: { exitCode: 3, dependency: 'kafka' },
  PUBLISH_IN_DOUBT: { exitCode: 3, dependency: 'kafka' },
  NOT_DRAINED: { exitCode: 3 },
  PRODUCER_REPLACED: { exitCode: 4 },
} as const satisfies Record<string, CodeTraits>

export type ErrorCode = keyof typeof CODES

/** An error that the connector raises on purpose. Callers distinguish errors by their code, never by their message. */
export class ConnectorError extends Error {
  override readonly name = 'ConnectorError'
  readonly code: ErrorCode

  /** @param message says what happened, where, and what to do about it */
  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }

  get exitCode(): number {
    return CODES[this.code].exitCode
  }

  /** The external system that is unavailable or refuses the connector; undefined for all other errors. */
  get dependency(): Dependency | undefined {
    const traits: CodeTraits = CODES[this.code]
    return traits.dependency
  }
}

export const hasCode = (error: unknown, code: ErrorCode): boolean =>
  error instanceof ConnectorError && error.code === code

/** The message of anything that was thrown, for a log line or the status page. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
