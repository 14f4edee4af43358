/** The examples for Argo CD and Flux, against the schemas of both and a real API server. Neither of the two runs here. */
import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { TestCluster } from './support/cluster.js'
import { readExample } from './support/examples.js'
import { CHART, NAMESPACE, RELEASE, manifest, renderOne } from './support/helm.js'
import type { Values } from './support/helm.js'
import type { KubernetesObject } from './support/objects.js'

const FILES = ['argo-cd/application.yaml', 'flux/release.yaml', 'flux/helm-repository.yaml'] as const

interface Application extends KubernetesObject {
  readonly spec: {
    readonly source: {
      readonly repoURL: string
      readonly chart: string
      readonly targetRevision: string
      readonly helm: { readonly releaseName: string; readonly valuesObject: Values }
    }
    readonly destination: { readonly namespace: string }
  }
}

interface OciRepository extends KubernetesObject {
  readonly spec: { readonly url: string; readonly ref: { readonly tag: string } }
}

interface HelmRelease extends KubernetesObject {
  readonly spec: { readonly releaseName: string; readonly chartRef: { readonly name: string }; readonly values: Values }
}

const application = async (): Promise<Application> => parse(await readExample(FILES[0])) as Application
const flux = async (): Promise<[OciRepository, HelmRelease]> =>
  parseAllDocuments(await readExample(FILES[1])).map((each) => each.toJS() as object) as [OciRepository, HelmRelease]
/** The values of each tool's example, which are the chart's. */
const VALUES: Readonly<Record<string, () => Promise<Values>>> = {
  'Argo CD': async () => (await application()).spec.source.helm.valuesObject,
  Flux: async () => (await flux())[1].spec.values,
}

describe('The examples for Argo CD and Flux', () => {
  let cluster: TestCluster

  beforeAll(async () => {
    cluster = await TestCluster.start()
    // The definition of an Application is larger than an annotation may be, in which a client-side apply would store it.
    await cluster.must('kubectl', ['apply', '--server-side', '--filename', inject('chartTools').customResources])
    await cluster.must('kubectl', ['wait', '--for=condition=Established', '--timeout=60s', 'crd', '--all'])
    await cluster.must('kubectl', ['create', 'namespace', 'argocd'])
  })
  afterAll(() => cluster.stop())

  /** As `TestCluster.wouldTake`, in the namespaces that the objects name. */
  const taken = (objects: string): ReturnType<TestCluster['command']> => {
    const strictly = ['--dry-run=server', '--validate=strict', '--warnings-as-errors']
    return cluster.command('kubectl', ['create', ...strictly, '--namespace=', '--filename', '-'], objects)
  }

  it.each(FILES)('are accepted by a real API server, to the last key: %s', async (file) => {
    expect(await taken(await readExample(file))).toMatchObject({ ok: true, stderr: '' })
  })

  it.each([
    [FILES[0], 'targetRevision:', 'targetVersion:', /unknown field "spec.source.targetVersion"/],
    [FILES[1], 'mode: enabled', 'mode: on', /spec.driftDetection.mode/],
    [FILES[1], 'matchOIDCIdentity:', 'matchIdentity:', /unknown field "spec.verify.matchIdentity"/],
    [FILES[2], 'type: oci', 'type: git', /spec.type/],
  ])('would be refused with a mistake: %s with %s as %s', async (file, correct, wrong, reason) => {
    const text = (await readExample(file)).replace(correct, wrong)
    expect((await taken(text)).stderr).toMatch(reason)
  })

  it.each(Object.keys(VALUES))('have values with which the chart makes valid objects: %s', async (tool) => {
    const values = (await VALUES[tool]?.()) ?? {}
    expect(await cluster.wouldTake(await manifest({ values }))).toMatchObject({ ok: true, stderr: '' })
    const { data } = await renderOne('ConfigMap', { values }, 'sms-dlr-mo-connector')
    expect(data['connector.yaml']).toMatch(/password: \$\{MTARGET_PASSWORD\}/)
  })

  it('name one chart, release, version and namespace', async () => {
    const { version, name } = parse(await readFile(`${CHART}/Chart.yaml`, 'utf8')) as Record<string, string>
    const { source, destination } = (await application()).spec
    expect([source.chart, source.targetRevision, source.helm.releaseName, destination.namespace]).toEqual([
      name,
      version,
      RELEASE,
      NAMESPACE,
    ])
    const [repository, release] = await flux()
    expect(repository.spec).toMatchObject({ url: `oci://${source.repoURL}/${name}`, ref: { tag: version } })
    expect(release.spec).toMatchObject({ releaseName: RELEASE, chartRef: { name: repository.metadata.name } })
    const helmRepository = parse(await readExample(FILES[2])) as OciRepository
    expect(helmRepository.spec.url).toBe(`oci://${source.repoURL}`)
  })
})
