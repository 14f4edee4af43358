/** What is documented is what is read: the JSON Schema, the example, and the program agree. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import * as z from 'zod'
import { toJsonSchema } from '../../src/config/json-schema.js'
import { PROVIDERS, traitsOf } from '../../src/config/providers.js'
import { schema } from '../../src/config/schema.js'
import { providers } from '../../src/providers/index.js'
import { fixture, load, problemsOf } from './support.js'

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')

const published = JSON.parse(read('config/connector.schema.json')) as z.core.JSONSchema.JSONSchema
const example = read('config/connector.yaml')
const ENV = { MTARGET_USERNAME: 'u', MTARGET_PASSWORD: 'p', SEVEN_CALLBACK_TOKEN: 't' }

/** The example with all that it has commented out. Of two ways to write a section the second counts. */
const complete = (): Record<string, unknown> => {
  const key = /^( *)# ( *[a-zA-Z]+:( |$))/
  const lines = example.split('\n').map((line) => (/^# +[a-z]+ {2}/.test(line) ? line : line.replace(key, '$1$2')))
  return parse(lines.join('\n'), { uniqueKeys: false }) as Record<string, unknown>
}

describe('config/connector.schema.json', () => {
  it('is in step with the program; if not: npm run schema', () => {
    expect(published).toEqual(toJsonSchema(schema))
  })

  it('says of every key what it means', () => {
    const keys: string[] = []
    const silent: string[] = []
    const walk = (node: unknown, path: string): void => {
      if (typeof node !== 'object' || node === null) return
      const { properties, anyOf, additionalProperties, items } = node as z.core.JSONSchema.JSONSchema
      for (const [key, child] of Object.entries(properties ?? {})) {
        keys.push(`${path}.${key}`)
        const description = typeof child === 'object' ? child.description : undefined
        if (description === undefined || description.length < 9) silent.push(`${path}.${key}`)
        walk(child, `${path}.${key}`)
      }
      anyOf?.forEach((each) => walk(each, path))
      walk(additionalProperties, `${path}.*`)
      walk(items, `${path}[]`)
    }
    walk(published, '')
    expect(silent).toEqual([])
    expect(keys.length).toBeGreaterThan(90)
  })

  it('is of draft 2020-12, closed, and without an address of its own', () => {
    expect(published.$schema).toBe('https://json-schema.org/draft/2020-12/schema')
    expect(published.$id).toBeUndefined()
    expect(published.additionalProperties).toBe(false)
    expect(published.required).toEqual(['kafka', 'registry', 'sources'])
  })

  // Checked by zod's own reading of JSON Schema, which knows nothing of the program's.
  const asPublished = z.fromJSONSchema(published)

  it.each([
    ['the example', (): unknown => parse(example)],
    ['the example with all that it has commented out', complete],
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
  it('loads with the three variables that it names', () => {
    expect([...load(example, ENV).sources.keys()]).toEqual(['mtarget-fr', 'seven-main'])
  })

  it('shows the defaults', () => {
    const short = `
kafka: {brokers: '127.0.0.1:9092'}
registry: {url: 'http://127.0.0.1:8081/apis/ccompat/v7'}
sources:
  mtarget-fr: {provider: mtarget, pull: {username: u, password: p}}
  seven-main: {provider: seven, callback: {token: t}}
`
    expect(load(example, ENV)).toEqual(load(short))
  })

  it('shows every key that there is', () => {
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
      // The keys of a source are shown by the two between them.
      const together = Object.values(value as Record<string, unknown>).flatMap((each) => Object.entries(each ?? {}))
      walk(additionalProperties, Object.fromEntries(together), `${path}*.`)
    }
    walk(published, complete(), '')
    const firstWays = ['kafka.sasl.username', 'kafka.sasl.password', 'registry.auth.username', 'registry.auth.password']
    expect(missing).toEqual(firstWays)
    for (const way of firstWays) expect(example).toMatch(new RegExp(`# +${way.split('.').at(-1)}: `))
  })

  it('loads with all that it has commented out', () => {
    const files: Record<string, string> = { key: fixture('private-key.pem'), cert: fixture('certificate.pem') }
    const everything = JSON.stringify(complete())
      .replace(
        /\/etc\/dlr-mo-connector\/[a-z]+-(key|cert|ca)\.pem/g,
        (_, kind: string) => files[kind] ?? files['cert'] ?? '',
      )
      .replace(/\$\{file:[^}]*\}/g, 'x')
      .replace('"open":true', '"open":false')
    const env = Object.fromEntries([...everything.matchAll(/\$\{([A-Z_]+)\}/g)].map(([, name = '']) => [name, 'x']))
    expect(problemsOf(everything, env)).toEqual([])
  })
})

it('every default of the JSON Schema is what the program takes when the key is left out', () => {
  /** Of what is there without being written: not of optional sections. */
  const defaults = (node: unknown): Record<string, unknown> => {
    const { properties = {}, required = [] } = node as z.core.JSONSchema.JSONSchema
    const found: Record<string, unknown> = {}
    for (const [key, child] of Object.entries(properties)) {
      const { default: standard, type } = child as z.core.JSONSchema.JSONSchema
      const isSection = type === 'object' && (standard !== undefined || required.includes(key))
      if (isSection) found[key] = defaults(child)
      else if (standard !== undefined) found[key] = standard
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

it('what the configuration knows of the providers is what they can do', () => {
  expect(Object.keys(PROVIDERS)).toEqual([...providers.keys()])
  for (const provider of providers.values()) {
    const traits = traitsOf(provider.name)
    expect([provider.name, traits?.pullUrl !== undefined]).toEqual([provider.name, provider.pull !== undefined])
    expect([provider.name, traits?.reconcileUrl !== undefined]).toEqual([
      provider.name,
      provider.reconcile !== undefined,
    ])
  }
})
