/** One translation: its two drawings, its beam and what is known of the word in question. */

import { Arcs, type Actions, type Line, type Marks } from "./arcs.js";
import { BeamTree } from "./beam.js";
import type { Panel } from "./document.js";
import { html, identity } from "./dom.js";
import { Heads } from "./heads.js";
import { Heatmap } from "./heatmap.js";
import { Readout } from "./readout.js";
import type { Over, State, Store } from "./state.js";
import { decimal, direction, languageCode } from "./text.js";
import { grid, type Grid, type Unit } from "./units.js";

export class PanelView {
  readonly element: HTMLElement;
  grid: Grid = { part: "cross", rows: [], columns: [], weights: [] };
  private readonly heading = html("h3", "av-title", { id: identity("panel") });
  private readonly about = html("p", "av-about");
  private readonly note = html("p", "av-note");
  private readonly heads = new Heads(() => this.redraw());
  private readonly arcs: Arcs;
  private readonly map: Heatmap;
  private readonly beam = new BeamTree();
  private readonly readout = new Readout();
  private panel!: Panel;

  constructor(
    private readonly store: Store,
    private readonly number: number,
    private readonly changed: () => void,
  ) {
    const actions: Actions = {
      over: (row, column) => this.store.set({ over: this.over(row, column) }),
      leave: () => this.store.set({ over: null }),
      step: (row) => this.store.set({ step: row, over: null }),
    };
    this.arcs = new Arcs(actions);
    this.map = new Heatmap(actions);
    this.element = html(
      "section",
      "av-panel",
      { "aria-labelledby": this.heading.id },
      this.heading,
      this.about,
      this.note,
      this.heads.element,
      this.arcs.element,
      this.map.element,
      this.readout.element,
      this.beam.element,
    );
  }

  show(panel: Panel, named: boolean): void {
    this.panel = panel;
    this.heading.textContent = panel.name || "translation";
    this.heading.hidden = !named;
    this.about.replaceChildren(...about(panel));
    this.note.textContent = panel.finished || !panel.tokens.length ? "" : "Cut off: the sentence did not come to its end.";
    this.heads.show(panel);
    this.beam.show(panel.beam, panel.text, panel.target_language);
    this.redraw();
  }

  /** Draw the chosen map anew, in words or tokens. */
  redraw(): void {
    const { panel } = this;
    this.grid = grid(panel, this.heads.map, this.store.state.words);
    const lines = this.lines();
    this.arcs.show(this.grid, ...lines);
    this.map.show(this.grid, ...lines);
    this.update(this.store.state);
    this.changed();
  }

  update(state: State): void {
    const marks = this.marks(state);
    this.arcs.element.hidden = state.view !== "arcs";
    this.map.element.hidden = state.view !== "map";
    this.readout.element.hidden = state.view === "beam";
    this.beam.element.hidden = state.view !== "beam";
    this.heads.element.classList.toggle("av-unused", state.view === "beam");
    this.arcs.mark(marks);
    this.map.mark(marks);
    this.beam.mark(state.step);
    this.readout.show(this.panel, this.grid, marks);
  }

  follow(step: number): void {
    this.arcs.follow(Math.min(step, this.grid.rows.length - 1));
  }

  /** Lay both drawings out for paper, or for the screen again. */
  print(width: number | null): void {
    if (width === null) this.map.draw();
    else this.map.draw(width);
    this.arcs.layout();
  }

  private lines(): [Line, Line] {
    const { panel } = this;
    const source: Line = {
      name: "source words",
      direction: direction(panel.source, panel.source_language),
      language: languageCode(panel.source_language),
    };
    const target: Line = {
      name: "target words",
      direction: direction(panel.text, panel.target_language),
      language: languageCode(panel.target_language),
    };
    if (this.grid.part === "encoder") return [source, { ...source, name: "source words, looking" }];
    if (this.grid.part === "decoder") return [{ ...target, name: "target words, looked at" }, target];
    return [source, target];
  }

  /** Return what is marked here: by the pointer, by a pointer in another panel, or by the step. */
  private marks(state: State): Marks {
    const { over, step } = state;
    const last = this.grid.rows.length - 1;
    const at = step === null || last < 0 ? null : Math.min(step, last);
    const written = this.grid.part === "encoder" ? null : at;
    if (over?.panel === this.number) return { row: over.row, column: over.column, written, at };
    if (over) {
      const [rowSentence, columnSentence] = this.sentences();
      const row = over.rowSentence === rowSentence ? find(this.grid.rows, over.rowWord) : null;
      const column = over.columnSentence === columnSentence ? find(this.grid.columns, over.columnWord) : null;
      if (row !== null || column !== null) return { row: column === null || over.row !== null ? row : null, column, written, at };
    }
    return { row: at, column: null, written, at };
  }

  private over(row: number | null, column: number | null): Over {
    const [rowSentence, columnSentence] = this.sentences();
    const rowWord = row === null ? null : (this.grid.rows[row]?.word ?? null);
    const columnWord = column === null ? null : (this.grid.columns[column]?.word ?? null);
    return { panel: this.number, row, column, rowSentence, rowWord, columnSentence, columnWord };
  }

  private sentences(): [string, string] {
    const { source, text } = this.panel;
    const { part } = this.grid;
    return [part === "encoder" ? source : text, part === "decoder" ? text : source];
  }
}

function find(units: readonly Unit[], word: number | null): number | null {
  if (word === null) return null;
  const found = units.findIndex((unit) => unit.word === word);
  return found < 0 ? null : found;
}

function about(panel: Panel): (Node | string)[] {
  const facts = [];
  if (panel.forced) facts.push("given translation");
  if (panel.score !== null && !panel.forced) facts.push(`score ${decimal(panel.score)}`);
  if (panel.log_prob !== null) facts.push(`log-probability ${decimal(panel.log_prob)}`);
  facts.push(`${panel.source_tokens.length} source tokens`, `${panel.tokens.length} target tokens`);
  return [facts.join(" · ")];
}
