/** `prometheus` and `promtool`, which must be on the PATH. Debian's package `prometheus` contains both. */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { stringify } from 'yaml'
import { spawnGuarded, type GuardedChild } from '../../../dev/guarded-child.js'
import { freePort } from '../../../dev/ports.js'
import { retryFor } from '../../../dev/wait.js'

const run = promisify(execFile)
const START_TIMEOUT_MS = 30_000

/**
 * Runs promtool.
 * @returns what it printed, and whether it found no fault
 * @throws Error if it is not installed
 */
export async function promtool(...args: string[]): Promise<{ isOk: boolean; output: string }> {
  return promtoolWithInput('', ...args)
}

/** @param input standard input of promtool */
export async function promtoolWithInput(input: string, ...args: string[]): Promise<{ isOk: boolean; output: string }> {
  const running = run('promtool', args)
  // promtool may end before it has read everything; its exit code says why.
  running.child.stdin?.on('error', () => undefined).end(input)
  try {
    const { stdout, stderr } = await running
    return { isOk: true, output: stdout + stderr }
  } catch (error) {
    const { code, stdout, stderr } = error as { code?: unknown; stdout: string; stderr: string }
    if (code === 'ENOENT') throw new Error(NOT_INSTALLED, { cause: error })
    return { isOk: false, output: stdout + stderr }
  }
}

export const NOT_INSTALLED =
  'The tests of monitoring/ need prometheus and promtool on the PATH. On Debian: apt-get install prometheus'

export interface Sample {
  readonly metric: Readonly<Record<string, string>>
  readonly value: readonly [time: number, value: string]
}

export interface EvaluatedRule {
  readonly name: string
  readonly type: 'alerting' | 'recording'
  readonly health: string
  readonly lastError?: string
  /** Of an alert: `inactive`, `pending` or `firing`. */
  readonly state?: string
}

/** A Prometheus server that scrapes and evaluates once a second. */
export class PrometheusServer {
  readonly #url: string
  readonly #child: GuardedChild
  readonly #folder: string

  private constructor(url: string, child: GuardedChild, folder: string) {
    this.#url = url
    this.#child = child
    this.#folder = folder
  }

  /**
   * Resolves when the server answers queries.
   * @param target host and port to scrape
   * @throws Error if it is not installed, or does not start
   */
  static async start(target: string, ruleFiles: readonly string[]): Promise<PrometheusServer> {
    await run('prometheus', ['--version']).catch((error: unknown) => {
      throw new Error(NOT_INSTALLED, { cause: error })
    })
    const folder = await mkdtemp(join(tmpdir(), 'dlrmo-prometheus-'))
    const configuration = {
      global: { scrape_interval: '1s', evaluation_interval: '1s' },
      rule_files: ruleFiles,
      scrape_configs: [{ job_name: 'dlr-mo-connector', static_configs: [{ targets: [target] }] }],
    }
    await writeFile(join(folder, 'prometheus.yaml'), stringify(configuration))
    const address = `127.0.0.1:${await freePort()}`
    const args = [
      `--config.file=${join(folder, 'prometheus.yaml')}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=${address}`,
    ]
    const log = join(folder, 'prometheus.log')
    const child = await spawnGuarded('prometheus', args, { log })
    const url = `http://${address}`
    try {
      await retryFor(async () => {
        const { status } = await fetch(`${url}/-/ready`, { signal: AbortSignal.timeout(1_000) })
        if (status !== 200) throw new Error(`Prometheus answers ${status}`)
      }, START_TIMEOUT_MS)
    } catch (error) {
      throw new Error(`Prometheus did not start:\n${await readFile(log, 'utf8')}`, { cause: error })
    }
    return new PrometheusServer(url, child, folder)
  }

  /** Evaluates an expression now. @throws Error with the message of Prometheus if it refuses the expression */
  async query(expr: string): Promise<readonly Sample[]> {
    const { result } = (await this.#get(`query?${new URLSearchParams({ query: expr }).toString()}`)) as {
      result: readonly Sample[]
    }
    return result
  }

  async rules(): Promise<readonly EvaluatedRule[]> {
    const { groups } = (await this.#get('rules')) as { groups: readonly { rules: readonly EvaluatedRule[] }[] }
    return groups.flatMap(({ rules }) => rules)
  }

  async stop(): Promise<void> {
    this.#child.signal('SIGTERM')
    await this.#child.exited
    await rm(this.#folder, { recursive: true, force: true })
  }

  async #get(path: string): Promise<unknown> {
    const response = await fetch(`${this.#url}/api/v1/${path}`)
    const { data, error } = (await response.json()) as { data?: unknown; error?: string }
    if (error !== undefined) throw new Error(`Prometheus refuses ${decodeURIComponent(path)}: ${error}`)
    return data
  }
}
