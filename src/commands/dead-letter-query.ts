/** Which dead letters `dead-letters` is asked for: the arguments of the command line, checked. */
import { ConnectorError } from '../core/errors.js'
import type { PersonalData } from '../masking/personal-data.js'
import type { DeadLetterFilter } from './dead-letter-reader.js'
import { parseTime } from './option-values.js'
import { parsePersonalData } from './tail-query.js'

/** The options as commander returns them. */
export interface DeadLetterFilterOptions {
  readonly config: string
  readonly json: boolean
  readonly source?: string
  readonly reason?: string
  readonly since?: string
  readonly until?: string
  readonly eventId?: string
}

export interface ListDeadLettersOptions extends DeadLetterFilterOptions {
  readonly replayed: boolean
  readonly all: boolean
  readonly personalData: string
}

export interface ShowDeadLetterOptions {
  readonly config: string
  readonly json: boolean
  readonly since?: string
  readonly personalData: string
}

export interface ReplayDeadLettersOptions extends DeadLetterFilterOptions {
  readonly all: boolean
  readonly dryRun: boolean
}

/** Which dead letters `list` shows: those that no mark closes, those that one closes, or both. */
export type DeadLetterState = 'open' | 'replayed' | 'all'

/**
 * @param now milliseconds since the epoch
 * @throws ConnectorError USAGE
 */
export function parseDeadLetterFilter(
  { source, reason, since: sinceText, until: untilText, eventId }: Omit<DeadLetterFilterOptions, 'config' | 'json'>,
  now: number,
): DeadLetterFilter {
  const since = sinceText === undefined ? undefined : parseTime('--since', sinceText, now)
  const until = untilText === undefined ? undefined : parseTime('--until', untilText, now)
  if (since !== undefined && until !== undefined && until < since) {
    throw new ConnectorError('USAGE', '--until lies before --since, so that nothing lies between them; exchange them')
  }
  return {
    since,
    eventId,
    isMatch: (letter) =>
      (source === undefined || letter.source === source) &&
      (reason === undefined || letter.reason === reason) &&
      (eventId === undefined || letter.eventId === eventId) &&
      (since === undefined || letter.receivedAt >= since) &&
      (until === undefined || letter.receivedAt <= until),
  }
}

/** @throws ConnectorError USAGE */
export function parseListQuery(
  options: ListDeadLettersOptions,
  now: number,
): { readonly filter: DeadLetterFilter; readonly state: DeadLetterState; readonly personalData: PersonalData } {
  if (options.replayed && options.all) {
    throw new ConnectorError('USAGE', '--replayed and --all exclude each other; remove one of them')
  }
  return {
    filter: parseDeadLetterFilter(options, now),
    state: options.all ? 'all' : options.replayed ? 'replayed' : 'open',
    personalData: parsePersonalData(options.personalData),
  }
}

/** @throws ConnectorError USAGE; also if neither a filter nor --all is given, so that nobody replays everything by mistake */
export function parseReplayFilter(options: ReplayDeadLettersOptions, now: number): DeadLetterFilter {
  const { source, reason, since, until, eventId, all } = options
  const hasFilter = [source, reason, since, until, eventId].some((value) => value !== undefined)
  if (!hasFilter && !all) {
    throw new ConnectorError(
      'USAGE',
      'say which dead letters to replay: --source, --reason, --since, --until or --event-id, or --all for all that are open',
    )
  }
  if (hasFilter && all) {
    throw new ConnectorError('USAGE', '--all and a filter exclude each other; remove one of them')
  }
  return parseDeadLetterFilter(options, now)
}
