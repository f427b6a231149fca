/** The files of an exported model, wherever they are, compared with their checksums as they are read. */

import { ModelError } from "../errors.js";
import { readManifest, type Manifest } from "./manifest.js";

const MANIFEST = "manifest.json";

/** How much of a model has been read, in bytes. */
export interface Progress {
  readonly read: number;
  readonly total: number;
}

/** Returns the bytes of a file, by its path in the folder; null if there is none. */
export type ReadFile = (path: string, onBytes: (count: number) => void) => Promise<Uint8Array | null>;

/** An exported folder whose manifest has been read. */
export class ModelFolder {
  readonly manifest: Manifest;
  readonly #place: string;
  readonly #readFile: ReadFile;
  readonly #onProgress: (progress: Progress) => void;
  #read = 0;

  private constructor(place: string, manifest: Manifest, readFile: ReadFile, onProgress: (progress: Progress) => void) {
    this.#place = place;
    this.manifest = manifest;
    this.#readFile = readFile;
    this.#onProgress = onProgress;
  }

  /**
   * Open a folder that `seq2seq-attn export` wrote.
   *
   * @param folder its address, relative to the page in a browser; in Node an http or a file URL; or a function that reads
   * @throws ModelError if there is none, or its manifest is damaged or foreign
   */
  static async open(
    folder: string | URL | ReadFile,
    onProgress: (progress: Progress) => void = () => undefined,
  ): Promise<ModelFolder> {
    const [place, readFile] = typeof folder === "function" ? ["the model", folder] : reader(folder);
    const bytes = await readFile(MANIFEST, () => undefined);
    if (!bytes) throw new ModelError(`${place}: no exported model (${MANIFEST} is missing)`);
    return new ModelFolder(place, readManifest(`${place}/${MANIFEST}`, bytes), readFile, onProgress);
  }

  has(path: string): boolean {
    return Object.hasOwn(this.manifest.files, path);
  }

  /**
   * Return the bytes of a file.
   *
   * @throws ModelError if it is missing, or is not the file that was exported
   */
  async read(path: string): Promise<Uint8Array> {
    const facts = this.manifest.files[path];
    const place = `${this.#place}/${path}`;
    if (!facts) throw new ModelError(`${place}: missing; the exported model is damaged: copy it or export the run again`);
    const total = Object.values(this.manifest.files).reduce((sum, file) => sum + file.bytes, 0);
    const bytes = await this.#readFile(path, (count) => {
      this.#read += count;
      this.#onProgress({ read: Math.min(this.#read, total), total });
    });
    if (!bytes) throw new ModelError(`${place}: missing; the exported model is damaged: copy it or export the run again`);
    if (bytes.length !== facts.bytes || ((await sha256(bytes)) ?? facts.sha256) !== facts.sha256) {
      throw new ModelError(
        `${place}: its content does not match its checksum: truncated, changed or damaged; copy it or export the run again`,
      );
    }
    return bytes;
  }
}

/** Return the SHA-256 of bytes; null where a browser keeps it from pages that came over plain http. */
async function sha256(bytes: Uint8Array): Promise<string | null> {
  if (!globalThis.crypto?.subtle) return null;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function reader(folder: string | URL): [string, ReadFile] {
  const page = (globalThis as { location?: { href: string } }).location?.href;
  let base: URL;
  try {
    base = new URL(`${String(folder).replace(/\/+$/, "")}/`, page);
  } catch {
    throw new ModelError(`${String(folder)}: not an address; give a URL, such as new URL("model/", import.meta.url)`);
  }
  const place = base.href.replace(/\/$/, "");
  const modules = (globalThis as { process?: { getBuiltinModule?: (name: string) => unknown } }).process;
  const local = base.protocol === "file:" && modules?.getBuiltinModule?.("node:fs/promises");
  if (!local) return [place, (path, onBytes) => download(new URL(path, base), onBytes)];
  const { readFile } = local as { readFile: (url: URL) => Promise<Uint8Array> };
  return [
    place,
    async (path, onBytes) => {
      try {
        const bytes = await readFile(new URL(path, base));
        onBytes(bytes.length);
        return bytes;
      } catch (error) {
        if ((error as { code?: string }).code === "ENOENT") return null;
        throw new ModelError(`${place}/${path}: cannot be read: ${(error as Error).message}`);
      }
    },
  ];
}

async function download(url: URL, onBytes: (count: number) => void): Promise<Uint8Array | null> {
  try {
    const response = await fetch(url);
    if (response.status === 404) return null;
    if (!response.ok || !response.body) throw new Error(`the server says ${response.status} ${response.statusText}`);
    const parts: Uint8Array[] = [];
    for (const stream = response.body.getReader(); ; ) {
      const { done, value } = await stream.read();
      if (done) break;
      parts.push(value);
      onBytes(value.length);
    }
    return new Uint8Array(await new Blob(parts as Uint8Array<ArrayBuffer>[]).arrayBuffer());
  } catch (error) {
    throw new ModelError(`${url.href}: cannot be loaded: ${(error as Error).message}`);
  }
}
