/**
 * docs/runbook.md has an entry for every alert, reason of a dead letter, and event of the log at `warn` and above, and every
 * entry was rehearsed: a test breaks a real system, finds what the entry names, and does what it says.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { LOG_EVENTS } from '../src/core/log-events.js'
import { DEAD_LETTER_REASONS } from '../src/providers/wire/dead-letter.js'

const ROOT = join(import.meta.dirname, '..')
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')

/** The text of each entry by its heading. */
const entries = new Map(
  read('docs/runbook.md')
    .split(/^### /m)
    .slice(1)
    .map((entry): [string, string] => [entry.slice(0, entry.indexOf('\n')), entry.slice(entry.indexOf('\n')).trim()]),
)
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\w -]/g, '')
    .replaceAll(' ', '-')
const anchors = new Set([...entries.keys()].map(anchorOf))

const RULE_FOLDERS = ['helm/templates', 'monitoring']
const rules = RULE_FOLDERS.filter((folder) => existsSync(join(ROOT, folder)))
  .flatMap((folder) =>
    readdirSync(join(ROOT, folder))
      .filter((name) => name.endsWith('.yaml'))
      .map((name) => read(join(folder, name))),
  )
  .join('\n')
const alerts = [...new Set([...rules.matchAll(/alert: (\w+)/g)].map(([, name = '']) => name))]

const deadLetterReasons = Object.keys(DEAD_LETTER_REASONS)
const urgentEvents = Object.entries(LOG_EVENTS)
  .filter(([, level]) => level !== 'info')
  .map(([event]) => event)

/** The events in the paragraph `Log` of an entry. */
const eventsOf = (entry: string): string[] => {
  const [, paragraph = ''] = /\*\*Log\.\*\*([^]*?)(?:\n\n|$)/.exec(entry) ?? []
  return [...paragraph.matchAll(/`([a-z]+(?:-[a-z]+)*)`/g)].map(([, event = '']) => event)
}

const NEW = 'test/integration/runbook.test.ts'
const OUTAGE = 'test/integration/outage.test.ts'
const FAULTS = 'dev/faults/scenarios'

