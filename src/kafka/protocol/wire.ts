/**
 * Writes and reads the primitive types of the Kafka protocol (https://kafka.apache.org/protocol#protocol_types).
 *
 * A version of a request is *flexible* or not (KIP-482). In flexible versions strings and arrays have compact lengths (an
 * unsigned varint of the length plus one), and each structure ends with tagged fields. Writers and readers know which of the two
 * they are in, so that a request is described once for all its versions.
 */

const INITIAL_BYTES = 512

/** Writes into a buffer that grows and can be used again. */
export class WireWriter {
  #buffer: Buffer
  #length = 0
  isFlexible = false

  constructor(initialBytes = INITIAL_BYTES) {
    this.#buffer = Buffer.allocUnsafe(initialBytes)
  }

  /** The bytes that were written. They are overwritten after the next `reset`. */
  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length)
  }

  get length(): number {
    return this.#length
  }

  reset(isFlexible: boolean): this {
    this.#length = 0
    this.isFlexible = isFlexible
    return this
  }

  int8(value: number): this {
    const at = this.#reserve(1)
    this.#buffer.writeInt8(value, at)
    return this
  }

  boolean(value: boolean): this {
    return this.int8(value ? 1 : 0)
  }

  int16(value: number): this {
    const at = this.#reserve(2)
    this.#buffer.writeInt16BE(value, at)
    return this
  }

  int32(value: number): this {
    const at = this.#reserve(4)
    this.#buffer.writeInt32BE(value, at)
    return this
  }

  int64(value: bigint): this {
    const at = this.#reserve(8)
    this.#buffer.writeBigInt64BE(value, at)
    return this
  }

  unsignedVarint(value: number): this {
    let rest = value
    while (rest > 0x7f) {
      const at = this.#reserve(1)
      this.#buffer[at] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    const at = this.#reserve(1)
    this.#buffer[at] = rest
    return this
  }

  nullableString(value: string | null): this {
    if (value === null) return this.isFlexible ? this.unsignedVarint(0) : this.int16(-1)
    const bytes = Buffer.byteLength(value)
    if (this.isFlexible) this.unsignedVarint(bytes + 1)
    else this.int16(bytes)
    const at = this.#reserve(bytes)
    this.#buffer.write(value, at, bytes, 'utf8')
    return this
  }

  string(value: string): this {
    return this.nullableString(value)
  }

  /** Writes the number of elements of an array. The elements follow. */
  arrayLength(length: number): this {
    return this.isFlexible ? this.unsignedVarint(length + 1) : this.int32(length)
  }

  array<T>(elements: readonly T[], write: (element: T) => void): this {
    this.arrayLength(elements.length)
    for (const element of elements) write(element)
    return this
  }

  /** Writes the length of a byte field. The bytes follow with `raw`. */
  bytesLength(length: number): this {
    return this.isFlexible ? this.unsignedVarint(length + 1) : this.int32(length)
  }

  raw(bytes: Buffer): this {
    const at = this.#reserve(bytes.length)
    bytes.copy(this.#buffer, at)
    return this
  }

  /** Ends a structure: a flexible version has tagged fields here, of which this client sends none. */
  endOfStructure(): this {
    return this.isFlexible ? this.unsignedVarint(0) : this
  }

  /** Returns the offset of the next `bytes` bytes. */
  #reserve(bytes: number): number {
    const at = this.#length
    this.#length = at + bytes
    if (this.#length > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#length, this.#buffer.length * 2))
      this.#buffer.copy(larger, 0, 0, at)
      this.#buffer = larger
    }
    return at
  }
}

/** Reads a response. @throws RangeError if the bytes end too early */
export class WireReader {
  readonly #bytes: Buffer
  readonly isFlexible: boolean
  #at = 0

  constructor(bytes: Buffer, isFlexible: boolean) {
    this.#bytes = bytes
    this.isFlexible = isFlexible
  }

  get remainingBytes(): number {
    return this.#bytes.length - this.#at
  }

  int8(): number {
    const value = this.#bytes.readInt8(this.#at)
    this.#at += 1
    return value
  }

  boolean(): boolean {
    return this.int8() !== 0
  }

  int16(): number {
    const value = this.#bytes.readInt16BE(this.#at)
    this.#at += 2
    return value
  }

  int32(): number {
    const value = this.#bytes.readInt32BE(this.#at)
    this.#at += 4
    return value
  }

  int64(): bigint {
    const value = this.#bytes.readBigInt64BE(this.#at)
    this.#at += 8
    return value
  }

  unsignedVarint(): number {
    let value = 0
    for (let weight = 1; ; weight *= 0x80) {
      const byte = this.#bytes.readUInt8(this.#at)
      this.#at++
      value += (byte & 0x7f) * weight
      if (byte < 0x80) return value
    }
  }

  nullableString(): string | null {
    const length = this.isFlexible ? this.unsignedVarint() - 1 : this.int16()
    if (length < 0) return null
    this.#requireBytes(length)
    const value = this.#bytes.toString('utf8', this.#at, this.#at + length)
    this.#at += length
    return value
  }

  string(): string {
    return this.nullableString() ?? ''
  }

  /** Reads bytes whose number is known. */
  raw(length: number): Buffer {
    this.#requireBytes(length)
    const start = this.#at
    this.#at += length
    return this.#bytes.subarray(start, this.#at)
  }

  /** Reads an array; a null array is empty. */
  array<T>(read: () => T): T[] {
    const length = this.isFlexible ? this.unsignedVarint() - 1 : this.int32()
    const elements: T[] = []
    for (let index = 0; index < length; index++) elements.push(read())
    return elements
  }

  /** Skips the tagged fields that end a structure of a flexible version. */
  endOfStructure(): void {
    this.taggedFields(() => undefined)
  }

  /**
   * Reads the tagged fields that end a structure of a flexible version.
   * @param readField called for each field with its tag and a reader of its content
   */
  taggedFields(readField: (tag: number, content: WireReader) => void): void {
    if (!this.isFlexible) return
    const count = this.unsignedVarint()
    for (let index = 0; index < count; index++) {
      const tag = this.unsignedVarint()
      const length = this.unsignedVarint()
      this.#requireBytes(length)
      readField(tag, new WireReader(this.#bytes.subarray(this.#at, this.#at + length), true))
      this.#at += length
    }
  }

  #requireBytes(length: number): void {
    if (length > this.remainingBytes)
      throw new RangeError(`the response ends ${length - this.remainingBytes} bytes early`)
  }
}
