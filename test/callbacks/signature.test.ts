import { createHash, createHmac } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SignatureVerifier } from '../../src/callbacks/signature.js'
import type { SignedRequest } from '../../src/callbacks/signed-request.js'
import { PROVIDERS } from '../../src/config/provider-traits.js'

const NOW = Date.UTC(2026, 0, 15, 12)
const HOUR_MS = 3_600_000
const verifier = new SignatureVerifier('seven-main', {
  signingKey: ['key'],
  publicUrl: 'https://sms.example.com/in',
  signatureMaxAge: 96 * HOUR_MS,
  open: false,
  signature: PROVIDERS.seven.signature,
})

/** Signs a request by the documented formula, written in another way than the implementation. */
const signed = (
  request: { method: string; target: string; body: Uint8Array; nonce?: string; at?: number },
  key = 'key',
): SignedRequest => {
  const { method, target, body, nonce = 'n'.repeat(32), at = NOW } = request
  const timestamp = String(Math.floor(at / 1_000))
  const text = [
    timestamp,
    nonce,
    method,
    `https://sms.example.com/in${target}`,
    createHash('md5').update(body).digest('hex'),
  ].join('\n')
  const signature = createHmac('sha256', key).update(text).digest('hex')
  return withHeaders({ method, target, body, headers: {} }, { timestamp, nonce, signature })
}

type SignatureHeaders = Partial<Record<'signature' | 'timestamp' | 'nonce', string | undefined>>

/** Returns the request with some of seven's headers replaced. */
const withHeaders = (given: SignedRequest, headers: SignatureHeaders): SignedRequest => {
  const named = Object.entries(headers).map(([name, value]) => [`x-${name}`, value])
  return { ...given, headers: { ...given.headers, ...(Object.fromEntries(named) as SignedRequest['headers']) } }
}
const headerOf = ({ headers }: SignedRequest, name: keyof SignatureHeaders): string => String(headers[`x-${name}`])

const request = fc.record({
  method: fc.constantFrom('GET', 'POST'),
  target: fc
    .webUrl({ withQueryParameters: true })
    .map((url) => `/callbacks/seven-main${url.slice(url.indexOf('/', 8))}`),
  body: fc.uint8Array(),
  nonce: fc.stringMatching(/^[\x21-\x7e]{1,64}$/),
})

describe('SignatureVerifier with two keys', () => {
  const rotating = new SignatureVerifier('seven-main', {
    signingKey: ['new key', 'old key'],
    publicUrl: 'https://sms.example.com/in',
    signatureMaxAge: 96 * HOUR_MS,
    open: false,
    signature: PROVIDERS.seven.signature,
  })

  it('accepts a signature by either key, and by no other', () => {
    fc.assert(
      fc.property(request, (given) => {
        expect(rotating.verify(signed(given, 'new key'), NOW).isValid).toBe(true)
        expect(rotating.verify(signed(given, 'old key'), NOW).isValid).toBe(true)
        expect(rotating.verify(signed(given, 'older key'), NOW)).toEqual({ isValid: false, reason: 'signature-wrong' })
      }),
    )
  })

  it('gives a request the same nonce whichever key signed it, so that it is accepted once', () => {
    const given = { method: 'GET', target: '/callbacks/seven-main?a=1', body: Buffer.of() }
    expect(rotating.verify(signed(given, 'new key'), NOW)).toEqual(rotating.verify(signed(given, 'old key'), NOW))
  })
})

