/**
 * Schemes of providers. The vector of Twilio is the one of its own SDK; the other expected values are computed here from the
 * providers' documents, without the code under test.
 */
import { createHash, createHmac, generateKeyPairSync, sign as signWithKey } from 'node:crypto'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { signatureCheck } from '../../src/callbacks/signature-verification.js'
import type { SignedRequest } from '../../src/callbacks/signed-request.js'
import { signatureScheme } from '../../src/config/signature-scheme.js'

const checkOf = (scheme: unknown, signingKey: string | string[], publicUrl = 'https://sms.example.com') =>
  signatureCheck(signatureScheme().parse(scheme), {
    signingKey: typeof signingKey === 'string' ? [signingKey] : signingKey,
    publicUrl,
  })

const FORM = 'application/x-www-form-urlencoded'
const request = ({
  body = '',
  ...more
}: Partial<Omit<SignedRequest, 'body'>> & { body?: string } = {}): SignedRequest => ({
  method: 'POST',
  target: '/callbacks/a',
  headers: {},
  ...more,
  body: Buffer.from(body),
})

const TWILIO = {
  hmac: {
    algorithm: 'sha1',
    encoding: 'base64',
    signature: { header: 'X-Twilio-Signature' },
    message: '{url}{form-sorted}',
    bodyHash: { parameter: 'bodySHA256' },
  },
}

describe('The signature of Twilio', () => {
  const params = {
    CallSid: 'CA1234567890ABCDE',
    Caller: '+14158675309',
    Digits: '1234',
    From: '+14158675309',
    To: '+18005551212',
  }
  const twilio = checkOf(TWILIO, '12345', 'https://mycompany.com')
  const signed = (signature: string, form: Record<string, string> = params): SignedRequest =>
    request({
      target: '/myapp.php?foo=1&bar=2',
      headers: { 'content-type': FORM, 'x-twilio-signature': signature },
      body: new URLSearchParams(form).toString(),
    })

  it('is valid for the vector of its SDK', () => {
    expect(twilio.verify(signed('RSOYDt4T1cUTdK1PDd93/VVr8B8='))).toEqual({})
  })

  it('is wrong if a field was added, changed or left out, or for another key', () => {
    const right = 'RSOYDt4T1cUTdK1PDd93/VVr8B8='
    expect(twilio.verify(signed(right, { ...params, More: 'x' }))).toBe('wrong')
    expect(twilio.verify(signed(right, { ...params, Digits: '1235' }))).toBe('wrong')
    expect(twilio.verify(signed(right, { To: params.To }))).toBe('wrong')
    expect(checkOf(TWILIO, '12346', 'https://mycompany.com').verify(signed(right))).toBe('wrong')
    expect(checkOf(TWILIO, ['other', '12345'], 'https://mycompany.com').verify(signed(right))).toEqual({})
  })

  it('covers a body that is no form by a hash in the query', () => {
    const body = '{"a":1}'
    const hash = createHash('sha256').update(body).digest('hex')
    const target = `/cb?bodySHA256=${hash}`
    const signature = createHmac('sha1', '12345').update(`https://mycompany.com${target}`).digest('base64')
    const headers = { 'content-type': 'application/json', 'x-twilio-signature': signature }
    expect(twilio.verify(request({ target, headers, body }))).toEqual({})
    expect(twilio.verify(request({ target, headers, body: '{"a":2}' }))).toBe('wrong')
  })

  it.each([undefined, '', 'short', 'RSOYDt4T1cUTdK1PDd93', ['a', 'b'] as unknown as string])(
    'is refused by its header alone if that is %j',
    (signature) => {
      const headers = signature === undefined ? {} : { 'x-twilio-signature': signature }
      expect(['missing', 'wrong']).toContain(twilio.inspectHeaders(headers))
    },
  )
})

