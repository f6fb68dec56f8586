/** The audio thread's half of examples/web, called directly. SITE is the folder of the page. */

import assert from "node:assert/strict";
import test from "node:test";
import { pathToFileURL } from "node:url";

const COUNT = 128; // samples a call
let Player;
globalThis.AudioWorkletProcessor = class {
  port = {};
};
globalThis.registerProcessor = (name, type) => (Player = type);
const at = (name) => new URL(name, `${pathToFileURL(process.env.SITE)}/`);
const { Ring } = await import(at("ring.js"));
await import(at("worklet.js"));

/** A player, and a worker that writes blocks of 1, 2, 3 ... (thousandths), to shared memory or as messages. */
function pair({ shared, lead = 512, hop = 96, capacity = 1024 }) {
  const buffer = new SharedArrayBuffer(Ring.bytes(capacity));
  const player = new Player({ processorOptions: { buffer, lead, hop } });
  const worker = { postMessage: (report) => reports.push(report) }, reports = [];
  player.port.onmessage({ data: "worker", ports: [worker] });
  const ring = new Ring(buffer);
  let written = 0;
  return {
    reports,
    write(more = true, count = hop) {
      const block = Float32Array.from({ length: count }, () => ++written / 1000);
      if (shared) ring.write(block, more);
      else worker.onmessage({ data: { block, more } });
    },
    play(calls = 1) {
      const found = [];
      for (let call = 0; call < calls; call++) {
        const output = new Float32Array(COUNT);
        assert.equal(player.process([], [[output]]), true);
        found.push(...output);
      }
      return found;
    },
  };
}

const ramp = (from, count) => [...Float32Array.from({ length: count }, (_, index) => (from + index) / 1000)];
const silence = (count) => Array(count).fill(0);

for (const shared of [true, false]) {
  const way = shared ? "shared memory" : "messages";

  test(`${way}: a sound waits for its lead, comes whole, and ends in silence`, () => {
    const { write, play, reports } = pair({ shared });
    for (let block = 0; block < 5; block++) write();
    assert.deepEqual(play(3), silence(3 * COUNT)); // 480 samples are too few
    write();
    const found = [];
    for (let block = 6; block < 30; block++) {
      found.push(...play());
      write(block < 29);
      if (block % 3 === 0 && block < 27) write(); // a call takes more than a hop
    }
    const total = found.length;
    found.push(...play(8));
    const sound = found.slice(0, found.findLastIndex((value) => value !== 0) + 1);
    assert.ok(sound.length > total);
    assert.deepEqual(sound, ramp(1, sound.length));
    assert.equal(sound.length % 96, 0); // all that was written
    assert.deepEqual(play(2), silence(2 * COUNT));
    assert.equal(reports.at(-1).underruns, 0);
    assert.equal(reports.at(-1).taken, sound.length);
  });

  test(`${way}: a sound shorter than the lead plays at once`, () => {
    const { write, play, reports } = pair({ shared });
    write(false, 200);
    assert.deepEqual(play(3), [...ramp(1, 200), ...silence(3 * COUNT - 200)]);
    assert.equal(reports.at(-1).underruns, 0);
  });

  test(`${way}: where the worker is late the sound fades out, waits, fades in and goes on`, () => {
    const { write, play, reports } = pair({ shared, hop: 128 });
    for (let block = 0; block < 4; block++) write();
    assert.deepEqual(play(3), ramp(1, 384));
    const last = play();
    assert.ok(last[0] === Math.fround(0.385) && last[127] > 0 && last[127] < 0.01);
    assert.deepEqual(play(2), silence(256));
    for (let block = 0; block < 3; block++) write();
    assert.deepEqual(play(1), silence(128)); // until the lead is there again
    write();
    const first = play();
    assert.ok(first[0] === 0 && first[1] < 0.01 && first[127] > 0.6);
    assert.deepEqual(play(), ramp(641, 128));
    assert.equal(reports.at(-1).underruns, 1);
  });

  test(`${way}: after an underrun at its end a sound is over, and the next has its attack`, () => {
    const { write, play } = pair({ shared, hop: 128 });
    for (let block = 0; block < 4; block++) write();
    play(4);
    write(false, 0);
    assert.deepEqual(play(2), silence(256));
    for (let block = 0; block < 4; block++) write();
    assert.deepEqual(play(), ramp(513, 128));
  });
}
