/** node drive.mjs JOB.json: drive the page in headless Chromium and print the results as JSON. */

import { browser, errors, job, newPage } from "../browser.mjs";

/** Render in the worker with host.js: each job is a list of voices and the hops at which they start. */
async function render(page) {
  const [worker] = page.workers();
  return worker.evaluate(async ({ bundle, sounds }) => {
    const at = (name) => new URL(name, self.location).href;
    const { Host } = await import(at("host.js"));
    const { openUrl } = await import(at("bundle.js"));
    const ort = await import(at("node_modules/onnxruntime-web/dist/ort.wasm.min.mjs"));
    const host = await Host.open(ort, await openUrl(new URL(bundle, self.location).href));
    const results = [];
    for (const voices of sounds) {
      const samples = [];
      for (let hop = 0; hop === 0 || host.sounding || voices.some(({ start }) => start >= hop); hop++) {
        for (const { start, choices, seed, ...rest } of voices) {
          if (start === hop) host.start({ condition: host.condition(choices), seed: BigInt(seed), ...rest });
        }
        samples.push(...(await host.hop()));
      }
      results.push(samples);
    }
    return results;
  }, job);
}

/** Presses play after a class was chosen; records all samples on their way to the device. */
async function play(page) {
  await page.getByRole("radio", { name: job.choice }).check({ force: true });
  await page.getByLabel("Buffer").selectOption("16");
  await page.getByLabel("Seed").fill(String(job.seed));
  const presses = [];
  for (let press = 0; press < job.presses; press++) {
    const from = await page.evaluate(() => recorded.length);
    if (press % 2) await page.keyboard.press("Space");
    else await page.getByRole("button", { name: "Play" }).click();
    await page.waitForFunction((start) => {
      const sound = recorded.slice(start), first = sound.findIndex((value) => value !== 0);
      return first >= 0 && sound.length > first + 4000 && sound.slice(-2000).every((value) => value === 0);
    }, from);
    presses.push({
      sound: await page.evaluate((start) => recorded.slice(start), from),
      underruns: Number((await page.locator("#status").textContent()).match(/(\d+) underruns/)[1]),
    });
  }
  return { presses, isolated: await page.evaluate(() => crossOriginIsolated) };
}

/** Many presses in a row: how many voices sound at once, and that Escape ends them. */
async function overlap(page) {
  await page.locator("body").press("1");
  for (let press = 0; press < 3; press++) await page.keyboard.press("2");
  await page.waitForFunction(() => parseInt(document.getElementById("status").textContent) >= 3);
  await page.keyboard.press("Escape");
  await page.waitForFunction(() => parseInt(document.getElementById("status").textContent) === 0);
  return {};
}

/** Pictures of the page while it plays, at two widths. */
async function look(page) {
  const names = [];
  for (const [name, width, height, scheme] of [["desktop", 1280, 800, "light"], ["phone", 390, 844, "dark"]]) {
    await page.setViewportSize({ width, height });
    await page.emulateMedia({ colorScheme: scheme });
    await page.getByRole("button", { name: "Play" }).click();
    await page.waitForFunction(() => parseInt(document.getElementById("status").textContent) >= 1);
    names.push(`${job.pictures}/${name}.png`);
    await page.screenshot({ path: names.at(-1) });
  }
  const [shown, room] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  return { names, overflow: shown - room };
}

/** Opens a file of the machine in place of the bundle that is served. */
async function choose(page) {
  await page.evaluate(() => (document.title = ""));
  await page.getByLabel("Bundle").setInputFiles(job.file);
  await page.waitForFunction(() => document.title);
  return {};
}

/** Of each visit the line that a fresh page shows, after what the visit does there. */
async function problems() {
  const results = [];
  for (const { url = job.url, file, without, press, broken } of job.visits) {
    const page = await newPage();
    if (without) await page.addInitScript((name) => delete globalThis[name], without);
    await page.goto(url);
    if (!broken) await page.locator(READY).waitFor();
    if (file) await page.getByLabel("Bundle").setInputFiles(file);
    if (press) await page.getByRole("button", { name: "Play" }).click();
    await page.waitForFunction(() => document.getElementById("problem").textContent);
    results.push([await page.locator("#problem").innerText(), await page.locator("#name").innerText()]);
    await page.close();
  }
  return results;
}

/** All samples that reach the context's destination, in `recorded`. */
function record() {
  globalThis.recorded = [];
  const source = `registerProcessor("recorder", class extends AudioWorkletProcessor {
    process([[input]]) { if (input) this.port.postMessage(input.slice()); return true; }
  });`;
  const module = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const { addModule } = AudioWorklet.prototype, { connect } = AudioNode.prototype;
  AudioWorklet.prototype.addModule = async function (...given) {
    await addModule.call(this, module);
    return addModule.apply(this, given);
  };
  AudioNode.prototype.connect = function (target, ...given) {
    if (target instanceof AudioDestinationNode) {
      const recorder = new AudioWorkletNode(this.context, "recorder", { channelCount: 1, numberOfOutputs: 0 });
      recorder.port.onmessage = ({ data }) => recorded.push(...data);
      connect.call(this, recorder);
    }
    return connect.call(this, target, ...given);
  };
}

const READY = "#play:not([disabled])";
const tasks = { render, choose, play, overlap, look };
try {
  const results = {};
  if (job.visits) results.problems = await problems();
  if (job.tasks.length > 0) {
    const page = await newPage();
    if (job.tasks.includes("play")) await page.addInitScript(record);
    await page.goto(job.url);
    await page.locator(READY).waitFor();
    for (const task of job.tasks) results[task] = await tasks[task](page);
  }
  console.log(JSON.stringify({ ...results, errors }));
} finally {
  await browser.close();
}
