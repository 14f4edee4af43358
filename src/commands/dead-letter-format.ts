/** Prints dead letters for people and for programs, with personal data masked unless it is asked for. */
import { formatBytes } from './journal.js'
import { escapeControls } from '../masking/control-characters.js'
import type { PersonalData } from '../masking/personal-data.js'
import { personalDataMask } from '../masking/personal-data.js'
import type { ReplayState, StoredDeadLetter } from './dead-letter-reader.js'
import { formatTime, maskRequest, quoteIfNeeded } from './record-format.js'

/** A dead letter as `--json` prints it. `show` adds `body` in Base64. */
export function toJsonFields(letter: StoredDeadLetter, state: ReplayState, personalData: PersonalData) {
  const { eventId, source, provider, via, receivedAt, reason, request, parts, missingParts, bytes, places } = letter
  return {
    ...{ eventId, source, provider, via, receivedAt, reason },
    detail: personalDataMask(personalData).sentence(letter.detail),
    ...{ bytes, parts, missingParts },
    replayedAt: state.closedAt ?? null,
    publishedItems: state.publishedPlaces.size,
    request: personalData === 'plain' ? request : maskRequest(request),
    places,
  }
}

/** One line: when it was received, source, reason, event id, bytes, what the marks say, detail. */
export function toListLine(letter: StoredDeadLetter, state: ReplayState, personalData: PersonalData): string {
  const { receivedAt, source, reason, eventId, bytes, missingParts } = letter
  const facts = [
    ...(missingParts.length > 0 ? [`${describeMissingParts(letter)}.`] : []),
    ...(state.closedAt !== undefined ? [`Replayed ${formatTime(state.closedAt)}.`] : []),
    ...(state.closedAt === undefined && state.publishedPlaces.size > 0
      ? [`${state.publishedPlaces.size} items of it are published.`]
      : []),
    escapeControls(personalDataMask(personalData).sentence(letter.detail)),
  ]
  const columns = [formatTime(receivedAt), source, quoteIfNeeded(reason), quoteIfNeeded(eventId), `${bytes} bytes`]
  return [...columns, facts.join(' ')].join('  ')
}

/** A clause on the parts that are not on the topic. */
export function describeMissingParts({ parts, missingParts }: StoredDeadLetter): string {
  const few = missingParts.slice(0, 5).join(', ') + (missingParts.length > 5 ? ', …' : '')
  return `${missingParts.length} of its ${parts} parts are not on the topic (${few})`
}

/** Several lines for `show`. */
export function toPage(
  letter: StoredDeadLetter,
  state: ReplayState,
  body: Uint8Array,
  personalData: PersonalData,
): string {
  const { eventId, source, provider, via, receivedAt, reason, detail, parts, places } = letter
  const mask = personalDataMask(personalData)
  const request = personalData === 'plain' ? letter.request : maskRequest(letter.request)
  const [first] = places
  const replay =
    state.closedAt !== undefined
      ? `yes, ${formatTime(state.closedAt)}`
      : state.publishedPlaces.size > 0
        ? `in part: ${state.publishedPlaces.size} items are published`
        : 'no'
  const rows: [string, string][] = [
    ['event id', eventId],
    ['source', `${source} (${provider})`],
    ['received', `${formatTime(receivedAt)} (${via})`],
    ['reason', reason],
    ['detail', mask.sentence(detail)],
    ['replayed', replay],
    [
      'place',
      `${first!.topic}, partition ${first!.partition}, offset ${first!.offset}${parts > 1 ? `, ${parts} parts` : ''}`,
    ],
    ...Object.entries(request).map(([name, value]): [string, string] => [`  ${name}`, String(value)]),
  ]
  const width = Math.max(...rows.map(([name]) => name.length))
  const head = rows.map(([name, value]) => `${name.padEnd(width)}  ${escapeControls(value)}`)
  // The facts of the request follow the line that announces them.
  head.splice(7, 0, 'request')
  return [...head, ...formatBody(body, personalData)].join('\n')
}

function formatBody(body: Uint8Array, personalData: PersonalData): string[] {
  const size = `${body.byteLength} bytes${body.byteLength < 1024 ? '' : ` (${formatBytes(body.byteLength)})`}`
  if (personalData !== 'plain') return [`body: ${size}; --personal-data plain shows them`]
  const text = decodeText(body)
  if (text !== undefined) return [`body: ${size}, text`, '', text]
  return [
    `body: ${size}, hexadecimal`,
    '',
    ...(Buffer.from(body)
      .toString('hex')
      .match(/.{1,64}/g) ?? []),
  ]
}

/** @returns undefined for what is no text. Characters that change what a terminal shows are escaped. */
function decodeText(body: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body)
    // Zero bytes are valid UTF-8, and a sign of data that is no text.
    if (text.includes('\0')) return undefined
    return text
      .split('\n')
      .map((line) => escapeControls(line.replace(/\r$/, '')))
      .join('\n')
  } catch {
    return undefined
  }
}
