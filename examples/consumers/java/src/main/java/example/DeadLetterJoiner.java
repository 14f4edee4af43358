package example;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import sms.events.DeadLetter;

/**
 * Joins the parts of dead letters that were too large for one record. It joins those in one partition, which holds all parts of a dead
 * letter, because they have the same key.
 */
final class DeadLetterJoiner {
  private record OpenLetter(long firstOffset, int parts, Map<Integer, byte[]> bodies) {}

  /** By event id, in the order of their first offsets. */
  private final Map<String, OpenLetter> openLetters = new LinkedHashMap<>();

  /** Returns the letter with its whole body if this part completes it. */
  Optional<DeadLetter> add(DeadLetter letter, long offset) {
    int parts = letter.getParts();
    if (parts == 1) {
      return Optional.of(letter);
    }
    var open = openLetters.get(letter.getEventId());
    if (open == null || open.parts() != parts) {
      if (letter.getPart() != 0) {
        // Retention has deleted the beginning of this letter, or this part is there a second time.
        return Optional.empty();
      }
      open = new OpenLetter(offset, parts, new HashMap<>());
      openLetters.remove(letter.getEventId());
      openLetters.put(letter.getEventId(), open);
    }
    open.bodies().put(letter.getPart(), Bytes.of(letter.getBody()));
    if (open.bodies().size() < parts) {
      return Optional.empty();
    }
    openLetters.remove(letter.getEventId());
    var body = new ByteArrayOutputStream();
    for (int part = 0; part < parts; part++) {
      body.writeBytes(open.bodies().get(part));
    }
    return Optional.of(DeadLetter.newBuilder(letter).setBody(ByteBuffer.wrap(body.toByteArray())).build());
  }

  /** The offset of the first part that waits for others. A consumer commits no offset behind it. */
  OptionalLong firstOpenOffset() {
    return openLetters.values().stream().mapToLong(OpenLetter::firstOffset).findFirst();
  }
}
