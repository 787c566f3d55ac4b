// ws on Node.js: the broadcast loop as its documentation shows it, by topic.
import { WebSocketServer } from "ws";

const topics = new Map();
const server = new WebSocketServer({ host: "127.0.0.1", port: Number(process.argv[2]), backlog: 4096, perMessageDeflate: false });

server.on("connection", (socket, request) => {
  socket.on("error", () => socket.terminate());
  const [, role, names = ""] = request.url.split("/");
  if (role === "sub") {
    const mine = names.split(",");
    for (const name of mine) {
      if (!topics.has(name)) topics.set(name, new Set());
      topics.get(name).add(socket);
    }
    socket.on("close", () => mine.forEach((name) => topics.get(name).delete(socket)));
    return;
  }
  socket.on("message", (data) => {
    const text = data.toString();
    const space = text.indexOf(" ");
    const body = text.slice(space + 1);
    for (const client of topics.get(text.slice(0, space)) ?? []) {
      if (client.readyState === 1) client.send(body);
    }
  });
});
