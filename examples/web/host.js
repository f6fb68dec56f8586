/**
 * Plays a bundle hop by hop. Voices are the rows of one call of `decoder_stream`; `embedding_step` writes their paths
 * as they go. It depends on no page and no audio interface: whoever needs samples asks for the next hop.
 *
 *     const host = await Host.open(ort, await openUrl("drums.ngs"));
 *     host.start({ condition: host.condition({ class: "Kick" }), seed: 7 });
 *     while (host.sounding) play(await host.hop());
 */

import { BundleError, hasOnset, readGraph, readManifest } from "./bundle.js";
import { EMBEDDING, NOISE, NoiseStream, normal, philox } from "./chance.js";

const TAIL = 3; // silent grains while the last one rings out

export class Host {
  /** `ort` is onnxruntime-web or any package with its interface; `files` is a bundle opened by bundle.js. */
  static async open(ort, files, options = { executionProviders: ["wasm"] }) {
    const manifest = await readManifest(files);
    const graphs = {};
    const since4 = manifest.format_version >= 4 ? ["prior", "loudness"] : [];
    const names = ["embedding_step", "decoder_stream", ...since4, ...(hasOnset(manifest) ? ["onset"] : [])];
    for (const name of names) {
      graphs[name] = await Graph.open(ort, files, manifest.graphs[name], options);
    }
    return new Host(manifest, graphs);
  }

  constructor(manifest, graphs) {
    this.manifest = manifest;
    this.graphs = graphs;
    this.hopLength = manifest.hop_length;
    this.clear();
  }

  /** Whether the next hop can be other than silence. */
  get sounding() {
    return this.voices.length > 0 || this.resting;
  }

  /** One-hot condition [C]; attributes that are not named stay open. */
  condition(choices) {
    const vector = [];
    for (const { name, classes } of this.manifest.attributes) {
      if (choices[name] !== undefined && !classes.includes(choices[name])) {
        throw new RangeError(`There is no ${name} ${choices[name]}; known: ${classes.join(", ")}`);
      }
      vector.push(...classes.map((one) => Number(one === choices[name])));
    }
    return Float32Array.from(vector);
  }

  /**
   * Start a voice with the next hop, `offset` samples into it. It plays sound `index` of a seed, drawn at a temperature,
   * or the sound of an embedding, with the noise of the seed. `gain` is its part in the mix. It lasts `length` grains and
   * rings out; Infinity is a note that is held until `release()`. A drawn sound is `held` to the loudness of its class;
   * the embedding of a real sound need not be.
   */
  start({
    embedding, condition, seed, index = 0, temperature = 1, gain = 1, offset = 0,
    length = this.manifest.path_length, held = true,
  }) {
    const { embedding_size: size, grain_length: samples, latent_size: latents } = this.manifest;
    if (embedding && embedding.length !== size) {
      throw new RangeError(`An embedding has ${size} values, not ${embedding.length}`);
    }
    const scale = Math.fround(temperature);
    const drawn = () => normal(philox(EMBEDDING, seed, index), size).map((value) => scale * value);
    const noise = new NoiseStream(philox(NOISE, seed, index), samples, this.hopLength);
    const voice = new Voice(this.graphs, latents, noise, {
      embedding: embedding && Float32Array.from(embedding), normal: embedding ? undefined : drawn(),
      condition: Float32Array.from(condition), gain, offset, length,
      levels: held && this.graphs.loudness ? undefined : [1],
    });
    this.voices.push(voice);
    return voice;
  }

