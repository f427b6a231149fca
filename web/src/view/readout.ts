/** What is known of the word in question, in numbers: its probability, where it looked, what else was thought of. */

import { html, setProperty, setText } from "./dom.js";
import type { Alternative, Panel } from "./document.js";
import type { Marks } from "./arcs.js";
import { decimal, label, percent } from "./text.js";
import type { Grid, Unit } from "./units.js";

const MOST = 6; // places that are listed
const LEAST = 0.005;

interface Bar {
  text: string;
  share: number;
  shown: string;
  chosen?: boolean;
  special?: boolean;
}

export class Readout {
  readonly element = html("div", "av-readout");
  private readonly spoken = html("p", "av-spoken", { "aria-live": "polite" });
  private readonly body = html("div", "av-facts");

  constructor() {
    this.element.append(this.body, this.spoken);
  }

  /** Say what is marked; aloud where it was reached by key. */
  show(panel: Panel, grid: Grid, marks: Marks): void {
    const { row, column } = marks;
    this.element.classList.toggle("av-with-alternatives", panel.alternatives !== null);
    if (row !== null && grid.rows[row]) this.showRow(panel, grid, row, column);
    else if (column !== null && grid.columns[column]) this.showColumn(grid, column);
    else {
      this.body.replaceChildren(html("p", "av-hint", {}, hint(grid)), html("div", "av-lists", {}, leastSure(panel)));
      setText(this.spoken, "");
    }
  }

  private showRow(panel: Panel, grid: Grid, row: number, column: number | null): void {
    const unit = grid.rows[row]!;
    const weights = grid.weights[row] ?? [];
    const looked = strongest(weights).map((index) => bar(grid.columns[index]!, weights[index]!, index === column));
    const written = grid.part !== "encoder";
    const heading = html("p", "av-heading", {}, html("bdi", "av-subject", {}, unit.label));
    const logProb = written ? sum(unit.tokens.map((token) => panel.log_probs[token] ?? null)) : null;
    if (written && unit.tokens.some((token) => token in panel.log_probs)) {
      const chance = logProb === null ? 0 : Math.exp(logProb);
      heading.append(html("span", "av-number", {}, `${percent(chance)}, log-probability ${decimal(logProb)}`));
    }
    if (column !== null && weights[column] !== undefined) {
      const cell = html("bdi", "", {}, grid.columns[column]!.label);
      heading.append(html("span", "av-number", {}, "weight on ", cell, ` ${weights[column].toFixed(4)}`));
    }
    const lists: HTMLElement[] = [];
    if (looked.length) lists.push(list("Looked at", looked));
    if (written && panel.alternatives) {
      for (const token of unit.tokens) {
        const found = panel.alternatives[token];
        if (found?.length) lists.push(list(title(panel, unit, token), considered(panel, token, found)));
      }
    }
    this.body.replaceChildren(heading, html("div", "av-lists", {}, ...lists));
    const places = looked.slice(0, 3).map(({ text, shown }) => `${text} ${shown}`);
    const here = column !== null && weights[column] !== undefined;
    const cell = here ? `, weight on ${grid.columns[column!]!.label} ${weights[column!]!.toFixed(4)}` : "";
    setText(this.spoken, `${unit.label}${places.length ? ` looks at ${places.join(", ")}` : ""}${cell}`);
  }

  private showColumn(grid: Grid, column: number): void {
    const unit = grid.columns[column]!;
    const weights = grid.weights.map((row) => row[column] ?? 0);
    const lookers = strongest(weights).map((index) => bar(grid.rows[index]!, weights[index]!, false));
    const heading = html("p", "av-heading", {}, html("bdi", "av-subject", {}, unit.label));
    this.body.replaceChildren(
      heading,
      html("div", "av-lists", {}, lookers.length ? list("Looked at by", lookers) : html("p", "av-hint", {}, "No word looked here.")),
    );
    const places = lookers.slice(0, 3).map(({ text, shown }) => `${text} ${shown}`);
    setText(this.spoken, `${unit.label} ${places.length ? `is looked at by ${places.join(", ")}` : "is not looked at"}`);
  }
}

function hint(grid: Grid): string {
  if (!grid.rows.length) return "Nothing was translated.";
  if (!grid.weights.length) return "This model has no attention: step through the words to see what it considered.";
  return "Point at a word to see where it looked, or who looked at it. The arrow keys step through the words.";
}

/** List the tokens that the model gave the least chance: where a reader may want to look first. */
function leastSure(panel: Panel): HTMLElement | null {
  const chances = panel.log_probs.map((logProb) => (logProb === null ? 0 : Math.exp(logProb)));
  const order = chances.map((_, index) => index).sort((one, other) => chances[one]! - chances[other]!);
  const bars = order.slice(0, MOST).map((index): Bar => {
    const { surface, token, special } = panel.tokens[index]!;
    return { text: label(surface, token, special), share: chances[index]!, shown: percent(chances[index]!), special };
  });
  return bars.length ? list("Least sure of", bars) : null;
}

function title(panel: Panel, unit: Unit, token: number): string {
  const what = panel.forced ? "The model would write" : "Considered";
  if (unit.tokens.length === 1) return what;
  const { surface, token: name, special } = panel.tokens[token]!;
  return `${what} for ${label(surface, name, special)}`;
}

function considered(panel: Panel, token: number, found: readonly Alternative[]): Bar[] {
  const chosen = panel.tokens[token]!;
  const bars = found.map((one) => ({
    text: label(one.token.surface, one.token.token, one.token.special),
    share: one.log_prob === null ? 0 : Math.exp(one.log_prob),
    shown: percent(one.log_prob === null ? 0 : Math.exp(one.log_prob)),
    chosen: one.token.token === chosen.token,
    special: one.token.special,
  }));
  bars.forEach((one, index) => (one.chosen &&= bars.findIndex((other) => other.chosen) === index));
  if (!bars.some((one) => one.chosen)) {
    const logProb = panel.log_probs[token] ?? null;
    const share = logProb === null ? 0 : Math.exp(logProb);
    const text = label(chosen.surface, chosen.token, chosen.special);
    bars.push({ text, share, shown: percent(share), chosen: true, special: chosen.special });
  }
  return bars;
}

function bar(unit: Unit, weight: number, chosen: boolean): Bar {
  return { text: unit.label, share: weight, shown: percent(weight), chosen, special: unit.special };
}

function list(heading: string, bars: readonly Bar[]): HTMLElement {
  const items = bars.map((one) => {
    const style = `av-bar${one.chosen ? " av-chosen" : ""}${one.special ? " av-special" : ""}`;
    const item = html("li", style, {}, html("bdi", "av-name", {}, one.text), html("span", "av-share", {}, one.shown));
    setProperty(item, "--av-share", Math.min(one.share, 1).toFixed(4));
    if (one.chosen) item.setAttribute("aria-current", "true");
    return item;
  });
  return html("section", "av-list", {}, html("h4", "", {}, heading), html("ol", "", {}, ...items));
}

function strongest(weights: readonly number[]): number[] {
  const order = weights.map((_, index) => index).filter((index) => weights[index]! >= LEAST);
  return order.sort((one, other) => weights[other]! - weights[one]!).slice(0, MOST);
}

function sum(values: readonly (number | null)[]): number | null {
  return values.reduce((total, value) => (total === null || value === null ? null : total + value), 0 as number | null);
}
