/**
 * Signatures that the providers' own programs have in their tests, verified by the descriptions that the connector brings. Each names
 * the program and the file that has it; keys and requests in them are no secrets.
 */
import { describe, expect, it } from 'vitest'
import { signatureCheck } from '../../src/callbacks/signature-verification.js'
import type { SignedRequest } from '../../src/callbacks/signed-request.js'
import { signatureScheme, type SignatureScheme } from '../../src/config/signature-scheme.js'
import { ProviderCatalog } from '../../src/providers/catalog.js'

const FORM = 'application/x-www-form-urlencoded'
const catalog = new ProviderCatalog()

const schemeOf = (name: string): SignatureScheme => {
  const found = catalog.find(name)
  if (found === undefined || 'problem' in found || found.signature === undefined)
    throw new Error(`${name} signs nothing`)
  return found.signature
}

const verify = (scheme: SignatureScheme, key: string, url: string, request: Partial<SignedRequest>) => {
  const { origin, pathname, search } = new URL(url)
  const check = signatureCheck(scheme, { signingKey: [key], publicUrl: origin })
  const whole = { method: 'POST', target: pathname + search, headers: {}, body: Buffer.alloc(0), ...request }
  return check.verify(whole)
}

describe('The signature of MessageBird', () => {
  /** messagebird/go-rest-api, signature_jwt/testdata/reference.json. */
  const key = '36efdd1aace2e26cd490f0d951138253bef2f7c6d34d18981da781555cc4cebb'
  const token = [
    'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9',
    'eyJpc3MiOiJNZXNzYWdlQmlyZCIsIm5iZiI6MTYyNTQ3OTIwMCwiZXhwIjoxNjI1NDc5MjYwLCJqdGkiOiI5M2U1NTAwNi1hMGU4LTQ1MjYtYTE5MC1mYTVmZjAwZWExMTYiLCJ1cmxfaGFzaCI6IjQxZjA1ZjBkZGQwYTIyYWIyMDlhYzQ2ZjQ3YzQ1NzJkOWNlZmEyNTdlZDc0YjI0MDA0YmFlNzUzZWNlNmMyNjAiLCJwYXlsb2FkX2hhc2giOiJkZmZkNjAyMWJiMmJkNWIwYWY2NzYyOTA4MDllYzNhNTMxOTFkZDgxYzdmNzBhNGIyODY4OGEzNjIxODI5ODZmIn0',
    '_H--TOuYFLpeEH39-rg5E3IHVkjHozBcaKVWPRC5m9I',
  ].join('.')
  const headers = { 'messagebird-signature-jwt': token }
  const read = (url: string, body: string) =>
    verify(schemeOf('messagebird'), key, url, { headers, body: Buffer.from(body) })

  it('is valid for the vector of its SDK for Go, and for no other address and body', () => {
    const url = 'https://example.com/path?bar=1&foo=2'
    expect(read(url, 'Hello, World!')).toEqual({
      signedAt: 1_625_479_200_000,
      expiresAt: 1_625_479_260_000,
      nonce: '93e55006-a0e8-4526-a190-fa5ff00ea116',
    })
    expect(read(url, 'Hello, World?')).toBe('wrong')
    expect(read('https://example.com/path?bar=2&foo=2', 'Hello, World!')).toBe('wrong')
  })
})

describe('The signature of Sinch', () => {
  it('is valid for the vector of its SDK for .NET', () => {
    /** sinch/sinch-sdk-dotnet, tests of the webhooks of the Conversation API, which are signed alike. */
    const body =
      '{"app_id":"","accepted_time":"2021-10-18T17:49:13.813615Z","project_id":"e2df3a34-a71b-4448-9db5-a8d2baad28e4","contact_create_notification":{"contact":{"id":"01FJA8B466Y0R2GNXD78MD9SM1","channel_identities":[{"channel":"SMS","identity":"48123456789","app_id":""}],"display_name":"New Test Contact","email":"new.contact@email.com","external_id":"","metadata":"","language":"EN_US"}},"message_metadata":""}'
    const headers = {
      'x-sinch-webhook-signature': '6bpJoRmFoXVjfJIVglMoJzYXxnoxRujzR4k2GOXewOE=',
      'x-sinch-webhook-signature-nonce': '01FJA8B4A7BM43YGWSG9GBV067',
      'x-sinch-webhook-signature-timestamp': '1634579353',
    }
    const read = (text: string) =>
      verify(schemeOf('sinch'), 'foo_secret1234', 'https://a/b', { headers, body: Buffer.from(text) })
    expect(read(body)).toEqual({ signedAt: 1_634_579_353_000, nonce: '01FJA8B4A7BM43YGWSG9GBV067' })
    expect(read(`${body} `)).toBe('wrong')
  })
})

