/** The page of an exported folder, whose parts lie beside it. */

import { start } from "./page.js";

void start(() => {
  if (location.protocol === "file:") {
    throw new Error(
      'A browser lets no page read the files beside it. Serve this folder, "python -m http.server" in it will do, and ' +
        "open the address that it prints.",
    );
  }
  const at = (path: string): string => new URL(path, location.href).href;
  return {
    worker: new Worker("worker.js", { type: "module" }),
    place: { model: at("model/"), runtime: at("ort-wasm-simd-threaded.wasm") },
  };
});
