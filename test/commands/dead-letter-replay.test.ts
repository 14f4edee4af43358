import { describe, expect, it } from 'vitest'
import type { StoredDeadLetter } from '../../src/commands/dead-letter-reader.js'
import { DeadLetterReplayer } from '../../src/commands/dead-letter-replay.js'
import type { Config } from '../../src/config/types.js'
import { withShortenedTexts } from '../../src/encode/dead-letters.js'
import type { EntryWithOrigin } from '../../src/journal/journal.js'
import { deadLetter } from '../support/events.js'

const ROW = Buffer.from('{"Status":"5","Msisdn":"33612345678","Wording":"hello"}')

const letter: StoredDeadLetter = {
  ...{ eventId: 'journal-1-0', source: 'mtarget-fr', provider: 'mtarget', via: 'PULL', receivedAt: 1_900_000_000_000 },
  ...{ reason: 'missing-text', detail: 'the message has no text' },
  request: { method: 'POST', path: '/notification', query: '', status: '200' },
  ...{ parts: 1, missingParts: [], bytes: ROW.length, body: ROW },
  places: [{ topic: 'sms.dead-letter', partition: 0, offset: 7 }],
}

/** A configuration with one source, which reads texts from this field. */
const configOf = (textField: string, source = 'mtarget-fr'): Config =>
  ({
    sources: new Map([[source, { name: source, provider: 'mtarget', textFields: [textField], ignoreEvents: [] }]]),
  }) as unknown as Config

const replay = async (
  stored: StoredDeadLetter,
  { config = configOf('Wording'), closedAt, refusal, isDryRun = false, isBodyGone = false }: Partial<ReplayCase> = {},
) => {
  const entries: EntryWithOrigin[] = []
  const states = new Map([
    [stored.eventId, { publishedPlaces: new Set<string>(), ...(closedAt !== undefined && { closedAt }) }],
  ])
  const handIn = (entry: EntryWithOrigin) => {
    entries.push(entry)
    return Promise.resolve(refusal === undefined ? {} : { problem: refusal })
  }
  const readBody = () => Promise.resolve(isBodyGone ? undefined : ROW)
  const replayer = new DeadLetterReplayer(config, { readBody }, states, isDryRun ? undefined : { handIn })
  return { report: await replayer.replay(stored), entries }
}

interface ReplayCase {
  readonly config: Config
  readonly closedAt: number
  readonly refusal: string
  readonly isDryRun: boolean
  /** Whether a part is deleted from the topic between the search and the reading of the body. */
  readonly isBodyGone: boolean
}

describe('DeadLetterReplayer', () => {
  it('hands in what can be read now, with the origin that keeps it from being published twice', async () => {
    const { report, entries } = await replay(letter)
    expect(report).toEqual({ outcome: 'handed-in', items: { dlr: 0, mo: 1 } })
    expect(entries).toMatchObject([
      { source: 'mtarget-fr', origin: { kind: 'dead-letter', eventId: 'journal-1-0', reason: 'missing-text' } },
    ])
  })

  it('refuses a letter of which a part is deleted while it is read, so that no shortened body is published', async () => {
    const { report, entries } = await replay(letter, { isBodyGone: true })
    expect(report).toMatchObject({ outcome: 'refused', problem: expect.stringContaining('retention') as string })
    expect(entries).toEqual([])
  })

  it('hands nothing in during a dry run', async () => {
    const { report, entries } = await replay(letter, { isDryRun: true })
    expect(report).toEqual({ outcome: 'would-hand-in', items: { dlr: 0, mo: 1 } })
    expect(entries).toEqual([])
  })

  it.each([
    ['that is closed', letter, { closedAt: 1 }, { outcome: 'already-replayed' }],
    [
      'that still can not be read',
      letter,
      { config: configOf('Another') },
      { outcome: 'unreadable', problem: 'missing-text' },
    ],
    [
      'whose source is not configured',
      letter,
      { config: configOf('Wording', 'another') },
      { outcome: 'unreadable', problem: 'has no source "mtarget-fr"' },
    ],
    [
      'with missing parts',
      { ...letter, parts: 3, missingParts: [2] },
      {},
      { outcome: 'refused', problem: '1 of its 3 parts' },
    ],
    [
      'whose request was shortened',
      {
        ...letter,
        request: withShortenedTexts(deadLetter({ request: { ...letter.request, query: 'x'.repeat(2_000) } })).request,
      },
      {},
      { outcome: 'refused', problem: 'request.query was shortened' },
    ],
  ] as const)('hands nothing in of a dead letter %s', async (_case, stored, options, { outcome, ...expected }) => {
    const { report, entries } = await replay(stored, options)
    expect(report.outcome).toBe(outcome)
    if ('problem' in expected) expect(report.problem).toContain(expected.problem)
    expect(entries).toEqual([])
  })

  it('says why the journal does not take an entry', async () => {
    expect((await replay(letter, { refusal: 'it is too large' })).report).toEqual({
      outcome: 'refused',
      problem: 'it is too large',
    })
  })
})
