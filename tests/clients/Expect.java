import java.io.FileInputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/**
 * Sends a request that expects 100, and its body only when that has come, twice.
 *
 * <p>{@code java Expect.java VERSION URL BODY_BYTES [CERTIFICATE]} prints the version, the status
 * and the body of each response. VERSION is {@code HTTP_1_1} or {@code HTTP_2}.
 */
final class Expect {
    public static void main(String[] arguments) throws Exception {
        var builder = HttpClient.newBuilder().version(HttpClient.Version.valueOf(arguments[0]));
        if (arguments.length > 3) {
            builder.sslContext(trust(arguments[3]));
        }
        var client = builder.build();
        var body = "{\"message\":\"" + "a".repeat(Integer.parseInt(arguments[2])) + "\"}";
        var request = HttpRequest.newBuilder(URI.create(arguments[1]))
                .header("content-type", "application/json")
                .expectContinue(true)
                .timeout(Duration.ofMinutes(2))
                .POST(HttpRequest.BodyPublishers.ofString(body))
                .build();
        for (int i = 0; i < 2; i++) {
            var response = client.send(request, BodyHandlers.ofString());
            System.out.println(response.version() + " " + response.statusCode() + " " + response.body());
        }
        System.exit(0);
    }

    private static SSLContext trust(String certificate) throws Exception {
        var keys = KeyStore.getInstance(KeyStore.getDefaultType());
        keys.load(null);
        try (var file = new FileInputStream(certificate)) {
            keys.setCertificateEntry(
                    "server", CertificateFactory.getInstance("X.509").generateCertificate(file));
        }
        var managers = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        managers.init(keys);
        var context = SSLContext.getInstance("TLS");
        context.init(null, managers.getTrustManagers(), null);
        return context;
    }
}
