import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import javax.security.auth.callback.Callback;
import javax.security.auth.login.AppConfigurationEntry;
import org.apache.kafka.common.security.auth.AuthenticateCallbackHandler;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerToken;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallback;

/** Lets a broker read tokens of MSK IAM: presigned URLs in base64url. It checks their form; only AWS can check the signature. */
public class MskIamValidator implements AuthenticateCallbackHandler {
    public void configure(Map<String, ?> configs, String mechanism, List<AppConfigurationEntry> entries) {}

    public void close() {}

    public void handle(Callback[] callbacks) {
        for (Callback callback : callbacks) {
            if (callback instanceof OAuthBearerValidatorCallback) validate((OAuthBearerValidatorCallback) callback);
        }
    }

    private static void validate(OAuthBearerValidatorCallback callback) {
        URI url = URI.create(new String(Base64.getUrlDecoder().decode(callback.tokenValue()), StandardCharsets.UTF_8));
        Map<String, String> query = new HashMap<>();
        for (String pair : url.getRawQuery().split("&")) {
            query.put(pair.substring(0, pair.indexOf('=')), pair.substring(pair.indexOf('=') + 1));
        }
        boolean isValid = url.getHost().equals("kafka.eu-central-1.amazonaws.com")
                && "kafka-cluster%3AConnect".equals(query.get("Action"))
                && "AWS4-HMAC-SHA256".equals(query.get("X-Amz-Algorithm"))
                && query.getOrDefault("X-Amz-Signature", "").matches("[0-9a-f]{64}")
                && query.getOrDefault("X-Amz-Credential", "").startsWith("AKIDEXAMPLE%2F");
        if (isValid) callback.token(new Token(callback.tokenValue(), Long.parseLong(query.get("X-Amz-Expires"))));
        else callback.error("invalid_token", null, null);
    }

    private record Token(String value, long seconds) implements OAuthBearerToken {
        public Set<String> scope() {
            return Set.of();
        }

        public long lifetimeMs() {
            return System.currentTimeMillis() + seconds * 1000;
        }

        public String principalName() {
            return "AKIDEXAMPLE";
        }

        public Long startTimeMs() {
            return null;
        }
    }
}
