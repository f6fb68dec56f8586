/** node drive.mjs JOB.json: drives a report in headless Chromium and prints what it finds as JSON. */

import { readFile } from "node:fs/promises";

import { browser, errors, job, newPage } from "../browser.mjs";

const requests = [];

async function open(options = {}) {
  const page = await newPage(options);
  page.on("request", (request) => requests.push(request.url().split(":", 1)[0]));
  page.on("dialog", (dialog) => errors.push(`dialog: ${dialog.message()}`));
  await page.addInitScript(record);
  await page.goto(job.url);
  return page;
}

/** Logs every part of a recording that plays in `heard`, and every audio element that starts in `started`. */
function record() {
  globalThis.heard = [];
  globalThis.started = [];
  const { start } = AudioBufferSourceNode.prototype;
  AudioBufferSourceNode.prototype.start = function (when, offset, seconds) {
    const samples = this.buffer.getChannelData(0), rate = this.buffer.sampleRate;
    const part = samples.subarray(Math.round(offset * rate), Math.round((offset + seconds) * rate));
    heard.push({ offset, seconds, whole: this.buffer.duration, peak: part.reduce((a, b) => Math.max(a, Math.abs(b)), 0) });
    return start.call(this, when, offset, seconds);
  };
  document.addEventListener("play", ({ target }) => started.push(target.getAttribute("src")), true);
}

const player = (page, id) => ({
  button: page.locator(`#sound-${id} .play`),
  picture: page.locator(`#sound-${id} .seek`),
  name: () => page.locator(`#sound-${id} .play`).getAttribute("aria-label"),
  at: () => page.locator(`#sound-${id} audio`).evaluate((audio) => audio.currentTime),
  paused: () => page.locator(`#sound-${id} audio`).evaluate((audio) => audio.paused),
  past: (seconds) => page.waitForFunction(([id, seconds]) => {
    return document.querySelector(`#sound-${id} audio`).currentTime > seconds;
  }, [id, seconds]),
});
const focused = (page) => page.evaluate(() => document.activeElement.closest(".sound")?.id ?? document.activeElement.id);

/** Length and peak of each sound, widths of the pictures, and the text of the page. */
async function contents() {
  const page = await open();
  const sources = await page.locator("audio").evaluateAll((all) => all.map((audio) => audio.getAttribute("src")));
  const sounds = {};
  for (const source of sources) {
    const seconds = await page.locator(`audio[src="${source}"]`).evaluate(async (audio) => {
      audio.preload = "auto";
      if (audio.readyState < 2) await new Promise((resolve, reject) => {
        audio.addEventListener("loadeddata", resolve);
        audio.addEventListener("error", () => reject(new Error(audio.src)));
        audio.load();
      });
      return audio.duration;
    });
    const peak = await page.evaluate(async ([base64, rate]) => {
      const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
      const decoded = await new OfflineAudioContext(1, 1, rate).decodeAudioData(bytes.buffer);
      return decoded.getChannelData(0).reduce((peak, sample) => Math.max(peak, Math.abs(sample)), 0);
    }, [await readFile(new URL(source, job.url), "base64"), job.rate]);
    sounds[source] = { seconds, peak };
  }
  return page.evaluate(async (sounds) => {
    for (const image of document.images) image.loading = "eager";
    await Promise.all([...document.images].map((image) => image.decode()));
    const texts = (selector) => [...document.querySelectorAll(selector)].map((element) => element.textContent.trim());
    return {
      sounds,
      pictures: [...document.images].map(({ naturalWidth }) => naturalWidth),
      levels: [...document.querySelectorAll("h1, h2, h3, h4")].map(({ tagName }) => Number(tagName[1])),
      title: document.title,
      sound_titles: texts("h4"),
      legend: texts(".legend [data-class]"),
      scripts: [...document.scripts].map((script) => script.getAttribute("src")),
      elements: [...new Set([...document.body.querySelectorAll("*")].map(({ localName }) => localName))],
      numbers: texts("td.number"),
      words: texts("td:not(.number)"),
      said: texts("#beside dd"),
      handlers: document.querySelectorAll("[onerror], [onclick], [onload]").length,
    };
  }, sounds);
}

async function play() {
  const page = await open(), [first, second] = [player(page, "a"), player(page, "b")];
  const names = [await first.name()];
  await first.button.click();
  await first.past(0.05);
  names.push(await first.name());
  await second.button.click();
  await second.past(0.05);
  const one = [await first.paused(), await second.paused()];
  await second.button.click();
  const none = [await first.paused(), await second.paused()];
  const { width } = await second.picture.boundingBox();
  await second.picture.hover({ position: { x: width / 4, y: 20 } });
  await page.mouse.down(); // plays from there, then drags
  await second.picture.hover({ position: { x: width / 2, y: 20 } });
  await page.mouse.up();
  const place = await second.at(), sounding = !(await second.paused());
  return { names, one, none, place, sounding };
}

async function keys() {
  const page = await open(), [first, second] = [player(page, "a"), player(page, "b")];
  await first.button.focus();
  await page.keyboard.press("Space");
  await first.past(0.05);
  await page.keyboard.press("Space");
  const places = [await first.at()], stopped = await first.paused();
  for (const key of ["ArrowRight", "ArrowRight", "ArrowLeft"]) {
    await page.keyboard.press(key);
    places.push(await first.at());
  }
  const focus = [await focused(page)];
  await page.keyboard.press("c");
  await page.waitForFunction(() => started.length > 1);
  const compared = [await second.at(), await first.paused(), await second.paused()];
  focus.push(await focused(page));
  for (const key of ["ArrowDown", "ArrowUp", "ArrowUp"]) {
    await page.keyboard.press(key);
    focus.push(await focused(page));
  }
  return { places, stopped, compared, focus };
}

