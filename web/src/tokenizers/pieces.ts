/** The subwords of a sentencepiece model, read from its file. */

import { ModelError } from "../errors.js";
import { SPECIALS } from "./base.js";
import { fields } from "./protobuf.js";

// Sentencepiece does not learn from text that spells the name of a special symbol: these no text can spell.
const SPECIAL_PIECES = SPECIALS.map((name) => `\ue000${name}`);

// The numbers of the fields of sentencepiece_model.proto, and of its two algorithms.
const PIECES = 1;
const TRAINER = 2;
const PIECE = 1;
const SCORE = 2;
const ALGORITHM = 3;
const UNIGRAM = 1;
const BPE = 2;

/** Subwords in the order of their ids, special symbols included, and their scores. */
export interface Pieces {
  readonly algorithm: "unigram" | "bpe";
  readonly texts: readonly string[];
  readonly scores: Float32Array;
}

/** Read a model; `path` is what it is called in an error. */
export function readPieces(path: string, bytes: Uint8Array): Pieces {
  const texts: string[] = [];
  const scores: number[] = [];
  let algorithm = UNIGRAM;
  const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  try {
    for (const field of fields(bytes)) {
      if (field.kind !== "bytes") continue;
      if (field.number === PIECES) {
        let text = "";
        let score = 0;
        for (const { number, value } of fields(field.value)) {
          if (number === PIECE) text = utf8.decode(value as Uint8Array);
          if (number === SCORE) score = value as number;
        }
        texts.push(text);
        scores.push(score);
      } else if (field.number === TRAINER) {
        for (const { number, value } of fields(field.value)) if (number === ALGORITHM) algorithm = value as number;
      }
    }
  } catch (error) {
    throw new ModelError(`${path}: this is not a whole sentencepiece model (${String(error)}); export the model again`);
  }
  if (SPECIAL_PIECES.some((name, id) => texts[id] !== name) || (algorithm !== UNIGRAM && algorithm !== BPE)) {
    throw new ModelError(
      `${path}: this sentencepiece model was not trained by seq2seq_attn: its special symbols are others`,
    );
  }
  return { algorithm: algorithm === BPE ? "bpe" : "unigram", texts, scores: Float32Array.from(scores) };
}
