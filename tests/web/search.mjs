// Reads {"package", "tables", "searches", "special"} as JSON; runs every search over every table.
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";

const asked = JSON.parse(await text(process.stdin));
const { BeamSearch, GreedySearch, LengthLimit, noRepeatNGram, repetitionPenalty, Scoring } = await import(
  pathToFileURL(join(asked.package, "index.js")).href
);

/** A model that is a table: prefixes to log-probabilities (null: impossible) and attention. */
class TableModel {
  constructor(table) {
    this.table = table;
  }

  async start() {
    return [""];
  }

  async step(tokens, state) {
    const prefixes = state.map((prefix, row) => (tokens[row] === asked.special.bos ? prefix : `${prefix} ${tokens[row]}`));
    const found = prefixes.map((prefix) => this.table[prefix.trim()]);
    const logProbs = found.map(([row]) => row.map((value) => value ?? -Infinity));
    return {
      logProbs: { values: Float64Array.from(logProbs.flat()), columns: logProbs[0].length },
      weights: { values: Float64Array.from(found.flatMap(([, weights]) => weights)), columns: found[0][1].length },
      state: prefixes,
    };
  }

  select(state, rows) {
    return rows.map((row) => state[row]);
  }
}

for (const { table, sourceLength } of asked.tables) {
  const found = [];
  for (const { limit, scoring, noRepeat, penalty, alternatives, prefix, ...settings } of asked.searches) {
    const rules = [];
    if (noRepeat) rules.push(noRepeatNGram(noRepeat));
    if (penalty) rules.push(repetitionPenalty(penalty));
    const shared = { special: asked.special, limit: new LengthLimit(limit), rules, scoring: new Scoring(scoring) };
    const search = settings.beamSize ? new BeamSearch({ ...shared, ...settings }) : new GreedySearch(shared);
    const hypotheses = await search.run(new TableModel(table), null, sourceLength, { prefix: prefix ?? [] });
    found.push(hypotheses.map(({ weights, ...rest }) => ({ ...rest, weights: weights.map((row) => [...row]) })));
  }
  process.stdout.write(`${JSON.stringify(found)}\n`);
}
