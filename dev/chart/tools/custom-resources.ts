import { execFile } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { cached, entryPath, isCached } from '../../stack/jvm/cache.js'
import type { Progress } from '../../progress.js'
import { goCommand } from './go-command.js'

const run = promisify(execFile)

/** Custom resource definitions by the Go module, with its version, that contains them as files. */
const DEFINITIONS: Readonly<Record<string, readonly string[]>> = {
  'github.com/argoproj/argo-cd/v3@v3.5.0': ['manifests/crds/application-crd.yaml'],
  'github.com/fluxcd/source-controller@v1.9.0': [
    'config/crd/bases/source.toolkit.fluxcd.io_helmrepositories.yaml',
    'config/crd/bases/source.toolkit.fluxcd.io_ocirepositories.yaml',
  ],
  'github.com/fluxcd/helm-controller@v1.4.0': ['config/crd/bases/helm.toolkit.fluxcd.io_helmreleases.yaml'],
}

/** Names the folder in the cache after every version, so that another version is downloaded anew. */
const ENTRY = join('tools', 'custom-resources-argo-cd-3.5.0-source-controller-1.9.0-helm-controller-1.4.0')

/**
 * Downloads the custom resource definitions of Argo CD and Flux, which their Go modules contain. Go verifies each module
 * against its checksum database.
 *
 * @returns the folder of the definitions
 * @throws Error if there is no Go, or with Go's error output if a module cannot be downloaded
 */
export async function customResourceDefinitions(progress: Progress): Promise<string> {
  if (isCached(ENTRY)) return entryPath(ENTRY)
  progress.step('Downloading the custom resource definitions of Argo CD and Flux, once ...')
  const go = await goCommand(fileURLToPath(new URL('kubernetes/go.mod', import.meta.url)), progress)
  await mkdir(entryPath('tools'), { recursive: true })
  const empty = await mkdtemp(join(tmpdir(), 'dlrmo-go-'))
  try {
    return await cached(ENTRY, async (folder) => {
      const env = { ...process.env, ...go.env, GOFLAGS: '-mod=mod', GOWORK: 'off' }
      for (const [module, files] of Object.entries(DEFINITIONS)) {
        const { stdout } = await run(go.command, ['mod', 'download', '-json', module], { cwd: empty, env })
        const { Dir } = JSON.parse(stdout) as { Dir: string }
        for (const file of files) await copyFile(join(Dir, file), join(folder, basename(file)))
      }
    })
  } finally {
    await rm(empty, { recursive: true })
  }
}
