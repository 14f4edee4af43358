import { execFile } from 'node:child_process'
import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Progress } from '../../progress.js'

const run = promisify(execFile)

/** On the PATH, and where Go's own installer puts it. */
const PLACES = ['go', '/usr/local/go/bin/go']

/** A Go that is new enough, and what must stand in its environment. */
export interface GoCommand {
  readonly command: string
  readonly env: Readonly<Record<string, string>>
}

/**
 * The Go to build a module with. What a distribution packages is often older than what Kubernetes asks for: one from 1.21
 * on fetches the version that it is told, by itself; an earlier one fetches it as the module that it is published as. Both
 * check it against Go's checksum database, and keep it in Go's own cache.
 *
 * @param goMod path of a go.mod; its `go` line says which version is needed
 * @throws Error in a sentence when there is no Go at all, or with its words when it can't fetch the other
 */
export async function goCommand(goMod: string, progress: Progress): Promise<GoCommand> {
  const wanted = /^go (\d+\.\d+\.\d+)$/m.exec(await readFile(goMod, 'utf8'))?.[1]
  if (wanted === undefined) throw new Error(`${goMod} doesn't say which version of Go it needs`)
  const found = await newest()
  if (found === undefined) {
    throw new Error(
      "The chart's tests build helm, kubeconform, kubectl, kube-apiserver and etcd from source, and there is no Go here: " +
        `install Go, ${wanted} or later, or an older one that can fetch it.`,
    )
  }
  if (!isOlder(found.version, wanted)) return { command: found.command, env: { GOTOOLCHAIN: 'local' } }
  progress.step(`Go here is ${found.version}; it fetches ${wanted} ...`)
  if (!isOlder(found.version, '1.21.0')) return { command: found.command, env: { GOTOOLCHAIN: `go${wanted}` } }
  return { command: await toolchainModule(found.command, wanted), env: { GOTOOLCHAIN: 'local' } }
}

async function newest(): Promise<{ command: string; version: string } | undefined> {
  const found: { command: string; version: string }[] = []
  for (const command of PLACES) {
    // In a folder without a go.mod, which could ask for another version.
    const said = await run(command, ['env', 'GOVERSION'], {
      cwd: tmpdir(),
      env: { ...process.env, GOTOOLCHAIN: 'local' },
    })
      .then(({ stdout }) => stdout)
      .catch(() => '')
    const version = /^go(\d+\.\d+(?:\.\d+)?)/.exec(said)?.[1]
    if (version !== undefined) found.push({ command, version })
  }
  return found.sort((a, b) => (isOlder(a.version, b.version) ? 1 : -1))[0]
}

/** Fetches `golang.org/toolchain` as Go 1.21 would; a module knows no executable bits, so they are set here as there. */
async function toolchainModule(command: string, version: string): Promise<string> {
  const { stdout: platform } = await run(command, ['env', 'GOOS', 'GOARCH'])
  const module = `golang.org/toolchain@v0.0.1-go${version}.${platform.trim().split('\n').join('-')}`
  const empty = await mkdtemp(join(tmpdir(), 'dlrmo-go-'))
  try {
    const env = { ...process.env, GOFLAGS: '-mod=mod', GOWORK: 'off' }
    const { stdout } = await run(command, ['mod', 'download', '-json', module], { cwd: empty, env })
    const { Dir } = JSON.parse(stdout) as { Dir: string }
    for (const folder of [join(Dir, 'bin'), join(Dir, 'pkg', 'tool')]) {
      for (const file of await readdir(folder, { recursive: true, withFileTypes: true })) {
        if (file.isFile()) await chmod(join(file.parentPath, file.name), 0o555)
      }
    }
    return join(Dir, 'bin', 'go')
  } finally {
    await rm(empty, { recursive: true })
  }
}

/** Versions as `1.19` or `1.26.8`. */
function isOlder(version: string, than: string): boolean {
  const [a, b] = [version, than].map((text) => text.split('.').map(Number)) as [number[], number[]]
  const differs = [0, 1, 2].find((place) => (a[place] ?? 0) !== (b[place] ?? 0))
  return differs !== undefined && (a[differs] ?? 0) < (b[differs] ?? 0)
}
