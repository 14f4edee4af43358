import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { RELOADED_KEYS, RESTART_IF_ADDED_OR_REMOVED, RESTART_KEYS } from '../../src/config/reload.js'
import { FULLNAME, MINIMAL, renderOne, scenarioFile } from './support/helm.js'
import type { RenderOptions } from './support/helm.js'
import type { Container, ObjectOf, PodSpec } from './support/objects.js'

const statefulSet = (options?: RenderOptions): Promise<ObjectOf<'StatefulSet'>> => renderOne('StatefulSet', options)
const podSpec = async (options?: RenderOptions): Promise<PodSpec> => (await statefulSet(options)).spec.template.spec
const container = async (options?: RenderOptions): Promise<Container> => (await podSpec(options)).containers[0]

describe('The journal', () => {
  it('is on a volume per replica that is kept after scaling down and uninstalling', async () => {
    const { spec } = await statefulSet()
    expect(spec.replicas).toBe(2)
    expect(spec.volumeClaimTemplates).toMatchObject([
      {
        metadata: { name: 'journal' },
        spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '10Gi' } } },
      },
    ])
    expect(spec.persistentVolumeClaimRetentionPolicy).toEqual({ whenDeleted: 'Retain', whenScaled: 'Retain' })
    expect((await container()).volumeMounts).toContainEqual({ name: 'journal', mountPath: '/var/lib/dlr-mo-connector' })
  })

  it('has a claim without labels that an upgrade would change', async () => {
    const { spec } = await statefulSet({ values: { commonLabels: { team: 'a' }, podLabels: { tier: 'b' } } })
    expect(Object.keys(spec.volumeClaimTemplates?.[0].metadata.labels ?? {})).toEqual(
      Object.keys(spec.selector.matchLabels).filter((label) => !label.endsWith('component')),
    )
  })

  it('is in a size-limited emptyDir if persistence is disabled', async () => {
    const { spec } = await statefulSet({ values: { persistence: { enabled: false, size: '3Gi' } } })
    expect(spec.volumeClaimTemplates).toBeUndefined()
    expect(spec.template.spec.volumes).toContainEqual({ name: 'journal', emptyDir: { sizeLimit: '3Gi' } })
  })

  it('uses the configured storage class and access mode', async () => {
    const { spec } = await statefulSet({
      values: { persistence: { storageClassName: 'fast', accessMode: 'ReadWriteOncePod', size: '20Gi' } },
    })
    expect(spec.volumeClaimTemplates?.[0].spec).toEqual({
      accessModes: ['ReadWriteOncePod'],
      storageClassName: 'fast',
      resources: { requests: { storage: '20Gi' } },
    })
  })
})

describe('Descriptions of aggregators', () => {
  const text = 'provider: example\ntitle: Example "SMS" {{ braces }}\n'
  const values = { providers: { descriptions: { 'example.yaml': text } }, restartOnChange: false }

  it('are files of a ConfigMap in the directory that the configuration names', async () => {
    const { data } = await renderOne('ConfigMap', { values }, `${FULLNAME}-providers`)
    expect(data).toEqual({ 'example.yaml': text })
    const spec = await podSpec({ values })
    expect(spec.volumes).toContainEqual({ name: 'providers', configMap: { name: `${FULLNAME}-providers` } })
    const mountPath = '/etc/dlr-mo-connector-providers'
    expect(spec.containers[0].volumeMounts).toContainEqual({ name: 'providers', mountPath, readOnly: true })
    const configuration = (await renderOne('ConfigMap', { values }, FULLNAME)).data['connector.yaml']
    expect(parse(configuration ?? '')).toMatchObject({ providers: { directory: mountPath } })
  })

  it('restart the pods when they change, unless restartOnChange is false', async () => {
    const changed = { 'example.yaml': `${text}# changed` }
    const templateOf = async (more: object) => (await statefulSet({ values: { ...values, ...more } })).spec.template
    expect(await templateOf({ providers: { descriptions: changed } })).toEqual(await templateOf({}))
    const restarting = await templateOf({ restartOnChange: true })
    expect(await templateOf({ restartOnChange: true, providers: { descriptions: changed } })).not.toEqual(restarting)
  })

  it('are no part of a release that has none', async () => {
    expect((await podSpec()).volumes.map(({ name }) => name)).not.toContain('providers')
  })
})

