import type { Environment } from './environment.js'
import type { TopicProgress } from './journal.js'
import type { Writer } from './writer.js'

/** How far each source has been followed on the Kafka topics, in the `meta` database. */
export class LmdbTopicProgress implements TopicProgress {
  readonly #meta: Environment['meta']
  readonly #writer: Writer

  constructor(env: Environment, writer: Writer) {
    this.#meta = env.meta
    this.#writer = writer
  }

  followedUpTo(source: string): number {
    // Earlier builds stored this time beside the scans of a provider's message logs, under the second key.
    const stored = this.#meta.get(`followed ${source}`) ?? this.#meta.get(`walked topics ${source}`)
    return (stored as number | undefined) ?? 0
  }

  recordFollowedUpTo(source: string, time: number): Promise<void> {
    return this.#writer.write(() => this.#meta.put(`followed ${source}`, time))
  }
}
