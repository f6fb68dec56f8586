/** The page: choices, keys, and the audio context. Its only source plays what the worker writes. */

import { Ring } from "./ring.js";

const LEAST_LEAD = 512; // samples, four calls of the audio thread
const FADE_SECONDS = 0.03;
const MOST_SEED = 2 ** 32 - 1;

const find = (id) => document.getElementById(id);
const [play, stop, seed, advance, temperature, volume, buffer, file] = [
  "play", "stop", "seed", "advance", "temperature", "volume", "buffer", "file",
].map(find);
const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
let manifest, audio; // audio: a promise of { context, gain, analyser }

worker.onmessage = ({ data: { ready, problem, status } }) => {
  if (ready) show(ready);
  if (problem) fail(problem);
  if (status) showStatus(status);
};
worker.onerror = ({ message }) => fail(message || "worker.js cannot be loaded: `npm ci` brings what it needs");

function complain(text = "") {
  find("problem").textContent = text;
}

function fail(text) {
  complain(text);
  find("name").textContent = manifest?.name ?? "No bundle"; // the previous one plays on
}

function open(source) {
  complain();
  find("name").textContent = "Loading …";
  worker.postMessage({ open: source });
}

/** A bundle is loaded: offer its attributes as choices. */
function show(opened) {
  close(); // it has its own rate
  manifest = opened;
  const { name, sample_rate: rate, attributes, hop_length: hop } = manifest;
  document.title = find("name").textContent = name;
  find("rate").textContent = `${rate / 1000} kHz`;
  find("attributes").replaceChildren(...attributes.map(choices));
  for (const option of buffer.options) {
    const milliseconds = Math.round((1000 * lead(option.value)) / rate);
    option.textContent = `${option.value} hops, ${milliseconds} ms`;
  }
  play.disabled = stop.disabled = false;
}

function choices({ name, classes }) {
  const group = document.createElement("fieldset");
  group.innerHTML = "<legend></legend><div></div>";
  group.firstChild.textContent = name;
  group.lastChild.append(...classes.map((value, index) => {
    const label = document.createElement("label"), input = document.createElement("input");
    Object.assign(input, { type: "radio", name: `attribute.${name}`, value, checked: index === 0 });
    label.append(input, value);
    return label;
  }));
  return group;
}

function chosen() {
  const pairs = manifest.attributes.map(({ name }) => {
    return [name, document.querySelector(`input[name="${CSS.escape(`attribute.${name}`)}"]:checked`).value];
  });
  return Object.fromEntries(pairs);
}

async function press() {
  if (!manifest) return;
  complain();
  const number = Math.min(Math.max(Math.trunc(Number(seed.value)) || 0, 0), MOST_SEED);
  const message = { choices: chosen(), temperature: Number(temperature.value), seed: number };
  seed.value = advance.checked ? (number + 1) % (MOST_SEED + 1) : number;
  try {
    await (audio ??= start());
    worker.postMessage({ play: message });
  } catch (error) {
    audio = undefined;
    complain(String(error.message ?? error));
  }
}

const lead = (hops) => Math.ceil(Math.max(hops * manifest.hop_length, LEAST_LEAD) / manifest.hop_length) * manifest.hop_length;

/** A context at the bundle's rate; the browser resamples for the device if necessary. */
async function start() {
  if (!globalThis.AudioWorkletNode || !isSecureContext) {
    throw new Error("There is no AudioWorklet here: take a current browser, and open this page on localhost or over https");
  }
  const { sample_rate: sampleRate, hop_length: hop } = manifest;
  const context = new AudioContext({ sampleRate, latencyHint: "interactive" });
  context.resume(); // if necessary, waits for the first click
  await context.audioWorklet.addModule(new URL("worklet.js", import.meta.url));
  const samples = lead(Number(buffer.value)), capacity = 2 ** Math.ceil(Math.log2(samples + hop));
  const shared = globalThis.crossOriginIsolated;
  const memory = shared ? new SharedArrayBuffer(Ring.bytes(capacity)) : new ArrayBuffer(Ring.bytes(capacity));
  const player = new AudioWorkletNode(context, "ring-player", {
    numberOfInputs: 0, outputChannelCount: [1], processorOptions: { buffer: memory, lead: samples, hop },
  });
  player.onprocessorerror = () => complain("worklet.js failed: reload the page");
  const { port1, port2 } = new MessageChannel();
  player.port.postMessage("worker", [port1]);
  worker.postMessage({ sink: { buffer: shared ? memory : undefined, lead: samples } }, [port2]);
  const gain = new GainNode(context, { gain: loudness() }), analyser = new AnalyserNode(context, { fftSize: 2048 });
  player.connect(gain).connect(analyser).connect(context.destination);
  draw(analyser);
  return { context, gain, analyser };
}

