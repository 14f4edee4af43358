/** docs/reliability.md lists exactly the kinds of faults that the fault suite has. */
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { SCENARIOS } from '../../../dev/faults/scenarios/index.js'

const text = readFileSync(new URL('../../../docs/reliability.md', import.meta.url), 'utf8')

it('docs/reliability.md lists exactly the kinds of faults that the fault suite has', () => {
  const start = text.indexOf('| name | fault |')
  expect(start).toBeGreaterThan(0)
  const table = text.slice(start, text.indexOf('\n\n', start))
  const rows = table.split('\n').filter((line) => line.startsWith('| `'))
  const named = rows.flatMap((row) => [...row.split('|')[1]!.matchAll(/`([^`]+)`/g)].map(([, name]) => name))
  expect(named.sort()).toEqual(SCENARIOS.map(({ name }) => name).sort())
})
