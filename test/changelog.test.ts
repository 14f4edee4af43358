/** The changelog has the form of Keep a Changelog 1.1: people read it, and the release workflow cuts notes out of it. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const text = readFileSync(join(import.meta.dirname, '..', 'CHANGELOG.md'), 'utf8')
const headings = (level: number): string[] =>
  [...text.matchAll(new RegExp(`^#{${level}} (.+)$`, 'gm'))].map(([, heading = '']) => heading)

describe('CHANGELOG.md', () => {
  it('begins with what is not released yet, and names every version with its date', () => {
    const [first, ...versions] = headings(2)
    expect(first).toBe('[Unreleased]')
    expect(versions.filter((heading) => !/^\[\d+\.\d+\.\d+(-[\w.]+)?\] - \d{4}-\d{2}-\d{2}$/.test(heading))).toEqual([])
  })

  it('has the newest version first', () => {
    const dates = headings(2).flatMap((heading) => / - (.+)$/.exec(heading)?.[1] ?? [])
    expect(dates).toEqual(dates.toSorted().toReversed())
  })

  it('sorts changes into the sections of Keep a Changelog', () => {
    const SECTIONS = ['Added', 'Changed', 'Deprecated', 'Removed', 'Fixed', 'Security']
    expect(headings(3).filter((heading) => !SECTIONS.includes(heading))).toEqual([])
  })
})
