package tocsin.bench.kstreams;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.math.BigDecimal;
import java.math.MathContext;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Writes a JSON value that is not a string as JavaScript prints it after JSON.parse. Such a value in a signed field is
 * rare and sets the event aside, but its hash must be right. This is the slow way, off the hot path.
 */
final class Stringify {
  private Stringify() {}

  /**
   * Reads the value at the parser's place and writes it, unless the field is optional and the value falsy: 0, false and
   * null are absent there. Returns whether it wrote.
   */
  static boolean value(JsonParser p, JsonToken token, boolean required, JsonText out) throws IOException {
    int before = out.length;
    write(p, token, out);
    if (required) {
      return true;
    }
    int n = out.length - before;
    boolean falsy = token == JsonToken.VALUE_FALSE || token == JsonToken.VALUE_NULL
        || n == 1 && out.bytes[before] == '0';
    if (falsy) {
      out.length = before;
    }
    return !falsy;
  }

  private static void write(JsonParser p, JsonToken token, JsonText out) throws IOException {
    switch (token) {
      case VALUE_STRING -> out.quote(p.getTextCharacters(), p.getTextOffset(), p.getTextLength());
      case START_OBJECT -> object(p, out);
      case START_ARRAY -> {
        ascii(out, "[");
        boolean first = true;
        for (JsonToken t; (t = p.nextToken()) != JsonToken.END_ARRAY; first = false) {
          if (!first) {
            ascii(out, ",");
          }
          write(p, t, out);
        }
        ascii(out, "]");
      }
      case VALUE_NUMBER_INT, VALUE_NUMBER_FLOAT -> ascii(out, number(Double.parseDouble(p.getText())));
      default -> ascii(out, p.getText()); // true, false, null
    }
  }

  /** Names that are array indices come first, ascending; of several values the last stands at the first one's place. */
  private static void object(JsonParser p, JsonText out) throws IOException {
    Map<Long, JsonText> indices = new TreeMap<>();
    Map<String, JsonText> others = new LinkedHashMap<>();
    for (String name; (name = p.nextFieldName()) != null; ) {
      JsonText member = new JsonText();
      member.quote(name.toCharArray(), 0, name.length());
      ascii(member, ":");
      write(p, p.nextToken(), member);
      if (name.matches("0|[1-9][0-9]{0,9}") && Long.parseLong(name) < (1L << 32) - 1) {
        indices.put(Long.parseLong(name), member);
      } else {
        others.put(name, member);
      }
    }
    List<JsonText> members = new ArrayList<>(indices.values());
    members.addAll(others.values());
    String before = "{";
    for (JsonText member : members) {
      ascii(out, before);
      out.append(member.bytes, 0, member.length);
      before = ",";
    }
    ascii(out, before.equals("{") ? "{}" : "}");
  }

  private static void ascii(JsonText out, String text) {
    out.append(text.getBytes(StandardCharsets.US_ASCII));
  }

  /** ECMA-262, Number::toString; what is infinite is null, minus zero is 0. */
  static String number(double v) {
    if (v == 0) {
      return "0";
    }
    if (Double.isInfinite(v)) {
      return "null";
    }
    BigDecimal shortest = shortest(Math.abs(v)).stripTrailingZeros();
    String digits = shortest.unscaledValue().toString();
    int k = digits.length();
    int n = k - shortest.scale(); // the value is 0.digits × 10^n
    String text;
    if (k <= n && n <= 21) {
      text = digits + "0".repeat(n - k);
    } else if (0 < n && n <= 21) {
      text = digits.substring(0, n) + "." + digits.substring(n);
    } else if (-6 < n && n <= 0) {
      text = "0." + "0".repeat(-n) + digits;
    } else {
      String exponent = (n > 0 ? "e+" : "e") + (n - 1);
      text = digits.charAt(0) + (k > 1 ? "." + digits.substring(1) : "") + exponent;
    }
    return v < 0 ? "-" + text : text;
  }

  /** The shortest decimal that reads back as v; Double.toString of Java 17 does not always give it. */
  private static BigDecimal shortest(double v) {
    BigDecimal exact = new BigDecimal(v);
    for (int digits = 1; digits < 17; digits++) {
      BigDecimal rounded = exact.round(new MathContext(digits));
      if (rounded.doubleValue() == v) {
        return rounded;
      }
    }
    return exact.round(new MathContext(17));
  }
}
