package example;

import java.util.List;
import sms.events.DeadLetter;
import sms.events.DeliveryReceipt;
import sms.events.InboundMessage;

/** What the programs read from the environment. */
final class Settings {
  static final String BROKERS = env("KAFKA_BROKERS", "localhost:9092");
  static final String DLR_TOPIC = env("DLR_TOPIC", "sms.dlr");
  static final String MO_TOPIC = env("MO_TOPIC", "sms.mo");
  static final String DEAD_LETTER_TOPIC = env("DEAD_LETTER_TOPIC", "sms.dead-letter");
  static final List<String> TOPICS = List.of(DLR_TOPIC, MO_TOPIC, DEAD_LETTER_TOPIC);
  private static final String REGISTRY_URL = env("SCHEMA_REGISTRY_URL", "http://localhost:8081");

  private Settings() {}

  static String groupId(String fallback) {
    return env("GROUP_ID", fallback);
  }

  static RegistryAvroDeserializer<DeliveryReceipt> receipts() {
    return new RegistryAvroDeserializer<>(REGISTRY_URL, DeliveryReceipt.getClassSchema());
  }

  static RegistryAvroDeserializer<InboundMessage> messages() {
    return new RegistryAvroDeserializer<>(REGISTRY_URL, InboundMessage.getClassSchema());
  }

  static RegistryAvroDeserializer<DeadLetter> deadLetters() {
    return new RegistryAvroDeserializer<>(REGISTRY_URL, DeadLetter.getClassSchema());
  }

  private static String env(String name, String fallback) {
    return System.getenv().getOrDefault(name, fallback);
  }
}
