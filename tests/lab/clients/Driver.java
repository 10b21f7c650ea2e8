import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.HttpURLConnection;
import java.net.URL;

/** Makes one request for each line of standard input: http.nonProxyHosts, a tab, the URL. */
public class Driver {
    public static void main(String[] arguments) throws Exception {
        System.setProperty("http.proxyHost", "127.0.0.1");
        System.setProperty("http.proxyPort", "3128");
        System.setProperty("sun.net.http.allowRestrictedHeaders", "true");
        System.out.println(System.getProperty("java.version"));
        BufferedReader rows = new BufferedReader(new InputStreamReader(System.in));
        for (String line = rows.readLine(); line != null; line = rows.readLine()) {
            String[] row = line.split("\t", 2);
            System.setProperty("http.nonProxyHosts", row[0]);
            try {
                HttpURLConnection connection = (HttpURLConnection) new URL(row[1]).openConnection();
                connection.setConnectTimeout(5000);
                connection.setReadTimeout(5000);
                connection.getInputStream().readAllBytes();
                System.out.println("ok");
            } catch (Exception error) {
                System.out.println(error.getClass().getSimpleName());
            }
            System.out.flush();
        }
    }
}
