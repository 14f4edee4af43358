/**
 * For each alert, series with which it fires and series with which it does not. Samples are a minute apart unless `interval`
 * says otherwise; the notation of values is that of `promtool test rules`.
 */
export interface AlertCase {
  readonly alert: string
  readonly severity: 'critical' | 'warning'
  /** What happens, as a clause that completes "fires when" or "does not fire when". */
  readonly when: string
  readonly series: readonly Series[]
  /** When the alert is looked at. */
  readonly at: string
  readonly interval?: string
  /** The labels and the summary of the alert; undefined if it must not fire. */
  readonly fires?: { readonly labels: Readonly<Record<string, string>>; readonly summary: string }
}

export type Series = readonly [selector: string, values: string]

const JOB = 'dlr-mo-connector'
const INSTANCE = '10.0.0.1:9464'
const OWN = { job: JOB, instance: INSTANCE }

/** @param name a metric with its own labels, to which the labels of the scrape are added */
function series(name: string, values: string, instance = INSTANCE): Series {
  const [, metric = '', labels = ''] = /^(\w+)(?:\{(.*)\})?$/.exec(name) ?? []
  const own = `job="${JOB}",instance="${instance}"`
  return [`${metric}{${labels === '' ? own : `${labels},${own}`}}`, values]
}

/** The cases of one alert. */
function alert(name: string, severity: AlertCase['severity']) {
  return {
    fires: (
      when: string,
      at: string,
      all: Series[],
      labels: Record<string, string>,
      summary: string,
      interval?: string,
    ) =>
      ({
        alert: name,
        severity,
        when,
        at,
        series: all,
        fires: { labels, summary },
        ...(interval && { interval }),
      }) satisfies AlertCase,
    quiet: (when: string, at: string, all: Series[], interval?: string) =>
      ({ alert: name, severity, when, at, series: all, ...(interval && { interval }) }) satisfies AlertCase,
  }
}

const down = alert('DlrMoConnectorDown', 'critical')
const missing = alert('DlrMoConnectorReplicasMissing', 'warning')
const restarting = alert('DlrMoConnectorRestarting', 'warning')
const refuses = alert('DlrMoConnectorRefusesCustody', 'critical')
const filling = alert('DlrMoConnectorJournalFilling', 'critical')
const disk = alert('DlrMoConnectorDiskFilling', 'warning')
const heldUp = alert('DlrMoConnectorPublishingHeldUp', 'critical')
const stopped = alert('DlrMoConnectorPublishingStopped', 'critical')
const late = alert('DlrMoConnectorPublishingLate', 'warning')
const throttled = alert('DlrMoConnectorThrottled', 'warning')
const registry = alert('DlrMoConnectorRegistryWaiting', 'warning')
const sharing = alert('DlrMoConnectorSharingUnassigned', 'warning')
const notOwned = alert('DlrMoConnectorSourceNotOwned', 'critical')
const silent = alert('DlrMoConnectorSourceSilent', 'warning')
const unauthorized = alert('DlrMoConnectorCallbacksUnauthorized', 'critical')
const pullFailing = alert('DlrMoConnectorPullFailing', 'critical')
const notPulling = alert('DlrMoConnectorNotPulling', 'critical')
const answerLost = alert('DlrMoConnectorPullAnswerLost', 'warning')
const reconcile = alert('DlrMoConnectorReconcileFailing', 'warning')
const deadLetters = alert('DlrMoConnectorDeadLetters', 'warning')
const forgotten = alert('DlrMoConnectorIdsForgottenEarly', 'warning')
const reload = alert('DlrMoConnectorConfigReloadFailed', 'warning')
const dropped = alert('DlrMoConnectorLogLinesDropped', 'warning')
const custodyBurn = alert('DlrMoConnectorCustodyBudgetBurn', 'critical')
const custodySlowBurn = alert('DlrMoConnectorCustodyBudgetBurn', 'warning')
const commitBurn = alert('DlrMoConnectorCommitBudgetBurn', 'critical')
const commitSlowBurn = alert('DlrMoConnectorCommitBudgetBurn', 'warning')
const ageBurn = alert('DlrMoConnectorJournalAgeBudgetBurn', 'critical')
const ageSlowBurn = alert('DlrMoConnectorJournalAgeBudgetBurn', 'warning')

const custody = (fast: string, all: string): Series[] => [
  series('dlrmo_custody_seconds_bucket{le="0.25"}', fast),
  series('dlrmo_custody_seconds_bucket{le="+Inf"}', all),
  series('dlrmo_custody_seconds_count', all),
]
const commit = (le: string, early: string, all: string): Series[] => [
  series(`dlrmo_end_to_end_seconds_bucket{le="${le}"}`, early),
  series('dlrmo_end_to_end_seconds_bucket{le="+Inf"}', all),
  series('dlrmo_end_to_end_seconds_count', all),
]

