/** Which of a model's maps is shown: chosen from lists, or from small pictures of them all. */

import { html, identity, setProperty, svg } from "./dom.js";
import type { AttentionMap, Panel, Part } from "./document.js";

export interface Choice {
  part: Part;
  layer: number;
  /** 0: the mean of the layer's heads. */
  head: number;
}

const NAMES: Record<Part, string> = {
  cross: "target at source",
  encoder: "source at source",
  decoder: "target at target",
};
const LEVELS = 8; // shades in a small picture

/** Return the map of a choice; the mean of a layer's heads is made where the document has none. */
export function findMap(maps: readonly AttentionMap[], choice: Choice): AttentionMap | undefined {
  const layer = maps.filter((map) => map.part === choice.part && map.layer === choice.layer);
  const found = layer.find((map) => map.head === choice.head);
  if (found || choice.head !== 0 || layer.length === 0) return found ?? maps[0];
  const weights = layer[0]!.weights.map((row, from) =>
    row.map((_, to) => layer.reduce((sum, map) => sum + (map.weights[from]?.[to] ?? 0), 0) / layer.length),
  );
  return { ...choice, weights };
}

export class Heads {
  readonly element = html("div", "av-heads");
  private choice: Choice = { part: "cross", layer: 1, head: 0 };
  private maps: readonly AttentionMap[] = [];
  private open = false;

  constructor(private readonly changed: () => void) {}

  show(panel: Panel): void {
    this.maps = panel.maps;
    const kept = this.of(this.choice.part).some((map) => map.layer === this.choice.layer);
    if (!kept || !this.element.hasChildNodes()) {
      const first = this.maps[0];
      this.choice = { part: first?.part ?? "cross", layer: first?.layer ?? 1, head: first?.head ?? 0 };
    }
    this.draw();
  }

  get map(): AttentionMap | undefined {
    return findMap(this.maps, this.choice);
  }

  private of(part: Part): AttentionMap[] {
    return this.maps.filter((map) => map.part === part);
  }

  private choose(change: Partial<Choice>): void {
    const choice = { ...this.choice, ...change };
    const layers = new Set(this.of(choice.part).map((map) => map.layer));
    if (!layers.has(choice.layer)) choice.layer = Math.max(...layers);
    if (!this.of(choice.part).some((map) => map.layer === choice.layer && map.head === choice.head)) choice.head = 0;
    this.choice = choice;
    const focused = this.element.contains(document.activeElement) ? document.activeElement?.getAttribute("data-key") : null;
    this.draw();
    if (focused) this.element.querySelector<HTMLElement>(`[data-key="${focused}"]`)?.focus();
    this.changed();
  }

  private draw(): void {
    this.element.hidden = this.maps.length < 2;
    if (this.element.hidden) return;
    const { part, layer, head } = this.choice;
    const parts = [...new Set(this.maps.map((map) => map.part))].sort();
    const layers = [...new Set(this.of(part).map((map) => map.layer))].sort((one, other) => one - other);
    const heads = this.of(part).filter((map) => map.layer === layer && map.head > 0);
    this.element.replaceChildren(
      this.list("part", "Attention", parts, part, (value) => NAMES[value]),
      this.list("layer", "Layer", layers, layer, String),
      this.list("head", "Head", [0, ...heads.map((map) => map.head)], head, (value) => (value ? String(value) : "mean")),
      this.all(),
    );
  }

  private list<V extends string | number>(
    key: keyof Choice,
    title: string,
    values: readonly V[],
    chosen: V,
    name: (value: V) => string,
  ): HTMLElement {
    const id = identity(key);
    const options = values.map((value) => html("option", "", { value: String(value), selected: value === chosen }, name(value)));
    const select = html("select", "", { id, "data-key": key }, ...options);
    select.addEventListener("change", () => this.choose({ [key]: values[select.selectedIndex] }));
    return html("span", "av-field", {}, html("label", "", { for: id }, title), select);
  }

  private all(): HTMLElement {
    const { part, layer, head } = this.choice;
    const maps = this.of(part).filter((map) => map.head > 0);
    const across = Math.max(1, ...maps.map((map) => map.head));
    const pictures = maps.map((map) => {
      const chosen = map.layer === layer && map.head === head;
      const name = `layer ${map.layer}, head ${map.head}`;
      const key = `${map.layer}.${map.head}`;
      const button = html(
        "button",
        "av-thumb",
        { type: "button", "aria-pressed": String(chosen), "aria-label": name, title: name, "data-key": key },
        miniature(map.weights),
        html("span", "", { "aria-hidden": "true" }, key),
      );
      button.addEventListener("click", () => this.choose({ layer: map.layer, head: chosen ? 0 : map.head }));
      return button;
    });
    const sheet = html("div", "av-thumbs", { role: "group", "aria-label": `all heads, ${NAMES[part]}` }, ...pictures);
    setProperty(sheet, "--av-across", across);
    const details = html("details", "", { open: this.open }, html("summary", "", { "data-key": "all" }, `All ${maps.length} heads`), sheet);
    details.addEventListener("toggle", () => (this.open = details.open));
    return details;
  }
}

/** Draw a map as small as a stamp: one path for each shade. */
function miniature(weights: readonly number[][]): SVGSVGElement {
  const paths: string[][] = Array.from({ length: LEVELS }, () => []);
  weights.forEach((row, y) =>
    row.forEach((weight, x) => {
      const level = Math.min(LEVELS, Math.round(weight * LEVELS));
      if (level > 0) paths[level - 1]!.push(`M${x} ${y}h1v1h-1z`);
    }),
  );
  const shades = paths.map((path, level) =>
    path.length ? svg("path", "", { d: path.join(""), "fill-opacity": ((level + 1) / LEVELS).toFixed(3) }) : null,
  );
  const box = `0 0 ${weights[0]?.length ?? 1} ${weights.length || 1}`;
  return svg("svg", "", { viewBox: box, preserveAspectRatio: "none", "aria-hidden": "true" }, ...shades);
}
