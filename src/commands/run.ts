/** `run`: everything, until a signal. `run --drain`: publishes what the journal holds, and ends. */
import { App } from '../app.js'
import { systemClock as clock } from '../clock.js'
import { adviceOn } from '../config/advice.js'
import { loadConfig } from '../config/load.js'
import { parseDuration } from '../config/units.js'
import { ConnectorError, messageOf } from '../errors.js'
import { createLog } from '../operate/log.js'
import { version } from './version.js'

export interface RunOptions {
  readonly config: string
  readonly drain: boolean
  readonly timeout?: string
}

/** @returns the exit code */
export async function run(options: RunOptions): Promise<number> {
  const timeout = timeoutOf(options)
  const config = loadConfig(options.config, process.env)
  const log = createLog({ level: config.log.level, instance: config.instance })
  for (const advice of adviceOn(config)) log.warn(advice)
  const app = await App.start({ config, clock, log, version, intake: !options.drain })

  const { stop, hurry } = listenForSignals((message) => log.info(message))
  if (options.drain) {
    const drained = await Promise.race([
      app.empty(stop).then(() => !stop.aborted),
      clock.sleep(timeout, stop).then(() => false),
    ])
    await app.stop()
    if (drained || stop.aborted) return 0
    process.stderr.write(`dlr-mo-connector: the journal is not empty after ${options.timeout}\n`)
    return 3
  }

  const stopped = new Promise<undefined>((resolve) => stop.addEventListener('abort', () => resolve(undefined)))
  const failure = await Promise.race([
    stopped,
    app.published.then(
      () => undefined,
      (error: unknown) => error,
    ),
  ])
  if (failure !== undefined) log.error({ err: failure }, `stopping: ${messageOf(failure)}`)
  await app.stop(hurry)
  log.info('stopped')
  return failure === undefined ? 0 : failure instanceof ConnectorError ? failure.exitCode : 1
}

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
  if (timeout === undefined) return 2 ** 31 - 1
  if (!drain) throw new ConnectorError('USAGE', '--timeout goes with --drain')
  const milliseconds = parseDuration(timeout)
  if (milliseconds !== undefined) return milliseconds
  throw new ConnectorError('USAGE', `--timeout: found "${timeout}"; a duration such as 30s, 3m or 1h is expected`)
}
