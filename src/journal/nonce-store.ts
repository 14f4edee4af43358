/**
 * Nonces that were used. One is written in the same LMDB transaction as the entry that came with it, so a refused write
 * or a crash burns none; one whose write is under way can't be claimed again.
 */
import { createHash } from 'node:crypto'
import type { Clock } from '../clock.js'
import { ConnectorError } from '../errors.js'
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
  readonly #underWay = new Set<string>()

  constructor(env: Environment, clock: Clock) {
    this.#env = env
    this.#clock = clock
  }

  /** @throws ConnectorError NONCE_SEEN */
  claim({ key: nonce, expiresAt }: Nonce): Claim {
    const { nonces, noncesByExpiry } = this.#env
    const key = keyOf(nonce)
    const used = nonces.get(key)
    if (this.#underWay.has(key) || (used !== undefined && used > this.#clock.now())) {
      throw new ConnectorError('NONCE_SEEN', 'this nonce was used before')
    }
    this.#underWay.add(key)
    return {
      queue: () => {
        void nonces.put(key, expiresAt)
        void noncesByExpiry.put([expiresAt, key], null)
      },
      settle: () => void this.#underWay.delete(key),
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
