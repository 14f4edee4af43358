/** The parts of the status page beside the sources: journal, publishing, registry, replicas and dead letters. */
import { formatElapsedTime } from '../../core/elapsed-time.js'
import type { StatusHistory, StatusSnapshot } from '../status.js'
import { cut, formatCount, formatSize, timeAgo, timeSince } from './format.js'
import { html, type Html } from './html.js'
import { deadLetterEntry } from '../problems.js'
import { anchorOf } from './runbook-page.js'
import { line, row } from './source-card.js'

const card = (id: string, title: string, state: Html, content: Html): Html =>
  html`<article class="card" aria-labelledby="${id}">
    <header>
      <h3 id="${id}">${title}</h3>
      ${state}
    </header>
    ${content}
  </article>`

const stateOf = (word: string, cssClass: 'ok' | 'warning' | 'critical'): Html =>
  html`<span class="state ${cssClass}">${word}</span>`

const reasonOf = (reason: string | null, cssClass: string): Html | false =>
  reason !== null && html`<p class="reason ${cssClass}">${cut(reason)}</p>`

export function journalCard({ journal }: StatusSnapshot, history: StatusHistory): Html {
  const { entries, bytes, maxBytes, freeBytes, refusal, fillingSince, fullInSeconds, oldestAgeSeconds, warning } =
    journal
  const level = refusal !== null ? 'critical' : fillingSince !== null || warning !== null ? 'warning' : 'ok'
  const word = refusal !== null ? 'refuses callbacks' : fillingSince !== null ? 'is filling' : 'takes callbacks'
  return card(
    'journal',
    'Journal',
    stateOf(word, level),
    html`${reasonOf(refusal ?? warning, level)}${bytes !== null && meter(bytes, maxBytes, level)}
      <dl>
        ${row('Waiting', entries === null ? 'unknown' : `${formatCount(entries)} entries`)}
        ${row('Used', bytes === null ? 'unknown' : `${formatSize(bytes)} of ${formatSize(maxBytes)}`)}
        ${row('Room for callbacks', freeBytes === null ? 'unknown' : formatSize(freeBytes))}
        ${fullInSeconds !== null && refusal === null && row('Full at this pace', `in ${formatElapsedTime(fullInSeconds)}`)}
        ${row('Oldest entry', entries === 0 ? 'none' : formatElapsedTime(Math.round(oldestAgeSeconds)))}
      </dl>
      <div class="lines">${line('Bytes in the journal', 'Bytes', history.journalBytes, formatSize)}</div>`,
  )
}

/** A bar as SVG: a width in CSS would need a style attribute, which the content security policy refuses. */
const meter = (value: number, max: number, level: string): Html => {
  const percent = Math.min(100, Math.round((value / max) * 100))
  return html`<svg
    class="meter ${level}"
    viewBox="0 0 100 4"
    preserveAspectRatio="none"
    role="img"
    aria-label="${percent} % of the journal is used"
  >
    <rect class="used" width="${percent}" height="4" />
  </svg>`
}

export function publishingCard({ publishing, time: now }: StatusSnapshot, history: StatusHistory): Html {
  const { state, reason, since, lastPublishedAt } = publishing
  const level = state === 'waiting' || reason !== null ? 'warning' : 'ok'
  const words = { starting: 'is starting', ok: 'works', waiting: 'waits' }
  return card(
    'publishing',
    'Publishing to Kafka',
    stateOf(words[state], level),
    html`${reasonOf(reason, level)}
      <dl>
        ${row('In this state', timeSince('publishing-since', since, now))}
        ${row('Last event published', timeAgo('publishing-last', lastPublishedAt, now))}
      </dl>
      <div class="lines">${line('Events published', 'Published', history.published)}</div>`,
  )
}

export function registryCard({ registry, time: now }: StatusSnapshot): Html {
  const { state, reason, since } = registry
  const level = state === 'waiting' || reason !== null ? 'warning' : 'ok'
  const words = { starting: 'is not asked yet', ok: 'answers', waiting: 'is away or refuses' }
  return card(
    'registry',
    'Schema registry',
    stateOf(words[state], level),
    html`${reasonOf(reason, level)}
      <dl>${row('In this state', timeSince('registry-since', since, now))}</dl>`,
  )
}

export function sharingCard({ sharing, sources, time: now }: StatusSnapshot): Html {
  if (sharing === null) return html``
  const { membership, reason, group, partitions, since, following } = sharing
  const level = membership === 'assigned' ? 'ok' : 'warning'
  return card(
    'sharing',
    'Shared with other replicas',
    stateOf(membership, level),
    html`${reasonOf(reason ?? following.reason, 'warning')}
      <dl>
        ${row('Sources of this replica', `${sources.filter(({ owned }) => owned).length} of ${sources.length}`)}
        ${row('Group', group)} ${row('Partitions', partitions.join(', ') || 'none')}
        ${row('In this state', timeSince('sharing-since', since, now))}
      </dl>`,
  )
}

export function deadLetterSection({ deadLetters, time: now }: StatusSnapshot): Html {
  if (deadLetters.length === 0) return html`<p class="soft">None since the start of this process.</p>`
  return html`<div class="cards">
    ${deadLetters.map(({ source, reason, count, lastAt, lastEventId, lastDetail }, index) => {
      const id = `letter-${index}`
      return card(
        id,
        reason,
        html`<span>${source}</span>`,
        html`<p class="reason warning">${cut(lastDetail)}</p>
          <dl>
            ${row('Count', formatCount(count))} ${row('Last one', timeAgo(`${id}-last`, lastAt, now))}
            <div>
              <dt>Event id</dt>
              <dd class="long">${lastEventId}</dd>
            </div>
          </dl>
          <a id="${id}-runbook" href="runbook#${anchorOf(deadLetterEntry(reason))}" aria-label="Runbook: ${reason}"
            >Runbook</a
          >`,
      )
    })}
  </div>`
}
