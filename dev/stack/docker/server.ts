import type { Container } from 'dockerode'
import { GenericContainer, StartupCheckStrategy } from 'testcontainers'
import type { ContainerRuntimeClient, StartedTestContainer } from 'testcontainers'
import { StackError } from '../types.js'

const START_TIMEOUT_MS = 120_000

export interface ContainerPlan {
  /** For people: `Kafka`. */
  name: string
  image: string
  environment: Record<string, string>
  containerPort: number
  /** The port is fixed, because a broker advertises its address to clients and must have the same one after a restart. */
  hostPort: number
  /** Resolves once the server answers requests. */
  ready: (timeoutMs: number) => Promise<void>
}

/** Waits for nothing: readiness is decided by the same requests as without containers. */
class NoWait extends StartupCheckStrategy {
  override checkStartupState(): Promise<'SUCCESS'> {
    return Promise.resolve('SUCCESS')
  }
}

/** A container that can be killed, paused and restarted. testcontainers removes it when this process ends. */
export class ContainerServer {
  readonly #plan: ContainerPlan
  readonly #started: StartedTestContainer
  readonly #container: Container

  private constructor(plan: ContainerPlan, started: StartedTestContainer, container: Container) {
    this.#plan = plan
    this.#started = started
    this.#container = container
  }

  /** @throws StackError when the server is not ready in time */
  static async start(runtime: ContainerRuntimeClient, plan: ContainerPlan): Promise<ContainerServer> {
    const started = await new GenericContainer(plan.image)
      .withEnvironment(plan.environment)
      .withExposedPorts({ container: plan.containerPort, host: plan.hostPort })
      .withWaitStrategy(new NoWait())
      .start()
    const server = new ContainerServer(plan, started, runtime.container.getById(started.getId()))
    await server.#untilReady()
    return server
  }

  async kill(): Promise<void> {
    if (await this.#isRunning()) await this.#container.kill({ signal: 'SIGKILL' })
    await this.#container.wait({ condition: 'not-running' })
  }

  async restart(): Promise<void> {
    await this.kill()
    await this.#container.start()
    await this.#untilReady()
  }

  async pause(): Promise<void> {
    await this.#container.pause()
  }

  async resume(): Promise<void> {
    await this.#container.unpause()
  }

  async execute(command: string[]): Promise<void> {
    await this.#started.exec(command)
  }

  async remove(): Promise<void> {
    await this.#container.remove({ force: true, v: true }).catch(() => undefined)
  }

  async #isRunning(): Promise<boolean> {
    return (await this.#container.inspect()).State.Running
  }

  async #untilReady(): Promise<void> {
    try {
      await this.#plan.ready(START_TIMEOUT_MS)
    } catch (error) {
      const log = await this.#container.logs({ stdout: true, stderr: true, tail: 25 }).catch(() => '')
      await this.remove()
      throw new StackError(
        `${this.#plan.name} did not become ready in its container: ${String(error)}\n${log.toString()}`,
      )
    }
  }
}
