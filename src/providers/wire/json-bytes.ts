/** Bytes that structure JSON. */
export const QUOTE = 0x22
export const COMMA = 0x2c
export const COLON = 0x3a
export const OPEN_ARRAY = 0x5b
export const BACKSLASH = 0x5c
export const CLOSE_ARRAY = 0x5d
export const OPEN_OBJECT = 0x7b
export const CLOSE_OBJECT = 0x7d
export const LOWER_N = 0x6e

/** Whether a number, `true`, `false` or `null` has ended here. */
export const isDelimiter = (byte: number): boolean =>
  byte === COMMA ||
  byte === CLOSE_ARRAY ||
  byte === CLOSE_OBJECT ||
  byte === QUOTE ||
  byte === COLON ||
  byte === OPEN_ARRAY ||
  byte === OPEN_OBJECT ||
  byte <= 0x20

export const isBlank = (byte: number | undefined): boolean =>
  byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
