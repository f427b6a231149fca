/** The hypotheses of beam search, left to right: a column per step, the better the higher. */

import { html, svg, textWidth } from "./dom.js";
import type { Beam, BeamNode, Fate } from "./document.js";
import { decimal, direction, label, percent } from "./text.js";

const LINE = 30; // pixels from one hypothesis to the next
const GAP = 34; // between two columns, for the branches
const LETTERS = 16;
const SIGNS: Record<Fate, string> = { kept: "", finished: "●", returned: "✓", pruned: "×" };
const FATES: Record<Fate, string> = {
  returned: "returned",
  finished: "finished",
  kept: "kept",
  pruned: "pruned",
};

interface Place {
  node: BeamNode;
  column: number;
  line: number;
  x: number;
  y: number;
  width: number;
  box: SVGGElement;
}

export class BeamTree {
  readonly element: HTMLElement;
  private readonly scroller = html("div", "av-scroll");
  private readonly facts = html("div", "av-readout");
  private readonly legend = html("div", "av-legend");
  private readonly every = html("input", "", { type: "checkbox", checked: true });
  private beam: Beam | null = null;
  private places = new Map<number, Place>();
  private branches = new Map<number, SVGPathElement>();
  private rightToLeft = false;
  private column: number | null = null;

  constructor() {
    this.legend.append(
      html("label", "av-check", {}, this.every, " pruned hypotheses"),
      ...(Object.keys(FATES) as Fate[]).map((fate) =>
        html("span", `av-key av-${fate}`, {}, html("span", "av-sign", {}, SIGNS[fate] || "–"), ` ${FATES[fate]}`),
      ),
    );
    this.element = html("div", "av-beam", {}, this.legend, this.scroller, this.facts);
    this.every.addEventListener("change", () => this.draw());
  }

  show(beam: Beam | null, target: string, language: string | undefined): void {
    this.beam = beam;
    this.rightToLeft = direction(target, language) === "rtl";
    const pruned = beam?.nodes.filter((node) => node.fate === "pruned").length ?? 0;
    this.every.checked = pruned <= 400;
    this.draw();
  }

  /** Point out the column of a step. */
  mark(step: number | null): void {
    this.column = step;
    for (const { box, column } of this.places.values()) box.classList.toggle("av-now", step !== null && column === step + 1);
  }

  private draw(): void {
    this.places.clear();
    this.branches.clear();
    const beam = this.beam;
    this.legend.hidden = beam === null || !beam.nodes.length;
    if (beam === null || !beam.nodes.length) {
      this.scroller.replaceChildren(html("p", "av-hint", {}, "This translation was not found by beam search, so there is no tree."));
      this.facts.replaceChildren();
      return;
    }
    const columns = this.arrange(beam);
    const width = 8 + columns.reduce((sum, column) => sum + (column[0]?.width ?? 0) + GAP, 0);
    const height = 12 + LINE * Math.max(...columns.map((column) => column.length));
    const tree = svg("svg", "av-tree", {
      width,
      height,
      role: "tree",
      "aria-label": `${this.places.size - 1} hypotheses of a beam of ${beam.beam_size}, scored by ${beam.scored_by}; arrow keys move`,
    });
    const best = this.path(beam.returned[0]);
    const edges = [...this.places.values()].filter((place) => this.parent(place)).map((place) => this.branch(place, best));
    edges.sort((one, other) => Number(one.classList.contains("av-best")) - Number(other.classList.contains("av-best")));
    tree.append(...edges, ...[...this.places.values()].map((place) => place.box));
    for (const [id, place] of this.places) place.box.classList.toggle("av-best", best.has(id));
    this.listen(tree);
    this.scroller.replaceChildren(tree);
    if (this.rightToLeft) this.scroller.scrollLeft = width;
    this.tell(beam.returned[0] ?? null, false);
    this.mark(this.column);
  }

  /** Give each node its column and line, in the order of scores; what was pruned stands below. */
  private arrange(beam: Beam): Place[][] {
    const shown = this.every.checked ? beam.nodes : beam.nodes.filter((node) => node.fate !== "pruned");
    const columns: BeamNode[][] = [];
    for (const node of shown) (columns[node.length] ??= []).push(node);
    const found: Place[][] = [];
    let x = 8;
    for (let number = 0; number < columns.length; number += 1) {
      const nodes = [...(columns[number] ?? [])].sort(
        (one, other) =>
          Number(one.fate === "pruned") - Number(other.fate === "pruned") ||
          (other.score ?? -Infinity) - (one.score ?? -Infinity),
      );
      const width = Math.max(36, ...nodes.map((node) => 30 + textWidth(short(node))));
      const places = nodes.map((node, line): Place => {
        const y = 8 + line * LINE;
        return { node, column: number, line, x, y, width, box: box(node, width) };
      });
      for (const place of places) this.places.set(place.node.id, place);
      found.push(places);
      x += width + GAP;
    }
    for (const place of this.places.values()) {
      if (this.rightToLeft) place.x = x - GAP + 8 - place.x - place.width;
      place.box.setAttribute("transform", `translate(${place.x} ${place.y})`);
    }
    return found;
  }

  private branch(place: Place, best: Set<number>): SVGPathElement {
    const parent = this.parent(place)!;
    const turned = this.rightToLeft;
    const x1 = turned ? parent.x : parent.x + parent.width;
    const x2 = turned ? place.x + place.width : place.x;
    const y1 = parent.y + 11;
    const y2 = place.y + 11;
    const middle = (x1 + x2) / 2;
    const style = `av-branch av-${place.node.fate}${best.has(place.node.id) ? " av-best" : ""}`;
    const path = svg("path", style, { d: `M${x1} ${y1}C${middle} ${y1} ${middle} ${y2} ${x2} ${y2}` });
    this.branches.set(place.node.id, path);
    return path;
  }

