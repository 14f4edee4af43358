import { describe, expect, it } from 'vitest'
import { hideSecretValues, secretValuesOf } from '../../src/masking/secret-values.js'

const config = {
  kafka: { sasl: { username: 'user-name', password: 'pa ss/word' } },
  sources: new Map([
    ['token', { callback: { token: 's3cret-token' }, pull: { username: 'account', password: 'abc' } }],
  ]),
}

describe('hideSecretValues', () => {
  it('hides the secrets of a configuration, also as they stand in addresses and forms', () => {
    const secrets = secretValuesOf(config)
    const text = 'pa ss/word, pa%20ss%2Fword, pa+ss%2Fword and s3cret-token of user-name'
    expect(hideSecretValues(text, secrets)).toBe('…, …, … and … of user-name')
  })

  it('leaves a text as it is that holds no secret, and ignores secrets of a few characters', () => {
    expect(hideSecretValues('abcdef', secretValuesOf(config))).toBe('abcdef')
  })

  it('hides a secret that contains another one as a whole', () => {
    expect(hideSecretValues('abcd-efgh', secretValuesOf({ token: 'abcd', password: 'abcd-efgh' }))).toBe('…')
  })
})
