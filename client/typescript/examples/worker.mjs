// A worker: counts words, four jobs at a time, until it is interrupted.
//
//   node client/typescript/examples/worker.mjs 127.0.0.1:7070
//   millrace submit count-words --payload '{"text": "the quick brown fox"}' --wait
import { Worker } from "millrace";

const worker = new Worker({ address: process.argv[2] ?? "127.0.0.1:7070", slots: 4 });

worker.handle("count-words", ({ text, longerThan = 0 }, attempt) => {
  const words = text.split(/\s+/).filter((word) => word.length > longerThan);
  attempt.log(`counted ${text.length} characters\n`);
  return { words: words.length, longest: words.reduce((a, b) => (b.length > a.length ? b : a), "") };
});

worker.handle("head", async ({ url }, { signal }) => (await fetch(url, { method: "HEAD", signal })).status);

await worker.run();
