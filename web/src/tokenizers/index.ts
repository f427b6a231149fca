/** Tokenizers: subwords, words or characters, as an exported model has them in its folder. */

import { ModelError } from "../errors.js";
import type { Tokenizer } from "./base.js";
import { CharacterTokenizer } from "./character.js";
import { readPieces } from "./pieces.js";
import { SentencePieceTokenizer } from "./sentencepiece.js";
import { TaggedTokenizer } from "./tagged.js";
import { readVocabulary } from "./vocabulary.js";
import { WordTokenizer } from "./word.js";

export { BOS, EOS, PAD, SPECIALS, UNK, UNKNOWN_TEXT, WORD_START, type Tokenizer } from "./base.js";
export { CharacterTokenizer } from "./character.js";
export { readPieces, type Pieces } from "./pieces.js";
export { SentencePieceTokenizer } from "./sentencepiece.js";
export { TaggedTokenizer } from "./tagged.js";
export { WordTokenizer } from "./word.js";

/** A folder of files that a tokenizer is read from. */
export interface TokenizerFiles {
  /** Tell whether there is a file, by its path inside the folder. */
  has(path: string): boolean;
  /** Return the bytes of a file. */
  read(path: string): Promise<Uint8Array>;
}

/** The tokenizer of each language; one object for both when they share it. */
export interface Tokenizers {
  readonly source: Tokenizer;
  readonly target: Tokenizer;
}

/** Read the tokenizers of both languages from `folder`. */
export async function loadTokenizers(files: TokenizerFiles, folder = "tokenizer"): Promise<Tokenizers> {
  if (files.has(`${folder}/shared/tokenizer.json`)) {
    const shared = await loadTokenizer(files, `${folder}/shared`);
    return { source: shared, target: shared };
  }
  const [source, target] = await Promise.all([
    loadTokenizer(files, `${folder}/source`),
    loadTokenizer(files, `${folder}/target`),
  ]);
  return { source, target };
}

/** Read one tokenizer from `folder`. */
export async function loadTokenizer(files: TokenizerFiles, folder: string): Promise<Tokenizer> {
  const plain = await loadPlain(files, folder);
  const path = `${folder}/tags.json`;
  if (!files.has(path)) return plain;
  const tags = await readJson(files, path);
  if (!Array.isArray(tags) || !tags.every((tag) => typeof tag === "string") || new Set(tags).size !== tags.length) {
    throw new ModelError(`${path}: this is no list of tags, each once; export the model again`);
  }
  return tags.length ? new TaggedTokenizer(plain, tags) : plain;
}

async function loadPlain(files: TokenizerFiles, folder: string): Promise<Tokenizer> {
  const path = `${folder}/tokenizer.json`;
  const settings = (await readJson(files, path)) as { kind?: unknown; marks?: unknown } | null;
  const vocabulary = async (): Promise<string[]> =>
    readVocabulary(`${folder}/vocabulary.txt`, await files.read(`${folder}/vocabulary.txt`));
  if (settings?.kind === "sentencepiece") {
    const model = `${folder}/sentencepiece.model`;
    return new SentencePieceTokenizer(readPieces(model, await files.read(model)));
  }
  if (settings?.kind === "word" && typeof settings.marks === "boolean") {
    return new WordTokenizer(await vocabulary(), settings.marks);
  }
  if (settings?.kind === "character") return new CharacterTokenizer(await vocabulary());
  throw new ModelError(
    `${path}: this does not describe a tokenizer that this version knows (sentencepiece, word, character)`,
  );
}

async function readJson(files: TokenizerFiles, path: string): Promise<unknown> {
  const bytes = await files.read(path);
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw new ModelError(`${path}: this is not JSON (${String(error)}); export the model again`);
  }
}
