/**
 * What is wrong, since when, why, and what to do about it, derived from the facts of `/status.json`. The status page shows the
 * problems in this order, the worst first.
 */
import type { PullOutcome } from '../core/observers.js'
import type { CustodyRefusalCause } from '../journal/journal.js'
import type { PublishingCode, SourceSnapshot, StatusSnapshot } from './status.js'

/** `critical`: something is refused or held up now. `warning`: it asks for a look during the day. */
export type Severity = 'critical' | 'warning'

export interface StatusProblem {
  readonly severity: Severity
  /** The source that it concerns; null if it concerns the connector as a whole. */
  readonly source: string | null
  /** What is wrong, as a clause. */
  readonly title: string
  /** Why, as a sentence. */
  readonly reason: string
  /** ISO 8601. */
  readonly since: string
  /** What to do, as sentences. */
  readonly action: string
  /** The heading of docs/runbook.md that explains it. */
  readonly runbook: string
}

/** How long a single event stays a problem that is shown at the top. */
const REFUSAL_SHOWN_MS = 60 * 60_000
const LOSS_SHOWN_MS = 24 * 60 * 60_000
/** Publishing that waits for longer is critical. */
const LONG_WAIT_MS = 5 * 60_000
/** Entries that are older are published late. */
const LATE_SECONDS = 60

const CHECK_COMMAND =
  'The command check tests brokers, rights, topics, registry and schemas, and names what is missing.'

const KEPT_MEANWHILE = 'Nothing is lost while the journal has room: what arrives is kept and published later.'

/** What to do about an error that holds publishing up, by its code. docs/runbook.md has the same codes. */
const PUBLISHING_ACTIONS: Readonly<Partial<Record<PublishingCode, string>>> = {
  KAFKA_UNREACHABLE:
    'Bring the brokers back. If they run, compare kafka.brokers and kafka.tls with their listeners, and look at DNS and network policies.',
  PUBLISH_IN_DOUBT:
    'Bring the brokers back. What was in doubt is neither lost nor published twice: the position in Kafka decides it.',
  KAFKA_REFUSED:
    'Do what the end of the reason says: a right or a limit that is changed on the cluster counts within seconds, and so do kafka.sasl ' +
    'and kafka.tls in the configuration file, without a restart. Only a clock that is set needs one. The command check tests credentials, ' +
    'each right, the limits of the topics, and the clock.',
  TOPIC_MISSING: 'Create the topic that the reason names, grant the right to see it, or set kafka.createTopics.',
  REGISTRY_UNREACHABLE: 'Bring the schema registry back, or correct registry.url.',
  REGISTRY_REFUSED:
    'Correct registry.auth, or have the schemas registered by the command schemas register and set registry.register to false.',
  SCHEMA_REFUSED:
    'Run the command schemas check: it names version, field and rule. The owner of the subject decides on another level or another topic.',
  SCHEMA_IDS_CHANGED:
    'Wait: the records are encoded again. If the registry was emptied, restore the ids of older records for their consumers.',
}

/** The reasons of refusals, in words, and the key of the configuration that decides. */
const REFUSALS: Readonly<Record<string, { readonly words: string; readonly key: string | null }>> = {
  'unknown-source': { words: 'the path names no source', key: null },
  address: { words: 'the address of the caller is not allowed', key: 'allowFrom' },
  token: { words: 'the token is wrong', key: 'token' },
  credentials: { words: 'the Basic credentials are wrong', key: 'basic' },
  nonce: { words: 'the nonce was used before', key: 'signingKey' },
  'signature-missing': { words: 'the signature is missing', key: 'signingKey' },
  'signature-wrong': { words: 'the signature is wrong', key: 'signingKey' },
  'signature-too-old': { words: 'the signature is too old', key: 'signatureMaxAge' },
  'signature-from-the-future': { words: 'the signature is from the future', key: 'signingKey' },
  topic: { words: 'the topic of Amazon SNS is not allowed', key: 'topicArns' },
  path: { words: 'the path is not that of a callback', key: null },
  method: { words: 'the method is neither GET nor POST', key: null },
  'body-too-large': { words: 'the body is too large', key: null },
  malformed: { words: 'the request is not valid HTTP', key: null },
  'no-memory': { words: 'too many bodies are being received at once', key: null },
  'too-many-requests': { words: 'an address that proves nothing was refused too often within a minute', key: null },
  'too-many-connections': { words: 'there are too many connections on which nothing is proved', key: null },
  'journal-refuses': { words: 'the journal cannot take it', key: null },
  'internal-error': { words: 'a fault of the connector', key: null },
  'certificate-unavailable': { words: 'the certificate of Amazon SNS cannot be fetched', key: null },
  'subscription-unconfirmed': { words: 'the subscription of Amazon SNS could not be confirmed', key: null },
}

