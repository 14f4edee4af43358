import type { TestProject } from 'vitest/node'
import { progressOn } from '../../progress.js'
import { bases } from './bases.js'
import type { Bases } from './bases.js'
import { succeeds } from './docker.js'

/** Provides the base images to the tests of the image, or the reason why there are none: `inject('imageBases')`. */
export default async function setup(project: TestProject): Promise<void> {
  const progress = progressOn()
  const given = (await succeeds('info')) ? await bases(progress) : { missing: 'no Docker daemon is usable here' }
  if ('missing' in given) {
    progress.step(
      `The image is not tested: ${given.missing}. ` +
        'dev/chart/image/with-daemon.sh npm run test:image brings a daemon of its own (root and dockerd needed).',
    )
  }
  project.provide('imageBases', given)
}

declare module 'vitest' {
  interface ProvidedContext {
    imageBases: Bases | { missing: string }
  }
}