describe('The signature of Vonage', () => {
  const scheme = (algorithm: string) => ({
    hmac: {
      algorithm,
      encoding: 'hex',
      signature: { parameter: 'sig' },
      message: '{parameters-ampersand}',
      timestamp: { parameter: 'timestamp' },
      nonce: { parameter: 'nonce' },
    },
  })
  const fields = { msisdn: '447700900001', to: 'Acme', text: 'a&b=c', timestamp: '1540924779', nonce: 'n1' }
  const message = '&msisdn=447700900001&nonce=n1&text=a_b_c&timestamp=1540924779&to=Acme'

  it.each([
    ['md5-suffix', createHash('md5').update(`${message}secret`).digest('hex')],
    ['md5', createHmac('md5', 'secret').update(message).digest('hex').toUpperCase()],
    ['sha1', createHmac('sha1', 'secret').update(message).digest('hex')],
    ['sha256', createHmac('sha256', 'secret').update(message).digest('hex')],
    ['sha512', createHmac('sha512', 'secret').update(message).digest('hex')],
  ])('is valid with %s in a query, a form and JSON', (algorithm, sig) => {
    const check = checkOf(scheme(algorithm), 'secret')
    const expected = { signedAt: 1_540_924_779_000, nonce: 'n1' }
    const sent = { ...fields, sig }
    const form = new URLSearchParams(sent).toString()
    expect(check.verify(request({ method: 'GET', target: `/callbacks/a?${form}` }))).toEqual(expected)
    expect(check.verify(request({ headers: { 'content-type': FORM }, body: form }))).toEqual(expected)
    const json = { 'content-type': 'application/json; charset=utf-8' }
    expect(check.verify(request({ headers: json, body: JSON.stringify(sent) }))).toEqual(expected)
    expect(check.verify(request({ headers: json, body: JSON.stringify({ ...sent, to: 'Other' }) }))).toBe('wrong')
    expect(check.inspectHeaders({})).toEqual({})
  })

  it('is missing without time or nonce', () => {
    const check = checkOf(scheme('sha256'), 'secret')
    const sig = 'ab'.repeat(32)
    expect(check.verify(request({ target: `/callbacks/a?sig=${sig}&nonce=1` }))).toBe('missing')
    expect(check.verify(request({ target: `/callbacks/a?sig=${sig}&timestamp=1` }))).toBe('missing')
    expect(check.verify(request({ target: `/callbacks/a?timestamp=1&nonce=1` }))).toBe('missing')
  })
})

describe('The third signature of Plivo', () => {
  it('covers query, form and nonce', () => {
    const scheme = {
      hmac: {
        algorithm: 'sha256',
        encoding: 'base64',
        signature: { header: 'X-Plivo-Signature-V3' },
        nonce: { header: 'X-Plivo-Signature-V3-Nonce' },
        message: '{url-without-query}?{query-sorted}{form-dot}{form-sorted}.{nonce}',
      },
    }
    const signature = createHmac('sha256', 'token')
      .update('https://sms.example.com/callbacks/a?a=1&b=2.From1To2.12345')
      .digest('base64')
    const headers = { 'content-type': FORM, 'x-plivo-signature-v3': signature, 'x-plivo-signature-v3-nonce': '12345' }
    const sent = request({ target: '/callbacks/a?b=2&a=1', headers, body: 'To=2&From=1' })
    expect(checkOf(scheme, 'token').verify(sent)).toEqual({ nonce: '12345' })
    const withoutQuery = createHmac('sha256', 'token')
      .update('https://sms.example.com/callbacks/a?From1To2.12345')
      .digest('base64')
    const more = { ...headers, 'x-plivo-signature-v3': withoutQuery }
    expect(checkOf(scheme, 'token').verify(request({ headers: more, body: 'To=2&From=1' }))).toEqual({ nonce: '12345' })
  })
})

