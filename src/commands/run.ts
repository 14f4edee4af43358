/** `run`: everything, until a signal. `run --drain`: publishes what the journal holds, and ends. */
import { App } from '../app/app.js'
import { systemClock as clock } from '../core/clock.js'
import { configurationWarnings } from '../config/warnings.js'
import { loadConfig } from '../config/load.js'
import { redact } from '../masking/secrets.js'
import { parseDuration } from '../config/units.js'
import { ConnectorError, messageOf } from '../core/errors.js'
import { createLog } from '../admin/log.js'
import { version } from './version.js'

/** The longest that a timer of Node.js waits, in ms: 24 days. */
const NEVER = 2 ** 31 - 1

export interface RunOptions {
  readonly config: string
  readonly drain: boolean
  readonly timeout?: string
}

/**
 * @returns the exit code
 * @throws ConnectorError PRODUCER_REPLACED, NOT_DRAINED, and what loading and starting throw
 */
export async function run(options: RunOptions): Promise<number> {
  const timeout = timeoutOf(options)
  const config = loadConfig(options.config, process.env)
  const log = createLog({ ...config.log, instance: config.instance })
  for (const advice of configurationWarnings(config)) log.warn(advice)
  log.debug({ configuration: redact(config) }, 'the configuration, as it is understood')
  // Before anything is opened: a signal that comes meanwhile ends us in order, too.
  const { stop, hurry } = listenForSignals((message) => log.info(message))
  const app = await App.start({ config, clock, log, version, intake: !options.drain })

  try {
    await Promise.race([options.drain ? drained(app, timeout, stop) : aborted(stop), app.published])
    return 0
  } catch (error) {
    log.error({ err: error }, `stopping: ${messageOf(error)}`)
    throw error
  } finally {
    await app.stop(options.drain ? undefined : hurry)
    log.info('stopped')
  }
}

/**
 * Resolves once the journal is empty, or the signal aborts.
 * @throws ConnectorError NOT_DRAINED after `timeout` ms
 */
async function drained(app: App, timeout: number, stop: AbortSignal): Promise<void> {
  const enough = new AbortController()
  const late = clock.sleep(timeout, AbortSignal.any([stop, enough.signal])).then(() => 'late')
  const first = await Promise.race([app.empty(stop), late])
  enough.abort()
  if (first !== 'late' || stop.aborted) return
  throw new ConnectorError(
    'NOT_DRAINED',
    'the journal is not empty after --timeout; the log says what publishing waits for',
  )
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })

/** `stop` aborts at the first SIGTERM or SIGINT, `hurry` at the second: what is in custody is safe either way. */
function listenForSignals(say: (message: string) => void): { stop: AbortSignal; hurry: AbortSignal } {
  const stop = new AbortController()
  const hurry = new AbortController()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      say(stop.signal.aborted ? `${signal} again: no more waiting` : `${signal}: stopping`)
      if (stop.signal.aborted) hurry.abort()
      else stop.abort()
    })
  }
  return { stop: stop.signal, hurry: hurry.signal }
}

/** Milliseconds; as good as never without --timeout. */
function timeoutOf({ drain, timeout }: RunOptions): number {
  if (timeout === undefined) return NEVER
  if (!drain) throw new ConnectorError('USAGE', '--timeout goes with --drain')
  const milliseconds = parseDuration(timeout)
  if (milliseconds !== undefined) return Math.min(milliseconds, NEVER)
  throw new ConnectorError('USAGE', `--timeout: found "${timeout}"; a duration such as 30s, 3m or 1h is expected`)
}
