/** What a translator is asked, and what it gives back. */

import type { Link } from "./alignment.js";

/** A token, and what it is in a text. */
export interface Token {
  /** As the vocabulary has it, such as "▁The". */
  readonly token: string;
  /** The text it adds, such as " The". */
  readonly surface: string;
  readonly wordStart: boolean;
  /** Whether it is a symbol such as `</s>`, which adds no text. */
  readonly special: boolean;
  readonly id: number;
}

/** A token that the model considered. */
export interface TokenAlternative extends Token {
  /** Natural logarithm of its probability. */
  readonly logProb: number;
}

/** What has been translated so far. */
export interface Partial {
  readonly text: string;
  readonly tokens: readonly string[];
}

/** How to translate; what is left out is as the run is configured. */
export interface TranslateOptions {
  /** Hypotheses kept; 1 is greedy search. */
  readonly beamSize?: number;
  /** Most tokens of the translation, its end counted. */
  readonly maxLength?: number;
  readonly lengthPenalty?: number;
  readonly lengthNormalization?: "average" | "none" | "gnmt" | "reward";
  readonly coveragePenalty?: number;
  /** How many of the likeliest tokens to note at each place; 8 if nothing is said, 0 for none. */
  readonly alternatives?: number;
  /** Ids of target tokens that the translation begins with. */
  readonly prefix?: readonly number[];
  /**
   * Told after each token what the best hypothesis has written so far. Search waits for what it returns: a worker can
   * let messages in by returning a promise.
   */
  readonly onToken?: (partial: Partial) => void | Promise<void>;
  /** Ends the search with its reason. */
  readonly signal?: AbortSignal;
}

/** One translation of one sentence. */
export interface Translation {
  /** The sentence as it was given. */
  readonly source: string;
  readonly text: string;
  /** What it is ranked by: its log-probability, with length and coverage as configured. */
  readonly score: number;
  /** Natural logarithm of the model's probability. */
  readonly logProb: number;
  /** Target tokens, `</s>` included when the sentence was finished. */
  readonly tokens: readonly string[];
  /** Source tokens, `</s>` included. */
  readonly sourceTokens: readonly string[];
  /** Weights, a row per target token, a column per source token. */
  readonly attention: readonly (readonly number[])[];
  /** Links (source word, target word), both counted from 0; words are what whitespace separates. */
  readonly alignment: readonly Link[];
  /** Of each of `tokens`; they sum to `logProb`. */
  readonly tokenLogProbs: readonly number[];
  /** For each of `tokens` what else the model thought of, best first, what it chose included; none if not asked for. */
  readonly alternatives: readonly (readonly TokenAlternative[])[];
  /** False when the length limit cut the translation off. */
  readonly finished: boolean;
  /** Whether the source was longer than the model reads. */
  readonly truncated: boolean;
  /** `tokens` with all that is known of them. */
  readonly target: readonly Token[];
  /** `sourceTokens` with all that is known of them. */
  readonly read: readonly Token[];
}
