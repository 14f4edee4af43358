/**
 * `providers list` and `show` present the aggregators that a source can name. `providers test` runs the samples of a
 * description, and `providers new` begins one from a captured request. None of them needs a configuration, Kafka or a registry.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { PROVIDER_NAME_EXPECTED, PROVIDER_NAME_PATTERN } from '../config/provider-traits.js'
import { ConnectorError, messageOf } from '../core/errors.js'
import { ProviderCatalog, type ProviderSummary } from '../providers/catalog.js'
import { parseCapturedRequest, receivedFromCapture } from '../providers/described/captured-request.js'
import { loadDescription } from '../providers/described/load.js'
import { describedProvider } from '../providers/described/provider.js'
import { checkSamples, type SampleResult } from '../providers/described/samples.js'
import { writeSkeleton } from '../providers/described/skeleton.js'
import type { Item } from '../providers/provider.js'
import { printOutput } from './output.js'

export interface ProvidersOptions {
  readonly json: boolean
  /** As `providers.directory` of the configuration. */
  readonly directory?: string
}

export interface TestProviderOptions {
  readonly json: boolean
  /** The file of a captured request that is decoded in place of the samples. */
  readonly request?: string
}

export interface NewProviderOptions {
  readonly request: string
  /** The file to write. If left out, the description goes to standard output. */
  readonly output?: string
}

const PASSED = 0
const REFUSED = 2

/** @throws ConnectorError CONFIG_INVALID: the directory can't be read */
export async function listProviders({ json, directory }: ProvidersOptions): Promise<number> {
  const summaries = new ProviderCatalog(directory).summaries()
  const rows = summaries.map(({ name, title, items, file }) => [name, items.join(', '), title, file ?? 'in code'])
  await printOutput(json ? `${JSON.stringify(summaries)}\n` : toTable(['name', 'receives', 'title', 'from'], rows))
  return summaries.some(({ problem }) => problem !== undefined) ? REFUSED : PASSED
}

/** @throws ConnectorError CONFIG_INVALID: there is no such provider, or its description has problems */
export async function showProvider(name: string, { json, directory }: ProvidersOptions): Promise<number> {
  const catalog = new ProviderCatalog(directory)
  const { names } = catalog
  if (!names.includes(name)) {
    throw new ConnectorError('USAGE', `there is no provider named ${name}; the providers are ${names.join(', ')}`)
  }
  const summary = catalog.summary(name)
  if (summary.problem !== undefined) throw new ConnectorError('CONFIG_INVALID', summary.problem)
  await printOutput(json ? `${JSON.stringify(summary)}\n` : formatProvider(summary))
  return PASSED
}

/**
 * @returns 0 if each sample gives the items that it names, or if a captured request gives no dead letter; else 2
 * @throws ConnectorError CONFIG_INVALID: the description has problems; USAGE: the request can't be read
 */
export async function testProvider(file: string, { json, request }: TestProviderOptions): Promise<number> {
  const { description } = loadDescription(file)
  const provider = describedProvider(description)
  if (request !== undefined) {
    const received = receivedFromCapture(parseCapturedRequest(readRequest(request)))
    const items = [...provider.decode(received, { textFields: [], ignoreEvents: [] })]
    await printOutput(json ? `${JSON.stringify({ items: items.map(toJsonItem) })}\n` : formatItems(items))
    return items.some(({ kind }) => kind === 'dead-letter') ? REFUSED : PASSED
  }
  const results = checkSamples(description, provider)
  const isRefused = results.length === 0 || results.some(({ differences }) => differences.length > 0)
  const output = { ok: !isRefused, provider: description.provider, samples: results.map(toJsonResult) }
  await printOutput(json ? `${JSON.stringify(output)}\n` : formatResults(results))
  return isRefused ? REFUSED : PASSED
}

