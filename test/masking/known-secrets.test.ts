import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  excerpt,
  hideSecrets,
  hideSecretsInBytes,
  hideSecretsInOutput,
  quote,
  rememberSecrets,
  rememberSecretsOf,
  rememberToken,
  secretValuesOf,
} from '../../src/masking/known-secrets.js'
import { unescapedTexts } from '../../src/masking/escapes.js'
import { SecretMask } from '../../src/masking/secret-mask.js'

const config = {
  kafka: { sasl: { username: 'user-name', password: 'pa ss/word' } },
  sources: new Map([
    ['token', { callback: { token: 's3cret-token' }, pull: { username: 'account', password: 'abc' } }],
  ]),
}

describe('secretValuesOf', () => {
  it('finds the values of secret keys, also with the user name before them as in Basic', () => {
    expect(secretValuesOf(config)).toEqual(
      expect.arrayContaining(['pa ss/word', 'user-name:pa ss/word', 'user-name:pa%20ss%2Fword', 's3cret-token']),
    )
  })

  it('finds a password in an address, and the token behind the scheme of a header field', () => {
    const values = secretValuesOf({
      proxy: { url: 'http://user:p%40ssw0rd@proxy:3128' },
      telemetry: { otlp: { headers: { authorization: 'Bearer abc.def.ghi' } } },
    })
    expect(values).toEqual(expect.arrayContaining(['p@ssw0rd', 'Bearer abc.def.ghi', 'abc.def.ghi']))
  })

  it('finds each line of a private key', () => {
    const line = 'MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj'
    const key = `-----BEGIN PRIVATE KEY-----\n${line}\nabc=\n-----END PRIVATE KEY-----\n`
    expect(secretValuesOf({ kafka: { tls: { key } } })).toEqual([line])
  })
})

