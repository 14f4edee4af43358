/** What `tail` is asked to show: the arguments of the command line, checked. */
import { ConnectorError } from '../core/errors.js'
import { DELIVERY_STATUSES } from '../core/event.js'
import { PERSONAL_DATA, type PersonalData } from '../masking/personal-data.js'
import { EVENT_KINDS, type EventKind } from '../registry/schemas.js'
import { hashNumber } from '../masking/record-fields.js'
import { nearest } from '../yaml/nearest.js'
import { parseCount, parseTime } from './option-values.js'
import { eventIdOf, sourceOf, type DecodedRecord } from './record-decoder.js'

/** The options as commander returns them. */
export interface TailOptions {
  readonly config: string
  readonly json: boolean
  readonly follow: boolean
  readonly fromBeginning: boolean
  readonly since?: string
  readonly limit?: string
  readonly source?: string
  readonly key?: string
  readonly status?: string
  readonly eventId?: string
  readonly personalData: string
}

export interface TailQuery {
  readonly kinds: readonly EventKind[]
  /** `beginning`: the first records of each topic. `end`: the last ones. */
  readonly from: 'beginning' | 'end'
  /** Records with an earlier timestamp are left out. Milliseconds since the epoch; undefined for no limit of time. */
  readonly since: number | undefined
  /** The number of records of each topic before those that `follow` adds. */
  readonly limit: number
  readonly follow: boolean
  readonly personalData: PersonalData
  readonly isMatch: (record: DecodedRecord) => boolean
}

/** The number of records of each topic that are shown if nothing else is asked for. */
const DEFAULT_LIMIT = 10

/**
 * @param topic one of `EVENT_KINDS`; undefined for all
 * @param now milliseconds since the epoch
 * @param keySecretOf returns the secret with which the keys of inbound messages are hashed, once records are compared
 * @throws ConnectorError USAGE
 */
export function parseTailQuery(
  topic: string | undefined,
  options: TailOptions,
  now: number,
  keySecretOf: () => string | undefined = () => undefined,
): TailQuery {
  const { follow, fromBeginning, source, key, eventId } = options
  const kind = EVENT_KINDS.find((each) => each === topic)
  if (topic !== undefined && kind === undefined) {
    throw new ConnectorError('USAGE', `found topic "${topic}"; ${EVENT_KINDS.join(', ')} or none is expected`)
  }
  if (fromBeginning && options.since !== undefined) {
    throw new ConnectorError('USAGE', '--since and --from-beginning exclude each other; remove one of them')
  }
  const statuses = options.status === undefined ? undefined : parseStatuses(options.status)
  if (statuses !== undefined && kind !== undefined && kind !== 'dlr') {
    throw new ConnectorError('USAGE', `--status applies to delivery receipts only; use it with dlr instead of ${kind}`)
  }
  const kinds = kind !== undefined ? [kind] : statuses !== undefined ? (['dlr'] as const) : EVENT_KINDS
  const isEverything = fromBeginning || options.since !== undefined
  return {
    kinds,
    from: fromBeginning ? 'beginning' : 'end',
    since: options.since === undefined ? undefined : parseTime('--since', options.since, now),
    limit:
      options.limit === undefined ? (isEverything ? Infinity : DEFAULT_LIMIT) : parseCount('--limit', options.limit),
    follow,
    personalData: parsePersonalData(options.personalData),
    isMatch: (record) =>
      (source === undefined || sourceOf(record) === source) &&
      (key === undefined || isKey(record.key, key, keySecretOf())) &&
      (eventId === undefined || eventIdOf(record) === eventId) &&
      (statuses === undefined || statuses.includes(String(record.value?.['status']))),
  }
}

/** A hashed key is found by the number as well. */
const isKey = (recordKey: string | null, wanted: string, secret: string | undefined): boolean =>
  recordKey === wanted || (secret !== undefined && recordKey === hashNumber(wanted, secret))

/** Returns the statuses of a list with commas, in capitals. */
function parseStatuses(text: string): string[] {
  const statuses = text.split(',').map((status) => status.trim().toUpperCase())
  const unknown = statuses.find((status) => !DELIVERY_STATUSES.some((each) => each === status))
  if (unknown === undefined) return statuses
  throw new ConnectorError(
    'USAGE',
    `--status: found "${unknown}"; did you mean ${nearest(unknown, DELIVERY_STATUSES)}? Possible are ${DELIVERY_STATUSES.join(', ')}`,
  )
}

/** @throws ConnectorError USAGE */
export function parsePersonalData(text: string): PersonalData {
  const mode = PERSONAL_DATA.find((each) => each === text)
  if (mode !== undefined) return mode
  throw new ConnectorError('USAGE', `--personal-data: found "${text}"; ${PERSONAL_DATA.join(' or ')} is expected`)
}
