import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { cached, entryPath, isCached } from '../../stack/jvm/cache.js'
import type { Progress } from '../../progress.js'
import { goCommand } from './go-command.js'
import type { GoCommand } from './go-command.js'

/** A folder beside this file with a go.mod and a go.sum, and the programs that are built from it. */
export interface GoTools {
  /** `kubernetes` */
  readonly module: string
  /** The package of each program: `{kubectl: 'k8s.io/kubernetes/cmd/kubectl'}`. */
  readonly programs: Readonly<Record<string, string>>
  /** Minutes that the build takes on two slow cores, shown to the user. */
  readonly minutes: number
}

/**
 * Builds programs from source, once. The folder in the cache is named after a hash of go.mod and go.sum, which fix every
 * version and its checksum. Go's environment variables apply, for example GOFLAGS=-p=1 on a shared machine, or GOPROXY.
 *
 * @returns the folder that contains the programs
 * @throws Error if there is no Go, or with Go's error output if a build fails
 */
export async function goTools({ module, programs, minutes }: GoTools, progress: Progress): Promise<string> {
  const source = fileURLToPath(new URL(module, import.meta.url))
  const hash = createHash('sha256')
  for (const file of ['go.mod', 'go.sum']) hash.update(await readFile(join(source, file)))
  const entry = join('tools', `${module}-${hash.digest('hex').slice(0, 12)}`)
  if (isCached(entry)) return entryPath(entry)

  progress.step(`Building ${Object.keys(programs).join(', ')} with Go, once (some ${minutes} minutes) ...`)
  const go = await goCommand(join(source, 'go.mod'), progress)
  await mkdir(entryPath('tools'), { recursive: true })
  return cached(entry, async (folder) => {
    for (const [program, target] of Object.entries(programs))
      await build(go, source, target, join(folder, program), progress)
  })
}

async function build(go: GoCommand, source: string, target: string, output: string, progress: Progress): Promise<void> {
  const startedAt = Date.now()
  const seconds = (): string => `${Math.round((Date.now() - startedAt) / 1_000)} s`
  const child = spawn(go.command, ['build', '-v', '-trimpath', '-ldflags=-s -w', '-o', output, target], {
    cwd: source,
    stdio: ['ignore', 'ignore', 'pipe'],
    // Without cgo the programs are static and run on any machine of the same architecture.
    env: { ...process.env, ...go.env, GOWORK: 'off', CGO_ENABLED: '0' },
  })
  const lastLines: string[] = []
  let packages = 0
  createInterface({ input: child.stderr }).on('line', (line) => {
    // With -v, Go prints one line per package.
    packages += 1
    lastLines.push(line)
    lastLines.splice(0, lastLines.length - 20)
    if (packages % 25 === 0) progress.update(`  ${basename(output)}: ${packages} packages, ${seconds()}`)
  })
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('close', resolve)
    child.on('error', reject)
  })
  if (code !== 0) throw new Error(`go build ${target} failed:\n${lastLines.join('\n')}`)
  progress.step(`  ${basename(output)}: ${seconds()}`)
}
