/** No secret in what is said about a configuration, whether it is right or wrong. */
import { inspect } from 'node:util'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { configurationWarnings } from '../../src/config/advice.js'
import { redacted } from '../../src/config/redact.js'
import { fixture, load, problemsOf, withKafka, withSource } from '../config/support.js'

const SECRET = 'hunter2'

describe('a problem shows no secret', () => {
  it.each([
    ['put in by a variable', withKafka('compression: "${X}"'), 'kafka.compression: found "…" from ${X}; one of none'],
    ['put in as one of several', withKafka('delivery: "a${X}b"'), 'kafka.delivery: found "…" from ${X}; one of'],
    ['put in into a list', withKafka('').replace("['127.0.0.1:9092']", '"${X}"'), 'found "…" from ${X}; host:port'],
    [
      'as a token',
      withSource(`provider: seven, callback: {token: "${SECRET}/"}`),
      'callback.token: found "…"; a token',
    ],
    ['in an address', withKafka('').replace('http://', `http://u:${SECRET}@`), 'registry.url: found "…"; the http://'],
    ['in a section that is a text', withKafka(`sasl: plain ${SECRET}`), 'kafka.sasl: found a text; a section'],
    [
      'in a list that is a section',
      withKafka('').replace("['127.0.0.1:9092']", `{a: ${SECRET}}`),
      'found a section; a',
    ],
    [
      'as an unknown key',
      withSource(`provider: seven, callback: {token:${SECRET}}`),
      'callback.token…: unknown key; the',
    ],
    [
      'of an unknown key',
      withSource(`provider: seven, callback: {tokn: ${SECRET}}`),
      'callback.tokn: unknown key; the',
    ],
    [
      'in a default',
      withKafka(`compression: "\${Y:-${SECRET}}"`),
      'kafka.compression: found "…" from ${Y}; one of none',
    ],
    ['in a substitution that is none', withKafka(`compression: "\${Y?${SECRET}}"`), 'kafka.compression: "${…}" holds'],
    ['in broken YAML', `password: "${SECRET}\n  x`, 'closing quote'],
    ['in YAML with a wrong escape', `password: "\\${SECRET}"`, 'a backslash'],
    ['in YAML with a wrong block', `password: |${SECRET}\n  x`, 'YAML does not allow this here'],
    ['as an alias', `password: *${SECRET}`, 'an alias'],
    ['as a document', SECRET, 'holds no "key: value" lines'],
  ])('%s', (_, yaml, said) => {
    const problems = problemsOf(yaml, { X: SECRET }).join('\n')
    expect(problems).toContain(said)
    expect(problems).not.toContain(SECRET)
  })

  it('and takes one line, whatever stands in the file', () => {
    const problems = problemsOf('"a\\nb": 1\nlog: {level: "x\\ny"}\nadmin: {"p\\u2028q": 1, host: "${file:a\\nb}"}\n')
    expect(problems.filter((each) => /[\n\u2028]/.test(each))).toEqual([])
    expect(problems).toHaveLength(7)
  })
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

describe('a redacted configuration', () => {
  it('holds no secret', () => {
    const shown = inspect(redacted(load(full)), { depth: null })
    expect(shown).not.toContain(SECRET)
    expect(shown).not.toContain('BEGIN')
    const key = readFileSync(fixture('private-key.pem'), 'utf8').split('\n')[1]
    expect(shown).not.toContain(key)
  })

  it('holds all else, in the same structure and as JSON', () => {
    const config = load(full)
    const shown = redacted(config)
    expect(JSON.parse(JSON.stringify(shown))).toEqual(shown)
    expect(Object.keys(shown).sort()).toEqual(Object.keys(config).sort())
    expect(shown).toMatchObject({
      kafka: { brokers: ['a:1'], sasl: { clientId: 'i', clientSecret: '…' }, tls: { key: '…' } },
      registry: { auth: { username: '…', password: '…' } },
      sources: {
        token: { provider: 'mtarget', pull: { username: '…', password: '…', limit: { min: 10 } } },
        seven: { callback: { signingKey: '…', publicUrl: 'https://p' }, reconcile: { apiKey: '…', after: 900_000 } },
      },
    })
  })
})

it('advice holds no secret', () => {
  expect(configurationWarnings(load(full)).join()).not.toContain(SECRET)
})
