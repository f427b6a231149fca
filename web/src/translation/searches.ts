/** From what a configuration says of decoding to the search that does it. */

import {
  BeamSearch,
  GreedySearch,
  LengthLimit,
  noRepeatNGram,
  repetitionPenalty,
  Scoring,
  type Rule,
  type Search,
} from "../decoding/index.js";
import { RequestError } from "../errors.js";
import type { Decoding, Manifest } from "../exported/index.js";
import type { TranslateOptions } from "./translation.js";

/** Return the settings of a model that do not exist here, by name. */
export function missingSettings({ forbidden, sampling, minimum_risk, lexicon }: Decoding): string[] {
  const asked = { forbidden: forbidden.length > 0, sampling, minimum_risk, lexicon };
  return Object.entries(asked)
    .filter(([, value]) => value)
    .map(([name]) => name);
}

/** How one call searches, and what its hypotheses are ranked by. */
export interface Plan {
  readonly search: Search;
  readonly scoring: Scoring;
  /** Whether search ranks by that itself. */
  readonly ranks: boolean;
}

/**
 * Return the search that gives `count` translations of a sentence.
 *
 * @throws RequestError if a number makes no sense, or the search cannot give so many
 */
export function buildSearch(manifest: Manifest, options: TranslateOptions, count: number): Plan {
  const { decoding } = manifest;
  const { pad, unk, bos, eos } = manifest.special;
  const beamSize = whole("beamSize", options.beamSize ?? decoding.beam_size);
  const longest = options.maxLength === undefined ? decoding.max_length : whole("maxLength", options.maxLength);
  whole("nBest", count);
  // where unknown words are replaced, the model has to say where they are
  const special = { bos, eos, forbidden: decoding.replace_unknown ? [pad] : [pad, unk] };
  const limit = new LengthLimit({
    ratio: decoding.max_length_ratio,
    longest,
    shortestRatio: decoding.min_length_ratio,
    shortest: decoding.min_length,
  });
  const rules: Rule[] = [];
  if (decoding.no_repeat_ngram) rules.push(noRepeatNGram(decoding.no_repeat_ngram));
  if (decoding.repetition_penalty !== 1) rules.push(repetitionPenalty(decoding.repetition_penalty));
  const scoring = new Scoring({
    normalization: options.lengthNormalization ?? decoding.length_normalization,
    lengthPenalty: options.lengthPenalty ?? decoding.length_penalty,
    coveragePenalty: options.coveragePenalty ?? decoding.coverage_penalty,
  });
  if (beamSize === 1 && count === 1) {
    return { search: new GreedySearch({ special, limit, rules }), scoring, ranks: false };
  }
  const { diverse_groups: groups, diversity } = decoding;
  const settings = { special, beamSize, nBest: count, scoring, limit, rules };
  return { search: new BeamSearch({ ...settings, groups, diversity: groups > 1 ? diversity : 0 }), scoring, ranks: true };
}

function whole(name: string, number: number): number {
  if (!Number.isInteger(number) || number < 1) {
    throw new RequestError(`${name} is ${number}, but it must be a whole number of at least 1`);
  }
  return number;
}
