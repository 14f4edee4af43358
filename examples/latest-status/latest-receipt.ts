/**
 * The rule that folds receipts into the current state of a message, without dependencies. Providers send receipts twice, late and in
 * another order than they happened. docs/schema-evolution.md explains the rule.
 */
import type { DeliveryReceipt } from 'dlr-mo-connector/schemas'

type Timed = Pick<DeliveryReceipt, 'final' | 'occurredAt' | 'receivedAt'>
type Identified = Pick<DeliveryReceipt, 'source' | 'messageId' | 'recipient'>

/** Returns the key of the message that a receipt is about. The recipients of one batch may share a message id. */
export const messageKeyOf = ({ source, messageId, recipient }: Identified): string =>
  JSON.stringify([source, messageId, recipient])

/**
 * Whether a receipt replaces the one that is the state of the message so far: final wins, then the later one. The receipts are given in
 * the order of their offsets, which decides between equal times.
 */
export function replaces(receipt: Timed, current: Timed | undefined): boolean {
  if (current === undefined) return true
  if (receipt.final !== current.final) return receipt.final
  const later = timeOf(receipt) - timeOf(current)
  return later === 0 ? receipt.receivedAt >= current.receivedAt : later > 0
}

const timeOf = ({ occurredAt, receivedAt }: Timed): number => occurredAt ?? receivedAt
