import java.util.Map;
import org.apache.avro.generic.GenericRecord;
import org.apache.camel.Exchange;
import org.apache.camel.builder.RouteBuilder;
import org.apache.camel.component.kafka.KafkaConstants;
import org.apache.camel.main.Main;

/**
 * Apache Camel: takes a callback of seven, sends its record to Kafka, and answers after all in-sync replicas have it. It
 * writes nothing to disk and uses no transaction.
 *
 * Arguments: port, brokers, topic, schema file, schema id.
 */
public final class CamelPeer {
  private static final String SOURCE = "seven-main";

  public static void main(String[] args) throws Exception {
    String brokers = args[1];
    String topic = args[2];
    EventRecords receipts = new EventRecords(args[3], Integer.parseInt(args[4]), "sms.delivery-receipt.v1");
    String kafka = "kafka:" + topic + "?brokers=" + brokers + "&requestRequiredAcks=all&recordMetadata=false"
        + "&keySerializer=org.apache.kafka.common.serialization.StringSerializer"
        + "&valueSerializer=org.apache.kafka.common.serialization.ByteArraySerializer";
    Main main = new Main();
    main.addInitialProperty("camel.server.enabled", "true");
    main.addInitialProperty("camel.server.host", "127.0.0.1");
    main.addInitialProperty("camel.server.port", args[0]);
    main.configure().addRoutesBuilder(new RouteBuilder() {
      @Override
      public void configure() {
        from("platform-http:/callbacks/" + SOURCE + "?httpMethodRestrict=GET")
            .process(exchange -> toRecord(exchange, receipts))
            .to(kafka)
            .removeHeaders("*")
            .setHeader(Exchange.HTTP_RESPONSE_CODE, constant(200))
            .setBody(constant(""));
      }
    });
    main.run();
  }

  private static void toRecord(Exchange exchange, EventRecords receipts) throws Exception {
    String messageId = exchange.getIn().getHeader("msg_id", String.class);
    String status = exchange.getIn().getHeader("status", String.class);
    Map<String, String> raw = Map.of("msg_id", messageId, "status", status);
    GenericRecord record =
        receipts.begin(SOURCE, "seven", messageId + "\n" + status, "CALLBACK", System.currentTimeMillis(), raw);
    record.put("messageId", messageId);
    boolean isFinal = !"BUFFERED".equals(status) && !"TRANSMITTED".equals(status) && !"ACCEPTED".equals(status);
    receipts.putStatus(record, isFinal ? "DELIVERED" : "ENROUTE", isFinal, status);
    exchange.getIn().removeHeaders("*");
    receipts.headers(record).forEach(exchange.getIn()::setHeader);
    exchange.getIn().setHeader(KafkaConstants.KEY, messageId);
    exchange.getIn().setBody(receipts.encode(record));
  }
}
