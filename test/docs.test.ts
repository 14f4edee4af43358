/**
 * The documents are true: each link, file, npm script, command, option, configuration key, chart value, metric and alert
 * that a document names exists in the program. A document that needs to name something else writes it outside of code
 * formatting, or the exception is listed here with its reason.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { Metrics } from '../src/admin/metrics.js'
import { systemClock } from '../src/core/clock.js'
import { MemoryJournal } from './support/memory-journal.js'

const ROOT = join(import.meta.dirname, '..')
const subfoldersOf = (folder: string): string[] =>
  readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? [`${folder}/${entry.name}`] : [],
  )
const FOLDERS = [
  '.',
  '.github',
  'docs',
  'docs/adr',
  'docs/results',
  'helm',
  'examples/kubernetes',
  'examples/join-parts',
]
const CONSUMERS = ['examples/consumers', ...subfoldersOf('examples/consumers')]

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
const json = (path: string): unknown => JSON.parse(read(path))

const documents = [...FOLDERS, ...CONSUMERS]
  .filter((folder) => existsSync(join(ROOT, folder)))
  .flatMap((folder) =>
    readdirSync(join(ROOT, folder))
      .filter((name) => name.endsWith('.md'))
      .map((name) => join(folder, name)),
  )

/** What stands in code formatting: the spans of a line, and the lines of fenced blocks without their comments. */
function codeOf(document: string): string[] {
  const text = read(document)
  const blocks = [...text.matchAll(/^```[^\n]*\n([^]*?)^```/gm)].flatMap(([, block = '']) => block.split('\n'))
  const prose = text.replace(/^```[^]*?^```/gm, '')
  const spans = [...prose.matchAll(/`([^`]+)`/g)].map(([, span = '']) => span.replace(/\s*\n\s*/g, ' '))
  return [...spans, ...blocks.map((line) => line.replace(/\s# .*$/, '').trim())]
}

/** As GitHub makes them: lower case, spaces to dashes, punctuation removed. */
const anchorsOf = (document: string): string[] =>
  [...read(document).matchAll(/^#+ +(.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )

interface SchemaNode {
  readonly type?: unknown
  readonly properties?: Readonly<Record<string, SchemaNode>>
  readonly additionalProperties?: SchemaNode | boolean
  readonly items?: SchemaNode
  readonly anyOf?: readonly SchemaNode[]
  readonly allOf?: readonly SchemaNode[]
  readonly oneOf?: readonly SchemaNode[]
}

const variantsOf = (node: SchemaNode): SchemaNode[] => [
  node,
  ...[...(node.anyOf ?? []), ...(node.allOf ?? []), ...(node.oneOf ?? [])].flatMap(variantsOf),
]

/** The nodes that a key leads to; a free name such as `<source>` leads to `additionalProperties`. */
const step = (node: SchemaNode, key: string): SchemaNode[] =>
  variantsOf(node).flatMap((each) => {
    const named = each.properties?.[key]
    if (named !== undefined) return [named]
    return typeof each.additionalProperties === 'object' ? [each.additionalProperties] : []
  })

/** An object of Kubernetes whose keys the chart does not list. */
const isOpen = (node: SchemaNode): boolean =>
  variantsOf(node).some((each) => each.additionalProperties === true) ||
  (node.type === 'object' && node.properties === undefined && node.additionalProperties === undefined)

const hasPath = (nodes: SchemaNode[], path: readonly string[]): boolean =>
  (path.length > 0 && nodes.some(isOpen)) || path.length === 0
    ? nodes.length > 0
    : hasPath(
        nodes.flatMap((node) => step(node, path[0]!)),
        path.slice(1),
      )

const configuration = json('config/connector.schema.json') as SchemaNode
const chart = json('helm/values.schema.json') as SchemaNode
const source = step(step(configuration, 'sources')[0]!, 'any')[0]!
/** A document may name a key from the root, from a source, or from a section of a source. */
const ROOTS = [configuration, source, ...['pull', 'callback', 'reconcile'].flatMap((key) => step(source, key))]

const scripts = Object.keys((json('package.json') as { scripts: object }).scripts)

/** Commands that the contract announces and that do not exist yet: a document must not show them in use. */
const COMMANDS = ['run', 'check', 'schemas', 'tail', 'journal', 'dead-letters', 'providers']
const help = new Map<string, string>()

beforeAll(() => {
  const helpOf = (...args: string[]): string =>
    spawnSync(process.execPath, ['--import', 'tsx', join(ROOT, 'src/main.ts'), ...args, '--help'], { encoding: 'utf8' })
      .stdout
  const commandsIn = (text: string): string[] =>
    [...text.matchAll(/^ {2}([a-z][a-z-]*) /gm)].map(([, name = '']) => name).filter((name) => name !== 'help')
  for (const command of commandsIn(helpOf())) {
    const text = helpOf(command)
    // The options of a command such as `schemas check` are in its own help.
    help.set(command, [text, ...commandsIn(text).map((name) => helpOf(command, name))].join('\n'))
  }
  // Each --help is a process, of which there are more than ten.
}, 60_000)

describe.each(documents)('%s', (document) => {
  const code = codeOf(document)

  it('links to files and headings that exist', () => {
    const links = [...read(document).matchAll(/\]\((?!https?:|mailto:)([^)\s]+)\)/g)].map(([, link = '']) => link)
    const dead = links.filter((link) => {
      const [path = '', anchor] = link.split('#')
      const target = path === '' ? document : join(dirname(document), path)
      if (!existsSync(join(ROOT, target))) return true
      return anchor !== undefined && statSync(join(ROOT, target)).isFile() && !anchorsOf(target).includes(anchor)
    })
    expect(dead).toEqual([])
  })

  it('names files of the repository that exist', () => {
    const paths = code
      .flatMap((span) => span.split(/[\s,;:=]+/))
      .filter((word) => /^(\.ci|\.github|bench|config|dev|docs|examples|helm|schemas|src|test)\/[\w./-]+$/.test(word))
    expect(paths.filter((path) => !existsSync(join(ROOT, path)))).toEqual([])
  })

  it('names npm scripts that exist', () => {
    const named = [...read(document).matchAll(/npm run ([\w:-]+)/g)].map(([, name = '']) => name)
    expect(named.filter((name) => !scripts.includes(name))).toEqual([])
  })

  it('shows commands and options that the program has', () => {
    const wrong = code.flatMap((span) => {
      const [, command = '', rest = ''] =
        /^(?:node dist\/main\.js |(?:npx )?dlr-mo-connector )?([a-z-]+)((?: .*)?)$/.exec(span) ?? []
      const isShown = span.startsWith('node dist/main.js ') || /^(npx )?dlr-mo-connector [a-z]/.test(span)
      // `schemas` alone may be a folder or a word; `schemas check` is a command.
      const isInvoked = COMMANDS.includes(command) && /^ (-|[a-z]+( |$))/.test(rest)
      if (!isShown && !isInvoked) return []
      const text = help.get(command)
      if (text === undefined) return [span]
      const options = [...rest.matchAll(/(--[a-z-]+)/g)].map(([, option = '']) => option)
      return options.filter((option) => !text.includes(option)).map((option) => `${command} ${option}`)
    })
    expect(wrong).toEqual([])
  })

  it('names configuration keys and chart values that exist', () => {
    const wrong = code
      .map((span) => /^([a-z][A-Za-z]*(?:\.(?:[a-z][A-Za-z]*|<[a-z]+>))+)(?::.*)?$/.exec(span)?.[1])
      .filter((path) => path !== undefined && !/\.(ts|js|mjs|json|md|yaml)$/.test(path))
      .map((path) => path!)
      .filter((path) => {
        const keys = path.split('.')
        const roots = [...ROOTS, chart].filter((root) => hasPath([root], keys.slice(0, 1)))
        const [first = ''] = keys
        // Only what begins with a key of ours: `isolation.level` and the like belong to others.
        const isOurs = roots.some((root) =>
          variantsOf(root).some(({ properties }) => properties?.[first] !== undefined),
        )
        const path_ = keys[0] === 'config' ? keys.slice(1) : keys
        return (
          isOurs && ![...roots, ...(keys[0] === 'config' ? [configuration] : [])].some((root) => hasPath([root], path_))
        )
      })
    expect(wrong).toEqual([])
  })

  it('names metrics and alerts that exist', async () => {
    const exported = await new Metrics(new MemoryJournal(), systemClock).registry.metrics()
    const metrics = [...exported.matchAll(/^# TYPE (\S+)/gm)].map(([, name = '']) => name)
    const known = (name: string): boolean =>
      rules.includes(`record: job:${name}:`) ||
      metrics.some((metric) => [metric, `${metric}_bucket`, `${metric}_sum`, `${metric}_count`].includes(name))
    const rules = read('monitoring/alerts.yaml') + read('monitoring/slo.yaml')
    const text = read(document)
    const unknown = [...text.matchAll(/\bdlrmo_\w+/g)].map(([name]) => name).filter((name) => !known(name))
    const alerts = [...text.matchAll(/\bDlrMoConnector\w+/g)].map(([name]) => name)
    expect([...unknown, ...alerts.filter((name) => !rules.includes(name))]).toEqual([])
  })
})

it('docs/metrics.md lists every metric of ours with its type and its labels, and no other', () => {
  const metrics = new Metrics(new MemoryJournal(), systemClock).registry.getMetricsAsArray()
  const exported = metrics
    .filter(({ name }) => name.startsWith('dlrmo_'))
    .map((metric) => {
      const { name, type, labelNames } = metric as unknown as { name: string; type: string; labelNames: string[] }
      return `${name} ${type} ${labelNames.join(' ')}`.trim()
    })
  const rows = read('docs/metrics.md').matchAll(/^\| `(dlrmo_\w+)` \| (\w+) \| ([^|]*) ?\|/gm)
  const documented = [...rows].map(([, name = '', type = '', labels = '']) =>
    `${name} ${type} ${labels.replaceAll(/[`,]/g, '').trim()}`.trim(),
  )
  expect(documented.sort()).toEqual(exported.sort())
})

it('docs/metrics.md lists every cause for which publishing waits', async () => {
  const text = await new Metrics(new MemoryJournal(), systemClock).registry.metrics()
  const causes = [...text.matchAll(/^dlrmo_publishing_waiting\{cause="([^"]+)"\}/gm)].map(([, cause = '']) => cause)
  const [, section = ''] = read('docs/metrics.md').split('## Why publishing waits')
  const documented = [...section.matchAll(/^\| (`[^|]+) \|/gm)].flatMap(([, cell = '']) => cell.match(/[\w-]+/g) ?? [])
  expect(causes.length).toBeGreaterThan(5)
  expect(documented.sort()).toEqual(causes.sort())
})

it('docs/glossary.md has at most 24 entries', () => {
  const entries = read('docs/glossary.md').match(/^\| \*\*/gm) ?? []
  expect(entries.length).toBeGreaterThan(10)
  expect(entries.length).toBeLessThanOrEqual(24)
})

describe('The check of the documents', () => {
  it('finds something of each kind to check', () => {
    const all = documents.flatMap(codeOf)
    expect(documents.length).toBeGreaterThan(10)
    expect(all).toContain('run --drain')
    expect(all).toContain('pull.limit.max')
    expect(all.length).toBeGreaterThan(300)
    expect([...help.keys()].sort()).toEqual(['check', 'dead-letters', 'journal', 'providers', 'run', 'schemas', 'tail'])
    expect(help.get('schemas')).toMatch(/schemas check \[options\][^]*schemas register \[options\]/)
  })

  it('refuses keys that do not exist', () => {
    expect(hasPath([configuration], ['kafka', 'brokers'])).toBe(true)
    expect(hasPath([configuration], ['sources', '<source>', 'pull', 'limit', 'max'])).toBe(true)
    expect(hasPath([configuration], ['kafka', 'broker'])).toBe(false)
    expect(hasPath([source], ['pull', 'limit', 'most'])).toBe(false)
  })
})
