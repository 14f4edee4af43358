/**
 * `check` tests whether `run` would work, and changes nothing: it creates no topic, registers no schema, takes no item from a
 * queue, and begins no transaction, which would fence a running connector of the same instance.
 */
import { existsSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { resolve } from 'node:path'
import { createLog } from '../admin/log.js'
import { encryptionKeysOf } from '../app/open-journal.js'
import { kafkaSettings, registrySettings, subjectsOf } from '../app/publishing.js'
import { readConfiguration } from './configuration.js'
import type { Config } from '../config/types.js'
import { configurationWarnings } from '../config/warnings.js'
import { systemClock } from '../core/clock.js'
import { formatElapsedTime } from '../core/elapsed-time.js'
import { ConnectorError, hasCode, messageOf } from '../core/errors.js'
import { listen } from '../http-server/listen.js'
import { findHolder } from '../journal/directory-lock.js'
import { type EncryptionKeys, EntryCodec, missingKeyError } from '../journal/entry-codec.js'
import { diskSpace } from '../journal/disk-reserve.js'
import { assertHasRoom, assertIsDataFile, dataFileOf } from '../journal/environment.js'
import { assertNoLinks, describeWideAccess, inspectJournalDirectory } from '../journal/journal-directory.js'
import { JournalReader } from '../journal/journal-reader.js'
import { findOtherJournals } from '../kafka/other-journals.js'
import { findMissingRights, type RequiredRights, rightsOnMarks } from '../kafka/rights.js'
import { requiredTopics } from '../kafka/settings.js'
import {
  MissingTopicsError,
  RefusedTopicsError,
  fetchTopicLimits,
  fetchTopicPartitions,
  validateTopicCreation,
} from '../kafka/topics.js'
import { personalDataMask } from '../masking/personal-data.js'
import { redact } from '../masking/secrets.js'
import { RegistryClient } from '../registry/registry-client.js'
import { EVENT_KINDS } from '../registry/schemas.js'
import { inspectWriterSchema } from '../registry/writer-schema.js'
import { checkQueue, checkReconciling } from './check-providers.js'
import { formatBytes } from './journal.js'
import { printOutput } from './output.js'

export interface CheckOptions {
  readonly config: string
  readonly json: boolean
}

/** `in-use`: another process holds it. `not-checked`: something else prevents the check, so nothing is known. */
type CheckState = 'ok' | 'failed' | 'in-use' | 'not-checked'

/** The result of one check, as `check --json` prints it. */
interface CheckResult {
  readonly name: string
  /** False if the check failed, or was not made because another one failed. */
  readonly ok: boolean
  readonly state: CheckState
  readonly detail: string
  /** What may go wrong nevertheless, as sentences. It does not change the exit code. */
  readonly warnings: readonly string[]
  readonly exitCode: number
}

/** What a test found: a detail in a few words, and warnings. */
type Finding = string | { readonly result: string; readonly warnings: readonly string[] }

const UNEXPECTED_EXIT_CODE = 1
/** A provider is a dependency like the broker and the registry. */
const DEPENDENCY_EXIT_CODE = 3
const JOURNAL_HELD_EXIT_CODE = 4

/** How far records may lie in the future: `message.timestamp.after.max.ms` of Kafka, which is an hour by default. */
const MAX_RECORD_LEAD_MS = 3_600_000
/** The header Date has whole seconds, and an answer takes some time. */
const TOLERATED_CLOCK_DIFFERENCE_MS = 30_000

/**
 * @returns 0; 2 if a schema is refused or a port can't be opened; 3 if a dependency can't be reached or refuses; 1 if the journal
 *   can't be used; 4 if nothing is wrong but that another process holds the journal
 * @throws ConnectorError CONFIG_INVALID
 */
export async function check({ config: file, json }: CheckOptions): Promise<number> {
  const config = readConfiguration(file)
  const journal = await checkJournal(config)
  const { result: kafka, hasConnected } = await checkKafka(config)
  const results = [
    await runCheck('configuration', () => describeConfiguration(file, config)),
    await runCheck('personal data', () => describePersonalData(config)),
    journal,
    ...(await checkPorts(config, journal)),
    ...(await checkRegistry(config)),
    kafka,
    ...(await checkOnCluster(config, kafka, hasConnected)),
    ...(await checkProviders(config)),
  ]
  await printOutput(json ? toJson(results, config) : toTable(results))
  const failures = results.map(({ exitCode }) => exitCode).filter((code) => code !== 0)
  // Beside a running connector the journal is always held. Everything else that is wrong matters more.
  return failures.find((code) => code !== JOURNAL_HELD_EXIT_CODE) ?? failures[0] ?? 0
}

/** A provider, a registry or a broker may quote the numbers of people. */
const maskPeople = personalDataMask('masked').sentence

/**
 * @param test returns what was found, and throws if the check fails
 * @param exitCode of a failure that is no ConnectorError
 */
async function runCheck(
  name: string,
  test: () => Finding | Promise<Finding>,
  exitCode = UNEXPECTED_EXIT_CODE,
): Promise<CheckResult> {
  try {
    const finding = await test()
    const { result, warnings } = typeof finding === 'string' ? { result: finding, warnings: [] } : finding
    return { name, ok: true, state: 'ok', detail: result, warnings: warnings.map(maskPeople), exitCode: 0 }
  } catch (error) {
    return {
      name,
      ok: false,
      state: 'failed',
      detail: maskPeople(messageOf(error)),
      warnings: [],
      exitCode: error instanceof ConnectorError ? error.exitCode : exitCode,
    }
  }
}

/** @param failed the check that has to succeed before this one can be made, and that gives the exit code */
const skipCheck = (name: string, failed: CheckResult): CheckResult => ({
  name,
  ok: false,
  state: 'not-checked',
  detail: `skipped, because the check of ${failed.name} failed`,
  warnings: [],
  exitCode: 0,
})

const describeConfiguration = (file: string, config: Config): string =>
  [`${file}: ${config.sources.size} source(s)`, ...configurationWarnings(config)].join('; ')

/** Says which of the options of docs/personal-data.md are on. */
function describePersonalData({ journal, records: { dlr, mo }, log }: Config): string {
  const { currentKeyId } = new EntryCodec('', encryptionKeysOf(journal))
  return [
    currentKeyId === null ? 'journal not encrypted' : `journal encrypted with key ${currentKeyId}`,
    `receipts: raw ${dlr.raw}`,
    `messages: raw ${mo.raw}, text ${mo.text}, key ${mo.keySecret === undefined ? 'plain' : 'hashed'}`,
    `log ${log.personalData}`,
  ].join('; ')
}

/** Beside a running connector the journal is in use, which is no fault. Its disk may be full all the same. */
async function checkJournal({ journal }: Config): Promise<CheckResult> {
  const result = await runCheck('journal', () => checkJournalDirectory(journal))
  const isInUse = result.exitCode === JOURNAL_HELD_EXIT_CODE
  if (!result.ok && !isInUse) return result
  return { ...result, warnings: [...result.warnings, ...roomWarnings(journal)], ...(isInUse && { state: 'in-use' }) }
}

/** Compares what the disk has free with what the limit allows. The data file is a part of what the limit allows. */
function roomWarnings({ directory, maxBytes }: Config['journal']): string[] {
  const path = resolve(directory)
  const { free } = diskSpace(path)
  const fileBytes = statSync(dataFileOf(path), { throwIfNoEntry: false })?.size ?? 0
  if (free + fileBytes >= maxBytes) return []
  return [
    `the disk that holds ${path} has ${formatBytes(free)} free, and journal.maxBytes allows ${formatBytes(maxBytes)}: the disk is full ` +
      'first, and callbacks get 503 then; free space on it, enlarge it, or lower journal.maxBytes',
  ]
}

/** `run` creates a directory that does not exist, so then its nearest existing parent must be writable. @throws ConnectorError */
async function checkJournalDirectory(journal: Config['journal']): Promise<Finding> {
  const { directory } = journal
  const path = resolve(directory)
  const exists = inspectJournalDirectory(path)
  assertCanBeOpened(path)
  if (!exists) return `${path} can be created`
  assertCanBeDecrypted(path, encryptionKeysOf(journal))
  const holder = await findHolder(path)
  const wideAccess = describeWideAccess(path)
  if (holder === undefined) {
    return { result: `${path} can be written to`, warnings: wideAccess === undefined ? [] : [wideAccess] }
  }
  throw new ConnectorError(
    'JOURNAL_HELD',
    `${path} is held by ${holder}; a second connector would not start with this journal. If that process is the connector ` +
      'with this configuration, nothing is wrong',
  )
}

/** @throws ConnectorError JOURNAL_UNUSABLE, where `run` would end with it */
function assertCanBeOpened(directory: string): void {
  try {
    assertNoLinks(directory)
    assertIsDataFile(dataFileOf(directory))
    assertHasRoom(directory)
  } catch (error) {
    throw new ConnectorError(
      'JOURNAL_UNUSABLE',
      `the journal in ${directory} can't be opened: ${messageOf(error)}; see journal.directory`,
    )
  }
}

/** @throws ConnectorError CONFIG_INVALID, where `run` would end with it */
function assertCanBeDecrypted(directory: string, keys: EncryptionKeys): void {
  let reader: JournalReader
  try {
    reader = JournalReader.open(directory, keys)
  } catch {
    // A file that holds no journal yet holds nothing that a key is needed for.
    return
  }
  try {
    const missing = reader.countByMissingKey()
    if (missing.size > 0) throw missingKeyError(directory, missing)
  } finally {
    reader.close()
  }
}

/** Opens each port for a moment. While another process holds the journal, the ports are probably its own. */
async function checkPorts(config: Config, journal: CheckResult): Promise<CheckResult[]> {
  const hasCallbacks = [...config.sources.values()].some(({ callback }) => callback)
  const results: CheckResult[] = []
  for (const section of hasCallbacks ? (['callbacks', 'admin'] as const) : (['admin'] as const)) {
    const { host, port } = config[section]
    const result = await runCheck(`${section} port`, async () => {
      const server = createServer()
      await listen(server, host, port, section)
      await new Promise((resolve) => server.close(resolve))
      return `${host}:${port} can be opened`
    })
    const isProbablyOurs = !result.ok && journal.exitCode === JOURNAL_HELD_EXIT_CODE
    if (!isProbablyOurs) {
      results.push(result)
      continue
    }
    const { name, detail } = result
    results.push({ name, ok: true, state: 'not-checked', detail: 'not tested', warnings: [detail], exitCode: 0 })
  }
  return results
}

async function checkProviders(config: Config): Promise<CheckResult[]> {
  const checks = [...config.sources.values()].flatMap((source) => {
    const { name, pull, reconcile } = source
    return [
      ...(pull ? [runCheck(`pull ${name}`, () => checkQueue(source, pull, config.proxy), DEPENDENCY_EXIT_CODE)] : []),
      ...(reconcile
        ? [runCheck(`reconcile ${name}`, () => checkReconciling(source, reconcile, config.proxy), DEPENDENCY_EXIT_CODE)]
        : []),
    ]
  })
  return Promise.all(checks)
}

/** Whether `run` would begin a new journal. With `at-least-once` Kafka holds no positions that could tell of another one. */
const isJournalNew = ({ kafka, journal }: Config): boolean =>
  kafka.delivery === 'exactly-once' && !existsSync(dataFileOf(journal.directory))

/** Looks, before a new journal is made, whether this instance had another one. */
async function checkOtherJournals(config: Config): Promise<Finding> {
  const others = await findOtherJournals(kafkaSettings(config), '', systemClock, silentLog(config))
  const directory = resolve(config.journal.directory)
  if (others.length === 0) return `${directory} holds no journal yet, and Kafka no position of this instance`
  const warnings = others.map(
    ({ id, groupId }) =>
      `${directory} holds no journal, and Kafka the position of journal ${id} of this instance (group ${groupId}): check that ` +
      'the volume is mounted and that journal.directory is unchanged. What that journal had not published is not published ' +
      'from a new one',
  )
  return { result: `run will begin a new journal in ${directory}`, warnings }
}

/**
 * Checks the registry, the schema of each subject, and this machine's clock by the registry's. A registry that fails for every
 * subject is one failure.
 */
async function checkRegistry(config: Config): Promise<CheckResult[]> {
  const api = new RegistryClient(registrySettings(config))
  const subjects = subjectsOf(config)
  const checks = EVENT_KINDS.map((kind) =>
    runCheck(`schema ${subjects[kind].name}`, () => inspectWriterSchema(api, subjects[kind], config.registry.register)),
  )
  try {
    const schemas = await Promise.all(checks)
    const [first] = schemas
    if (first === undefined || schemas.some(({ exitCode }) => exitCode !== DEPENDENCY_EXIT_CODE)) {
      const clock = await runCheck('clock', () => checkClock(api.clockLeadMs), DEPENDENCY_EXIT_CODE)
      return [await runCheck('registry', () => `${api.url} answers`), ...schemas, clock]
    }
    const registry = { ...first, name: 'registry' }
    return [registry, ...schemas.map(({ name }) => skipCheck(name, registry)), skipCheck('clock', registry)]
  } finally {
    await api.close()
  }
}

/**
 * Compares this machine's clock with the registry's, which is usually synchronised as the brokers' clocks are. The protocol of
 * Kafka has no request for the time of a broker.
 * @throws Error if publishing would stop
 */
function checkClock(leadMs: number | undefined): Finding {
  if (leadMs === undefined) {
    return { result: 'not compared', warnings: ['the registry names no time, so that the clock could not be compared'] }
  }
  const seconds = Math.abs(Math.round(leadMs / 1_000))
  const difference = `this machine's clock is ${formatElapsedTime(seconds)} ${leadMs < 0 ? 'behind' : 'ahead of'} the registry's`
  if (leadMs >= MAX_RECORD_LEAD_MS) {
    throw new Error(`${difference}, and brokers refuse records from the future; synchronise the clock that is wrong`)
  }
  if (Math.abs(leadMs) <= TOLERATED_CLOCK_DIFFERENCE_MS) return "this machine's clock agrees with the registry's"
  const warning = `${difference}, so that the times in the records are wrong by as much; synchronise the clock that is wrong`
  return { result: 'publishing would work', warnings: [warning] }
}

/**
 * Checks the topics.
 * @returns whether the brokers have let this client in, so that they can be asked for more, whatever is wrong with the topics
 */
async function checkKafka(config: Config): Promise<{ readonly result: CheckResult; readonly hasConnected: boolean }> {
  let hasConnected = true
  const result = await runCheck('kafka', async () => {
    try {
      return await checkTopics(config, requiredTopics(config.kafka))
    } catch (error) {
      hasConnected = error instanceof MissingTopicsError || error instanceof RefusedTopicsError
      throw error
    }
  })
  return { result, hasConnected }
}

/**
 * Makes the checks that need Kafka, or names them as not made.
 * Whether the group can be joined is not tested, because joining would move sources to this process.
 */
async function checkOnCluster(config: Config, kafka: CheckResult, hasConnected: boolean): Promise<CheckResult[]> {
  const { sharing } = config
  const checks = new Map<string, () => Promise<Finding>>()
  checks.set('topic limits', () => checkTopicLimits(config))
  if (sharing) checks.set('sharing', () => checkTopics(config, [sharing.topic]))
  checks.set('replays', () => checkReplays(config))
  checks.set('rights', () => checkRights(config))
  if (isJournalNew(config)) checks.set('position', () => checkOtherJournals(config))
  const results: CheckResult[] = []
  for (const [name, test] of checks) results.push(hasConnected ? await runCheck(name, test) : skipCheck(name, kafka))
  return results
}

/** @throws ConnectorError KAFKA_REFUSED, with each right that is missing */
async function checkRights(config: Config): Promise<Finding> {
  const { missing, unknown } = await findMissingRights(
    kafkaSettings(config),
    requiredRights(config),
    systemClock,
    silentLog(config),
  )
  if (missing.length === 0) {
    return {
      result: 'this user has every right that was asked for',
      warnings: unknown.map((each) => `not tested: ${each}`),
    }
  }
  throw new ConnectorError(
    'KAFKA_REFUSED',
    `this user lacks ${missing.join(', ')}; grant these rights with kafka-acls.sh`,
  )
}

function requiredRights({ instance, kafka, sharing, sources }: Config): RequiredRights {
  const { dlr, mo, deadLetter } = kafka.topics
  const prefix = `dlr-mo-connector.${instance}`
  const isExactlyOnce = kafka.delivery === 'exactly-once'
  // A replica that reconciles reads what the others have published.
  const isReader = sharing !== undefined && [...sources.values()].some(({ reconcile }) => reconcile)
  const read = isReader ? (['Read'] as const) : []
  return {
    topics: new Map([
      [dlr, ['Write', ...read]],
      [mo, ['Write', ...read]],
      // The position is an offset of this topic, and Kafka demands Read to store one.
      [deadLetter, isExactlyOnce || isReader ? ['Write', 'Read'] : ['Write']],
      ...(sharing ? [[sharing.topic, ['Read', 'Write']] as const] : []),
    ]),
    ...(isExactlyOnce && { transactionalId: prefix }),
    groups: new Map([
      // The groups of positions and readers have further parts behind this prefix.
      ...(isExactlyOnce || isReader ? [[`${prefix}.check`, `all groups that begin with ${prefix}.`] as const] : []),
      ...(sharing ? [[sharing.group, `group ${sharing.group}`] as const] : []),
    ]),
  }
}

const silentLog = (config: Config) =>
  createLog({ ...config.log, level: 'silent', instance: config.instance }, { write: () => undefined })

/** Only replays of dead letters need this topic, so what is missing is a warning. */
async function checkReplays(config: Config): Promise<Finding> {
  const topic = config.kafka.topics.deadLetterReplays
  try {
    const result = await checkTopics(config, [topic], true)
    const { missing } = await findMissingRights(
      kafkaSettings(config),
      rightsOnMarks(topic),
      systemClock,
      silentLog(config),
    )
    if (missing.length === 0) return result
    const warning = `this user lacks ${missing.join(', ')}, so dead letters can't be replayed; everything else works`
    return { result, warnings: [warning] }
  } catch (error) {
    if (!hasCode(error, 'TOPIC_MISSING') && !hasCode(error, 'KAFKA_REFUSED')) throw error
    const warning =
      `topic ${topic} does not exist, or this user has no right to see it, so dead letters can't be replayed; everything else ` +
      'works. Create it with cleanup.policy=compact'
    return { result: 'not needed unless dead letters are replayed', warnings: [warning] }
  }
}

/** @param isCompacted whether `run` creates missing topics as compacted ones */
async function checkTopics(config: Config, names: readonly string[], isCompacted = false): Promise<string> {
  const { createTopics } = config.kafka
  const settings = kafkaSettings(config)
  const log = silentLog(config)
  try {
    const partitions = await fetchTopicPartitions(settings, names, systemClock, log)
    return [...partitions].map(([topic, count]) => `${topic} (${count} partitions)`).join(', ')
  } catch (error) {
    if (!(error instanceof MissingTopicsError) || !createTopics) throw error
    await validateTopicCreation(settings, error.topics, { ...createTopics, isCompacted }, systemClock, log)
    return `no topic ${error.topics.join(', ')} on the cluster: run will create what is missing (kafka.createTopics)`
  }
}

/**
 * Compares the topics that exist with the batches that `run` will send.
 * @throws ConnectorError KAFKA_REFUSED, if the topics would refuse some
 */
async function checkTopicLimits(config: Config): Promise<Finding> {
  const { maxBatchBytes } = config.kafka
  const topics = requiredTopics(config.kafka)
  const limits = await fetchTopicLimits(kafkaSettings(config), topics, systemClock, silentLog(config))
  if (limits === undefined) {
    const warning =
      'max.message.bytes and min.insync.replicas of the topics are not tested, because this user lacks DescribeConfigs on them; run ' +
      'does not need that right'
    return { result: 'not tested', warnings: [warning] }
  }
  const problems = limits.flatMap(({ topic, maxMessageBytes, minInsyncReplicas, replicas }) => [
    ...(maxMessageBytes < maxBatchBytes
      ? [
          `topic ${topic} takes batches of at most ${maxMessageBytes} bytes (max.message.bytes), and kafka.maxBatchBytes is ` +
            `${maxBatchBytes}: raise the former, or lower the latter`,
        ]
      : []),
    ...(minInsyncReplicas > replicas
      ? [
          `topic ${topic} demands ${minInsyncReplicas} replicas in sync (min.insync.replicas), and has ${replicas}: lower the former, ` +
            'or add replicas',
        ]
      : []),
  ])
  if (problems.length > 0) throw new ConnectorError('KAFKA_REFUSED', problems.join('; '))
  return limits.length === 0 ? 'no topic exists yet' : 'the topics take the batches of this configuration'
}

const toJson = (results: readonly CheckResult[], config: Config): string =>
  `${JSON.stringify({ ok: results.every(({ ok }) => ok), checks: results, configuration: redact(config) })}\n`

/** The first word of a line. */
const STATE_WORDS: Readonly<Record<CheckState, string>> = {
  ok: 'ok',
  failed: 'FAILED',
  'in-use': 'in use',
  'not-checked': 'not checked',
}
const WORD_WIDTH = Math.max(...Object.values(STATE_WORDS).map(({ length }) => length))

const toTable = (results: readonly CheckResult[]): string => {
  const nameWidth = Math.max(...results.map(({ name }) => name.length))
  const formatLine = (word: string, name: string, text: string): string =>
    `${word.padEnd(WORD_WIDTH)}  ${name.padEnd(nameWidth)}  ${text}\n`
  return results
    .flatMap(({ name, state, detail, warnings }) => [
      formatLine(STATE_WORDS[state], name, detail),
      ...warnings.map((warning) => formatLine('warning', name, warning)),
    ])
    .join('')
}
