/**
 * Random draws, the same as in Python: "Chance" in docs/bundle-format.md is the law.
 *
 * 64-bit words are pairs of 32-bit halves, low half first: BigInt would cause garbage collection during the music.
 */

export const NOISE = 0, EMBEDDING = 1; // purposes

const WORD = 2 ** 32;
const STEPS = [0x9e3779b97f4a7c15n, 0xbb67ae8584caa73bn]; // of the key, from round to round
const ROUNDS = 10;
const A = 0xe14c6c93, A_HIGH = 0xd2e7470e, C = 0x95121157, C_HIGH = 0xca5a8263; // halves of the multipliers

/** Philox4x64-10 (Salmon et al., 2011) with a key of two words and a counter of four, numbers or BigInts. */
export class Philox {
  constructor(key, counter) {
    const rounds = Array.from({ length: ROUNDS }, (_, round) => {
      return key.map((word, at) => BigInt.asUintN(64, BigInt(word) + BigInt(round) * STEPS[at]));
    });
    this.keys = halves(rounds.flat());
    this.counter = halves(counter);
  }

  /** Write the words of the counter to an Int32Array, eight halves, and count on. */
  next(words) {
    const { keys, counter } = this;
    let a = counter[0], aHigh = counter[1], b = counter[2], bHigh = counter[3];
    let c = counter[4], cHigh = counter[5], d = counter[6], dHigh = counter[7];
    for (let key = 0; key < keys.length; key += 4) {
      // both products, 128 bits each, a quarter at a time; what exceeds 32 bits goes into the next quarter
      const first = Math.imul(a, A), other = Math.imul(c, C);
      const second = top(a, A) + bottom(a, A_HIGH) + bottom(aHigh, A);
      const otherSecond = top(c, C) + bottom(c, C_HIGH) + bottom(cHigh, C);
      const third = top(a, A_HIGH) + top(aHigh, A) + bottom(aHigh, A_HIGH) + Math.floor(second / WORD);
      const otherThird = top(c, C_HIGH) + top(cHigh, C) + bottom(cHigh, C_HIGH) + Math.floor(otherSecond / WORD);
      a = otherThird ^ b ^ keys[key];
      c = third ^ d ^ keys[key + 2];
      const aNext = (top(cHigh, C_HIGH) + Math.floor(otherThird / WORD)) ^ bHigh ^ keys[key + 1];
      cHigh = (top(aHigh, A_HIGH) + Math.floor(third / WORD)) ^ dHigh ^ keys[key + 3];
      aHigh = aNext;
      b = other;
      bHigh = otherSecond | 0;
      d = first;
      dHigh = second | 0;
    }
    words[0] = a;
    words[1] = aHigh;
    words[2] = b;
    words[3] = bHigh;
    words[4] = c;
    words[5] = cHigh;
    words[6] = d;
    words[7] = dHigh;
    if (++counter[0] === 0) counter[1]++;
  }
}

/** The words of one purpose for sound `index` of a seed. */
export function philox(purpose, seed, index = 0) {
  for (const [name, number] of Object.entries({ seed, index })) {
    if (BigInt(number) < 0n || BigInt(number) >> 64n) {
      throw new RangeError(`${name} is ${number}: choose a whole number from 0 to 2 ** 64 - 1`);
    }
  }
  return new Philox([seed, purpose], [1, index, 0, 0]); // blocks count from 1
}

/** Numbers from N(0, 1), float32 [count]: two from two words (Box and Muller, 1958). */
export function normal(words, count) {
  const block = new Int32Array(8), result = new Float32Array(count);
  const uniform = (word) => ((block[word + 1] >>> 0) * 2 ** 21 + (block[word] >>> 11)) / 2 ** 53;
  for (let at = 0; at < count; at += 2) {
    const word = (2 * at) % 8;
    if (word === 0) words.next(block);
    const radius = Math.sqrt(-2 * Math.log(1 - uniform(word))), angle = 2 * Math.PI * uniform(word + 2);
    result[at] = radius * Math.cos(angle);
    if (at + 1 < count) result[at + 1] = radius * Math.sin(angle);
  }
  return result;
}

/** The noise of one sound: grain i takes the samples [i * hop, i * hop + L) of a stream in [-1, 1). */
export class NoiseStream {
  constructor(words, grainLength, hop) {
    this.words = words;
    this.window = new Float32Array(grainLength);
    this.hop = hop;
    this.block = new Int32Array(8);
    this.shorts = new Int16Array(this.block.buffer); // a sample each
    this.taken = this.shorts.length;
    this.#draw(hop);
  }

  /** Samples of the next grain, [L]; a view that changes with the next call. */
  next() {
    this.window.copyWithin(0, this.hop);
    this.#draw(this.window.length - this.hop);
    return this.window;
  }

  #draw(from) {
    const { window, shorts } = this;
    for (let at = from; at < window.length; at++) {
      if (this.taken === shorts.length) {
        this.words.next(this.block);
        this.taken = 0;
      }
      window[at] = shorts[this.taken++] / 32768;
    }
  }
}

/** The halves of words, low half first. */
function halves(words) {
  const both = words.flatMap((word) => [BigInt(word), BigInt(word) >> 32n]);
  return Int32Array.from(both, (half) => Number(BigInt.asIntN(32, half)));
}

const bottom = (a, b) => Math.imul(a, b) >>> 0;

/** The upper half of a product of 32-bit numbers. */
function top(a, b) {
  const a0 = a & 0xffff, a1 = a >>> 16, b0 = b & 0xffff, b1 = b >>> 16;
  const first = a1 * b0 + ((a0 * b0) >>> 16);
  const second = a0 * b1 + (first & 0xffff);
  return a1 * b1 + (first >>> 16) + (second >>> 16);
}
