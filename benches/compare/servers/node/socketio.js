// Socket.IO: a room for each topic, WebSocket only.
import { createServer } from "node:http";
import { Server } from "socket.io";

const http = createServer();
const io = new Server(http, { transports: ["websocket"], perMessageDeflate: false, serveClient: false });

io.on("connection", (socket) => {
  socket.on("subscribe", (names, done) => {
    socket.join(names);
    done();
  });
  socket.on("publish", (topic, data) => io.to(topic).emit("event", data));
});

http.listen({ host: "127.0.0.1", port: Number(process.argv[2]), backlog: 4096 });
