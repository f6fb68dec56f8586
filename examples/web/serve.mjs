/**
 * node serve.mjs [BUNDLE] [PORT]: serve this folder to this machine, and a bundle (folder or file) as bundle.ngs.
 *
 * It sends the headers that let a page share memory between its threads.
 */

import { createReadStream } from "node:fs";
import { open, realpath, stat } from "node:fs/promises";
import { createServer } from "node:http";
import { basename, extname, join, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL(".", import.meta.url));
const bundle = resolve(process.argv[2] ?? join(root, "../../runtime/drums.ngs"));
const port = Number(process.argv[3] ?? 8080);
const types = {
  ".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8", ".json": "application/json", ".wasm": "application/wasm",
};
const headers = {
  "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp",
  "Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff",
};

/** The file of a URL, never outside of what is served; undefined if there is none. */
async function located(url) {
  const parts = decodeURIComponent(new URL(url, "http://localhost").pathname).split("/").filter(Boolean);
  const own = parts[0] === "bundle.ngs";
  const base = await realpath(own ? bundle : root);
  const path = await realpath(join(base, ...(own ? parts.slice(1) : parts.length ? parts : ["index.html"])));
  if (path !== base && !path.startsWith(base + sep)) return undefined;
  const found = await stat(path);
  if (found.isFile()) return { path, size: found.size };
  return own && path === base ? { folder: true } : undefined;
}

/** Whether a path is a folder with a manifest, or a file that starts like a zip archive. */
async function isBundle(path) {
  if ((await stat(path)).isDirectory()) return stat(join(path, "manifest.json")).then(() => true, () => false);
  const file = await open(path);
  const { buffer } = await file.read(Buffer.alloc(4), 0, 4).finally(() => file.close());
  return buffer.toString("latin1") === "PK\x03\x04";
}

const server = createServer(async (request, response) => {
  const file = await located(request.url).catch(() => undefined);
  if (!file || !["GET", "HEAD"].includes(request.method)) {
    response.writeHead(404, headers).end("There is nothing here\n");
  } else if (file.folder) {
    response.writeHead(200, { ...headers, "Content-Type": "text/plain" }).end("A folder\n");
  } else {
    const type = types[extname(file.path)] ?? "application/octet-stream";
    response.writeHead(200, { ...headers, "Content-Length": file.size, "Content-Type": type });
    if (request.method === "HEAD") response.end();
    else createReadStream(file.path).on("error", () => response.destroy()).pipe(response);
  }
});
server.on("error", (error) => {
  console.error(error.code === "EADDRINUSE" ? `Port ${port} is taken: node serve.mjs BUNDLE PORT` : error.message);
  process.exit(1);
});
const problem = await isBundle(bundle).then(
  (found) => !found && "is not a bundle: neither a folder with a manifest.json nor a zip archive",
  (error) => (error.code === "ENOENT" ? "does not exist: node serve.mjs BUNDLE" : `cannot be read (${error.code})`),
);
if (problem) {
  console.error(`${bundle} ${problem}`);
  process.exit(1);
}
server.listen(port, "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${server.address().port}/ plays ${basename(bundle)}`);
});
