/**
 * Builds the examples of consumers with the tools of their languages. What is built goes into the user's cache, under the hash of
 * what it was built from, so that only the first run after a change downloads and compiles.
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { cp } from 'node:fs/promises'
import { basename, delimiter, join } from 'node:path'
import { cached } from '../../../../dev/stack/jvm/cache.js'
import { goCommand } from '../../../../dev/chart/tools/go-command.js'
import { silent } from '../../../../dev/progress.js'
import { EXAMPLES, SCHEMAS } from './example.js'

/** Returns the interpreter of a virtual environment that has the packages of the examples in Python. */
export async function pythonOfExamples(): Promise<string> {
  const requirements = ['python', 'cloudevents'].map((example) => join(EXAMPLES, example, 'requirements.txt'))
  const environment = await cached(`consumers-python-${hashOf(...requirements)}`, async (folder) => {
    // Its scripts name the folder in which it was created, but `bin/python` and its packages work anywhere.
    await execute('python3', ['-m', 'venv', folder])
    const files = requirements.flatMap((file) => ['--requirement', file])
    await execute(join(folder, 'bin/python'), ['-m', 'pip', 'install', '--quiet', ...files])
  })
  return join(environment, 'bin/python')
}

/** Returns the program that the example in Go is compiled to. */
export async function programOfGoExample(): Promise<string> {
  const source = join(EXAMPLES, 'go')
  const folder = await cached(`consumers-go-${hashOf(source)}`, async (unfinished) => {
    const { command, env } = await goCommand(join(source, 'go.mod'), silent)
    await execute(command, ['build', '-mod=readonly', '-o', join(unfinished, 'consumer'), '.'], source, env)
  })
  return join(folder, 'consumer')
}

/** Returns the class path of the examples in Java, which are compiled with the classes that Maven generates from the schemas. */
export async function classPathOfJavaExamples(): Promise<string> {
  const source = join(EXAMPLES, 'java')
  const folder = await cached(`consumers-java-${hashOf(source, SCHEMAS)}`, async (unfinished) => {
    await cp(source, unfinished, { recursive: true, filter: (path) => basename(path) !== 'target' })
    await execute('mvn', ['--quiet', '--batch-mode', `-Dschemas=${SCHEMAS}`, 'compile'], unfinished)
  })
  return [join(folder, 'target/classes'), join(folder, 'target/lib/*')].join(delimiter)
}

/** Returns a copy of the example with the CloudEvents SDK of JavaScript, which has its packages. */
export async function cloudEventsExample(): Promise<string> {
  const source = ['package.json', 'read.mjs'].map((name) => join(EXAMPLES, 'cloudevents', name))
  return cached(`consumers-cloudevents-${hashOf(...source)}`, async (unfinished) => {
    for (const file of source) await cp(file, join(unfinished, basename(file)))
    await execute('npm', ['install', '--silent', '--no-package-lock', '--no-audit', '--no-fund'], unfinished)
  })
}

/** A short hash of files, and of all files below folders. */
function hashOf(...paths: readonly string[]): string {
  const hash = createHash('sha256')
  for (const path of paths) {
    for (const file of filesOf(path)) hash.update(`${file.slice(path.length)}\0`).update(readFileSync(file))
  }
  return hash.digest('hex').slice(0, 12)
}

const filesOf = (path: string): string[] => {
  try {
    const entries = readdirSync(path, { recursive: true, withFileTypes: true })
    return entries
      .flatMap((entry) =>
        entry.isFile() && !entry.parentPath.includes('/target') ? [join(entry.parentPath, entry.name)] : [],
      )
      .sort()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return [path]
    throw error
  }
}

/** @throws Error with the output of the command if it fails */
async function execute(
  command: string,
  args: readonly string[],
  cwd?: string,
  env: NodeJS.ProcessEnv = {},
): Promise<void> {
  const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  const output: Buffer[] = []
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => output.push(chunk))
  // A command that can't be started makes `once` throw.
  const [code] = (await once(child, 'close')) as [number | null]
  if (code === 0) return
  throw new Error(`${command} ${args.join(' ')} failed with code ${code}:\n${Buffer.concat(output).toString()}`)
}
