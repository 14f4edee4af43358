/** A gauge that shows no growth where there is some proves nothing. */
import { describe, expect, it } from 'vitest'
import { growth, type Look, type Phase, phaseOf } from '../../../dev/faults/resource-samples.js'

const phase = (memory: number, file = 100): Phase => ({ memory, mostMemory: memory, file, mostEntries: 0 })
const look = (memory: number, entries: number): Look => ({ memory, file: memory / 2, entries, oldest: 0 })

describe('growth', () => {
  it('is none where sizes swing, whatever came first', () => {
    expect(growth([20, 60, 100, 120, 95, 110, 118, 99, 121, 104].map((memory) => phase(memory)))).toEqual([])
  })

  it('is a leak of a seventh a phase', () => {
    expect(growth([100, 115, 130, 145, 160, 175, 190, 205, 220, 235].map((memory) => phase(memory)))).toEqual([
      'the memory grew from 175 to 220 MiB',
    ])
  })

  it("is a journal's file that is never used again", () => {
    expect(growth([100, 200, 300, 400, 500, 600].map((file) => phase(100, file)))).toEqual([
      "the journal's file grew from 350 to 550 MiB",
    ])
  })

  it('is not overlooked where nothing was seen', () => {
    expect(growth([phase(NaN), phase(NaN), phase(NaN)])).toHaveLength(1)
  })
})

it('of a phase the usual and the most memory, the last size of the file and the highest backlog are told', () => {
  expect(phaseOf([look(100, 5), look(300, 900), look(120, 7)])).toEqual({
    memory: 120,
    mostMemory: 300,
    file: 60,
    mostEntries: 900,
  })
})
