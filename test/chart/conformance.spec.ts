import { execFile } from 'node:child_process'
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { parse } from 'yaml'
import { KUBERNETES_VERSIONS } from '../../dev/chart/tools/schemas.js'
import { SCENARIOS, manifest, scenarioFile } from './support/helm.js'

const run = promisify(execFile)
const CRDS = new URL('crds/', import.meta.url)
let customSchemas: string

beforeAll(async () => {
  customSchemas = await mkdtemp(join(tmpdir(), 'dlrmo-crds-'))
  for (const file of await readdir(CRDS)) {
    const { spec } = parse(await readFile(new URL(file, CRDS), 'utf8'), { maxAliasCount: -1 }) as CustomResource
    const [version] = spec.versions
    const schema = closed(version.schema.openAPIV3Schema)
    Object.assign(schema.properties as object, { apiVersion: {}, kind: {}, metadata: {} })
    const group = spec.group.split('.')[0] ?? ''
    await writeFile(
      join(customSchemas, `${spec.names.kind.toLowerCase()}-${group}-${version.name}.json`),
      JSON.stringify(schema),
    )
  }
})

afterAll(() => rm(customSchemas, { recursive: true }))

interface CustomResource {
  spec: {
    group: string
    names: { kind: string }
    versions: [{ name: string; schema: { openAPIV3Schema: Record<string, unknown> } }]
  }
}

/** Closes every object of a schema, as an API server does for a custom resource under strict validation. */
function closed(schema: Record<string, unknown>): Record<string, unknown> {
  const copy = JSON.parse(JSON.stringify(schema), (_key, value: unknown) => {
    const isOpen = typeof value === 'object' && value !== null && 'properties' in value && 'type' in value
    return isOpen ? { ...value, additionalProperties: false } : value
  }) as Record<string, unknown>
  return copy
}

interface Finding {
  kind: string
  status: string
  msg: string
}

async function findings(text: string, version: string): Promise<Finding[]> {
  const { kubeconform, schemas } = inject('chartTools')
  const folder = '{{ .ResourceKind }}{{ .KindSuffix }}.json'
  const checking = run(kubeconform, [
    ...['-strict', '-output', 'json', '-verbose', '-kubernetes-version', version],
    ...['-schema-location', `${schemas}/{{ .NormalizedKubernetesVersion }}/${folder}`],
    ...['-schema-location', `${customSchemas}/${folder}`],
  ])
  checking.child.stdin?.end(text)
  // kubeconform ends with code 1 if it finds something; its findings are on standard output in both cases.
  const { stdout } = await checking.catch((error: unknown) => error as { stdout: string })
  return (JSON.parse(stdout) as { resources: Finding[] }).resources
}

describe.each(KUBERNETES_VERSIONS)('The schemas of Kubernetes %s', (version) => {
  it.each(SCENARIOS)('accept every key of scenario %s', async (scenario) => {
    const found = await findings(await manifest({ files: [scenarioFile(scenario)] }), version)
    expect(found.length).toBeGreaterThanOrEqual(5)
    expect(found.filter(({ status }) => status !== 'statusValid')).toEqual([])
  })
})

describe('The conformance check', () => {
  it('finds an unknown key, a wrong type, and an unknown key of a custom resource', async () => {
    const text = await manifest({ files: [scenarioFile('everything')] })
    const broken = text
      .replace('publishNotReadyAddresses: true', 'publishNotReadyAddreses: true')
      .replace(/minAvailable: 2/, 'minAvailable: [2]')
      .replace('scrapeTimeout: 10s', 'scrapeTimout: 10s')
    const found = (await findings(broken, '1.36.0')).filter(({ status }) => status === 'statusInvalid')
    expect(found.map(({ kind }) => kind).sort()).toEqual(['PodDisruptionBudget', 'Service', 'ServiceMonitor'])
  })
})
