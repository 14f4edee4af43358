/**
 * Nonces that were used. One is written in the same LMDB transaction as the entry that came with it, so a refused write
 * or a crash burns none; a second claim waits for what becomes of the first.
 */
import { createHash } from 'node:crypto'
import type { Clock } from '../core/clock.js'
import { ConnectorError } from '../core/errors.js'
import type { Environment } from './environment.js'
import type { Nonce } from './journal.js'

export interface Claim {
  /** Queues the write; the caller has opened the batch that it is to be part of. */
  queue(): void
  /** The write is over, well or not. */
  settle(): void
}

export class NonceStore {
  readonly #env: Environment
  readonly #clock: Clock
  readonly #underWay = new Map<string, Promise<void>>()

  constructor(env: Environment, clock: Clock) {
    this.#env = env
    this.#clock = clock
  }

  /** The write under way of this nonce, if there is one: wait for it before claiming. Never rejects. */
  underWay({ key }: Nonce): Promise<void> | undefined {
    return this.#underWay.get(keyOf(key))
  }

  /** @throws ConnectorError NONCE_SEEN */
  claim({ key: nonce, expiresAt }: Nonce): Claim {
    const { nonces, noncesByExpiry } = this.#env
    const key = keyOf(nonce)
    const used = nonces.get(key)
    if (used !== undefined && used > this.#clock.now()) {
      throw new ConnectorError('NONCE_SEEN', 'this nonce was used before')
    }
    let over = (): void => undefined
    this.#underWay.set(key, new Promise((resolve) => (over = resolve)))
    return {
      queue: () => {
        void nonces.put(key, expiresAt)
        void noncesByExpiry.put([expiresAt, key], null)
      },
      settle: () => {
        this.#underWay.delete(key)
        over()
      },
    }
  }

  /** Queues the removal of some that have expired; the caller has opened the batch. */
  queueExpiry(now: number): void {
    const { nonces, noncesByExpiry } = this.#env
    for (const [expiresAt, key] of noncesByExpiry.getKeys({ limit: 5000 })) {
      if (expiresAt > now) break
      void noncesByExpiry.remove([expiresAt, key])
      if ((nonces.get(key) ?? 0) <= now) void nonces.remove(key)
    }
  }
}

/** LMDB keys are short, and a sender may write as long a nonce as a header holds. */
const keyOf = (nonce: string): string => createHash('sha256').update(nonce).digest('base64url')
