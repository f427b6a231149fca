/** Translations as the attention view draws them. */

import type { Manifest } from "../exported/index.js";
import type { AttentionDocument, Panel, Token as PanelToken } from "../view/document.js";
import { FORMAT } from "../view/document.js";
import type { Token, Translation } from "./translation.js";

const WEIGHT_DECIMALS = 4;
const LOG_PROB_DECIMALS = 6;

/** Return what the attention view draws of one translation. */
export function toPanel(manifest: Manifest, found: Translation, name = manifest.name): Panel {
  return {
    name,
    source: found.source,
    text: found.text,
    forced: false,
    finished: found.finished,
    source_language: manifest.source_language,
    target_language: manifest.target_language,
    score: number(found.score, LOG_PROB_DECIMALS),
    log_prob: number(found.logProb, LOG_PROB_DECIMALS),
    source_tokens: found.read.map(toToken),
    tokens: found.target.map(toToken),
    log_probs: found.tokenLogProbs.map((each) => number(each, LOG_PROB_DECIMALS)),
    alignment: found.alignment.map(([source, target]) => [source, target]),
    maps: manifest.attends && found.target.length ? [{ part: "cross", layer: 1, head: 0, weights: rounded(found) }] : [],
    alternatives: found.alternatives.every((each) => each.length)
      ? found.alternatives.map((each) =>
          each.map((token) => ({ token: toToken(token), log_prob: number(token.logProb, LOG_PROB_DECIMALS) })),
        )
      : null,
    beam: null,
  };
}

/** Return a document of panels side by side. */
export function toDocument(title: string, panels: Panel[]): AttentionDocument {
  return { format: FORMAT, title, panels };
}

function toToken({ token, surface, wordStart, special }: Token): PanelToken {
  return { token, surface, word_start: wordStart, special };
}

function rounded(found: Translation): number[][] {
  return found.attention.map((row) => row.map((weight) => number(weight, WEIGHT_DECIMALS) ?? 0));
}

function number(value: number, decimals: number): number | null {
  return Number.isFinite(value) ? Number(value.toFixed(decimals)) : null;
}