describe('A signature over the fields of a request', () => {
  const PLIVO = {
    hmac: {
      algorithm: 'sha256',
      encoding: 'base64',
      signature: { header: 'X-Plivo-Signature-V3' },
      nonce: { header: 'X-Plivo-Signature-V3-Nonce' },
      message: '{url-without-query}?{query-sorted}{form-dot}{form-sorted}.{nonce}',
    },
  }
  const VONAGE = {
    hmac: {
      algorithm: 'sha256',
      encoding: 'hex',
      signature: { parameter: 'sig' },
      message: '{parameters-ampersand}',
      nonce: { parameter: 'nonce' },
    },
  }
  /** A request without a body that somebody has seen. */
  const plivo = {
    target: '/callbacks/a?To=2',
    headers: {
      'x-plivo-signature-v3': createHmac('sha256', 'k')
        .update('https://sms.example.com/callbacks/a?To=2.1')
        .digest('base64'),
      'x-plivo-signature-v3-nonce': '1',
    },
  }
  const vonage = {
    target: `/callbacks/a?nonce=1&to=2&sig=${createHmac('sha256', 'k').update('&nonce=1&to=2').digest('hex')}`,
    headers: {},
  }

  it.each([
    ['Plivo', PLIVO, plivo],
    ['Vonage', VONAGE, vonage],
  ])('of %s covers no body that these fields are not read from, whatever its content type', (_, scheme, sent) => {
    const check = checkOf(scheme, 'k')
    expect(check.verify(request({ method: 'GET', ...sent }))).toEqual({ nonce: '1' })
    const forged = '{"status":"delivered","msisdn":"33612345678","messageId":"1"}'
    const types = [undefined, 'text/plain', 'application/json', 'application/x-ndjson', 'multipart/form-data', FORM]
    for (const type of types) {
      for (const body of [forged, `[${forged}]`, `\ufeff${forged}`, 'status=delivered']) {
        const headers = { ...sent.headers, ...(type !== undefined && { 'content-type': type }) }
        expect(check.verify(request({ ...sent, headers, body }))).toBe('wrong')
      }
    }
  })
})

describe('A signature over more fields than any callback has', () => {
  // The signature is right, so it is the number of fields that it is refused for, before they are sorted.
  const hex = (message: string): string => createHmac('sha256', 'k').update(message).digest('hex')
  const check = checkOf(
    {
      hmac: {
        algorithm: 'sha256',
        encoding: 'hex',
        signature: { header: 'x-signature' },
        message: '{parameters-ampersand}',
      },
    },
    'k',
  )
  const verify = (signature: string, more: Parameters<typeof request>[0], type = FORM) =>
    check.verify(request({ headers: { 'x-signature': signature, 'content-type': type }, ...more }))

  it.each([
    ['a form', (fields: string) => ({ body: fields }), FORM],
    ['a query', (fields: string) => ({ target: `/callbacks/a?${fields}` }), FORM],
    [
      'a JSON object',
      (fields: string) => ({ body: `{${fields.replaceAll(/(?<name>\w+)=1&?/g, '"$1":1,').slice(0, -1)}}` }),
      'application/json',
    ],
  ] as const)('is wrong in %s', (_, sentIn, type) => {
    for (const [count, expected] of [
      [2_000, {}],
      [2_001, 'wrong'],
    ] as const) {
      const names = Array.from({ length: count }, (_each, index) => `f${String(index).padStart(5, '0')}`)
      const signature = hex(names.map((name) => `&${name}=1`).join(''))
      expect(verify(signature, sentIn(names.map((name) => `${name}=1`).join('&')), type)).toEqual(expected)
    }
  })
})

describe('A nonce in the middle of a message', () => {
  it('takes over no piece of the body in front of it', () => {
    const scheme = {
      hmac: {
        algorithm: 'sha256',
        encoding: 'base64',
        signature: { header: 'x-signature' },
        nonce: { header: 'x-nonce' },
        message: '{body}.{nonce}.{timestamp}',
        timestamp: { header: 'x-timestamp' },
      },
    }
    const check = checkOf(scheme, 'k')
    const headers = {
      'x-signature': createHmac('sha256', 'k').update('[{"id":"a"},{"price":"0.5"}].N.1700000000').digest('base64'),
      'x-timestamp': '1700000000',
    }
    const verify = (body: string, nonce: string) =>
      check.verify(request({ headers: { ...headers, 'x-nonce': nonce }, body }))
    expect(verify('[{"id":"a"},{"price":"0.5"}]', 'N')).toEqual({ signedAt: 1_700_000_000_000, nonce: 'N' })
    expect(verify('[{"id":"a"},{"price":"0', '5"}].N')).toBe('missing')
    expect(check.inspectHeaders({ ...headers, 'x-nonce': '5"}].N' })).toBe('missing')
  })
})