describe('SignatureVerifier', () => {
  it('accepts a signature that openssl computed by the documented formula', () => {
    // printf '1768478400\nabc\nPOST\nhttps://sms.example.com/in/callbacks/s\n'"$(printf hello | md5sum | cut -c1-32)" |
    //   openssl dgst -sha256 -hmac key
    const verdict = verifier.verify(
      withHeaders(
        { method: 'POST', target: '/callbacks/s', body: Buffer.from('hello'), headers: {} },
        { timestamp: '1768478400', nonce: 'abc', signature: OPENSSL },
      ),
      NOW,
    )
    expect(verdict).toEqual({
      isValid: true,
      nonce: { key: 'seven-main\nabc', expiresAt: 1_768_478_400_000 + 96 * HOUR_MS + 300_000 },
    })
  })

  it('accepts any request that is signed by the documented formula', () => {
    fc.assert(fc.property(request, (each) => verifier.verify(signed(each), NOW).isValid))
  })

  it('rejects a signature if anything that it covers was changed', () => {
    fc.assert(
      fc.property(request, fc.nat(4), (each, which) => {
        const good = signed(each)
        const changed: SignedRequest[] = [
          { ...good, method: good.method === 'GET' ? 'POST' : 'GET' },
          { ...good, target: `${good.target}x` },
          { ...good, body: Buffer.concat([good.body, Buffer.from('x')]) },
          withHeaders(good, { timestamp: String(Number(headerOf(good, 'timestamp')) + 1) }),
          withHeaders(good, { nonce: `${headerOf(good, 'nonce')}x` }),
        ]
        const verdict = verifier.verify(changed[which] ?? good, NOW)
        expect(verdict).toEqual({ isValid: false, reason: 'signature-wrong' })
      }),
    )
  })

  it('rejects a signature with one changed digit, and one made with another key', () => {
    fc.assert(
      fc.property(request, fc.nat(63), (each, place) => {
        const good = signed(each)
        const hex = headerOf(good, 'signature')
        const digit = hex[place] === '0' ? '1' : '0'
        const flipped = withHeaders(good, { signature: hex.slice(0, place) + digit + hex.slice(place + 1) })
        expect(verifier.verify(flipped, NOW).isValid).toBe(false)
        expect(verifier.verify(signed(each, 'Key'), NOW).isValid).toBe(false)
      }),
    )
  })

  it('never throws and rejects any headers of a caller without the key', () => {
    const text = fc.option(fc.string(), { nil: undefined })
    fc.assert(
      fc.property(text, text, text, (signature, timestamp, nonce) => {
        const verdict = verifier.verify(
          withHeaders(
            { method: 'GET', target: '/', body: new Uint8Array(), headers: {} },
            { signature, timestamp, nonce },
          ),
          NOW,
        )
        expect(verdict.isValid).toBe(false)
      }),
    )
  })

  it('accepts a signature in capital letters', () => {
    const good = signed({ method: 'GET', target: '/a?b', body: new Uint8Array() })
    expect(
      verifier.verify(withHeaders(good, { signature: headerOf(good, 'signature').toUpperCase() }), NOW).isValid,
    ).toBe(true)
  })

  it.each([
    [-96 * HOUR_MS, null],
    [-96 * HOUR_MS - 1_000, 'signature-too-old'],
    [300_000, null],
    [301_000, 'signature-from-the-future'],
  ])('given a signature made %i ms from now, returns the rejection %s', (offset, reason) => {
    const verdict = verifier.verify(
      signed({ method: 'GET', target: '/', body: new Uint8Array(), at: NOW + offset }),
      NOW,
    )
    expect(verdict.isValid ? null : verdict.reason).toBe(reason)
  })

  it('makes a nonce expire only when its timestamp is no longer accepted', () => {
    fc.assert(
      fc.property(fc.integer({ min: -96 * HOUR_MS, max: 300_000 }), fc.nat(200 * HOUR_MS), (offset, later) => {
        const one = signed({ method: 'GET', target: '/', body: new Uint8Array(), at: NOW + offset })
        const verdict = verifier.verify(one, NOW)
        if (!verdict.isValid) return
        const again = verifier.verify(one, NOW + later)
        if (again.isValid) expect(verdict.nonce?.expiresAt).toBeGreaterThan(NOW + later)
      }),
    )
  })

  it('remembers the nonce of a token that does not say when it was made until the token expires', () => {
    const hex = (text: string): string => createHash('sha256').update(text).digest('hex')
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
    const expiresAt = NOW + 10 * HOUR_MS
    const claims = { exp: expiresAt / 1_000, jti: 'id-1', url: hex('https://sms.example.com/a'), body: hex('') }
    const unsigned = `${part({ alg: 'HS256' })}.${part(claims)}`
    const token = `${unsigned}.${createHmac('sha256', 'key').update(unsigned).digest('base64url')}`
    const ofTokens = new SignatureVerifier('tokens', {
      signingKey: ['key'],
      publicUrl: 'https://sms.example.com',
      signatureMaxAge: HOUR_MS,
      open: false,
      signature: { jwt: { token: { header: 'x-token' }, urlHash: 'url', payloadHash: 'body' } },
    })
    const sent = { method: 'GET', target: '/a', headers: { 'x-token': token }, body: new Uint8Array() }
    const verdict = ofTokens.verify(sent, NOW)
    expect(verdict).toMatchObject({ isValid: true, nonce: { key: 'tokens\nid-1' } })
    expect(verdict.isValid ? verdict.nonce?.expiresAt : 0).toBeGreaterThan(expiresAt)
  })

  it.each(['signature', 'timestamp', 'nonce'] as const)('rejects a request without %s as unsigned', (header) => {
    const good = signed({ method: 'GET', target: '/', body: new Uint8Array() })
    for (const value of [undefined, '']) {
      expect(verifier.verify(withHeaders(good, { [header]: value }), NOW)).toEqual({
        isValid: false,
        reason: 'signature-missing',
      })
    }
  })
})

const OPENSSL = '1820dc5f432990fce5c79117e4b2df282a15e0f4cd216efde5aa368928c43be3'
