/**
 * The nonces that were used. A nonce is written in the same LMDB transaction as its entry, so that neither a refused write
 * nor a crash uses it up. A second claim of a nonce waits for the outcome of the first one's write.
 */
import { createHash } from 'node:crypto'
import type { Clock } from '../core/clock.js'
import { ConnectorError } from '../core/errors.js'
import type { Environment } from './environment.js'
import type { Nonce } from './journal.js'

/** The right to use a nonce, from the check until the end of the write. */
export interface NonceClaim {
  /** Queues the write. The caller has opened the batch that it belongs to. */
  queueWrite(): void
  /** Ends the claim. To be called when the write has ended, whether it succeeded or not. */
  settle(): void
}

/** Expired nonces that one release deletes, so that no release takes long. */
const MAX_DELETIONS_PER_RELEASE = 5_000

export class NonceStore {
  readonly #env: Environment
  readonly #clock: Clock
  /** Resolves when the write of the nonce ends. */
  readonly #pendingWrites = new Map<string, Promise<void>>()

  constructor(env: Environment, clock: Clock) {
    this.#env = env
    this.#clock = clock
  }

  /** The pending write of this nonce. It must be awaited before the nonce can be claimed. It never rejects. */
  pendingWrite({ key }: Nonce): Promise<void> | undefined {
    return this.#pendingWrites.get(hashOf(key))
  }

  /** @throws ConnectorError NONCE_SEEN */
  claim({ key, expiresAt }: Nonce): NonceClaim {
    const { nonces, noncesByExpiry } = this.#env
    const hash = hashOf(key)
    const usedUntil = nonces.get(hash)
    if (usedUntil !== undefined && usedUntil > this.#clock.now()) {
      throw new ConnectorError(
        'NONCE_SEEN',
        'the nonce of this request was used before, by a request that is in custody; a new request needs a nonce of its own',
      )
    }
    let onSettled = (): void => undefined
    const settled = new Promise<void>((resolve) => {
      onSettled = resolve
    })
    this.#pendingWrites.set(hash, settled)
    return {
      queueWrite: () => {
        void nonces.put(hash, expiresAt)
        void noncesByExpiry.put([expiresAt, hash], null)
      },
      settle: () => {
        this.#pendingWrites.delete(hash)
        onSettled()
      },
    }
  }

  /** Queues the deletion of nonces that have expired. The caller has opened the batch that it belongs to. */
  queueDeletions(now: number): void {
    const { nonces, noncesByExpiry } = this.#env
    for (const [expiresAt, hash] of noncesByExpiry.getKeys({ limit: MAX_DELETIONS_PER_RELEASE })) {
      if (expiresAt > now) break
      void noncesByExpiry.remove([expiresAt, hash])
      // A nonce that was used again after it had expired has a later expiry by now.
      if ((nonces.get(hash) ?? 0) <= now) void nonces.remove(hash)
    }
  }
}

/** The length of LMDB keys is limited, and a sender may use a nonce as long as a header allows. */
const hashOf = (nonce: string): string => createHash('sha256').update(nonce).digest('base64url')
