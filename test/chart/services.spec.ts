import { describe, expect, it } from 'vitest'
import { FULLNAME, NAMESPACE, allOf, render, renderOne, scenarioFile } from './support/helm.js'
import type { Values } from './support/helm.js'
import type { ObjectOf } from './support/objects.js'

const service = (name: string, values: Values = {}): Promise<ObjectOf<'Service'>> =>
  renderOne('Service', { values }, name)
const kinds = async (values: Values): Promise<string[]> => (await render({ values })).map(({ kind }) => kind)
const everything = { files: [scenarioFile('everything')] }

describe('Services', () => {
  it('route callbacks to any ready replica', async () => {
    const { spec } = await service(FULLNAME)
    expect(spec).toMatchObject({ type: 'ClusterIP', ports: [{ name: 'http', port: 80, targetPort: 'callbacks' }] })
    expect(spec.publishNotReadyAddresses).toBeUndefined()
  })

  it('give each replica its own name, whether it is ready or not', async () => {
    const { spec } = await service(`${FULLNAME}-headless`)
    expect(spec).toMatchObject({
      clusterIP: 'None',
      publishNotReadyAddresses: true,
      ports: [{ port: 9464, targetPort: 'admin' }],
    })
    expect((await renderOne('StatefulSet')).spec.serviceName).toBe(`${FULLNAME}-headless`)
  })

  it('select the pods of the StatefulSet', async () => {
    const { spec } = await renderOne('StatefulSet')
    for (const name of [FULLNAME, `${FULLNAME}-headless`]) {
      expect((await service(name)).spec.selector).toEqual(spec.selector.matchLabels)
    }
    const ports = spec.template.spec.containers[0].ports.map(({ name }) => name)
    expect(ports).toEqual(['callbacks', 'admin'])
  })

  it('announce TLS if the connector serves TLS', async () => {
    const { spec } = await renderOne('Service', { files: [scenarioFile('callbacks-tls')] }, 'sms')
    expect(spec.ports).toMatchObject([{ name: 'https', appProtocol: 'https', port: 443 }])
  })

  it('can be a load balancer of a given class for given networks', async () => {
    const { spec, metadata } = await renderOne('Service', everything, FULLNAME)
    expect(metadata.annotations).toEqual({ 'example.com/internal': 'true' })
    expect(spec).toMatchObject({
      type: 'LoadBalancer',
      externalTrafficPolicy: 'Local',
      loadBalancerClass: 'example.com/lb',
      loadBalancerSourceRanges: ['192.0.2.0/24', '2001:db8::/32'],
    })
  })
})

describe('Access from outside', () => {
  it('reaches callbacks, but neither metrics nor status, through an Ingress', async () => {
    const { spec } = await renderOne('Ingress', everything)
    expect(spec.ingressClassName).toBe('nginx')
    expect(spec.tls).toEqual([{ secretName: 'sms-example-com', hosts: ['sms.example.com'] }])
    const backend = { service: { name: FULLNAME, port: { number: 8080 } } }
    expect(spec.rules).toEqual([
      { host: 'sms.example.com', http: { paths: [{ path: '/callbacks', pathType: 'Prefix', backend }] } },
    ])
  })

  it('reaches callbacks through an HTTPRoute of the Gateway API', async () => {
    const { spec } = await renderOne('HTTPRoute', everything)
    expect(spec.parentRefs).toEqual([{ name: 'public', namespace: 'gateways', sectionName: 'https' }])
    expect(spec.hostnames).toEqual(['sms.example.com'])
    expect(spec.rules).toEqual([
      {
        matches: [{ path: { type: 'PathPrefix', value: '/callbacks' } }],
        backendRefs: [{ name: FULLNAME, port: 8080 }],
      },
    ])
  })

  it('is not configured by default', async () => {
    expect(await kinds({})).not.toContain('Ingress')
    expect(await kinds({})).not.toContain('HTTPRoute')
  })
})

describe('The disruption budget', () => {
  const budget = async (values: Values): Promise<ObjectOf<'PodDisruptionBudget'>['spec']> =>
    (await renderOne('PodDisruptionBudget', { values: { podDisruptionBudget: values } })).spec

  it('allows the eviction of one replica at a time, and of a replica that is not ready at any time', async () => {
    expect(await budget({})).toMatchObject({ maxUnavailable: 1, unhealthyPodEvictionPolicy: 'AlwaysAllow' })
    expect((await budget({})).selector).toEqual((await renderOne('StatefulSet')).spec.selector)
  })

  it('accepts another number, a percentage, or a minimum', async () => {
    expect(await budget({ maxUnavailable: '50%' })).toMatchObject({ maxUnavailable: '50%' })
    expect(await budget({ minAvailable: 1 })).toMatchObject({ minAvailable: 1 })
    expect(await budget({ minAvailable: 1 })).not.toHaveProperty('maxUnavailable')
    expect(await budget({ minAvailable: 0 })).toMatchObject({ minAvailable: 0 })
  })

  it('can be disabled', async () => {
    expect(await kinds({ podDisruptionBudget: { enabled: false } })).not.toContain('PodDisruptionBudget')
  })
})

describe('The service account', () => {
  it('mounts no token into any pod', async () => {
    expect((await renderOne('ServiceAccount')).automountServiceAccountToken).toBe(false)
    expect((await renderOne('Pod')).spec.automountServiceAccountToken).toBe(false)
  })

  it('can be an existing one or the default one', async () => {
    const name = async (serviceAccount: Values): Promise<unknown> =>
      (await renderOne('StatefulSet', { values: { serviceAccount } })).spec.template.spec.serviceAccountName
    expect(await name({})).toBe(FULLNAME)
    expect(await name({ create: false })).toBe('default')
    expect(await name({ create: false, name: 'mine' })).toBe('mine')
    expect(await kinds({ serviceAccount: { create: false } })).not.toContain('ServiceAccount')
  })
})

describe('Every object', () => {
  it('is in the namespace of the release and carries its labels', async () => {
    const own = (await render(everything)).filter(({ metadata }) => !/-(note|text)$/.test(metadata.name))
    expect(own.length).toBeGreaterThan(10)
    for (const { metadata } of own) {
      expect(metadata.namespace).toBe(NAMESPACE)
      expect(metadata.labels).toMatchObject({
        team: 'messaging',
        'app.kubernetes.io/instance': 'sms',
        'helm.sh/chart': expect.stringMatching(/^dlr-mo-connector-/) as string,
      })
    }
  })

  it('has a valid name, however long the release name is', async () => {
    const values = { fullnameOverride: 'x'.repeat(52) }
    for (const { metadata } of await render({ values })) expect(metadata.name.length).toBeLessThanOrEqual(63)
  })

  it('has valid labels, however long the image tag is', async () => {
    const tag = `${'1'.repeat(62)}-rc.1`
    const { labels } = (await renderOne('StatefulSet', { values: { image: { tag } } })).metadata
    expect(labels['app.kubernetes.io/version']).toBe('1'.repeat(62))
  })

  it('may be an additional object that contains templates', async () => {
    const objects = allOf('ConfigMap', await render(everything))
    const note = (name: string): unknown => objects.find(({ metadata }) => metadata.name === name)?.data['note']
    expect(note('sms-note')).toBe(`for ${FULLNAME}`)
    expect(note('sms-text')).toBe('from text')
  })
})
