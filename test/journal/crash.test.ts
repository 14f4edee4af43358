/** Invariant 1 against kill -9: what was acknowledged is there afterwards, byte for byte, in order, under its number. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/core/clock.js'
import { bodyOf, sizeOf } from './support/bodies.js'
import { Child, killAll } from './support/children.js'
import { Journals } from './support/journals.js'

const journals = new Journals()
const DAY = 86_400_000

afterEach(async () => {
  await killAll()
  await journals.dispose()
})

/** Repeatable: the instants of the kills and the clocks of the runs. */
function* random(seed: number): Generator<number, never, undefined> {
  for (;;) {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31
    yield seed / 2 ** 31
  }
}

interface Said {
  readonly acknowledged: Map<string, number>
  releasing: number
  released: number
}

function hear(lines: readonly string[], said: Said): void {
  for (const [what, first = '', second = ''] of lines.map((line) => line.split(' '))) {
    if (what === 'append') said.acknowledged.set(first, Number(second))
    if (what === 'releasing') said.releasing = Number(first)
    if (what === 'released') said.released = Number(first)
  }
}

describe('a journal whose process is killed', () => {
  it('keeps all that it acknowledged, twelve times over, whatever its clock says', { timeout: 120_000 }, async () => {
    const directory = journals.directory()
    const dice = random(20_261)
    const said: Said = { acknowledged: new Map(), releasing: -1, released: -1 }
    const ids = new Set<string>()
    let before = -1

    for (let run = 0; run < 12; run++) {
      const clockIsOff = Math.round((dice.next().value - 0.5) * 20 * DAY)
      const child = new Child('appender.ts', [directory, String(run), String(clockIsOff)])
      const opened = await child.line(1)
      ids.add(opened.split(' ')[1]!)
      expect(Number(opened.split(' ')[2])).toBeGreaterThanOrEqual(said.released)
      await child.line(20) // under way
      await sleep(dice.next().value * 250)
      await child.kill()
      hear(child.lines.slice(1), said)

      const ofThisRun = [...said.acknowledged].filter(([name]) => name.startsWith(`${run}-`)).map(([, seq]) => seq)
      expect(Math.min(...ofThisRun)).toBeGreaterThan(before)
      before = Math.max(before, ...ofThisRun)

      const journal = await journals.open(directory, { clock: systemClock })
      ids.add(journal.id)
      expect(journal.releasedUpTo).toBeGreaterThanOrEqual(said.released)
      expect(journal.releasedUpTo).toBeLessThanOrEqual(said.releasing)
      const entries = journal.read(-1, { entries: 1e6, bytes: 1e12 })
      const found = new Map(entries.map(({ source, seq }) => [source, seq]))
      for (const [name, seq] of said.acknowledged) {
        if (seq > journal.releasedUpTo) expect(found.get(name), name).toBe(seq)
      }
      const wrong = entries.filter(({ source, body }) => bodyOf(source, sizeOf(source)).compare(body) !== 0)
      expect(wrong.map(({ source }) => source)).toEqual([])
      // What was released is remembered, and what was not isn't: one transaction did both.
      for (const [name, seq] of said.acknowledged) {
        expect(journal.findFirstSeen(name) !== undefined, name).toBe(seq <= journal.releasedUpTo)
      }
      await journals.close(journal)
    }
    expect(ids.size).toBe(1)
    expect(said.acknowledged.size).toBeGreaterThan(240)
  })
})