export const ALERT_CASES: readonly AlertCase[] = [
  down.fires(
    'a replica cannot be scraped for two minutes',
    '3m',
    [series('up', '0x10')],
    OWN,
    '10.0.0.1:9464 cannot be scraped.',
  ),
  down.fires(
    'a pod cannot be scraped, which is then called by its name',
    '3m',
    [series('up{pod="sms-0"}', '0x10')],
    { ...OWN, pod: 'sms-0' },
    'sms-0 cannot be scraped.',
  ),
  down.quiet('a single scrape fails', '3m', [series('up', '1 0 1x10')]),

  missing.fires(
    'no replica is scraped at all',
    '16m',
    [['up{job="another"}', '1x20']],
    {},
    '0 replicas can be scraped, which is fewer than there should be.',
  ),
  missing.quiet('the replica is scraped', '16m', [series('up', '1x20')]),

  restarting.fires(
    'the process starts four times within half an hour',
    '10m',
    [series('process_start_time_seconds', '1 2 3 4x30')],
    OWN,
    '10.0.0.1:9464 has restarted 3 times within half an hour.',
  ),
  restarting.quiet('the process is restarted once', '10m', [series('process_start_time_seconds', '1 2x40')]),

  refuses.fires(
    'the journal refuses',
    '5m',
    [series('dlrmo_custody_refused', '1x10')],
    OWN,
    '10.0.0.1:9464 takes nothing into custody.',
  ),
  refuses.fires(
    'callbacks are answered with 503',
    '5m',
    [series('dlrmo_callbacks_total{source="s",code="503"}', '0+1x10')],
    OWN,
    '10.0.0.1:9464 takes nothing into custody.',
  ),
  refuses.quiet('callbacks were answered with 503 earlier', '9m', [
    series('dlrmo_custody_refused', '0x20'),
    series('dlrmo_callbacks_total{source="s",code="503"}', '0 3x20'),
  ]),

  filling.fires(
    'the journal is 80 % full',
    '5m',
    [series('dlrmo_journal_bytes', '800x10'), series('dlrmo_journal_max_bytes', '1000x10')],
    OWN,
    'The journal of 10.0.0.1:9464 is 80 % full.',
  ),
  filling.quiet('the journal is 60 % full', '5m', [
    series('dlrmo_journal_bytes', '600x10'),
    series('dlrmo_journal_max_bytes', '1000x10'),
  ]),

  disk.fires(
    'the disk has room for a quarter of what the limit allows',
    '7m',
    [
      series('dlrmo_custody_free_bytes', '209715200x10'),
      series('dlrmo_journal_max_bytes', '1073741824x10'),
      series('dlrmo_journal_bytes', '104857600x10'),
      series('dlrmo_custody_refused', '0x10'),
    ],
    OWN,
    'The disk of 10.0.0.1:9464 has room for only 200MiB of the journal.',
  ),
  disk.quiet('the limit of the journal is reached before the disk is full', '7m', [
    series('dlrmo_custody_free_bytes', '200x10'),
    series('dlrmo_journal_max_bytes', '1000x10'),
    series('dlrmo_journal_bytes', '800x10'),
    series('dlrmo_custody_refused', '0x10'),
  ]),
  disk.quiet('custody is refused already, for which another alert fires', '7m', [
    series('dlrmo_custody_free_bytes', '0x10'),
    series('dlrmo_journal_max_bytes', '1000x10'),
    series('dlrmo_journal_bytes', '100x10'),
    series('dlrmo_custody_refused', '1x10'),
  ]),

  heldUp.fires(
    'publishing waits for more than five minutes, even with an empty journal',
    '6m',
    [series('dlrmo_publishing', '1 0x10'), series('dlrmo_journal_entries', '0x10')],
    OWN,
    '10.0.0.1:9464 has not been able to publish for five minutes.',
  ),
  heldUp.quiet('publishing waits for three minutes', '8m', [series('dlrmo_publishing', '0x2 1x10')]),

  stopped.fires(
    'entries wait and no transaction ends',
    '11m',
    [series('dlrmo_journal_entries', '5x20'), series('dlrmo_publish_seconds_count', '10x20')],
    OWN,
    '10.0.0.1:9464 holds 5 entries and publishes none.',
  ),
  stopped.quiet('entries wait and transactions end', '11m', [
    series('dlrmo_journal_entries', '5x20'),
    series('dlrmo_publish_seconds_count', '10+1x20'),
  ]),
  stopped.quiet('there is nothing to publish', '11m', [
    series('dlrmo_journal_entries', '0x20'),
    series('dlrmo_publish_seconds_count', '10x20'),
  ]),

  late.fires(
    'the oldest entry is older than five minutes',
    '3m',
    [series('dlrmo_journal_oldest_age_seconds', '400x10')],
    OWN,
    '10.0.0.1:9464 holds an entry that is 6m 40s old.',
  ),
  late.quiet('the oldest entry is three minutes old', '3m', [series('dlrmo_journal_oldest_age_seconds', '180x10')]),

  throttled.fires(
    'Kafka asks for pauses that add up to a third of the time',
    '40m',
    [series('dlrmo_throttled_seconds_total', '0+20x60')],
    OWN,
    'Kafka makes 10.0.0.1:9464 wait 33.33% of the time.',
  ),
  throttled.quiet('Kafka asks for short pauses', '40m', [series('dlrmo_throttled_seconds_total', '0+6x60')]),

  registry.fires(
    'the registry is away for a quarter of an hour',
    '16m',
    [series('dlrmo_registry_state{state="waiting"}', '1x20'), series('dlrmo_registry_state{state="ok"}', '0x20')],
    { ...OWN, state: 'waiting' },
    'The schema registry has not served 10.0.0.1:9464 for fifteen minutes.',
  ),
  registry.quiet('the registry answers', '16m', [
    series('dlrmo_registry_state{state="waiting"}', '0x20'),
    series('dlrmo_registry_state{state="ok"}', '1x20'),
  ]),

  sharing.fires(
    'a replica is in no group for five minutes',
    '6m',
    [series('dlrmo_sharing_assigned', '0x10')],
    OWN,
    '10.0.0.1:9464 is not a member of the consumer group of the replicas.',
  ),
  sharing.quiet('sources are assigned again after a rebalance', '6m', [series('dlrmo_sharing_assigned', '1 0 1x10')]),

  notOwned.fires(
    'neither of two replicas owns a source',
    '12m',
    [
      series('dlrmo_source_owned{source="s"}', '0x20'),
      series('dlrmo_source_owned{source="s"}', '0x20', '10.0.0.2:9464'),
    ],
    { job: JOB, source: 's' },
    'No replica pulls or reconciles s.',
  ),
  notOwned.quiet('one of two replicas owns a source', '12m', [
    series('dlrmo_source_owned{source="s"}', '0x20'),
    series('dlrmo_source_owned{source="s"}', '1x20', '10.0.0.2:9464'),
  ]),

  silent.fires(
    'the last item arrived more than a day ago',
    '28h',
    [series('dlrmo_last_received_timestamp_seconds{source="s"}', '3600x900')],
    { job: JOB, source: 's' },
    'Nothing has arrived from s for longer than expected.',
    '2m',
  ),
  silent.fires(
    'nothing has arrived since the source was added a day ago',
    '28h',
    [series('dlrmo_last_received_timestamp_seconds{source="s"}', '0x900')],
    { job: JOB, source: 's' },
    'Nothing has arrived from s for longer than expected.',
    '2m',
  ),
  silent.quiet(
    'an item arrived eight hours ago, before a restart',
    '28h',
    [series('dlrmo_last_received_timestamp_seconds{source="s"}', '72000x720 0x180')],
    '2m',
  ),
  silent.quiet(
    'another replica received an item',
    '28h',
    [
      series('dlrmo_last_received_timestamp_seconds{source="s"}', '3600x900'),
      series('dlrmo_last_received_timestamp_seconds{source="s"}', '3600+120x900', '10.0.0.2:9464'),
    ],
    '2m',
  ),
  silent.quiet(
    'the source was added a few hours ago',
    '28h',
    [series('dlrmo_last_received_timestamp_seconds{source="s"}', '_x600 0x300')],
    '2m',
  ),

  unauthorized.fires(
    'a sixth of the callbacks has a wrong token',
    '12m',
    [
      series('dlrmo_callbacks_refused_total{source="s",reason="token"}', '0+2x20'),
      series('dlrmo_callbacks_total{source="s",code="401"}', '0+2x20'),
      series('dlrmo_callbacks_total{source="s",code="200"}', '0+10x20'),
    ],
    { job: JOB, source: 's', reason: 'token' },
    'Callbacks of s are answered with 401, because of: token.',
  ),
  unauthorized.fires(
    'all callbacks have a wrong signature',
    '12m',
    [
      series('dlrmo_callbacks_refused_total{source="s",reason="signature-wrong"}', '0+1x20'),
      series('dlrmo_callbacks_total{source="s",code="401"}', '0+1x20'),
      series('dlrmo_callbacks_total{source="s",code="200"}', '0x20'),
    ],
    { job: JOB, source: 's', reason: 'signature-wrong' },
    'Callbacks of s are answered with 401, because of: signature-wrong.',
  ),
  unauthorized.quiet('one of a hundred callbacks is refused', '12m', [
    series('dlrmo_callbacks_refused_total{source="s",reason="token"}', '0 0 0 1x20'),
    series('dlrmo_callbacks_total{source="s",code="401"}', '0 0 0 1x20'),
    series('dlrmo_callbacks_total{source="s",code="200"}', '0+10x20'),
  ]),
  unauthorized.quiet('somebody tries sources that do not exist, and sends bodies that are too large', '12m', [
    series('dlrmo_callbacks_refused_total{source="",reason="unknown-source"}', '0+50x20'),
    series('dlrmo_callbacks_total{source="",code="401"}', '0+50x20'),
    series('dlrmo_callbacks_refused_total{source="s",reason="body-too-large"}', '0+50x20'),
    series('dlrmo_callbacks_total{source="s",code="413"}', '0+50x20'),
  ]),

  pullFailing.fires(
    'every request for twenty minutes is refused',
    '25m',
    [
      series('dlrmo_pull_requests_total{source="s",outcome="account-error"}', '0+1x40'),
      series('dlrmo_pull_requests_total{source="s",outcome="page"}', '5x40'),
      series('dlrmo_pull_requests_total{source="s",outcome="empty"}', '0x40'),
    ],
    { job: JOB, source: 's' },
    'Every request to the queue of s fails.',
  ),
  pullFailing.quiet('some requests succeed', '25m', [
    series('dlrmo_pull_requests_total{source="s",outcome="account-error"}', '0+1x40'),
    series('dlrmo_pull_requests_total{source="s",outcome="empty"}', '0+1x40'),
  ]),

  notPulling.fires(
    'there is no request for twenty-five minutes',
    '30m',
    [
      series('dlrmo_pull_requests_total{source="s",outcome="page"}', '7x40'),
      series('dlrmo_pull_requests_total{source="s",outcome="empty"}', '0x40'),
    ],
    { job: JOB, source: 's' },
    'No replica polls s.',
  ),
  notPulling.quiet('another replica polls', '30m', [
    series('dlrmo_pull_requests_total{source="s",outcome="empty"}', '7x40'),
    series('dlrmo_pull_requests_total{source="s",outcome="empty"}', '0 0 0+1x40', '10.0.0.2:9464'),
  ]),

  answerLost.fires(
    'an answer is lost',
    '10m',
    [series('dlrmo_pull_answers_lost_total{source="s",reason="timeout"}', '0x5 1x10')],
    { job: JOB, source: 's', reason: 'timeout' },
    'An answer of the queue of s is lost, or a part of it: timeout.',
  ),
  answerLost.fires(
    'the first scrape of a series already counts a lost answer',
    '10m',
    [series('dlrmo_pull_answers_lost_total{source="s",reason="too-large"}', '_x5 1x10')],
    { job: JOB, source: 's', reason: 'too-large' },
    'An answer of the queue of s is lost, or a part of it: too-large.',
  ),
  answerLost.quiet('an answer was lost more than an hour ago', '90m', [
    series('dlrmo_pull_answers_lost_total{source="s",reason="timeout"}', '0 1x100'),
  ]),

  reconcile.fires(
    'every query for more than an hour is refused',
    '80m',
    [
      series('dlrmo_reconcile_requests_total{source="s",endpoint="status",outcome="refused"}', '0+1x100'),
      series('dlrmo_reconcile_requests_total{source="s",endpoint="status",outcome="answer"}', '4x100'),
    ],
    { job: JOB, source: 's' },
    'Every query for missed items of s fails.',
  ),
  reconcile.quiet('some queries are answered', '80m', [
    series('dlrmo_reconcile_requests_total{source="s",endpoint="status",outcome="timeout"}', '0+1x100'),
    series('dlrmo_reconcile_requests_total{source="s",endpoint="inbound",outcome="answer"}', '0+1x100'),
  ]),

  deadLetters.fires(
    'the first dead letter of a source makes its series',
    '10m',
    [series('dlrmo_dead_letters_total{source="s",reason="not-a-page"}', '_x5 1x20')],
    { job: JOB, source: 's', reason: 'not-a-page' },
    'Items of s became dead letters: not-a-page.',
  ),
  deadLetters.fires(
    'there is another dead letter',
    '40m',
    [series('dlrmo_dead_letters_total{source="s",reason="missing-text"}', '3x34 4x20')],
    { job: JOB, source: 's', reason: 'missing-text' },
    'Items of s became dead letters: missing-text.',
  ),
  deadLetters.quiet('the last dead letter is half an hour old', '40m', [
    series('dlrmo_dead_letters_total{source="s",reason="missing-text"}', '3x60'),
  ]),

  forgotten.fires(
    'event ids are forgotten too early',
    '6m',
    [series('dlrmo_ids_forgotten_early', '5x10')],
    OWN,
    '10.0.0.1:9464 has forgotten event ids before duplicates.remember had passed.',
  ),
  forgotten.quiet('none is', '6m', [series('dlrmo_ids_forgotten_early', '0x10')]),

  reload.fires(
    'the configuration on disk has not been in use for longer than 5 minutes',
    '10m',
    [series('dlrmo_config_reload_successful', '1 1 0x20')],
    OWN,
    '10.0.0.1:9464 does not use the configuration on its disk.',
  ),
  reload.quiet('a file was written in two steps, of which the first was incomplete', '10m', [
    series('dlrmo_config_reload_successful', '1 1 0 1x20'),
  ]),
  dropped.fires(
    'lines are dropped for half an hour',
    '31m',
    [series('dlrmo_log_lines_dropped_total', '0+5x40')],
    OWN,
    'Lines of the log of 10.0.0.1:9464 are dropped.',
  ),
  dropped.quiet('lines were dropped once', '40m', [series('dlrmo_log_lines_dropped_total', '0 0 5x60')]),

  custodyBurn.fires(
    'a fifth of the callbacks takes longer than 250 ms for an hour',
    '65m',
    custody('0+80x120', '0+100x120'),
    { job: JOB },
    '20% of callbacks and answers take longer than 250 ms to become durable.',
  ),
  custodyBurn.quiet('one in two hundred takes longer', '65m', custody('0+99.5x120', '0+100x120')),
  custodyBurn.quiet('there are fewer than 100 requests', '65m', custody('0+0.8x120', '0+1x120')),
  custodyBurn.quiet('the disk has been fast again for 40 minutes', '100m', custody('0+80x60 4900+100x60', '0+100x120')),
  custodySlowBurn.fires(
    'four per cent take longer for two hours',
    '130m',
    custody('0+96x180', '0+100x180'),
    { job: JOB },
    '4% of callbacks and answers take longer than 250 ms to become durable.',
  ),
  custodyBurn.quiet('four per cent take longer, for which a warning fires', '130m', custody('0+96x180', '0+100x180')),
  custodySlowBurn.quiet('one in two hundred takes longer', '130m', custody('0+99.5x180', '0+100x180')),

  ...['60', '60.0'].map((le) =>
    commitBurn.fires(
      `a tenth of the items is committed late for an hour, with le="${le}"`,
      '65m',
      commit(le, '0+90x120', '0+100x120'),
      { job: JOB },
      '10% of items are committed to Kafka later than 60 s after their arrival.',
    ),
  ),
  commitBurn.quiet('one in a thousand is late', '65m', commit('60', '0+999x120', '0+1000x120')),
  commitBurn.quiet('there are fewer than 100 items', '65m', commit('60', '0+0x120', '0+1x120')),
  commitSlowBurn.fires(
    'two per cent are late for two hours',
    '130m',
    commit('60', '0+98x180', '0+100x180'),
    { job: JOB },
    '2% of items are committed to Kafka later than 60 s after their arrival.',
  ),
  commitSlowBurn.quiet('one in a thousand is late', '130m', commit('60', '0+999x180', '0+1000x180')),

  ageBurn.fires(
    'an entry is older than 60 s all the time',
    '60m',
    [series('dlrmo_journal_oldest_age_seconds', '120x70')],
    { job: JOB },
    'For 100% of the time a journal holds an entry that is older than 60 s.',
  ),
  ageBurn.quiet('every entry is younger than 60 s', '60m', [series('dlrmo_journal_oldest_age_seconds', '30x70')]),
  ageBurn.quiet('an entry was older than 60 s for a minute', '60m', [
    series('dlrmo_journal_oldest_age_seconds', '1x57 70x0 1x30'),
  ]),
  ageSlowBurn.fires(
    'an entry is older than 60 s all the time',
    '180m',
    [series('dlrmo_journal_oldest_age_seconds', '120x200')],
    { job: JOB },
    'For 100% of the time a journal holds an entry that is older than 60 s.',
  ),
  ageSlowBurn.quiet('every entry is younger than 60 s', '180m', [series('dlrmo_journal_oldest_age_seconds', '30x200')]),
]
