// npm run build              compiles the package into dist/ and writes the bundles of the Python package
// node build.mjs --check     says which bundles are not those that the sources give, and writes none
// node build.mjs --demo DIR  writes what scripts/build_demo.py makes one file of into a folder
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

const WEB = dirname(fileURLToPath(import.meta.url));
const PACKAGE = join(WEB, "..", "src", "seq2seq_attn");

// What each bundle is made of, and which file of the Python package it becomes; styles become a file beside it.
const BUNDLES = [
  { entry: "src/serve/index.ts", output: "serving/assets/serve.js" },
  { entry: "src/serve/serve.css", output: "serving/assets/serve.css" },
  { entry: "src/page/app.ts", output: "export/assets/app.js", format: "iife" },
  { entry: "src/page/worker.ts", output: "export/assets/worker.js" },
  { entry: "src/page/app.css", output: "export/assets/app.css" },
  { entry: "src/page/index.html", output: "export/assets/index.html", loader: { ".html": "copy" } },
  {
    entry: "src/view/index.ts",
    output: "visualization/assets/attention.js",
    format: "iife",
    globalName: "seq2seqAttention",
  },
  { entry: "src/view/attention.css", output: "visualization/assets/attention.css" },
];

// The part of onnxruntime-web that is too large to be kept: an export takes it from where npm has put it.
const RUNTIME = join(WEB, "node_modules", "onnxruntime-web");
const RUNTIME_FILE = "ort-wasm-simd-threaded.wasm";

/** Say which runtime the bundles go with. */
async function runtimeFacts() {
  const { name, version } = JSON.parse(await readFile(join(RUNTIME, "package.json"), "utf8"));
  const bytes = await readFile(join(RUNTIME, "dist", RUNTIME_FILE));
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  return `${JSON.stringify({ name, version, file: RUNTIME_FILE, bytes: bytes.length, sha256 }, null, 2)}\n`;
}

// A page that comes from a file may have no worker that is a module.
const DEMO = [
  { entry: "src/page/single_file.ts", output: "page.js", format: "iife" },
  {
    entry: "src/page/worker.ts",
    output: "worker.js",
    format: "iife",
    define: { "import.meta.url": "self.location.href" },
  },
  { entry: "src/page/app.css", output: "page.css" },
  { entry: "src/page/index.html", output: "index.html", loader: { ".html": "copy" } },
];

/** Return bundles by the paths they have in a folder, as text. */
async function bundled(bundles, folder) {
  const files = new Map();
  for (const { entry, output, ...options } of bundles) {
    const result = await build({
      absWorkingDir: WEB,
      entryPoints: [entry],
      outfile: join(folder, output),
      bundle: true,
      write: false,
      minify: true,
      charset: "utf8",
      format: "esm",
      target: "es2022",
      legalComments: "eof",
      logLevel: "warning",
      ...options,
    });
    for (const file of result.outputFiles) {
      files.set(file.path, file.text.endsWith("\n") ? file.text : `${file.text}\n`);
    }
  }
  return files;
}

async function write(files) {
  for (const [path, text] of files) {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
  }
}

async function main() {
  const [mode, folder] = process.argv.slice(2);
  if (mode === "--demo") return write(await bundled(DEMO, resolve(folder)));
  const files = await bundled(BUNDLES, PACKAGE);
  files.set(join(PACKAGE, "export", "assets", "runtime.json"), await runtimeFacts());
  if (mode === "--check") {
    const old = [];
    for (const [path, text] of files) {
      if ((await readFile(path, "utf8").catch(() => "")) !== text) old.push(relative(process.cwd(), path));
    }
    if (!old.length) return undefined;
    console.error(`${old.join(", ")}: not what the sources give; run "npm run build --prefix web" and commit`);
    return process.exit(1);
  }
  await rm(join(WEB, "dist"), { recursive: true, force: true });
  execFileSync(process.execPath, [join(WEB, "node_modules", "typescript", "bin", "tsc")], { cwd: WEB, stdio: "inherit" });
  return write(files);
}

await main();
