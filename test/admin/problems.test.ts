import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { renderStatusPage } from '../../src/admin/page/status-page.js'
import type { PublishingCode } from '../../src/admin/status.js'
import { PASSWORD, RECIPIENT, SCENARIOS, StatusScenario } from './support/status-scenarios.js'

const HOUR_MS = 3_600_000
const titlesOf = (scenario: StatusScenario): string[] =>
  scenario.report().report.problems.map(({ severity, source, title }) => `${severity} ${source ?? '-'} ${title}`)

describe('The problems in /status.json', () => {
  it('are none while all is well', async () => {
    const { report } = (await SCENARIOS['all is well']!()).report()
    expect(report).toMatchObject({ severity: 'ok', wrongSince: null, problems: [] })
  })

  it('name a wrong password, refused callbacks and dead letters, the worst first', async () => {
    const scenario = await SCENARIOS['a password is wrong, callbacks are refused and dead letters arrive']!()
    expect(titlesOf(scenario)).toEqual([
      'critical mtarget-fr Pulling fails',
      'critical seven-main Callbacks are refused with 401',
      'warning - Callbacks name no source',
      'warning seven-main A dead letter: not-a-report',
      'warning mtarget-fr A dead letter: missing-text',
    ])
    const { report } = scenario.report()
    expect(report.problems[1]).toMatchObject({
      reason: 'The last 17 callbacks were refused: the token is wrong.',
      action: expect.stringContaining('sources.seven-main.callback.token') as string,
    })
    expect(report.deadLetters[1]).toMatchObject({
      source: 'mtarget-fr',
      reason: 'missing-text',
      count: 1,
      lastEventId: 'ab12-1764295000000000-0',
    })
    expect(report.sources[1]?.callbacks).toMatchObject({ refused: 17, lastRefused: { code: 401, reason: 'token' } })
  })

  it('show neither a secret nor a phone number, and cut a text of 5 MB', async () => {
    const scenario = await SCENARIOS['a password is wrong, callbacks are refused and dead letters arrive']!()
    const { report, history } = scenario.report()
    for (const shown of [JSON.stringify(report), renderStatusPage(report, history)]) {
      expect(shown).not.toContain(PASSWORD)
      expect(shown).not.toContain(RECIPIENT)
      expect(shown).toContain('+336*****678')
      expect(shown.length).toBeLessThan(60_000)
    }
  })

  it('say since when custody is refused, and until it is taken again', async () => {
    const scenario = await SCENARIOS['the disk is full']!()
    const { report } = scenario.report()
    expect(report.problems[0]).toMatchObject({ severity: 'critical', since: report.journal.refusedSince })
    expect(Date.parse(report.time) - Date.parse(report.wrongSince!)).toBeGreaterThanOrEqual(4 * 60_000)
    Object.assign(scenario.journal, { refusalReason: () => null, refuses: undefined })
    expect(scenario.report().report.journal.refusedSince).toBeNull()
    expect(titlesOf(scenario)).not.toContain('critical - Callbacks are refused with 503, and no queue is asked')
  })

  it.each([
    ['full', 'raise journal.maxBytes', 'DlrMoConnectorRefusesCustody'],
    ['disk', 'Free space on the disk', 'DlrMoConnectorRefusesCustody'],
    ['file-missing', 'Do not restart', 'journal-file-missing'],
    ['unusable', 'Repair or replace the disk', 'journal-unusable'],
  ] as const)('advise what the cause asks for while custody is refused: %s', async (cause, action, runbook) => {
    const scenario = await SCENARIOS['the disk is full']!()
    scenario.journal.refusalCause = cause
    const [problem] = scenario.report().report.problems
    expect(problem).toMatchObject({ action: expect.stringContaining(action) as string, runbook })
  })

  it('tell the limit of the journal from the disk where little room is left', () => {
    const scenario = new StatusScenario()
    const fillTo = (freeBytes: number): readonly unknown[] => {
      const { maxBytes } = scenario.journal
      Object.assign(scenario.journal, {
        custodyRoom: () => ({ maxBytes, freeBytes, refusal: null, refusalCause: null }),
        stats: () => ({ entries: 1, bytes: maxBytes - 1_000, oldestReceivedAt: null, idsForgottenEarly: 0 }),
      })
      return scenario.report().report.problems.map(({ runbook }) => runbook)
    }
    expect(fillTo(1_000)).toEqual(['DlrMoConnectorJournalFilling'])
    expect(fillTo(500)).toEqual(['DlrMoConnectorDiskFilling'])
  })

  it.each([
    ['journal-older-copy', 'The journal is an older copy of itself', 'put them back'],
    ['journal-replaced', 'The journal is not the one of the last run', 'under the same instance'],
  ] as const)('link the runbook entry of the warning about the journal: %s', (event, title, action) => {
    const scenario = new StatusScenario()
    scenario.status.addJournalWarning(event, 'the reason')
    expect(scenario.report().report.problems).toMatchObject([
      { title, reason: 'the reason', runbook: event, action: expect.stringContaining(action) as string },
    ])
  })

  it('advise by how the last request to a queue ended', () => {
    const scenario = new StatusScenario()
    const outcomes = ['account-error', 'network-error', 'timeout', 'not-a-page', 'cut', 'internal-error'] as const
    const actionFor = (lastErrorOutcome: (typeof outcomes)[number]): string => {
      scenario.page(null, { lastError: 'the reason', lastErrorOutcome })
      return scenario.report().report.problems[0]!.action
    }
    expect(actionFor('account-error')).toContain('sources.mtarget-fr.pull.password')
    for (const outcome of outcomes.slice(1)) expect(actionFor(outcome)).not.toContain('password')
    expect(actionFor('timeout')).toContain('sources.mtarget-fr.pull.url')
    expect(actionFor('not-a-page')).toContain('dead-letters list --source mtarget-fr')
  })

  it('show callbacks that name no source although requests to other paths have come since', () => {
    const scenario = new StatusScenario()
    scenario.status.recordCallback('', 401, 'unknown-source')
    scenario.status.recordCallback('', 404, 'path')
    expect(titlesOf(scenario)).toEqual(['warning - Callbacks name no source'])
  })

  it('show large callbacks that a nearly full journal refuses while it takes small ones', () => {
    const scenario = new StatusScenario()
    const { maxBytes } = scenario.journal
    scenario.status.recordCallback('seven-main', 503, 'journal-refuses')
    expect(titlesOf(scenario)).toEqual([])
    Object.assign(scenario.journal, {
      custodyRoom: () => ({ maxBytes, freeBytes: 4_096, refusal: null, refusalCause: null }),
    })
    expect(titlesOf(scenario)).toContain(
      'critical seven-main Callbacks that are too large for the room that is left are refused with 503',
    )
  })

  it('tell when the journal will be full, from what it grew in the last minutes', async () => {
    const scenario = await SCENARIOS['Kafka is away and the journal fills']!()
    const { journal } = scenario.report().report
    // 8 callbacks of 2,000 bytes a minute, and about 325,000 bytes left.
    expect(journal.fullInSeconds).toBeGreaterThan(15 * 60)
    expect(journal.fullInSeconds).toBeLessThan(30 * 60)
  })

  it('make publishing that waits critical after five minutes', async () => {
    const scenario = new StatusScenario()
    scenario.status.setPublishing('waiting', 'no broker answers')
    expect(titlesOf(scenario)).toEqual(['warning - Nothing is published'])
    await scenario.clock.advance(6 * 60_000)
    expect(titlesOf(scenario)).toEqual(['critical - Nothing is published'])
  })

  it('advise what the code of the error asks for while publishing waits, and forget the code afterwards', () => {
    const scenario = new StatusScenario()
    const actionFor = (code: PublishingCode): string | undefined => {
      scenario.status.setPublishing('waiting', 'the reason', code)
      return scenario.report().report.problems[0]?.action
    }
    expect(actionFor('KAFKA_UNREACHABLE')).toContain('kafka.brokers')
    expect(actionFor('KAFKA_REFUSED')).toContain('kafka.sasl')
    expect(actionFor('TOPIC_MISSING')).toContain('kafka.createTopics')
    expect(actionFor('REGISTRY_UNREACHABLE')).toContain('registry.url')
    expect(actionFor('SCHEMA_REFUSED')).toContain('schemas check')
    expect(actionFor('UNEXPECTED')).toContain('The command check')
    expect(scenario.report().report.publishing.code).toBe('UNEXPECTED')
    scenario.status.setPublishing('ok')
    expect(scenario.report().report.publishing.code).toBeNull()
  })

  it('have an advice of their own for each code in the table of the runbook', () => {
    const runbook = readFileSync(join(import.meta.dirname, '../../docs/runbook.md'), 'utf8')
    const codes = [...runbook.matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, code]) => code as PublishingCode)
    const scenario = new StatusScenario()
    const actions = codes.map((code) => {
      scenario.status.setPublishing('waiting', 'the reason', code)
      return scenario.report().report.problems[0]?.action
    })
    expect(codes.length).toBeGreaterThan(8)
    expect(new Set(actions).size).toBe(codes.length)
  })

  it('name the command that replays dead letters, with their source and reason', async () => {
    const scenario = await SCENARIOS['a password is wrong, callbacks are refused and dead letters arrive']!()
    const actions = scenario.report().report.problems.map(({ action }) => action)
    expect(actions.join()).toContain('dead-letters replay --source mtarget-fr --reason missing-text')
  })

  it('tell a single refused callback from a source whose callbacks are all refused, and forget both after an hour', async () => {
    const scenario = new StatusScenario()
    scenario.status.recordCallback('seven-main', 401, 'token')
    scenario.status.recordCallback('seven-main', 200, null)
    expect(titlesOf(scenario)).toEqual(['warning seven-main Callbacks are refused with 401'])
    scenario.status.recordCallback('seven-main', 401, 'token')
    scenario.status.recordCallback('seven-main', 401, 'token')
    expect(titlesOf(scenario)).toEqual(['critical seven-main Callbacks are refused with 401'])
    await scenario.clock.advance(HOUR_MS + 1)
    expect(titlesOf(scenario)).toEqual([])
  })

  it('tell that the configuration on disk is not in use since the first failure, and forget it after a success', async () => {
    const scenario = new StatusScenario()
    const configuration = () => scenario.report().report.configuration
    scenario.status.configurationRefused('connector.yaml:1:2 kafka.brokers: is missing', [])
    const since = configuration().failure?.since
    await scenario.clock.advance(60_000)
    scenario.status.configurationRefused('journal.maxBytes needs a restart', ['journal.maxBytes'])
    expect(configuration().failure).toEqual({
      since,
      reason: 'journal.maxBytes needs a restart',
      restartKeys: ['journal.maxBytes'],
    })
    expect(titlesOf(scenario)).toEqual(['warning - A change of the configuration needs a restart'])
    scenario.status.configurationLoaded([{ name: 'seven-main', provider: 'seven', callback: {} }])
    expect(titlesOf(scenario)).toEqual([])
    expect(configuration().loadedAt).toBe(new Date(scenario.clock.now()).toISOString())
    expect(scenario.report().report.sources.map(({ source }) => source)).toEqual(['seven-main'])
  })
})
