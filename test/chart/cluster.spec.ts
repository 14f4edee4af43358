import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { retryFor } from '../../dev/wait.js'
import { TestCluster } from './support/cluster.js'
import type { Outcome } from './support/cluster.js'
import { EXAMPLES, exampleValues, readExample } from './support/examples.js'
import { CHART, FULLNAME, RELEASE, SCENARIOS, manifest, render, renderOne, scenarioFile } from './support/helm.js'
import type { RenderOptions } from './support/helm.js'
import type { KubernetesObject, ObjectOf } from './support/objects.js'

let cluster: TestCluster

beforeAll(async () => {
  cluster = await TestCluster.start()
})

afterAll(() => cluster.stop())

/** A pod as the StatefulSet controller would create it. */
async function firstPod(options: RenderOptions): Promise<object> {
  const { metadata, spec } = await renderOne('StatefulSet', options)
  const name = `${metadata.name}-0`
  const journal = { name: 'journal', persistentVolumeClaim: { claimName: `journal-${name}` } }
  const pod = spec.template
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...pod.metadata, name },
    spec: {
      ...pod.spec,
      volumes: [...pod.spec.volumes, ...(spec.volumeClaimTemplates === undefined ? [] : [journal])],
    },
  }
}

/** Creates what the pods refer to, so that they are not refused because of something that the test did not create. */
async function makePrerequisites(objects: readonly KubernetesObject[]): Promise<void> {
  const accounts = objects.filter(({ kind }) => kind === 'ServiceAccount').map((each) => JSON.stringify(each))
  if (accounts.length > 0) await cluster.must('kubectl', ['apply', '--filename', '-'], accounts.join('\n---\n'))
  const priority = {
    apiVersion: 'scheduling.k8s.io/v1',
    kind: 'PriorityClass',
    metadata: { name: 'messaging' },
    value: 1000,
  }
  await cluster.must('kubectl', ['apply', '--filename', '-'], JSON.stringify(priority))
}

describe('A real API server', () => {
  it.each(SCENARIOS)('accepts every object of scenario %s without a warning', async (scenario) => {
    expect(await cluster.wouldTake(await manifest({ files: [scenarioFile(scenario)] }))).toMatchObject({
      ok: true,
      stderr: '',
    })
  })

  it.each(SCENARIOS)(
    'admits the pods of scenario %s where the restricted Pod Security Standard is enforced',
    async (scenario) => {
      const options = { files: [scenarioFile(scenario)] }
      const objects = await render(options)
      await makePrerequisites(objects)
      const pods = [await firstPod(options), ...objects.filter(({ kind }) => kind === 'Pod')]
      expect(pods).toHaveLength(2)
      for (const pod of pods)
        expect(await cluster.wouldTake(JSON.stringify(pod))).toMatchObject({ ok: true, stderr: '' })
    },
  )

  it('refuses an unknown key, a wrong type and a privileged pod', async () => {
    const text = await manifest()
    expect((await cluster.wouldTake(text.replace('minReadySeconds:', 'minReadySecs:'))).stderr).toMatch(
      /unknown field "spec.minReadySecs"/,
    )
    expect((await cluster.wouldTake(text.replace('minReadySeconds: 10', 'minReadySeconds: ten'))).stderr).toMatch(
      /minReadySeconds/,
    )
    await makePrerequisites(await render())
    const pod = await firstPod({ values: { securityContext: { readOnlyRootFilesystem: true, capabilities: null } } })
    expect((await cluster.wouldTake(JSON.stringify(pod))).stderr).toMatch(
      /violates PodSecurity "restricted:latest": unrestricted capabilities/,
    )
    await cluster.must('kubectl', ['delete', 'serviceaccount', FULLNAME])
  })
})

describe('The examples', () => {
  it.each(EXAMPLES)('are accepted by a real API server: %s', async (name) => {
    const text = await manifest({ files: [exampleValues(name)] })
    expect(await cluster.wouldTake(text)).toMatchObject({ ok: true, stderr: '' })
  })

  it('include a job for draining a volume that a real API server accepts', async () => {
    expect(await cluster.wouldTake(await readExample('drain-volume.yaml'))).toMatchObject({ ok: true, stderr: '' })
  })
})

