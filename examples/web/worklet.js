/**
 * The audio thread: plays what the worker wrote, and nothing else.
 *
 * A sound begins when `lead` samples are ready. If the worker is late (an underrun), the remaining samples fade out,
 * and the sound fades in again when `lead` samples are ready. When the worker has no more, there is silence.
 */

import { Ring } from "./ring.js";

const SILENT = 0, PLAYING = 1, STARVED = 2;

class RingPlayer extends AudioWorkletProcessor {
  /** processorOptions: the ring's buffer, `shared` with the worker or not, and `lead` and `hop` in samples. */
  constructor({ processorOptions }) {
    super();
    Object.assign(this, processorOptions);
    this.ring = new Ring(this.buffer);
    this.state = SILENT;
    this.taken = 0; // samples since the start
    this.reported = 0;
    this.underruns = 0;
    this.port.onmessage = ({ data, ports: [worker] }) => {
      if (data !== "worker") return;
      this.worker = worker; // to ask for samples, and to receive them unless they come in shared memory
      worker.onmessage = ({ data: { block, more } }) => this.ring.write(block, more);
    };
  }

  process(inputs, [[output]]) {
    const { ring } = this, count = output.length, flowing = ring.flowing, filled = ring.filled;
    let from = 1, to = 1; // gain
    if (this.state !== PLAYING) {
      if (filled > 0 && (filled >= this.lead || !flowing)) {
        if (this.state === STARVED) from = 0;
        this.state = PLAYING;
      } else if (!flowing) this.state = SILENT;
    } else if (flowing && filled < 2 * count) { // not enough for the next call
      to = 0;
      this.state = STARVED;
      this.underruns++;
    }
    if (this.state === PLAYING || to === 0) {
      const found = ring.read(output);
      this.taken += found;
      if (from !== to) for (let at = 0; at < found; at++) output[at] *= from + ((to - from) * at) / found;
      if (!flowing && ring.filled === 0) this.state = SILENT;
    }
    if (this.worker && (this.taken - this.reported >= this.hop || this.state !== this.told)) this.#report();
    return true;
  }

  /** Wakes the worker: there is room for more. */
  #report() {
    this.reported = this.taken;
    this.told = this.state;
    this.worker.postMessage({ taken: this.taken, underruns: this.underruns });
  }
}

registerProcessor("ring-player", RingPlayer);
