import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { buildImage } from '../../dev/chart/image/build.js'
import { docker } from '../../dev/chart/image/docker.js'
import { freePort } from '../../dev/ports.js'
import { retryFor } from '../../dev/wait.js'
import { Container, LOCKED_DOWN, anyUser } from './support/container.js'

const run = promisify(execFile)
const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const TAG = `dlr-mo-connector:test-${process.pid}`
const AGAIN = `${TAG}-again`
const BARE = `${TAG}-bare`
const PATIENCE_MS = 60_000
/** The largest accepted size in bytes, on a Debian of 75 MB. A larger image needs a known reason. */
const LARGEST = 260e6

interface Inspected {
  Size: number
  Architecture: string
  RootFS: { Layers: string[] }
  Config: {
    User: string
    Entrypoint: string[]
    Cmd: string[]
    Env: string[]
    ExposedPorts: object
    Volumes: object
    Labels: Record<string, string>
    Healthcheck: { Test: string[] }
  }
}

const inspected = async (tag: string): Promise<Inspected> =>
  (JSON.parse(await docker('image', 'inspect', tag)) as [Inspected])[0]

const given = inject('imageBases')
const missing = 'missing' in given ? given.missing : undefined

describe.skipIf(missing)(`The image${missing ? ` (not tested: ${missing})` : ''}`, () => {
  const build = {
    arguments: { ...(given as Exclude<typeof given, { missing: string }>), VERSION: '1.2.3', REVISION: 'abc' },
  }
  let folder: string
  let version: string

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dlrmo-image-'))
    version = (JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { version: string }).version
    await buildImage({ ...build, tag: TAG })
    const layers = await docker('history', '--human=false', '--format', '{{.Size}}', TAG)
    const megabytes = layers.split('\n').map((bytes) => Number(bytes) / 1e6)
    const all = megabytes.reduce((sum, each) => sum + each, 0)
    const each = megabytes.filter((size) => size > 0.01).map((size) => size.toFixed(1))
    console.log(`The image has ${all.toFixed(0)} MB, from its program down: ${each.join(', ')}.`)
  })

  afterAll(async () => {
    await docker('image', 'rm', '--force', TAG, AGAIN, BARE).catch(() => undefined)
    await rm(folder, { recursive: true, force: true })
  })

  it('has OCI labels, and a numeric user that Kubernetes can verify not to be root', async () => {
    const { Config, Size } = await inspected(TAG)
    expect(Config).toMatchObject({
      User: '10001:10001',
      Entrypoint: ['tini', '--', 'node', '/app/dist/main.js'],
      Cmd: ['run'],
      ExposedPorts: { '8080/tcp': {}, '9464/tcp': {} },
      Volumes: { '/var/lib/dlr-mo-connector': {} },
      Labels: {
        'org.opencontainers.image.title': 'dlr-mo-connector',
        'org.opencontainers.image.licenses': 'Apache-2.0',
        'org.opencontainers.image.version': '1.2.3',
        'org.opencontainers.image.revision': 'abc',
        'org.opencontainers.image.base.name': build.arguments.BASE_IMAGE,
      },
    })
    expect(Config.Healthcheck.Test.join(' ')).toContain('HEALTH_URL')
    expect(Size).toBeLessThan(LARGEST)
  })

  it('contains only production dependencies and the program', async () => {
    const list = 'console.log(JSON.stringify(fs.readdirSync("/app/node_modules")), fs.readdirSync("/app").join())'
    const [packages = '', files] = (await docker('run', '--rm', '--entrypoint', 'node', TAG, '--eval', list)).split(' ')
    const { dependencies } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { dependencies: object }
    // What only development needs, directly or not: a package that a dependency needs too is not marked so.
    const { packages: locked } = JSON.parse(await readFile(join(ROOT, 'package-lock.json'), 'utf8')) as {
      packages: Readonly<Record<string, { readonly dev?: boolean }>>
    }
    const installed = JSON.parse(packages) as string[]
    const plain = (names: object): string[] => Object.keys(names).filter((name) => !name.startsWith('@'))
    expect(installed).toEqual(expect.arrayContaining(plain(dependencies)))
    expect(installed.filter((name) => locked[`node_modules/${name}`]?.dev === true)).toEqual([])
    expect(files).toBe('LICENSE,config,dist,docs,node_modules,package.json,schemas')
  })

  it.each(['run', 'check'])(
    'says without a configuration which variables are missing, and ends with 2: %s',
    async (name) => {
      const { code, stderr } = await run('docker', [
        'run',
        '--rm',
        ...LOCKED_DOWN,
        '--user',
        anyUser(),
        TAG,
        name,
      ]).then(
        () => ({ code: 0, stderr: '' }),
        (error: unknown) => error as { code: number; stderr: string },
      )
      expect(code).toBe(2)
      for (const variable of ['MTARGET_USERNAME', 'MTARGET_PASSWORD', 'SEVEN_CALLBACK_TOKEN']) {
        const problem = `the environment variable ${variable} is not set`
        expect(stderr).toMatch(new RegExp(`/etc/dlr-mo-connector/connector\\.yaml:\\d+:\\d+ \\S+: ${problem}`))
      }
    },
  )

  it('has byte-identical layers when it is built again', async () => {
    await buildImage({ ...build, tag: AGAIN, anew: true })
    expect((await inspected(AGAIN)).RootFS.Layers).toEqual((await inspected(TAG)).RootFS.Layers)
  })

  it.runIf(process.arch === 'x64')(
    'runs on a base of six files of glibc, libstdc++ and libgcc alone, without a shell',
    async () => {
      const libraries = ['libc.so.6', 'libm.so.6', 'libgcc_s.so.1', 'libstdc++.so.6', 'libdl.so.2', 'libpthread.so.0']
      const context = join(folder, 'bare')
      await mkdir(context)
      const from = '/usr/lib/x86_64-linux-gnu/'
      const lines = [
        `FROM ${build.arguments.BASE_IMAGE} AS full`,
        'FROM scratch',
        `COPY --from=full ${libraries.map((name) => `${from}${name}`).join(' ')} ${from}`,
        'COPY --from=full /lib64/ld-linux-x86-64.so.2 /lib64/',
      ]
      await writeFile(join(context, 'Dockerfile'), lines.join('\n'))
      await docker('build', '--tag', BARE, context)
      await buildImage({ tag: AGAIN, arguments: { ...build.arguments, BASE_IMAGE: BARE } })
      expect(await docker('run', '--rm', ...LOCKED_DOWN, '--user', anyUser(), AGAIN, '--version')).toContain(version)
      const openJournal = 'import("/app/node_modules/lmdb/index.js").then(({ open }) => open("/tmp/x").put("a", 1))'
      const mounted = ['--tmpfs', '/tmp', '--entrypoint', '/usr/local/bin/node', AGAIN, '--eval', openJournal]
      expect(await docker('run', '--rm', ...LOCKED_DOWN, '--user', anyUser(), ...mounted)).toBe('')
    },
  )

  it('passes the demo read-only, without capabilities, as an arbitrary user', async () => {
    const env = { ...process.env }
    delete env['KAFKA_BROKERS']
    const demo = run(process.execPath, ['--import', 'tsx', 'dev/demo/main.ts', '--image', TAG], { cwd: ROOT, env })
    const { stdout } = await demo.catch((error: unknown) => error as { stdout: string })
    expect(stdout).toMatch(/Killing the connector [^]*started again/)
    expect(stdout).toMatch(/Nothing lost, nothing doubled\.\s*$/)
  })

  describe('without a reachable broker', () => {
    let container: Container
    let adminPort: number

    beforeAll(async () => {
      const callbacksPort = await freePort()
      adminPort = await freePort()
      const configuration = [
        `kafka: { brokers: ['127.0.0.1:${await freePort()}'] }`,
        `registry: { url: 'http://127.0.0.1:${await freePort()}' }`,
        `callbacks: { port: ${callbacksPort} }`,
        `admin: { port: ${adminPort} }`,
        'shutdownGrace: 1s',
        'sources: { seven-main: { provider: seven, callback: { open: true } } }',
      ].join('\n')
      const file = join(folder, 'connector.yaml')
      await writeFile(file, configuration)
      container = await Container.start(
        // The directory in the image belongs to the user of the image, so any other one needs a volume.
        ...['--user', anyUser(), ...LOCKED_DOWN, '--tmpfs', '/var/lib/dlr-mo-connector:mode=1777'],
        ...['--volume', `${file}:/etc/dlr-mo-connector/connector.yaml:ro`],
        ...['--env', `HEALTH_URL=http://127.0.0.1:${adminPort}/livez`, '--health-interval', '1s', TAG],
      )
      await retryFor(async () => {
        const answer = await fetch(`http://127.0.0.1:${callbacksPort}/callbacks/seven-main?msg_id=1&status=DELIVERED`)
        if (answer.status !== 200) throw new Error(`a callback was answered ${answer.status}`)
      }, PATIENCE_MS).catch(async (error: unknown) => {
        throw new Error(await container.logs(), { cause: error })
      })
    })

    afterAll(() => container?.remove())

    it('is healthy and takes callbacks into its journal', async () => {
      await retryFor(async () => {
        const health = await container.inspect('{{ .State.Health.Status }}')
        if (health !== 'healthy') throw new Error(`it is ${health}`)
      }, PATIENCE_MS)
      expect(await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text()).toMatch(/^dlrmo_journal_entries 1$/m)
    })

    it('has the command of the documentation on its PATH', async () => {
      expect(await container.exec('dlr-mo-connector', '--version')).toContain(version)
    })

    it('runs no process as root or with capabilities, and tini as process 1', async () => {
      const look = 'console.log(["comm", "status"].map((name) => fs.readFileSync(`/proc/1/${name}`, "utf8")).join(""))'
      const output = await container.exec('node', '--eval', look)
      expect(output).toMatch(/^tini$/m)
      expect(output).toMatch(/^CapEff:\s+0+$/m)
      expect(output).toMatch(/^CapBnd:\s+0+$/m)
      expect(output).toMatch(/^NoNewPrivs:\s+1$/m)
      expect(output).not.toMatch(/^[UG]id:.*\s0\b/m)
    })

    it('ends with code 0 on SIGTERM', async () => {
      expect(await container.stop()).toBe(0)
      expect(await container.logs()).toContain('entries stay in the journal for the next start')
    })
  })
})
