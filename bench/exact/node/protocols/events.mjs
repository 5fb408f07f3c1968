// Follows a job to its end, as clients that are not Darkroom's: the package "eventsource" for
// Server-Sent Events, the package "ws" for WebSockets. Arguments: kind, gateway, job, last event id.
// Writes the data of each event as a line.
import { EventSource } from "eventsource";
import WebSocket from "ws";

const [kind, gateway, job, after] = process.argv.slice(2);
const ended = (event) => !["queued", "running"].includes(event.state);
setTimeout(() => process.exit(2), 20_000).unref();

if (kind === "eventsource") {
  const source = new EventSource(`${gateway}/v1/jobs/${job}/events`, {
    fetch: (url, init) =>
      fetch(url, { ...init, headers: { ...(after && { "Last-Event-ID": after }), ...init.headers } }),
  });
  source.addEventListener("job", (message) => {
    const event = JSON.parse(message.data);
    if (message.lastEventId !== event.id) throw new Error(`id ${message.lastEventId}`);
    console.log(message.data);
    if (ended(event)) source.close();
  });
} else {
  const socket = new WebSocket(`${gateway.replace("http", "ws")}/v1/live`);
  socket.on("open", () => socket.send(JSON.stringify({ watch: [job], ...(after && { after }) })));
  socket.on("message", (data, binary) => {
    if (binary) throw new Error("a binary message");
    console.log(data.toString());
    if (ended(JSON.parse(data))) socket.close(1000);
  });
}