/** A reason for which a callback was refused, in words. */
export const refusalInWords = (reason: string): string => REFUSALS[reason]?.words ?? reason

/** The heading of docs/runbook.md about a reason of dead letters. */
export const deadLetterEntry = (reason: string): string => `Dead letter: ${reason}`

export function findProblems(facts: StatusSnapshot): StatusProblem[] {
  const problems = [
    ...custodyProblems(facts),
    ...publishingProblems(facts),
    ...facts.sources.flatMap((source) => sourceProblems(source, facts)),
    ...unknownSourceProblems(facts),
    ...deadLetterProblems(facts),
    ...sharingProblems(facts),
    ...configurationProblems(facts),
  ]
  const rank = ({ severity }: StatusProblem): number => (severity === 'critical' ? 0 : 1)
  return problems.sort((a, b) => rank(a) - rank(b))
}

/** What `/status.json` answers: the facts, and what is wrong. */
export function reportStatus(facts: StatusSnapshot) {
  const problems = findProblems(facts)
  return {
    ...facts,
    /** The severity of the worst problem. */
    severity: problems[0]?.severity ?? ('ok' as const),
    /** Since when the oldest of the present problems lasts; null if there is none. */
    wrongSince: problems.map(({ since }) => since).sort()[0] ?? null,
    problems,
  }
}

export type StatusReport = ReturnType<typeof reportStatus>

const ageMs = (since: string, { time }: StatusSnapshot): number => Date.parse(time) - Date.parse(since)

function custodyProblems({ journal, startedAt }: StatusSnapshot): StatusProblem[] {
  const { refusal, refusalCause, refusedSince, fillingSince, bytes, maxBytes, freeBytes } = journal
  const problems: StatusProblem[] = []
  if (refusal !== null) {
    problems.push({
      severity: 'critical',
      source: null,
      title: 'Callbacks are refused with 503, and no queue is asked',
      reason: refusal,
      since: refusedSince ?? startedAt,
      ...(refusalCause === null ? UNREADABLE_JOURNAL : CUSTODY_ACTIONS[refusalCause]),
    })
  } else if (fillingSince !== null) {
    const isDiskSmaller = freeBytes !== null && bytes !== null && freeBytes < maxBytes - bytes
    problems.push({
      severity: 'warning',
      source: null,
      title: 'Little room is left for callbacks',
      since: fillingSince,
      ...(isDiskSmaller ? DISK_FILLING : JOURNAL_FILLING),
    })
  }
  for (const { event, warning } of journal.warnings) {
    problems.push({
      severity: 'warning',
      source: null,
      reason: warning,
      since: startedAt,
      runbook: event,
      ...(event === 'journal-older-copy' ? OLDER_COPY : REPLACED_JOURNAL),
    })
  }
  return problems
}

type Advice = Pick<StatusProblem, 'action' | 'runbook'>

const KEEP_JOURNAL = 'Do not delete the journal: everything in it was acknowledged and exists nowhere else.'

