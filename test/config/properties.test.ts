/** Properties of parseConfig: any input gives either a configuration or a list of problems. */
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { stringify } from 'yaml'
import { parseConfig } from '../../src/config/load.js'
import { redact } from '../../src/masking/secrets.js'
import { REQUIRED, load, problemsOf } from './support.js'

// Thousands of small cases take long on a busy machine.
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

/** Pieces of YAML in any order, which are well-formed by accident only. */
const yamlPieces = fc
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

const expectConfigOrProblems = (yaml: string): void => {
  const { config, problems } = parseConfig(yaml, { A: 'x' }, 'host-1')
  if (config !== undefined) {
    expect(redact(config)).toHaveProperty('instance')
    return
  }
  expect(problems.length).toBeGreaterThan(0)
  for (const { text } of problems) expect(text).not.toBe('')
}

/** Sets the value at the path, and creates the sections that are missing on the way. */
function setAtPath(root: Record<string, unknown>, path: readonly string[], value: unknown): void {
  let section = root
  for (const step of path.slice(0, -1)) {
    section[step] ??= {}
    section = section[step] as Record<string, unknown>
  }
  section[path.at(-1) ?? ''] = value
}

describe('parseConfig returns a configuration or problems', () => {
  it('for any text', () => {
    fc.assert(fc.property(fc.oneof(yamlPieces, fc.string({ unit: 'binary' })), expectConfigOrProblems), {
      numRuns: 400,
    })
  })

  it('for any structure of values', () => {
    fc.assert(
      fc.property(tree, (any) => {
        expectConfigOrProblems(JSON.stringify(any) ?? 'null')
        expectConfigOrProblems(stringify(any))
      }),
      { numRuns: 200 },
    )
  })

  it('for a valid configuration in which one value is replaced by any other', () => {
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
        setAtPath(root, place, any)
        expectConfigOrProblems(JSON.stringify(root))
      }),
      { numRuns: 200 },
    )
  })
})

it('parseConfig reports any unknown key with its path, its line and the nearest known key', () => {
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
  // No known key begins with these letters.
  const unknown = fc.stringMatching(/^zz[A-Za-z0-9._-]{0,20}$/)
  fc.assert(
    fc.property(fc.constantFrom(...sections), unknown, (path, name) => {
      const root: Record<string, unknown> = JSON.parse(
        '{"kafka":{"brokers":"a:1","topics":{}},"registry":{"url":"http://r"},"sources":{"one":{"provider":"seven","callback":{"open":true}}}}',
      ) as Record<string, unknown>
      setAtPath(root, [...path.split('.').filter((step) => step !== ''), name], 'x')
      const yaml = stringify(root)
      const line = yaml.split('\n').findIndex((each) => each.trim().replaceAll('"', '') === `${name}: x`) + 1
      const expected = `${path === '' ? '' : `${path}.`}${name}: unknown key; the nearest known one is `
      const reported = problemsOf(yaml).filter((each) => each.includes(expected))
      expect(reported).toHaveLength(1)
      expect(reported[0]).toMatch(new RegExp(`^c\\.yaml:${line}:\\d+ `))
    }),
    { numRuns: 150 },
  )
})

it('parseConfig takes the value of a variable unchanged where any text is allowed', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, unit: 'grapheme' }), (value) => {
      // eslint-disable-next-line no-control-regex
      fc.pre(!/[\u0000-\u001f\u007f]/.test(value))
      const { admin } = load(`${REQUIRED}admin: {token: "\${X}"}`, { X: value })
      expect(admin.token).toEqual([value])
    }),
  )
})