describe('The signature of Sinch, and that of Bird', () => {
  it('covers body, nonce and time', () => {
    const scheme = {
      hmac: {
        algorithm: 'sha256',
        encoding: 'base64',
        signature: { header: 'x-sinch-webhook-signature' },
        nonce: { header: 'x-sinch-webhook-signature-nonce' },
        timestamp: { header: 'x-sinch-webhook-signature-timestamp' },
        message: '{body}.{nonce}.{timestamp}',
      },
    }
    const signature = createHmac('sha256', 'k').update('{"é":1}.N.1700000000').digest('base64')
    const headers = {
      'x-sinch-webhook-signature': signature,
      'x-sinch-webhook-signature-nonce': 'N',
      'x-sinch-webhook-signature-timestamp': '1700000000',
    }
    expect(checkOf(scheme, 'k').inspectHeaders(headers)).toEqual({ signedAt: 1_700_000_000_000, nonce: 'N' })
    expect(checkOf(scheme, 'k').verify(request({ headers, body: '{"é":1}' }))).toEqual({
      signedAt: 1_700_000_000_000,
      nonce: 'N',
    })
    expect(checkOf(scheme, 'k').verify(request({ headers, body: '{"e":1}' }))).toBe('wrong')
  })

  it('covers the binary hash of the body, between line breaks', () => {
    const scheme = {
      hmac: {
        algorithm: 'sha256',
        encoding: 'base64',
        signature: { header: 'messagebird-signature' },
        timestamp: { header: 'messagebird-request-timestamp' },
        message: '{timestamp}\\n{url}\\n{body-sha256}',
      },
    }
    const hash = createHash('sha256').update('{}').digest()
    const message = Buffer.concat([Buffer.from('1700000000\nhttps://sms.example.com/callbacks/a\n'), hash])
    const signature = createHmac('sha256', 'k').update(message).digest('base64')
    const headers = { 'messagebird-signature': signature, 'messagebird-request-timestamp': '1700000000' }
    expect(checkOf(scheme, 'k').verify(request({ headers, body: '{}' }))).toEqual({ signedAt: 1_700_000_000_000 })
  })
})

describe('The Ed25519 signature of Telnyx', () => {
  const scheme = {
    ed25519: {
      signature: { header: 'telnyx-signature-ed25519' },
      timestamp: { header: 'telnyx-timestamp' },
      message: '{timestamp}|{body}',
    },
  }
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const key = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32).toString('base64')
  const signature = signWithKey(null, Buffer.from('1700000000|{"a":1}'), privateKey).toString('base64')
  const headers = { 'telnyx-signature-ed25519': signature, 'telnyx-timestamp': '1700000000' }

  it('is valid for what was signed, and wrong for anything else', () => {
    const check = checkOf(scheme, key)
    expect(check.verify(request({ headers, body: '{"a":1}' }))).toEqual({ signedAt: 1_700_000_000_000 })
    expect(check.verify(request({ headers, body: '{"a":2}' }))).toBe('wrong')
    const later = { ...headers, 'telnyx-timestamp': '1700000001' }
    expect(check.verify(request({ headers: later, body: '{"a":1}' }))).toBe('wrong')
  })

  it('refuses a key that is none', () => {
    expect(() => checkOf(scheme, 'c2hvcnQ=')).toThrow(/32 bytes, in Base64/)
  })
})

