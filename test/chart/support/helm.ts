import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { inject } from 'vitest'
import { parseAllDocuments, stringify } from 'yaml'
import type { Kind, KubernetesObject, ObjectOf } from './objects.js'

const run = promisify(execFile)

export const CHART = fileURLToPath(new URL('../../../helm', import.meta.url))
export const NAMESPACE = 'messaging'
export const RELEASE = 'sms'
/** What the chart calls its objects in release RELEASE. */
export const FULLNAME = 'sms-dlr-mo-connector'

/** Files of `helm/ci`, by their names without `-values.yaml`. */
export const SCENARIOS: readonly string[] = readdirSync(`${CHART}/ci`).map((name) => basename(name, '-values.yaml'))

export const scenarioFile = (name: string): string => `${CHART}/ci/${name}-values.yaml`

export type Values = Readonly<Record<string, unknown>>

/** Enough for the chart to be installed. */
export const MINIMAL: Values = {
  config: {
    kafka: { brokers: ['kafka:9092'] },
    registry: { url: 'http://registry:8081' },
    sources: { 'seven-main': { provider: 'seven', callback: { token: '${SEVEN_TOKEN}' } } },
  },
}

export interface RenderOptions {
  /** Values files, before `values`. */
  readonly files?: readonly string[]
  /** On top of MINIMAL, or of the files where there are any. */
  readonly values?: Values
  readonly chart?: string
}

/** What Helm would apply, as text. */
export async function manifest({ files = [], values = {}, chart = CHART }: RenderOptions = {}): Promise<string> {
  const arguments_ = ['template', RELEASE, chart, '--namespace', NAMESPACE]
  const child = run(
    inject('chartTools').helm,
    [...arguments_, ...files.flatMap((file) => ['--values', file]), '--values', '-'],
    { maxBuffer: 16 * 1024 * 1024 },
  )
  child.child.stdin?.end(stringify(files.length === 0 ? merged(MINIMAL, values) : values))
  return (await child).stdout
}

export async function render(options?: RenderOptions): Promise<KubernetesObject[]> {
  return parseAllDocuments(await manifest(options))
    .map((document) => document.toJS() as KubernetesObject | null)
    .filter((object) => object !== null)
}

/** The only object of its kind (and name, where there are several). */
export async function renderOne<K extends Kind>(kind: K, options?: RenderOptions, name?: string): Promise<ObjectOf<K>> {
  const found = allOf(kind, await render(options)).filter(
    ({ metadata }) => name === undefined || metadata.name === name,
  )
  const [only] = found
  if (only === undefined || found.length > 1) throw new Error(`${found.length} objects are a ${kind} ${name ?? ''}`)
  return only
}

export function allOf<K extends Kind>(kind: K, objects: readonly KubernetesObject[]): ObjectOf<K>[] {
  return objects.filter((object): object is ObjectOf<K> => object.kind === kind)
}

/** Returns the error output of Helm, which must refuse the values. */
export async function refusal(options: RenderOptions): Promise<string> {
  try {
    await manifest(options)
  } catch (error) {
    return (error as { stderr: string }).stderr
  }
  throw new Error('Helm took the values')
}

/** As Helm merges values over a chart's: maps key by key, all else as a whole, and null takes a key away. */
function merged(base: Values, over: Values): Values {
  const result: Record<string, unknown> = { ...base }
  for (const [key, value] of Object.entries(over)) {
    const below = result[key]
    if (value === null) delete result[key]
    else result[key] = isMap(below) && isMap(value) ? merged(below, value) : value
  }
  return result
}

function isMap(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
