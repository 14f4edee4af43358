import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { parseConfig } from '../../src/config/load.js'
import { EXAMPLES, exampleValues } from './support/examples.js'
import { FULLNAME, NAMESPACE, SCENARIOS, allOf, render, renderOne, scenarioFile } from './support/helm.js'
import type { RenderOptions, Values } from './support/helm.js'
import type { PodSpec } from './support/objects.js'

const text = async (options?: RenderOptions): Promise<string> =>
  (await renderOne('ConfigMap', options, options?.files ? undefined : FULLNAME)).data['connector.yaml'] ?? ''
const config = async (values?: Values): Promise<Record<string, unknown>> =>
  parse(await text({ values: values ?? {} })) as Record<string, unknown>

describe('connector.yaml', () => {
  it('is named after namespace and pod, keeps its journal on the volume and opens the admin port to probes', async () => {
    expect(await config()).toMatchObject({
      instance: '${POD_NAMESPACE}-${POD_NAME}',
      journal: { directory: '/var/lib/dlr-mo-connector/journal' },
      callbacks: { host: '0.0.0.0', port: 8080, drainDelay: '10s' },
      admin: { host: '0.0.0.0', port: 9464 },
    })
    const { env } = (await renderOne('StatefulSet')).spec.template.spec.containers[0]
    expect(env).toContainEqual({ name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } })
    expect(env).toContainEqual({ name: 'POD_NAMESPACE', valueFrom: { fieldRef: { fieldPath: 'metadata.namespace' } } })
  })

  it('lets replicas share the work by a group that no other release has, and one alone do all of it', async () => {
    expect((await config())['sharing']).toEqual({ group: `dlr-mo-connector.${NAMESPACE}.${FULLNAME}` })
    expect((await config({ replicas: 1 }))['sharing']).toBeUndefined()
    // Of several replicas that were, a drained volume has to know what the others have published.
    const group = `dlr-mo-connector.${NAMESPACE}.${FULLNAME}`
    expect((await config({ replicas: 0 }))['sharing']).toEqual({ group })
    expect((await config({ replicas: 1, config: { sharing: {} } }))['sharing']).toEqual({ group })
    const own = { group: 'dlr-mo-connector.mine', sessionTimeout: '20s' }
    expect((await config({ config: { sharing: own } }))['sharing']).toEqual(own)
  })

  it('carries all else of config as it is', async () => {
    const values = {
      config: {
        kafka: { brokers: ['a:1', 'b:2'], sasl: { mechanism: 'plain', username: '007', password: '${P}' } },
        journal: { maxBytes: 1073741824 },
        admin: { host: '::' },
        sources: { s: { provider: 'seven', callback: { token: 'x' }, ignoreEvents: ['rcs'] } },
      },
    }
    expect(await config(values)).toMatchObject(values.config)
    // As digits: the connector doesn't read 1.073741824e+09.
    expect(await text({ values })).toContain('maxBytes: 1073741824\n')
  })

  // Several ConfigMaps are rendered; the one with the configuration is found by its key.
  it.each([...SCENARIOS.map(scenarioFile), ...EXAMPLES.map(exampleValues)])(
    'is one that the connector takes: %s',
    async (file) => {
      const objects = allOf('ConfigMap', await render({ files: [file] }))
      const written = objects.map((object) => object.data['connector.yaml']).find((each) => each !== undefined)
      const names = [...String(written).matchAll(/\$\{([A-Z_]+)\}/g)].map(([, name]) => [name, 'value'])
      const { problems = [] } = parseConfig(String(written), Object.fromEntries(names) as Record<string, string>, 'pod')
      // Certificates and secrets are mounted in a cluster only.
      const others = problems.filter((problem) => !/does not exist/.test(problem.text))
      expect(others.map((problem) => `${problem.path.join('.')}: ${problem.text}`)).toEqual([])
    },
  )
})

describe('secrets', () => {
  const pod = async (values: Values): Promise<PodSpec> =>
    (await renderOne('StatefulSet', { values })).spec.template.spec

  it('are rendered from values, as environment and as files', async () => {
    const values = { secrets: { SEVEN_TOKEN: 'geheim', PIN: '0123' } }
    const secret = await renderOne('Secret', { values })
    expect(Buffer.from(secret.data['SEVEN_TOKEN'] ?? '', 'base64').toString()).toBe('geheim')
    expect(Buffer.from(secret.data['PIN'] ?? '', 'base64').toString()).toBe('0123')
    const { containers, volumes } = await pod(values)
    expect(containers[0].envFrom).toEqual([{ secretRef: { name: FULLNAME } }])
    expect(volumes).toContainEqual({ name: 'secrets', secret: { secretName: FULLNAME, defaultMode: 0o440 } })
    expect(containers[0].volumeMounts).toContainEqual({
      name: 'secrets',
      mountPath: '/run/secrets/connector',
      readOnly: true,
    })
  })

  it('are those of a Secret that exists, and none is rendered', async () => {
    const values = { existingSecret: 'mine' }
    expect((await render({ values })).map(({ kind }) => kind)).not.toContain('Secret')
    expect((await pod(values)).containers[0].envFrom).toEqual([{ secretRef: { name: 'mine' } }])
    expect((await pod(values)).volumes).toContainEqual({
      name: 'secrets',
      secret: { secretName: 'mine', defaultMode: 0o440 },
    })
  })

  it('stay out of the environment where that is wanted', async () => {
    const { containers, volumes } = await pod({ existingSecret: 'mine', secretsAsEnv: false })
    expect(containers[0].envFrom).toBeUndefined()
    expect(volumes).toContainEqual({ name: 'secrets', secret: { secretName: 'mine', defaultMode: 0o440 } })
  })

  it('are not needed', async () => {
    const { containers, volumes } = await pod({})
    expect(containers[0].envFrom).toBeUndefined()
    expect(volumes.map(({ name }) => name)).toEqual(['config'])
  })
})