/** What to do while custody is refused, by its cause. */
const CUSTODY_ACTIONS: Readonly<Record<CustodyRefusalCause, Advice>> = {
  full: {
    action:
      'Get publishing going again: the journal empties as Kafka takes what it holds. If the disk has the room, raise journal.maxBytes ' +
      `and restart, to gain time. ${KEEP_JOURNAL}`,
    runbook: 'DlrMoConnectorRefusesCustody',
  },
  disk: {
    action: `Free space on the disk, or enlarge it. No restart is needed. ${KEEP_JOURNAL}`,
    runbook: 'DlrMoConnectorRefusesCustody',
  },
  'file-missing': {
    action:
      'Do not restart while entries of the journal are not published: they exist only in the file that this process has open. Put the file ' +
      'back if it was moved. If it was deleted, wait until the journal has no entries, then restart.',
    runbook: 'journal-file-missing',
  },
  unusable: { action: `Repair or replace the disk, then restart. ${KEEP_JOURNAL}`, runbook: 'journal-unusable' },
}
const UNREADABLE_JOURNAL: Advice = {
  action: `Look at the disk of the journal and at the log of this process. ${KEEP_JOURNAL}`,
  runbook: 'DlrMoConnectorRefusesCustody',
}

const JOURNAL_FILLING = {
  reason: 'The limit of the journal (journal.maxBytes) is nearly used up. After that, callbacks get 503.',
  action: 'Get publishing going again, or raise journal.maxBytes, if the disk has room for it, and restart.',
  runbook: 'DlrMoConnectorJournalFilling',
}
const DISK_FILLING = {
  reason:
    'The disk that holds the journal has less room than journal.maxBytes allows, and little of it. When it is full, callbacks get 503.',
  action: 'Remove from the disk what is not the journal, enlarge it, or lower journal.maxBytes to what it has.',
  runbook: 'DlrMoConnectorDiskFilling',
}

const OLDER_COPY = {
  title: 'The journal is an older copy of itself',
  action:
    'If the newer files still exist, stop the connector, put them back and start it. If not, ask the providers for what came since the ' +
    'copy was made, and let reconciliation run.',
}
const REPLACED_JOURNAL = {
  title: 'The journal is not the one of the last run',
  action:
    'Look first whether another connector runs under the same instance, and give it a name of its own. If none does, find the directory ' +
    'of the other journal: its volume may not be mounted. Keep it until it is published.',
}

function publishingProblems(facts: StatusSnapshot): StatusProblem[] {
  const { publishing, registry, journal, time } = facts
  if (publishing.state === 'waiting') {
    const isLong = ageMs(publishing.since, facts) > LONG_WAIT_MS
    return [
      {
        severity: isLong ? 'critical' : 'warning',
        source: null,
        title: 'Nothing is published',
        reason: publishing.reason ?? 'The reason is not known.',
        since: publishing.since,
        action: `${PUBLISHING_ACTIONS[publishing.code ?? 'UNEXPECTED'] ?? CHECK_COMMAND} ${KEPT_MEANWHILE}`,
        runbook: 'DlrMoConnectorPublishingHeldUp',
      },
    ]
  }
  const problems: StatusProblem[] = []
  if (registry.state === 'waiting') {
    problems.push({
      severity: 'warning',
      source: null,
      title: 'The schema registry is away',
      reason: registry.reason ?? 'The registry does not answer.',
      since: registry.since,
      action:
        'Publishing goes on with the schema ids of an earlier run. Bring the registry back before the connector restarts.',
      runbook: 'DlrMoConnectorRegistryWaiting',
    })
  }
  if (publishing.isThrottled) {
    problems.push({
      severity: 'warning',
      source: null,
      title: 'Kafka slows publishing down',
      reason: publishing.reason ?? 'A quota is exceeded.',
      since: time,
      action: 'Raise the quota of this user or client id if events are late.',
      runbook: 'DlrMoConnectorThrottled',
    })
  }
  if (publishing.state === 'ok' && journal.oldestAgeSeconds > LATE_SECONDS) {
    problems.push({
      severity: 'warning',
      source: null,
      title: 'Events are published late',
      reason: 'The oldest entry of the journal waits for longer than a minute, although publishing works.',
      since: new Date(Date.parse(time) - journal.oldestAgeSeconds * 1_000).toISOString(),
      action:
        'A backlog is being published, or Kafka is slow. If it does not shrink, look at the brokers and their quotas.',
      runbook: 'DlrMoConnectorPublishingLate',
    })
  }
  return problems
}

function sourceProblems(source: SourceSnapshot, facts: StatusSnapshot): StatusProblem[] {
  return [
    ...pullProblems(source, facts),
    ...reconcilingProblems(source),
    ...refusedCallbackProblems(source, facts),
    ...lostAnswerProblems(source, facts),
  ]
}

