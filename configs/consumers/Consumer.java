import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.OffsetDateTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Reads the ticket entries of a hotline, stores each once, and reports it received. Java 11 or newer, nothing else.
 *
 * <p>usage: java Consumer.java HOST:PORT HOTLINE CONSUMER STORE [CLAIM_MS]
 *
 * <p>CONSUMER is this process's own name within the group "my-tickets". When it dies, another takes over after CLAIM_MS
 * what it was given and has not acknowledged. STORE is a folder with a file per event_id, and stands for your database:
 * what matters there is the primary key on event_id.
 */
public class Consumer {
    private static final String GROUP = "my-tickets";

    private final Redis redis;
    private final String stream;
    private final String name;
    private final Path store;

    Consumer(Redis redis, String hotline, String name, Path store) {
        this.redis = redis;
        this.stream = "liandong:tickets:" + hotline;
        this.name = name;
        this.store = store;
    }

    public static void main(String[] args) throws IOException {
        if (args.length < 4) {
            System.err.println("usage: java Consumer.java HOST:PORT HOTLINE CONSUMER STORE [CLAIM_MS]");
            System.exit(2);
        }
        Path store = Files.createDirectories(Path.of(args[3]));
        new Consumer(new Redis(args[0]), args[1], args[2], store).run(args.length > 4 ? args[4] : "60000");
    }

    private void run(String claim) throws IOException {
        try {
            redis.call("XGROUP", "CREATE", stream, GROUP, "0", "MKSTREAM");
        } catch (RedisError e) {
            if (!e.getMessage().contains("BUSYGROUP")) {
                throw e;
            }
        }
        String mine = "0"; // first what this consumer was given before it was restarted, then what is new
        while (true) {
            List<?> claimed = (List<?>) redis.call("XAUTOCLAIM", stream, GROUP, name, claim, "0-0", "COUNT", "10");
            for (Object entry : (List<?>) claimed.get(1)) {
                handle((List<?>) entry);
            }
            List<?> got = (List<?>) redis.call("XREADGROUP", "GROUP", GROUP, name, "COUNT", "10", "BLOCK", "1000",
                    "STREAMS", stream, mine);
            List<?> entries = got == null ? List.of() : (List<?>) ((List<?>) got.get(0)).get(1);
            for (Object entry : entries) {
                handle((List<?>) entry);
            }
            if (entries.isEmpty()) {
                mine = ">";
            }
        }
    }

    private void handle(List<?> message) throws IOException {
        String id = (String) message.get(0);
        Map<String, String> entry = new LinkedHashMap<>();
        if (message.get(1) != null) { // a claimed entry that was trimmed meanwhile has no fields
            List<?> flat = (List<?>) message.get(1);
            for (int i = 0; i + 1 < flat.size(); i += 2) {
                entry.put((String) flat.get(i), (String) flat.get(i + 1));
            }
        }
        if (!entry.isEmpty()) {
            if (!"1".equals(entry.get("schema"))) {
                throw new IllegalStateException("schema " + entry.get("schema") + ": this program reads 1");
            }
            keep(entry);
            if ("opened".equals(entry.get("event"))) { // said twice with one event_id it counts once
                redis.call("XADD", "liandong:updates", "*", "event_id", "received-" + entry.get("event_id"),
                        "stub_id", entry.get("stub_id"), "event", "received",
                        "at", OffsetDateTime.now().format(DateTimeFormatter.ISO_OFFSET_DATE_TIME));
            }
        }
        redis.call("XACK", stream, GROUP, id); // only now: what is not acknowledged comes again
    }

    /** Stores an entry whole or not at all: at least once becomes once. */
    private void keep(Map<String, String> entry) throws IOException {
        Path file = store.resolve(entry.get("event_id"));
        if (Files.exists(file)) {
            return;
        }
        Path half = store.resolve("." + entry.get("event_id") + "." + name);
        Files.writeString(half, entry.get("stub_id") + " " + entry.get("event") + "\n");
        try {
            Files.move(half, file, StandardCopyOption.ATOMIC_MOVE);
        } catch (FileAlreadyExistsException e) {
            Files.delete(half);
        }
    }

    /** What Redis answers when it will not do something. */
    static class RedisError extends RuntimeException {
        RedisError(String text) {
            super(text);
        }
    }

    /** As much of the protocol (RESP2) as a consumer needs. */
    static class Redis {
        private final InputStream in;
        private final OutputStream out;

        Redis(String address) throws IOException {
            int colon = address.lastIndexOf(':');
            Socket socket = new Socket(address.substring(0, colon), Integer.parseInt(address.substring(colon + 1)));
            socket.setSoTimeout(30_000);
            in = new BufferedInputStream(socket.getInputStream());
            out = new BufferedOutputStream(socket.getOutputStream());
        }

        Object call(String... words) throws IOException {
            write("*" + words.length + "\r\n");
            for (String word : words) {
                byte[] bytes = word.getBytes(StandardCharsets.UTF_8);
                write("$" + bytes.length + "\r\n");
                out.write(bytes);
                write("\r\n");
            }
            out.flush();
            return answer();
        }

        private void write(String text) throws IOException {
            out.write(text.getBytes(StandardCharsets.US_ASCII));
        }

        private Object answer() throws IOException {
            String line = line();
            String rest = line.substring(1);
            switch (line.charAt(0)) {
                case '-':
                    throw new RedisError(rest);
                case '$':
                    int length = Integer.parseInt(rest);
                    if (length < 0) {
                        return null;
                    }
                    byte[] bytes = in.readNBytes(length);
                    in.readNBytes(2);
                    return new String(bytes, StandardCharsets.UTF_8);
                case '*':
                    int count = Integer.parseInt(rest);
                    if (count < 0) {
                        return null;
                    }
                    List<Object> list = new ArrayList<>();
                    for (int i = 0; i < count; i++) {
                        list.add(answer());
                    }
                    return list;
                default: // a number or a word
                    return rest;
            }
        }

        private String line() throws IOException {
            StringBuilder line = new StringBuilder();
            for (int c = in.read(); c != '\n'; c = in.read()) {
                if (c < 0) {
                    throw new EOFException("redis has closed the connection");
                }
                if (c != '\r') {
                    line.append((char) c);
                }
            }
            return line.toString();
        }
    }
}
