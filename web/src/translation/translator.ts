/** Text in, translations out. */

import type { Hypothesis } from "../decoding/index.js";
import { RequestError } from "../errors.js";
import {
  ModelFolder,
  OnnxModel,
  webRuntime,
  type Manifest,
  type Progress,
  type ReadFile,
  type Runtime,
} from "../exported/index.js";
import { words } from "../tokenizers/characters.js";
import { loadTokenizers, type Tokenizer, type Tokenizers } from "../tokenizers/index.js";
import type { AttentionDocument, Panel } from "../view/document.js";
import { linkWords, wordNumbers } from "./alignment.js";
import { toDocument, toPanel } from "./panel.js";
import { buildSearch, missingSettings, type Plan } from "./searches.js";
import { describe, joined, sourceTokens } from "./tokens.js";
import type { TranslateOptions, Translation } from "./translation.js";
import { writeUnknown } from "./unknown_words.js";

const ALTERNATIVES = 8;

/** How to load a model. */
export interface LoadOptions {
  /** What runs the graphs: a package of onnxruntime; onnxruntime-web if nothing is said. */
  readonly runtime?: Runtime | Promise<Runtime>;
  /** Told how much has been read. */
  readonly onProgress?: (progress: Progress) => void;
  /** Settings of the run's decoding that this package does not have, to be left out: see `Translator.missing`. */
  readonly ignore?: readonly string[];
}

/** An exported model with its tokenizers: translates sentences, one at a time. */
export class Translator {
  readonly manifest: Manifest;
  readonly tokenizers: Tokenizers;
  readonly #model: OnnxModel;

  private constructor(manifest: Manifest, tokenizers: Tokenizers, model: OnnxModel) {
    this.manifest = manifest;
    this.tokenizers = tokenizers;
    this.#model = model;
  }

  /**
   * Open a folder that `seq2seq-attn export` wrote.
   *
   * @param folder its address, relative to the page in a browser; in Node an http or a file URL; or a function that
   *   returns the bytes of a file of it
   * @throws ModelError if it is no such folder, or something in it is missing, altered or damaged
   * @throws RequestError if it asks for what this package does not have
   */
  static async load(folder: string | URL | ReadFile, options: LoadOptions = {}): Promise<Translator> {
    const opened = await ModelFolder.open(folder, options.onProgress);
    const { manifest } = opened;
    const missing = missingSettings(manifest.decoding).filter((name) => !options.ignore?.includes(name));
    if (missing.length) {
      const names = missing.map((name) => `decoding.${name}`).join(", ");
      throw new RequestError(
        `${manifest.name} is configured for ${names}, which does not exist in JavaScript; translate without by ` +
          `ignore: ${JSON.stringify(missing)}`,
      );
    }
    const [runtime, tokenizers] = await Promise.all([options.runtime ?? webRuntime(), loadTokenizers(opened)]);
    const { source, target } = manifest.vocabulary;
    if (tokenizers.source.size !== source || tokenizers.target.size !== target) {
      throw new RequestError(
        `the tokenizers of ${manifest.name} have ${tokenizers.source.size} and ${tokenizers.target.size} tokens, but ` +
          `its manifest says ${source} and ${target}; export the run again`,
      );
    }
    return new Translator(manifest, tokenizers, await OnnxModel.open(opened, runtime));
  }

  /** Settings of the run's decoding that this package does not have, such as "sampling". */
  get missing(): readonly string[] {
    return missingSettings(this.manifest.decoding);
  }

  /**
   * Translate a sentence; a blank one gives a blank one.
   *
   * @throws RequestError if a number makes no sense
   */
  async translate(text: string, options: TranslateOptions = {}): Promise<Translation> {
    return (await this.nBest(text, 1, options))[0]!;
  }

