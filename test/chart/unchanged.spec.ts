/** What was installed once is left alone: by a second `helm upgrade`, and by tools that compare what runs with what the chart makes. */
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { TestCluster } from './support/cluster.js'
import {
  CHART,
  FULLNAME,
  NAMESPACE,
  RELEASE,
  SCENARIOS,
  manifest,
  render,
  renderOne,
  scenarioFile,
} from './support/helm.js'
import type { KubernetesObject } from './support/objects.js'

interface StoredObject extends KubernetesObject {
  readonly metadata: KubernetesObject['metadata'] & { readonly resourceVersion: string }
}

let cluster: TestCluster
let kinds: string

beforeAll(async () => {
  cluster = await TestCluster.start()
  const listable = await cluster.must('kubectl', ['api-resources', '--verbs=list', '--namespaced', '--output=name'])
  // An event says that something happened; it is no part of what was installed.
  kinds = listable
    .trim()
    .split('\n')
    .filter((kind) => !kind.startsWith('events'))
    .join(',')
})

afterAll(() => cluster.stop())
afterEach(() => cluster.command('helm', ['uninstall', RELEASE]))

/** Every object of the namespace, of whatever kind, except the records that Helm keeps of its releases. */
async function stored(): Promise<ReadonlyMap<string, StoredObject>> {
  const list = await cluster.must('kubectl', ['get', kinds, '--output=json'])
  const { items } = JSON.parse(list) as { items: StoredObject[] }
  return new Map(
    items
      .filter((object) => (object as { type?: string }).type !== 'helm.sh/release.v1')
      .map((object) => [nameOf(object), object]),
  )
}

function nameOf({ kind, metadata }: KubernetesObject): string {
  return `${kind}/${metadata.name}`
}

/** Returns the paths at which the chart writes another value than the API server has stored: `.spec.ports[0].port`. */
function differences(rendered: unknown, live: unknown, path = ''): string[] {
  if (Array.isArray(rendered)) {
    if (!Array.isArray(live) || live.length !== rendered.length) return [path]
    return rendered.flatMap((each, index) => differences(each, live[index], `${path}[${index}]`))
  }
  if (typeof rendered === 'object' && rendered !== null) {
    if (typeof live !== 'object' || live === null) return [path]
    return Object.entries(rendered).flatMap(([key, value]) =>
      differences(value, (live as Record<string, unknown>)[key], `${path}.${key}`),
    )
  }
  return rendered === live ? [] : [path]
}

describe.each(SCENARIOS)('Scenario %s', (scenario) => {
  const values = ['--values', scenarioFile(scenario)]

  it('is upgraded with the same values without a change of any object', async () => {
    await cluster.must('helm', ['install', RELEASE, CHART, ...values])
    const before = await stored()
    expect(before.size).toBeGreaterThan((await render({ files: [scenarioFile(scenario)] })).length / 2)
    await cluster.must('helm', ['upgrade', RELEASE, CHART, ...values])
    const after = await stored()
    const versions = (objects: ReadonlyMap<string, StoredObject>): object =>
      Object.fromEntries([...objects].map(([name, { metadata }]) => [name, metadata.resourceVersion]))
    expect(versions(after)).toEqual(versions(before))
    expect(after).toEqual(before)
  })

  it('is stored as the chart writes it, so that no tool finds a difference to undo', async () => {
    await cluster.must('helm', ['install', RELEASE, CHART, ...values])
    const live = await stored()
    const own = (await render({ files: [scenarioFile(scenario)] }))
      // A hook exists only while `helm test` runs.
      .filter(({ metadata }) => metadata.annotations?.['helm.sh/hook'] === undefined)
      .filter(({ metadata }) => metadata.namespace === undefined || metadata.namespace === NAMESPACE)
    expect(own.length).toBeGreaterThan(3)
    const found = own.flatMap((object) => {
      // The API server keeps a Secret's `stringData` as `data`, in Base64, and tools compare it so.
      const { stringData, ...rest } = object as KubernetesObject & { stringData?: Readonly<Record<string, string>> }
      const data = Object.entries(stringData ?? {}).map(([key, value]) => [key, Buffer.from(value).toString('base64')])
      const expected = stringData === undefined ? rest : { ...rest, data: Object.fromEntries(data) as object }
      return differences(expected, live.get(nameOf(object))).map((path) => `${nameOf(object)}${path}`)
    })
    expect(found).toEqual([])
  })

  it('is rendered twice to the same text', async () => {
    const options = { files: [scenarioFile(scenario)] }
    expect(await manifest(options)).toBe(await manifest(options))
  })
})

describe('The comparisons', () => {
  const values = ['--values', scenarioFile('default')]
  const altered = ['--set', 'resources.limits.cpu=2000m']

  it('find an object that an upgrade with other values changes', async () => {
    await cluster.must('helm', ['install', RELEASE, CHART, ...values])
    const before = await stored()
    await cluster.must('helm', ['upgrade', RELEASE, CHART, ...values, ...altered])
    const changed = [...(await stored())].filter(
      ([name, { metadata }]) => metadata.resourceVersion !== before.get(name)?.metadata.resourceVersion,
    )
    expect(changed.map(([name]) => name)).toEqual([`StatefulSet/${FULLNAME}`])
  })

  it('find a value that the API server stores in another form', async () => {
    await cluster.must('helm', ['install', RELEASE, CHART, ...values, ...altered])
    const set = await renderOne('StatefulSet', {
      files: [scenarioFile('default')],
      values: { resources: { limits: { cpu: '2000m' } } },
    })
    const found = differences(set, (await stored()).get(nameOf(set)))
    expect(found).toEqual(['.spec.template.spec.containers[0].resources.limits.cpu'])
  })
})

describe('The templates', () => {
  it('use nothing that differs from one rendering to the next', async () => {
    const folder = join(CHART, 'templates')
    const files = (await readdir(folder, { recursive: true })).filter((name) => /\.(yaml|tpl)$/.test(name))
    expect(files.length).toBeGreaterThan(10)
    const VARYING =
      /\b(now|ago|lookup|rand\w+|uuidv4|gen(CA|PrivateKey|SelfSignedCert\w*|SignedCert\w*)|htpasswd|bcrypt|encryptAES|getHostByName)\b|\.Release\.(Revision|IsInstall|IsUpgrade)\b/
    for (const file of files) {
      const actions = (await readFile(join(folder, file), 'utf8')).match(/\{\{[^]*?\}\}/g) ?? []
      const code = actions
        .filter((action) => !/^\{\{-? ?\/\*/.test(action))
        .map((action) => action.replace(/"[^"]*"/g, '""'))
      expect({ file, varying: code.filter((action) => VARYING.test(action)) }).toEqual({ file, varying: [] })
    }
  })
})
