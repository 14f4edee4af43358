import { execFile } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { chown } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { GuardedChild } from '../guarded-child.js'

const run = promisify(execFile)
const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url))
/** Where the image has its volume, and its working directory. */
const VOLUME = '/var/lib/dlr-mo-connector'

/** What is run as the connector. The folder holds `connector.yaml`, and is its working directory. */
export interface Program {
  /** Once, before the first launch. */
  prepare(folder: string): Promise<void>
  /** Command and arguments of a new process. */
  launch(folder: string): readonly [command: string, args: string[]]
  /** As a power cut would; the child is what was launched. */
  kill(child: GuardedChild): Promise<void>
}

/** The program as built in this checkout. */
export const fromCheckout: Program = {
  prepare: async () => undefined,
  launch: (folder) => [process.execPath, [MAIN, 'run', '--config', join(folder, 'connector.yaml')]],
  kill: async (child) => child.signal('SIGKILL'),
}

/**
 * An image, as a cluster with strict rules runs it: nothing can be written but the volume, no capabilities, and a user
 * that nobody has heard of. It shares the network of this machine, where the demo's broker and providers listen.
 */
export function fromImage(image: string): Program {
  const name = `dlrmo-demo-${process.pid}`
  const isRoot = process.getuid?.() === 0
  const user = isRoot ? randomInt(20_000, 60_000) : (process.getuid?.() ?? 0)
  return {
    prepare: async (folder) => {
      if (isRoot) await chown(folder, user, user)
    },
    launch: (folder) => [
      'docker',
      [
        ...['run', '--rm', '--name', name, '--network', 'host', '--user', `${user}:${user}`],
        ...['--read-only', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges'],
        ...['--volume', `${folder}:${VOLUME}`, image, 'run', '--config', `${VOLUME}/connector.yaml`],
      ],
    ],
    // A signal to the client would end the client alone.
    kill: async () => void (await run('docker', ['kill', name]).catch(() => undefined)),
  }
}
