/**
 * `proxy`: the HTTP proxy for the connector's own requests. Where the configuration has none, the environment variables decide
 * that curl and most other programs follow.
 */
import { isIP } from 'node:net'
import type { ProxySettings, ProxyServer } from '../http-client/settings.js'
import type { Problem } from '../yaml/problem.js'
import { rule, section } from './section.js'
import type { Environment } from './substitute.js'
import { clientTls } from './tls.js'
import { list, text, value } from './values.js'

const PROXY_PATTERN = '^https?://[^\\s@#/?]+/?$'
const PROXY_EXPECTED = 'the address of a proxy as http://host:port or https://host:port, without credentials and path,'
const NO_PROXY_PATTERN = /^(\*|(\*?\.)?[A-Za-z0-9._-]+(:\d{1,5})?|\[?[0-9A-Fa-f:.]+\]?(:\d{1,5})?)$/
const RANGE_PATTERN = /^([0-9A-Fa-f:.]+)\/(\d{1,3})$/

const proxyUrl = () =>
  value({
    expected: PROXY_EXPECTED,
    jsonSchema: { type: 'string', pattern: `${PROXY_PATTERN}|\\$\\{` },
    parse: (given) => (new RegExp(PROXY_PATTERN, 'i').test(given) && URL.canParse(given) ? given : undefined),
  })

const exemption = () =>
  value({
    expected:
      'a host, domain, IP address, address range in CIDR notation, or *, each but the last two with :port if wanted,',
    jsonSchema: { type: 'string', minLength: 1 },
    parse: (given) => (NO_PROXY_PATTERN.test(given) || isRange(given) ? given : undefined),
  })

const isRange = (given: string): boolean => {
  const [, address = '', prefix] = RANGE_PATTERN.exec(given) ?? []
  const family = isIP(address)
  return family !== 0 && Number(prefix) <= (family === 4 ? 32 : 128)
}

export const proxy = () =>
  section({
    url: proxyUrl()
      .exactOptional()
      .describe('Address of the proxy, as http://host:port or https://host:port. Required, unless `noProxy` is *.'),
    username: text().exactOptional().describe('User name for the proxy (HTTP Basic); requires `password`.'),
    password: text().exactOptional().describe('Password for the proxy; requires `username`.'),
    noProxy: list(exemption(), { minItems: 0 })
      .prefault([])
      .describe(
        'What is connected to directly: host names with their subdomains, IP addresses, ranges such as 10.0.0.0/8, or * for everything, which also overrides the environment; host:port limits an entry to one port.',
      ),
    tls: clientTls('the proxy', '`url`')
      .exactOptional()
      .describe('TLS to a proxy with an https address: private authorities, and a client certificate.'),
  })
    .check(
      rule({
        holds: (given) => 'username' in given === 'password' in given,
        problem: 'username and password must both be given, or neither',
      }),
      rule({
        at: ['url'],
        holds: ({ url, noProxy }) => url !== undefined || (Array.isArray(noProxy) && noProxy.includes('*')),
        problem: 'is missing; without a proxy, noProxy must be *',
      }),
    )
    .transform(({ noProxy, url, ...server }): ProxySettings => {
      if (url === undefined) return { noProxy }
      const proxyServer = { ...server, url, origin: 'proxy.url' }
      return { http: proxyServer, https: proxyServer, noProxy }
    })

export type ProxyFromEnvironment =
  | { readonly settings: ProxySettings | undefined; readonly problems?: never }
  | { readonly problems: readonly Problem[]; readonly settings?: never }

/**
 * Reads HTTPS_PROXY, HTTP_PROXY and NO_PROXY, each in lower or upper case; lower case counts first, as for curl. Unlike a CGI
 * program, the connector has no variable HTTP_PROXY that a request could have set, so upper case is safe.
 */
export const proxyFromEnvironment = (env: Environment): ProxyFromEnvironment => {
  const problems: Problem[] = []
  const serverOf = (variable: string): ProxyServer | undefined => {
    const [name, given] = variableOf(env, variable)
    if (given === '') return undefined
    const server = readProxy(given, name)
    // The value is not shown, because it may contain a password.
    const text = `the environment variable ${name} is not ${PROXY_EXPECTED.replace(', without credentials and path,', '')}`
    if (server === undefined) problems.push({ path: ['proxy'], at: undefined, text })
    return server
  }
  const http = serverOf('HTTP_PROXY')
  const https = serverOf('HTTPS_PROXY')
  if (problems.length > 0) return { problems }
  if (http === undefined && https === undefined) return { settings: undefined }
  const [, exemptions] = variableOf(env, 'NO_PROXY')
  const noProxy = exemptions.split(/[,\s]+/).filter((entry) => entry !== '')
  return { settings: { ...(http && { http }), ...(https && { https }), noProxy } }
}

/** Returns the name in the case that is set, and the value; an empty value counts as absent. */
const variableOf = (env: Environment, upperCase: string): [name: string, value: string] => {
  const lowerCase = upperCase.toLowerCase()
  const name = env[lowerCase]?.trim() ? lowerCase : upperCase
  return [name, env[name]?.trim() ?? '']
}

/** Without a scheme the address is one of http, as for curl. */
const readProxy = (given: string, origin: string): ProxyServer | undefined => {
  const address = /^[a-z][a-z0-9+.-]*:\/\//i.test(given) ? given : `http://${given}`
  if (!URL.canParse(address)) return undefined
  const { protocol, username, password, origin: url } = new URL(address)
  if (protocol !== 'http:' && protocol !== 'https:') return undefined
  try {
    return {
      url,
      origin,
      ...(username !== '' && { username: decodeURIComponent(username), password: decodeURIComponent(password) }),
    }
  } catch {
    // A percent sign that begins no escape.
    return undefined
  }
}
