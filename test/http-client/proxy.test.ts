import { describe, expect, it } from 'vitest'
import { proxyFor } from '../../src/http-client/proxy.js'
import type { ProxySettings } from '../../src/http-client/settings.js'

const http = { url: 'http://for-http:3128', origin: 'HTTP_PROXY' }
const https = { url: 'http://for-https:3128', origin: 'HTTPS_PROXY' }
const settings = (...noProxy: string[]): ProxySettings => ({ http, https, noProxy })

describe('proxyFor', () => {
  it('returns the proxy of the scheme', () => {
    expect(proxyFor(new URL('http://a.example/x'), settings())).toBe(http)
    expect(proxyFor(new URL('https://a.example/x'), settings())).toBe(https)
    expect(proxyFor(new URL('https://a.example/x'), { http, noProxy: [] })).toBeUndefined()
    expect(proxyFor(new URL('https://a.example/x'), undefined)).toBeUndefined()
  })

  it.each([
    ['*', 'https://anything.example'],
    ['example.com', 'https://example.com'],
    ['example.com', 'https://api.example.com'],
    ['.example.com', 'https://api.example.com'],
    ['.example.com', 'https://example.com'],
    ['*.example.com', 'https://a.b.example.com'],
    ['EXAMPLE.com', 'https://api.example.COM'],
    ['example.com.', 'https://example.com'],
    ['example.com', 'https://example.com./'],
    ['example.com:443', 'https://example.com'],
    ['example.com:8443', 'https://api.example.com:8443'],
    ['localhost', 'http://localhost:8081'],
    ['192.0.2.7', 'http://192.0.2.7:8081'],
    ['192.0.2.0/24', 'https://192.0.2.200'],
    ['0.0.0.0/0', 'https://203.0.113.9'],
    ['::1', 'http://[::1]:8081'],
    ['[::1]', 'http://[::1]:8081'],
    ['[::1]:8081', 'http://[::1]:8081'],
    ['0:0:0:0:0:0:0:1', 'http://[::1]'],
    ['2001:db8::/32', 'https://[2001:db8:1::7]'],
  ])('connects directly, with the entry %s, to %s', (entry, address) => {
    expect(proxyFor(new URL(address), settings('other.example', entry))).toBeUndefined()
  })

  it.each([
    ['example.com', 'https://notexample.com'],
    ['example.com', 'https://example.com.evil.example'],
    ['api.example.com', 'https://example.com'],
    ['example.com:8443', 'https://example.com'],
    ['192.0.2.0/24', 'https://192.0.3.1'],
    ['192.0.2.0/24', 'https://192.0.2.1.example.com'],
    ['192.0.2.7:80', 'http://192.0.2.7:8081'],
    ['2', 'http://192.0.2.2'],
    ['::1', 'http://[::2]'],
    ['192.0.2.0/33', 'http://192.0.2.1'],
    ['.', 'https://example.com'],
    ['', 'https://example.com'],
  ])('uses the proxy, with the entry %j, for %s', (entry, address) => {
    expect(proxyFor(new URL(address), settings(entry))).toBeDefined()
  })
})
