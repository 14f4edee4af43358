package example;

import java.nio.ByteBuffer;

final class Bytes {
  private Bytes() {}

  static byte[] of(ByteBuffer buffer) {
    var bytes = new byte[buffer.remaining()];
    buffer.duplicate().get(bytes);
    return bytes;
  }
}