describe('The third signature of Plivo', () => {
  /** plivo/plivo-dotnet, TestSignature.cs. */
  const key = 'Y2Q2ZDgxZmY5YWRiOTI5YmQ1Njg0MTAxZWIyOTc4'
  const nonce = '31627761595286130198'
  const url = 'https://plivobin.non-prod.plivops.com/api/v1/validate_signature03.xml'
  const fields = new URLSearchParams({
    Direction: 'outbound',
    From: '19792014278',
    ALegUUID: '3e82ae9d-2c78-4d85-b1a4-6eae7dbafb36',
    SessionStart: '2020-04-08 11:34:33.238707',
    BillRate: '0.002',
    ParentAuthID: 'MANWVLYTK4ZWU1YTY4QA',
    To: 'sip:PlivoSignature382029104058171078704104@phone-qa.voice.plivodev.com',
    RequestUUID: '3e82ae9d-2c78-4d85-b1a4-6eae7dbafb36',
    ALegRequestUUID: '3e82ae9d-2c78-4d85-b1a4-6eae7dbafb36',
    CallUUID: '3e82ae9d-2c78-4d85-b1a4-6eae7dbafb36',
    'SIP-H-To': '<sip:PlivoSignature382029104058171078704104@52.9.11.55;transport=udp>;tag=1',
    CallStatus: 'in-progress',
    Event: 'StartApp',
  }).toString()
  const read = (signature: string, address: string, body = fields) =>
    verify(schemeOf('plivo'), key, address, {
      method: body === '' ? 'GET' : 'POST',
      headers: { 'content-type': FORM, 'x-plivo-signature-v3': signature, 'x-plivo-signature-v3-nonce': nonce },
      body: Buffer.from(body),
    })

  it.each([
    ['a form', 'iAjE5QqI37mbkYe4w3jTMudqEzbDufdqi7sYwTu64e0=', url],
    ['a form and a query', 'k7Pusd4OxCIjR5IfA9iedDNu/h/gbdYqdzG/MiYtd1c=', `${url}/?a=b&c=d`],
  ])('is valid for the vector of its SDK for .NET with %s', (_, signature, address) => {
    expect(read(signature, address)).toEqual({ nonce })
    expect(read(signature, `${address}${address.includes('?') ? '&' : '?'}more=1`)).toBe('wrong')
  })

  it('is valid if one of the signatures in the header is, because there is one for each key during a rotation', () => {
    const other = Buffer.alloc(32).toString('base64')
    const right = 'iAjE5QqI37mbkYe4w3jTMudqEzbDufdqi7sYwTu64e0='
    expect(read(`${other},${right}`, url)).toEqual({ nonce })
    expect(read(`${right}, ${other}`, url)).toEqual({ nonce })
    expect(read(`${other},${other}`, url)).toBe('wrong')
    expect(read(`${Array(4).fill(other).join(',')},${right}`, url)).toBe('wrong')
  })
})

describe('The signature of Vonage', () => {
  /** Vonage/vonage-php-sdk-core, test/Client/SignatureTest.php. */
  const key = 'my_secret_key_for_testing'
  const shipped = schemeOf('vonage').hmac!
  /** The algorithm is a setting of the account. */
  const accountDefault: SignatureScheme = { hmac: { ...shipped, algorithm: 'md5-suffix' } }
  const written = { encoding: 'hex', signature: { parameter: 'sig' }, message: '{parameters-ampersand}' }
  const read = (scheme: SignatureScheme, fields: Record<string, string>) =>
    verify(scheme, key, `https://a/b?${new URLSearchParams(fields).toString()}`, { method: 'GET' })

  it('is valid for the vectors of its SDK for PHP with time and nonce', () => {
    const testings = {
      keyword: 'TESTINGS',
      'message-timestamp': '2017-04-04 23:05:22',
      messageId: '0C00000027217D5B',
      msisdn: '14843472194',
      nonce: 'c4ab6ed2-9bf5-48a0-af91-107e29bdd399',
      sig: 'ff933bf31c79ab3fc6a38d100191c48f',
      text: 'Testings',
      timestamp: '1491347122',
      to: '12192259404',
      type: 'text',
    }
    expect(read(accountDefault, testings)).toEqual({
      signedAt: 1_491_347_122_000,
      nonce: testings.nonce,
    })
    const escaped = {
      ...testings,
      keyword: 'TEST',
      'message-timestamp': '2017-04-04 22:57:47',
      messageId: '0B00000042AC53BD',
      nonce: '929d6744-bd28-42c8-b6cf-31d5b4f43732',
      sig: 'e06d9763e3fd0b9c31beb5fc2fcb011c',
      text: 'Test with & and =',
      timestamp: '1491346667',
    }
    expect(read(accountDefault, escaped)).toMatchObject({ nonce: escaped.nonce })
    expect(read(accountDefault, { ...escaped, text: 'Test with' })).toBe('wrong')
  })

  it.each([
    ['md5', 'DDEBD46008C2D4E93CCE578A332A52D5'],
    ['sha1', '27D0D05C2876C7CB1720DBCDBA4D492E1E55C09A'],
    ['sha256', 'DDB8397C2B90AAC7F3882D306475C9A5058C92322EEF43C92B298B6E0FC0D330'],
    [
      'sha512',
      'E0D3C650F8C9D1A5C174D10DDDBFB003E561F59B265616208B0487C5D819481CD3C311D59CF6165ECD1139622D5BA3A256C0D763AC4A9AD9144B5A426B94FE82',
    ],
  ])('is valid for the vector with %s, which has no nonce', (algorithm, sig) => {
    const fields = {
      'message-timestamp': '2013-11-21 15:27:30',
      messageId: '020000001B0FE827',
      msisdn: '14843472194',
      text: 'Test again',
      timestamp: '1385047698',
      to: '13239877404',
      type: 'text',
      sig,
    }
    const scheme = signatureScheme().parse({ hmac: { ...written, algorithm } })
    expect(read(scheme, fields)).toEqual({})
    expect(read(scheme, { ...fields, to: '13239877405' })).toBe('wrong')
  })
})
