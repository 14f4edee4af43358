/** `journal.encryption`: the keys that the entries of the journal are encrypted with. */
import { rule, section } from './section.js'
import { list, value, type ValueKind } from './values.js'

const KEY_BYTES = 32

export const ENCRYPTION_KEY_EXPECTED = `a key of ${KEY_BYTES} bytes in Base64 or hexadecimal ("openssl rand -base64 32" makes one)`

/** Returns the bytes of a key that is written in hexadecimal, Base64 or Base64url; undefined for anything else. */
export const parseEncryptionKey = (text: string): Buffer | undefined => {
  if (/^[0-9A-Fa-f]{64}$/.test(text)) return Buffer.from(text, 'hex')
  if (!/^[A-Za-z0-9+/_-]{43}=?$/.test(text)) return undefined
  const key = Buffer.from(text, 'base64')
  return key.length === KEY_BYTES ? key : undefined
}

const KEY: ValueKind<string> = {
  expected: ENCRYPTION_KEY_EXPECTED,
  jsonSchema: { type: 'string', pattern: '^([0-9A-Fa-f]{64}|[A-Za-z0-9+/_-]{43}=?)$|\\$\\{' },
  // The text stays as it is written, so that outputs hide it.
  parse: (given) => (parseEncryptionKey(given) === undefined ? undefined : given),
}

export const encryption = () =>
  section({
    key: value(KEY)
      .exactOptional()
      .describe(
        'Key that entries are encrypted with: 32 bytes in Base64 or hexadecimal. If left out, new entries are not encrypted, and `previousKeys` decrypt those that are.',
      ),
    previousKeys: list(value(KEY), { minItems: 0 })
      .exactOptional()
      .describe('Further keys that entries are decrypted with, until the journal holds none of them any more.'),
  }).check(
    rule({
      holds: (keys) => 'key' in keys || 'previousKeys' in keys,
      problem: 'names no key; set key, or remove the section if no entry of the journal is encrypted',
    }),
  )
