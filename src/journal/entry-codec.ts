/**
 * The values of entries as LMDB holds them: plain, or encrypted with AES-256-GCM. docs/adr/0017-journal-encryption.md weighs this.
 *
 * # Format of an encrypted value
 * | bytes | content |
 * |---|---|
 * | 1 | version of this format, 1 |
 * | 8 | id of the key, which follows from the key and says nothing about it |
 * | 16 | salt: random, and the same for all entries that one run of the process has written |
 * | n | ciphertext of: length of the metadata (4 bytes, big-endian), metadata as MessagePack, body |
 * | 16 | authentication tag |
 *
 * LMDB holds it as MessagePack bytes, while a plain entry is a map. A build that knows no encryption fails at the first such
 * value and publishes nothing, so that it makes no dead letter of it.
 *
 * # Nonces
 * A nonce must not be used twice under one key. Each run derives a key of its own from the configured key and the salt
 * (HKDF-SHA-256, RFC 5869), and uses the sequence number of the entry as the nonce. A run never gives a number to two entries.
 * Two runs, also of a copy of the journal, would have to draw the same 128 random bits.
 *
 * # Associated data
 * The tag also covers everything in front of the ciphertext, the sequence number and the id of the journal, so that an entry can't
 * be put in the place of another one.
 */
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto'
import { Packr, Unpackr } from 'msgpackr'
import { ConnectorError, messageOf } from '../core/errors.js'
import type { StoredEntry } from './stored-entry.js'

/** Keys of 32 bytes. */
export interface EncryptionKeys {
  /** Encrypts the entries that are written. They are written plain if it is left out. */
  readonly key?: Uint8Array
  /** Further keys with which entries can be read. */
  readonly previousKeys?: readonly Uint8Array[]
}

/** A plain entry, or an encrypted one in the format above. */
export type StoredValue = StoredEntry | Uint8Array

/** The value of an entry can't be read. */
export class UnreadableEntryError extends Error {
  override readonly name = 'UnreadableEntryError'
  /** The id of the key that the entry is encrypted with, if that key is not given. */
  readonly missingKeyId: string | null

  constructor(message: string, missingKeyId: string | null = null) {
    super(message)
    this.missingKeyId = missingKeyId
  }
}

const ALGORITHM = 'aes-256-gcm'
const FORMAT_VERSION = 1
const KEY_BYTES = 32
const KEY_ID_BYTES = 8
const SALT_BYTES = 16
const TAG_BYTES = 16
const NONCE_BYTES = 12
const LENGTH_BYTES = 4
const HEADER = { keyId: 1, salt: 1 + KEY_ID_BYTES, bytes: 1 + KEY_ID_BYTES + SALT_BYTES }
const KEY_ID_LABEL = 'dlr-mo-connector journal key id'
const KEY_LABEL = 'dlr-mo-connector journal entry'
/** Derived keys of earlier runs that are kept. Each takes about ten microseconds to derive. */
const MAX_DERIVED_KEYS = 64

/** Returns the id of a key: 16 hexadecimal digits that identify it and don't reveal it. */
export const idOfKey = (key: Uint8Array): string =>
  createHmac('sha256', key)
    .update(KEY_ID_LABEL)
    .digest('hex')
    .slice(0, 2 * KEY_ID_BYTES)

/** Returns the id of the key that a value is encrypted with; null for a plain entry. */
export const keyIdOf = (value: StoredValue): string | null =>
  value instanceof Uint8Array ? toBuffer(value).toString('hex', HEADER.keyId, HEADER.salt) : null

export class EntryCodec {
  /** The id of the key that entries are encrypted with; null if they are written plain. */
  readonly currentKeyId: string | null
  readonly #journalId: Buffer
  readonly #keys = new Map<string, Uint8Array>()
  readonly #packr = new Packr({ useRecords: false })
  readonly #unpackr = new Unpackr({ useRecords: false })
  /** The header of every value that this process writes. */
  readonly #header: Buffer | undefined
  /** By header of the value, as Latin-1. */
  readonly #derivedKeys = new Map<string, Uint8Array>()

  /** @param journalId the id of the journal that the entries belong to */
  constructor(journalId: string, { key, previousKeys = [] }: EncryptionKeys = {}) {
    this.#journalId = Buffer.from(journalId)
    for (const each of [...previousKeys, ...(key ? [key] : [])]) {
      if (each.byteLength !== KEY_BYTES) throw new Error(`a key of the journal has ${KEY_BYTES} bytes`)
      this.#keys.set(idOfKey(each), each)
    }
    this.currentKeyId = key ? idOfKey(key) : null
    if (this.currentKeyId === null) return
    const keyId = Buffer.from(this.currentKeyId, 'hex')
    this.#header = Buffer.concat([Buffer.of(FORMAT_VERSION), keyId, randomBytes(SALT_BYTES)])
  }

