/**
 * Reads a bundle: a folder NAME.ngs/ at a URL, or the same files zipped. Nothing in a bundle is trusted.
 *
 * `files.read(name)` returns the bytes of one file, from either.
 */

const NAME_OF_ATTRIBUTES = { 3: "conditions", 4: "attributes" }; // by format version
const MOST_BYTES = 1 << 28; // of one file
const MANIFEST_BYTES = 4 << 20;

/** A bundle that cannot be used; the message is one line that says what was found. */
export class BundleError extends Error {}

/** Files of a bundle at a URL: a zip archive or a folder. A URL with a slash at the end is a folder. */
export async function openUrl(url) {
  if (!url.endsWith("/")) {
    const response = await fetched(url);
    const blob = await response.blob();
    if (await isZip(blob)) return openZip(blob);
    url = response.url.replace(/[?#].*/, "").replace(/\/?$/, "/");
  }
  return {
    async read(name, most = MOST_BYTES) {
      const response = await fetched(url + encodeURIComponent(name));
      if (Number(response.headers.get("content-length")) > most) throw new BundleError(`${name} is too large`);
      return new Uint8Array(await response.arrayBuffer());
    },
  };
}

async function fetched(url) {
  let response;
  try {
    response = await fetch(url);
  } catch {
    throw new BundleError(`${url} cannot be reached`);
  }
  if (!response.ok) throw new BundleError(`${url} is missing (${response.status})`);
  return response;
}

async function isZip(blob) {
  return String.fromCharCode(...(await bytes(blob, 0, 4))) === "PK\x03\x04";
}

async function bytes(blob, start, length) {
  return new Uint8Array(await blob.slice(start, start + length).arrayBuffer());
}

/** Files of a zipped bundle, a Blob or File. Entries are read on demand. */
export async function openZip(blob) {
  const entries = await directory(blob);
  return {
    async read(name, most = MOST_BYTES) {
      const entry = entries.get(name);
      if (!entry) throw new BundleError(`${name} is missing`);
      if (entry.size > most) throw new BundleError(`${name} is too large`);
      const header = view(await bytes(blob, entry.offset, 30));
      const start = entry.offset + 30 + header.getUint16(26, true) + header.getUint16(28, true);
      const content = await unpacked(blob.slice(start, start + entry.packed), entry, name);
      if (content.length !== entry.size) throw new BundleError(`${name} is damaged`);
      return content;
    },
  };
}

const view = (array) => new DataView(array.buffer, array.byteOffset, array.byteLength);

/** The central directory: the position of each file. Archives of less than 4 GiB, as `ngs export --zip` writes them. */
async function directory(blob) {
  try {
    const tail = view(await bytes(blob, Math.max(0, blob.size - 65557), 65557));
    let end = tail.byteLength - 22;
    while (tail.getUint32(end, true) !== 0x06054b50) end--;
    const count = tail.getUint16(end + 10, true);
    const table = view(await bytes(blob, tail.getUint32(end + 16, true), tail.getUint32(end + 12, true)));
    const entries = new Map();
    for (let at = 0, number = 0; number < count; number++) {
      if (table.getUint32(at, true) !== 0x02014b50) throw new RangeError();
      const [name, extra, comment] = [28, 30, 32].map((field) => table.getUint16(at + field, true));
      entries.set(new TextDecoder().decode(new Uint8Array(table.buffer, at + 46, name)), {
        method: table.getUint16(at + 10, true),
        packed: table.getUint32(at + 20, true),
        size: table.getUint32(at + 24, true),
        offset: table.getUint32(at + 42, true),
      });
      at += 46 + name + extra + comment;
    }
    return entries;
  } catch {
    throw new BundleError("This is not a bundle: neither a folder nor a whole zip archive");
  }
}

async function unpacked(packed, { method, size }, name) {
  if (method === 0) return new Uint8Array(await packed.arrayBuffer());
  if (method !== 8) throw new BundleError(`${name} is packed in a way that is not known here (${method})`);
  const result = new Uint8Array(size);
  let at = 0;
  try {
    for await (const part of chunks(packed.stream().pipeThrough(new DecompressionStream("deflate-raw")))) {
      result.set(part, at); // a RangeError if there is more than announced
      at += part.length;
    }
  } catch {
    throw new BundleError(`${name} is damaged`);
  }
  return result.subarray(0, at);
}

async function* chunks(stream) {
  const reader = stream.getReader();
  for (let part; !(part = await reader.read()).done; ) yield part.value;
}

/** The manifest of a bundle; the parts that a live host uses are checked. */
export async function readManifest(files) {
  const content = await files.read("manifest.json", MANIFEST_BYTES);
  let manifest;
  try {
    manifest = JSON.parse(new TextDecoder().decode(content));
  } catch {
    throw new BundleError("manifest.json is not JSON");
  }
  try {
    checkManifest(manifest);
  } catch (error) {
    if (error instanceof BundleError) throw error;
    throw new BundleError("manifest.json is not the manifest of a bundle"); // null instead of an object, and the like
  }
  return manifest;
}

function checkManifest(manifest) {
  const version = manifest?.format_version, named = NAME_OF_ATTRIBUTES[version];
  check("format_version", named !== undefined, Object.keys(NAME_OF_ATTRIBUTES).join(" or "), version);
  const length = manifest.grain_length;
  const sizes = {
    sample_rate: [1000, 384000], grain_length: [64, 65536], hop_length: [length / 4, length / 4],
    latent_size: [1, 4096], embedding_size: [1, 4096], path_length: [1, 65536],
  };
  for (const [field, [low, high]] of Object.entries(sizes)) {
    const value = manifest[field], fits = Number.isInteger(value) && value >= low && value <= high;
    check(field, fits, low === high ? low : `a whole number from ${low} to ${high}`, value);
  }
  check("grain_length", Number.isInteger(Math.log2(length)), "a power of two", length);
  const names = (list) => Array.isArray(list) && list.length > 0 && list.every((name) => typeof name === "string");
  const attributes = manifest[named];
  check(named, Array.isArray(attributes) && attributes.length > 0, "a list of attributes", attributes);
  for (const { name, classes } of attributes) check(`${named}.${name}`, names(classes), "a list of names", classes);
  manifest.attributes = attributes;
  const condition = attributes.reduce((sum, { classes }) => sum + classes.length, 0);
  const { latent_size: latent, embedding_size: embedding, hop_length: hop } = manifest;
  checkGraph(manifest, "embedding_step", { embedding, condition, step: 1 }, { next_step: 1 });
  const past = { sum: 3 * hop, weight: 3 * hop };
  const hopInputs = { latent, condition, noise: length, onset: 1, level: 1, ...past };
  if (hasOnset(manifest)) {
    const phase = length / 2 + 1;
    checkGraph(manifest, "onset", { latent, condition, noise: length }, { grain: length, phase });
    const points = manifest.graphs.decoder?.outputs?.find?.(({ name }) => name === "profile")?.shape?.[1];
    Object.assign(hopInputs, { first: length, motion: points, phase });
  }
  checkGraph(manifest, "decoder_stream", hopInputs, { audio: hop });
  if (version >= 4) {
    checkGraph(manifest, "prior", { normal: embedding, condition }, { embedding });
    checkLoudness(manifest, embedding, condition);
  } else delete manifest.loudness;
  const path = manifest.graphs.embedding_step.outputs.find(({ name }) => name === "path")?.shape;
  check("graphs.embedding_step.path", path?.length === 3 && path[2] === latent, `grains of ${latent}`, path);
}

function checkLoudness(manifest, embedding, condition) {
  const { attributes, loudness } = manifest, entries = attributes[0].classes.length + 1;
  check("loudness", Array.isArray(loudness) && loudness.length === entries, `${entries} entries`, loudness);
  const rising = ({ real, drawn }) =>
    [real, drawn].every((list) => list?.length === 5 && list.every(Number.isFinite)) &&
    [1, 2, 3, 4].every((at) => real[at] >= real[at - 1] && drawn[at] > drawn[at - 1]);
  for (const each of loudness) check("loudness", rising(each), "percentiles from low to high", each);
  const envelope = manifest.graphs.loudness?.outputs?.find?.(({ name }) => name === "envelope")?.shape?.[1];
  check("graphs.loudness.envelope", envelope > 0, "a gain for each grain", envelope);
  checkGraph(manifest, "loudness", { embedding, condition }, { loudness: 1, envelope });
}

/** Whether sounds begin with a grain of their own, from the graph `onset`. */
export function hasOnset(manifest) {
  return manifest.graphs?.decoder_stream?.inputs?.some?.((tensor) => tensor?.name === "first") ?? false;
}

/** Every input that is not listed is a state, and returns as an output of the same size. */
function checkGraph(manifest, graph, inputs, outputs) {
  const spec = manifest.graphs?.[graph], field = `graphs.${graph}`;
  check(field, [spec?.inputs, spec?.outputs, spec?.states].every(Array.isArray), "a graph", spec);
  const size = (list, name) => {
    const shape = list.find((tensor) => tensor?.name === name)?.shape?.slice(1);
    return shape?.every((one) => Number.isInteger(one) && one > 0) ? shape.reduce((a, b) => a * b) : undefined;
  };
  for (const { name } of spec.states) {
    const found = size(spec.outputs, `next_${name}`);
    check(`${field}.next_${name}`, found > 0 && found === size(spec.inputs, name), size(spec.inputs, name), found);
  }
  const known = new Set([...Object.keys(inputs), ...spec.states.map(({ name }) => name)]);
  for (const { name } of spec.inputs) check(`${field}.inputs`, known.has(name), [...known].join(", "), name);
  for (const [list, sizes] of [[spec.inputs, inputs], [spec.outputs, outputs]]) {
    for (const [name, expected] of Object.entries(sizes)) {
      check(`${field}.${name}`, size(list, name) === expected, expected, size(list, name));
    }
  }
}

function check(field, good, expected, found) {
  if (good) return;
  const text = String(JSON.stringify(found) ?? "none").slice(0, 80);
  throw new BundleError(`manifest.json: ${field}: expected ${expected}, found ${text}`);
}

/** The bytes of a graph; its hash is checked. */
export async function readGraph(files, { file, sha256 }) {
  if (typeof file !== "string" || /[/\\:]|^\./.test(file)) throw new BundleError("manifest.json: a file has no plain name");
  const content = await files.read(file);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", content));
  if ([...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("") !== sha256) {
    throw new BundleError(`${file} is not the file that was exported: copy the bundle again or export it anew`);
  }
  return content;
}