/** Fade out and release the device; the next press starts again. */
async function close() {
  const closing = audio;
  audio = undefined;
  if (!closing) return;
  const { context, gain } = await closing.catch(() => ({}));
  if (!context) return;
  gain.gain.setTargetAtTime(0, context.currentTime, FADE_SECONDS / 4);
  setTimeout(() => context.close(), 2000 * FADE_SECONDS);
}

/** Half of full scale: the worker's sums go up to 2. */
function loudness() {
  return 0.5 * Number(volume.value) ** 2;
}

function draw(analyser) {
  const canvas = find("scope"), paper = canvas.getContext("2d"), wave = new Float32Array(analyser.fftSize);
  const frame = () => {
    if (analyser.context.state === "closed") return;
    requestAnimationFrame(frame);
    analyser.getFloatTimeDomainData(wave);
    canvas.width = canvas.clientWidth * devicePixelRatio;
    canvas.height = canvas.clientHeight * devicePixelRatio;
    paper.strokeStyle = getComputedStyle(canvas).color;
    paper.lineWidth = devicePixelRatio;
    paper.beginPath();
    for (let at = 0; at < wave.length; at++) {
      paper.lineTo((at / (wave.length - 1)) * canvas.width, (0.5 - wave[at]) * canvas.height);
    }
    paper.stroke();
  };
  frame();
}

function showStatus({ voices, milliseconds, underruns }) {
  const { hop_length: hop, sample_rate: rate } = manifest;
  const share = `${milliseconds.toFixed(1)} of ${((1000 * hop) / rate).toFixed(1)} ms a hop`;
  find("status").textContent = `${voices} ${voices === 1 ? "voice" : "voices"} · ${share} · ${underruns} underruns`;
}

play.onpointerdown = (event) => event.button === 0 && press(); // a click comes only when the finger is lifted
play.onclick = async (event) => {
  if (event.detail === 0) press(); // from a key
  else (await audio)?.context.resume(); // a touch counts when the finger is lifted
};
stop.onclick = () => worker.postMessage({ stop: true });
buffer.onchange = close;
volume.oninput = async () => {
  const { context, gain } = (await audio) ?? {};
  gain?.gain.setTargetAtTime(loudness(), context.currentTime, 0.01);
};
temperature.oninput = () => (find("degree").textContent = Number(temperature.value).toFixed(2));
file.onchange = () => file.files[0] && open(file.files[0]);

document.onkeydown = (event) => {
  const { code, repeat, target, ctrlKey, metaKey, altKey } = event;
  if (ctrlKey || metaKey || altKey) return;
  const radio = target.type === "radio", free = radio || !target.closest("button, input, select, summary, a, label");
  if (code === "Escape") worker.postMessage({ stop: true });
  else if (code === "Space" && free) {
    event.preventDefault();
    if (!repeat) press();
  } else if (/^Digit[1-9]$/.test(code) && free && !repeat) {
    const input = find("attributes").querySelectorAll("fieldset:first-child input")[code.at(-1) - 1];
    if (!input) return;
    input.checked = true;
    press();
  }
};

document.ondragover = (event) => event.preventDefault();
document.ondrop = (event) => {
  event.preventDefault();
  const [dropped] = event.dataTransfer.files;
  if (dropped) open(dropped);
};

open(new URL(new URLSearchParams(location.search).get("bundle") ?? "bundle.ngs", location).href);