  hasKey(keyId: string): boolean {
    return this.#keys.has(keyId)
  }

  /** @param seq a number under which this process writes no other entry */
  encode(entry: StoredEntry, seq: number): StoredValue {
    const header = this.#header
    if (header === undefined) return entry
    const { body, ...metadata } = entry
    const packed = this.#packr.pack(metadata)
    const length = Buffer.alloc(LENGTH_BYTES)
    length.writeUInt32BE(packed.length)
    const cipher = createCipheriv(ALGORITHM, this.#deriveKey(header), nonceOf(seq))
    cipher.setAAD(this.#associatedData(header, seq))
    const parts = [cipher.update(length), cipher.update(packed), cipher.update(body), cipher.final()]
    return Buffer.concat([header, ...parts, cipher.getAuthTag()])
  }

  /** @throws UnreadableEntryError */
  decode(value: StoredValue, seq: number): StoredEntry {
    if (!(value instanceof Uint8Array)) return value
    const bytes = toBuffer(value)
    if (bytes.length < HEADER.bytes + LENGTH_BYTES + TAG_BYTES) {
      throw new UnreadableEntryError(`its ${bytes.length} bytes are fewer than an encrypted entry has`)
    }
    if (bytes[0] !== FORMAT_VERSION) {
      throw new UnreadableEntryError(`it has format ${bytes[0]}, and this release reads format ${FORMAT_VERSION}`)
    }
    const header = bytes.subarray(0, HEADER.bytes)
    const keyId = keyIdOf(bytes)!
    if (!this.#keys.has(keyId)) {
      throw new UnreadableEntryError(`it is encrypted with key ${keyId}, which is not given`, keyId)
    }
    const plain = this.#decrypt(header, bytes.subarray(HEADER.bytes), seq)
    const bodyStart = LENGTH_BYTES + plain.readUInt32BE()
    const metadata = this.#unpackr.unpack(plain.subarray(LENGTH_BYTES, bodyStart)) as Omit<StoredEntry, 'body'>
    return { ...metadata, body: plain.subarray(bodyStart) }
  }

  #decrypt(header: Buffer, encrypted: Buffer, seq: number): Buffer {
    const ciphertext = encrypted.subarray(0, -TAG_BYTES)
    const decipher = createDecipheriv(ALGORITHM, this.#deriveKey(header), nonceOf(seq), { authTagLength: TAG_BYTES })
    decipher.setAAD(this.#associatedData(header, seq))
    decipher.setAuthTag(encrypted.subarray(-TAG_BYTES))
    try {
      const plain = decipher.update(ciphertext)
      decipher.final()
      return plain
    } catch (error) {
      throw new UnreadableEntryError(
        `its ${header.length + encrypted.length} bytes are not those that were written: ${messageOf(error)}`,
      )
    }
  }

  #associatedData(header: Buffer, seq: number): Buffer {
    return Buffer.concat([header, nonceOf(seq), this.#journalId])
  }

  /** @param header names a key that is given */
  #deriveKey(header: Buffer): Uint8Array {
    const name = header.toString('latin1')
    const known = this.#derivedKeys.get(name)
    if (known !== undefined) return known
    const key = this.#keys.get(keyIdOf(header)!)!
    const derived = new Uint8Array(hkdfSync('sha256', key, header.subarray(HEADER.salt), KEY_LABEL, KEY_BYTES))
    if (this.#derivedKeys.size >= MAX_DERIVED_KEYS) this.#derivedKeys.clear()
    this.#derivedKeys.set(name, derived)
    return derived
  }
}

function nonceOf(seq: number): Buffer {
  const nonce = Buffer.alloc(NONCE_BYTES)
  nonce.writeBigUInt64BE(BigInt(seq), NONCE_BYTES - 8)
  return nonce
}

const toBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/**
 * The error of whoever needs all entries and lacks a key.
 * @param counts the number of entries by the id of their key
 */
export const missingKeyError = (directory: string, counts: ReadonlyMap<string, number>): ConnectorError => {
  const keys = [...counts].map(([keyId, count]) => `${count} entries encrypted with key ${keyId}`).join(' and ')
  return new ConnectorError(
    'CONFIG_INVALID',
    `the journal in ${directory} holds ${keys}, which is not given. Nothing is lost: put the key back as journal.encryption.key or ` +
      'into journal.encryption.previousKeys, or name its file with --encryption-key-file where the command has this option',
  )
}
