/**
 * Beam search: the best hypotheses of every length side by side.
 *
 * The beam holds the `beamSize` best hypotheses by score. One that has reached the end of the sentence keeps its place
 * while its score holds it, and is remembered whether or not it does; the live ones in the other places are extended.
 * So a beam of one is greedy search, and a poor early ending does not narrow the beam.
 */

import { RequestError } from "../errors.js";
import { LengthLimit } from "./lengths.js";
import { hypothesisOf, tokensOf, type Node } from "./path.js";
import { byScore, Pool, type Ranked } from "./pool.js";
import type { Alternative, Hypothesis, Row, Rule, Search, SearchOptions, Step, StepModel } from "./protocol.js";
import { Ranking, rowOf } from "./ranking.js";
import { Scoring } from "./scoring.js";
import type { SpecialTokens } from "./special.js";

/** What beam search is made with. */
export interface BeamSettings {
  readonly special: SpecialTokens;
  /** Hypotheses, finished ones included. */
  readonly beamSize: number;
  /** Hypotheses to return. */
  readonly nBest?: number;
  readonly scoring?: Scoring;
  readonly limit?: LengthLimit;
  readonly rules?: readonly Rule[];
  /** Beams of `beamSize / groups` hypotheses, each of which avoids the tokens of those before it. */
  readonly groups?: number;
  /** What a token costs for every hypothesis of an earlier group that has it at the same place. */
  readonly diversity?: number;
}

/** A hypothesis that the model extends next. */
interface Live {
  readonly node: Node | null;
  readonly past: readonly number[];
  /** Sum of ranks so far. */
  readonly total: number;
  /** Attention so far; none if nobody asks. */
  readonly attended: Float64Array | null;
}

/** A live hypothesis, and what the model says of its next token. */
interface Extended {
  readonly live: Live;
  readonly row: number;
  readonly logProbs: Row;
  readonly weights: Float32Array;
  readonly alternatives: readonly Alternative[];
}

/** A continuation of a live hypothesis. */
interface Candidate {
  readonly from: Extended;
  readonly token: number;
  readonly logProb: number;
  readonly total: number;
}

/** One group of the beam: what is live in it, and what has ended. */
class Group {
  readonly finished: Pool;
  readonly unfinished: Pool;
  live: Live[] = [{ node: null, past: [], total: 0, attended: null }];

  constructor(places: number) {
    this.finished = new Pool(places);
    this.unfinished = new Pool(places);
  }
}

/**
 * Follow the `beamSize` best hypotheses at once, until no live one can still enter the `nBest`, or to the length limit.
 * Equal scores are ordered by the earlier end, then by the order of the hypotheses they continue, then by the lower token.
 */
export class BeamSearch implements Search {
  readonly #special: SpecialTokens;
  readonly #places: number; // of one group
  readonly #groups: number;
  readonly #diversity: number;
  readonly #nBest: number;
  readonly #scoring: Scoring;
  readonly #limit: LengthLimit;
  readonly #rules: readonly Rule[];

  constructor(settings: BeamSettings) {
    const { beamSize, nBest = 1, groups = 1, diversity = 0 } = settings;
    if (!Number.isInteger(beamSize) || beamSize < 1) {
      throw new RequestError(`beamSize is ${beamSize}, but a beam holds at least 1 hypothesis`);
    }
    if (!Number.isInteger(nBest) || nBest < 1 || nBest > beamSize) {
      throw new RequestError(
        `nBest is ${nBest}, but a beam of ${beamSize} gives 1 to ${beamSize} hypotheses; make beamSize larger`,
      );
    }
    if (!Number.isInteger(groups) || groups < 1 || beamSize % groups) {
      throw new RequestError(`diverseGroups is ${groups}, but groups must divide the beam of ${beamSize} evenly`);
    }
    this.#special = settings.special;
    this.#places = beamSize / groups;
    this.#groups = groups;
    this.#diversity = diversity;
    this.#nBest = nBest;
    this.#scoring = settings.scoring ?? new Scoring();
    this.#limit = settings.limit ?? new LengthLimit();
    this.#rules = settings.rules ?? [];
  }

