import { describe, expect, it } from 'vitest'
import { manifest, refusal } from './support/helm.js'
import type { Values } from './support/helm.js'

const callback = { provider: 'seven', callback: { token: '${T}' } }
const pull = { provider: 'mtarget', pull: { username: 'u', password: '${P}', timeout: '40s' } }

describe('values that contradict each other are refused with a sentence', () => {
  const cases: readonly [string, Values, RegExp][] = [
    ['no brokers', { config: { kafka: null } }, /config\.kafka\.brokers is missing: name at least one broker/],
    ['no registry', { config: { registry: null } }, /config\.registry\.url is missing/],
    ['no sources', { config: { sources: null } }, /config\.sources is empty/],
    ['an instance', { config: { instance: 'x' } }, /config\.instance must be unique per replica/],
    [
      'a journal directory',
      { config: { journal: { directory: '/x' } } },
      /config\.journal\.directory is the mount point of the volume/,
    ],
    ['a callbacks port', { config: { callbacks: { port: 80 } } }, /config\.callbacks\.port .* set service\.port\./],
    ['an admin port', { config: { admin: { port: 80 } } }, /config\.admin\.port is the container port/],
    [
      'two Secrets',
      { existingSecret: 'mine', secrets: { A: 'b' } },
      /existingSecret \(mine\) and secrets are both set/,
    ],
    [
      'too little time to stop',
      { terminationGracePeriodSeconds: 70, config: { sources: { pull } } },
      /terminationGracePeriodSeconds is 70, but the connector may take 70 s to stop/,
    ],
    [
      'a volume that the journal outgrows',
      { persistence: { size: '1Gi' } },
      /persistence\.size is 1Gi, but config\.journal\.maxBytes lets the journal grow to 1073741824 bytes/,
    ],
    [
      'a part of the node that the journal outgrows',
      { persistence: { enabled: false, size: '1Mi' } },
      /persistence\.size is 1Mi, but config\.journal\.maxBytes/,
    ],
    [
      'health that nobody can ask for',
      { config: { admin: { host: '127.0.0.1' } } },
      /config\.admin\.host is 127\.0\.0\.1, which cannot be reached from outside the container/,
    ],
    ['callbacks that nobody can make', { config: { callbacks: { host: 'localhost' } } }, /config\.callbacks\.host is/],
    ['an ingress without hosts', { ingress: { enabled: true } }, /ingress\.hosts is empty/],
    ['a route without a gateway', { httpRoute: { enabled: true } }, /httpRoute\.parentRefs is empty/],
    ['outside traffic to a ClusterIP', { service: { externalTrafficPolicy: 'Local' } }, /service\.type is ClusterIP/],
    [
      'source ranges without a load balancer',
      { service: { type: 'NodePort', loadBalancerSourceRanges: ['192.0.2.0/24'] } },
      /service\.type is NodePort: remove them/,
    ],
    [
      'both sides of a disruption budget',
      { podDisruptionBudget: { minAvailable: 1, maxUnavailable: 1 } },
      /minAvailable and maxUnavailable are both set/,
    ],
    ['a budget that allows none', { podDisruptionBudget: { maxUnavailable: 0 } }, /no node with a replica could ever/],
    ['a budget that keeps all', { podDisruptionBudget: { minAvailable: 2 } }, /minAvailable is 2 of 2 replicas/],
    ['a budget that keeps 51 %', { podDisruptionBudget: { minAvailable: '51%' } }, /minAvailable is 51% of 2 replicas/],
    [
      'a token that Prometheus is not given',
      { config: { admin: { token: '${T}' } }, serviceMonitor: { enabled: true } },
      /serviceMonitor\.tokenSecret is not/,
    ],
    ['alerts on metrics of nobody', { prometheusRule: { enabled: true } }, /serviceMonitor\.enabled is false/],
  ]

  it.each(cases)('%s', async (_name, values, sentence) => {
    expect(await refusal({ values })).toMatch(sentence)
  })

  it('all of them at once', async () => {
    const said = await refusal({ values: { ingress: { enabled: true }, httpRoute: { enabled: true } } })
    expect(said).toMatch(/ingress\.hosts is empty/)
    expect(said).toMatch(/httpRoute\.parentRefs is empty/)
  })

  it('no configuration at all', async () => {
    expect(await refusal({ values: { config: { kafka: null, registry: null, sources: null } } })).toMatch(
      /config is empty: give at least/,
    )
  })
})

describe('values at the edge of that are taken', () => {
  const cases: readonly [string, Values][] = [
    ['just enough time to stop', { terminationGracePeriodSeconds: 71, config: { sources: { pull } } }],
    ['a volume just larger than the journal', { persistence: { size: '1025Mi' } }],
    ['half of the replicas', { podDisruptionBudget: { minAvailable: '50%' } }],
    [
      'a time to stop that only the environment tells',
      { config: { shutdownGrace: '${GRACE}', sources: { callback } } },
    ],
    ['addresses of all', { config: { admin: { host: '::' }, callbacks: { host: '0.0.0.0' } } }],
  ]

  it.each(cases)('%s', async (_name, values) => {
    expect(await manifest({ values })).toMatch(/kind: StatefulSet/)
  })
})

describe('the schema of values', () => {
  const cases: readonly [string, Values, RegExp][] = [
    ['a key that is none', { replica: 3 }, /additional properties 'replica' not allowed/],
    [
      'a misspelt key inside',
      { persistence: { sise: '1Gi' } },
      /at '\/persistence': additional properties 'sise' not allowed/,
    ],
    [
      'a misspelt key of the connector',
      { config: { kafka: { tsl: true } } },
      /at '\/config\/kafka': additional properties 'tsl'/,
    ],
    ['a duration that is none', { config: { shutdownGrace: '20 seconds' } }, /at '\/config\/shutdownGrace'/],
    ['text for a number', { replicas: 'two' }, /at '\/replicas': got string, want integer/],
    ['less than none', { replicas: -1 }, /at '\/replicas': minimum: got -1, want 0/],
    ['a secret that no variable can be called', { secrets: { 'a-b': 'c' } }, /'a-b' does not match pattern/],
    ['a secret that is no text', { secrets: { PIN: 123 } }, /at '\/secrets\/PIN': got number, want string/],
    ['a digest that is none', { image: { digest: 'latest' } }, /at '\/image\/digest'/],
    ['an access mode for many', { persistence: { accessMode: 'ReadWriteMany' } }, /at '\/persistence\/accessMode'/],
  ]

  it.each(cases)('refuses %s', async (_name, values, sentence) => {
    expect(await refusal({ values })).toMatch(sentence)
  })

  it('lets a parent chart hand down what it does', async () => {
    expect(await manifest({ values: { global: { imageRegistry: 'x' }, enabled: true } })).toMatch(/kind: StatefulSet/)
  })
})
