import type { ContainerRuntimeClient } from 'testcontainers'
import { megabytes } from '../../progress.js'
import type { Progress } from '../../progress.js'

/** One line of the daemon's answer to a pull. */
interface PullEvent {
  id?: string
  status?: string
  error?: string
  progressDetail?: { current?: number; total?: number }
}

/**
 * Makes sure that the daemon has the image; one that it has already is not asked for again.
 *
 * Pulled here, not by testcontainers, which shows nothing meanwhile.
 *
 * @throws Error with the daemon's words when it can't be pulled.
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

  progress.step(`Pulling the image ${image}, once ...`)
  const layers = new Map<string, number>()
  const stream = await docker.pull(image)
  await new Promise<void>((resolve, reject) => {
    docker.modem.followProgress(
      stream,
      (error) => (error ? reject(error) : resolve()),
      (event: PullEvent) => {
        if (event.error !== undefined) reject(new Error(event.error))
        // 'Extracting' counts the same layer once more from zero.
        if (event.status !== 'Downloading' || event.id === undefined) return
        layers.set(event.id, event.progressDetail?.current ?? 0)
        progress.update(`  ${megabytes([...layers.values()].reduce((sum, bytes) => sum + bytes, 0))} so far`)
      },
    )
  })
}
