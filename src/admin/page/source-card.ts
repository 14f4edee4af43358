/** The card of one source: its state and the reason for it first, then what it did last. */
import { formatElapsedTime } from '../../core/elapsed-time.js'
import type { ReplayOutcome } from '../../core/observers.js'
import { refusalInWords, type StatusReport } from '../problems.js'
import type { SourceHistory } from '../source-record.js'
import type { SourceSnapshot } from '../status.js'
import { cut, formatCount, secondsBetween, timeAgo } from './format.js'
import { html, type Html } from './html.js'
import { sparkline } from './sparkline.js'

/** The states of a source without a problem of its own. */
const WORKS = { severity: 'ok', title: 'works' }
const HELD_BY_JOURNAL = { severity: 'critical', title: 'nothing is taken: see the journal' }
const HELD_BY_PUBLISHING = { severity: 'warning', title: 'is taken, and not published' }

export function sourceCard(
  source: SourceSnapshot,
  { problems, deadLetters, journal, publishing, time }: StatusReport,
  history: SourceHistory | undefined,
): Html {
  const name = source.source
  const [worst] = problems.filter((problem) => problem.source === name)
  const held = journal.refusal !== null ? HELD_BY_JOURNAL : publishing.state === 'waiting' ? HELD_BY_PUBLISHING : WORKS
  const letters = deadLetters.filter((each) => each.source === name).reduce((sum, { count }) => sum + count, 0)
  return html`<article class="card" aria-labelledby="source-${name}">
    <header>
      <h3 id="source-${name}">${name}</h3>
      <span class="state ${(worst ?? held).severity}">${(worst ?? held).title}</span>
    </header>
    ${worst && html`<p class="reason ${worst.severity}">${cut(worst.reason)}</p>`}
    <dl>
      ${row('Provider', source.provider)}
      ${row('Last received', timeAgo(`${name}-received`, source.lastReceivedAt, time))}
      ${row('Last published', timeAgo(`${name}-published`, source.lastPublishedAt, time))} ${queueRows(source, time)}
      ${callbackRows(source, time)} ${reconcilingRows(source, time)} ${replayRows(source, time)}
      ${letters > 0 && row('Dead letters', html`<a id="letters-${name}" href="#dead-letters">${formatCount(letters)}</a>`)}
    </dl>
    ${history && html`<div class="lines">${line('Callbacks and pages received', 'Received', history.received)}${line('Events published', 'Published', history.published)}</div>`}
  </article>`
}

export const row = (title: string, value: Html | string): Html =>
  html`<div>
    <dt>${title}</dt>
    <dd>${value}</dd>
  </div>`

/** @param name of what the line shows, in full @param caption the same, short enough for half a card */
export const line = (
  name: string,
  caption: string,
  values: readonly number[],
  format?: (value: number) => string,
): Html =>
  html`<figure>
    <figcaption>${caption}, last hour</figcaption>
    ${sparkline(values, name, format)}
  </figure>`

const QUEUE_STATES: Readonly<Record<string, string>> = {
  asking: 'a request is under way',
  idle: 'was empty',
  'backing-off': 'waits after an error',
  'journal-full': 'waits for room in the journal',
  'journal-refuses': 'holds a page that the journal refuses',
  stopped: 'is not asked',
  'not-here': 'is asked by another replica',
}

function queueRows({ source, pull, lostAnswers }: SourceSnapshot, now: string): Html {
  if (pull === null) return html``
  const next = pull.nextAt === null ? '' : `, next request in ${formatElapsedTime(secondsBetween(now, pull.nextAt))}`
  return html`${row('Queue', `${QUEUE_STATES[pull.state] ?? pull.state}${next}`)}
  ${row('Last page', timeAgo(`${source}-page`, pull.lastPageAt, now))}
  ${pull.limit !== null && row('Page size', formatCount(pull.limit))}
  ${lostAnswers?.lastAt && row('Lost answers', html`<span class="warning">${formatCount(lostAnswers.count)}</span>, the last one ${timeAgo(`${source}-lost`, lostAnswers.lastAt, now)} (${lostAnswers.lastReason})`)}`
}

function callbackRows({ source, callbacks }: SourceSnapshot, now: string): Html {
  if (callbacks === null) return html``
  const { accepted, refused, lastAcceptedAt, lastRefused } = callbacks
  return html`${row('Last callback accepted', timeAgo(`${source}-accepted`, lastAcceptedAt, now))}
  ${row('Last callback refused', lastRefused === null ? timeAgo('', null, now) : html`${timeAgo(`${source}-refused`, lastRefused.at, now)} with ${lastRefused.code}: ${refusalInWords(lastRefused.reason)}`)}
  ${row('Callbacks', `${formatCount(accepted)} accepted, ${formatCount(refused)} refused`)}`
}

const REPLAY_OUTCOMES: Readonly<Record<ReplayOutcome, string>> = {
  published: 'published',
  duplicate: 'published before',
  unreadable: 'unreadable as before',
}

/** The rows are missing while nothing was replayed. */
function replayRows({ source, replays }: SourceSnapshot, now: string): Html {
  const { handedIn, lastHandedInAt, items, lastItemAt } = replays
  const counts = (Object.keys(REPLAY_OUTCOMES) as ReplayOutcome[])
    .filter((outcome) => items[outcome] > 0)
    .map((outcome) => `${formatCount(items[outcome])} ${REPLAY_OUTCOMES[outcome]}`)
  return html`${lastHandedInAt !== null && row('Replays handed in', html`${formatCount(handedIn)}, the last one ${timeAgo(`${source}-replay`, lastHandedInAt, now)}`)}
  ${lastItemAt !== null && row('Replayed items', html`${counts.join(', ')}; the last one ${timeAgo(`${source}-replayed`, lastItemAt, now)}`)}`
}

function reconcilingRows({ source, reconcile, reconciling }: SourceSnapshot, now: string): Html {
  if (!reconcile) return html``
  if (reconciling === null) return row('Reconciling', 'by another replica, or not begun')
  const { state, watched, lastAnswerAt } = reconciling
  return html`${row('Reconciling', `${state}, ${formatCount(watched)} watched`)}
  ${row('Last answer', timeAgo(`${source}-answer`, lastAnswerAt, now))}`
}
