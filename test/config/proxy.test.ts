import { describe, expect, it } from 'vitest'
import { load, problemsOf, REQUIRED } from './support.js'

const problemOf = (...args: Parameters<typeof problemsOf>): string => problemsOf(...args).join('\n')

const withProxy = (keys: string): string => `${REQUIRED}proxy: {${keys}}`

describe('proxy', () => {
  it('is the proxy for http and https addresses', () => {
    const server = { url: 'http://proxy:3128', username: 'u', password: 'p', origin: 'proxy.url' }
    const { proxy } = load(
      withProxy('url: "http://proxy:3128", username: u, password: p, noProxy: [a.example, 10.0.0.0/8]'),
    )
    expect(proxy).toEqual({ http: server, https: server, noProxy: ['a.example', '10.0.0.0/8'] })
  })

  it('takes noProxy as one text with commas, as an environment variable provides it', () => {
    const { proxy } = load(withProxy('url: "http://proxy:3128", noProxy: "a.example, .b.example:8443,[::1]:80,*"'))
    expect(proxy?.noProxy).toEqual(['a.example', '.b.example:8443', '[::1]:80', '*'])
  })

  it('is none where noProxy is *, whatever the environment says', () => {
    expect(load(withProxy('noProxy: "*"'), { HTTPS_PROXY: 'http://proxy:3128' }).proxy).toEqual({ noProxy: ['*'] })
  })

  it.each([
    ['url: "http://u:hunter2@proxy:3128"', 'proxy.url: found'],
    [
      'url: "socks5://proxy:1080"',
      'proxy.url: found "socks5://proxy:1080"; the address of a proxy as http://host:port',
    ],
    ['url: "http://proxy:3128/path"', 'proxy.url: found'],
    ['noProxy: [a]', 'proxy.url: is missing; without a proxy, noProxy must be *'],
    ['url: "http://proxy:3128", username: u', 'proxy: username and password must both be given, or neither'],
    ['url: "http://proxy:3128", noProxy: [10.0.0.0/33]', 'proxy.noProxy.0: found "10.0.0.0/33"'],
    ['url: "http://proxy:3128", noProxy: ["http://a"]', 'proxy.noProxy.0: found "http://a"'],
  ])('with {%s} is refused', (keys, problem) => {
    const found = problemOf(withProxy(keys))
    expect(found).toContain(problem)
    expect(found).not.toContain('hunter2')
  })
})

describe('The proxy of the environment', () => {
  it('is read from HTTPS_PROXY, HTTP_PROXY and NO_PROXY', () => {
    const env = {
      HTTPS_PROXY: 'http://u%40x:p%20w@proxy:3128',
      HTTP_PROXY: 'plain:8080',
      NO_PROXY: 'a.example, .b 10.0.0.0/8',
    }
    expect(load(REQUIRED, env).proxy).toEqual({
      https: { url: 'http://proxy:3128', username: 'u@x', password: 'p w', origin: 'HTTPS_PROXY' },
      http: { url: 'http://plain:8080', origin: 'HTTP_PROXY' },
      noProxy: ['a.example', '.b', '10.0.0.0/8'],
    })
  })

  it('is read from variables in lower case first', () => {
    const { proxy } = load(REQUIRED, {
      https_proxy: 'http://lower:1',
      HTTPS_PROXY: 'http://upper:1',
      no_proxy: 'a',
      NO_PROXY: 'b',
    })
    expect(proxy).toEqual({ https: { url: 'http://lower:1', origin: 'https_proxy' }, noProxy: ['a'] })
  })

  it('does not count for https if only HTTP_PROXY is set', () => {
    expect(load(REQUIRED, { HTTP_PROXY: 'http://proxy:1' }).proxy?.https).toBeUndefined()
  })

  it('is absent where the variables are absent or empty', () => {
    expect(load(REQUIRED, { HTTPS_PROXY: '', NO_PROXY: '*' })).not.toHaveProperty('proxy')
  })

  it('gives way to the configuration', () => {
    expect(load(withProxy('url: "http://ours:1"'), { HTTPS_PROXY: 'http://theirs:1' }).proxy?.https?.url).toBe(
      'http://ours:1',
    )
  })

  it('is refused without showing it where it is no address of a proxy', () => {
    const problem = problemOf(REQUIRED, { HTTPS_PROXY: 'socks5://u:hunter2@proxy:1' })
    expect(problem).toContain(
      'proxy: the environment variable HTTPS_PROXY is not the address of a proxy as http://host:port',
    )
    expect(problem).not.toContain('hunter2')
  })
})
