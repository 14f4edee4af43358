/** The wire format of Confluent's registry: a zero byte, the 4-byte schema id, and the Avro encoding. */

const MAGIC_BYTE = 0
/** The bytes in front of the Avro encoding. */
export const WIRE_HEADER_BYTES = 5

export const writeWireHeader = (buffer: Buffer, offset: number, schemaId: number): void => {
  buffer.writeUInt8(MAGIC_BYTE, offset)
  buffer.writeUInt32BE(schemaId, offset + 1)
}

/** Returns the id of the schema that a value was written with; undefined if it is not in this format. */
export const readSchemaId = (value: Buffer): number | undefined =>
  value.length < WIRE_HEADER_BYTES || value[0] !== MAGIC_BYTE ? undefined : value.readUInt32BE(1)
