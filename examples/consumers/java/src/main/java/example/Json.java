package example;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.avro.Schema;
import org.apache.avro.specific.SpecificRecord;
import org.apache.kafka.common.header.Headers;
import sms.events.DeliveryReceipt;

/** Prints records as lines of JSON. */
final class Json {
  static final ObjectMapper MAPPER = new ObjectMapper();

  private Json() {}

  static String line(
      String topic, int partition, long offset, long timestamp, String key, Headers headers, SpecificRecord value) {
    var line = new LinkedHashMap<String, Object>();
    line.put("topic", topic);
    line.put("partition", partition);
    line.put("offset", offset);
    line.put("timestamp", timestamp);
    line.put("key", key);
    line.put("headers", texts(headers));
    line.put("value", plain(value));
    if (value instanceof DeliveryReceipt receipt) {
      line.put("outcome", outcome(receipt));
    }
    return write(line);
  }

  static String write(Map<String, ?> line) {
    try {
      return MAPPER.writeValueAsString(line);
    } catch (JsonProcessingException error) {
      throw new IllegalStateException(error);
    }
  }

  private static String outcome(DeliveryReceipt receipt) {
    return switch (receipt.getStatus()) {
      case DELIVERED -> "delivered";
      case EXPIRED, DELETED, UNDELIVERABLE, REJECTED, SKIPPED -> "failed";
      // UNKNOWN also stands for every status that a newer schema adds. The field is called `final`, which Java reserves.
      default -> receipt.getFinal$() ? "ended" : "pending";
    };
  }

  private static Map<String, String> texts(Headers headers) {
    var texts = new LinkedHashMap<String, String>();
    headers.forEach(header -> texts.put(header.key(), new String(header.value(), StandardCharsets.UTF_8)));
    return texts;
  }

  /** Replaces the types of Avro by those that JSON has. */
  private static Object plain(Object value) {
    if (value instanceof SpecificRecord record) {
      var fields = new LinkedHashMap<String, Object>();
      for (Schema.Field field : record.getSchema().getFields()) {
        fields.put(field.name(), plain(record.get(field.pos())));
      }
      return fields;
    }
    if (value instanceof ByteBuffer bytes) {
      return Base64.getEncoder().encodeToString(Bytes.of(bytes));
    }
    if (value instanceof Instant time) {
      return time.toEpochMilli();
    }
    return value instanceof Enum<?> symbol ? symbol.name() : value;
  }
}
