// npm run build              compiles the package into dist/ and writes the bundles of the Python package
// node build.mjs --check     says which bundles are not those that the sources give, and writes none
import { execFileSync } from "node:child_process";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

const WEB = dirname(fileURLToPath(import.meta.url));
const PACKAGE = join(WEB, "..", "src", "seq2seq_attn");

// What each bundle is made of, and which file of the Python package it becomes; styles become a file beside it.
const BUNDLES = [
  {
    entry: "src/view/index.ts",
    output: "visualization/assets/attention.js",
    format: "iife",
    globalName: "seq2seqAttention",
  },
  { entry: "src/view/attention.css", output: "visualization/assets/attention.css" },
];

/** Return the bundles by path, as text. */
async function bundled() {
  const files = new Map();
  for (const { entry, output, ...options } of BUNDLES) {
    const result = await build({
      absWorkingDir: WEB,
      entryPoints: [entry],
      outfile: join(PACKAGE, output),
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

async function main() {
  const check = process.argv.includes("--check");
  if (!check) {
    await rm(join(WEB, "dist"), { recursive: true, force: true });
    execFileSync(process.execPath, [join(WEB, "node_modules", "typescript", "bin", "tsc")], { cwd: WEB, stdio: "inherit" });
  }
  const old = [];
  for (const [path, text] of await bundled()) {
    if (check) {
      const committed = await readFile(path, "utf8").catch(() => "");
      if (committed !== text) old.push(relative(process.cwd(), path));
    } else {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, text);
    }
  }
  if (old.length) {
    console.error(`${old.join(", ")}: not what the sources give; run "npm run build --prefix web" and commit`);
    process.exitCode = 1;
  }
}

await main();
