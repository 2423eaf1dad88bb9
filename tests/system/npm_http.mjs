// The official npm SDK publishes an event by HTTP, in one content mode: `node npm_http.mjs URL MODE`. Its answer goes to standard output.
import { CloudEvent, emitterFor, HTTP, httpTransport, Mode } from "cloudevents";

const event = new CloudEvent({
  id: "node-" + process.argv[3],
  source: "/riverside/node",
  type: "org.frontdesk.contact.v1",
  subject: "case-node",
  time: "2026-11-20T14:03:22.120Z",
  datacontenttype: "application/json",
  data: { district: "riverside", topic: "bus-late" },
});
const message = process.argv[3] === "binary" ? HTTP.binary(event) : HTTP.structured(event);
const answer = await fetch(process.argv[2], { method: "POST", headers: message.headers, body: message.body });
console.log(answer.status, await answer.text());
