package example;

import org.apache.kafka.clients.consumer.KafkaConsumer;

final class Shutdown {
  private Shutdown() {}

  /** Ends the poll of a consumer, and waits until it has left its group: the process ends when the last shutdown hook returns. */
  static void await(KafkaConsumer<?, ?> consumer, Thread main) {
    consumer.wakeup();
    try {
      main.join();
    } catch (InterruptedException error) {
      Thread.currentThread().interrupt();
    }
  }
}
