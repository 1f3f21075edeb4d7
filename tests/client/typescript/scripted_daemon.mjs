// A daemon that answers as each test wants. It welcomes one worker, gives it a lease of each of the kinds when it comes
// first, acknowledges ends, and notes what it hears.
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const library = import.meta.resolve("millrace");
const grpc = createRequire(fileURLToPath(library))("@grpc/grpc-js");
const { JobService, WorkerService } = await import(new URL("./proto.js", library));

const text = (field, value) => Buffer.concat([Buffer.from([field * 8 + 2, value.length]), value]);

// As a trailer has it: google.rpc.Status with an ErrorInfo.
export function refusal(code, details, reason) {
  const metadata = new grpc.Metadata();
  if (reason !== undefined) {
    const info = text(1, Buffer.from(reason));
    const any = Buffer.concat([text(1, Buffer.from("type.googleapis.com/google.rpc.ErrorInfo")), text(2, info)]);
    metadata.set("grpc-status-details-bin", text(3, any));
  }
  return { code: grpc.status[code], details, metadata };
}

/**
 * heartbeat: milliseconds. hear(request): true cuts the stream. writeResult(call) and readResult(call): what they throw
 * is the answer. Of what it gives, say(response) is the newest stream's, and users are functions that are called before
 * it ends.
 */
export async function scriptedDaemon(t, {
  kinds = [], heartbeat = 3_600_000, resultBytesMax = 64 << 20, hear = () => false, writeResult, readResult,
} = {}) {
  const heard = { hellos: [], ended: {}, goodbye: false, address: "", say: undefined, users: [] };
  const server = new grpc.Server();
  server.addService(WorkerService.service, {
    work(stream) {
      heard.say = (response) => stream.write(response);
      stream.on("error", () => {});
      stream.on("end", () => stream.end());
      stream.on("data", (request) => {
        const answer = { acked: [] };
        if (request.hello) {
          const heartbeatInterval = { seconds: Math.floor(heartbeat / 1000), nanos: (heartbeat % 1000) * 1e6 };
          answer.welcome = { heartbeatInterval, lease: { seconds: 3600 }, resultBytesMax,
            capabilities: ["payload_ref", "checkpoint", "costs"] };
          if (heard.hellos.push(request.hello) === 1) {
            answer.leases = kinds.map((kind, i) => ({ kind, ref: { jobId: `job ${i + 1}`, token: i + 1 } }));
          }
        }
        for (const end of request.ended) {
          heard.ended[end.ref.jobId] = end;
          answer.acked.push(end.ref);
        }
        heard.goodbye ||= request.goodbye;
        if (hear(request)) return stream.emit("error", refusal("UNAVAILABLE", "cut"));
        stream.write(answer);
      });
    },
    writeResult(call, answer) {
      call.on("error", () => {}); // Its worker has cancelled it.
      writeResult(call).then(() => answer(null, {}), (error) => answer(error));
    },
  });
  server.addService(JobService.service, {
    readResult(call) {
      readResult(call).then(() => call.end(), (error) => call.emit("error", error));
    },
  });
  const bind = promisify(server.bindAsync.bind(server));
  const port = await bind("127.0.0.1:0", grpc.ServerCredentials.createInsecure());
  t.after(async () => {
    for (const each of heard.users) await each();
    server.forceShutdown();
  });
  heard.address = `127.0.0.1:${port}`;
  return heard;
}
