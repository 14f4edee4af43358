/** The JSON Schema, the example configuration and the program agree. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import * as z from 'zod'
import { toJsonSchema } from '../../src/config/json-schema.js'
import {
  PROVIDER_NAMES,
  PROVIDERS,
  traitsOf,
  type ProviderName,
  type ProviderTraits,
} from '../../src/config/provider-traits.js'
import { createSchema } from '../../src/config/schema.js'
import { ProviderCatalog } from '../../src/providers/catalog.js'
import { source } from '../../src/config/source.js'
import { providers } from '../../src/providers/index.js'
import { fixture, load, problemsOf } from './support.js'

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')

const published = JSON.parse(read('config/connector.schema.json')) as z.core.JSONSchema.JSONSchema
const example = read('config/connector.yaml')
const ENV = { MTARGET_USERNAME: 'u', MTARGET_PASSWORD: 'p', SEVEN_CALLBACK_TOKEN: 't' }

/** The example with everything that it has commented out. Where it shows two forms of a section, the second counts. */
const complete = (): Record<string, unknown> => {
  const key = /^( *)# ( *[a-zA-Z]+:( |$))/
  const lines = example.split('\n').map((line) => (/^# +[a-z]+ {2}/.test(line) ? line : line.replace(key, '$1$2')))
  return parse(lines.join('\n'), { uniqueKeys: false }) as Record<string, unknown>
}

describe('config/connector.schema.json', () => {
  it('is what the program generates; if this fails, run: npm run schema', () => {
    expect(published).toEqual(toJsonSchema(createSchema(new ProviderCatalog())))
  })

  it('describes every key', () => {
    const keys: string[] = []
    const undescribed: string[] = []
    const walk = (node: unknown, path: string): void => {
      if (typeof node !== 'object' || node === null) return
      const { properties, anyOf, additionalProperties, items } = node as z.core.JSONSchema.JSONSchema
      for (const [key, child] of Object.entries(properties ?? {})) {
        keys.push(`${path}.${key}`)
        const description = typeof child === 'object' ? child.description : undefined
        if (description === undefined || description.length < 9) undescribed.push(`${path}.${key}`)
        walk(child, `${path}.${key}`)
      }
      anyOf?.forEach((each) => walk(each, path))
      walk(additionalProperties, `${path}.*`)
      walk(items, `${path}[]`)
    }
    walk(published, '')
    expect(undescribed).toEqual([])
    expect(keys.length).toBeGreaterThan(90)
  })

  it('is of draft 2020-12, refuses unknown keys and has no $id', () => {
    expect(published.$schema).toBe('https://json-schema.org/draft/2020-12/schema')
    expect(published.$id).toBeUndefined()
    expect(published.additionalProperties).toBe(false)
    expect(published.required).toEqual(['kafka', 'registry', 'sources'])
  })

  // zod reads the JSON Schema by itself, independently of the schema of the program.
  const asPublished = z.fromJSONSchema(published)

  it.each([
    ['the example', (): unknown => parse(example)],
    ['the example with everything that it has commented out', complete],
    ['substitutions where numbers are expected', (): unknown => parse(example.replace('port: 8080', 'port: ${PORT}'))],
  ])('accepts %s', (_, written) => {
    const { error } = asPublished.safeParse(written())
    expect(error?.issues ?? []).toEqual([])
  })

  it.each([
    ['an unknown key', example.replace('port: 8080', 'prot: 8080')],
    ['a wrong duration', example.replace('idleDelay: 3m', 'idleDelay: 3 minutes')],
    ['a wrong number', example.replace('port: 8080', 'port: http')],
    ['a wrong choice', example.replace('delivery: exactly-once', 'delivery: twice')],
    ['a missing key', example.replace(/\n {2}url: .*/, '')],
    ['a wrong name of a source', example.replace('mtarget-fr:', 'mtarget/fr:')],
  ])('refuses %s', (_, yaml) => {
    expect(asPublished.safeParse(parse(yaml)).success).toBe(false)
  })
})

describe('config/connector.yaml', () => {
  it('loads with the three environment variables that it names', () => {
    expect([...load(example, ENV).sources.keys()]).toEqual(['mtarget-fr', 'seven-main'])
  })

  it('shows the default of every key that has one', () => {
    const short = `
kafka: {brokers: '127.0.0.1:9092'}
registry: {url: 'http://127.0.0.1:8081/apis/ccompat/v7'}
sources:
  mtarget-fr: {provider: mtarget, pull: {username: u, password: p}}
  seven-main: {provider: seven, callback: {token: t}}
`
    expect(load(example, ENV)).toEqual(load(short))
  })

  it('shows every key', () => {
    const missing: string[] = []
    const walk = (node: unknown, value: unknown, path: string): void => {
      if (typeof node !== 'object' || node === null || typeof value !== 'object' || value === null) return
      const { properties, anyOf, additionalProperties } = node as z.core.JSONSchema.JSONSchema
      for (const [key, child] of Object.entries(properties ?? {})) {
        const inner = (value as Record<string, unknown>)[key]
        if (inner === undefined) missing.push(`${path}${key}`)
        walk(child, inner, `${path}${key}.`)
      }
      anyOf?.forEach((each) => walk(each, value, path))
      // The two sources of the example together show all keys of a source.
      const together = Object.values(value as Record<string, unknown>).flatMap((each) => Object.entries(each ?? {}))
      walk(additionalProperties, Object.fromEntries(together), `${path}*.`)
    }
    walk(published, complete(), '')
    const firstForms = [
      'kafka.sasl.username',
      'kafka.sasl.password',
      'kafka.sasl.region',
      'registry.auth.username',
      'registry.auth.password',
      'registry.auth.token',
    ]
    expect(missing).toEqual(firstForms)
    for (const key of firstForms) expect(example).toMatch(new RegExp(`# +${key.split('.').at(-1)}: `))
  })

  it('loads with everything that it has commented out', () => {
    const files: Record<string, string> = { key: fixture('private-key.pem'), cert: fixture('certificate.pem') }
    const everything = JSON.stringify(complete())
      .replace(
        /\/etc\/dlr-mo-connector\/[a-z]+-(key|cert|ca)\.pem/g,
        (_, kind: string) => files[kind] ?? files['cert'] ?? '',
      )
      .replace(/\$\{file:[^}]*-key\}/g, 'a'.repeat(64))
      .replace(/\$\{file:[^}]*\}/g, 'x')
      .replace('"open":true', '"open":false')
      // It is for another provider than the two of the example.
      .replace('"topicArns":["arn:aws:sns:eu-west-1:123456789012:sms"],', '')
    const env = Object.fromEntries([...everything.matchAll(/\$\{([A-Z_]+)\}/g)].map(([, name = '']) => [name, 'x']))
    expect(problemsOf(everything, env)).toEqual([])
  })
})

