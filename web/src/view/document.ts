/** The attention document: what Python, the server and the browser's own translator give this view to draw. */

export const FORMAT = "seq2seq_attn attention 1";

export interface Token {
  /** As the vocabulary has it, such as "▁The". */
  token: string;
  /** The text it adds, such as " The". */
  surface: string;
  word_start: boolean;
  /** Whether it is a symbol such as </s>, which adds no text. */
  special: boolean;
}

export type Part = "cross" | "encoder" | "decoder";

export interface AttentionMap {
  /** cross: target at source; encoder: source at source; decoder: target at <s> and the target before. */
  part: Part;
  /** Counted from 1. */
  layer: number;
  /** Counted from 1; 0: the mean of all heads, or a mechanism without heads. */
  head: number;
  /** A row per token that looks, a column per token that is looked at. */
  weights: number[][];
}

export interface Alternative {
  token: Token;
  log_prob: number | null;
}

export type Fate = "kept" | "finished" | "returned" | "pruned";

export interface BeamNode {
  id: number;
  /** null: the root. */
  parent: number | null;
  token: Token;
  log_prob: number | null;
  /** What the search ranked by. */
  score: number | null;
  /** In tokens; the root has 0. */
  length: number;
  fate: Fate;
  /** A short reason. */
  why: string;
}

export interface Beam {
  beam_size: number;
  scored_by: string;
  nodes: BeamNode[];
  /** Nodes, best first. */
  returned: number[];
}

export interface Panel {
  name: string;
  source: string;
  text: string;
  /** Whether the translation was given and not found. */
  forced: boolean;
  /** Whether the sentence came to its end. */
  finished: boolean;
  source_language?: string;
  target_language?: string;
  score: number | null;
  log_prob: number | null;
  source_tokens: Token[];
  tokens: Token[];
  log_probs: (number | null)[];
  /** Pairs of source word and target word, counted from 0. */
  alignment: [number, number][];
  /** The first one stands for the model; none where it has no attention. */
  maps: AttentionMap[];
  /** For each target token what the model thought of, best first. */
  alternatives: Alternative[][] | null;
  beam: Beam | null;
}

export interface AttentionDocument {
  format: string;
  title: string;
  /** Several stand side by side. */
  panels: Panel[];
}

/** Return a document if it is one. Throws an Error that says what is wrong. */
export function checkDocument(found: unknown): AttentionDocument {
  const document = found as AttentionDocument | null;
  if (typeof document !== "object" || document === null || document.format !== FORMAT) {
    const format = (document as { format?: unknown } | null)?.format;
    throw new Error(`this is no attention document: its format is ${JSON.stringify(format) ?? "missing"}, not "${FORMAT}"`);
  }
  if (!Array.isArray(document.panels)) throw new Error("this attention document has no list of panels");
  for (const panel of document.panels) {
    for (const map of panel.maps) {
      const [rows, columns] = axes(panel, map.part);
      if (map.weights.length !== rows.length || map.weights.some((row) => row.length !== columns.length)) {
        const shape = `${map.weights.length} x ${map.weights[0]?.length ?? 0}`;
        throw new Error(
          `the weights of ${map.part} attention are ${shape}, but there are ${rows.length} x ${columns.length} tokens`,
        );
      }
    }
  }
  return document;
}

const START: Token = { token: "<s>", surface: "", word_start: true, special: true };

/** Return the tokens that look, and those that are looked at. */
export function axes(panel: Panel, part: Part): [Token[], Token[]] {
  if (part === "encoder") return [panel.source_tokens, panel.source_tokens];
  if (part === "decoder") return [panel.tokens, [START, ...panel.tokens.slice(0, -1)]];
  return [panel.tokens, panel.source_tokens];
}
