/** What the scripts that browser.py runs share: their job, a headless Chromium, and the errors on its pages. */

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";

export const job = JSON.parse(await readFile(process.argv[2], "utf8"));
const { chromium } = createRequire(`${job.site}/`)("playwright-core");
export const browser = await chromium.launch({
  executablePath: job.chromium,
  args: [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-extensions", "--mute-audio",
  ],
});
export const errors = [];

export async function newPage(options = {}) {
  const page = await browser.newPage(options);
  page.setDefaultTimeout(30000);
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  page.on("pageerror", (error) => errors.push(String(error)));
  return page;
}
