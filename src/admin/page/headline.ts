/** The sentence at the top of the status page, and the list of what is wrong below it. */
import { formatElapsedTime } from '../../core/elapsed-time.js'
import type { StatusProblem, StatusReport } from '../problems.js'
import { cut, secondsBetween, time } from './format.js'
import { html, type Html } from './html.js'
import { anchorOf } from './runbook-page.js'

/** One sentence: whether anything is wrong, and what is worst. */
export function headline({ problems, reason, ready, publishing, time: now }: StatusReport): string {
  const [worst] = problems
  if (worst === undefined) {
    if (!ready) return `Not ready: ${reason}.`
    if (publishing.state === 'starting') return 'Started: callbacks are taken, and publishing begins.'
    return 'All is well: what arrives is taken into custody and published.'
  }
  const others = problems.length - 1
  const more = others === 0 ? '' : `, and ${others === 1 ? 'one more problem' : `${others} more problems`}`
  return `${worst.severity === 'critical' ? 'Critical' : 'Warning'}: ${titleOf(worst)}, for ${durationOf(worst, now)}${more}.`
}

export const problemList = ({ problems, time: now }: StatusReport): Html =>
  problems.length === 0
    ? html``
    : html`<section aria-labelledby="problems">
        <h2 id="problems">What is wrong, and what to do</h2>
        <ul class="problems">
          ${problems.map((problem, index) => problemItem(problem, index, now))}
        </ul>
      </section>`

const problemItem = (problem: StatusProblem, index: number, now: string): Html => {
  const { severity, reason, action, since, runbook } = problem
  const id = `problem-${index}`
  return html`<li class="problem ${severity}">
    <span class="severity">${severity === 'critical' ? '✖ Critical' : '▲ Warning'}</span>
    <h3>${titleOf(problem)}</h3>
    <p class="reason">${cut(reason)}</p>
    <p class="action"><b>Do:</b> ${action}</p>
    <div class="facts">
      <span>for ${time(id, since, durationOf(problem, now))}</span
      ><a id="${id}-runbook" href="runbook#${anchorOf(runbook)}" aria-label="Runbook: ${titleOf(problem)}">Runbook</a>
    </div>
  </li>`
}

const titleOf = ({ source, title }: StatusProblem): string => (source === null ? title : `${source}: ${title}`)

const durationOf = ({ since }: StatusProblem, now: string): string => formatElapsedTime(secondsBetween(since, now))