describe('The token of MessageBird', () => {
  const scheme = {
    jwt: {
      token: { header: 'MessageBird-Signature-JWT' },
      issuer: 'MessageBird',
      urlHash: 'url_hash',
      payloadHash: 'payload_hash',
    },
  }
  const hex = (text: string) => createHash('sha256').update(text).digest('hex')
  const tokenOf = (claims: object, algorithm = 'HS256', key = 'k'): string => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const signed = `${part({ alg: algorithm, typ: 'JWT' })}.${part(claims)}`
    const name = algorithm.replace('HS', 'sha')
    return `${signed}.${name.startsWith('sha') ? createHmac(name, key).update(signed).digest('base64url') : ''}`
  }
  const CLAIMS = {
    iss: 'MessageBird',
    nbf: 1_700_000_000,
    exp: 1_700_000_060,
    jti: 'id-1',
    url_hash: hex('https://sms.example.com/callbacks/a'),
    payload_hash: hex('a=1'),
  }
  const verify = (token: string, body = 'a=1') =>
    checkOf(scheme, 'k').verify(request({ headers: { 'messagebird-signature-jwt': token }, body }))

  it.each(['HS256', 'HS384', 'HS512'])('is valid with %s', (algorithm) => {
    expect(verify(tokenOf(CLAIMS, algorithm))).toEqual({
      signedAt: 1_700_000_000_000,
      expiresAt: 1_700_000_060_000,
      nonce: 'id-1',
    })
  })

  it.each([
    ['another URL', tokenOf({ ...CLAIMS, url_hash: hex('https://other.example') })],
    ['another body', tokenOf({ ...CLAIMS, payload_hash: hex('a=2') })],
    ['no hash of the body', tokenOf({ ...CLAIMS, payload_hash: undefined })],
    ['another issuer', tokenOf({ ...CLAIMS, iss: 'Somebody' })],
    ['another key', tokenOf(CLAIMS, 'HS256', 'other')],
    ['no algorithm', tokenOf(CLAIMS, 'none')],
    ['the name of a member of every object as its algorithm', tokenOf(CLAIMS, 'constructor')],
    ['the name of the prototype as its algorithm', tokenOf(CLAIMS, '__proto__')],
    ['the algorithm of a public key', tokenOf(CLAIMS, 'RS256')],
    ['no time of expiry', tokenOf({ ...CLAIMS, exp: undefined })],
    ['three words', 'a.b.c'],
  ])('is wrong with %s', (_, token) => expect(verify(token)).toBe('wrong'))

  it('is refused without an error, whatever stands in it', () => {
    const name = fc.constantFrom('alg', 'exp', 'iss', 'nbf', 'jti', 'url_hash', 'payload_hash', 'typ')
    const word = fc.constantFrom(...Object.getOwnPropertyNames(Object.prototype), 'HS256', 'none')
    const part = fc.oneof(fc.dictionary(name, fc.oneof(word, fc.jsonValue())), fc.jsonValue())
    fc.assert(
      fc.property(part, part, fc.string(), (header, payload, signature) => {
        const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
        const token = `${encode(header)}.${encode(payload)}.${signature}`
        checkOf(scheme, 'k').inspectHeaders({ 'messagebird-signature-jwt': token })
        expect(['missing', 'wrong']).toContain(verify(token))
      }),
      { numRuns: 2_000 },
    )
  })

  it('needs no hash of an empty body', () => {
    expect(verify(tokenOf({ ...CLAIMS, payload_hash: undefined }), '')).toMatchObject({ nonce: 'id-1' })
  })
})

describe('The scheme of a signature', () => {
  it.each([
    ['none', {}],
    ['two', { hmac: TWILIO.hmac, jwt: { token: { header: 'x' }, urlHash: 'u', payloadHash: 'p' } }],
    ['an unknown part', { hmac: { ...TWILIO.hmac, message: '{uri}' } }],
    ['no place of the signature', { hmac: { ...TWILIO.hmac, signature: {} } }],
    ['a message without the body', { hmac: { ...TWILIO.hmac, message: '{url}' } }],
    ['a time that is not signed', { hmac: { ...TWILIO.hmac, timestamp: { header: 'x-time' } } }],
    [
      'a nonce that is not signed',
      { ed25519: { signature: { header: 's' }, message: '{body}', nonce: { header: 'n' } } },
    ],
  ])('is refused with %s', (_, scheme) => expect(signatureScheme().safeParse(scheme).success).toBe(false))
})
