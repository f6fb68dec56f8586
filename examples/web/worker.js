/**
 * Runs the graphs away from the page. While voices sound, it keeps the ring of the audio thread filled up to its lead.
 *
 * From the page: { open: URL or File }, { sink, ... } with a port to the audio thread, { play }, { stop }.
 * To the page: { ready: manifest }, { problem: one line }, { status }.
 */

import { openUrl, openZip } from "./bundle.js";
import { Host } from "./host.js";
import * as ort from "./node_modules/onnxruntime-web/dist/ort.wasm.min.mjs";
import { Ring } from "./ring.js";

ort.env.wasm.numThreads = 1; // a hop is too small to share

const MOST_VOICES = 12; // one more lets the oldest ring out
const STATUS_MILLISECONDS = 200;

let host, sink;
let opening = Promise.resolve(), busy = false;
const status = { voices: 0, milliseconds: 0, underruns: 0 };
let told = 0;

self.onmessage = ({ data, ports: [port] }) => {
  if (data.open) opening = opening.then(() => open(data.open)).catch(report);
  if (data.sink) {
    sink = new Sink(data.sink, port);
    host?.clear();
  }
  if (data.play && host && sink) play(data.play);
  if (data.stop) host?.voices.forEach((voice) => voice.release());
};

async function open(source) {
  const files = source instanceof Blob ? await openZip(source) : await openUrl(source);
  const next = await Host.open(ort, files);
  next.start({ condition: next.condition({}), seed: 0 });
  for (let hop = 0; hop < 2; hop++) await next.hop(); // the first calls are slow
  next.clear();
  const last = host;
  host = sink = undefined;
  while (busy) await new Promise((resolve) => setTimeout(resolve, 1));
  await last?.close();
  host = next;
  postMessage({ ready: host.manifest });
}

function play({ choices, temperature, seed }) {
  const ahead = sink.lead - sink.filled; // within the next hop, so that all presses wait equally long
  const offset = host.sounding && ahead > 0 && ahead < host.hopLength ? ahead : 0;
  const held = host.voices.filter((voice) => !voice.released);
  if (held.length >= MOST_VOICES) held[0].release();
  host.start({ condition: host.condition(choices), seed, temperature, offset });
  wake();
}

/** One hop a turn, so that messages get through even if the machine is too slow. */
const turn = new MessageChannel();
turn.port1.onmessage = () => fill().catch((error) => {
  host?.clear();
  report(error);
});
let awake = false;

function wake() {
  if (!awake) turn.port2.postMessage(null);
  awake = true;
}

async function fill() {
  const target = sink;
  awake = false;
  if (busy || !host?.sounding || !target || target.filled + host.hopLength > target.lead) return;
  busy = true;
  try {
    const start = performance.now(), block = await host.hop(), spent = performance.now() - start;
    if (sink === target) target.write(limited(block), host?.sounding ?? false);
    status.voices = host?.voices.length ?? 0;
    status.milliseconds += 0.1 * (spent - status.milliseconds);
  } finally {
    busy = false;
  }
  tell();
  wake();
}

/** Limit the sum of several voices to -2..2: unchanged up to 1, compressed above. */
function limited(block) {
  return block.map((value) => (Math.abs(value) > 1 ? Math.sign(value) * (1 + Math.tanh(Math.abs(value) - 1)) : value));
}

/** The connection to the audio thread: shared memory, or messages. */
class Sink {
  constructor({ buffer, lead }, port) {
    Object.assign(this, { lead, port, written: 0, taken: 0 });
    if (buffer) this.ring = new Ring(buffer);
    port.onmessage = ({ data: { taken, underruns } }) => {
      this.taken = taken;
      if (this !== sink) return;
      status.underruns = underruns;
      wake();
    };
  }

  get filled() {
    return this.ring ? this.ring.filled : this.written - this.taken;
  }

  write(block, more) {
    this.written += block.length;
    if (this.ring) this.ring.write(block, more);
    else this.port.postMessage({ block, more }, [block.buffer]);
  }
}

function tell() {
  const now = performance.now();
  if (status.voices && now - told < STATUS_MILLISECONDS) return;
  told = now;
  postMessage({ status });
}

function report(error) {
  postMessage({ problem: String(error?.message ?? error).split("\n")[0] });
}
