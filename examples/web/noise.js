/**
 * Random numbers from a seed: Philox4x64-10, the numpy generator from which ngs takes its noise.
 *
 * 64-bit words are pairs of 32-bit halves, low half first: BigInt would cause garbage collection during the music.
 */

const MULTIPLIERS = [[0xe14c6c93, 0xd2e7470e], [0x95121157, 0xca5a8263]];
const STEPS = [[0x7f4a7c15, 0x9e3779b9], [0x84caa73b, 0xbb67ae85]];
const ROUNDS = 10;
const WORD = 2 ** 32;

/** The stream of np.random.Philox(key), a whole number from 0 to 2^128 - 1. */
export class Philox {
  constructor(key) {
    key = BigInt(key);
    if (key < 0n || key >> 128n) throw new RangeError(`A key is a whole number from 0 to 2^128 - 1, not ${key}`);
    this.keys = new Uint32Array(4 * ROUNDS); // for all rounds
    for (let round = 0; round < ROUNDS; round++) {
      for (let word = 0; word < 4; word++) this.keys[4 * round + word] = Number((key >> BigInt(32 * word)) & 0xffffffffn);
      key = advanced(key);
    }
    this.count = 0; // blocks drawn
    this.state = new Uint32Array(8);
    this.product = new Uint32Array(8);
  }

  /** Write the next four 64-bit draws, eight halves, to `words` from `at` on. */
  block(words, at = 0) {
    const { state, product, keys } = this;
    this.count++; // the first block is number 1, as in numpy
    state.fill(0);
    state[0] = this.count % WORD;
    state[1] = Math.floor(this.count / WORD);
    for (let round = 0; round < ROUNDS; round++) {
      multiply(state[0], state[1], MULTIPLIERS[0], product, 0);
      multiply(state[4], state[5], MULTIPLIERS[1], product, 4);
      const key = 4 * round;
      state[0] = product[6] ^ state[2] ^ keys[key];
      state[1] = product[7] ^ state[3] ^ keys[key + 1];
      state[2] = product[4];
      state[3] = product[5];
      state[4] = product[2] ^ state[6] ^ keys[key + 2];
      state[5] = product[3] ^ state[7] ^ keys[key + 3];
      state[6] = product[0];
      state[7] = product[1];
    }
    words.set(state, at);
  }
}

/** The noise of one sound: grain i takes the samples [i * hop, i * hop + L) of a stream in [-1, 1). */
export class NoiseStream {
  constructor(seed, grainLength, hop) {
    this.philox = new Philox(seed);
    this.window = new Float32Array(grainLength);
    this.hop = hop;
    this.words = new Uint32Array(8); // a block is 16 samples of 16 bits
    this.shorts = new Int16Array(this.words.buffer);
    this.taken = this.shorts.length;
    this.#draw(hop);
  }

  /** Samples of the next grain, [L]; a view that changes with the call after next. */
  next() {
    this.window.copyWithin(0, this.hop);
    this.#draw(this.window.length - this.hop);
    return this.window;
  }

  #draw(from) {
    for (let at = from; at < this.window.length; at++) {
      if (this.taken === this.shorts.length) {
        this.philox.block(this.words);
        this.taken = 0;
      }
      this.window[at] = this.shorts[this.taken++] / 32768;
    }
  }
}

/** Normally distributed numbers (Box and Muller), float32 [count]. numpy gives others for the same seed. */
export function normal(key, count) {
  const philox = new Philox(key), words = new Uint32Array(8), result = new Float32Array(count);
  const uniform = (word) => ((words[word + 1] >>> 5) * 67108864 + (words[word] >>> 6) + 0.5) / 2 ** 53;
  for (let at = 0; at < count; at++) {
    if (at % 2 === 0) philox.block(words);
    const pair = (at % 2) * 4;
    result[at] = Math.sqrt(-2 * Math.log(uniform(pair))) * Math.cos(2 * Math.PI * uniform(pair + 2));
  }
  return result;
}

/** Both words of a key, each advanced by its own step. */
function advanced(key) {
  const word = (number) => BigInt(STEPS[number][1]) * BigInt(WORD) + BigInt(STEPS[number][0]);
  const low = BigInt.asUintN(64, key + word(0)), high = BigInt.asUintN(64, (key >> 64n) + word(1));
  return (high << 64n) | low;
}

/** All 128 bits of a product of 64-bit words, four halves from `at` on. */
function multiply(low, high, [otherLow, otherHigh], product, at) {
  const middle = top(low, otherLow) + bottom(low, otherHigh) + bottom(high, otherLow);
  const upper = top(low, otherHigh) + top(high, otherLow) + bottom(high, otherHigh) + Math.floor(middle / WORD);
  product[at] = bottom(low, otherLow);
  product[at + 1] = middle;
  product[at + 2] = upper;
  product[at + 3] = top(high, otherHigh) + Math.floor(upper / WORD);
}

const bottom = (a, b) => Math.imul(a, b) >>> 0;

/** The upper half of a product of 32-bit numbers. */
function top(a, b) {
  const a0 = a & 0xffff, a1 = a >>> 16, b0 = b & 0xffff, b1 = b >>> 16;
  const first = a1 * b0 + ((a0 * b0) >>> 16);
  const second = a0 * b1 + (first & 0xffff);
  return a1 * b1 + (first >>> 16) + (second >>> 16);
}
