/** Two lines of words, and what the lower one sees of the upper one as curves between them. */

import { html, setProperty, svg } from "./dom.js";
import { joinLetters } from "./text.js";
import type { Grid, Unit } from "./units.js";

const DRAWN = 0.015; // thinner curves could not be seen
const TOLD = 0.05; // weights from here on are written over their word
const THIN = 0.12; // of a long sentence, thinner curves are drawn only for the word in question
const MANY = 160; // curves, from which on they would hide one another

export interface Line {
  name: string;
  direction: "ltr" | "rtl";
  language: string | undefined;
}

export interface Marks {
  row: number | null;
  column: number | null;
  /** The last row that is written; null: all are. */
  written: number | null;
  /** The row that the step stands at, whether rows are written one by one or not; null: at none. */
  at: number | null;
}

export interface Actions {
  over(row: number | null, column: number | null): void;
  leave(): void;
  step(row: number | null): void;
}

interface Curve {
  row: number;
  column: number;
  path: SVGPathElement;
}

export class Arcs {
  readonly element: HTMLElement;
  private readonly drawing = svg("svg", "av-curves", { "aria-hidden": "true" });
  private readonly upper: HTMLElement = html("div", "av-line", { role: "listbox" });
  private readonly lower: HTMLElement = html("div", "av-line", { role: "listbox" });
  private columns: HTMLElement[] = [];
  private rows: HTMLElement[] = [];
  private curves: Curve[] = [];
  private shown: Grid | null = null;
  private marks: Marks = { row: null, column: null, written: null, at: null };

  constructor(private readonly actions: Actions) {
    this.element = html("div", "av-arcs", {}, this.drawing, this.upper, this.lower);
    this.listen(this.upper, (index) => actions.over(null, index), () => undefined);
    this.listen(this.lower, (index) => actions.over(index, null), (index) => this.toggle(index));
    new ResizeObserver(() => this.layout()).observe(this.element);
  }

  show(grid: Grid, above: Line, below: Line): void {
    this.shown = grid;
    this.columns = writeLine(this.upper, grid.columns, above);
    this.rows = writeLine(this.lower, grid.rows, below);
    this.curves = [];
    grid.weights.forEach((weights, row) =>
      weights.forEach((weight, column) => {
        if (weight < DRAWN) return;
        const path = svg("path", weight < THIN ? "av-thin" : "", {
          "stroke-width": (0.8 + 8 * weight).toFixed(2),
          "stroke-opacity": (0.15 + 0.75 * weight).toFixed(2),
        });
        this.curves.push({ row, column, path });
      }),
    );
    this.drawing.classList.toggle("av-many", this.curves.length > MANY);
    this.drawing.replaceChildren(...this.curves.map((curve) => curve.path));
    this.layout();
    this.mark(this.marks);
  }

  /** Show where a row looked, or who looked at a column. */
  mark(marks: Marks): void {
    this.marks = marks;
    const { row, column, written } = marks;
    const weights = this.shown?.weights ?? [];
    const own = this.shown?.part === "decoder"; // then the upper line is written bit by bit, too
    const last = written ?? Infinity;
    this.element.classList.toggle("av-backward", row === null && column !== null);
    this.drawing.classList.toggle("av-chosen", row !== null || column !== null);
    for (const curve of this.curves) {
      const on = row !== null ? curve.row === row : column !== null && curve.column === column;
      curve.path.classList.toggle("av-on", on);
      curve.path.classList.toggle("av-off", curve.row > last);
    }
    this.columns.forEach((unit, index) => {
      share(unit, row === null ? null : (weights[row]?.[index] ?? null), column === index);
      unit.classList.toggle("av-unwritten", own && index > last);
    });
    this.rows.forEach((unit, index) => {
      share(unit, row !== null || column === null ? null : (weights[index]?.[column] ?? null), row === index);
      unit.classList.toggle("av-unwritten", index > last);
    });
    rove(this.columns, column);
    rove(this.rows, row);
  }

  /** Put the focus on the word that decoding stands at, if it was on another one of the line. */
  follow(row: number): void {
    if (this.lower.contains(document.activeElement)) this.rows[row]?.focus();
  }

  /** Draw the curves to where the words are now. */
  layout(): void {
    const box = this.element.getBoundingClientRect();
    if (box.width === 0) return;
    const ends = (units: HTMLElement[], bottom: boolean): [number, number][] =>
      units.map((unit) => {
        const place = unit.getBoundingClientRect();
        return [place.left + place.width / 2 - box.left, (bottom ? place.bottom : place.top) - box.top];
      });
    const from = ends(this.columns, true);
    const to = ends(this.rows, false);
    for (const { row, column, path } of this.curves) {
      const [x1, y1] = from[column]!;
      const [x2, y2] = to[row]!;
      const middle = (y1 + y2) / 2;
      path.setAttribute("d", `M${at(x1)} ${at(y1)}C${at(x1)} ${at(middle)} ${at(x2)} ${at(middle)} ${at(x2)} ${at(y2)}`);
    }
  }