  private parent(place: Place): Place | undefined {
    return place.node.parent === null ? undefined : this.places.get(place.node.parent);
  }

  /** Return a node and all those it goes on from. */
  private path(id: number | null | undefined): Set<number> {
    const found = new Set<number>();
    let place = id === null || id === undefined ? undefined : this.places.get(id);
    while (place && !found.has(place.node.id)) {
      found.add(place.node.id);
      place = this.parent(place);
    }
    return found;
  }

  private listen(tree: SVGSVGElement): void {
    const id = (event: Event): number | null => {
      const found = (event.target as Element).closest<SVGGElement>(".av-node")?.dataset["id"];
      return found === undefined ? null : Number(found);
    };
    // not pointerover and pointerleave alone: keys scroll the tree, and what comes under a pointer at rest is not meant
    let pointing = false;
    for (const kind of ["pointermove", "pointerdown", "focusin"]) {
      tree.addEventListener(kind, (event) => {
        const found = id(event);
        pointing = kind !== "focusin";
        if (found !== null) this.tell(found, true);
      });
    }
    tree.addEventListener("pointerleave", () => {
      if (pointing) this.tell(this.beam?.returned[0] ?? null, false);
    });
    tree.addEventListener("keydown", (event) => {
      const place = this.places.get(id(event) ?? -1);
      const next = place && this.neighbor(place, event.key);
      if (!place || next === undefined) return;
      event.preventDefault();
      next?.box.focus();
    });
  }

  /** Return where a key leads to: null where it leads nowhere, undefined for a key of no meaning. */
  private neighbor(place: Place, key: string): Place | null | undefined {
    const forward = this.rightToLeft ? "ArrowLeft" : "ArrowRight";
    const all = [...this.places.values()];
    const first = (found: Place[]): Place | null => found.sort((one, other) => one.line - other.line)[0] ?? null;
    if (key === forward) return first(all.filter((other) => other.node.parent === place.node.id));
    if (key === "ArrowLeft" || key === "ArrowRight") return this.parent(place) ?? null;
    if (key === "ArrowDown" || key === "ArrowUp") {
      const line = place.line + (key === "ArrowDown" ? 1 : -1);
      return all.find((other) => other.column === place.column && other.line === line) ?? null;
    }
    if (key === "Home") return first(all.filter((other) => other.column === 0));
    if (key === "End") return this.places.get(this.beam?.returned[0] ?? -1) ?? null;
    return undefined;
  }

  /** Write what a hypothesis is and what became of it; light up how it came about. */
  private tell(id: number | null, lit: boolean): void {
    const place = id === null ? undefined : this.places.get(id);
    const path = lit ? this.path(id) : new Set<number>();
    this.scroller.classList.toggle("av-lit", lit);
    for (const [other, found] of this.places) {
      found.box.classList.toggle("av-on", path.has(other));
      found.box.setAttribute("tabindex", other === (place?.node.id ?? 0) ? "0" : "-1");
      this.branches.get(other)?.classList.toggle("av-on", path.has(other));
    }
    if (!place) return this.facts.replaceChildren();
    const { node } = place;
    const words = [...this.path(id)].reverse().map((one) => this.places.get(one)!.node.token);
    const text = words.map((token) => (token.special ? "" : token.surface)).join("").trim();
    const chance = node.log_prob === null ? 0 : Math.exp(node.log_prob);
    const heading = html("p", "av-heading", {}, html("bdi", "av-subject", { dir: "auto" }, text || short(node)));
    const rank = this.beam!.returned.indexOf(node.id);
    const known = node.why ? `${FATES[node.fate]}: ${node.why}` : FATES[node.fate];
    const facts: [string, string][] = [
      ["fate", rank < 0 ? known : `returned as number ${rank + 1} of ${this.beam!.returned.length}`],
      ["score", decimal(node.score, 3)],
      ["this token", `${short(node)}, ${percent(chance)}, log-probability ${decimal(node.log_prob, 3)}`],
      ["length", `${node.length}`],
    ];
    const terms = facts.map(([name, value]) => html("div", "", {}, html("dt", "", {}, name), html("dd", "", {}, value)));
    this.facts.replaceChildren(heading, html("dl", `av-terms av-${node.fate}`, {}, ...terms));
  }
}

function box(node: BeamNode, width: number): SVGGElement {
  const chance = node.log_prob === null ? 0 : Math.exp(node.log_prob);
  const spoken = `${short(node)}, ${FATES[node.fate]}, score ${decimal(node.score)}, probability ${percent(chance)}`;
  return svg(
    "g",
    `av-node av-${node.fate}${node.token.special ? " av-special" : ""}`,
    { "data-id": node.id, role: "treeitem", tabindex: -1, "aria-label": spoken, "aria-level": node.length + 1 },
    svg("rect", "", { width, height: 22, rx: 5 }),
    svg("text", "", { x: 8, y: 15.5 }, short(node)),
    svg("text", "av-sign", { x: width - 8, y: 15.5, "text-anchor": "end" }, SIGNS[node.fate]),
  );
}

function short(node: BeamNode): string {
  const letters = [...label(node.token.surface, node.token.token, node.token.special)];
  return letters.length > LETTERS ? `${letters.slice(0, LETTERS - 1).join("")}…` : letters.join("");
}
