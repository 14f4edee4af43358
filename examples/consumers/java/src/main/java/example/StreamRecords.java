package example;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.util.Properties;
import org.apache.avro.specific.SpecificRecord;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.Serializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;
import sms.events.DeadLetter;

/**
 * Prints the records of the three topics, one JSON object in a line, until SIGTERM or SIGINT. With Kafka Streams: the parts of dead
 * letters wait in a state store, which survives restarts.
 *
 * <p>With {@code exactly_once_v2} Streams reads {@code read_committed}. The timestamp of a record is its {@code receivedAt}, so after
 * an outage of Kafka it is late: windows need a grace period as long as such an outage.
 */
public final class StreamRecords {
  private static final String PARTS = "dead-letter-parts";

  private StreamRecords() {}

  public static void main(String[] arguments) {
    var properties = new Properties();
    properties.put("bootstrap.servers", Settings.BROKERS);
    properties.put("application.id", Settings.groupId("sms-example-streams"));
    properties.put("processing.guarantee", "exactly_once_v2");
    properties.put("auto.offset.reset", "earliest");
    // Streams does not leave its group when it stops: after this time another member takes over.
    properties.put("session.timeout.ms", 10_000);
    properties.put("state.dir", System.getenv().getOrDefault("STATE_DIR", "/tmp/sms-example-streams"));
    var streams = new KafkaStreams(topology(), properties);
    Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
    streams.start();
  }

  private static Topology topology() {
    var builder = new StreamsBuilder();
    builder.addStateStore(
        Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore(PARTS), Serdes.String(), Serdes.ByteArray()));
    builder.stream(Settings.DLR_TOPIC, consumed(Settings.receipts())).process(Print::new);
    builder.stream(Settings.MO_TOPIC, consumed(Settings.messages())).process(Print::new);
    builder
        .stream(Settings.DEAD_LETTER_TOPIC, consumed(Settings.deadLetters()))
        .process(JoinDeadLetters::new, PARTS)
        .process(Print::new);
    return builder.build();
  }

  private static <T> Consumed<String, T> consumed(Deserializer<T> deserializer) {
    Serializer<T> unused =
        (topic, value) -> {
          throw new UnsupportedOperationException("this program writes no records");
        };
    return Consumed.with(Serdes.String(), Serdes.serdeFrom(unused, deserializer));
  }

  /** Forwards the letters that are whole. The bodies of parts that wait for others are under event id, parts and part. */
  private static final class JoinDeadLetters implements Processor<String, DeadLetter, String, DeadLetter> {
    private ProcessorContext<String, DeadLetter> context;
    private KeyValueStore<String, byte[]> bodies;

    @Override
    public void init(ProcessorContext<String, DeadLetter> context) {
      this.context = context;
      bodies = context.getStateStore(PARTS);
    }

    @Override
    public void process(Record<String, DeadLetter> record) {
      var letter = record.value();
      int parts = letter.getParts();
      if (parts == 1) {
        context.forward(record);
        return;
      }
      bodies.put(keyOf(letter, letter.getPart()), Bytes.of(letter.getBody()));
      var whole = new ByteArrayOutputStream();
      for (int part = 0; part < parts; part++) {
        var body = bodies.get(keyOf(letter, part));
        if (body == null) {
          return;
        }
        whole.writeBytes(body);
      }
      for (int part = 0; part < parts; part++) {
        bodies.delete(keyOf(letter, part));
      }
      var body = ByteBuffer.wrap(whole.toByteArray());
      context.forward(record.withValue(DeadLetter.newBuilder(letter).setBody(body).build()));
    }

    private static String keyOf(DeadLetter letter, int part) {
      return letter.getEventId() + "/" + letter.getParts() + "/" + part;
    }
  }

  private static final class Print<T extends SpecificRecord> implements Processor<String, T, Void, Void> {
    private ProcessorContext<Void, Void> context;

    @Override
    public void init(ProcessorContext<Void, Void> context) {
      this.context = context;
    }

    @Override
    public void process(Record<String, T> record) {
      var place = context.recordMetadata().orElseThrow();
      System.out.println(
          Json.line(
              place.topic(),
              place.partition(),
              place.offset(),
              record.timestamp(),
              record.key(),
              record.headers(),
              record.value()));
    }
  }
}