/** Where each entry is rehearsed: a file, and a text in it, such as the title of a test or the name of a kind of fault. */
const REHEARSALS: Readonly<Record<string, readonly (readonly [file: string, text: string])[]>> = {
  DlrMoConnectorRefusesCustody: [
    [NEW, 'A full disk refuses callbacks'],
    [OUTAGE, 'while the journal fills: callbacks get 503 and pulling stops, and both resume afterwards'],
    [`${FAULTS}/disk.ts`, "name: 'full-disk'"],
  ],
  'replay-given-up': [
    [
      'test/pipeline/replay.test.ts',
      'stays on its topic, with a report, if the marks can not be read; everything else is published',
    ],
  ],
  DlrMoConnectorJournalFilling: [
    [OUTAGE, 'while the journal fills: callbacks get 503 and pulling stops, and both resume afterwards'],
    [`${FAULTS}/disk.ts`, "name: 'journal-limit'"],
  ],
  DlrMoConnectorDiskFilling: [[NEW, 'A full disk refuses callbacks']],
  DlrMoConnectorCallbacksUnauthorized: [
    [NEW, 'A wrong callback token is shown'],
    [NEW, 'A wrong signing key is shown'],
  ],
  'connections-limited': [['test/integration/connection-limit.test.ts', 'says so, and answers callbacks and probes']],
  'sns-unavailable': [
    ['test/callbacks/sns.test.ts', 'that can not be fetched costs 503 with Retry-After until it can'],
    [
      'test/callbacks/sns.test.ts',
      'that can not be confirmed costs 503, and is confirmed when SNS repeats the message',
    ],
  ],
  'subscription-ended': [['test/callbacks/sns.test.ts', 'that was ended is logged, and is not subscribed again']],
  DlrMoConnectorSourceSilent: [[NEW, 'A wrong callback token is shown']],
  DlrMoConnectorPullFailing: [
    [NEW, 'A provider that is away'],
    [NEW, 'A wrong password of a queue'],
    [
      'test/integration/accounts.test.ts',
      'the wrong one is logged once, shown in metrics and status, and recovers by itself',
    ],
  ],
  DlrMoConnectorNotPulling: [
    [OUTAGE, 'while the journal fills: callbacks get 503 and pulling stops, and both resume afterwards'],
  ],
  DlrMoConnectorPullAnswerLost: [
    [NEW, 'A lost answer of a queue'],
    [`${FAULTS}/provider.ts`, "name: 'provider'"],
  ],
  'page-refused': [
    [NEW, 'A page that the journal refuses'],
    [`${FAULTS}/disk.ts`, "name: 'full-disk'"],
    ['test/polling/poller-custody.test.ts', 'holds the page, retries until the journal accepts it'],
  ],
  'pull-internal-error': [['test/polling/poller-errors.test.ts', 'goes on polling after an error before the request']],
  DlrMoConnectorPublishingHeldUp: [
    [NEW, 'A wrong Kafka password'],
    [NEW, 'A right that is missing'],
    [NEW, 'A topic that takes only small records'],
    [NEW, 'A clock that is three hours ahead'],
    [OUTAGE, 'under load: callbacks are accepted, and nothing is lost or doubled'],
    [OUTAGE, 'while the registry refuses an incompatible schema, until the subject is repaired'],
    [OUTAGE, 'while topics are missing, until they are created'],
    [OUTAGE, 'is waited for if no schema ids are remembered'],
    [`${FAULTS}/cluster-state.ts`, "name: 'rights'"],
    [`${FAULTS}/journals.ts`, "name: 'clock'"],
  ],
  DlrMoConnectorPublishingStopped: [[OUTAGE, 'under load: callbacks are accepted, and nothing is lost or doubled']],
  DlrMoConnectorPublishingLate: [[OUTAGE, 'paused for longer than requestTimeout']],
  DlrMoConnectorThrottled: [
    ['test/integration/large-entries.test.ts', 'is published under a producer quota of the broker'],
  ],
  DlrMoConnectorRegistryWaiting: [
    [OUTAGE, 'is not needed if the schema ids are remembered from an earlier run'],
    [`${FAULTS}/registry.ts`, "name: 'registry'"],
  ],
  'schema-warning': [['test/integration/schema-versions.test.ts', 'reads records of the first version']],
  'position-lost': [[`${FAULTS}/cluster-state.ts`, "name: 'position'"]],
  'entry-republished': [[`${FAULTS}/kills.ts`, "name: 'large-entries'"]],
  'idempotence-refused': [
    ['test/integration/check.test.ts', 'asks for Write on the topics only, with delivery at-least-once'],
  ],
  'journal-file-missing': [
    ['test/integration/removed-journal.test.ts', 'publishes what it held, says on every page what happened'],
    ['test/integration/removed-journal.test.ts', 'takes callbacks again when the directory is back, and loses nothing'],
  ],
  'journal-entry-unreadable': [
    [
      'test/journal/encryption.test.ts',
      'returns what is in front of it, and then an error that names it, and loses nothing behind it',
    ],
  ],
  'journal-unusable': [
    [NEW, 'A journal that can not be written any more'],
    [`${FAULTS}/disk.ts`, "name: 'failing-disk'"],
  ],
  'journal-access-wide': [['test/journal/journal-directory.test.ts', 'is logged when the journal is opened']],
  'journal-lock-limited': [
    [
      'test/journal/directory-lock.test.ts',
      'is refused to others by the lock file alone where the kernel locks no data file',
    ],
  ],
  'journal-replaced': [
    ['test/integration/replaced-journal.test.ts', 'is reported with both journals and the group while the other one'],
    [`${FAULTS}/journals.ts`, "name: 'journals'"],
  ],
  'journal-older-copy': [
    ['test/integration/replaced-journal.test.ts', 'is reported in the log, in /status.json and on the status page'],
  ],
  DlrMoConnectorIdsForgottenEarly: [['test/journal/event-id-index.test.ts', 'more than 100 event ids']],
  DlrMoConnectorReconcileFailing: [
    ['test/integration/reconcile.test.ts', 'shows the refusal in metrics, in the status and once in the log'],
  ],
  DlrMoConnectorSharingUnassigned: [
    ['test/integration/sharing-outage.test.ts', 'replicas without an assignment poll all sources'],
  ],
  DlrMoConnectorSourceNotOwned: [['test/integration/sharing.test.ts', 'divide the sources again']],
  DlrMoConnectorReplicasMissing: [['test/integration/sharing.test.ts', 'divide the sources again']],
  DlrMoConnectorDown: [['test/integration/kill.test.ts', 'kill -9 during pulls and callbacks']],
  DlrMoConnectorRestarting: [[`${FAULTS}/kills.ts`, "name: 'kill'"]],
  'Exit code 2': [
    ['test/integration/exit-codes.test.ts', 'of the %s server ends run with 2 and the key of the configuration'],
  ],
  'Exit code 4': [
    ['test/integration/exit-codes.test.ts', 'with the same journal ends with 4, and the first one continues'],
    ['test/integration/exit-codes.test.ts', 'with the same instance and another journal takes over'],
  ],
  'configuration-warning': [['test/config/warnings.test.ts', 'configurationWarnings warns']],
  DlrMoConnectorConfigReloadFailed: [
    ['test/integration/reload.test.ts', 'changes nothing and is reported in log, status and metrics'],
    ['test/integration/reload.test.ts', 'that needs a restart changes nothing'],
  ],
  DlrMoConnectorLogLinesDropped: [['test/admin/log-output.test.ts', 'does not block on a']],
  'kafka-client-warning': [['test/integration/shutdown.test.ts', 'even at log level trace']],
  'telemetry-export-failed': [['test/integration/telemetry.test.ts', "event === 'telemetry-export-failed'"]],
  DlrMoConnectorCustodyBudgetBurn: [['test/integration/work-limits.test.ts', 'stays within the limit']],
  DlrMoConnectorCommitBudgetBurn: [[OUTAGE, 'under load: callbacks are accepted, and nothing is lost or doubled']],
  DlrMoConnectorJournalAgeBudgetBurn: [[OUTAGE, 'under load: callbacks are accepted, and nothing is lost or doubled']],
  DlrMoConnectorDeadLetters: [[NEW, 'A poison item']],
}
/** Decoders and the poller make the dead letters of all reasons; the fixtures say which item becomes one. */
const DEAD_LETTER_TESTS = ['test/fixtures', 'test/providers', 'test/pipeline', 'test/polling']

