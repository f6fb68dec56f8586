/**
 * A ring buffer of samples between one writer and one reader, in shared memory if the page may use it.
 *
 * Positions count up and wrap at 32 bits; the capacity is a power of two.
 */

const WRITTEN = 0, READ = 1, FLOWING = 2, FIELDS = 4;

export class Ring {
  static bytes(capacity) {
    return 4 * (FIELDS + capacity);
  }

  constructor(buffer) {
    this.buffer = buffer; // zeros: empty
    this.fields = new Int32Array(buffer, 0, FIELDS);
    this.samples = new Float32Array(buffer, 4 * FIELDS);
    this.mask = this.samples.length - 1;
  }

  /** Samples ready to be read. */
  get filled() {
    return (Atomics.load(this.fields, WRITTEN) - Atomics.load(this.fields, READ)) | 0;
  }

  /** Whether the writer has more to come. */
  get flowing() {
    return Atomics.load(this.fields, FLOWING) === 1;
  }

  /** Write samples; the writer makes sure that there is room. */
  write(block, more) {
    const place = Atomics.load(this.fields, WRITTEN), start = place & this.mask;
    const head = Math.min(block.length, this.samples.length - start);
    this.samples.set(block.subarray(0, head), start);
    this.samples.set(block.subarray(head), 0);
    Atomics.store(this.fields, WRITTEN, (place + block.length) | 0);
    Atomics.store(this.fields, FLOWING, Number(more));
  }

  /** Fill the beginning of `target` with at most `count` samples; returns how many. */
  read(target, count = target.length) {
    const found = Math.min(count, this.filled), place = Atomics.load(this.fields, READ);
    for (let at = 0; at < found; at++) target[at] = this.samples[(place + at) & this.mask];
    Atomics.store(this.fields, READ, (place + found) | 0);
    return found;
  }
}
