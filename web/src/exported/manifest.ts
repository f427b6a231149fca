/** `manifest.json`: what an exported folder says of itself, and the checksums of its files. */

import { ModelError } from "../errors.js";

const KIND = "seq2seq_attn onnx";
const FORMAT = `${KIND} 1`;

/** What can be said of an exported model without opening its graphs; names as in the file. */
export interface Manifest {
  readonly format: string;
  readonly name: string;
  readonly source_language: string;
  readonly target_language: string;
  readonly architecture: string;
  /** The mechanism, in words. */
  readonly attention: string;
  readonly checkpoint: { readonly name: string; readonly step: number; readonly epoch: number };
  readonly precision: string;
  /** Whether the weights say anything. */
  readonly attends: boolean;
  /** Whether they sum to 1; else they may sum to less. */
  readonly sums_to_one: boolean;
  readonly parameters: number;
  readonly encoder: string;
  readonly step: string;
  /** Names of the tensors that the encoder gives and every step reads. */
  readonly memory: readonly string[];
  /** Names of the tensors that go from step to step; a step calls what it gives `next` instead. */
  readonly state: readonly string[];
  /** Whether memory has an entry per sentence, and not one per row. */
  readonly shared_memory: boolean;
  readonly vocabulary: { readonly source: number; readonly target: number };
  readonly special: { readonly pad: number; readonly unk: number; readonly bos: number; readonly eos: number };
  readonly max_source_tokens: number;
  readonly decoding: Decoding;
  readonly opset: number;
  readonly files: Readonly<Record<string, FileFacts>>;
}

/** The decoding section of the configuration, as far as it means something here. */
export interface Decoding {
  readonly beam_size: number;
  readonly length_normalization: "average" | "none" | "gnmt" | "reward";
  readonly length_penalty: number;
  readonly coverage_penalty: number;
  readonly min_length: number;
  readonly min_length_ratio: number;
  readonly max_length: number | null;
  readonly max_length_ratio: number;
  readonly no_repeat_ngram: number;
  readonly repetition_penalty: number;
  readonly diverse_groups: number;
  readonly diversity: number;
  readonly replace_unknown: boolean;
  readonly forbidden: readonly string[];
  readonly sampling: unknown;
  readonly minimum_risk: unknown;
  readonly lexicon: string | null;
}

/** Checksum and size of a file. */
export interface FileFacts {
  readonly sha256: string;
  readonly bytes: number;
}

const KINDS: Readonly<Record<keyof Manifest, string>> = {
  format: "string",
  name: "string",
  source_language: "string",
  target_language: "string",
  architecture: "string",
  attention: "string",
  checkpoint: "object",
  precision: "string",
  attends: "boolean",
  sums_to_one: "boolean",
  parameters: "number",
  encoder: "string",
  step: "string",
  memory: "object",
  state: "object",
  shared_memory: "boolean",
  vocabulary: "object",
  special: "object",
  max_source_tokens: "number",
  decoding: "object",
  opset: "number",
  files: "object",
};

/** Read a manifest; `place` is what it is called in an error. */
export function readManifest(place: string, bytes: Uint8Array): Manifest {
  let found: Record<string, unknown>;
  try {
    found = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw new ModelError(`${place}: damaged: not JSON (${(error as Error).message}); export the run again`);
  }
  const format = found?.["format"];
  if (typeof format !== "string" || !format.startsWith(`${KIND} `)) {
    throw new ModelError(
      `${place}: not the manifest of an exported model of seq2seq_attn (format: ${JSON.stringify(format) ?? "none"})`,
    );
  }
  if (format !== FORMAT) {
    throw new ModelError(
      `${place}: has format "${format}", but this release knows "${FORMAT}"; use a later release, or export the run again`,
    );
  }
  for (const [name, kind] of Object.entries(KINDS)) {
    if (typeof found[name] !== kind || found[name] === null) {
      const what = JSON.stringify(found[name]) ?? "missing";
      throw new ModelError(`${place}: damaged: ${name} is ${what}; export the run again`);
    }
  }
  const manifest = found as unknown as Manifest;
  for (const name of [manifest.encoder, manifest.step]) {
    if (!manifest.files[name]) throw new ModelError(`${place}: damaged: no checksum of ${name}; export the run again`);
  }
  return manifest;
}
