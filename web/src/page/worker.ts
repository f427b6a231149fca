/** The model runs here, beside the page, which stays quick however long a sentence takes. */

import { env } from "onnxruntime-web/wasm";

import { Translator, webRuntime } from "../index.js";
import type { Asked, ModelFacts, Place, Reply, Request } from "./messages.js";

const page = globalThis as unknown as {
  postMessage(reply: Reply): void;
  addEventListener(kind: "message", listen: (event: MessageEvent<Request>) => void): void;
};

let translator: Translator | null = null;
let current = new AbortController();

page.addEventListener("message", ({ data }) => {
  if (data.kind === "load") void load(data.place);
  else void translate(data.number, data.asked);
});

async function load(place: Place): Promise<void> {
  try {
    if (typeof place.runtime === "string") env.wasm.wasmPaths = { wasm: place.runtime };
    else env.wasm.wasmBinary = place.runtime;
    const folder =
      "model" in place ? place.model : (path: string) => Promise.resolve(place.files[path] ?? null);
    translator = await Translator.load(folder, {
      runtime: webRuntime(),
      onProgress: ({ read, total }) => page.postMessage({ kind: "progress", read, total }),
      ignore: ["forbidden", "sampling", "minimum_risk", "lexicon"], // the page says so
    });
    page.postMessage({ kind: "ready", model: facts(translator) });
  } catch (error) {
    page.postMessage({ kind: "failed", message: (error as Error).message });
  }
}

async function translate(number: number, asked: Asked): Promise<void> {
  current.abort();
  const { signal } = (current = new AbortController());
  const begin = performance.now();
  try {
    const found = await translator!.translate(asked.text, {
      beamSize: asked.beamSize,
      prefix: asked.prefix,
      signal,
      onToken: async ({ text }) => {
        page.postMessage({ kind: "partial", number, text });
        await new Promise((resolve) => setTimeout(resolve)); // lets a newer request in
      },
    });
    page.postMessage({
      kind: "result",
      number,
      tokens: found.target.map(({ id, surface, special }, place) => ({
        id,
        surface,
        special,
        alternatives: found.alternatives[place] ?? [],
      })),
      document: translator!.toDocument(found),
      finished: found.finished,
      truncated: found.truncated,
      milliseconds: performance.now() - begin,
    });
  } catch (error) {
    if (!signal.aborted) page.postMessage({ kind: "error", number, message: (error as Error).message });
  }
}

function facts({ manifest, missing }: Translator): ModelFacts {
  return {
    name: manifest.name,
    source: manifest.source_language,
    target: manifest.target_language,
    attention: manifest.attention,
    precision: manifest.precision,
    beamSize: manifest.decoding.beam_size,
    missing,
  };
}
