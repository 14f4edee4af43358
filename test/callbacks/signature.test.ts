import { createHash, createHmac } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SignatureCheck, type SignedRequest } from '../../src/callbacks/signature.js'

const NOW = Date.UTC(2026, 0, 15, 12)
const HOUR = 3_600_000
const check = new SignatureCheck('seven-main', {
  key: 'key',
  publicUrl: 'https://sms.example.com/in/',
  maxAge: 96 * HOUR,
})

/** The document's formula once more, written another way. */
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
  return { method, target, body, timestamp, nonce, signature: createHmac('sha256', key).update(text).digest('hex') }
}

const request = fc.record({
  method: fc.constantFrom('GET', 'POST'),
  target: fc
    .webUrl({ withQueryParameters: true })
    .map((url) => `/callbacks/seven-main${url.slice(url.indexOf('/', 8))}`),
  body: fc.uint8Array(),
  nonce: fc.stringMatching(/^[\x21-\x7e]{1,64}$/),
})

describe('a signature', () => {
  it('agrees with a value computed by openssl from the document', () => {
    // printf '1768478400\nabc\nPOST\nhttps://sms.example.com/in/callbacks/s\n'"$(printf hello | md5sum | cut -c1-32)" |
    //   openssl dgst -sha256 -hmac key
    const verdict = check.verify(
      {
        method: 'POST',
        target: '/callbacks/s',
        body: Buffer.from('hello'),
        timestamp: '1768478400',
        nonce: 'abc',
        signature: OPENSSL,
      },
      NOW,
    )
    expect(verdict).toEqual({
      holds: true,
      nonce: { key: 'seven-main\nabc', expiresAt: 1_768_478_400_000 + 96 * HOUR + 300_000 },
    })
  })

  it('holds for any request that is signed as the document says', () => {
    fc.assert(fc.property(request, (each) => check.verify(signed(each), NOW).holds))
  })

  it('does not hold when anything that it covers is another', () => {
    fc.assert(
      fc.property(request, fc.nat(4), (each, which) => {
        const good = signed(each)
        const changed: SignedRequest[] = [
          { ...good, method: good.method === 'GET' ? 'POST' : 'GET' },
          { ...good, target: `${good.target}x` },
          { ...good, body: Buffer.concat([good.body, Buffer.from('x')]) },
          { ...good, timestamp: String(Number(good.timestamp) + 1) },
          { ...good, nonce: `${good.nonce ?? ''}x` },
        ]
        const verdict = check.verify(changed[which] ?? good, NOW)
        expect(verdict).toEqual({ holds: false, flaw: 'signature-wrong' })
      }),
    )
  })

  it('does not hold when one digit of it is another, or the key', () => {
    fc.assert(
      fc.property(request, fc.nat(63), (each, place) => {
        const good = signed(each)
        const hex = good.signature ?? ''
        const digit = hex[place] === '0' ? '1' : '0'
        const flipped = { ...good, signature: hex.slice(0, place) + digit + hex.slice(place + 1) }
        expect(check.verify(flipped, NOW).holds).toBe(false)
        expect(check.verify(signed(each, 'Key'), NOW).holds).toBe(false)
      }),
    )
  })

  it('never throws, and holds for nobody who does not know the key, whatever the headers are', () => {
    const text = fc.option(fc.string(), { nil: undefined })
    fc.assert(
      fc.property(text, text, text, (signature, timestamp, nonce) => {
        const verdict = check.verify(
          { method: 'GET', target: '/', body: new Uint8Array(), signature, timestamp, nonce },
          NOW,
        )
        expect(verdict.holds).toBe(false)
      }),
    )
  })

  it('in capitals is the same', () => {
    const good = signed({ method: 'GET', target: '/a?b', body: new Uint8Array() })
    expect(check.verify({ ...good, signature: good.signature?.toUpperCase() }, NOW).holds).toBe(true)
  })

  it.each([
    [-96 * HOUR, null],
    [-96 * HOUR - 1_000, 'signature-too-old'],
    [300_000, null],
    [301_000, 'signature-from-the-future'],
  ])('made %i ms from now: %s', (offset, flaw) => {
    const verdict = check.verify(signed({ method: 'GET', target: '/', body: new Uint8Array(), at: NOW + offset }), NOW)
    expect(verdict.holds ? null : verdict.flaw).toBe(flaw)
  })

  it('keeps its nonce for as long as its timestamp would be accepted', () => {
    fc.assert(
      fc.property(fc.integer({ min: -96 * HOUR, max: 300_000 }), fc.nat(200 * HOUR), (offset, later) => {
        const one = signed({ method: 'GET', target: '/', body: new Uint8Array(), at: NOW + offset })
        const verdict = check.verify(one, NOW)
        if (!verdict.holds) return
        const again = check.verify(one, NOW + later)
        if (again.holds) expect(verdict.nonce.expiresAt).toBeGreaterThan(NOW + later)
      }),
    )
  })

  it.each(['signature', 'timestamp', 'nonce'] as const)('without %s is missing', (header) => {
    const good = signed({ method: 'GET', target: '/', body: new Uint8Array() })
    for (const value of [undefined, '']) {
      expect(check.verify({ ...good, [header]: value }, NOW)).toEqual({ holds: false, flaw: 'signature-missing' })
    }
  })
})

const OPENSSL = '1820dc5f432990fce5c79117e4b2df282a15e0f4cd216efde5aa368928c43be3'
