import { describe, expect, it } from 'vitest'
import { FULLNAME, NAMESPACE, render, renderOne, scenarioFile } from './support/helm.js'
import type { RenderOptions, Values } from './support/helm.js'
import type { ObjectOf, Rule } from './support/objects.js'

const policy = async (options?: RenderOptions): Promise<ObjectOf<'NetworkPolicy'>['spec']> =>
  (await renderOne('NetworkPolicy', options, FULLNAME)).spec
const ports = (rule: Rule): unknown[] => rule.ports.map(({ port }) => port)

/** The ports of the egress rules for brokers, registry, providers, the proxy and telemetry. */
const out = async (config: Values): Promise<unknown[][]> =>
  (await policy({ values: { config } })).egress.slice(1).map(ports)

describe('The network policy', () => {
  it('applies to the pods in both directions', async () => {
    const { podSelector, policyTypes } = await policy()
    const { spec } = await renderOne('StatefulSet')
    const labels = spec.template.metadata.labels
    expect(labels).toMatchObject(podSelector.matchLabels)
    expect(podSelector.matchExpressions[0].values).toContain(labels['app.kubernetes.io/component'])
    expect(policyTypes).toEqual(['Ingress', 'Egress'])
  })

  it('admits callbacks from anywhere, and admin requests from its own namespace', async () => {
    const [callbacks, admin] = (await policy()).ingress
    expect(ports(callbacks)).toEqual(['callbacks'])
    expect(callbacks.from).toBeUndefined()
    expect(ports(admin)).toEqual(['admin'])
    expect(admin.from).toContainEqual({ podSelector: {} })
  })

  it('admits the helm test in addition to configured peers', async () => {
    const { ingress } = await policy({ files: [scenarioFile('everything')] })
    const test = await renderOne('Pod')
    for (const rule of ingress.slice(0, 2)) {
      const peers = rule.from ?? []
      expect(peers).toHaveLength(2)
      expect(test.metadata.labels).toMatchObject(peers[1]?.podSelector?.matchLabels ?? { none: '' })
    }
    expect(test.metadata.namespace).toBe(NAMESPACE)
  })

  it('is accompanied by one for the helm test, which allows DNS and the connector where egress is denied', async () => {
    const test = await renderOne('Pod')
    const { spec, metadata } = await renderOne('NetworkPolicy', {}, test.metadata.name)
    expect(test.metadata.labels).toMatchObject(spec.podSelector.matchLabels)
    expect(metadata.annotations).toMatchObject({ 'helm.sh/hook': 'test', 'helm.sh/hook-weight': '-1' })
    expect(spec.policyTypes).toEqual(['Ingress', 'Egress'])
    expect(spec.ingress).toBeUndefined()
    const [names, connector] = spec.egress
    expect(names).toEqual((await policy()).egress[0])
    expect(ports(connector)).toEqual(['callbacks', 'admin'])
    const pods = (await renderOne('StatefulSet')).spec.selector
    expect(connector.to).toEqual([{ podSelector: pods }])
  })

  it('allows DNS through the cluster only', async () => {
    const [dns] = (await policy()).egress
    expect(dns.ports).toEqual([
      { port: 53, protocol: 'UDP' },
      { port: 53, protocol: 'TCP' },
    ])
    expect(dns.to).toContainEqual({
      namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'kube-system' } },
    })
  })

  it('opens the ports of the configuration', async () => {
    const sources = {
      a: { provider: 'mtarget', pull: { username: 'u', password: '${P}', url: 'http://127.0.0.1:4010/notification' } },
      b: { provider: 'seven', callback: { token: '${T}' }, reconcile: { apiKey: '${K}' } },
    }
    const config = { kafka: { brokers: ['a:9093', 'b:9093', 'c:9094'] }, registry: { url: 'https://r/apis' }, sources }
    expect(await out(config)).toEqual([[9093, 9094], [443], [4010, 443]])
    const telemetry = { otlp: { endpoint: 'http://otel-collector:4318' } }
    expect(await out({ ...config, telemetry })).toEqual([[9093, 9094], [443], [4010, 443], [4318]])
    const bySns = { provider: 'aws-sns', callback: { topicArns: ['arn:aws:sns:eu-west-1:123456789012:sms'] } }
    expect(await out({ ...config, sources: { c: bySns } })).toEqual([[9093, 9094], [443], [443]])
    const proxy = { url: 'http://proxy.example.com:3128' }
    expect(await out({ ...config, proxy })).toEqual([[9093, 9094], [443], [4010, 443], [3128]])
  })

  it.each([
    ['https://registry.example.com', 443],
    ['http://registry.example.com/apis/ccompat/v7', 80],
    ['https://registry.example.com:8443/x', 8443],
    ['http://[2001:db8::1]:8081', 8081],
    ['http://[2001:db8::1]/', 80],
    ['http://${REGISTRY_HOST}:8085/', 8085],
  ])('opens the port of the registry %s', async (url, port) => {
    const rules = await out({ registry: { url } })
    expect(rules[1]).toEqual([port])
  })

  it('opens the ports of the token endpoints', async () => {
    const { egress } = await policy({ files: [scenarioFile('everything')] })
    expect(ports(egress[3])).toEqual([443, 8443, 9443])
  })

  it('opens the listed ports where the configuration does not name them', async () => {
    const values = {
      config: { kafka: { brokers: '${BROKERS}' }, registry: { url: '${REGISTRY}' } },
      networkPolicy: { brokers: { ports: [9096] }, registry: { ports: [8085] } },
    }
    expect((await policy({ values })).egress.slice(1).map(ports)).toEqual([[9096], [8085]])
  })

  it('applies configured peers and rules', async () => {
    const { ingress, egress } = await policy({ files: [scenarioFile('everything')] })
    expect(egress[1].to).toEqual([{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'kafka' } } }])
    expect(egress[2].to).toEqual([{ ipBlock: { cidr: '198.51.100.7/32' } }])
    expect(egress[4].to).toEqual([{ ipBlock: { cidr: '198.51.100.9/32' } }])
    expect(egress[5].to).toEqual([{ ipBlock: { cidr: '203.0.113.0/24' } }])
    expect(ingress[2].from).toEqual([{ ipBlock: { cidr: '203.0.113.0/24' } }])
  })

  it('can be disabled', async () => {
    const objects = await render({ values: { networkPolicy: { enabled: false } } })
    expect(objects.map(({ kind }) => kind)).not.toContain('NetworkPolicy')
  })
})