describe('A release', () => {
  const helm = (...args: string[]): Promise<string> => cluster.must('helm', args)
  const statefulSet = (): Promise<ObjectOf<'StatefulSet'>> => cluster.get('StatefulSet', FULLNAME)
  let before: string[]
  let first: ObjectOf<'StatefulSet'>

  it('is installed', async () => {
    await cluster.must('kubectl', ['delete', 'serviceaccount', '--selector', `app.kubernetes.io/instance=${RELEASE}`])
    before = await cluster.names()
    const output = await helm('install', RELEASE, CHART, '--values', scenarioFile('default'))
    expect(output).toMatch(/STATUS: deployed/)
    expect(output).toMatch(/Please note:/)
    first = await statefulSet()
    expect(first.spec.replicas).toBe(2)
  })

  it('is tested by a pod that is deleted on success and kept with its log on failure', async () => {
    const pod = `${FULLNAME}-smoke`
    const namesOfTest = async (): Promise<string[]> => (await cluster.names()).filter((name) => name.includes(pod))
    /** No node runs pods here, so the test reports the state that a node would report for this pod. */
    const tested = async (phase: 'Succeeded' | 'Failed'): Promise<Outcome> => {
      const testing = cluster.command('helm', ['test', RELEASE, '--timeout', '60s'])
      const status = JSON.stringify({ status: { phase } })
      await retryFor(
        () => cluster.must('kubectl', ['patch', 'pod', pod, '--subresource=status', '--type=merge', '--patch', status]),
        30_000,
      )
      return testing
    }
    expect(await tested('Succeeded')).toMatchObject({ ok: true })
    expect(await namesOfTest()).toEqual([])
    expect(await tested('Failed')).toMatchObject({ ok: false })
    expect(await namesOfTest()).toEqual([`pod/${pod}`])
    await cluster.must('kubectl', ['delete', 'pod', pod])
  })

  it('is upgraded to other values where a StatefulSet allows changes', async () => {
    const changes = [
      'replicas=3',
      'config.shutdownGrace=40s',
      'ingress.enabled=true',
      'ingress.hosts={sms.example.com}',
      'commonLabels.team=a',
    ]
    await helm('upgrade', RELEASE, CHART, '--reuse-values', ...changes.flatMap((change) => ['--set', change]))
    const { spec } = await statefulSet()
    expect(spec.replicas).toBe(3)
    expect(spec.template.spec.terminationGracePeriodSeconds).toBe(95)
    expect(spec.template.metadata.annotations['checksum/config']).not.toBe(
      first.spec.template.metadata.annotations['checksum/config'],
    )
    expect(await cluster.names()).toContain(`ingress.networking.k8s.io/${FULLNAME}`)
  })

  it('is upgraded to a later chart version without restarting pods', async () => {
    const template = async (): Promise<unknown> => (await statefulSet()).spec.template
    const earlier = await template()
    const chart = await mkdtemp(join(tmpdir(), 'dlrmo-chart-'))
    try {
      await cp(CHART, chart, { recursive: true })
      const file = join(chart, 'Chart.yaml')
      await writeFile(file, (await readFile(file, 'utf8')).replace(/^version: .*$/m, 'version: 99.0.0'))
      await helm('upgrade', RELEASE, chart, '--reuse-values')
    } finally {
      await rm(chart, { recursive: true })
    }
    expect((await statefulSet()).metadata.labels['helm.sh/chart']).toBe('dlr-mo-connector-99.0.0')
    expect(await template()).toEqual(earlier)
  })

  it('is rolled back to its earlier state', async () => {
    await helm('rollback', RELEASE, '1')
    expect((await statefulSet()).spec).toEqual(first.spec)
    expect(await cluster.names()).not.toContain(`ingress.networking.k8s.io/${FULLNAME}`)
  })

  it('leaves nothing but its volumes when it is uninstalled', async () => {
    await helm('uninstall', RELEASE)
    expect(await cluster.names()).toEqual(before)
  })
})

