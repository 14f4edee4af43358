import { expect, it } from 'vitest'
import { configurationWarnings } from '../../src/config/warnings.js'
import { REQUIRED, load, withKafka, withSource } from './support.js'

const GUARDED = 'provider: seven, callback: {token: a-token-of-some-length}'
const PULL = 'provider: mtarget, pull: {username: u, password: p}'

it.each([
  [
    'an admin port of all addresses with a token',
    `${withSource(GUARDED)}admin: {host: "::", token: a-token-of-some-length}`,
  ],
  ['an admin port of a loopback address without a token', `${withSource(GUARDED)}admin: {host: "::1"}`],
  ['the defaults', withSource(`${GUARDED}, reconcile: {apiKey: k}`)],
  [
    'a SASL password over TLS',
    withKafka('tls: true\nsasl: {mechanism: plain, username: u, password: p}').replace(
      'open: true',
      'token: a-token-of-some-length',
    ),
  ],
  [
    'two sources with different accounts',
    withSource(`${PULL}}\n  two: {provider: mtarget, pull: {username: v, password: p}`),
  ],
])('configurationWarnings returns nothing for %s', (_, yaml) => {
  expect(configurationWarnings(load(yaml))).toEqual([])
})

it.each([
  ['sources.one.callback.open: anyone', REQUIRED],
  [
    'kafka.sasl.tokenEndpoint: http:// sends the client secret unencrypted',
    withKafka(
      "sasl: {mechanism: oauthbearer, tokenEndpoint: 'http://idp/token', clientId: c, clientSecret: s}",
    ).replace('open: true', 'token: a-token-of-some-length'),
  ],
  [
    'registry.url: http:// sends registry.auth unencrypted',
    withSource(GUARDED).replace(/url: [^ }]+/, "url: 'http://registry:8081', auth: {token: t}"),
  ],
  ['sources.one.pull.url: http:// sends the password', withSource(PULL.replace('{u', "{url: 'http://10.0.0.1/q', u"))],
  [
    'sources.one.reconcile.url: http:// sends the API key',
    withSource(`${GUARDED}, reconcile: {url: 'http://gateway/api', apiKey: k}`),
  ],
  [
    'sources.one.pull.maxAnswer: 64MiB do not fit into journal.maxBytes (1MiB)',
    `${withSource(PULL)}journal: {maxBytes: 1MiB}`,
  ],
  ['records.mo.text: is masked, and raw still holds the text', `${withSource(GUARDED)}records: {mo: {text: masked}}`],
  ['sources.one.callback.token: has fewer than 12 characters', withSource('provider: seven, callback: {token: t}')],
  [
    'sources.one.callback.token: has fewer than 12 characters',
    withSource('provider: seven, callback: {token: [a-token-of-some-length, elevenchars]}'),
  ],
  [
    'sources.one.callback.basic.password: has fewer than 12 characters',
    withSource('provider: seven, callback: {basic: {username: u, password: p}}'),
  ],
  [
    'sources.one.callback.signingKey: has fewer than 12 characters',
    withSource('provider: seven, callback: {signingKey: k, publicUrl: "https://x"}'),
  ],
  ['admin.token: has fewer than 12 characters', `${withSource(GUARDED)}admin: {token: x}`],
  ['admin.token: is missing, and admin.host is 0.0.0.0', `${withSource(GUARDED)}admin: {host: 0.0.0.0}`],
  ['callbacks.bodyLimit: is more than journal.maxBytes', `${withSource(GUARDED)}journal: {maxBytes: 64KiB}`],
  [
    'sources.one.reconcile.giveUpAfter: 3d is longer',
    `${withSource(`${GUARDED}, reconcile: {apiKey: k, log: {days: 1}}`)}duplicates: {remember: 70h}`,
  ],
  [
    'sources.one.reconcile.log.days: the log is read 8d back, longer than duplicates.remember',
    `${withSource(`${GUARDED}, reconcile: {apiKey: k, log: {days: 7}}`)}duplicates: {remember: 7d}`,
  ],
  ['sources.two.pull: pulls from the same queue as sources.one.pull', `${withSource(PULL)}  two: {${PULL}}\n`],
  [
    'kafka.sasl: mechanism plain without kafka.tls',
    withKafka('sasl: {mechanism: plain, username: u, password: p}').replace(
      'open: true',
      'token: a-token-of-some-length',
    ),
  ],
])('configurationWarnings warns: "%s …"', (sentence, yaml) => {
  const warnings = configurationWarnings(load(yaml))
  expect(warnings).toHaveLength(1)
  expect(warnings[0]).toContain(sentence)
})
