import { describe, expect, it } from 'vitest'
import { FULLNAME, NAMESPACE, allOf, render, renderOne, scenarioFile } from './support/helm.js'
import type { Values } from './support/helm.js'
import type { ObjectOf } from './support/objects.js'

const service = (name: string, values: Values = {}): Promise<ObjectOf<'Service'>> =>
  renderOne('Service', { values }, name)
const kinds = async (values: Values): Promise<string[]> => (await render({ values })).map(({ kind }) => kind)
const everything = { files: [scenarioFile('everything')] }

describe('Services', () => {
  it('lead callbacks to any replica that is ready', async () => {
    const { spec } = await service(FULLNAME)
    expect(spec).toMatchObject({ type: 'ClusterIP', ports: [{ name: 'http', port: 80, targetPort: 'callbacks' }] })
    expect(spec.publishNotReadyAddresses).toBeUndefined()
  })

  it('give each replica a name, ready or not, for what is asked of one only', async () => {
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

  it('say that they speak TLS where the connector does', async () => {
    const { spec } = await renderOne('Service', { files: [scenarioFile('callbacks-tls')] }, 'sms')
    expect(spec.ports).toMatchObject([{ name: 'https', appProtocol: 'https', port: 443 }])
  })

  it('can be a load balancer of one kind for some networks', async () => {
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

describe('from outside', () => {
  it('an ingress reaches callbacks, and neither metrics nor status', async () => {
    const { spec } = await renderOne('Ingress', everything)
    expect(spec.ingressClassName).toBe('nginx')
    expect(spec.tls).toEqual([{ secretName: 'sms-example-com', hosts: ['sms.example.com'] }])
    const backend = { service: { name: FULLNAME, port: { number: 8080 } } }
    expect(spec.rules).toEqual([
      { host: 'sms.example.com', http: { paths: [{ path: '/callbacks', pathType: 'Prefix', backend }] } },
    ])
  })

  it('so does a route of the Gateway API', async () => {
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

  it('nobody reaches anything by default', async () => {
    expect(await kinds({})).not.toContain('Ingress')
    expect(await kinds({})).not.toContain('HTTPRoute')
  })
})

describe('the disruption budget', () => {
  const budget = async (values: Values): Promise<ObjectOf<'PodDisruptionBudget'>['spec']> =>
    (await renderOne('PodDisruptionBudget', { values: { podDisruptionBudget: values } })).spec

  it('lets one replica go at a time, and one that is not ready always', async () => {
    expect(await budget({})).toMatchObject({ maxUnavailable: 1, unhealthyPodEvictionPolicy: 'AlwaysAllow' })
    expect((await budget({})).selector).toEqual((await renderOne('StatefulSet')).spec.selector)
  })

  it('takes another number, a percentage, or what must stay', async () => {
    expect(await budget({ maxUnavailable: '50%' })).toMatchObject({ maxUnavailable: '50%' })
    expect(await budget({ minAvailable: 1 })).toMatchObject({ minAvailable: 1 })
    expect(await budget({ minAvailable: 1 })).not.toHaveProperty('maxUnavailable')
    expect(await budget({ minAvailable: 0 })).toMatchObject({ minAvailable: 0 })
  })

  it('can be left out', async () => {
    expect(await kinds({ podDisruptionBudget: { enabled: false } })).not.toContain('PodDisruptionBudget')
  })
})

describe('the service account', () => {
  it('has no token in any pod', async () => {
    expect((await renderOne('ServiceAccount')).automountServiceAccountToken).toBe(false)
    expect((await renderOne('Pod')).spec.automountServiceAccountToken).toBe(false)
  })

  it('can be another, or the default one', async () => {
    const name = async (serviceAccount: Values): Promise<unknown> =>
      (await renderOne('StatefulSet', { values: { serviceAccount } })).spec.template.spec.serviceAccountName
    expect(await name({})).toBe(FULLNAME)
    expect(await name({ create: false })).toBe('default')
    expect(await name({ create: false, name: 'mine' })).toBe('mine')
    expect(await kinds({ serviceAccount: { create: false } })).not.toContain('ServiceAccount')
  })
})

describe('every object', () => {
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

  it('has a name that Kubernetes takes, however long the release is called', async () => {
    const values = { fullnameOverride: 'x'.repeat(52) }
    for (const { metadata } of await render({ values })) expect(metadata.name.length).toBeLessThanOrEqual(63)
  })

  it('has labels that Kubernetes takes, however long the tag is', async () => {
    const tag = `${'1'.repeat(62)}-rc.1`
    const { labels } = (await renderOne('StatefulSet', { values: { image: { tag } } })).metadata
    expect(labels['app.kubernetes.io/version']).toBe('1'.repeat(62))
  })

  it('may be one of your own, with templates in it', async () => {
    const objects = allOf('ConfigMap', await render(everything))
    const note = (name: string): unknown => objects.find(({ metadata }) => metadata.name === name)?.data['note']
    expect(note('sms-note')).toBe(`for ${FULLNAME}`)
    expect(note('sms-text')).toBe('from text')
  })
})
