package example;

import io.cloudevents.kafka.CloudEventDeserializer;
import java.time.Duration;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.StringDeserializer;

/** Prints the attributes of CloudEvents and their data, read by the CloudEvents SDK, one JSON object in a line, until SIGTERM or SIGINT. */
public final class PrintCloudEvents {
  private PrintCloudEvents() {}

  public static void main(String[] arguments) {
    Map<String, Object> properties =
        Map.of(
            "bootstrap.servers", Settings.BROKERS,
            "group.id", Settings.groupId("sms-example-cloudevents-java"),
            "isolation.level", "read_committed",
            "auto.offset.reset", "earliest");
    var consumer = new KafkaConsumer<>(properties, new StringDeserializer(), new CloudEventDeserializer());
    var main = Thread.currentThread();
    Runtime.getRuntime().addShutdownHook(new Thread(() -> Shutdown.await(consumer, main)));
    try (consumer) {
      consumer.subscribe(Settings.TOPICS);
      while (true) {
        for (var record : consumer.poll(Duration.ofSeconds(1))) {
          var event = record.value();
          var line = new LinkedHashMap<String, Object>();
          line.put("specversion", event.getSpecVersion().toString());
          line.put("id", event.getId());
          line.put("source", event.getSource().toString());
          line.put("type", event.getType());
          line.put("time", event.getTime().toInstant().toEpochMilli());
          line.put("datacontenttype", event.getDataContentType());
          line.put("data", Base64.getEncoder().encodeToString(event.getData().toBytes()));
          System.out.println(Json.write(line));
        }
      }
    } catch (WakeupException stopped) {
      // SIGTERM or SIGINT has arrived.
    }
  }
}