async function turn() {
  const page = await open(), button = page.locator(".turn").first();
  await button.click();
  const meanwhile = await button.textContent();
  await page.waitForFunction(() => started.length === 3);
  await page.waitForFunction(() => document.querySelector(".turn").textContent !== "Stop");
  await button.click();
  await page.waitForFunction(() => started.length === 4);
  await button.click();
  await page.waitForFunction(() => !document.querySelector(".playing"));
  return { meanwhile, started: await page.evaluate(() => started), afterwards: await button.textContent() };
}

/** Volumes of the first row's sounds, before and after the button for one level is pressed twice. */
async function level() {
  const page = await open(), button = page.locator("#level"), found = [];
  const volumes = () => page.locator(".row").first().locator("audio").evaluateAll((all) => all.map((one) => one.volume));
  for (let press = 0; press < 3; press++) {
    found.push([await button.getAttribute("aria-pressed"), ...(await volumes())]);
    await button.click();
  }
  const links = await page.locator(".measures a[download]").evaluateAll((all) => all.map((one) => one.getAttribute("href")));
  return { found, links };
}

/** Where a grain of the map is on the screen. */
function spot(page, index) {
  return page.evaluate((index) => {
    const svg = document.querySelector("#map-plot svg"), { x, y } = globalThis.ngsMap;
    svg.scrollIntoView({ block: "center", behavior: "instant" });
    const place = new DOMPoint(1000 * x[index], 1000 - 1000 * y[index]).matrixTransform(svg.getScreenCTM());
    return [place.x, place.y];
  }, index);
}

async function map() {
  const page = await open({ viewport: { width: 1280, height: 900 } });
  const says = page.locator("#map-says"), tip = page.locator("#map-tip"), plot = page.locator("#map-plot");
  const mark = () => page.locator("#map-mark").evaluate((mark) => [Number(mark.getAttribute("cx")), Number(mark.getAttribute("cy"))]);
  const heard = (count) => page.waitForFunction((count) => globalThis.heard.length === count, count);
  const found = { hovered: [] };
  for (const index of job.grains) {
    await page.mouse.move(...(await spot(page, index)));
    found.hovered.push(await tip.textContent());
  }
  await page.mouse.down();
  await heard(1);
  await page.mouse.up();
  found.clicked = await says.textContent();

  await page.mouse.move(5, 5);
  await plot.focus();
  await page.keyboard.press("ArrowRight");
  found.marks = [await mark()];
  for (const key of ["ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp"]) {
    await page.keyboard.press(key);
    found.marks.push(await mark());
  }
  await page.keyboard.press("Enter");
  await heard(2);
  found.said = [await says.textContent(), await tip.textContent()];

  const button = page.locator('.legend [data-class="0"]'), marks = page.locator('g[data-class="0"] .marks');
  found.shown = [[await button.getAttribute("aria-pressed"), await marks.isVisible()]];
  await button.click();
  found.shown.push([await button.getAttribute("aria-pressed"), await marks.isVisible()]);
  await page.mouse.move(...(await spot(page, job.hidden)));
  found.beside = (await tip.isVisible()) && (await tip.textContent());
  await button.click();
  found.shown.push([await button.getAttribute("aria-pressed"), await marks.isVisible()]);
  const path = page.locator('g[data-path="0"] .way');
  found.path = [await path.isVisible()];
  await page.locator('.legend [data-path="0"]').click();
  found.path.push(await path.isVisible());
  found.heard = await page.evaluate(() => globalThis.heard);

  const here = page.locator("#sound-way .here"), walker = player(page, "way");
  await walker.button.click();
  await walker.past(0.3);
  await walker.button.click();
  found.way = { at: await walker.at(), here: [Number(await here.getAttribute("cx")), Number(await here.getAttribute("cy"))] };
  return found;
}

/** A narrow phone: how far the page overflows, and a tap on a grain. */
async function phone() {
  const page = await open({ viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true, colorScheme: "dark" });
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  const [x, y] = await spot(page, job.grains[0]);
  await page.touchscreen.tap(x + 2, y + 2);
  await page.waitForFunction(() => heard.length === 1);
  const sizes = await page.locator(".play").evaluateAll((all) => all.map((one) => one.getBoundingClientRect().height));
  return { overflow, said: await page.locator("#map-says").textContent(), smallest: Math.min(...sizes) };
}

async function plain() {
  const page = await open({ javaScriptEnabled: false });
  const visible = async (selector) => {
    const all = await page.locator(selector).all();
    return (await Promise.all(all.map((one) => one.isVisible()))).filter(Boolean).length;
  };
  return { players: await visible("audio"), buttons: await visible(".play, .turn, .compare"), marks: await visible(".marks") };
}

try {
  const results = {};
  for (const task of job.tasks) results[task] = await { contents, play, keys, turn, level, map, phone, plain }[task]();
  console.log(JSON.stringify({ ...results, errors, requests: [...new Set(requests)] }));
} finally {
  await browser.close();
}
