/** What GitHub reads in `.github`, as far as it can be checked without GitHub. */
import { accessSync, constants, existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'

const ROOT = join(import.meta.dirname, '..')
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
const readYaml = <T>(path: string): T => parse(read(path)) as T
const list = (folder: string): string[] => readdirSync(join(ROOT, folder))

interface Step {
  readonly uses?: string
  readonly run?: string
  readonly with?: Readonly<Record<string, unknown>>
}

interface Job {
  readonly needs?: string | readonly string[]
  readonly uses?: string
  readonly permissions?: Readonly<Record<string, string>>
  readonly 'timeout-minutes'?: number
  readonly environment?: string
  readonly strategy?: { readonly matrix: { readonly node?: readonly number[] } }
  readonly steps?: readonly Step[]
}

interface Workflow {
  readonly on: Readonly<Record<string, unknown>>
  readonly permissions: Readonly<Record<string, string>>
  readonly jobs: Readonly<Record<string, Job>>
}

const WORKFLOWS = list('.github/workflows').map((name) => `.github/workflows/${name}`)
const SCRIPTS = list('.github/scripts').map((name) => `.github/scripts/${name}`)
const ci = readYaml<Workflow>('.github/workflows/ci.yml')
const release = readYaml<Workflow>('.github/workflows/release.yml')

const stepsOf = (workflow: Workflow): Step[] => Object.values(workflow.jobs).flatMap(({ steps }) => steps ?? [])
const needsOf = (job: Job): string[] => [job.needs ?? []].flat()

/** The jobs that a job waits for, directly or through others. */
const ancestorsOf = (workflow: Workflow, name: string): string[] =>
  needsOf(workflow.jobs[name] as Job).flatMap((each) => [each, ...ancestorsOf(workflow, each)])

describe.each(WORKFLOWS)('%s', (path) => {
  const workflow = readYaml<Workflow>(path)

  it('gives no permission to all of its jobs but to read the source', () => {
    expect([{}, { contents: 'read' }]).toContainEqual(workflow.permissions)
  })

  it('limits the time of every job', () => {
    const limitless = Object.entries(workflow.jobs).filter(([, job]) => !job.uses && !job['timeout-minutes'])
    expect(limitless.map(([name]) => name)).toEqual([])
  })

  it('names every action by commit, with its version behind it', () => {
    const uses = read(path).match(/^.*\buses: (?!\.\/).*$/gm) ?? []
    expect(uses.length).toBeGreaterThan(0)
    expect(uses.filter((line) => !/uses: [\w.-]+\/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(line))).toEqual([])
  })

  it('names each action by one commit only', () => {
    const commits = new Map<string, Set<string>>()
    for (const { uses = '' } of stepsOf(workflow)) {
      const [action = '', commit = ''] = uses.split('@')
      commits.set(action, (commits.get(action) ?? new Set()).add(commit))
    }
    expect([...commits].filter(([, each]) => each.size > 1)).toEqual([])
  })

  it('leaves no token of GitHub in the checkout', () => {
    const checkouts = stepsOf(workflow).filter(({ uses }) => uses?.startsWith('actions/checkout@'))
    expect(checkouts.filter(({ with: options }) => options?.['persist-credentials'] !== false)).toEqual([])
  })

  it('puts no text from outside into a shell command', () => {
    const commands = stepsOf(workflow).flatMap(({ run }) => run ?? [])
    expect(commands.filter((run) => run.includes('${{'))).toEqual([])
  })

  it('calls scripts that exist and can be executed', () => {
    const called = stepsOf(workflow).flatMap(({ run }) => run?.match(/(?:\.github\/scripts|\.ci)\/[\w.-]+/g) ?? [])
    expect(called.length).toBeGreaterThan(0)
    for (const script of called) expect(() => accessSync(join(ROOT, script), constants.X_OK), script).not.toThrow()
  })
})

describe('CI', () => {
  const { engines } = JSON.parse(read('package.json')) as { engines: { node: string } }
  const nodes = ci.jobs['test']?.strategy?.matrix.node ?? []

  it('runs .ci/run on every version of Node.js that is supported', () => {
    expect(ci.jobs['test']?.steps?.map(({ run }) => run)).toContain('.ci/run')
    expect(nodes).toEqual([20, 22, 24])
    expect(/^>=(\d+)\./.exec(engines.node)?.[1]).toBe(String(nodes[0]))
  })

  it('is for the versions of Node.js that CONTRIBUTING.md names', () => {
    expect(read('CONTRIBUTING.md')).toContain(`${nodes.slice(0, -1).join(', ')} and ${nodes.at(-1)}`)
  })

  it('runs for pushes, for pull requests and before a release', () => {
    expect(Object.keys(ci.on)).toEqual(expect.arrayContaining(['push', 'pull_request', 'workflow_call']))
  })

  it('asks npm for advisories in a job of its own', () => {
    expect(ci.jobs['audit']?.steps?.map(({ run }) => run?.split(' --')[0])).toContain('npm audit')
  })

  it('caches what the stack and the chart tools download under the versions that they name', () => {
    const hashed = [...read('.github/workflows/ci.yml').matchAll(/hashFiles\((.*?)\)/g)].flatMap(([, files = '']) =>
      files.split(', ').map((file) => file.replaceAll("'", '').replace('/**', '')),
    )
    expect(hashed.length).toBeGreaterThan(1)
    expect(hashed.filter((file) => !existsSync(join(ROOT, file)))).toEqual([])
  })
})

describe('A release', () => {
  /** Each job that can write to a registry or to the releases. */
  const publishing = Object.entries(release.jobs).filter(([, { permissions = {} }]) =>
    ['packages', 'id-token', 'contents'].some((scope) => permissions[scope] === 'write'),
  )

  it('begins with a tag of a version, and with nothing else', () => {
    expect(release.on).toEqual({ push: { tags: ['v*'] } })
  })

  it('publishes nothing before the version is checked and CI has passed', () => {
    expect(release.jobs['ci']?.uses).toBe('./.github/workflows/ci.yml')
    expect(publishing.map(([name]) => name)).toEqual(['image-build', 'image', 'chart', 'npm', 'github-release'])
    for (const [name] of publishing) {
      expect(ancestorsOf(release, name), name).toEqual(expect.arrayContaining(['version', 'ci']))
    }
  })

  it('waits for an approval before it publishes anything, and again before npm', () => {
    const approved = Object.keys(release.jobs).filter((name) => release.jobs[name]?.environment === 'release')
    expect(approved).toEqual(['image-build', 'npm'])
    for (const [name] of publishing) {
      expect(
        [name, ...ancestorsOf(release, name)].some((each) => approved.includes(each)),
        name,
      ).toBe(true)
    }
  })

  it.each(['image', 'chart', 'npm'])('signs what the job %s publishes, and attests its provenance', (name) => {
    const { steps = [], permissions } = release.jobs[name] as Job
    expect(permissions).toMatchObject({ 'id-token': 'write', attestations: 'write' })
    expect(steps.some(({ run }) => /^cosign sign(-blob)? --yes /.test(run ?? ''))).toBe(true)
    const provenances = steps.filter((step) => step.uses?.startsWith('actions/attest@') && !step.with?.['sbom-path'])
    expect(provenances).toHaveLength(1)
  })

  it.each(['image-build', 'chart', 'npm'])('attests a bill of materials to what the job %s publishes', (name) => {
    const { steps = [] } = release.jobs[name] as Job
    expect(steps.filter(({ with: options }) => options?.['sbom-path'])).toHaveLength(1)
  })

  it('names no owner', () => {
    const images = WORKFLOWS.concat(SCRIPTS).flatMap((path) => read(path).match(/^[^#*\n]*ghcr\.io\/[\w-]+/gm) ?? [])
    expect(images).toEqual([])
  })

  it('uses every script', () => {
    const texts = [...WORKFLOWS, ...SCRIPTS].map((path) => [path, read(path)] as const)
    const unused = SCRIPTS.filter((script) => !texts.some(([path, text]) => path !== script && text.includes(script)))
    expect(unused).toEqual([])
  })
})

describe('An issue form', () => {
  interface Element {
    readonly type: string
    readonly id?: string
    readonly attributes: {
      readonly label?: string
      readonly value?: string
      readonly options?: readonly (string | { readonly label: string })[]
    }
  }
  interface Form {
    readonly name: string
    readonly description: string
    readonly labels: readonly string[]
    readonly body: readonly Element[]
  }
  const FOLDER = '.github/ISSUE_TEMPLATE'
  const forms = list(FOLDER).filter((name) => name !== 'config.yml')

  it.each(forms)('%s has what GitHub demands', (file) => {
    const { name, description, labels, body } = readYaml<Form>(`${FOLDER}/${file}`)
    expect([name, description, labels.join()].every(Boolean)).toBe(true)
    const inputs = body.filter(({ type }) => type !== 'markdown')
    expect(inputs.length).toBeGreaterThan(0)
    for (const { type, id, attributes } of inputs) {
      expect(['textarea', 'input', 'dropdown', 'checkboxes']).toContain(type)
      expect(id).toMatch(/^[\w-]+$/)
      expect(attributes.label).toBeTruthy()
      const options = (attributes.options ?? []).map((each) => (typeof each === 'string' ? each : each.label))
      expect(new Set(options).size).toBe(options.length)
      if (type === 'dropdown' || type === 'checkboxes') expect(options.length).toBeGreaterThan(0)
    }
    for (const key of ['id', 'label'] as const) {
      const values = inputs.map((element) => (key === 'id' ? element.id : element.attributes.label))
      expect(new Set(values).size, key).toBe(values.length)
    }
  })

  it('is there for bugs, features and providers, and is the only way to open an issue', () => {
    expect(forms.map((file) => readYaml<Form>(`${FOLDER}/${file}`).name)).toEqual(['Bug', 'Feature', 'Provider'])
    expect(readYaml(`${FOLDER}/config.yml`)).toMatchObject({ blank_issues_enabled: false })
  })
})

describe('Dependabot', () => {
  interface Update {
    readonly 'package-ecosystem': string
    readonly directory?: string
    readonly directories?: readonly string[]
  }
  const { updates } = readYaml<{ updates: Update[] }>('.github/dependabot.yml')
  const foldersOf = (ecosystem: string): string[] =>
    updates
      .filter((update) => update['package-ecosystem'] === ecosystem)
      .flatMap(({ directory, directories = [] }) => (directory ? [directory, ...directories] : directories))

  it('watches npm, the workflows and the image', () => {
    expect([foldersOf('npm'), foldersOf('github-actions'), foldersOf('docker')]).toEqual([['/'], ['/'], ['/']])
  })

  it('watches every Go module', () => {
    const modules = readdirSync(join(ROOT, 'dev'), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('go.mod'))
      .map((path) => `/dev/${dirname(path)}`)
    expect(foldersOf('gomod').toSorted()).toEqual(modules.toSorted())
  })
})

it('CODEOWNERS marks its owner as a placeholder for as long as it is one', () => {
  const owners = read('.github/CODEOWNERS')
  expect(/^# PLACEHOLDER: /m.test(owners)).toBe(owners.includes('@OWNER'))
})

it('CODEOWNERS names paths that exist', () => {
  const paths = [...read('.github/CODEOWNERS').matchAll(/^(\/\S+)/gm)].map(([, path = '']) => path)
  expect(paths.filter((path) => !existsSync(join(ROOT, path)))).toEqual([])
})

it('CONTRIBUTING.md names every folder of src/', () => {
  const layout = [...read('CONTRIBUTING.md').matchAll(/^src\/(\S+?)\/ /gm)].map(([, room]) => room)
  const folders = readdirSync(join(ROOT, 'src'), { withFileTypes: true }).filter((entry) => entry.isDirectory())
  expect(layout.toSorted()).toEqual(folders.map(({ name }) => name).toSorted())
})
