/** CPU profiles of the connector's main thread while it takes callbacks and while it empties a queue. */
import { existsSync } from 'node:fs'
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { setTimeout as delay } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import type { Progress } from '../dev/progress.js'
import { sendBurst } from '../dev/simulators/callback-burst.js'
import type { Stack } from '../dev/stack/index.js'
import { until } from '../dev/wait.js'
import { startCallbackConnector, startPullConnector } from './contenders/connector.js'
import { type Contender, LARGE_PAGES } from './contenders/contender.js'

const PRELOAD = new URL('preload/profile.mjs', import.meta.url).href
const ROOT = fileURLToPath(new URL('..', import.meta.url))
const SETTLE_MS = 500
const ROWS = { warmUp: 60_000, measured: 100_000 }
const CALLBACKS = { warmUp: 20_000, measured: 40_000 }
const AREAS_SHOWN = 20
const FUNCTIONS_SHOWN = 40

/** The parts of V8's format that are read here. */
interface CpuProfile {
  readonly nodes: readonly ProfileNode[]
  /** The id of the node at the top of the stack at each sample. */
  readonly samples: readonly number[]
  /** Microseconds since the sample before. */
  readonly timeDeltas: readonly number[]
}

interface ProfileNode {
  readonly id: number
  readonly callFrame: CallFrame
  readonly children?: readonly number[]
}

interface CallFrame {
  readonly functionName: string
  readonly url: string
  readonly lineNumber: number
}

/** Writes `pulls.cpuprofile.gz`, `callbacks.cpuprofile.gz` and a table of each into the directory. */
export async function profileConnector(stack: Stack, directory: string, progress: Progress): Promise<void> {
  await mkdir(directory, { recursive: true })
  progress.step('Profiling pulls with pages of 1,000 ...')
  const pulls = profileFile('pulls')
  const puller = await startPullConnector(stack, 'pulls', {
    limit: LARGE_PAGES,
    nodeOptions: pulls.nodeOptions,
  })
  try {
    await puller.pull(ROWS.warmUp)
    await writeProfile(puller, pulls.file, join(directory, 'pulls'), () => puller.pull(ROWS.measured))
  } finally {
    await puller.stop()
  }
  progress.step('Profiling callbacks at 64 connections ...')
  const callbacks = profileFile('callbacks')
  const server = await startCallbackConnector(stack, callbacks.nodeOptions)
  const send = async (first: number, count: number): Promise<void> => {
    await sendBurst({ url: server.callbackUrl, first, count, connections: 64 })
    await server.untilPublished()
  }
  try {
    await send(0, CALLBACKS.warmUp)
    await writeProfile(server, callbacks.file, join(directory, 'callbacks'), () =>
      send(CALLBACKS.warmUp, CALLBACKS.measured),
    )
  } finally {
    await server.stop()
  }
}

/** The preloaded module writes to the file that this variable names. The connector inherits the environment of this process. */
function profileFile(name: string): { file: string; nodeOptions: string[] } {
  const file = join(tmpdir(), `dlrmo-bench-${process.pid}-${name}.cpuprofile`)
  process.env['BENCH_PROFILE'] = file
  return { file, nodeOptions: ['--import', PRELOAD] }
}

async function writeProfile(
  { pid }: Contender,
  file: string,
  target: string,
  work: () => Promise<unknown>,
): Promise<void> {
  process.kill(pid, 'SIGUSR2')
  await work()
  process.kill(pid, 'SIGUSR2')
  await until(() => existsSync(file))
  let size = -1
  while (size !== (await stat(file)).size) {
    size = (await stat(file)).size
    await delay(SETTLE_MS)
  }
  const text = withoutOwnPaths(await readFile(file, 'utf8'))
  await rm(file)
  await writeFile(`${target}.cpuprofile.gz`, gzipSync(text, { level: 9 }))
  await writeFile(`${target}.md`, `# Profile: ${basename(target)}\n\n${formatProfile(JSON.parse(text) as CpuProfile)}`)
}

/** Paths of this machine are of no use to anyone else. Packages may lie outside of the checkout, behind a symbolic link. */
const withoutOwnPaths = (profile: string): string =>
  profile.replaceAll(`file://${ROOT}`, '').replaceAll(/"url":"[^"]*?\/node_modules\//g, '"url":"node_modules/')

/**
 * Two tables in Markdown, by the samples at the top of the stack: the share of each area of the code, which includes what it
 * calls in Node.js, and the share of each function alone.
 */
export function formatProfile({ nodes, samples, timeDeltas }: CpuProfile): string {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]))
  const callers = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)))
  const byArea = new Map<string, number>()
  const byFunction = new Map<string, number>()
  let total = 0
  let idle = 0
  for (const [index, id] of samples.entries()) {
    const frame = frames.get(id)!
    const microseconds = timeDeltas[index] ?? 0
    // Starting and ending the profile is no part of the work.
    const area = areaOfStack(id, frames, callers)
    if (area.startsWith('bench/preload/')) continue
    total += microseconds
    if (frame.functionName === '(idle)') {
      idle += microseconds
      continue
    }
    addTo(byArea, area, microseconds)
    addTo(byFunction, functionOf(frame), microseconds)
  }
  const busy = total - idle
  const table = (head: string, sums: ReadonlyMap<string, number>, count: number): string[] => [
    `| ${head} | share of the busy time |`,
    '|---|---|',
    ...[...sums]
      .toSorted(([, one], [, other]) => other - one)
      .slice(0, count)
      .map(([name, microseconds]) => `| ${name} | ${((100 * microseconds) / busy).toFixed(1)} % |`),
    '',
  ]
  return [
    `The main thread was busy for ${(busy / 1e6).toFixed(1)} of ${(total / 1e6).toFixed(1)} seconds.`,
    '',
    ...table('area, with what it calls in Node.js and V8', byArea, AREAS_SHOWN),
    ...table('function', byFunction, FUNCTIONS_SHOWN),
  ].join('\n')
}

const addTo = (sums: Map<string, number>, name: string, value: number): void =>
  void sums.set(name, (sums.get(name) ?? 0) + value)

/** The area of the nearest caller that belongs to one. What Node.js does by itself, for example for a socket, has none. */
function areaOfStack(
  top: number,
  frames: ReadonlyMap<number, CallFrame>,
  callers: ReadonlyMap<number, number>,
): string {
  for (let id: number | undefined = top; id !== undefined; id = callers.get(id)) {
    const area = areaOf(frames.get(id)!)
    if (area !== undefined) return area
  }
  return 'Node.js itself'
}

/** A room of the source, a package, or garbage collection; undefined for a function of Node.js or V8. */
function areaOf({ functionName, url }: CallFrame): string | undefined {
  if (functionName === '(garbage collector)') return 'garbage collection'
  if (url === '' || url.startsWith('node:')) return undefined
  const packageName = /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url)?.[1]
  if (packageName !== undefined) return packageName
  const room = /^dist\/([^/]+)\//.exec(url)?.[1]
  return room === undefined ? url : `src/${room}`
}

function functionOf({ functionName, url, lineNumber }: CallFrame): string {
  const name = functionName === '' ? 'anonymous function' : functionName
  if (url === '') return name
  return `${name}, ${url.replace(/^.*node_modules\//, '')}:${lineNumber + 1}`
}