it('Every default in the JSON Schema is the value that the program uses when the key is left out', () => {
  /** The defaults of all sections that exist without being written. Optional sections have none. */
  const defaults = (node: unknown): Record<string, unknown> => {
    const { properties = {}, required = [] } = node as z.core.JSONSchema.JSONSchema
    const found: Record<string, unknown> = {}
    for (const [key, child] of Object.entries(properties)) {
      const { default: defaultValue, type } = child as z.core.JSONSchema.JSONSchema
      const isSection = type === 'object' && (defaultValue !== undefined || required.includes(key))
      if (isSection) found[key] = defaults(child)
      else if (defaultValue !== undefined) found[key] = defaultValue
    }
    return found
  }
  const sources = { one: { provider: 'mtarget', pull: { username: 'u', password: 'p' } } }
  const least = { kafka: { brokers: 'a:1' }, registry: { url: 'http://r' }, sources }
  const all = defaults(published)
  const spelledOut = {
    ...all,
    kafka: Object.assign({}, all['kafka'], least.kafka),
    registry: Object.assign({}, all['registry'], least.registry),
    sources,
  }
  expect(spelledOut).toMatchObject({ kafka: { delivery: 'exactly-once' }, log: { level: 'info' } })
  expect(load(JSON.stringify(spelledOut))).toEqual(load(JSON.stringify(least)))
})

it('PROVIDERS lists the providers that exist, and what each of them supports', () => {
  expect(Object.keys(PROVIDERS)).toEqual([...providers.keys()])
  for (const provider of providers.values()) {
    const traits = traitsOf(provider.name)
    expect([provider.name, traits?.pull !== undefined]).toEqual([provider.name, provider.pull !== undefined])
    expect([provider.name, traits?.reconcileUrl !== undefined]).toEqual([
      provider.name,
      provider.reconcile !== undefined,
    ])
  }
})

describe('A source without url', () => {
  const own: ProviderTraits = {
    pull: { url: 'https://pull.example.com/queue', limitParameter: 'max', needsUsername: true },
    reconcileUrl: 'https://api.example.com/v1',

    namesEventTypes: false,
  }
  const account = { pull: { username: 'u', password: 'p' }, reconcile: { apiKey: 'k' }, callback: { open: true } }

  it('sends the credentials to the addresses of its own provider, also of one that is added', () => {
    Object.assign(PROVIDERS, { other: own })
    PROVIDER_NAMES.push('other' as ProviderName)
    try {
      const { pull, reconcile } = source().parse({ provider: 'other', ...account })
      expect([pull?.url, reconcile?.url]).toEqual([own.pull?.url, own.reconcileUrl])
    } finally {
      PROVIDER_NAMES.pop()
      Reflect.deleteProperty(PROVIDERS, 'other')
    }
  })

  it.each(PROVIDER_NAMES)('of provider %s has the default addresses of that provider only', (provider) => {
    const { pull: queue, reconcileUrl } = traitsOf(provider)!
    const { pull, reconcile } = source().parse({
      provider,
      ...(queue && { pull: account.pull }),
      ...(reconcileUrl && { reconcile: account.reconcile }),
      callback: account.callback,
    })
    expect([pull?.url, reconcile?.url]).toEqual([queue?.url, reconcileUrl])
  })
})
