/** No message about a configuration shows a secret, whether the configuration is valid or not. */
import { inspect } from 'node:util'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { configurationWarnings } from '../../src/config/warnings.js'
import { redact } from '../../src/masking/secrets.js'
import { fixture, load, problemsOf, withKafka, withSource } from '../config/support.js'

const SECRET = 'hunter2'

describe('A problem of a configuration shows no secret', () => {
  it.each([
    [
      'that a variable contains',
      withKafka('compression: "${X}"'),
      'kafka.compression: found "…" from ${X}; one of none',
    ],
    [
      'that a variable contains as a part of the value',
      withKafka('delivery: "a${X}b"'),
      'kafka.delivery: found "…" from ${X}; one of',
    ],
    [
      'that a variable contains as an item of a list',
      withKafka('').replace("['127.0.0.1:9092']", '"${X}"'),
      'found "…" from ${X}; host:port',
    ],
    [
      'that is an invalid token',
      withSource(`provider: seven, callback: {token: "${SECRET}/"}`),
      'callback.token: found "…"; a token',
    ],
    [
      'that is part of an address',
      withKafka('').replace('http://', `http://u:${SECRET}@`),
      'registry.url: found "…"; the http://',
    ],
    [
      'in a text where a section is expected',
      withKafka(`sasl: plain ${SECRET}`),
      'kafka.sasl: found a text; a section',
    ],
    [
      'in a section where a list is expected',
      withKafka('').replace("['127.0.0.1:9092']", `{a: ${SECRET}}`),
      'found a section; a',
    ],
    [
      'that a missing space makes part of a key',
      withSource(`provider: seven, callback: {token:${SECRET}}`),
      'callback.token…: unknown key; the',
    ],
    [
      'that is the value of an unknown key',
      withSource(`provider: seven, callback: {tokn: ${SECRET}}`),
      'callback.tokn: unknown key; the',
    ],
    [
      'in the default of a variable',
      withKafka(`compression: "\${Y:-${SECRET}}"`),
      'kafka.compression: found "…" from ${Y}; one of none',
    ],
    ['in an invalid substitution', withKafka(`compression: "\${Y?${SECRET}}"`), 'kafka.compression: "${…}" contains'],
    ['in YAML without a closing quote', `password: "${SECRET}\n  x`, 'closing quote'],
    ['in YAML with an invalid escape', `password: "\\${SECRET}"`, 'a backslash'],
    ['in YAML with an invalid block scalar', `password: |${SECRET}\n  x`, 'YAML does not allow this here'],
    ['in the name of a YAML alias', `password: *${SECRET}`, 'an alias'],
    ['that is the whole document', SECRET, 'contains no "key: value" lines'],
  ])('with a secret %s', (_, yaml, shown) => {
    const problems = problemsOf(yaml, { X: SECRET }).join('\n')
    expect(problems).toContain(shown)
    expect(problems).not.toContain(SECRET)
  })
})

it('A problem of a configuration takes one line, whatever the file contains', () => {
  const problems = problemsOf('"a\\nb": 1\nlog: {level: "x\\ny"}\nadmin: {"p\\u2028q": 1, host: "${file:a\\nb}"}\n')
  expect(problems.filter((each) => /[\n\u2028]/.test(each))).toEqual([])
  expect(problems).toHaveLength(7)
})

const full = `
instance: i
kafka:
  brokers: a:1
  tls: {ca: '${fixture('certificate.pem')}', cert: '${fixture('certificate.pem')}', key: '${fixture('private-key.pem')}'}
  sasl: {mechanism: oauthbearer, tokenEndpoint: 'https://a', clientId: i, clientSecret: ${SECRET}}
registry: {url: 'http://r', auth: {username: u, password: ${SECRET}}}
callbacks: {tls: {cert: '${fixture('certificate.pem')}', key: '${fixture('private-key.pem')}'}}
admin: {token: ${SECRET}}
sources:
  token:
    provider: mtarget
    pull: {username: u, password: ${SECRET}}
    callback: {token: ${SECRET}, basic: {username: u, password: ${SECRET}}}
  seven:
    provider: seven
    callback: {signingKey: ${SECRET}, publicUrl: 'https://p'}
    reconcile: {apiKey: ${SECRET}}
`

describe('redact', () => {
  it('removes every secret', () => {
    const shown = inspect(redact(load(full)), { depth: null })
    expect(shown).not.toContain(SECRET)
    expect(shown).not.toContain('BEGIN')
    const key = readFileSync(fixture('private-key.pem'), 'utf8').split('\n')[1]
    expect(shown).not.toContain(key)
  })

  it('keeps everything else, in the same structure and as JSON', () => {
    const config = load(full)
    const shown = redact(config)
    expect(JSON.parse(JSON.stringify(shown))).toEqual(shown)
    expect(Object.keys(shown).sort()).toEqual(Object.keys(config).sort())
    expect(shown).toMatchObject({
      kafka: { brokers: ['a:1'], sasl: { clientId: 'i', clientSecret: '…' }, tls: { key: '…' } },
      registry: { auth: { username: '…', password: '…' } },
      sources: {
        token: { provider: 'mtarget', pull: { username: '…', password: '…', limit: { min: 10 } } },
        seven: { callback: { signingKey: ['…'], publicUrl: 'https://p' }, reconcile: { apiKey: '…', after: 900_000 } },
      },
    })
  })
})

it('configurationWarnings shows no secret', () => {
  expect(configurationWarnings(load(full)).join()).not.toContain(SECRET)
})
