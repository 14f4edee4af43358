/** The npm package, packed as for a release. */
import { execFile } from 'node:child_process'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'

const run = promisify(execFile)
const ROOT = join(import.meta.dirname, '..')

/** A larger package needs a known reason. */
const LARGEST_PACKAGE_BYTES = 800_000

interface Manifest {
  readonly version: string
  readonly private?: boolean
  readonly exports: Readonly<Record<string, string | { readonly types: string }>>
  readonly dependencies: Readonly<Record<string, string>>
}
const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Manifest

describe('package.json', () => {
  it('may be published', () => {
    expect(manifest.private).toBeUndefined()
  })

  it('has the version of the chart', () => {
    const chart = parse(readFileSync(join(ROOT, 'helm/Chart.yaml'), 'utf8')) as { version: string; appVersion: string }
    expect([chart.version, chart.appVersion]).toEqual([manifest.version, manifest.version])
  })

  it('names no repository, which is set when it is published', () => {
    expect(manifest).not.toHaveProperty('repository')
  })
})

describe('The dependencies', () => {
  interface Locked {
    readonly dev?: boolean
    readonly os?: readonly string[]
    readonly cpu?: readonly string[]
    readonly libc?: readonly string[]
    readonly hasInstallScript?: boolean
  }
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Readonly<Record<string, Locked>>
  }
  const production = Object.entries(packages)
    .filter(([path, { dev }]) => path !== '' && dev !== true)
    .map(([path, locked]) => ({ name: path.replace(/^.*node_modules\//, ''), ...locked }))

  it.each([
    ['lmdb', '@lmdb/lmdb-'],
    ['@node-rs/crc32', '@node-rs/crc32-'],
    ['snappy', '@napi-rs/snappy-'],
    ['lz4-napi', '@antoniomuso/lz4-napi-'],
  ])('have binaries for glibc and musl on x64 and arm64: %s', (_, prefix) => {
    const binaries = production.filter(({ name, os }) => name.startsWith(prefix) && os?.includes('linux'))
    const platforms = binaries.flatMap(({ cpu = [], libc = ['glibc', 'musl'] }) =>
      cpu.flatMap((each) => libc.map((library) => `${each} ${library}`)),
    )
    expect(platforms).toEqual(expect.arrayContaining(['x64 glibc', 'x64 musl', 'arm64 glibc', 'arm64 musl']))
  })

  it('have binaries of LMDB for both C libraries in the package of an architecture', () => {
    const folder = join(ROOT, 'node_modules', '@lmdb', `lmdb-linux-${process.arch}`)
    expect(readdirSync(folder)).toEqual(expect.arrayContaining(['node.napi.glibc.node', 'node.napi.musl.node']))
  })

  it('need no install script: those that have one work without it', () => {
    // lmdb and msgpackr-extract compile only where their binary is missing. That of protobufjs compares version numbers.
    const scripted = production.filter(({ hasInstallScript }) => hasInstallScript === true).map(({ name }) => name)
    expect(scripted).toEqual(['lmdb', 'msgpackr-extract', 'protobufjs'])
  })
})

describe('The npm package', () => {
  /** An empty folder that has the package among its `node_modules`, and nothing but the package's dependencies beside it. */
  let folder: string
  let files: string[]
  let installed: string
  let packedBytes: number

  beforeAll(async () => {
    // Below the repository, so that the copy finds the compiler, and what is built there is of this source.
    folder = mkdtempSync(join(ROOT, 'node_modules', '.dlrmo-package-'))
    const source = join(folder, 'source')
    for (const path of [
      'src',
      'schemas',
      'config',
      'monitoring',
      'README.md',
      'LICENSE',
      'CHANGELOG.md',
      '.npmrc',
      'docs/runbook.md',
    ]) {
      cpSync(join(ROOT, path), join(source, path), { recursive: true })
    }
    for (const path of ['package.json', 'tsconfig.json', 'tsconfig.build.json']) {
      cpSync(join(ROOT, path), join(source, path))
    }
    mkdirSync(join(source, 'dist'))
    writeFileSync(join(source, 'dist', 'left-over.js'), '')

    const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', folder], { cwd: source })
    const [packed] = JSON.parse(stdout) as [{ filename: string; size: number; files: { path: string }[] }]
    files = packed.files.map(({ path }) => path)
    packedBytes = packed.size

    const modules = join(folder, 'user', 'node_modules')
    installed = join(modules, 'dlr-mo-connector')
    mkdirSync(installed, { recursive: true })
    await run('tar', ['-xzf', join(folder, packed.filename), '--strip-components', '1', '-C', installed])
    for (const name of Object.keys(manifest.dependencies)) {
      mkdirSync(dirname(join(modules, name)), { recursive: true })
      symlinkSync(join(ROOT, 'node_modules', name), join(modules, name))
    }
  }, 300_000)
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  const command = (...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> =>
    run(process.execPath, [join(installed, 'dist', 'main.js'), ...args], { cwd: join(folder, 'user') }).then(
      (ended) => ({ code: 0, ...ended }),
      (error: unknown) => error as { code: number; stdout: string; stderr: string },
    )

  it('holds the program, the schemas, the rules and dashboards, the example configuration and what explains them', () => {
    const outside = files.filter((path) => !path.startsWith('dist/'))
    const filesOf = (name: string): string[] =>
      readdirSync(join(ROOT, name), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length + 1))
    const DOCUMENTS = ['CHANGELOG.md', 'LICENSE', 'README.md', 'docs/runbook.md']
    const CONFIGURATION = ['config/connector.schema.json', 'config/provider.schema.json', 'config/connector.yaml']
    const folders = ['schemas', 'monitoring', 'config/providers'].flatMap(filesOf)
    const expected = [...DOCUMENTS, ...CONFIGURATION, 'package.json', ...folders]
    expect(outside.toSorted()).toEqual(expected.toSorted())
  })

  it('holds of the program what was built of this source, each file with its types', () => {
    const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    const expected = sources
      .filter((path) => path.endsWith('.ts'))
      .flatMap((path) => ['.js', '.d.ts'].map((ending) => `dist/${path.replace(/\.ts$/, ending)}`))
    expect(files.filter((path) => path.startsWith('dist/')).toSorted()).toEqual(expected.toSorted())
  })

  it('is small: neither tests nor sources nor anything that was left over', () => {
    expect(
      files.filter((path) => /(^|\/)(test|src|dev|bench|helm)\/|\.test\.|(?<!\.d)\.ts$|left-over/.test(path)),
    ).toEqual([])
    expect(packedBytes).toBeLessThan(LARGEST_PACKAGE_BYTES)
  })

  it('refers to no source map', () => {
    expect(readFileSync(join(installed, 'dist', 'main.js'), 'utf8')).not.toContain('sourceMappingURL')
  })

  it('has a command that prints its version', async () => {
    expect(await command('--version')).toEqual({ code: 0, stdout: `${manifest.version}\n`, stderr: '' })
  })

  it('has a command that prints its help', async () => {
    const { code, stdout } = await command('--help')
    expect(code).toBe(0)
    expect(stdout).toMatch(/^Usage: dlr-mo-connector /)
  })

  it('has a command that loads every module, and names a configuration that is missing', async () => {
    const { code, stderr } = await command('check', '--config', 'missing.yaml')
    expect(code).toBe(2)
    expect(stderr).toContain('missing.yaml')
  })

  it.each(['run', 'check'])('says without a configuration where an example is: %s', async (name) => {
    const { code, stderr } = await command(name)
    expect(code).toBe(2)
    const example = /^dlr-mo-connector: config\/connector\.yaml: does not exist; .* copy the example (\S+), /.exec(
      stderr,
    )?.[1]
    expect(example).toBe(join(realpathSync(installed), 'config', 'connector.yaml'))
    expect(readFileSync(example ?? '', 'utf8')).toMatch(/^kafka:$/m)
  })

  it('exports schemas and configuration under the names of its documentation', async () => {
    const script = `
      for (const path of ['schemas/delivery-receipt.avsc', 'schemas/inbound-message.avsc', 'schemas/dead-letter.avsc',
        'config/connector.schema.json', 'package.json']) require('fs').readFileSync(require.resolve('dlr-mo-connector/' + path))
      for (const path of ['', '/dist/main.js', '/provider', '/schemas'])
        try { require.resolve('dlr-mo-connector' + path); console.log(path) } catch {}`
    const { stdout } = await run(process.execPath, ['--eval', script], { cwd: join(folder, 'user') })
    expect(stdout).toBe('')
  })

  it('has files for all of its exports', () => {
    const targets = Object.values(manifest.exports).map((target) =>
      typeof target === 'string' ? target : target.types,
    )
    const missing = targets.filter((target) => !target.includes('*') && !files.includes(target.replace('./', '')))
    expect(missing).toEqual([])
  })

  /** Returns what the compiler says about a program that imports the installed package. */
  async function compile(name: string, program: string): Promise<string> {
    const user = join(folder, 'user')
    writeFileSync(join(user, name), program)
    const compilerOptions = { noEmit: true, strict: true, module: 'nodenext', target: 'es2023', types: [] }
    writeFileSync(join(user, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: [name] }))
    const compiler = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc')
    const { stdout } = await run(process.execPath, [compiler], { cwd: user }).catch(
      (error: unknown) => error as { stdout: string },
    )
    return stdout
  }

  it('exports the types of the provider port', async () => {
    const problems = await compile(
      'provider.ts',
      `import type { Provider } from 'dlr-mo-connector/provider'
       export const silent: Pick<Provider, 'name' | 'decode'> = { name: 'silent', decode: () => [] }
       // @ts-expect-error A provider's name is text.
       export const wrong: Pick<Provider, 'name'> = { name: 1 }\n`,
    )
    expect(problems).toBe('')
  })

  it('exports the types of the records', async () => {
    const problems = await compile(
      'records.ts',
      `import type { DeadLetter, DeliveryReceipt, InboundMessage } from 'dlr-mo-connector/schemas'
       export const isDelivered = ({ status, final }: DeliveryReceipt): boolean => final && status === 'DELIVERED'
       export const lengthOf = ({ text, part }: InboundMessage): number => text.length * (part?.total ?? 1)
       export const isLast = ({ part, parts, body }: DeadLetter): boolean => part === parts - 1 && body.byteLength > 0
       // @ts-expect-error No status has this name.
       export const isLost = ({ status }: DeliveryReceipt): boolean => status === 'LOST'
       // @ts-expect-error A provider that sends no time leaves it null.
       export const timeOf = ({ occurredAt }: DeliveryReceipt): number => occurredAt\n`,
    )
    expect(problems).toBe('')
  })
})
