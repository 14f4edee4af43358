import type { ContainerRuntimeClient } from 'testcontainers'
import { formatMegabytes } from '../../progress.js'
import type { Progress } from '../../progress.js'

/** One line of the daemon's answer to a pull request. */
interface PullEvent {
  id?: string
  status?: string
  error?: string
  progressDetail?: { current?: number; total?: number }
}

/**
 * Pulls the image unless the daemon has it already. testcontainers could pull it too, but shows no progress.
 * @throws Error with the message of the daemon when the image cannot be pulled
 */
export async function ensureImage(runtime: ContainerRuntimeClient, image: string, progress: Progress): Promise<void> {
  const docker = runtime.container.dockerode
  const isThere = await docker
    .getImage(image)
    .inspect()
    .then(
      () => true,
      () => false,
    )
  if (isThere) return

  progress.step(`Pulling the image ${image}, which is needed only once ...`)
  const layers = new Map<string, number>()
  const stream = await docker.pull(image)
  await new Promise<void>((resolve, reject) => {
    docker.modem.followProgress(
      stream,
      (error) => (error ? reject(error) : resolve()),
      (event: PullEvent) => {
        if (event.error !== undefined) reject(new Error(event.error))
        // While a layer is extracted, its progress counts again from zero.
        if (event.status !== 'Downloading' || event.id === undefined) return
        layers.set(event.id, event.progressDetail?.current ?? 0)
        progress.update(`  ${formatMegabytes([...layers.values()].reduce((sum, bytes) => sum + bytes, 0))} so far`)
      },
    )
  })
}
