/**
 * `run` receives and publishes until a signal. `run --drain` publishes what the journal holds, and ends. Both load the configuration
 * again at SIGHUP, and when one of its files was changed.
 */
import { createLog } from '../admin/log.js'
import { openLogOutput } from '../admin/log-output.js'
import { App } from '../app/app.js'
import { ConfigWatcher } from '../app/config-watcher.js'
import { ConfigFile } from '../config/config-file.js'
import type { Config } from '../config/types.js'
import { parseDuration } from '../config/units.js'
import { configurationWarnings } from '../config/warnings.js'
import { orTimeout, untilAborted } from '../core/abort.js'
import { MAX_TIMER_MS, systemClock as clock } from '../core/clock.js'
import { ConnectorError, messageOf } from '../core/errors.js'
import type { Log } from '../core/log.js'
import { redact } from '../masking/secrets.js'
import { resolveTelemetry } from '../telemetry/settings.js'
import type { Telemetry } from '../telemetry/telemetry.js'
import { findProviders } from './configuration.js'
import { warn } from './output.js'
import { onHangup, shutdownOnTermination } from './signals.js'
import { version } from './version.js'

export interface RunOptions {
  readonly config: string
  readonly drain: boolean
  /** With `drain`: the longest time to wait for an empty journal, as a duration such as `30s`. */
  readonly timeout?: string
}

/** How long the process waits at its end for an OTLP endpoint to take what was recorded. */
const TELEMETRY_FLUSH_TIMEOUT_MS = 2_000

/**
 * @returns the exit code
 * @throws ConnectorError USAGE, CONFIG_INVALID, JOURNAL_HELD, JOURNAL_UNUSABLE before anything runs; PRODUCER_REPLACED and
 *   NOT_DRAINED later
 */
export async function run(options: RunOptions): Promise<number> {
  const timeoutMs = parseTimeout(options)
  const configFile = new ConfigFile(options.config, process.env, { findProviders })
  const config = configFile.load()
  const output = openLogOutput(clock)
  const log = createLog({ ...config.log, instance: config.instance }, output)
  output.onResumed = (lines) =>
    log.warn(
      { event: 'log-lines-dropped', lines },
      'log lines are missing here, because standard output did not take them in time',
    )
  logProcessEvents(log)
  for (const warning of configurationWarnings(config)) log.warn({ event: 'configuration-warning' }, warning)
  log.debug({ configuration: redact(config) }, 'the configuration was loaded')
  // Signals are handled before anything is opened, so that an early one also leads to an orderly stop.
  const { stopSignal, forceSignal } = shutdownOnTermination(log)
  const otlp = await startTelemetry(config, log)
  if (otlp?.exportLine) output.onLine = otlp.exportLine
  try {
    const droppedLogLines = (): number => output.droppedLines
    const app = await App.start({
      config,
      clock,
      log,
      version,
      drainOnly: options.drain,
      droppedLogLines,
      otlp,
    })
    const watcher = new ConfigWatcher({
      configFile,
      reload: (trigger) => app.reload(() => configFile.load(), trigger),
      clock,
    })
    watcher.start()
    onHangup(() => watcher.request())
    return await runUntilStopped(app, options.drain, timeoutMs, { log, watcher, stopSignal, forceSignal })
  } finally {
    await otlp?.close(TELEMETRY_FLUSH_TIMEOUT_MS)
  }
}

interface RunDeps {
  readonly log: Log
  readonly watcher: ConfigWatcher
  readonly stopSignal: AbortSignal
  readonly forceSignal: AbortSignal
}

/** @returns the exit code */
async function runUntilStopped(
  app: App,
  isDrain: boolean,
  timeoutMs: number,
  { log, watcher, stopSignal, forceSignal }: RunDeps,
): Promise<number> {
  try {
    if (isDrain)
      log.info(
        { event: 'drain-started', ...app.counts },
        'draining: nothing is received, and what the journal holds is published',
      )
    const finished = isDrain ? untilDrained(app, timeoutMs, stopSignal) : untilAborted(stopSignal)
    await Promise.race([finished, app.publishing])
    return 0
  } catch (error) {
    log.error({ event: 'connector-failed', err: error }, `stopping because of an error: ${messageOf(error)}`)
    throw error
  } finally {
    await watcher.stop()
    // After a drain nothing is left to wait for: the journal is empty, or the timeout has passed.
    await app.stop(isDrain ? AbortSignal.abort() : forceSignal)
    log.info({ event: 'connector-stopped', ...app.counts }, 'the connector has stopped')
  }
}

/**
 * Starts the export of telemetry. Its modules, and with them the packages of OpenTelemetry, are loaded only here.
 * @returns undefined if the configuration and the environment ask for none
 */
async function startTelemetry(config: Config, log: Log): Promise<Telemetry | undefined> {
  const onWarning = (warning: string): void => log.warn({ event: 'telemetry-warning' }, warning)
  const { settings, warnings } = resolveTelemetry(config.telemetry, process.env)
  warnings.forEach(onWarning)
  if (settings === undefined) return undefined
  const { Telemetry } = await import('../telemetry/telemetry.js')
  const telemetry = new Telemetry({ settings, instance: config.instance, version }, { clock, onWarning })
  const { urls, sampling } = settings
  const addresses = Object.entries(urls).map(([signal, url]) => [signal, withoutCredentials(url)] as const)
  log.info(
    {
      event: 'telemetry-started',
      ...Object.fromEntries(addresses),
      ...(urls.traces !== undefined && { sampleRatio: sampling.ratio }),
    },
    'telemetry is exported by OTLP',
  )
  return telemetry
}

/** An address in a variable may hold a user, a password, or a key in its query. */
const withoutCredentials = (url: string): string => {
  const { origin, pathname } = new URL(url)
  return origin + pathname
}

/**
 * Logs warnings of Node.js and errors that nothing has caught. By default Node.js writes them to standard error and waits
 * for its reader, so that a pipe that nobody reads would stop the process.
 */
function logProcessEvents(log: Log): void {
  process.removeAllListeners('warning')
  process.on('warning', (warning) =>
    log.warn({ event: 'node-warning', err: warning }, `Node.js warns: ${warning.message}`),
  )
  process.once('uncaughtException', (error) => {
    log.fatal({ event: 'unexpected-error', err: error }, `ending because of an unexpected error: ${messageOf(error)}`)
    warn(`unexpected error: ${error.stack ?? messageOf(error)}`)
    process.exit(1)
  })
}

/**
 * Resolves when the journal is empty, or when the signal aborts.
 * @throws ConnectorError NOT_DRAINED after `timeoutMs`
 */
async function untilDrained(app: App, timeoutMs: number, stopSignal: AbortSignal): Promise<void> {
  const outcome = await orTimeout(app.untilEmpty(stopSignal), timeoutMs, clock)
  if (outcome !== 'timeout') return
  throw new ConnectorError(
    'NOT_DRAINED',
    'the journal is not empty after --timeout; the log says what publishing waits for',
  )
}

/** Milliseconds; the longest possible time without --timeout. */
function parseTimeout({ drain, timeout }: RunOptions): number {
  if (timeout === undefined) return MAX_TIMER_MS
  if (!drain) throw new ConnectorError('USAGE', '--timeout has an effect only with --drain; add --drain or remove it')
  const milliseconds = parseDuration(timeout)
  if (milliseconds !== undefined) return Math.min(milliseconds, MAX_TIMER_MS)
  throw new ConnectorError('USAGE', `--timeout: found "${timeout}"; a duration such as 30s, 3m or 1h is expected`)
}
