/**
 * Every error that this product raises on purpose: a closed table of codes.
 *
 * `retryable` says whether the same call may succeed later without anybody changing anything; `exitCode` what the
 * process ends with when the error reaches `main.ts` (the table of exit codes in the README).
 */
const TABLE = {
  CONFIG_INVALID: { retryable: false, exitCode: 2 },
  USAGE: { retryable: false, exitCode: 2 },
  JOURNAL_HELD: { retryable: false, exitCode: 4 },
  JOURNAL_FULL: { retryable: true, exitCode: 1 },
  JOURNAL_WRITE_FAILED: { retryable: true, exitCode: 1 },
  JOURNAL_UNUSABLE: { retryable: false, exitCode: 1 },
  NONCE_SEEN: { retryable: false, exitCode: 1 },
  REGISTRY_UNREACHABLE: { retryable: true, exitCode: 3 },
  REGISTRY_REFUSED: { retryable: true, exitCode: 3 },
  SCHEMA_REFUSED: { retryable: true, exitCode: 2 },
  SCHEMA_IDS_CHANGED: { retryable: true, exitCode: 1 },
  KAFKA_UNREACHABLE: { retryable: true, exitCode: 3 },
  KAFKA_REFUSED: { retryable: true, exitCode: 3 },
  TOPIC_MISSING: { retryable: true, exitCode: 3 },
  PUBLISH_IN_DOUBT: { retryable: true, exitCode: 3 },
  NOT_DRAINED: { retryable: true, exitCode: 3 },
  PRODUCER_REPLACED: { retryable: false, exitCode: 4 },
} as const

export type ErrorCode = keyof typeof TABLE

export class ConnectorError extends Error {
  override readonly name = 'ConnectorError'
  readonly code: ErrorCode

  /** @param message what was found, where, and what to do about it */
  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }

  get retryable(): boolean {
    return TABLE[this.code].retryable
  }

  get exitCode(): number {
    return TABLE[this.code].exitCode
  }
}

export const ERROR_CODES = Object.keys(TABLE) as ErrorCode[]

export const hasCode = (error: unknown, code: ErrorCode): boolean =>
  error instanceof ConnectorError && error.code === code

/** One line for a log or a status page, of anything that was thrown. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
