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

describe('The rendered connector.yaml', () => {
  it('names the instance after namespace and pod, keeps the journal on the volume and opens the admin port to probes', async () => {
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

  it('lets several replicas share the work in a group of their release, and lets a single replica do all of it', async () => {
    expect((await config())['sharing']).toEqual({ group: `dlr-mo-connector.${NAMESPACE}.${FULLNAME}` })
    expect((await config({ replicas: 1 }))['sharing']).toBeUndefined()
    // With no replicas left, a job that drains a volume still has to look up what other replicas published.
    const group = `dlr-mo-connector.${NAMESPACE}.${FULLNAME}`
    expect((await config({ replicas: 0 }))['sharing']).toEqual({ group })
    expect((await config({ replicas: 1, config: { sharing: {} } }))['sharing']).toEqual({ group })
    const own = { group: 'dlr-mo-connector.mine', sessionTimeout: '20s' }
    expect((await config({ config: { sharing: own } }))['sharing']).toEqual(own)
  })

  it('contains everything else of config unchanged', async () => {
    const values = {
      config: {
        kafka: { brokers: ['a:1', 'b:2'], sasl: { mechanism: 'plain', username: '007', password: '${P}' } },
        journal: { maxBytes: 1073741824 },
        admin: { host: '::' },
        sources: { s: { provider: 'seven', callback: { token: 'x' }, ignoreEvents: ['rcs'] } },
      },
    }
    expect(await config(values)).toMatchObject(values.config)
    // Digits are needed, because the connector does not accept 1.073741824e+09.
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

describe('Secrets', () => {
  const pod = async (values: Values): Promise<PodSpec> =>
    (await renderOne('StatefulSet', { values })).spec.template.spec

  it('are rendered from values as environment variables and as files', async () => {
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

  it('come from an existing Secret, and none is rendered', async () => {
    const values = { existingSecret: 'mine' }
    expect((await render({ values })).map(({ kind }) => kind)).not.toContain('Secret')
    expect((await pod(values)).containers[0].envFrom).toEqual([{ secretRef: { name: 'mine' } }])
    expect((await pod(values)).volumes).toContainEqual({
      name: 'secrets',
      secret: { secretName: 'mine', defaultMode: 0o440 },
    })
  })

  it('are kept out of the environment with secretsAsEnv: false', async () => {
    const { containers, volumes } = await pod({ existingSecret: 'mine', secretsAsEnv: false })
    expect(containers[0].envFrom).toBeUndefined()
    expect(volumes).toContainEqual({ name: 'secrets', secret: { secretName: 'mine', defaultMode: 0o440 } })
  })

  it('are optional', async () => {
    const { containers, volumes } = await pod({})
    expect(containers[0].envFrom).toBeUndefined()
    expect(volumes.map(({ name }) => name)).toEqual(['config'])
  })
})
