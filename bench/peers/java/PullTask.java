import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.avro.generic.GenericRecord;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.header.ConnectHeaders;
import org.apache.kafka.connect.source.SourceRecord;
import org.apache.kafka.connect.source.SourceTask;

/** Asks the queue for a page and returns its rows as records. Kafka Connect commits each page in a transaction. */
public final class PullTask extends SourceTask {
  private static final String SOURCE = "mtarget-fr";
  private static final long IDLE_DELAY_MS = 200;

  private final ObjectMapper json = new ObjectMapper();
  private final HttpClient http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
  private HttpRequest request;
  private String receiptTopic;
  private String messageTopic;
  private EventRecords receipts;
  private EventRecords messages;
  private long page;

  @Override
  public void start(Map<String, String> settings) {
    String form = "username=bench&password=bench&max=" + settings.get("queue.limit");
    request = HttpRequest.newBuilder(URI.create(settings.get("queue.url")))
        .header("content-type", "application/x-www-form-urlencoded")
        .POST(HttpRequest.BodyPublishers.ofString(form))
        .build();
    receiptTopic = settings.get("topic.dlr");
    messageTopic = settings.get("topic.mo");
    try {
      receipts = new EventRecords(
          settings.get("schema.dlr.file"), Integer.parseInt(settings.get("schema.dlr.id")), "sms.delivery-receipt.v1");
      messages = new EventRecords(
          settings.get("schema.mo.file"), Integer.parseInt(settings.get("schema.mo.id")), "sms.inbound-message.v1");
    } catch (java.io.IOException error) {
      throw new org.apache.kafka.connect.errors.ConnectException(error);
    }
  }

  @Override
  public List<SourceRecord> poll() throws InterruptedException {
    try {
      HttpResponse<byte[]> answer = http.send(request, HttpResponse.BodyHandlers.ofByteArray());
      JsonNode rows = json.readTree(answer.body()).get("results");
      if (rows.isEmpty()) {
        Thread.sleep(IDLE_DELAY_MS);
        return null;
      }
      page += 1;
      List<SourceRecord> records = new ArrayList<>(rows.size());
      for (JsonNode row : rows) records.add(toRecord(row));
      return records;
    } catch (java.io.IOException error) {
      throw new org.apache.kafka.connect.errors.RetriableException(error);
    }
  }

  @Override
  public void stop() {
  }

  @Override
  public String version() {
    return "1";
  }

  private SourceRecord toRecord(JsonNode row) throws java.io.IOException {
    Map<String, String> raw = new HashMap<>();
    row.properties().forEach(field -> raw.put(field.getKey(), field.getValue().asText()));
    String status = raw.get("Status");
    boolean isMessage = "5".equals(status);
    EventRecords events = isMessage ? messages : receipts;
    String identity = raw.get("MsgId") + "\n" + raw.get("DestinationAdress") + "\n" + status + "\n" + raw.get("DeliveryDateTime");
    GenericRecord record = events.begin(SOURCE, "mtarget", identity, "PULL", System.currentTimeMillis(), raw);
    record.put("messageId", raw.get("MsgId"));
    record.put("recipient", international(raw.get("DestinationAdress")));
    record.put("sender", international(raw.get("OriginatedAddress")));
    record.put("occurredAt", occurredAt(raw.get("DeliveryDateTime")));
    if (isMessage) {
      record.put("text", raw.get("Content"));
    } else {
      boolean isFinal = Integer.parseInt(status) > 2;
      events.putStatus(record, isFinal ? "DELIVERED" : "ENROUTE", isFinal, status);
      record.put("providerStatusText", raw.get("StatusText"));
      record.put("errorCode", raw.get("RSN"));
    }
    ConnectHeaders headers = new ConnectHeaders();
    events.headers(record).forEach(headers::addString);
    String key = (String) record.get(isMessage ? "sender" : "messageId");
    return new SourceRecord(Map.of("queue", SOURCE), Map.of("page", page), isMessage ? messageTopic : receiptTopic, null,
        Schema.STRING_SCHEMA, key, Schema.BYTES_SCHEMA, events.encode(record), null, headers);
  }

  private static Long occurredAt(String text) {
    return java.time.LocalDateTime.parse(text.replace(' ', 'T')).toInstant(java.time.ZoneOffset.UTC).toEpochMilli();
  }

  private static String international(String number) {
    if (number.startsWith("00")) return "+" + number.substring(2);
    return !number.startsWith("+") && number.length() >= 9 && Character.isDigit(number.charAt(0)) ? "+" + number : number;
  }
}