  async run<Source, State>(
    model: StepModel<Source, State>,
    source: Source,
    sourceLength: number,
    options: SearchOptions = {},
  ): Promise<Hypothesis[]> {
    const ranking = new Ranking(this.#special, this.#limit, this.#rules, sourceLength, options);
    const groups = Array.from({ length: this.#groups }, () => new Group(this.#places));
    let state: State = await model.start(source);
    if (groups.length > 1) state = model.select(state, groups.map(() => 0));
    for (let length = 1; groups.some((group) => group.live.length); length++) {
      const live = groups.flatMap((group) => group.live);
      const step = await model.step(live.map((each) => each.past.at(-1) ?? this.#special.bos), state);
      const extended = live.map((each, row) => this.#look(each, row, step, ranking));
      const rows = this.#advance(groups, extended, length, ranking);
      state = rows.length ? model.select(step.state, rows) : step.state;
      const best = groups.flatMap((group) => group.live).reduce<Live | null>(better, null);
      if (best) await options.onStep?.(best.past);
    }
    return this.#found(groups);
  }

  #look(live: Live, row: number, step: Step<unknown>, ranking: Ranking): Extended {
    const logProbs = rowOf(step.logProbs, row);
    const weights = Float32Array.from(rowOf(step.weights, row));
    let attended = null;
    if (this.#scoring.coveragePenalty) {
      attended = Float64Array.from(rowOf(step.weights, row), (weight, place) => weight + (live.attended?.[place] ?? 0));
    }
    return { live: { ...live, attended }, row, logProbs, weights, alternatives: ranking.alternatives(logProbs) };
  }

  /** Let every group choose its continuations; return the rows that go on. */
  #advance(groups: readonly Group[], extended: readonly Extended[], length: number, ranking: Ranking): number[] {
    const rows: number[] = [];
    const used: number[] = []; // tokens that groups before have chosen
    let begin = 0;
    for (const group of groups) {
      const own = extended.slice(begin, begin + group.live.length);
      begin += own.length;
      const candidates = this.#candidates(own, used, length, ranking);
      used.push(...candidates.map((candidate) => candidate.token));
      const going = this.#settle(group, own, candidates, length, ranking.limit);
      group.live = going.map(({ candidate, node }) => ({
        node,
        past: [...candidate.from.live.past, candidate.token],
        total: candidate.total,
        attended: candidate.from.live.attended,
      }));
      rows.push(...going.map(({ candidate }) => candidate.from.row));
    }
    return rows;
  }

  /** Return the continuations that stay in a group's beam, best first. */
  #candidates(own: readonly Extended[], used: readonly number[], length: number, ranking: Ranking): Candidate[] {
    // What is not among the best of its own row is not among the best of its beam. With groups, tokens of earlier
    // ones may fall behind: then it is not among the best of its row and as many as those.
    const count = this.#places * this.#groups;
    const every = own.flatMap((from) =>
      ranking.best(from.logProbs, from.live.past, length, count).map(({ token, rank, logProb }) => {
        const total = from.live.total + rank;
        const uses = used.filter((other) => other === token).length;
        return { from, token, logProb, total, value: uses ? total - this.#diversity * uses : total };
      }),
    );
    return every.sort((one, other) => other.value - one.value).slice(0, this.#places);
  }

  /** Put what has ended into the pools; return what goes on. */
  #settle(
    group: Group,
    own: readonly Extended[],
    candidates: readonly Candidate[],
    length: number,
    limit: number,
  ): { candidate: Candidate; node: Node }[] {
    const { eos } = this.#special;
    const ended: Ranked[] = [];
    const going: { candidate: Candidate; node: Node; score: number }[] = [];
    for (const [place, candidate] of candidates.entries()) {
      const score = this.#scoring.score(candidate.total, length);
      // among the best of all: of the candidates and of what has finished before
      if (place + group.finished.atLeast(score) >= this.#places) continue;
      const { from, token, logProb } = candidate;
      const node = { parent: from.live.node, token, logProb, weights: from.weights, alternatives: from.alternatives };
      const complete = score + this.#coverage(from.live);
      if (token === eos) ended.push({ score: complete, node });
      else going.push({ candidate, node, score: complete });
    }
    group.finished.add(ended);
    if (!ended.length && !going.length && group.finished.score(0) === -Infinity) {
      // a dead end: what could not be continued is all there is to show
      group.unfinished.add(
        own.map(({ live }) => ({
          score: this.#scoring.score(live.total, length - 1) + this.#coverage(live),
          node: live.node,
        })),
      );
    }
    if (length >= limit) {
      group.unfinished.add(going);
      return [];
    }
    const bestLive = Math.max(...going.map(({ candidate }) => candidate.total));
    const needed = group.finished.score(Math.min(this.#nBest, this.#places) - 1);
    return needed >= this.#scoring.bestPossible(bestLive, limit) ? [] : going;
  }

  #coverage(live: Live): number {
    return live.attended ? this.#scoring.coverage(live.attended) : 0;
  }

  /** Return what the groups have found: all different, finished ones first, best first. */
  #found(groups: readonly Group[]): Hypothesis[] {
    const best = new Map<string, Hypothesis>();
    for (const pools of [groups.map((group) => group.finished), groups.map((group) => group.unfinished)]) {
      for (const { score, node } of byScore(pools.flatMap((pool) => pool.ranked))) {
        if (best.size === this.#nBest) break;
        const key = tokensOf(node).join(" ");
        if (!best.has(key)) best.set(key, hypothesisOf(node, this.#special.eos, score));
      }
    }
    return [...best.values()];
  }
}

function better(one: Live | null, other: Live): Live {
  return one && one.total >= other.total ? one : other;
}
