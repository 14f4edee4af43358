import { execFile } from 'node:child_process'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { freePort } from '../ports.js'
import { spawnGuarded } from '../guarded-child.js'
import type { GuardedChild } from '../guarded-child.js'
import type { ChartTools } from './tools/index.js'

const run = promisify(execFile)
const START_PATIENCE_MS = 90_000
const STOP_PATIENCE_MS = 10_000

/**
 * A real Kubernetes API server with its etcd on 127.0.0.1. It stores, validates and admits objects as in any cluster. There
 * are neither controllers nor nodes, so no pod ever runs.
 */
export interface Cluster {
  /** The path of a kubeconfig with all rights. */
  readonly kubeconfig: string
  /** Ends both processes and deletes their data. */
  stop(): Promise<void>
}

/** @throws Error with the end of the API server's log if it does not become ready */
export async function startCluster(tools: Pick<ChartTools, 'etcd' | 'kubeApiserver' | 'kubectl'>): Promise<Cluster> {
  const folder = await mkdtemp(join(tmpdir(), 'dlrmo-cluster-'))
  const pathOf = (name: string): string => join(folder, name)
  const [clientPort, peerPort, apiPort] = [await freePort(), await freePort(), await freePort()]
  const children: GuardedChild[] = []
  const stop = async (): Promise<void> => {
    // The API server is stopped first, because without etcd it would wait for etcd.
    for (const child of children.toReversed()) await end(child)
    await rm(folder, { recursive: true, force: true })
  }

  try {
    children.push(
      await spawnGuarded(tools.etcd, etcdArguments(pathOf('etcd'), clientPort, peerPort), { log: pathOf('etcd.log') }),
    )
    const token = randomBytes(16).toString('hex')
    await writeFile(pathOf('tokens.csv'), `${token},admin,admin,system:masters\n`, { mode: 0o600 })
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    await writeFile(pathOf('service-accounts.pem'), privateKey.export({ type: 'pkcs1', format: 'pem' }), {
      mode: 0o600,
    })
    const server = await spawnGuarded(tools.kubeApiserver, apiServerArguments(pathOf, clientPort, apiPort), {
      log: pathOf('apiserver.log'),
    })
    children.push(server)
    await writeFile(pathOf('kubeconfig'), kubeconfig(apiPort, pathOf('certificates/apiserver.crt'), token), {
      mode: 0o600,
    })
    await untilReady(tools.kubectl, pathOf('kubeconfig'), server)
  } catch (error) {
    const log = await readFile(pathOf('apiserver.log'), 'utf8').catch(() => '')
    await stop()
    throw new Error(`The Kubernetes API server did not start:\n${log.slice(-3_000)}`, { cause: error })
  }
  return { kubeconfig: pathOf('kubeconfig'), stop }
}

function etcdArguments(data: string, clientPort: number, peerPort: number): string[] {
  const client = `http://127.0.0.1:${clientPort}`
  const peer = `http://127.0.0.1:${peerPort}`
  return [
    ...['--data-dir', data, '--unsafe-no-fsync', '--log-level', 'warn'],
    ...['--listen-client-urls', client, '--advertise-client-urls', client],
    ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer, '--initial-cluster', `default=${peer}`],
  ]
}

function apiServerArguments(pathOf: (name: string) => string, etcdPort: number, port: number): string[] {
  return [
    `--etcd-servers=http://127.0.0.1:${etcdPort}`,
    '--bind-address=127.0.0.1',
    `--secure-port=${port}`,
    `--cert-dir=${pathOf('certificates')}`,
    `--token-auth-file=${pathOf('tokens.csv')}`,
    '--authorization-mode=RBAC',
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${pathOf('service-accounts.pem')}`,
    `--service-account-signing-key-file=${pathOf('service-accounts.pem')}`,
    '--service-cluster-ip-range=10.96.0.0/16',
    // The API server would publish its address to pods, and 127.0.0.1 cannot be published.
    '--endpoint-reconciler-type=none',
  ]
}

function kubeconfig(port: number, certificate: string, token: string): string {
  const named = (kind: string, content: object): object[] => [{ name: 'test', [kind]: content }]
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: named('cluster', {
      server: `https://127.0.0.1:${port}`,
      'certificate-authority': certificate,
      // The self-signed certificate names the machine, not each of its addresses.
      'tls-server-name': 'kubernetes',
    }),
    users: named('user', { token }),
    contexts: named('context', { cluster: 'test', user: 'test' }),
    'current-context': 'test',
  })
}

async function untilReady(kubectl: string, kubeconfigPath: string, server: GuardedChild): Promise<void> {
  const deadline = Date.now() + START_PATIENCE_MS
  for (;;) {
    if (server.exitCode !== undefined) throw new Error(`the process ended with code ${server.exitCode}`)
    try {
      await run(kubectl, ['--kubeconfig', kubeconfigPath, 'get', '--raw', '/readyz'])
      return
    } catch (error) {
      if (Date.now() > deadline) throw error
      await delay(250)
    }
  }
}

async function end(child: GuardedChild): Promise<void> {
  child.signal('SIGTERM')
  const ended = await Promise.race([child.exited, delay(STOP_PATIENCE_MS, undefined, { ref: false })])
  if (ended !== undefined) return
  child.signal('SIGKILL')
  await child.exited
}
