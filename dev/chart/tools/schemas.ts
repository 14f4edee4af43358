import { execFile } from 'node:child_process'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { cached, entryPath, isCached } from '../../stack/jvm/cache.js'
import type { Progress } from '../../progress.js'

const run = promisify(execFile)
const PACKAGE = 'kubernetes-validate==1.37.0'

/** The oldest Kubernetes version that the chart supports, the version of the tests' API server, and the newest version. */
export const KUBERNETES_VERSIONS = ['1.27.0', '1.36.0', '1.37.0'] as const

/**
 * Downloads JSON Schemas of the Kubernetes objects for kubeconform, as `v1.36.0/<kind>-<group>-<version>.json`. They allow no
 * unknown keys. They are part of a Python package, which need not be installed.
 *
 * @returns the folder of the schemas
 * @throws Error with pip's error output
 */
export async function kubernetesSchemas(progress: Progress): Promise<string> {
  const entry = join('tools', PACKAGE.replace('==', '-'))
  if (isCached(entry)) return entryPath(entry)
  progress.step('Downloading the Kubernetes schemas, once (23 MB) ...')
  await mkdir(entryPath('tools'), { recursive: true })
  return cached(entry, async (folder) => {
    const unpacked = join(folder, 'unpacked')
    await python('-m', 'pip', 'download', '--quiet', '--no-deps', '--only-binary', ':all:', '--dest', folder, PACKAGE)
    const wheel = (await readdir(folder)).find((name) => name.endsWith('.whl')) ?? ''
    await python('-m', 'zipfile', '-e', join(folder, wheel), unpacked)
    for (const version of KUBERNETES_VERSIONS) {
      const all = join(unpacked, 'kubernetes_validate', 'kubernetes-json-schema', `v${version}-local-strict`)
      await makeRelative(all)
      await rename(all, join(folder, `v${version}`))
    }
    await rm(unpacked, { recursive: true })
    await rm(join(folder, wheel))
  })
}

/** Replaces ids and references, which are paths of a web server, so that files in one folder find each other by name. */
async function makeRelative(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name)
    const schema = JSON.parse(await readFile(path, 'utf8'), (key, value: unknown) => {
      if (key === '$id') return undefined
      return key === '$ref' && typeof value === 'string' ? value.replace(/^\/api\//, '') : value
    }) as object
    await writeFile(path, JSON.stringify(schema))
  }
}

async function python(...args: string[]): Promise<void> {
  try {
    await run('python3', args)
  } catch (error) {
    const { code, stderr } = error as { code?: unknown; stderr?: string }
    const message = code === 'ENOENT' ? NO_PYTHON : `python3 ${args.join(' ')} failed:\n${stderr ?? String(error)}`
    throw new Error(message, { cause: error })
  }
}

const NO_PYTHON =
  "The chart's tests take the schemas of Kubernetes from a Python package, and there is no python3 here: install Python 3 with pip."