describe('The notes after an installation', () => {
  const notes = async (...args: string[]): Promise<string> => {
    const output = await cluster.must('helm', ['install', 'notes', CHART, '--dry-run=client', ...args])
    return output.slice(output.indexOf('\nNOTES:'))
  }
  const risks = (output: string): string[] => [...output.matchAll(/^ {2}! (.*)$/gm)].map(([, risk = '']) => risk)

  it('list no risk for a configuration without risks', async () => {
    const output = await notes('--values', scenarioFile('everything'))
    expect(risks(output)).toEqual([])
    expect(output).toContain('sms.example.com/callbacks/seven-main/<token>')
    expect(output).not.toContain('mtarget-fr')
  })

  it('list every risk of a trial installation', async () => {
    const output = risks(await notes('--values', scenarioFile('single')))
    const expected = [
      /persistence\.enabled is false: .* LOST/,
      /replicas is 1/,
      /seven-main\.callback is open/,
      /config\.kafka\.tls is not set/,
      /replicationFactor is 1/,
      /delivery is at-least-once/,
      /personalData is plain/,
      /networkPolicy\.enabled is false: any address may call the callbacks port/,
      /config\.admin\.token is not set/,
      /networkPolicy\.enabled is false: every pod of the cluster reaches the admin port/,
    ]
    expect(output).toHaveLength(expected.length)
    for (const [index, risk] of expected.entries()) expect(output[index]).toMatch(risk)
  })

  it.each([
    [
      ['config.kafka.sasl.password=x', 'config.kafka.sasl.mechanism=plain', 'config.kafka.sasl.username=u'],
      /config\.kafka\.sasl\.password is stored in a ConfigMap/,
    ],
    [
      ['config.kafka.sasl.mechanism=plain', 'config.kafka.sasl.username=u'],
      /and the credentials of kafka\.sasl, travel to the brokers unencrypted/,
    ],
    [
      ['config.registry.auth.token=${A}'],
      /plain http: anyone on the network path can change schemas, and read the credentials/,
    ],
    [['config.shutdownGrace=${GRACE}'], /config\.shutdownGrace is not known .* terminationGracePeriodSeconds/],
    [['config.sources.mtarget-fr.pull.timeout=${T}'], /config\.sources\.mtarget-fr\.pull\.timeout is not known/],
    [['config.kafka.brokers=${BROKERS}'], /config\.kafka\.brokers names no port .* networkPolicy\.brokers\.ports/],
    [['config.kafka.brokers[0]=a:9092', 'config.kafka.brokers[1]=${B}'], /config\.kafka\.brokers names no port/],
    [['config.registry.url=${REGISTRY}'], /config\.registry\.url names no port .* networkPolicy\.registry\.ports/],
    [['config.sources.mtarget-fr.pull.url=${URL}'], /config\.sources\.mtarget-fr\.pull\.url names no port/],
    [['persistence.size=2Gi'], /less than twice config\.journal\.maxBytes/],
    [['persistence.retention.whenScaled=Delete'], /LOST with its volume/],
    [['networkPolicy.adminFrom=null'], /adminFrom is empty/],
    [['networkPolicy.callbacksFrom=null'], /callbacksFrom is empty: any address may call the callbacks port/],
    [['ingress.enabled=true', 'ingress.hosts={a.example.com}'], /past the proxy too; name the pods of the ingress/],
    [['serviceMonitor.enabled=true'], /a Prometheus elsewhere cannot scrape/],
    [['ingress.enabled=true', 'ingress.hosts={a.example.com}'], /ingress\.tls is empty/],
    [['podDisruptionBudget.enabled=false'], /all replicas may be evicted at once/],
    [['image.tag=latest'], /image\.tag is latest/],
    [['replicas=0'], /nothing is taken in/],
  ])('warn about the settings %j', async (settings, risk) => {
    const output = risks(
      await notes('--values', scenarioFile('default'), ...settings.flatMap((each) => ['--set', each])),
    )
    expect(output.filter((each) => risk.test(each))).toHaveLength(1)
  })

  it('do not warn about unknown ports and times that are set explicitly', async () => {
    const given = [
      'config.shutdownGrace=${GRACE}',
      'terminationGracePeriodSeconds=90',
      'config.kafka.brokers=${BROKERS}',
      'networkPolicy.brokers.ports={9093}',
    ]
    const output = risks(await notes('--values', scenarioFile('default'), ...given.flatMap((each) => ['--set', each])))
    expect(output.filter((each) => /not known|names no port/.test(each))).toEqual([])
  })

  it('warn that a proxy hides the address of the caller', async () => {
    const output = await notes('--values', scenarioFile('everything'), '--set', 'config.callbacks.trustProxy=false')
    expect(risks(output)).toEqual([expect.stringMatching(/seven-main\.callback\.allowFrom sees the proxy's address/)])
  })
})