describe('A pod', () => {
  it('satisfies the restricted Pod Security Standard', async () => {
    const spec = await podSpec()
    expect(spec).toMatchObject({
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      securityContext: {
        runAsNonRoot: true,
        runAsUser: 10001,
        fsGroup: 10001,
        seccompProfile: { type: 'RuntimeDefault' },
      },
    })
    expect(spec.containers[0].securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    })
  })

  it('has no user and groups if they are set to null for OpenShift', async () => {
    const { securityContext } = await podSpec({ files: [scenarioFile('openshift')] })
    expect(securityContext).toEqual({
      runAsNonRoot: true,
      fsGroupChangePolicy: 'OnRootMismatch',
      seccompProfile: { type: 'RuntimeDefault' },
    })
  })

  it('has probes that depend on custody and on the process, not on Kafka', async () => {
    const { startupProbe, livenessProbe, readinessProbe } = await container()
    expect(startupProbe.httpGet).toEqual({ path: '/livez', port: 'admin' })
    expect(livenessProbe.httpGet).toEqual({ path: '/livez', port: 'admin' })
    expect(readinessProbe.httpGet).toEqual({ path: '/readyz', port: 'admin' })
    expect(startupProbe.periodSeconds * startupProbe.failureThreshold).toBeGreaterThanOrEqual(300)
  })

  it('has a grace period longer than draining, the longest pull and publishing together', async () => {
    const sources = {
      fast: { provider: 'mtarget', pull: { username: 'a', password: '${B}', timeout: '5s' } },
      slow: { provider: 'mtarget', pull: { username: 'a', password: '${B}', timeout: '2m' } },
    }
    const config = { callbacks: { drainDelay: '1500ms' }, shutdownGrace: '1m', sources }
    expect((await podSpec({ values: { config } })).terminationGracePeriodSeconds).toBe(Math.ceil(1.5 + 120 + 60) + 15)
    // No source is pulled: 10 s + 20 s.
    expect((await podSpec()).terminationGracePeriodSeconds).toBe(45)
    // A pull without a timeout uses the connector's default, 30 s.
    const mtarget = { provider: 'mtarget', pull: { username: 'a', password: '${B}' } }
    expect((await podSpec({ values: { config: { sources: { mtarget } } } })).terminationGracePeriodSeconds).toBe(75)
    expect((await podSpec({ values: { terminationGracePeriodSeconds: 300 } })).terminationGracePeriodSeconds).toBe(300)
  })

  it('is spread over nodes and zones by its own labels', async () => {
    const { spec } = await statefulSet()
    const constraints = spec.template.spec.topologySpreadConstraints
    expect(constraints.map(({ topologyKey }) => topologyKey)).toEqual([
      'kubernetes.io/hostname',
      'topology.kubernetes.io/zone',
    ])
    for (const { labelSelector } of constraints) expect(labelSelector).toEqual(spec.selector)
  })

  it('keeps the labelSelector of a configured spread constraint', async () => {
    const own = {
      maxSkew: 2,
      topologyKey: 'rack',
      whenUnsatisfiable: 'DoNotSchedule',
      labelSelector: { matchLabels: { a: 'b' } },
    }
    expect((await podSpec({ values: { topologySpreadConstraints: [own] } })).topologySpreadConstraints).toEqual([own])
  })

  it('has the additional environment, volumes and mounts', async () => {
    const spec = await podSpec({ files: [scenarioFile('everything')] })
    const names = spec.containers[0].env.map(({ name }) => name)
    expect(names).toEqual(['POD_NAME', 'POD_NAMESPACE', 'CONNECTOR_CONFIG', 'TZ', 'NODE_NAME'])
    expect(spec.containers[0].envFrom).toContainEqual({ configMapRef: { name: 'site', optional: true } })
    expect(spec.containers[0].volumeMounts).toContainEqual({
      name: 'authorities',
      mountPath: '/etc/authorities',
      readOnly: true,
    })
    expect(spec.volumes).toContainEqual({ name: 'authorities', configMap: { name: 'authorities' } })
  })

  it('runs the version of the chart, a configured tag, or a digest', async () => {
    expect((await container()).image).toMatch(/^dlr-mo-connector:[0-9]+\.[0-9]+\.[0-9]+$/)
    expect((await container({ values: { image: { repository: 'r.example/x', tag: '2' } } })).image).toBe(
      'r.example/x:2',
    )
    const digest = `sha256:${'a'.repeat(64)}`
    expect((await container({ values: { image: { tag: '2', digest } } })).image).toBe(`dlr-mo-connector@${digest}`)
  })

  it('is selected by Service, budget and policy, while the helm test is not', async () => {
    const { spec } = await statefulSet({ values: { podLabels: { tier: 'edge' } } })
    expect(spec.template.metadata.labels).toMatchObject({ ...spec.selector.matchLabels, tier: 'edge' })
    const test = await renderOne('Pod')
    expect(test.metadata.labels).not.toMatchObject(spec.selector.matchLabels)
  })
})

