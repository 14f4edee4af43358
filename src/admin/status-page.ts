/** The status page: one HTML document that loads no other resource and runs no script. */
import { hash } from 'node:crypto'
import { formatElapsedTime } from '../core/elapsed-time.js'
import type { SourceSnapshot, StatusSnapshot } from './status.js'

const STYLE = `
:root { color-scheme: light dark; --line: #8884; --soft: #888; --good: #1a7f37; --bad: #cf222e; --wait: #9a6700 }
@media (prefers-color-scheme: dark) { :root { --good: #3fb950; --bad: #f85149; --wait: #d29922 } }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem }
h1 { font-size: 1.3rem; margin: 0 }
p { margin: .2rem 0; color: var(--soft) }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); gap: 1rem; margin: 1.5rem 0 }
dl > div { border: 1px solid var(--line); border-radius: .5rem; padding: .7rem 1rem }
dt { color: var(--soft); font-size: .85rem }
dd { margin: 0; overflow-wrap: anywhere }
dd b { font-size: 1.15rem }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .4rem .8rem .4rem 0; border-bottom: 1px solid var(--line); vertical-align: top }
th { color: var(--soft); font-weight: normal; font-size: .85rem }
.good { color: var(--good) } .bad { color: var(--bad) } .wait { color: var(--wait) }
`

export const PAGE_HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': `default-src 'none'; style-src 'sha256-${hash('sha256', STYLE, 'base64')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  'referrer-policy': 'no-referrer',
}

/** How often a browser reloads the page. */
const REFRESH_SECONDS = 5

export const renderStatusPage = (status: StatusSnapshot): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="${REFRESH_SECONDS}">
<title>${escape(status.instance)} · dlr-mo-connector</title>
<style>${STYLE}</style>
</head>
<body>
<h1>${escape(status.instance)}</h1>
<p>dlr-mo-connector ${escape(status.version)} · up ${formatElapsedTime(status.uptimeSeconds)} · ${escape(status.time)} · <a href="status.json">as data</a> · <a href="metrics">metrics</a></p>
<dl>
${card('Custody of callbacks', status.ready ? 'taken' : 'refused', status.ready ? 'good' : 'bad', status.reason)}
${componentCard('Publishing', status.publishing)}
${componentCard('Schema registry', status.registry)}
${sharingCard(status)}
${card('Journal', `${status.journal.entries ?? 'unknown'} waiting`, status.journal.refusal === null ? '' : 'bad', status.journal.refusal ?? formatJournal(status.journal))}
</dl>
<table>
<thead><tr><th>Source</th><th>Provider</th><th>Callbacks</th><th>Pulling</th><th>Page size</th><th>Next request</th><th>Last page</th><th>Lost answers</th><th>Reconciling</th><th>Last error</th></tr></thead>
<tbody>
${status.sources.map((source) => sourceRow(source, status.time)).join('\n')}
</tbody>
</table>
</body>
</html>
`

const componentCard = (title: string, { state, reason, since }: StatusSnapshot['publishing']): string =>
  card(title, state, state === 'ok' ? 'good' : 'wait', reason ?? `since ${since}`)

const sharingCard = ({ sharing, sources }: StatusSnapshot): string => {
  if (sharing === null) return ''
  const { membership, reason, group, partitions } = sharing
  const owned = sources.filter((source) => source.owned).length
  const detail =
    reason ?? `${owned} of ${sources.length} sources, partitions ${partitions.join(', ') || 'none'} of ${group}`
  return card('Shared with other replicas', membership, membership === 'assigned' ? 'good' : 'wait', detail)
}

const card = (title: string, value: string, cssClass: string, detail: string | null): string =>
  `<div><dt>${title}</dt><dd><b class="${cssClass}">${escape(value)}</b></dd><dd>${escape(detail ?? '')}</dd></div>`

const formatJournal = ({ bytes, maxBytes, oldestAgeSeconds, warning }: StatusSnapshot['journal']): string =>
  `${formatSize(bytes ?? 0)} of ${formatSize(maxBytes)}, oldest ${formatElapsedTime(Math.round(oldestAgeSeconds))}${warning === null ? '' : `. ${warning}`}`

const sourceRow = (
  { source, provider, callback, pull, lostAnswers, reconciling }: SourceSnapshot,
  now: string,
): string => {
  const cells = [
    escape(source),
    escape(provider),
    callback ? 'yes' : '–',
    pull === null ? '–' : `<span class="${activityClass(pull)}">${escape(pull.state)}</span>`,
    pull?.limit == null ? '–' : String(pull.limit),
    pull?.nextAt == null ? '–' : `in ${formatElapsedTime(secondsBetween(now, pull.nextAt))}`,
    pull?.lastPageAt == null ? '–' : `${formatElapsedTime(secondsBetween(pull.lastPageAt, now))} ago`,
    formatLostAnswers(lostAnswers, now),
    reconciling === null
      ? '–'
      : `<span class="${activityClass(reconciling)}">${escape(reconciling.state)}</span>, ${reconciling.watched} watched`,
    escape([pull?.lastError, reconciling?.lastError].filter((error) => error != null).join('; ')),
  ]
  return `<tr>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`
}

const formatLostAnswers = (lost: SourceSnapshot['lostAnswers'], now: string): string => {
  if (lost === null) return '–'
  if (lost.lastAt === null) return '0'
  const last = `the last one ${formatElapsedTime(secondsBetween(lost.lastAt, now))} ago, ${lost.lastReason}: ${lost.lastDetail}`
  return `<span class="bad">${lost.count}</span>, ${escape(last)}`
}

const activityClass = ({ state, lastError }: { readonly state: string; readonly lastError: string | null }): string => {
  if (state === 'stopped') return ''
  return lastError === null ? 'good' : 'bad'
}

const secondsBetween = (from: string, to: string): number =>
  Math.max(0, Math.round((Date.parse(to) - Date.parse(from)) / 1_000))

const formatSize = (bytes: number): string => {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10))
  return `${(bytes / 1024 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`
}

const escape = (text: string): string => text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
