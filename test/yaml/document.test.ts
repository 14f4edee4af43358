import { describe, expect, it } from 'vitest'
import { readYaml } from '../../src/yaml/document.js'

const problemsOf = (text: string): string[] => readYaml(text).problems.map((each) => each.text)
const lines = (count: number, line: (index: number) => string): string =>
  Array.from({ length: count }, (_, i) => line(i)).join('\n')

/** Each took the parser minutes, because it compares each of so many things with all others. */
describe('readYaml refuses a file that would take minutes to read', () => {
  const expected = ['has more aliases (*name) and tags (!name) than a configuration']

  it.each([
    ['aliases', `a: &a x\nb:\n${lines(100_000, () => '- *a')}`],
    ['aliases of many anchors', `b:\n${lines(50_000, (i) => `- &a${i} x`)}\nc:\n${lines(20_000, (i) => `- *a${i}`)}`],
    ['tags', `a: ${'!!str '.repeat(100_000)}x`],
    ['merges', `a: &a {x: 1}\n${lines(100, (i) => `m${i}: {<<: [${'*a, '.repeat(100)}*a]}`)}`],
  ])('because of its %s', (_, text) => {
    expect(problemsOf(text)).toEqual(expected)
  })

  it('and reads as many aliases as a configuration has', () => {
    expect(readYaml(`a: &a x\nb:\n${lines(50, () => '- *a')}`).tree).toEqual({ a: 'x', b: Array(50).fill('x') })
  })
})

describe('readYaml reads a section of many keys', () => {
  it('and finds the ones that appear twice, each at its second place', () => {
    const text = lines(80_000, (i) => `k${i}: 1`)
    expect(Object.keys(readYaml(text).tree as object)).toHaveLength(80_000)
    expect(readYaml(`${text}\nk7: 2\n'k8': 3`).problems).toEqual(
      [80_001, 80_002].map((line) => ({
        path: [],
        at: { line, column: 1 },
        text: 'this key appears twice; remove one of them',
      })),
    )
    expect(readYaml('a: {b: 1, b: 2}').problems).toHaveLength(1)
  })

  it('and merges several sections into one', () => {
    expect(readYaml('a: &a {x: 1}\nb: &b {y: 2}\nc: {<<: *a, <<: *b, z: 3}').tree).toMatchObject({
      c: { x: '1', y: '2', z: '3' },
    })
  })

  it('and reports a limited number of problems', () => {
    expect(readYaml(`a: {${'x: 1, '.repeat(10_000)}}`).problems).toHaveLength(200)
  })
})
