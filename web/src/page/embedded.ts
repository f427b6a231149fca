/** What a page has in itself, when it is a single file: the worker, the runtime and the model. */

import type { Place } from "./messages.js";

/** Return the worker of the page, and where it finds the model. */
export async function open(): Promise<{ worker: Worker; place: Place }> {
  const code = document.getElementById("worker-code");
  if (!code) {
    const at = (path: string): string => new URL(path, location.href).href;
    return {
      worker: new Worker("worker.js", { type: "module" }),
      place: { model: at("model/"), runtime: at("ort-wasm-simd-threaded.wasm") },
    };
  }
  const blob = new Blob([code.textContent], { type: "text/javascript" });
  const worker = new Worker(URL.createObjectURL(blob), { type: "module" });
  const packed = [...document.querySelectorAll<HTMLElement>("script[data-file]")];
  const files: Record<string, Uint8Array> = {};
  let runtime = new Uint8Array();
  for (const part of packed) {
    const bytes = await unpack(part.textContent);
    const path = part.dataset["file"]!;
    if (path === "runtime") runtime = bytes;
    else files[path] = bytes;
    part.remove(); // its text is megabytes
  }
  return { worker, place: { files, runtime } };
}

/** Return what was compressed by gzip and written as base64. */
async function unpack(text: string): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = Uint8Array.from(atob(text.trim()), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
