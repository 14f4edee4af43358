import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.EncoderFactory;

/** Builds the records of the connector: Avro in Confluent's wire format, with the same fields and headers. */
final class EventRecords {
  private static final byte WIRE_FORMAT = 0;

  private final Schema schema;
  private final int schemaId;
  private final String cloudEventsType;
  private final GenericDatumWriter<GenericRecord> writer;
  private final Schema status;
  private final Schema via;

  EventRecords(String schemaFile, int schemaId, String cloudEventsType) throws java.io.IOException {
    this.schema = new Schema.Parser().parse(Files.readString(Path.of(schemaFile)));
    this.schemaId = schemaId;
    this.cloudEventsType = cloudEventsType;
    this.writer = new GenericDatumWriter<>(schema);
    this.status = schema.getField("status") == null ? null : schema.getField("status").schema();
    this.via = schema.getField("via").schema();
  }

  /** A record with the fields that every event has. Fields that are not set are null. */
  GenericRecord begin(String source, String provider, String identity, String via, long receivedAt, Map<String, String> raw) {
    GenericRecord record = new GenericData.Record(schema);
    record.put("eventId", sha256(source + "\n" + identity));
    record.put("source", source);
    record.put("provider", provider);
    record.put("receivedAt", receivedAt);
    record.put("via", new GenericData.EnumSymbol(this.via, via));
    record.put("raw", raw);
    return record;
  }

  void putStatus(GenericRecord record, String name, boolean isFinal, String providerStatus) {
    record.put("status", new GenericData.EnumSymbol(status, name));
    record.put("final", isFinal);
    record.put("providerStatus", providerStatus);
  }

  byte[] encode(GenericRecord record) throws java.io.IOException {
    java.io.ByteArrayOutputStream bytes = new java.io.ByteArrayOutputStream(512);
    bytes.write(WIRE_FORMAT);
    bytes.write(ByteBuffer.allocate(4).putInt(schemaId).array());
    BinaryEncoder encoder = EncoderFactory.get().directBinaryEncoder(bytes, null);
    writer.write(record, encoder);
    return bytes.toByteArray();
  }

  Map<String, String> headers(GenericRecord record) {
    Map<String, String> headers = new LinkedHashMap<>();
    headers.put("ce_specversion", "1.0");
    headers.put("ce_id", (String) record.get("eventId"));
    headers.put("ce_source", "/" + record.get("provider") + "/" + record.get("source"));
    headers.put("ce_type", cloudEventsType);
    headers.put("ce_time", Instant.ofEpochMilli((Long) record.get("receivedAt")).toString());
    headers.put("content-type", "application/avro");
    return headers;
  }

  private static String sha256(String text) {
    try {
      byte[] hash = MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
      return java.util.HexFormat.of().formatHex(hash, 0, 16);
    } catch (java.security.NoSuchAlgorithmException error) {
      throw new IllegalStateException(error);
    }
  }
}
