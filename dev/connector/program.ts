import { execFile } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { chown } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { GuardedChild } from '../guarded-child.js'

const run = promisify(execFile)
/** The built command of the connector. */
export const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url))
/** The volume of the image, which is also its working directory. */
const VOLUME = '/var/lib/dlr-mo-connector'

/** How the connector is run. The folder holds `connector.yaml`, and is the working directory. */
export interface Program {
  /** Called whenever the configuration has been written. */
  prepare(folder: string): Promise<void>
  /** The command that starts a new process. */
  launch(folder: string): readonly [command: string, args: string[]]
  /** Ends the process by SIGKILL. @param child what was launched */
  kill(child: GuardedChild): Promise<void>
}

/** The connector as built in this checkout. */
export const fromCheckout: Program = {
  prepare: async () => undefined,
  launch: (folder) => [process.execPath, [MAIN, 'run', '--config', join(folder, 'connector.yaml')]],
  kill: async (child) => child.signal('SIGKILL'),
}

/**
 * The connector in a container, as a cluster with strict rules runs it: the file system is read-only except for the
 * volume, there are no capabilities, and the user is arbitrary. The container uses the network of this machine, on which
 * simulators and broker listen.
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
    // A signal to the docker client would end the client and leave the container running.
    kill: async () => {
      await run('docker', ['kill', name]).catch(() => undefined)
    },
  }
}
