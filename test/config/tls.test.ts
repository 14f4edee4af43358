import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { describe, expect, it } from 'vitest'
import { REQUIRED, fixture, load, problemsOf, withKafka } from './support.js'

const CERTIFICATE = fixture('certificate.pem')
const KEY = fixture('private-key.pem')
const pem = (path: string): string => readFileSync(path, 'utf8')

const kafka = (tls: string): string => withKafka(`tls: ${tls}`)

describe('kafka.tls', () => {
  it.each(['true', '"true"', '{}'])('enables TLS with the value %s', (tls) => {
    expect(load(kafka(tls)).kafka.tls).toEqual({})
  })

  it('takes the paths of files and returns their text', () => {
    expect(
      load(kafka(`{ca: '${CERTIFICATE}', cert: '${CERTIFICATE}', key: '${KEY}', serverName: k}`)).kafka.tls,
    ).toEqual({
      ca: pem(CERTIFICATE),
      cert: pem(CERTIFICATE),
      key: pem(KEY),
      serverName: 'k',
    })
  })

  it('takes PEM text from a substitution and returns material that a secure context accepts', () => {
    const tls = load(kafka(`{ca: "\${CA}", cert: "\${CA}", key: "\${file:${KEY}}"}`), { CA: pem(CERTIFICATE) }).kafka
      .tls
    expect(tls?.ca).toBe(pem(CERTIFICATE))
    expect(() => createSecureContext({ ...tls })).not.toThrow()
  })

  it.each([
    [
      `{ca: ./absent.pem}`,
      'kafka.tls.ca: found "./absent.pem" (a file that does not exist); certificates as PEM text, or',
    ],
    [`{ca: /dev/zero}`, '(a file that is not a regular file); certificates as PEM text, or'],
    [`{ca: '${fixture('')}'}`, '(a file that is a directory); certificates as PEM text, or'],
    [
      `{ca: ./package.json}`,
      'kafka.tls.ca: found "./package.json" (a file without PEM text); certificates as PEM text',
    ],
    [`{ca: '${KEY}'}`, 'kafka.tls.ca: contains something other than readable PEM certificates'],
    [
      `{ca: "-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END CERTIFICATE-----"}`,
      'kafka.tls.ca: contains something other than',
    ],
    [`{cert: '${CERTIFICATE}'}`, 'kafka.tls: cert and key must both be given, or neither'],
    [`{cert: '${CERTIFICATE}', key: '${fixture('another-private-key.pem')}'}`, "kafka.tls: cert and key can't be used"],
    [
      `{cert: '${CERTIFICATE}', key: '${fixture('private-key-with-passphrase.pem')}'}`,
      "kafka.tls: cert and key can't be",
    ],
    [`{cert: '${KEY}', key: '${CERTIFICATE}'}`, "kafka.tls: cert and key can't be used together"],
    ['false', 'kafka.tls: found a text; a section with keys of its own (ca, cert, key, serverName) is expected'],
    ['{rejectUnauthorized: false}', 'kafka.tls.rejectUnauthorized: unknown key'],
  ])('with the value %s is refused', (tls, problem) => {
    const problems = problemsOf(kafka(tls))
    expect(problems).toHaveLength(1)
    expect(problems[0]).toContain(problem)
  })

  it('does not show a key that is no readable file, because it may be the private key itself', () => {
    const problems = problemsOf(kafka(`{cert: '${CERTIFICATE}', key: MIGHAgEAMBMG}`))
    expect(problems.join()).toContain(
      'kafka.tls.key: found "…" (a file that does not exist); a private key as PEM text',
    )
    expect(problems.join()).not.toContain('MIGH')
  })
})

describe('callbacks.tls', () => {
  it('requires certificate and key, and optionally requests client certificates', () => {
    const keys = `cert: '${CERTIFICATE}', key: '${KEY}'`
    expect(load(`${REQUIRED}callbacks: {tls: {${keys}, clientCa: '${CERTIFICATE}'}}`).callbacks.tls).toEqual({
      cert: pem(CERTIFICATE),
      key: pem(KEY),
      clientCa: pem(CERTIFICATE),
    })
    expect(problemsOf(`${REQUIRED}callbacks: {tls: {}}`)).toHaveLength(2)
    expect(problemsOf(`${REQUIRED}callbacks: {tls: true}`)).toHaveLength(1)
  })
})
