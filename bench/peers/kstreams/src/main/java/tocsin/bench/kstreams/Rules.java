package tocsin.bench.kstreams;

import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/** Says which rules count an event. There are few different actions, so what each meets is remembered. One per task. */
final class Rules {
  private static final int LOGIN_FAILURE = 1;
  private static final int AUTH = 2;
  private static final int READ = 4;
  private static final int BULK = 8;
  private static final int DATA = 16;

  private static final int MEMORY = 4096; // actions come from outside
  private static final long HOUR = 3_600_000_000_000L;

  private static final Set<String> CODES = Set.of(
      "AccessDenied", "AccessDeniedException", "AuthorizationError", "AuthorizationErrorException",
      "Client.UnauthorizedAccess", "Client.UnauthorizedOperation", "ForbiddenException", "NotAuthorized",
      "NotAuthorizedException", "UnauthorizedAccess", "UnauthorizedAccessException", "UnauthorizedException",
      "UnauthorizedOperation");
  private static final String[] PHRASES = {
    "unauthorized", "access denied", "forbidden", "is not authorized to perform"
  };

  private final Map<String, Integer> met = new HashMap<>();

  /** The set of rules that count the event, as bits. */
  int match(Event e) {
    int action = action(e.action);
    int mask = 0;
    if (e.status == Event.FAILURE) {
      if ((action & LOGIN_FAILURE) != 0) {
        mask |= Rule.FAILED_AUTH_BURST.bit();
      }
      if (denied(e)) {
        mask |= Rule.UNAUTHORIZED_ACCESS.bit();
      }
    } else if (e.status == Event.SUCCESS) {
      if ((action & AUTH) == 0 && ((action & READ) != 0 || e.has(Event.TARGET_TYPE))) {
        mask |= Rule.DATA_VELOCITY.bit();
      }
      if ((action & DATA) != 0 && offHours(e.time)) {
        mask |= Rule.OFF_HOURS_ACCESS.bit();
      }
    }
    if ((action & BULK) != 0 || e.recordCount > 10) {
      mask |= Rule.BULK_OPERATION.bit();
    }
    return mask;
  }

  private int action(String action) {
    Integer known = met.get(action);
    if (known != null) {
      return known;
    }
    int set = action.contains("auth.login.failure") ? LOGIN_FAILURE : 0;
    set |= action.startsWith("auth.") ? AUTH : 0;
    set |= action.contains("data.read") || action.contains("fhir.") ? READ : 0;
    set |= action.contains("data.export") || action.contains("data.import") || action.contains("bulk") ? BULK : 0;
    set |= action.contains("data.") || action.contains("fhir.") ? DATA : 0;
    if (met.size() >= MEMORY) {
      met.clear();
    }
    met.put(action, set);
    return set;
  }

  /** [22:00, 06:00) UTC. */
  private static boolean offHours(long time) {
    long hour = Math.floorMod(time, 24 * HOUR) / HOUR;
    return hour >= 22 || hour < 6;
  }

  private static boolean denied(Event e) {
    String outcome = e.outcome == null ? "" : e.outcome;
    String code = e.errorCode != null ? e.errorCode : e.reasonCode;
    if (code == null) {
      int colon = outcome.indexOf(':');
      code = colon < 0 ? outcome : outcome.substring(0, colon);
    }
    if (CODES.contains(code)) {
      return true;
    }
    String folded = lower(outcome);
    for (String phrase : PHRASES) {
      if (folded.contains(phrase)) {
        return true;
      }
    }
    return false;
  }

  /** ASCII alone is folded: the Kelvin sign is no k. */
  private static String lower(String text) {
    boolean ascii = true;
    for (int i = 0; i < text.length() && ascii; i++) {
      ascii = text.charAt(i) < 0x80;
    }
    if (ascii) {
      return text.toLowerCase(Locale.ROOT);
    }
    char[] chars = text.toCharArray();
    for (int i = 0; i < chars.length; i++) {
      if (chars[i] >= 'A' && chars[i] <= 'Z') {
        chars[i] += 'a' - 'A';
      }
    }
    return new String(chars);
  }
}