  /** The next hop of all voices together, float32 [hop]: a sum, not limited. One call at a time. */
  async hop() {
    const voices = [...this.voices]; // those that start while the graphs run wait for the next hop
    await this.#draw(voices.filter(({ embedding }) => !embedding));
    const fresh = voices.filter(({ levels }) => levels === undefined);
    const told = await this.graphs.loudness?.run(fresh.map(({ embedding, condition }) => ({ embedding, condition })));
    fresh.forEach((voice, row) => {
      const level = heldLevel(told[row].loudness[0], voice.condition, this.manifest);
      voice.levels = told[row].envelope.map((gain) => level * 10 ** (Math.min(Math.max(gain, -48), 48) / 20));
    });
    const due = voices.filter((voice) => voice.pathUsedUp);
    const paths = await this.graphs.embedding_step.run(due.map((voice) => voice.stepInputs()));
    due.forEach((voice, row) => voice.takePath(paths[row]));
    const inputs = voices.map((voice) => voice.hopInputs());
    if (this.graphs.onset) await this.#begin(inputs.filter(({ onset }) => onset[0]));
    const hops = await this.graphs.decoder_stream.run(inputs);
    const mix = this.rest;
    this.rest = new Float32Array(this.hopLength);
    this.resting = false;
    voices.forEach((voice, row) => {
      const { audio } = hops[row], { gain, offset } = voice, here = this.hopLength - offset;
      for (let at = 0; at < here; at++) mix[offset + at] += gain * audio[at];
      for (let at = here; at < this.hopLength; at++) this.rest[at - here] += gain * audio[at];
      if (offset) this.resting = true;
      voice.takeHop(hops[row]);
    });
    this.voices = this.voices.filter((voice) => !voice.over);
    return mix;
  }

  /** The embeddings of new voices, by the prior from their normal numbers, which are the embeddings in format 3. */
  async #draw(voices) {
    const drawn = await this.graphs.prior?.run(voices.map(({ normal, condition }) => ({ normal, condition })));
    voices.forEach((voice, row) => (voice.embedding = drawn ? drawn[row].embedding : voice.normal));
  }

  /** Give the inputs of first hops the grains that sounds begin with, and their phases. */
  async #begin(inputs) {
    const begun = await this.graphs.onset.run(inputs);
    inputs.forEach((given, row) => Object.assign(given, { first: begun[row].grain, phase: begun[row].phase }));
  }

  /** Forget all voices at once. */
  clear() {
    this.voices = [];
    this.rest = new Float32Array(this.hopLength); // what voices that started within a hop add to the next one
    this.resting = false;
  }

  async close() {
    await Promise.all(Object.values(this.graphs).map((graph) => graph.session.release()));
  }
}

/** The factor that makes a sound of a predicted loudness, in dB, as loud as the corpus has its class. */
export function heldLevel(predicted, condition, { attributes, loudness }) {
  const classes = condition.subarray(0, attributes[0].classes.length);
  const all = Math.max(classes.reduce((a, b) => a + b, 0), 1);
  const weights = [...classes].map((value) => value / all);
  weights.push(1 - weights.reduce((a, b) => a + b, 0)); // of no class
  const mean = (value) => weights.reduce((sum, weight, index) => sum + weight * value(loudness[index]), 0);
  const drawn = loudness[0].drawn.map((_, at) => mean((each) => each.drawn[at]));
  const real = drawn.map((_, at) => mean((each) => each.real[at]));
  const above = drawn.findIndex((value) => value > predicted); // the first percentile above it, or -1
  let held = above < 0 ? real.at(-1) : real[0];
  if (above > 0) {
    const share = (predicted - drawn[above - 1]) / (drawn[above] - drawn[above - 1]);
    held = real[above - 1] + share * (real[above] - real[above - 1]);
  }
  return 10 ** (Math.min(Math.max(held - predicted, -24), 24) / 20);
}

/** A sound that plays: its position on its path, its noise, and the states of both graphs. */
class Voice {
  constructor(graphs, latents, noise, { embedding, normal, condition, gain, offset, length, levels }) {
    Object.assign(this, { embedding, normal, condition, gain, offset, length, levels, noise, latents, released: false });
    this.writing = graphs.embedding_step.states(); // zeros start a path
    this.playing = graphs.decoder_stream.states(); // the onset of a sound ignores them
    this.graphs = graphs;
    this.still = graphs.decoder_stream.nothing("motion"); // only styles move energy within grains
    this.first = new Float32Array(graphs.onset ? noise.window.length : 0); // only the first hop hears it
    this.grain = 0;
    this.path = new Float32Array(0); // the latents written last
    this.at = 0;
  }

