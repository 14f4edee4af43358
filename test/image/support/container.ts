import { randomInt } from 'node:crypto'
import { docker } from '../../../dev/chart/image/docker.js'

/** Options of `docker run` as a cluster with strict policies would apply them, with the network of this machine. */
export const LOCKED_DOWN = [
  ...['--network', 'host', '--read-only', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges'],
]

/** A user id that exists in no image. */
export const anyUser = (): string => {
  const id = randomInt(20_000, 60_000)
  return `${id}:${id}`
}

/** A running container, until `remove` is called. */
export class Container {
  readonly id: string

  private constructor(id: string) {
    this.id = id
  }

  /** @param args the arguments of `docker run`: options, image, arguments of the program */
  static async start(...args: string[]): Promise<Container> {
    return new Container(await docker('run', '--detach', ...args))
  }

  exec(...command: string[]): Promise<string> {
    return docker('exec', this.id, ...command)
  }

  logs(): Promise<string> {
    return docker('logs', this.id)
  }

  async inspect(format: string): Promise<string> {
    return docker('inspect', '--format', format, this.id)
  }

  /** Sends SIGTERM and resolves with the exit code. */
  async stop(): Promise<number> {
    await docker('kill', '--signal', 'TERM', this.id)
    return Number(await docker('wait', this.id))
  }

  async remove(): Promise<void> {
    await docker('rm', '--force', '--volumes', this.id)
  }
}
