import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { EXAMPLES, exampleValues, readExample } from './support/examples.js'
import { CHART, FULLNAME, renderOne } from './support/helm.js'
import type { Values } from './support/helm.js'
import type { KubernetesObject, PodSpec } from './support/objects.js'

interface Job extends KubernetesObject {
  spec: { template: { metadata: { labels: Record<string, string> }; spec: PodSpec } }
}

describe('The job that drains a volume', () => {
  const job = async (): Promise<Job> => parse(await readExample('drain-volume.yaml'), { merge: true }) as Job
  const values = { replicas: 3, existingSecret: 'sms-connector' }

  it('has the instance, journal and configuration of the third replica', async () => {
    const { spec } = (await job()).spec.template
    const set = await renderOne('StatefulSet', { values })
    const pod = set.spec.template.spec
    const [drain = spec.containers[0]] = spec.initContainers ?? []
    expect(spec.containers).toEqual([{ ...drain, name: 'nothing-left' }])
    const [connector] = pod.containers
    expect(drain).toMatchObject({
      image: connector.image,
      args: ['run', '--drain', '--timeout', '30m'],
      envFrom: connector.envFrom,
      securityContext: connector.securityContext,
    })
    const pairs = (mounts: readonly unknown[]): unknown[] =>
      mounts
        .map((mount) => mount as { name: string; mountPath: string })
        .map(({ name, mountPath }) => [name, mountPath])
    expect(pairs(drain.volumeMounts).sort()).toEqual(pairs(connector.volumeMounts).sort())
    expect(drain.env.map(({ name }) => name)).toEqual(connector.env.map(({ name }) => name))
    const name = `${set.metadata.name}-2`
    expect(drain.env[0]).toEqual({ name: 'POD_NAME', value: name })
    expect(spec.volumes).toContainEqual({ name: 'journal', persistentVolumeClaim: { claimName: `journal-${name}` } })
    for (const volume of pod.volumes) expect(spec.volumes).toContainEqual(volume)
    expect(spec.securityContext).toEqual(pod.securityContext)
  })

  it('is selected by the network policy and by no Service', async () => {
    const { labels } = (await job()).spec.template.metadata
    const { podSelector } = (await renderOne('NetworkPolicy', { values }, FULLNAME)).spec
    expect(labels).toMatchObject(podSelector.matchLabels)
    expect(podSelector.matchExpressions[0].values).toContain(labels['app.kubernetes.io/component'])
    const { selector } = (await renderOne('StatefulSet', { values })).spec
    expect(labels).not.toMatchObject(selector.matchLabels)
  })
})

describe('The example for Strimzi', () => {
  it('creates the topics that the connector publishes to, and the sharing topic', async () => {
    const topics = parseAllDocuments(await readExample('strimzi/kafka-topics.yaml')).map(
      (document) => (document.toJS() as KubernetesObject).metadata.name,
    )
    expect(topics).toEqual([
      'sms.dlr',
      'sms.mo',
      'sms.dead-letter',
      'sms.dead-letter-replays',
      'dlr-mo-connector.sources',
    ])
  })

  it('mounts the Secret of its KafkaUser', async () => {
    const user = parse(await readExample('strimzi/kafka-user.yaml')) as KubernetesObject
    const { spec } = await renderOne('StatefulSet', { files: [exampleValues('strimzi')] })
    expect(spec.template.spec.volumes).toContainEqual(
      expect.objectContaining({
        name: 'kafka-user',
        secret: expect.objectContaining({ secretName: user.metadata.name }) as object,
      }),
    )
  })
})

describe("The chart's README", () => {
  it('shows a first installation that is valid', async () => {
    const readme = await readFile(`${CHART}/README.md`, 'utf8')
    const values = parse(/```yaml\n([^]*?)```/.exec(readme)?.[1] ?? '') as Values
    const ingress = await renderOne('Ingress', { values })
    expect(ingress.spec.rules).toMatchObject([{ host: 'sms.example.com' }])
  })
})

describe('Every example', () => {
  it.each(EXAMPLES)('keeps credentials out of the configuration: %s', async (name) => {
    const { data } = await renderOne('ConfigMap', { files: [exampleValues(name)] })
    const secrets = (data['connector.yaml'] ?? '').match(/^ *(password|token|username): .*$/gm) ?? []
    expect(secrets.length).toBeGreaterThan(0)
    for (const line of secrets) expect(line).toMatch(/\$\{[A-Z_]+\}$/)
  })
})