  /** Let it ring out from the next hop on. */
  release() {
    this.released = true;
    this.length = Math.min(this.length, Math.max(this.grain, 1));
  }

  get over() {
    return this.grain >= this.length + TAIL;
  }

  get pathUsedUp() {
    return this.grain < this.length && this.at === this.path.length;
  }

  stepInputs() {
    return { embedding: this.embedding, condition: this.condition, ...this.writing };
  }

  takePath(outputs) {
    this.writing = this.graphs.embedding_step.following(outputs);
    this.path = outputs.path;
    this.at = 0;
  }

  hopInputs() {
    const { levels } = this, level = this.grain < this.length ? levels[Math.min(this.grain, levels.length - 1)] : 0;
    if (this.grain < this.length) {
      this.latent = this.path.subarray(this.at, this.at + this.latents);
      this.at += this.latents;
    }
    return {
      latent: this.latent, condition: this.condition, noise: this.noise.next(), onset: [Number(this.grain === 0)],
      level: [level], first: this.first, motion: this.still, ...this.playing,
    };
  }

  takeHop(outputs) {
    this.playing = this.graphs.decoder_stream.following(outputs);
    this.grain++;
  }
}

/** A session that takes and returns rows: objects with an array for each tensor. */
class Graph {
  static async open(ort, files, spec, options) {
    const content = await readGraph(files, spec);
    try {
      return new Graph(ort, spec, await ort.InferenceSession.create(content, { logSeverityLevel: 3, ...options }));
    } catch (error) {
      throw new BundleError(`${spec.file} is not a graph that onnxruntime can load (${firstLine(error)})`);
    }
  }

  constructor(ort, spec, session) {
    Object.assign(this, { ort, spec, session });
    const same = (tensors, names) => `${tensors.map(({ name }) => name)}` === `${names}`;
    if (!same(spec.inputs, session.inputNames) || !same(spec.outputs, session.outputNames)) {
      throw new BundleError(`${spec.file} has other inputs and outputs than the manifest says`);
    }
  }

  /** Zeros for an input, if there is one of this name. */
  nothing(input) {
    return new Float32Array(this.spec.inputs.filter(({ name }) => name === input).reduce((_, t) => product(t.shape), 0));
  }

  /** States to start with. */
  states() {
    return Object.fromEntries(this.spec.states.map(({ name, shape }) => [name, new Float32Array(product(shape))]));
  }

  /** States for the next call, from a row that this one returned. */
  following(outputs) {
    return Object.fromEntries(this.spec.states.map(({ name }) => [name, outputs[`next_${name}`]]));
  }

  async run(rows) {
    if (rows.length === 0) return [];
    const feeds = {};
    for (const { name, shape } of this.spec.inputs) {
      const values = new Float32Array(rows.length * product(shape));
      rows.forEach((row, index) => values.set(row[name], index * product(shape)));
      feeds[name] = new this.ort.Tensor("float32", values, [rows.length, ...shape.slice(1)]);
    }
    let outputs;
    try {
      outputs = await this.session.run(feeds);
    } catch (error) {
      throw new BundleError(`${this.spec.file} cannot be run (${firstLine(error)})`);
    }
    const results = rows.map(() => ({}));
    for (const { name, shape } of this.spec.outputs) {
      const values = outputs[name].data, size = product(shape);
      if (values.length !== rows.length * size) throw new BundleError(`${this.spec.file} gave a wrong ${name}`);
      results.forEach((row, index) => (row[name] = values.subarray(index * size, (index + 1) * size)));
    }
    return results;
  }
}

/** The size of a row; the first number of a shape is "batch". */
const product = (shape) => shape.slice(1).reduce((a, b) => a * b, 1);

const firstLine = (error) => String(error?.message ?? error).split("\n")[0].slice(0, 160);