describe('A mask of secrets', () => {
  const mask = new SecretMask(secretValuesOf(config))

  it('hides secrets as they stand in addresses and forms', () => {
    const text = 'pa ss/word, pa%20ss%2Fword, pa+ss%2fword and s3cret-token of user-name'
    expect(mask.hide(text)).toBe('…, …, … and … of user-name')
  })

  it('hides the value of Basic as a whole, user name included', () => {
    const basic = Buffer.from('user-name:pa ss/word').toString('base64')
    expect(mask.hide(`authorization: Basic ${basic}`)).toBe('authorization: Basic …')
  })

  it('leaves a text as it is that holds no secret, and ignores secrets of a few characters', () => {
    expect(mask.hide('abcdef 100% &amp; \\n')).toBe('abcdef 100% &amp; \\n')
  })

  it('hides a secret that contains another one as a whole', () => {
    expect(new SecretMask(['abcd', 'abcd-efgh']).hide('abcd-efgh')).toBe('…')
  })

  it('hides a short secret only where it is a word of its own, and not in an output as a whole', () => {
    const short = new SecretMask(['1234', 'seven', 'connector'])
    expect(short.hide('token 1234 of +33612341234')).toBe('token … of +33612341234')
    expect(short.hideDistinctive('{"provider":"seven","text":"the connector"}')).toBe(
      '{"provider":"seven","text":"the connector"}',
    )
  })

  const encoders: Readonly<Record<string, (text: string) => string>> = {
    percent: encodeURIComponent,
    everyBytePercent: (text) => Buffer.from(text).toString('hex').replace(/../g, '%$&'),
    form: (text) => new URLSearchParams({ x: text }).toString().slice(2),
    json: (text) => JSON.stringify(text).slice(1, -1),
    phpJson: (text) =>
      JSON.stringify(text)
        .slice(1, -1)
        .replaceAll('/', '\\/')
        // eslint-disable-next-line no-control-regex
        .replace(/[^\x00-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`),
    html: (text) =>
      text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;').replaceAll("'", '&#39;'),
    base64: (text) => Buffer.from(text).toString('base64'),
    base64url: (text) => Buffer.from(text).toString('base64url'),
    basic: (text) => Buffer.from(`someone:${text}`).toString('base64'),
    hex: (text) => Buffer.from(text).toString('hex'),
    lowerCase: (text) => text.replace(/[A-Z]/g, (letter) => letter.toLowerCase()),
    upperCase: (text) => text.replace(/[a-z]/g, (letter) => letter.toUpperCase()),
  }

  const secrets = fc
    .string({ minLength: 12, maxLength: 60, unit: fc.constantFrom(...'abcXYZ0189 /+&<"\'\\%=:{}é€😀') })
    .filter((secret) => secret.trim() === secret && new Set(secret).size > 6)
  const chains = fc.tuple(
    fc.constantFrom(...Object.keys(encoders)),
    fc.array(fc.constantFrom('percent', 'form', 'json', 'phpJson', 'html'), { maxLength: 2 }),
  )

  it('hides a secret in every form, also in an escaped text within an escaped text', () => {
    fc.assert(
      fc.property(secrets, chains, (secret, [first, more]) => {
        const encoded = [first, ...more].reduce((text, name) => encoders[name]!(text), secret)
        const shown = new SecretMask([secret]).hideDistinctive(`before <${encoded}> after`)
        expect(shown).not.toContain(encoded)
        expect(shown).toMatch(/^before <.*…*> after$/)
      }),
      { numRuns: 2_000 },
    )
  })

  it('changes no text that holds no secret', () => {
    const other = new SecretMask([randomBytes(24).toString('base64')])
    fc.assert(
      fc.property(fc.string({ maxLength: 200, unit: fc.constantFrom(...'ab%20&amp;\\u0041"+/ é😀') }), (text) => {
        expect(other.hide(text)).toBe(text)
      }),
    )
  })

  it('reads an output once, and again only for each combination of the escapings that are in it', () => {
    const readings = (text: string): number => unescapedTexts(text, true).length
    expect(readings('<td>seven-main</td> '.repeat(20_000))).toBe(1)
    expect(readings('100 %, a & b, \\\\server '.repeat(20_000))).toBe(2)
    expect(readings('x\\"%20&amp;'.repeat(20_000))).toBe(8)
    expect(readings(`%${'25'.repeat(20_000)}`)).toBeLessThanOrEqual(4)
  })
})

describe('The secrets of the process', () => {
  const secret = randomBytes(18).toString('base64url')
  const token = randomBytes(40).toString('base64url')
  rememberSecretsOf({ registry: { auth: { username: 'registry-user', password: secret } } })
  rememberToken(token)

  it('are hidden in texts, in outputs and in bytes', () => {
    expect(hideSecrets(`wrong ${secret} and ${token}`)).toBe('wrong … and …')
    expect(hideSecretsInOutput(JSON.stringify({ error: secret }))).toBe('{"error":"…"}')
    const bytes = Buffer.concat([Buffer.from([0xff]), Buffer.from(`é ${secret}`)])
    const expected = Buffer.concat([Buffer.from([0xff]), Buffer.from('é …')])
    expect(Buffer.from(hideSecretsInBytes(bytes))).toEqual(expected)
  })

  it('keep only the last tokens, because each is replaced by the next', () => {
    for (let count = 0; count < 40; count++) rememberToken(`${count}-${randomBytes(20).toString('hex')}`)
    expect(hideSecrets(token)).toBe(token)
    rememberToken(token)
    expect(hideSecrets(token)).toBe('…')
  })

  it('are hidden in a quotation, with user names, on one line and cut', () => {
    expect(quote(`no ${secret}\nfor registry-user`)).toBe('no …\\u000afor …')
    const long = quote(`${'x'.repeat(290)}${secret}${'y'.repeat(5_000_000)}`)
    expect(long).toMatch(/^x{290}…y{9}… \(cut, \d+ characters\)$/)
    expect(excerpt('registry-user is wrong', 100)).toBe('registry-user is wrong')
  })

  it('are never shown in part where a quotation is cut, wherever they stand in the text', () => {
    rememberSecrets([secret])
    fc.assert(
      fc.property(fc.nat(12_000), fc.nat(600), fc.boolean(), (before, max, isRepeated) => {
        const text = isRepeated ? secret.repeat(before / 20) : `${'. '.repeat(before / 2)}${secret}${'.'.repeat(9_000)}`
        expect(quote(text, max + 1)).not.toContain(secret.slice(0, 8))
      }),
    )
  })
})
