/** Invariant 1 against kill -9: every acknowledged entry is there afterwards, unchanged, in order, under its number. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/core/clock.js'
import { bodyOf, sizeOf } from './support/bodies.js'
import { ChildProcess, killChildProcesses } from './support/child-process.js'
import { Journals } from './support/journals.js'

const journals = new Journals()
const DAY = 86_400_000

afterEach(async () => {
  await killChildProcesses()
  await journals.dispose()
})

/** A reproducible sequence, for the instants of the kills and the clocks of the runs. */
function* randomNumbers(seed: number): Generator<number, never, undefined> {
  for (;;) {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31
    yield seed / 2 ** 31
  }
}

/** What the processes have reported so far. */
interface Reports {
  readonly acknowledged: Map<string, number>
  releasing: number
  released: number
}

function record(lines: readonly string[], reports: Reports): void {
  for (const [what, first = '', second = ''] of lines.map((line) => line.split(' '))) {
    if (what === 'append') reports.acknowledged.set(first, Number(second))
    if (what === 'releasing') reports.releasing = Number(first)
    if (what === 'released') reports.released = Number(first)
  }
}

describe('A journal whose process is killed', () => {
  it('keeps every acknowledged entry over twelve kills, whatever its clock says', { timeout: 120_000 }, async () => {
    await keepsEntriesOverKills(12, () => [])
  })

  it('keeps every entry over kills while its key is rotated in each run', { timeout: 120_000 }, async () => {
    await keepsEntriesOverKills(6, (run) => Array.from({ length: run + 1 }, (_, n) => Buffer.alloc(32, run - n + 1)))
  })
})

/** @param keysOf the keys of a run, the present one first */
async function keepsEntriesOverKills(runs: number, keysOf: (run: number) => readonly Buffer[]): Promise<void> {
  const directory = journals.directory()
  const random = randomNumbers(20_261)
  const reports: Reports = { acknowledged: new Map(), releasing: -1, released: -1 }
  const ids = new Set<string>()
  let lastOfRunBefore = -1

  for (let run = 0; run < runs; run++) {
    const clockOffset = Math.round((random.next().value - 0.5) * 20 * DAY)
    const [key, ...previousKeys] = keysOf(run)
    const keys = keysOf(run)
      .map((each) => each.toString('hex'))
      .join(',')
    const child = new ChildProcess('appender.ts', [directory, String(run), String(clockOffset), keys])
    const opened = await child.line(1)
    ids.add(opened.split(' ')[1]!)
    expect(Number(opened.split(' ')[2])).toBeGreaterThanOrEqual(reports.released)
    await child.line(20)
    // The kill comes at a random instant, so that over the runs it meets every step of an append and of a release.
    await sleep(random.next().value * 250)
    await child.kill()
    record(child.lines.slice(1), reports)

    const seqsOfThisRun = [...reports.acknowledged].filter(([name]) => name.startsWith(`${run}-`)).map(([, seq]) => seq)
    expect(Math.min(...seqsOfThisRun)).toBeGreaterThan(lastOfRunBefore)
    lastOfRunBefore = Math.max(lastOfRunBefore, ...seqsOfThisRun)

    const encryption = { ...(key && { key }), previousKeys }
    const journal = await journals.open(directory, { clock: systemClock, encryption })
    ids.add(journal.id)
    expect(journal.releasedUpTo).toBeGreaterThanOrEqual(reports.released)
    expect(journal.releasedUpTo).toBeLessThanOrEqual(reports.releasing)
    const entries = journal.read(-1, { entries: 1e6, bytes: 1e12 })
    const found = new Map(entries.map(({ source, seq }) => [source, seq]))
    for (const [name, seq] of reports.acknowledged) {
      if (seq > journal.releasedUpTo) expect(found.get(name), name).toBe(seq)
    }
    const changed = entries.filter(({ source, body }) => bodyOf(source, sizeOf(source)).compare(body) !== 0)
    expect(changed.map(({ source }) => source)).toEqual([])
    // An event id is remembered exactly if its entry was released, because one transaction does both.
    for (const [name, seq] of reports.acknowledged) {
      expect(journal.findFirstSeen(name) !== undefined, name).toBe(seq <= journal.releasedUpTo)
    }
    await journals.close(journal)
  }
  expect(ids.size).toBe(1)
  expect(reports.acknowledged.size).toBeGreaterThan(20 * runs)
}
