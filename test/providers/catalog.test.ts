import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseConfig } from '../../src/config/load.js'
import { collectFiles, type FileDigests } from '../../src/config/read-file.js'
import { diffConfigs } from '../../src/config/reload.js'
import { ConnectorError } from '../../src/core/errors.js'
import { ProviderCatalog } from '../../src/providers/catalog.js'
import { formatProblem } from '../../src/yaml/problem.js'
import { descriptionOf, RECEIPT } from './described/support.js'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'dlrmo-providers-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const describeInFile = (
  name: string,
  text = descriptionOf(RECEIPT).replace('provider: example', `provider: ${name}`),
) => writeFileSync(join(directory, `${name}.yaml`), text)

describe('The catalog of providers', () => {
  it('has the coded providers, those that the connector describes, and those of the directory', () => {
    describeInFile('example')
    const { names } = new ProviderCatalog(directory)
    expect(names.slice(0, 2)).toEqual(['mtarget', 'seven'])
    expect(names).toEqual(expect.arrayContaining(['twilio', 'sinch', 'example']))
    expect(new Set(names).size).toBe(names.length)
    expect(new ProviderCatalog(directory).provider('example').name).toBe('example')
  })

  it('prefers a description of the user to its own, but never to a coded provider', () => {
    describeInFile('twilio')
    describeInFile('seven')
    const catalog = new ProviderCatalog(directory)
    const received = {
      via: 'CALLBACK' as const,
      receivedAt: 0,
      facts: { method: 'POST', path: '', query: '' },
      body: Buffer.from('id=1&state=ok'),
    }
    const [item] = catalog.provider('twilio').decode(received, { textFields: [], ignoreEvents: [] })
    expect(item).toMatchObject({ kind: 'dlr', messageId: '1' })
    expect(catalog.provider('seven').reconcile).toBeDefined()
  })

  it('refuses a file that is not named after its provider', () => {
    describeInFile('other', descriptionOf(RECEIPT))
    expect(() => new ProviderCatalog(directory).provider('other')).toThrow(/name the file example\.yaml/)
  })

  it('says which directory it can not read', () => {
    const missing = join(directory, 'missing')
    expect(() => new ProviderCatalog(missing)).toThrow(ConnectorError)
    expect(() => new ProviderCatalog(missing)).toThrow(missing)
  })
})

describe('A configuration with a directory of descriptions', () => {
  const configurationOf = (provider: string, keys = 'callback: {open: true}'): string => `
kafka: {brokers: '127.0.0.1:9092'}
registry: {url: 'http://127.0.0.1:8081'}
providers: {directory: ${JSON.stringify(directory)}}
sources:
  one: {provider: ${provider}, ${keys}}
`
  const parse = (text: string) => parseConfig(text, {}, 'host', (each) => new ProviderCatalog(each))
  const problemsOf = (text: string) => (parse(text).problems ?? []).map((each) => formatProblem('c.yaml', each))

  it('takes sources of a provider that is described there, and of one that the connector describes', () => {
    describeInFile('example')
    expect(problemsOf(configurationOf('example'))).toEqual([])
    expect(problemsOf(configurationOf('twilio'))).toEqual([])
    expect(parse(configurationOf('example')).config?.sources.get('one')?.provider).toBe('example')
  })

  it('differs after a change of a description, so that a reload notices it, and names the file as one of its own', () => {
    describeInFile('example')
    const files: FileDigests = new Map()
    const before = collectFiles(files, () => parse(configurationOf('example')).config)
    describeInFile('example', `${descriptionOf(RECEIPT)}\n# changed`)
    const after = parse(configurationOf('example')).config
    expect(diffConfigs(before, after)).toMatchObject([{ path: ['sources', 'one', 'descriptionDigest'] }])
    expect([...files.keys()]).toEqual([join(directory, 'example.yaml')])
  })

  it('names the nearest provider if there is none of that name', () => {
    describeInFile('example')
    expect(problemsOf(configurationOf('exampel')).join()).toMatch(/one of mtarget, seven, .*the nearest is example/)
  })

  it('shows the place in the file of a description that can not be used', () => {
    describeInFile('example', descriptionOf(RECEIPT.replace('DELIVERED', 'DELIVRD')).replace('title', 'titel'))
    const [problem = ''] = problemsOf(configurationOf('example'))
    expect(problem).toMatch(/^c\.yaml:6:\d+ sources\.one\.provider: its description can't be used: /)
    expect(problem).toContain(`${join(directory, 'example.yaml')}:2:1 titel: unknown key`)
    expect(problem).toContain('found "DELIVRD"')
  })

  it('refuses to pull from a provider that is only described for callbacks', () => {
    mkdirSync(join(directory, 'ignored'))
    describeInFile('example')
    expect(problemsOf(configurationOf('example', 'pull: {username: u, password: p}')).join()).toContain(
      'sources.one.pull: is supported for provider mtarget only',
    )
  })
})