function pullProblems({ source, pull }: SourceSnapshot, { journal }: StatusSnapshot): StatusProblem[] {
  if (pull === null) return []
  if (pull.state === 'journal-refuses') {
    return [
      {
        severity: 'critical',
        source,
        title: 'A page is held in memory because the journal refuses it',
        reason: 'The provider has already forgotten this page. It is lost if the process dies now.',
        since: pull.since,
        action: 'Free space on the disk of the journal. Do not restart or kill this process before the page is stored.',
        runbook: 'page-refused',
      },
    ]
  }
  if (pull.state === 'journal-full' && journal.refusal === null) {
    return [
      {
        severity: 'critical',
        source,
        title: 'The queue is not asked, because an answer might not fit',
        reason: 'The journal or its disk has no room for an answer of pull.maxAnswer bytes.',
        since: pull.since,
        action:
          'Get publishing going again, or free space on the disk. The provider keeps the items for a limited time.',
        runbook: 'DlrMoConnectorNotPulling',
      },
    ]
  }
  if (pull.lastError === null) return []
  return [
    {
      severity: 'critical',
      source,
      title: 'Pulling fails',
      reason: pull.lastError,
      since: pull.failingSince ?? pull.since,
      action: `${pullAdvice(source, pull.lastErrorOutcome)} The provider keeps the items for a limited time.`,
      runbook: 'DlrMoConnectorPullFailing',
    },
  ]
}

/** What to do about a queue that can't be read, by how the last request ended. */
function pullAdvice(source: string, outcome: PullOutcome | null): string {
  const section = `sources.${source}.pull`
  if (outcome === 'network-error' || outcome === 'timeout') {
    return (
      `No answer arrives. Try ${section}.url from this machine: DNS, proxy, firewall, certificate, port. If others reach it, the network ` +
      'in between is at fault, otherwise the provider. It is asked again by itself.'
    )
  }
  if (outcome === 'not-a-page' || outcome === 'cut') {
    return (
      `What the provider answers is no page of its queue: maintenance, a proxy in between, or a wrong ${section}.url. dead-letters ` +
      `list --source ${source} and dead-letters show have the answer.`
    )
  }
  if (outcome === 'internal-error') return 'This is a defect of the connector. Report the log line pull-internal-error.'
  return (
    `The provider answers with an error. If it refuses the account, correct ${section}.username and ${section}.password; a status ` +
    `404 asks for another ${section}.url, and one of 500 and above is for the provider to mend.`
  )
}

function reconcilingProblems({ source, reconciling }: SourceSnapshot): StatusProblem[] {
  if (reconciling === null || reconciling.lastError === null) return []
  return [
    {
      severity: 'warning',
      source,
      title: 'Reconciling fails',
      reason: reconciling.lastError,
      since: reconciling.failingSince ?? reconciling.since,
      action: `If the provider refuses the account, correct sources.${source}.reconcile.apiKey. Callbacks are not affected.`,
      runbook: 'DlrMoConnectorReconcileFailing',
    },
  ]
}

function refusedCallbackProblems({ source, callbacks }: SourceSnapshot, facts: StatusSnapshot): StatusProblem[] {
  const last = callbacks?.lastRefused
  if (!last || ageMs(last.at, facts) > REFUSAL_SHOWN_MS) return []
  // What the journal refuses altogether is a problem of its own. A nearly full one takes small callbacks and refuses large ones.
  if (last.reason === 'journal-refuses')
    return facts.journal.fillingSince === null ? [] : largeCallbackProblems(source, last, facts)
  const { key, words } = REFUSALS[last.reason] ?? { key: null, words: last.reason }
  const hasOnlyRefusals = callbacks.refusedInARow > 1
  const told = hasOnlyRefusals
    ? `The last ${callbacks.refusedInARow} callbacks were refused`
    : 'A callback was refused between others that were accepted'
  return [
    {
      severity: hasOnlyRefusals ? 'critical' : 'warning',
      source,
      title: `Callbacks are refused with ${last.code}`,
      reason: `${told}: ${words}.`,
      since: callbacks.refusedSince ?? last.at,
      action:
        key === null
          ? 'Compare what the provider sends with the address and the method that it was given.'
          : `Compare sources.${source}.callback.${key} with what the provider uses. What it does not repeat is lost.`,
      runbook: 'DlrMoConnectorCallbacksUnauthorized',
    },
  ]
}

