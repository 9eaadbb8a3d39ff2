// Logs predictions as JSON and never holds the app up: what does not fit is dropped and counted. kafka-clients is all it needs.
// usage: java -cp 'JARS/*' Producer.java EVENTS    environment: KAFKA_BOOTSTRAP_SERVERS
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.serialization.StringSerializer;

public class Producer {
    final AtomicLong dropped = new AtomicLong(), delivered = new AtomicLong();
    private final KafkaProducer<String, String> kafka = new KafkaProducer<>(Map.of(
        "bootstrap.servers", System.getenv("KAFKA_BOOTSTRAP_SERVERS"), "linger.ms", "20", "delivery.timeout.ms", "30000",
        "request.timeout.ms", "10000", "buffer.memory", "16777216"), new StringSerializer(), new StringSerializer());
    // send() waits for metadata and for room, so it has a thread and a bounded queue of its own.
    private final ThreadPoolExecutor sender = new ThreadPoolExecutor(1, 1, 0, TimeUnit.SECONDS, new ArrayBlockingQueue<>(10_000),
        task -> { Thread thread = new Thread(task); thread.setDaemon(true); return thread; }, (task, pool) -> dropped.incrementAndGet());

    void log(String model, String version, double amount, String country, int prediction, double score) {
        String id = UUID.randomUUID().toString();
        String event = String.format(Locale.ROOT, "{\"event_id\":\"%s\",\"event_time\":%d,\"model_name\":\"%s\",\"model_version\":\"%s\","
            + "\"features\":{\"amount\":%.6f,\"country\":\"%s\"},\"prediction\":%d,\"scores\":{\"fraud\":%.6f}}",
            id, System.currentTimeMillis(), model, version, amount, country, prediction, score);
        sender.execute(() -> kafka.send(new ProducerRecord<>("inference.events", id, event),
            (metadata, error) -> { if (error == null) delivered.incrementAndGet(); }));
    }

    public static void main(String[] arguments) throws Exception {
        Producer log = new Producer();
        Random random = new Random();
        long events = Long.parseLong(arguments[0]);
        for (long i = 0; i < events; i++) {
            double amount = random.nextDouble() * 1000;
            log.log("fraud", "7", amount, random.nextBoolean() ? "DE" : "FR", amount > 900 ? 1 : 0, amount / 1000);
        }
        log.sender.shutdown();
        log.sender.awaitTermination(5, TimeUnit.SECONDS);
        log.kafka.close(java.time.Duration.ofSeconds(5));
        System.out.printf("dropped %d undelivered %d%n", log.dropped.get(), events - log.dropped.get() - log.delivered.get());
    }
}
