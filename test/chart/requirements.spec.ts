import { describe, expect, it } from 'vitest'
import { manifest, refusal } from './support/helm.js'
import type { Values } from './support/helm.js'

const callback = { provider: 'seven', callback: { token: '${T}' } }
const pull = { provider: 'mtarget', pull: { username: 'u', password: '${P}', timeout: '40s' } }

describe('The chart refuses contradictory values with an explanation', () => {
  const cases: readonly [string, Values, RegExp][] = [
    ['missing brokers', { config: { kafka: null } }, /config\.kafka\.brokers is missing: name at least one broker/],
    ['a missing registry', { config: { registry: null } }, /config\.registry\.url is missing/],
    ['missing sources', { config: { sources: null } }, /config\.sources is empty/],
    ['a configured instance', { config: { instance: 'x' } }, /config\.instance must be unique per replica/],
    [
      'a configured journal directory',
      { config: { journal: { directory: '/x' } } },
      /config\.journal\.directory is the mount point of the volume/,
    ],
    [
      'a configured callbacks port',
      { config: { callbacks: { port: 80 } } },
      /config\.callbacks\.port .* set service\.port\./,
    ],
    [
      'two directories of descriptions',
      {
        config: { providers: { directory: '/x' } },
        providers: { descriptions: { 'example.yaml': 'provider: example' } },
      },
      /config\.providers\.directory and providers\.descriptions are both set/,
    ],
    ['a configured admin port', { config: { admin: { port: 80 } } }, /config\.admin\.port is the container port/],
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
      'ephemeral storage that the journal outgrows',
      { persistence: { enabled: false, size: '1Mi' } },
      /persistence\.size is 1Mi, but config\.journal\.maxBytes/,
    ],
    [
      'an admin host that probes cannot reach',
      { config: { admin: { host: '127.0.0.1' } } },
      /config\.admin\.host is 127\.0\.0\.1, which cannot be reached from outside the container/,
    ],
    [
      'a callbacks host that nobody can reach',
      { config: { callbacks: { host: 'localhost' } } },
      /config\.callbacks\.host is/,
    ],
    ['an ingress without hosts', { ingress: { enabled: true } }, /ingress\.hosts is empty/],
    ['a route without a gateway', { httpRoute: { enabled: true } }, /httpRoute\.parentRefs is empty/],
    [
      'a traffic policy for a ClusterIP Service',
      { service: { externalTrafficPolicy: 'Local' } },
      /service\.type is ClusterIP/,
    ],
    [
      'source ranges without a load balancer',
      { service: { type: 'NodePort', loadBalancerSourceRanges: ['192.0.2.0/24'] } },
      /service\.type is NodePort: remove them/,
    ],
    [
      'a disruption budget with both limits',
      { podDisruptionBudget: { minAvailable: 1, maxUnavailable: 1 } },
      /minAvailable and maxUnavailable are both set/,
    ],
    [
      'a disruption budget that allows no disruption',
      { podDisruptionBudget: { maxUnavailable: 0 } },
      /no node with a replica could ever/,
    ],
    [
      'a disruption budget that keeps all replicas',
      { podDisruptionBudget: { minAvailable: 2 } },
      /minAvailable is 2 of 2 replicas/,
    ],
    [
      'a disruption budget that keeps 51 % of two replicas',
      { podDisruptionBudget: { minAvailable: '51%' } },
      /minAvailable is 51% of 2 replicas/,
    ],
    [
      'an admin token that the ServiceMonitor does not send',
      { config: { admin: { token: '${T}' } }, serviceMonitor: { enabled: true } },
      /serviceMonitor\.tokenSecret is not/,
    ],
    ['alerts without a ServiceMonitor', { prometheusRule: { enabled: true } }, /serviceMonitor\.enabled is false/],
  ]

  it.each(cases)('and names %s', async (_name, values, sentence) => {
    expect(await refusal({ values })).toMatch(sentence)
  })

  it('and reports several problems at once', async () => {
    const output = await refusal({ values: { ingress: { enabled: true }, httpRoute: { enabled: true } } })
    expect(output).toMatch(/ingress\.hosts is empty/)
    expect(output).toMatch(/httpRoute\.parentRefs is empty/)
  })

  it('and names everything that an empty configuration lacks', async () => {
    expect(await refusal({ values: { config: { kafka: null, registry: null, sources: null } } })).toMatch(
      /config is empty: give at least/,
    )
  })
})

describe('The chart accepts values at the limit', () => {
  const cases: readonly [string, Values][] = [
    ['just enough time to stop', { terminationGracePeriodSeconds: 71, config: { sources: { pull } } }],
    ['a volume just larger than the journal', { persistence: { size: '1025Mi' } }],
    ['a disruption budget that keeps half of the replicas', { podDisruptionBudget: { minAvailable: '50%' } }],
    ['a stop time that only the environment defines', { config: { shutdownGrace: '${GRACE}', sources: { callback } } }],
    ['wildcard addresses', { config: { admin: { host: '::' }, callbacks: { host: '0.0.0.0' } } }],
  ]

  it.each(cases)('such as %s', async (_name, values) => {
    expect(await manifest({ values })).toMatch(/kind: StatefulSet/)
  })
})

describe('The schema of values', () => {
  const cases: readonly [string, Values, RegExp][] = [
    ['an unknown key', { replica: 3 }, /additional properties 'replica' not allowed/],
    [
      'a misspelt nested key',
      { persistence: { sise: '1Gi' } },
      /at '\/persistence': additional properties 'sise' not allowed/,
    ],
    [
      'a misspelt key of the connector configuration',
      { config: { kafka: { tsl: true } } },
      /at '\/config\/kafka': additional properties 'tsl'/,
    ],
    ['a malformed duration', { config: { shutdownGrace: '20 seconds' } }, /at '\/config\/shutdownGrace'/],
    ['text for a number', { replicas: 'two' }, /at '\/replicas': got string, want integer/],
    ['a negative number of replicas', { replicas: -1 }, /at '\/replicas': minimum: got -1, want 0/],
    [
      'a secret whose name cannot be an environment variable',
      { secrets: { 'a-b': 'c' } },
      /'a-b' does not match pattern/,
    ],
    ['a secret that is not a string', { secrets: { PIN: 123 } }, /at '\/secrets\/PIN': got number, want string/],
    ['a malformed digest', { image: { digest: 'latest' } }, /at '\/image\/digest'/],
    [
      'an access mode for several nodes',
      { persistence: { accessMode: 'ReadWriteMany' } },
      /at '\/persistence\/accessMode'/,
    ],
  ]

  it.each(cases)('refuses %s', async (_name, values, sentence) => {
    expect(await refusal({ values })).toMatch(sentence)
  })

  it('accepts the values that a parent chart passes down', async () => {
    expect(await manifest({ values: { global: { imageRegistry: 'x' }, enabled: true } })).toMatch(/kind: StatefulSet/)
  })
})
