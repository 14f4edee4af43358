import { execFile } from 'node:child_process'
import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Progress } from '../../progress.js'

const run = promisify(execFile)

/** The command on the PATH, and the default path of Go's installer. */
const PLACES = ['go', '/usr/local/go/bin/go']

/** A Go command that is new enough, and the environment variables that it needs. */
export interface GoCommand {
  readonly command: string
  readonly env: Readonly<Record<string, string>>
}

/**
 * Returns the Go command to build a module with. The Go of a distribution is often older than Kubernetes demands. Version 1.21
 * and later download the demanded version by themselves; for an earlier one this function downloads it as a module. Both are
 * verified against Go's checksum database and kept in Go's own cache.
 *
 * @param goMod path of a go.mod, whose `go` line states the version
 * @throws Error if there is no Go, or with Go's error output if it cannot download the other version
 */
export async function goCommand(goMod: string, progress: Progress): Promise<GoCommand> {
  const wanted = /^go (\d+\.\d+\.\d+)$/m.exec(await readFile(goMod, 'utf8'))?.[1]
  if (wanted === undefined) throw new Error(`${goMod} does not state the Go version that it needs`)
  const found = await newest()
  if (found === undefined) {
    throw new Error(
      "The chart's tests build helm, kubeconform, kubectl, kube-apiserver and etcd from source, and there is no Go here: " +
        `install Go, ${wanted} or later, or an older one that can fetch it.`,
    )
  }
  if (!isOlder(found.version, wanted)) return { command: found.command, env: { GOTOOLCHAIN: 'local' } }
  progress.step(`Go is ${found.version}; downloading ${wanted} ...`)
  if (!isOlder(found.version, '1.21.0')) return { command: found.command, env: { GOTOOLCHAIN: `go${wanted}` } }
  return { command: await toolchainModule(found.command, wanted), env: { GOTOOLCHAIN: 'local' } }
}

async function newest(): Promise<{ command: string; version: string } | undefined> {
  const found: { command: string; version: string }[] = []
  for (const command of PLACES) {
    // The folder must not contain a go.mod, which could demand another version.
    const output = await run(command, ['env', 'GOVERSION'], {
      cwd: tmpdir(),
      env: { ...process.env, GOTOOLCHAIN: 'local' },
    })
      .then(({ stdout }) => stdout)
      .catch(() => '')
    const version = /^go(\d+\.\d+(?:\.\d+)?)/.exec(output)?.[1]
    if (version !== undefined) found.push({ command, version })
  }
  return found.sort((a, b) => (isOlder(a.version, b.version) ? 1 : -1))[0]
}

/** Downloads `golang.org/toolchain` as Go 1.21 does. A module has no executable bits, so they are set here as Go does. */
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

/** Compares versions such as `1.19` and `1.26.8`. */
function isOlder(version: string, than: string): boolean {
  const [a, b] = [version, than].map((text) => text.split('.').map(Number)) as [number[], number[]]
  const differs = [0, 1, 2].find((place) => (a[place] ?? 0) !== (b[place] ?? 0))
  return differs !== undefined && (a[differs] ?? 0) < (b[differs] ?? 0)
}
