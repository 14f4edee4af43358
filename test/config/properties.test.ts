/** Whatever stands in a file, the answer is a configuration or a list of problems. */
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { stringify } from 'yaml'
import { parseConfig } from '../../src/config/load.js'
import { redacted } from '../../src/config/redact.js'
import { REQUIRED, load, problemsOf } from './support.js'

// Thousands of small cases on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000 })

const KEYS = [
  'instance',
  'kafka',
  'brokers',
  'topics',
  'registry',
  'url',
  'sources',
  'one',
  'provider',
  'pull',
  'limit',
  'tls',
  '<<',
]
const key = fc.oneof(fc.constantFrom(...KEYS), fc.string({ maxLength: 8 }))
const scalar = fc.oneof(
  fc.constantFrom('seven', 'mtarget', 'a:1', 'http://r', '1', 'true', '3m', '1MiB', '${A}', '${', '&a x', '*a', ''),
  fc.string(),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
)
const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { maxDepth: 5 },
    scalar,
    fc.array(tie('tree'), { maxLength: 3 }),
    fc.dictionary(key, tie('tree'), { maxKeys: 4 }),
  ),
}))

/** Pieces of YAML in any order, well formed by accident only. */
const soup = fc
  .array(
    fc.oneof(
      fc.constantFrom(...KEYS.map((each) => `${each}: `)),
      fc.constantFrom(
        '\n',
        '\n  ',
        '\n    ',
        '- ',
        '{',
        '}',
        '[',
        ']',
        ', ',
        '"',
        "'",
        '|',
        '>',
        '&a ',
        '*a',
        '!!int ',
        '%',
        '#',
        '---\n',
        '\t',
        '? ',
        ': ',
        '${A}',
        '\r\n',
        '\u0000',
        '\u2028',
        '\ufeff',
      ),
      fc.string({ unit: 'binary', maxLength: 5 }),
    ),
    { maxLength: 40 },
  )
  .map((pieces) => pieces.join(''))

const holds = (yaml: string): void => {
  const { config, problems } = parseConfig(yaml, { A: 'x' }, 'host-1')
  if (config !== undefined) {
    expect(redacted(config)).toHaveProperty('instance')
    return
  }
  expect(problems.length).toBeGreaterThan(0)
  for (const { text } of problems) expect(text).not.toBe('')
}

describe('a configuration or problems, and nothing else, comes of', () => {
  it('any text', () => {
    fc.assert(fc.property(fc.oneof(soup, fc.string({ unit: 'binary' })), holds), { numRuns: 400 })
  })

  it('any structure', () => {
    fc.assert(
      fc.property(tree, (any) => {
        holds(JSON.stringify(any) ?? 'null')
        holds(stringify(any))
      }),
      { numRuns: 200 },
    )
  })

  it('a right configuration with any value in any place', () => {
    const places = [
      ['instance'],
      ['kafka'],
      ['kafka', 'brokers'],
      ['kafka', 'sasl'],
      ['kafka', 'tls'],
      ['registry', 'auth'],
      ['callbacks', 'tls'],
      ['sources'],
      ['sources', 'one'],
      ['sources', 'one', 'pull'],
      ['sources', 'one', 'callback', 'allowFrom'],
      ['sources', 'one', 'reconcile', 'log'],
    ]
    fc.assert(
      fc.property(fc.constantFrom(...places), tree, (place, any) => {
        const root: Record<string, unknown> = {
          kafka: { brokers: 'a:1' },
          registry: { url: 'http://r' },
          sources: { one: { provider: 'seven', callback: { open: true } } },
        }
        let at = root
        for (const step of place.slice(0, -1)) at = (at[step] ??= {}) as Record<string, unknown>
        at[place.at(-1) ?? ''] = any
        holds(JSON.stringify(root))
      }),
      { numRuns: 200 },
    )
  })
})

it('any unknown key is told with its path and its line, and a key that is known', () => {
  const sections = [
    '',
    'kafka',
    'registry',
    'journal',
    'callbacks',
    'admin',
    'log',
    'duplicates',
    'kafka.topics',
    'sources.one',
    'sources.one.callback',
  ]
  // No key of ours begins so.
  const unknown = fc.stringMatching(/^zz[A-Za-z0-9._-]{0,20}$/)
  fc.assert(
    fc.property(fc.constantFrom(...sections), unknown, (path, name) => {
      const root: Record<string, unknown> = JSON.parse(
        '{"kafka":{"brokers":"a:1","topics":{}},"registry":{"url":"http://r"},"sources":{"one":{"provider":"seven","callback":{"open":true}}}}',
      ) as Record<string, unknown>
      let at = root
      for (const step of path.split('.').filter((each) => each !== ''))
        at = (at[step] ??= {}) as Record<string, unknown>
      at[name] = 'x'
      const yaml = stringify(root)
      const line = yaml.split('\n').findIndex((each) => each.trim().replaceAll('"', '') === `${name}: x`) + 1
      const wanted = `${path === '' ? '' : `${path}.`}${name}: unknown key; the nearest known one is `
      const told = problemsOf(yaml).filter((each) => each.includes(wanted))
      expect(told).toHaveLength(1)
      expect(told[0]).toMatch(new RegExp(`^c\\.yaml:${line}:\\d+ `))
    }),
    { numRuns: 150 },
  )
})

it('what a variable holds comes out as it is wherever any text is allowed', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, unit: 'grapheme' }), (value) => {
      // eslint-disable-next-line no-control-regex
      fc.pre(!/[\u0000-\u001f\u007f]/.test(value))
      const { admin } = load(`${REQUIRED}admin: {token: "\${X}"}`, { X: value })
      expect(admin.token).toBe(value)
    }),
  )
})
