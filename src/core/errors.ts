/** An external system that the connector depends on. */
export type Dependency = 'kafka' | 'registry'

interface CodeTraits {
  /** The exit code of the process when an error with this code ends it. The README lists the exit codes. */
  readonly exitCode: number
  /** The external system that is unavailable or refuses the connector, if it is one. */
  readonly dependency?: Dependency
}

/** The closed table of the errors that the connector raises on purpose. */
const CODES = {
  /** The configuration is wrong, or a port that it names can't be opened. */
  CONFIG_INVALID: { exitCode: 2 },
  /** The command line is wrong. */
  USAGE: { exitCode: 2 },
  /** The directory that a command is to read holds no journal. */
  NO_JOURNAL: { exitCode: 2 },
  /** Another process holds the journal. */
  JOURNAL_HELD: { exitCode: 4 },
  /** The journal has reached `journal.maxBytes`, or its disk is full. */
  JOURNAL_FULL: { exitCode: 1 },
  /** A write to the journal failed. The next one may succeed. */
  JOURNAL_WRITE_FAILED: { exitCode: 1 },
  /** The journal can't be opened, or its files are damaged. */
  JOURNAL_UNUSABLE: { exitCode: 1 },
  /** The oldest entry of the journal that is not published can't be read: it is damaged, or its key is missing. */
  JOURNAL_ENTRY_UNREADABLE: { exitCode: 1 },
  /** The nonce of a signed callback was used before. */
  NONCE_SEEN: { exitCode: 1 },
  /** The schema registry does not answer. */
  REGISTRY_UNREACHABLE: { exitCode: 3, dependency: 'registry' },
  /** The schema registry refuses the credentials, or the account lacks a right. */
  REGISTRY_REFUSED: { exitCode: 3, dependency: 'registry' },
  /** The schema registry refuses a schema, or holds one that ours can't be written with. */
  SCHEMA_REFUSED: { exitCode: 2, dependency: 'registry' },
  /** The schema registry names other schema ids than those remembered in the journal's directory. */
  SCHEMA_IDS_CHANGED: { exitCode: 1, dependency: 'registry' },
  /** No broker can be reached. */
  KAFKA_UNREACHABLE: { exitCode: 3, dependency: 'kafka' },
  /** Kafka refuses the credentials, or the account lacks a right. */
  KAFKA_REFUSED: { exitCode: 3, dependency: 'kafka' },
  /** A topic does not exist, and `kafka.createTopics` is not set. */
  TOPIC_MISSING: { exitCode: 3, dependency: 'kafka' },
  /** It is not known whether the broker has committed a batch. */
  PUBLISH_IN_DOUBT: { exitCode: 3, dependency: 'kafka' },
  /** `run --drain` ended with entries left in the journal. */
  NOT_DRAINED: { exitCode: 3 },
  /** A producer with the same `instance` has taken over. */
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

/** The code of an error; UNEXPECTED for one that the connector does not raise on purpose. */
export const codeOf = (error: unknown): ErrorCode | 'UNEXPECTED' =>
  error instanceof ConnectorError ? error.code : 'UNEXPECTED'

/** The message of anything that was thrown, for a log line or the status page. */
export const messageOf = (error: unknown): string => {
  // Node.js reports one failure for each address of a host in an AggregateError, which has no message of its own.
  if (error instanceof AggregateError && error.message === '') return error.errors.map(messageOf).join('; ')
  return error instanceof Error ? error.message : String(error)
}
