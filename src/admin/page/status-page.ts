/**
 * The status page. It answers at a glance whether anything is wrong, since when, why, and what to do. It loads nothing but
 * itself, and works without scripts.
 */
import { hash } from 'node:crypto'
import type { StatusReport } from '../problems.js'
import type { StatusHistory } from '../status.js'
import { timeSince } from './format.js'
import { headline, problemList } from './headline.js'
import { html, type Html, trusted } from './html.js'
import { SCRIPT } from './script.js'
import { deadLetterSection, journalCard, publishingCard, registryCard, sharingCard } from './sections.js'
import { sourceCard } from './source-card.js'
import { STYLE } from './style.js'

const sourceOf = (text: string): string => `'sha256-${hash('sha256', text, 'base64')}'`

export const PAGE_HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': `default-src 'none'; style-src ${sourceOf(STYLE)}; script-src ${sourceOf(SCRIPT)}; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  'referrer-policy': 'no-referrer',
}

/** How often a browser without scripts reloads the page. A reload closes what the reader has opened. */
const RELOAD_SECONDS = 15

export function renderStatusPage(status: StatusReport, history: StatusHistory): string {
  const { instance, version, sources, time, startedAt, severity } = status
  const sentence = headline(status)
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <noscript><meta http-equiv="refresh" content="${RELOAD_SECONDS}" /></noscript>
        <title>${severity === 'ok' ? '' : '(!) '}${instance} · dlr-mo-connector</title>
        ${trusted(`<style>${STYLE}</style>`)}
      </head>
      <body>
        <header>
          <p id="stale" role="alert" hidden></p>
          <h1>${instance} · dlr-mo-connector</h1>
          <p id="headline" class="headline ${severity}" role="status">${sentence}</p>
          <div id="facts" class="facts">
            <span>version ${version}</span><span>${timeSince('started', startedAt, time, 'up ')}</span
            ><span>as of ${time.slice(11, 19)} UTC</span>
          </div>
        </header>
        <main>
          ${problemList(status)}
          ${section('Sources', sources.length === 0 ? html`<p class="soft">This process receives nothing: it publishes what the journal holds.</p>` : html`<div class="cards">${sources.map((source) => sourceCard(source, status, history.sources.get(source.source)))}</div>`)}
          ${section('Journal and publishing', html`<div class="cards">${[journalCard(status, history), publishingCard(status, history), registryCard(status), sharingCard(status)]}</div>`)}
          ${section('Dead letters', deadLetterSection(status))}
        </main>
        <footer>
          <nav aria-label="Further pages">
            <a href="runbook">Runbook</a><a href="status.json">Status as JSON</a><a href="metrics">Metrics</a>
          </nav>
        </footer>
        ${trusted(`<script>${SCRIPT}</script>`)}
      </body>
    </html> `.text
}

const section = (title: string, content: Html): Html => {
  const id = title.toLowerCase().replaceAll(' ', '-')
  return html`<section aria-labelledby="${id}">
    <h2 id="${id}">${title}</h2>
    ${content}
  </section>`
}
