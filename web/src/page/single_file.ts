/** The page as a single file, which has its worker, the runtime and the model in itself, compressed by xz. */

import { XzReadableStream } from "xz-decompress";

import { start } from "./page.js";

const RUNTIME = "runtime";

void start(async () => {
  const files: Record<string, Uint8Array<ArrayBuffer>> = {};
  for (const part of document.querySelectorAll<HTMLElement>("script[data-file]")) {
    files[part.dataset["file"]!] = await unpack(part.textContent);
    part.remove(); // its text is megabytes
  }
  const { worker, [RUNTIME]: runtime, ...model } = files;
  if (!worker || !runtime) throw new Error("This page is damaged: a part of it is missing. Copy it again.");
  const code = new Blob([worker], { type: "text/javascript" });
  return {
    worker: new Worker(URL.createObjectURL(code)),
    place: { files: model, runtime },
  };
});

/** Return what was compressed and written as base64. */
async function unpack(text: string): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = Uint8Array.from(atob(text.trim()), (letter) => letter.charCodeAt(0));
  const stream = new XzReadableStream(new Blob([bytes]).stream());
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