  private toggle(index: number): void {
    this.actions.step(this.marks.at === index ? null : index);
  }

  private listen(line: HTMLElement, over: (index: number) => void, choose: (index: number) => void): void {
    const index = (event: Event): number => {
      const unit = (event.target as Element).closest<HTMLElement>(".av-unit");
      return unit === null ? -1 : (line === this.upper ? this.columns : this.rows).indexOf(unit);
    };
    const enter = (event: Event): void => {
      const found = index(event);
      if (found >= 0) over(found);
    };
    line.addEventListener("pointerover", enter);
    line.addEventListener("focusin", enter);
    line.addEventListener("pointerleave", () => this.actions.leave());
    line.addEventListener("focusout", () => this.actions.leave());
    line.addEventListener("click", (event) => {
      const found = index(event);
      if (found >= 0 && (getSelection()?.isCollapsed ?? true)) choose(found);
    });
    line.addEventListener("keydown", (event) => this.press(event, line, index(event), choose));
  }

  private press(event: KeyboardEvent, line: HTMLElement, index: number, choose: (index: number) => void): void {
    if (index < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
    const units = line === this.upper ? this.columns : this.rows;
    const forward = line.dir === "rtl" ? "ArrowLeft" : "ArrowRight";
    const backward = line.dir === "rtl" ? "ArrowRight" : "ArrowLeft";
    let next = index;
    if (event.key === forward) next = Math.min(index + 1, units.length - 1);
    else if (event.key === backward) next = Math.max(index - 1, 0);
    else if (event.key === "Home") next = 0;
    else if (event.key === "End") next = units.length - 1;
    else if (event.key === "Enter" || event.key === " ") choose(index);
    else return;
    event.preventDefault();
    if (next === index) return;
    if (line === this.lower && this.marks.written !== null) this.actions.step(next);
    units[next]!.focus();
  }
}

/** Write a sentence: what stands without a space in the text does so here. */
function writeLine(line: HTMLElement, units: readonly Unit[], about: Line): HTMLElement[] {
  line.dir = about.direction;
  line.setAttribute("aria-label", about.name);
  line.setAttribute("aria-orientation", "horizontal");
  if (about.language) line.lang = about.language;
  else line.removeAttribute("lang");
  const labels = units.map((unit) => unit.label);
  units.forEach((unit, index) => {
    if (unit.goesOn) [labels[index - 1], labels[index]] = joinLetters(labels[index - 1]!, labels[index]!);
  });
  const made = units.map((unit, index) =>
    html("span", style(unit, units[index + 1]), { role: "option", tabindex: index ? -1 : 0 }, labels[index]),
  );
  line.replaceChildren();
  let word: HTMLElement | null = null;
  units.forEach((unit, index) => {
    if (word === null || !unit.goesOn) {
      if (unit.spaced && index > 0) line.append(" ");
      word = html("span", "av-word", { role: "presentation" });
      line.append(word);
    }
    word.append(made[index]!);
  });
  return made;
}

function style(unit: Unit, next: Unit | undefined): string {
  const styles = ["av-unit"];
  if (unit.special) styles.push("av-special");
  if (unit.unknown) styles.push("av-unknown");
  if (unit.goesOn) styles.push("av-goes-on");
  if (next?.goesOn) styles.push("av-to-be-continued");
  return styles.join(" ");
}

/** Shade a word by a weight; mark it where it is what the others are seen from. */
function share(unit: HTMLElement, weight: number | null, chosen: boolean): void {
  unit.classList.toggle("av-chosen", chosen);
  unit.setAttribute("aria-selected", String(chosen));
  setProperty(unit, "--av-weight", weight === null ? 0 : Number(Math.min(weight, 1).toFixed(4)));
  if (weight !== null && weight >= TOLD) unit.dataset["share"] = `${Math.round(100 * weight)}%`;
  else delete unit.dataset["share"];
}

/** Let the tabulator key reach one word of a line, the arrow keys the others. */
function rove(units: HTMLElement[], index: number | null): void {
  if (index === null || units[index] === undefined) return;
  units.forEach((unit, other) => (unit.tabIndex = other === index ? 0 : -1));
}

function at(value: number): string {
  return value.toFixed(1);
}
