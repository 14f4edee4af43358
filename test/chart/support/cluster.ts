import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { inject } from 'vitest'
import { startCluster } from '../../../dev/chart/cluster.js'
import type { Cluster } from '../../../dev/chart/cluster.js'
import { NAMESPACE } from './helm.js'
import type { Kind, ObjectOf } from './objects.js'

const run = promisify(execFile)
const CRDS = fileURLToPath(new URL('../crds', import.meta.url))

/** The output of a command, whether it succeeded or not. */
export interface Outcome {
  readonly ok: boolean
  readonly stdout: string
  readonly stderr: string
}

/** An API server with the custom resources that the chart can make, and a namespace that admits restricted pods only. */
export class TestCluster {
  readonly #cluster: Cluster

  private constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  static async start(): Promise<TestCluster> {
    const cluster = new TestCluster(await startCluster(inject('chartTools')))
    try {
      await cluster.must('kubectl', ['apply', '--filename', CRDS])
      await cluster.must('kubectl', ['wait', '--for=condition=Established', '--timeout=30s', 'crd', '--all'])
      const levels = ['enforce', 'warn'].map((mode) => `pod-security.kubernetes.io/${mode}=restricted`)
      await cluster.must('kubectl', ['create', 'namespace', NAMESPACE])
      await cluster.must('kubectl', ['label', 'namespace', NAMESPACE, ...levels])
      // Made by a controller elsewhere; pods are refused without their account.
      await cluster.must('kubectl', ['create', 'serviceaccount', 'default'])
    } catch (error) {
      await cluster.stop()
      throw error
    }
    return cluster
  }

  stop(): Promise<void> {
    return this.#cluster.stop()
  }

  async command(tool: 'kubectl' | 'helm', args: readonly string[], input?: string): Promise<Outcome> {
    const running = run(
      inject('chartTools')[tool],
      ['--kubeconfig', this.#cluster.kubeconfig, '--namespace', NAMESPACE, ...args],
      {
        maxBuffer: 16 * 1024 * 1024,
      },
    )
    running.child.stdin?.end(input)
    try {
      return { ok: true, ...(await running) }
    } catch (error) {
      const { stdout, stderr } = error as { stdout: string; stderr: string }
      return { ok: false, stdout, stderr }
    }
  }

  /** @throws Error with the output of the command when it failed */
  async must(tool: 'kubectl' | 'helm', args: readonly string[], input?: string): Promise<string> {
    const { ok, stdout, stderr } = await this.command(tool, args, input)
    if (!ok) throw new Error(`${tool} ${args.join(' ')}: ${stderr}`)
    return stdout
  }

  /** Asks the server whether it would take the objects, to the last key, and without a warning. */
  wouldTake(objects: string): Promise<Outcome> {
    const strictly = ['--dry-run=server', '--validate=strict', '--warnings-as-errors']
    return this.command('kubectl', ['apply', ...strictly, '--filename', '-'], objects)
  }

  async get<K extends Kind>(kind: K, name: string): Promise<ObjectOf<K>> {
    return JSON.parse(await this.must('kubectl', ['get', kind, name, '--output', 'json'])) as ObjectOf<K>
  }

  /** `statefulset.apps/sms`, of all kinds that the chart can make. */
  async names(): Promise<string[]> {
    const kinds =
      'statefulset,service,configmap,secret,serviceaccount,poddisruptionbudget,networkpolicy,ingress,servicemonitor,prometheusrule,httproute,pod'
    return (await this.must('kubectl', ['get', kinds, '--output', 'name'])).split('\n').filter((name) => name !== '')
  }
}
