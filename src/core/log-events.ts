/**
 * The names of what the log reports at level info and above, with the level of each. The name is the field `event` of a
 * line. Alerts on logs rely on it, so a name stays when a message is worded anew. docs/logs.md explains each.
 */
export type LogLevel = 'info' | 'warn' | 'error' | 'fatal'

export const LOG_EVENTS = {
  'admin-request-failed': 'error',
  'assignment-changed': 'info',
  'callback-rejected': 'warn',
  'configuration-reload-failed': 'error',
  'configuration-reloaded': 'info',
  'configuration-unchanged': 'info',
  'configuration-warning': 'warn',
  'connector-failed': 'error',
  'connector-started': 'info',
  'connector-stopped': 'info',
  'connector-stopping': 'info',
  'custody-refused': 'error',
  'custody-resumed': 'info',
  'dead-letter': 'warn',
  'drain-started': 'info',
  'entries-left': 'info',
  'entry-republished': 'warn',
  'event-ids-forgotten': 'warn',
  'following-caught-up': 'info',
  'following-failed': 'warn',
  'following-recovered': 'info',
  'following-started': 'info',
  'group-joined': 'info',
  'group-unavailable': 'warn',
  'idempotence-refused': 'warn',
  'journal-access-wide': 'warn',
  'journal-close-failed': 'error',
  'journal-file-missing': 'error',
  'journal-file-restored': 'info',
  'journal-lock-limited': 'warn',
  'journal-older-copy': 'warn',
  'journal-replaced': 'warn',
  'journal-reserve-missing': 'warn',
  'journal-unreadable': 'error',
  'journal-unusable': 'error',
  'journal-write-failed': 'error',
  'journal-write-recovered': 'info',
  'kafka-client-warning': 'warn',
  'kafka-throttled': 'warn',
  'log-lines-dropped': 'warn',
  'message-query-refused': 'info',
  'node-warning': 'warn',
  'page-lost': 'error',
  'page-refused': 'error',
  'page-stored': 'info',
  'position-lost': 'warn',
  'published-check-skipped': 'warn',
  'published-check-started': 'info',
  'publishing-resumed': 'info',
  'publishing-started': 'info',
  'publishing-waiting': 'warn',
  'pull-answer-lost': 'warn',
  'pull-continued': 'info',
  'pull-failed': 'warn',
  'pull-internal-error': 'error',
  'pull-late-bytes': 'warn',
  'pull-paused': 'warn',
  'pull-recovered': 'info',
  'reconcile-continued': 'info',
  'reconcile-failed': 'warn',
  'reconcile-internal-error': 'error',
  'reconcile-paused': 'warn',
  'reconcile-recovered': 'info',
  'registry-recovered': 'info',
  'registry-unreachable': 'warn',
  'replay-given-up': 'error',
  'schema-ids-not-saved': 'warn',
  'schema-warning': 'warn',
  'schemas-confirmed': 'info',
  'signal-received': 'info',
  'telemetry-export-failed': 'warn',
  'telemetry-export-recovered': 'info',
  'telemetry-started': 'info',
  'telemetry-warning': 'warn',
  'unexpected-error': 'fatal',
  'watch-given-up': 'info',
  'watch-relay-failed': 'warn',
  'watch-relay-recovered': 'info',
  'watch-relayed': 'info',
  'watch-request-failed': 'error',
} as const satisfies Readonly<Record<string, LogLevel>>

type Levels = typeof LOG_EVENTS

/** The events of a level. */
export type LogEvent<Level extends LogLevel = LogLevel> = {
  [Event in keyof Levels]: Levels[Event] extends Level ? Event : never
}[keyof Levels]

/** Whether the event is one of the given level. */
export const isEventOf = <Level extends LogLevel>(level: Level, event: LogEvent): event is LogEvent<Level> =>
  LOG_EVENTS[event] === level
