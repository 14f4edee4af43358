package example;

import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.avro.specific.SpecificRecord;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import sms.events.DeadLetter;

/** Prints the records of the three topics, one JSON object in a line, until SIGTERM or SIGINT. */
public final class PrintRecords {
  private static final Map<String, Deserializer<? extends SpecificRecord>> DESERIALIZERS =
      Map.of(
          Settings.DLR_TOPIC, Settings.receipts(),
          Settings.MO_TOPIC, Settings.messages(),
          Settings.DEAD_LETTER_TOPIC, Settings.deadLetters());

  private final Map<TopicPartition, DeadLetterJoiner> joiners = new HashMap<>();

  public static void main(String[] arguments) {
    Map<String, Object> properties =
        Map.of(
            "bootstrap.servers", Settings.BROKERS,
            "group.id", Settings.groupId("sms-example-java"),
            "isolation.level", "read_committed",
            "auto.offset.reset", "earliest",
            "enable.auto.commit", false);
    var consumer = new KafkaConsumer<>(properties, new StringDeserializer(), new ByteArrayDeserializer());
    var main = Thread.currentThread();
    Runtime.getRuntime().addShutdownHook(new Thread(() -> Shutdown.await(consumer, main)));
    try (consumer) {
      new PrintRecords().run(consumer);
    } catch (WakeupException stopped) {
      // SIGTERM or SIGINT has arrived.
    }
  }

  private void run(KafkaConsumer<String, byte[]> consumer) {
    consumer.subscribe(Settings.TOPICS, new ForgetRevoked());
    while (true) {
      var records = consumer.poll(Duration.ofSeconds(1));
      for (var partition : records.partitions()) {
        var joiner = joiners.computeIfAbsent(partition, any -> new DeadLetterJoiner());
        var ofPartition = records.records(partition);
        ofPartition.forEach(record -> handle(record, joiner));
        long next = joiner.firstOpenOffset().orElse(ofPartition.get(ofPartition.size() - 1).offset() + 1);
        consumer.commitSync(Map.of(partition, new OffsetAndMetadata(next)));
      }
    }
  }

  private static void handle(ConsumerRecord<String, byte[]> record, DeadLetterJoiner joiner) {
    var value = DESERIALIZERS.get(record.topic()).deserialize(record.topic(), record.value());
    if (value instanceof DeadLetter part) {
      joiner.add(part, record.offset()).ifPresent(letter -> print(record, letter));
    } else {
      print(record, value);
    }
  }

  private static void print(ConsumerRecord<String, byte[]> record, SpecificRecord value) {
    System.out.println(
        Json.line(
            record.topic(),
            record.partition(),
            record.offset(),
            record.timestamp(),
            record.key(),
            record.headers(),
            value));
  }

  /** The next owner of a partition reads the parts that were waiting again. */
  private final class ForgetRevoked implements ConsumerRebalanceListener {
    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> partitions) {}

    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
      joiners.keySet().removeAll(List.copyOf(partitions));
    }
  }
}