describe('A change of values', () => {
  const annotations = async (values: object): Promise<Readonly<Record<string, string>>> =>
    (await statefulSet({ values: { ...MINIMAL, ...values } })).spec.template.metadata.annotations

  it('restarts the pods only if the configuration or rendered secrets changed', async () => {
    const before = await annotations({ secrets: { A: '1' } })
    const changed = { ...(MINIMAL['config'] as object), shutdownGrace: '21s' }
    expect((await annotations({ secrets: { A: '1' }, config: changed }))['checksum/config']).not.toBe(
      before['checksum/config'],
    )
    expect((await annotations({ secrets: { A: '2' } }))['checksum/secrets']).not.toBe(before['checksum/secrets'])
    expect(
      await annotations({ secrets: { A: '1' }, commonLabels: { a: 'b' }, prometheusRule: { oldestAgeSeconds: 9 } }),
    ).toEqual(before)
  })

  /** The configuration of MINIMAL with another value of a key, which the schema of the values must accept. */
  const changedConfig = (key: string): Record<string, unknown> => {
    const [section = '', name] = key.split('.')
    const config = { ...(MINIMAL['config'] as Record<string, Record<string, unknown>>) }
    const values: Readonly<Record<string, unknown>> = {
      'kafka.delivery': 'at-least-once',
      'kafka.transactionTimeout': '61s',
      'kafka.topics': { dlr: 'other' },
      'callbacks.host': '::',
      'admin.host': '::',
      journal: { maxBytes: '2GiB' },
      duplicates: { maxIds: 5 },
      sharing: { group: 'other' },
      log: { level: 'debug' },
      records: { mo: { text: 'masked' } },
      telemetry: { otlp: { endpoint: 'http://otel:4318' } },
      'callbacks.bodyLimit': '2MiB',
      'callbacks.maxConnections': 5_000,
      'callbacks.maxRefusedPerMinute': 5,
      'callbacks.trustProxy': true,
      'callbacks.drainDelay': '11s',
      'callbacks.tls': { cert: 'a', key: 'b' },
      'callbacks.tls.clientCa': { cert: 'a', key: 'b', clientCa: 'c' },
      'admin.token': '${T}',
      kafka: { ...config['kafka'], requestTimeout: '6s' },
      registry: { ...config['registry'], register: false },
      proxy: { url: 'http://proxy:3128' },
      shutdownGrace: '21s',
      sources: { other: { provider: 'seven', callback: { token: '${T}' } } },
    }
    if (!(key in values)) throw new Error(`give ${key} another value in this test`)
    const value = values[key]
    return name === undefined
      ? { ...config, [section]: value }
      : { ...config, [section]: { ...config[section], [key.startsWith('callbacks.tls') ? 'tls' : name]: value } }
  }

  it('restarts no pod with restartOnChange: false, except for a key that takes effect at a restart only', async () => {
    const annotationsOf = async (config: unknown, more = {}) => annotations({ restartOnChange: false, config, ...more })
    const before = await annotationsOf(MINIMAL['config'])
    expect(Object.keys(before)).toContain('checksum/restart-keys')
    expect(await annotationsOf(MINIMAL['config'], { secrets: { A: '2' } })).toEqual(before)
    // The chart decides these keys itself.
    const decided = ['instance', 'callbacks.port', 'admin.port']
    const restarting = [...RESTART_KEYS, ...RESTART_IF_ADDED_OR_REMOVED].filter((key) => !decided.includes(key))
    for (const key of restarting) expect(await annotationsOf(changedConfig(key)), key).not.toEqual(before)
    const reloaded = RELOADED_KEYS.filter((key) => !RESTART_IF_ADDED_OR_REMOVED.includes(key) && key !== 'providers')
    for (const key of reloaded) expect(await annotationsOf(changedConfig(key)), key).toEqual(before)
    expect(await annotationsOf(MINIMAL['config'], { replicas: 1 })).not.toEqual(before)
  })
})
