import { fileURLToPath } from 'node:url'
import type { Bases } from './bases.js'
import { docker } from './docker.js'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))

export interface BuildOptions {
  readonly tag: string
  readonly arguments: Bases & Readonly<Record<string, string>>
  /** Whether the build ignores the cache of earlier builds. */
  readonly anew?: boolean
}

/** Builds the image of this checkout with the network of this machine, the only one that a separate daemon has. */
export async function buildImage({ tag, arguments: given, anew = false }: BuildOptions): Promise<void> {
  const settings = Object.entries(given).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`])
  await docker('build', '--network', 'host', ...(anew ? ['--no-cache'] : []), '--tag', tag, ...settings, ROOT)
}
