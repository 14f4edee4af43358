/** docs/reliability.md names what there is: every kind of fault, and tests that can be found. */
import { existsSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { SCENARIOS } from '../../../dev/faults/scenarios/index.js'

const file = new URL('../../../docs/reliability.md', import.meta.url)
const text = readFileSync(file, 'utf8')

it('the kinds of faults in the documentation are those that there are', () => {
  const table = text.slice(text.indexOf('| name | what is done |'), text.indexOf('## Figures'))
  const rows = table.split('\n').filter((line) => line.startsWith('| `'))
  const named = rows.flatMap((row) => [...row.split('|')[1]!.matchAll(/`([^`]+)`/g)].map(([, name]) => name))
  expect(named.sort()).toEqual(SCENARIOS.map(({ name }) => name).sort())
})

it('what the documentation links to is there', () => {
  const links = [...text.matchAll(/\]\(([^)#]+)/g)].map(([, link]) => link!)
  expect(links.length).toBeGreaterThan(10)
  expect(links.filter((link) => !existsSync(new URL(link, file)))).toEqual([])
})