  /**
   * Return the `count` best translations of a sentence, best first. They are different, and may be fewer.
   *
   * @throws RequestError if a number makes no sense, or the beam is smaller than `count`
   */
  async nBest(text: string, count: number, options: TranslateOptions = {}): Promise<Translation[]> {
    const plan = buildSearch(this.manifest, options, count);
    const { size } = this.tokenizers.target;
    const foreign = options.prefix?.find((id) => id >= size);
    if (foreign !== undefined) {
      throw new RequestError(`the prefix has the id ${foreign}, but the ids of this model's vocabulary are below ${size}`);
    }
    if (!words(text).length) return [blank(text)];
    const encoded = this.tokenizers.source.encode(text);
    const ids = encoded.slice(0, this.manifest.max_source_tokens - 1);
    const source = [...ids, this.manifest.special.eos];
    const found = await plan.search.run(this.#model, source, source.length, {
      alternatives: options.alternatives ?? ALTERNATIVES,
      prefix: options.prefix ?? [],
      onStep: (tokens) => {
        options.signal?.throwIfAborted();
        return options.onToken?.({
          text: this.tokenizers.target.decode(tokens),
          tokens: tokens.map((id) => this.tokenizers.target.token(id)),
        });
      },
    });
    const truncated = ids.length < encoded.length;
    return found.map((hypothesis) => this.#translation(text, ids, truncated, hypothesis, plan));
  }

  /** Return what the attention view draws of a translation. */
  toPanel(found: Translation, name?: string): Panel {
    return toPanel(this.manifest, found, name);
  }

  /** Return the document of one translation for the attention view. */
  toDocument(found: Translation): AttentionDocument {
    return toDocument(found.source, [this.toPanel(found)]);
  }

  /** Give back the memory of the model; the translator cannot be used any more. */
  async release(): Promise<void> {
    await this.#model.release();
  }

  #translation(text: string, ids: readonly number[], truncated: boolean, found: Hypothesis, plan: Plan): Translation {
    const { source, target } = this.tokenizers;
    const { eos, unk } = this.manifest.special;
    const unknown = this.manifest.decoding.replace_unknown && found.tokens.includes(unk);
    const written = joined(target, [...found.tokens, ...(found.finished ? [eos] : [])].map((id) => describe(target, id)));
    const read = sourceTokens(source, text, ids);
    return {
      source: text,
      text: unknown
        ? writeUnknown(this.tokenizers, text, found.tokens, found.weights.map((row) => row.subarray(0, ids.length)))
        : target.decode(found.tokens),
      score: plan.ranks ? found.score : score(found, plan),
      logProb: found.logProb,
      tokens: written.map(({ token }) => token),
      sourceTokens: read.map(({ token }) => token),
      attention: found.weights.map((row) => [...row]),
      alignment: linkWords(
        found.weights,
        wordsOf(source, text).slice(0, ids.length),
        wordNumbers(written.slice(0, found.tokens.length).map(({ wordStart }) => wordStart)),
      ),
      tokenLogProbs: found.tokenLogProbs,
      alternatives: found.alternatives.map((each) =>
        each.map(({ token, logProb }) => ({ ...describe(target, token), logProb })),
      ),
      finished: found.finished,
      truncated,
      target: written,
      read,
    };
  }
}

/** Return the word of each token of a text; whitespace behind the last word belongs to none. */
function wordsOf(tokenizer: Tokenizer, text: string): number[] {
  const count = words(text).length;
  return tokenizer.wordNumbers(text).filter((word) => word < count);
}

/** Return what beam search would have ranked a hypothesis by. */
function score(found: Hypothesis, { scoring }: Plan): number {
  const attended = found.weights.reduce(
    (sum, row) => sum.map((value, place) => value + row[place]!),
    new Float64Array(found.weights[0]?.length ?? 0),
  );
  const coverage = scoring.coveragePenalty ? scoring.coverage(attended) : 0;
  return scoring.score(found.logProb, found.tokenLogProbs.length) + coverage;
}

function blank(text: string): Translation {
  return {
    source: text,
    text: "",
    score: 0,
    logProb: 0,
    tokens: [],
    sourceTokens: [],
    attention: [],
    alignment: [],
    tokenLogProbs: [],
    alternatives: [],
    finished: true,
    truncated: false,
    target: [],
    read: [],
  };
}
