// The official npm SDK and kafkajs publish one event in each content mode: `node npm_kafka.mjs BOOTSTRAP TOPIC`.
import { CloudEvent, Kafka as Binding } from "cloudevents";
import { Kafka, Partitioners } from "kafkajs";

const [bootstrap, topic] = process.argv.slice(2);
const event = (mode) =>
  new CloudEvent({
    id: "kafkajs-" + mode,
    source: "/riverside/node",
    type: "org.frontdesk.contact.v1",
    subject: "case-node",
    time: "2026-11-20T14:03:22.120Z",
    datacontenttype: "application/json",
    partitionkey: "riverside",
    data: { district: "riverside", topic: "bus-late" },
  });
const binary = Binding.binary(event("binary"));
binary.value = JSON.stringify(binary.value);
binary.headers = JSON.parse(JSON.stringify(binary.headers)); // kafkajs takes no header that is undefined

const createPartitioner = Partitioners.DefaultPartitioner;
const producer = new Kafka({ brokers: [bootstrap] }).producer({ createPartitioner, idempotent: true });
await producer.connect();
await producer.send({ topic, messages: [binary, Binding.structured(event("structured"))] });
await producer.disconnect();
