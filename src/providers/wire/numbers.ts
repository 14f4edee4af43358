/** Reads numbers as providers write them. One that can't be read without doubt is null, and `raw` keeps it as sent. */
import type { Price } from '../../core/event.js'

const MAX_COUNT = 2 ** 31 - 1

/** Reads a whole number from 1 to the largest that an Avro `int` holds. */
export const parseCount = (sent: string | undefined): number | null => {
  // JSON numbers keep their text, and `2.0` is the number 2.
  if (sent === undefined || !/^[0-9]{1,10}(\.0+)?$/.test(sent)) return null
  const count = Number(sent)
  return count >= 1 && count <= MAX_COUNT ? count : null
}

/** @param currency an ISO 4217 code; null where the provider does not say */
export const parsePrice = (sent: string | undefined, currency: string | null): Price | null =>
  sent !== undefined && /^-?[0-9]+(\.[0-9]+)?$/.test(sent) ? { amount: sent, currency } : null

/** Reads a mobile network: three digits of the country code, and then two or three of the network code (ITU-T E.212). */
export const parseNetwork = (sent: string | undefined): string | null =>
  sent !== undefined && /^[0-9]{5,6}$/.test(sent) ? sent : null