describe('docs/runbook.md', () => {
  it.each([...entries.keys()])('says in the first line of "%s" whether to hurry, and what to do', (heading) => {
    const entry = entries.get(heading)!
    expect(entry).toMatch(/^\*\*(Hurry|Today|No hurry)/)
    const isDeadLetter = heading.startsWith('Dead letter: ')
    const paragraphs = isDeadLetter
      ? [/\*\*Do\.\*\*/]
      : [/\*\*Meaning\.\*\*/, /\*\*Look( and do)?\.\*\*/, /\*\*(Do|Look and do)\.\*\*/]
    for (const paragraph of paragraphs) expect(entry).toMatch(paragraph)
    if (!isDeadLetter && heading !== 'DlrMoConnectorDeadLetters') expect(entry).toMatch(/\*\*At risk meanwhile\.\*\*/)
  })

  it('has an entry for each alert, and none for an alert that does not exist', () => {
    expect(alerts.length).toBeGreaterThan(20)
    expect([...entries.keys()].filter((heading) => heading.startsWith('DlrMo')).sort()).toEqual([...alerts].sort())
  })

  it('is where every runbook_url of a rule leads', () => {
    const linked = [...rules.matchAll(/runbook\.md#([\w-]+)/g)].map(([, anchor = '']) => anchor)
    expect(linked.filter((anchor) => !anchors.has(anchor))).toEqual([])
  })

  it('has an entry for each reason of a dead letter', () => {
    const documented = [...entries.keys()].flatMap((heading) => /^Dead letter: (.+)$/.exec(heading)?.[1] ?? [])
    expect(documented.sort()).toEqual([...deadLetterReasons].sort())
  })

  it('names each event at warn and above in an entry, and docs/logs.md links it', () => {
    const explained = [...entries].flatMap(([heading, entry]) => eventsOf(entry).map((event) => ({ event, heading })))
    expect(urgentEvents.filter((event) => !explained.some((each) => each.event === event))).toEqual([])
    const rows = [...read('docs/logs.md').matchAll(/^\| `([a-z-]+)` \|.*\(runbook\.md#([\w-]+)\) \|$/gm)]
    const linked = rows.map(([, event = '', anchor = '']) => ({ event, anchor }))
    expect(linked.map(({ event }) => event).sort()).toEqual([...urgentEvents].sort())
    const wrong = linked.filter(
      ({ event, anchor }) => !explained.some((each) => each.event === event && anchorOf(each.heading) === anchor),
    )
    expect(wrong).toEqual([])
  })

  it('names only events that exist', () => {
    const named = [...entries.values()].flatMap(eventsOf)
    const known = (event: string): boolean => event in LOG_EVENTS
    expect(named.filter((event) => !known(event) && !read('docs/runbook.md').includes(`**${event}`))).toEqual([])
  })
})

describe('The rehearsals of docs/runbook.md', () => {
  it('cover every entry', () => {
    const covered = [...Object.keys(REHEARSALS), ...deadLetterReasons.map((reason) => `Dead letter: ${reason}`)]
    expect([...entries.keys()].filter((heading) => !covered.includes(heading))).toEqual([])
    expect(Object.keys(REHEARSALS).filter((heading) => !entries.has(heading))).toEqual([])
  })

  it.each(Object.entries(REHEARSALS))('of "%s" exist', (_heading, rehearsals) => {
    expect(rehearsals.length).toBeGreaterThan(0)
    expect(rehearsals.filter(([file, text]) => !read(file).includes(text))).toEqual([])
  })

  it.each(deadLetterReasons)('make a dead letter with the reason %s', (reason) => {
    const files = DEAD_LETTER_TESTS.flatMap((path) =>
      readdirSync(join(ROOT, path), { recursive: true, encoding: 'utf8' })
        .filter((name) => /\.(ts|json)$/.test(name))
        .map((name) => join(path, name)),
    )
    expect(files.filter((file) => new RegExp(`\\b${reason}\\b`).test(read(file)))).not.toEqual([])
  })
})