function largeCallbackProblems(source: string, last: { readonly at: string }, facts: StatusSnapshot): StatusProblem[] {
  if (facts.journal.refusal !== null) return []
  return [
    {
      severity: 'critical',
      source,
      title: 'Callbacks that are too large for the room that is left are refused with 503',
      reason: 'The journal is nearly full. It still takes small callbacks.',
      since: last.at,
      ...CUSTODY_ACTIONS.full,
    },
  ]
}

function unknownSourceProblems(facts: StatusSnapshot): StatusProblem[] {
  const { lastUnknownSourceAt } = facts.callbacksWithoutSource
  if (lastUnknownSourceAt === null || ageMs(lastUnknownSourceAt, facts) > REFUSAL_SHOWN_MS) return []
  return [
    {
      severity: 'warning',
      source: null,
      title: 'Callbacks name no source',
      reason: 'A request to the callbacks port named no source that takes callbacks, and got 401.',
      since: lastUnknownSourceAt,
      action:
        'Compare the address that the provider was given with the names under sources. It may also be a stranger.',
      runbook: 'DlrMoConnectorCallbacksUnauthorized',
    },
  ]
}

function lostAnswerProblems({ source, lostAnswers }: SourceSnapshot, facts: StatusSnapshot): StatusProblem[] {
  if (!lostAnswers?.lastAt || ageMs(lostAnswers.lastAt, facts) > LOSS_SHOWN_MS) return []
  return [
    {
      severity: 'warning',
      source,
      title:
        lostAnswers.count === 1
          ? 'An answer of the queue is lost'
          : `${lostAnswers.count} answers of the queue are lost`,
      reason: `The last one: ${lostAnswers.lastDetail}.`,
      since: lostAnswers.lastAt,
      action: 'Each may have held a page. Compare with the provider what it has handed out at that time.',
      runbook: 'DlrMoConnectorPullAnswerLost',
    },
  ]
}

function deadLetterProblems(facts: StatusSnapshot): StatusProblem[] {
  return facts.deadLetters
    .filter(({ lastAt }) => ageMs(lastAt, facts) <= LOSS_SHOWN_MS)
    .map(({ source, reason, count, lastAt, lastDetail }) => ({
      severity: 'warning',
      source,
      title: `${count === 1 ? 'A dead letter' : `${count} dead letters`}: ${reason}`,
      reason: `The last one: ${lastDetail}.`,
      since: lastAt,
      action:
        'The dead-letter topic holds what was received with all its bytes, so nothing is lost. After the cause is corrected, ' +
        `dead-letters replay --source ${source} --reason ${reason} publishes it, each item once.`,
      runbook: deadLetterEntry(reason),
    }))
}

function sharingProblems({ sharing }: StatusSnapshot): StatusProblem[] {
  if (sharing === null || sharing.reason === null) return []
  return [
    {
      severity: 'warning',
      source: null,
      title: 'The other replicas cannot be reached through Kafka',
      reason: sharing.reason,
      since: sharing.since,
      action:
        'Look whether the brokers answer, and whether the rights on the group and the topic of sharing are granted.',
      runbook: 'DlrMoConnectorSharingUnassigned',
    },
  ]
}

function configurationProblems({ configuration }: StatusSnapshot): StatusProblem[] {
  const { failure } = configuration
  if (failure === null) return []
  const needsRestart = failure.restartKeys.length > 0
  return [
    {
      severity: 'warning',
      source: null,
      title: needsRestart ? 'A change of the configuration needs a restart' : 'The configuration on disk is not in use',
      reason: failure.reason,
      since: failure.since,
      action: needsRestart
        ? 'Restart the connector to apply the change, or undo the change of these keys. Until then nothing of it is applied.'
        : 'Correct the configuration. It is loaded again when a file changes, and at SIGHUP. Until then the one before stays in use.',
      runbook: 'DlrMoConnectorConfigReloadFailed',
    },
  ]
}
