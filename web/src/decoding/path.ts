/** Tokens that point to the tokens before them, so that no step copies a history. */

import type { Alternative, Hypothesis } from "./protocol.js";

/** One token of a hypothesis. */
export interface Node {
  readonly parent: Node | null;
  readonly token: number;
  /** What it adds to the log-probability of its hypothesis. */
  readonly logProb: number;
  /** Attention while it was predicted. */
  readonly weights: Float32Array;
  readonly alternatives: readonly Alternative[];
}

/** Return the tokens of a hypothesis from the first to the last. */
export function tokensOf(last: Node | null): number[] {
  return nodesOf(last).map((node) => node.token);
}

/** Return the hypothesis that ends with this token; it scores its log-probability if nothing else. */
export function hypothesisOf(last: Node | null, eos: number, score?: number): Hypothesis {
  const nodes = nodesOf(last);
  const finished = last !== null && last.token === eos;
  const logProb = nodes.reduce((sum, node) => sum + node.logProb, 0);
  return {
    tokens: (finished ? nodes.slice(0, -1) : nodes).map((node) => node.token),
    logProb,
    score: score ?? logProb,
    finished,
    weights: nodes.map((node) => node.weights),
    tokenLogProbs: nodes.map((node) => node.logProb),
    alternatives: nodes.map((node) => node.alternatives),
  };
}

function nodesOf(last: Node | null): Node[] {
  const nodes: Node[] = [];
  for (let node = last; node; node = node.parent) nodes.push(node);
  return nodes.reverse();
}
