package example;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.avro.Schema;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.specific.SpecificDatumReader;
import org.apache.avro.specific.SpecificRecord;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.serialization.Deserializer;

/**
 * Decodes the Confluent wire format (a zero, the id of the writer's schema in four bytes, Avro) to a generated class, and asks the
 * registry for the writer's schema. What the class does not know of a newer schema is skipped, or becomes the default.
 *
 * <p>Where Confluent's {@code KafkaAvroDeserializer} can be had, it does the same with {@code specific.avro.reader=true}.
 */
final class RegistryAvroDeserializer<T extends SpecificRecord> implements Deserializer<T> {
  private static final int HEADER_BYTES = 5;
  private static final HttpClient HTTP = HttpClient.newHttpClient();

  private final String registryUrl;
  private final Schema readerSchema;
  private final Map<Integer, SpecificDatumReader<T>> readers = new ConcurrentHashMap<>();

  RegistryAvroDeserializer(String registryUrl, Schema readerSchema) {
    this.registryUrl = registryUrl;
    this.readerSchema = readerSchema;
  }

  @Override
  public T deserialize(String topic, byte[] data) {
    if (data == null) {
      return null;
    }
    var header = ByteBuffer.wrap(data);
    if (data.length < HEADER_BYTES || header.get() != 0) {
      throw new SerializationException("a record of " + topic + " is not in the Confluent wire format");
    }
    var reader = readers.computeIfAbsent(header.getInt(), this::readerOf);
    try {
      var decoder = DecoderFactory.get().binaryDecoder(data, HEADER_BYTES, data.length - HEADER_BYTES, null);
      return reader.read(null, decoder);
    } catch (IOException error) {
      throw new SerializationException("a record of " + topic + " can't be decoded", error);
    }
  }

  private SpecificDatumReader<T> readerOf(int id) {
    var uri = URI.create(registryUrl + "/schemas/ids/" + id);
    try {
      var response = HTTP.send(HttpRequest.newBuilder(uri).build(), HttpResponse.BodyHandlers.ofString());
      if (response.statusCode() != 200) {
        throw new SerializationException(uri + " answered " + response.statusCode());
      }
      var writerSchema = Json.MAPPER.readTree(response.body()).get("schema").asText();
      return new SpecificDatumReader<>(new Schema.Parser().parse(writerSchema), readerSchema);
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    } catch (InterruptedException error) {
      Thread.currentThread().interrupt();
      throw new SerializationException(error);
    }
  }
}