/** @throws ConnectorError USAGE: the request can't be read, or the file can't be written */
export async function newProvider(name: string, { request, output }: NewProviderOptions): Promise<number> {
  if (!new RegExp(PROVIDER_NAME_PATTERN).test(name)) {
    throw new ConnectorError('USAGE', `${name} can't be the name of a provider; use ${PROVIDER_NAME_EXPECTED}`)
  }
  const skeleton = writeSkeleton(name, parseCapturedRequest(readRequest(request)))
  if (output === undefined) {
    await printOutput(skeleton)
    return PASSED
  }
  try {
    writeFileSync(output, skeleton, { flag: 'wx' })
  } catch (error) {
    throw new ConnectorError('USAGE', `${output} can't be written: ${messageOf(error)}`)
  }
  const isNamedAfterProvider = basename(output) === `${name}.yaml`
  const hint = isNamedAfterProvider ? '' : `; a source finds it only in a file named ${name}.yaml`
  await printOutput(`${output} is written${hint}. Correct it, and run: dlr-mo-connector providers test ${output}\n`)
  return PASSED
}

function readRequest(file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (error) {
    throw new ConnectorError('USAGE', `the captured request ${file} can't be read: ${messageOf(error)}`)
  }
}

const formatProvider = (summary: ProviderSummary): string => {
  const { name, title, items, verification, file, documents = [], attested, unattested, problem } = summary
  const rows: [string, string | undefined][] = [
    ['name', name],
    ['title', title],
    ['receives', items.join(', ')],
    ['signed by', verification],
    ['from', file ?? 'in code'],
    ...documents.map((each): [string, string] => ['document', each]),
    ['attested', attested],
    ['unattested', unattested],
    ['problem', problem],
  ]
  const text = rows.flatMap(([label, value]) =>
    value === undefined ? [] : [`${label.padEnd(LABEL_WIDTH)}  ${value}\n`],
  )
  return `${text.join('')}${file === undefined ? '' : `\n${readFileSync(file, 'utf8')}`}`
}

const LABEL_WIDTH = 'unattested'.length

const toJsonResult = ({ sample, items, differences }: SampleResult) => ({
  sample: sample.name,
  ok: differences.length === 0,
  differences,
  items: items.map(toJsonItem),
})

const toJsonItem = ({ body, ...item }: Item) => ({ ...item, body: Buffer.from(body).toString('base64') })

const formatResults = (results: readonly SampleResult[]): string => {
  if (results.length === 0) return 'The description has no samples; add at least one for each of its items.\n'
  const texts = results.map(({ sample, items, differences }) => {
    const verdict = differences.length === 0 ? 'ok    ' : 'failed'
    return [`${verdict}  ${sample.name}\n`, ...differences.map((each) => `        ${each}\n`), formatItems(items)].join(
      '',
    )
  })
  return texts.join('\n')
}

const NOT_SHOWN = new Set(['kind', 'body', 'raw'])

/** One block for each item, with the fields that it has. */
const formatItems = (items: readonly Item[]): string =>
  items
    .map((item) => {
      const fields = Object.entries(item).filter(([name, value]) => !NOT_SHOWN.has(name) && value !== null)
      const rows = fields.map(([name, value]): [string, string] => [name, formatValue(name, value)])
      const width = Math.max(...rows.map(([name]) => name.length))
      return `  ${item.kind}\n${rows.map(([name, value]) => `    ${name.padEnd(width)}  ${value}\n`).join('')}`
    })
    .join('')

const formatValue = (name: string, value: unknown): string => {
  if (name === 'occurredAt' && typeof value === 'number') return new Date(value).toISOString()
  return typeof value === 'string' ? value : JSON.stringify(value)
}

const toTable = (head: readonly string[], rows: readonly (readonly string[])[]): string => {
  const widths = head.map((name, column) => Math.max(name.length, ...rows.map((row) => row[column]!.length)))
  return [head, ...rows]
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column]!))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('')
}
