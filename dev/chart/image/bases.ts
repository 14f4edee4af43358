import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Progress } from '../../progress.js'
import { succeeds } from './docker.js'

const SCRIPT = fileURLToPath(new URL('local-bases.sh', import.meta.url))

/** The base images of the Dockerfile, as its build arguments. */
export interface Bases {
  readonly NODE_IMAGE: string
  readonly BASE_IMAGE: string
}

/** The defaults of the Dockerfile, and the images that `local-bases.sh` builds. */
const PUBLISHED: Bases = { NODE_IMAGE: 'node:24-bookworm-slim', BASE_IMAGE: 'debian:bookworm-slim' }
const LOCAL: Bases = { NODE_IMAGE: 'local/node:24', BASE_IMAGE: 'local/debian:bookworm-slim' }

/**
 * Returns the first available of: the images that NODE_IMAGE and BASE_IMAGE name, the images that the daemon has or can pull,
 * images that were built locally before, and images that can be built now. Returns the reason if there are none.
 */
export async function bases(progress: Progress): Promise<Bases | { missing: string }> {
  const { NODE_IMAGE, BASE_IMAGE } = process.env
  if (NODE_IMAGE && BASE_IMAGE) return { NODE_IMAGE, BASE_IMAGE }
  if (await haveAll(LOCAL)) return LOCAL
  if ((await haveAll(PUBLISHED)) || (await pullAll(PUBLISHED))) return PUBLISHED
  progress.step('No image can be pulled; building the base images from packages (takes some minutes) ...')
  const code = await new Promise<number | null>((resolve) => {
    const child = spawn(SCRIPT, { stdio: ['ignore', 'ignore', 'inherit'] })
    child.on('error', () => resolve(127))
    child.on('close', resolve)
  })
  if (code === 0) return LOCAL
  return {
    missing: `base images can be neither pulled nor made here (dev/chart/image/local-bases.sh ended with ${code})`,
  }
}

async function haveAll(images: Bases): Promise<boolean> {
  return succeeds('image', 'inspect', images.NODE_IMAGE, images.BASE_IMAGE)
}

async function pullAll(images: Bases): Promise<boolean> {
  return (await succeeds('pull', images.BASE_IMAGE)) && (await succeeds('pull', images.NODE_IMAGE))
}
