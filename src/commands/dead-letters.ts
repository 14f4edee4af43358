/** `dead-letters list` and `dead-letters show`: what could not be decoded, and whether it was replayed. They change nothing. */
import { readConfiguration } from './configuration.js'
import type { Config } from '../config/types.js'
import { orAborted } from '../core/abort.js'
import { systemClock } from '../core/clock.js'
import { ConnectorError } from '../core/errors.js'
import { describeMissingParts, toJsonFields, toListLine, toPage } from './dead-letter-format.js'
import {
  type DeadLetterFilterOptions,
  type ListDeadLettersOptions,
  parseDeadLetterFilter,
  parseListQuery,
  type ShowDeadLetterOptions,
} from './dead-letter-query.js'
import { DeadLetterReader, NOT_REPLAYED, type ReplayStates } from './dead-letter-reader.js'
import { stopOnTermination } from './journal.js'
import { hideSecretsInBytes } from '../masking/known-secrets.js'
import { LineOutput, warn } from './output.js'
import { parsePersonalData } from './tail-query.js'

/** @throws ConnectorError USAGE, CONFIG_INVALID; those of Kafka and of the registry */
export async function listDeadLetters(options: ListDeadLettersOptions): Promise<number> {
  const { filter, state: wanted, personalData } = parseListQuery(options, systemClock.now())
  return withDeadLetters(options, async (reader, output) => {
    const states = (await reader.readReplayStates()) ?? warnOfMissingTopic(reader)
    let count = 0
    for await (const letter of reader.find(filter)) {
      const state = states.get(letter.eventId) ?? NOT_REPLAYED
      const isReplayed = state.closedAt !== undefined
      if (wanted !== 'all' && isReplayed !== (wanted === 'replayed')) continue
      count++
      await output.write(
        options.json
          ? JSON.stringify(toJsonFields(letter, state, personalData))
          : toListLine(letter, state, personalData),
      )
    }
    if (count === 0 && !options.json) {
      const kind =
        wanted === 'open' ? 'open dead letter' : wanted === 'replayed' ? 'replayed dead letter' : 'dead letter'
      warn(`no ${kind} to show on ${reader.topic}`)
    }
    return 0
  })
}

/** @throws ConnectorError USAGE if there is no such dead letter; CONFIG_INVALID; those of Kafka and of the registry */
export async function showDeadLetter(eventId: string, options: ShowDeadLetterOptions): Promise<number> {
  const personalData = parsePersonalData(options.personalData)
  const { since } = options
  const filter = parseDeadLetterFilter({ eventId, ...(since !== undefined && { since }) }, systemClock.now())
  return withDeadLetters(options, async (reader, output) => {
    const states = (await reader.readReplayStates()) ?? warnOfMissingTopic(reader)
    for await (const letter of reader.find(filter)) {
      const state = states.get(letter.eventId) ?? NOT_REPLAYED
      const body = await reader.readBody(letter)
      if (body === undefined) throw noSuchDeadLetter(reader, eventId)
      const fields = toJsonFields(letter, state, personalData)
      const shownBody =
        personalData === 'plain'
          ? Buffer.from(hideSecretsInBytes(body)).toString('base64')
          : `(${body.byteLength} bytes)`
      await output.write(
        options.json ? JSON.stringify({ ...fields, body: shownBody }) : toPage(letter, state, body, personalData),
      )
      if (letter.missingParts.length === 0) return 0
      warn(
        `the body is not complete: ${describeMissingParts(letter)}, because its retention has deleted them or --since left them out`,
      )
      return 2
    }
    throw noSuchDeadLetter(reader, eventId)
  })
}

const noSuchDeadLetter = (reader: DeadLetterReader, eventId: string): ConnectorError =>
  new ConnectorError(
    'USAGE',
    `${reader.topic} has no dead letter with event id ${eventId}; dead-letters list --all shows their ids, and the retention of the ` +
      'topic deletes them',
  )

function warnOfMissingTopic(reader: DeadLetterReader): ReplayStates {
  warn(`topic ${reader.replaysTopic} does not exist, so nothing is known of replays`)
  return new Map()
}

/** Opens the topics for a command that only reads. It ends with 0 at SIGTERM and SIGINT, and when nobody reads its output. */
async function withDeadLetters(
  options: Pick<DeadLetterFilterOptions, 'config'>,
  use: (reader: DeadLetterReader, output: LineOutput) => Promise<number>,
): Promise<number> {
  const config = readConfiguration(options.config)
  const stop = stopOnTermination()
  const output = new LineOutput(process.stdout)
  const work = async (): Promise<number> => {
    const reader = await openDeadLetters(config)
    try {
      const exitCode = await use(reader, output)
      await output.flush()
      return exitCode
    } finally {
      await reader.close()
    }
  }
  try {
    let exitCode = 0
    const working = work().then((code) => {
      exitCode = code
    })
    await orAborted(working, AbortSignal.any([stop.signal, output.closedSignal]))
    return exitCode
  } finally {
    stop.dispose()
  }
}

/** Opens the dead letters of a configuration. Records that can't be decoded are named on standard error. */
export function openDeadLetters(config: Config): Promise<DeadLetterReader> {
  return DeadLetterReader.open(config, ({ topic, partition, offset, problem }) =>
    warn(`record ${topic}/${partition}/${offset} is left out: ${problem ?? 'it is no dead letter'}`),
  )
}
